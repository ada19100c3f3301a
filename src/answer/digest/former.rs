//! The file of the same name that the run before left, for what has changed between two runs.
//!
//! # Invariants
//! - It is of another run of the same agent, or of a run whose folder has the same name without dates and numbers.
//! - It is older than the file that it is compared with.

use std::collections::HashMap;

use jiff::Timestamp;

use super::scope::{Touched, has_date, holds_data};
use crate::workspace::RelPath;

/// The files of data of all runs, by their names in the folders of their runs.
#[derive(Debug, Default)]
pub struct Formers {
    by_name: HashMap<String, Vec<OfRun>>,
}

#[derive(Debug)]
struct OfRun {
    path: RelPath,
    run: String,
    kind: String,
    at: Timestamp,
}

impl OfRun {
    fn of(file: &Touched) -> Option<Self> {
        let run = file.any_run()?.to_owned();
        let name = file.run_folder().unwrap_or(&run);
        let kind = file.agent().map_or_else(|| kind(name), |agent| format!("agent {agent}"));
        Some(Self { path: file.path.clone(), run, kind, at: file.at })
    }

    /// Dates in the names of both runs say which came first, else the times of the files do.
    fn is_before(&self, other: &Self) -> bool {
        let are_dated = has_date(&self.run) && has_date(&other.run);
        if are_dated { self.run < other.run } else { self.at < other.at }
    }
}

impl Formers {
    /// Takes in the files of data among these that belong to a run.
    #[must_use]
    pub fn of(files: &[Touched]) -> Self {
        let mut by_name: HashMap<String, Vec<OfRun>> = HashMap::new();
        for file in files.iter().filter(|file| file.is_readable() && holds_data(&file.path)) {
            if let Some(of_run) = OfRun::of(file) {
                by_name.entry(name_in_run(file)).or_default().push(of_run);
            }
        }
        Self { by_name }
    }

    /// The file of the same name of the newest run that came before this one's.
    #[must_use]
    pub fn before(&self, file: &Touched) -> Option<&RelPath> {
        let this = OfRun::of(file)?;
        let same = self.by_name.get(&name_in_run(file))?.iter();
        let earlier = same.filter(|other| other.run != this.run && other.kind == this.kind && other.is_before(&this));
        let newest = earlier.max_by(|one, other| {
            let by_order = other.is_before(one).cmp(&one.is_before(other));
            by_order.then_with(|| one.path.cmp(&other.path))
        });
        newest.map(|other| &other.path)
    }
}

/// Where a file is in the folder of its run; where it is in none, its name.
fn name_in_run(file: &Touched) -> String {
    let path = file.path.as_str();
    let in_folder = super::scope::run_folder(&file.path).and_then(|folder| path[folder.len()..].strip_prefix('/'));
    in_folder.unwrap_or_else(|| file.path.file_name()).to_owned()
}

/// The name of a run without dates and numbers: `bench` of `2026-11-18-bench-08`.
fn kind(run: &str) -> String {
    let words = run.split(|c: char| !c.is_alphanumeric());
    words.filter(|word| !word.is_empty() && !word.contains(|c: char| c.is_ascii_digit())).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::super::tests::touched;
    use super::*;

    #[test]
    fn the_file_of_the_run_before_is_that_of_the_same_kind_of_run() {
        let files = vec![
            touched("runs/2026-10-08-bench-01/results.json", "2026-11-29T10:00:00Z"),
            touched("runs/2026-10-28-bench-05/results.json", "2026-10-28T10:00:00Z"),
            touched("runs/2026-10-14-bench-03/results.json", "2026-10-14T10:00:00Z"),
            touched("runs/2026-11-16-coder-05/results.json", "2026-11-16T10:00:00Z"),
            touched("runs/2026-11-18-bench-08/results.json", "2026-11-18T10:00:00Z"),
            touched("runs/2026-11-18-bench-08/raw/results.json", "2026-11-18T10:00:00Z"),
        ];
        let formers = Formers::of(&files);
        assert_eq!(formers.before(&files[4]), Some(&files[1].path), "dates in names count before times of files");
        assert_eq!(formers.before(&files[0]), None);
        assert_eq!(formers.before(&files[5]), None, "it has another place in its run");
    }

    #[test]
    fn runs_of_one_agent_are_in_the_order_of_their_files() {
        let mut files = vec![
            touched("out/first.csv", "2026-11-18T10:00:00Z"),
            touched("more/first.csv", "2026-11-19T10:00:00Z"),
            touched("other/first.csv", "2026-11-18T11:00:00Z"),
        ];
        for (file, (agent, run)) in files.iter_mut().zip([("ann", "r1"), ("ann", "r2"), ("bob", "r3")]) {
            (file.provenance.agent, file.provenance.run) = (Some(agent.to_owned()), Some(run.to_owned()));
        }
        assert_eq!(Formers::of(&files).before(&files[1]), Some(&files[0].path));
    }
}
