//! Whose files, or which kind of files, a question is about.
//!
//! # Invariants
//! - What writers said goes first: only where nobody has the name is it looked for in the folders of runs, and only then in paths.

use super::scope::{Touched, has_folder, path_holds};
use crate::answer::plan::{Plan, Subject};

/// How files are told to be of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// Their writer said so: an agent, run, sandbox or tag of exactly this name.
    Writer,
    /// Their writer said a name that has this one in it: `coder` in `coder-03`.
    WriterInPart,
    /// They are in the folder of a run with this name.
    RunFolder,
    /// Their path has it.
    Path,
}

impl By {
    const ALL: [Self; 4] = [Self::Writer, Self::WriterInPart, Self::RunFolder, Self::Path];

    fn is_met(self, file: &Touched, name: &[String]) -> bool {
        match self {
            Self::Writer => labels(file).any(|label| is_name(label, name)),
            Self::WriterInPart => labels(file).any(|label| holds_name(label, name)),
            Self::RunFolder => file.run_folder().is_some_and(|run| holds_name(run, name)),
            Self::Path => name.iter().all(|word| path_holds(&file.path, word)),
        }
    }
}

/// Whether a workspace of these files knows whom or what the question names.
#[must_use]
pub fn is_known(files: &[Touched], subject: &Subject) -> bool {
    let has_doer = subject.doer.is_empty() || doer_by(files, subject).is_some();
    has_doer
        && (subject.kind_of_file.is_empty()
            || !subject.doer.is_empty()
            || files.iter().any(|file| is_of_kind(file, subject)))
}

/// Leaves the files of the subject, and says how they were told to be.
pub(super) fn narrow(files: &mut Vec<Touched>, subject: &Subject, plan: &mut Plan) {
    if let Some(by) = doer_by(files, subject) {
        files.retain(|file| by.is_met(file, &subject.doer));
        let name = subject.doer.join(" ");
        let how = match by {
            By::Writer => format!("`{name}` is what the writers of its files said"),
            By::WriterInPart => format!("`{name}` is in what the writers of its files said"),
            By::RunFolder => format!("no writer said `{name}`; its files are those in the folders of its runs"),
            By::Path => {
                format!("no writer said `{name}` and no run has it; its files are those with it in their paths")
            }
        };
        let history = if subject.is_of_all_times { ", of all times" } else { "" };
        plan.why = format!("{}; {how}{history}", plan.why);
        plan.names.push(name);
    }
    if subject.kind_of_file.is_empty() {
        return;
    }
    let kind = subject.kind_of_file.join(" ");
    if files.iter().any(|file| is_of_kind(file, subject)) {
        files.retain(|file| is_of_kind(file, subject));
        plan.names.push(kind);
    } else if !files.is_empty() {
        plan.notes.push(format!("no path says `{kind}`: all other files in scope are told"));
    }
}

/// How the doer is found, the surest way first; `None` where nothing names it.
fn doer_by(files: &[Touched], subject: &Subject) -> Option<By> {
    if subject.doer.is_empty() {
        return None;
    }
    let ways = if subject.is_writer { &By::ALL[..] } else { &By::ALL[..3] };
    ways.iter().copied().find(|by| files.iter().any(|file| by.is_met(file, &subject.doer)))
}

/// Whether the folders or the path of a file have every word of the kind that is asked for.
fn is_of_kind(file: &Touched, subject: &Subject) -> bool {
    subject.kind_of_file.iter().all(|word| has_folder(&file.path, word) || path_holds(&file.path, word))
}

fn labels(file: &Touched) -> impl Iterator<Item = &str> {
    let provenance = &file.provenance;
    let one = [&provenance.agent, &provenance.run, &provenance.sandbox].into_iter().filter_map(Option::as_deref);
    one.chain(provenance.tags.iter().map(String::as_str))
}

/// Whether a label is the name, whatever stands between its words.
fn is_name(label: &str, name: &[String]) -> bool {
    let plain = |text: &str| text.to_lowercase().replace(['-', '_', '.', ' ', '/'], " ");
    plain(label) == plain(&name.join(" "))
}

/// Whether the words of the name stand in a label one after the other, as whole words.
fn holds_name(label: &str, name: &[String]) -> bool {
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
    };
    let (label, name) = (words(label), words(&name.join(" ")));
    !name.is_empty() && label.windows(name.len()).any(|window| window == name)
}
