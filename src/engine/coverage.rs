//! What a reply could not see, in sentences: chunks without a vector, files that were not read, a folder that is not watched.

use jiff::{SignedDuration, Timestamp};

use super::query::QueryState;
use super::{Engine, EngineError, Workspace};
use crate::index::{Counts, Languages};
use crate::search::Coverage;
use crate::store::SourceState;
use crate::workspace::FileCounts;

/// What coverage says of a reply that is partial.
pub(super) const CUT: &str =
    "the time was over (`timeout_ms`) before everything was searched: there may be more, and better";
/// What notes say of one file, and of several, of which nothing or not all can be searched: failed, read in part, of a type that is not read.
const UNREAD: [(&str, &str); 3] = [
    ("could not be read", "could not be read"),
    ("could be read in part only", "could be read in part only"),
    ("is of a type that is not read", "are of types that are not read"),
];

/// How a note ends that counts what a scan could not list, and ignore rules that do not count.
const SKIPPED: &str = "skipped; `status` gives the reason for each";

/// Of the interval of scans so many may pass until a scan counts as long ago.
const LATE_INTERVALS: i64 = 2;
/// And so much more, for a scan that takes its time.
const LATE_BY: SignedDuration = SignedDuration::from_mins(5);

/// Whether a note of [`Coverage`] is on files that cannot be searched, which concerns only who was told that there is nothing, or all.
#[must_use]
pub fn is_on_unread(note: &str) -> bool {
    note.ends_with(SKIPPED) || UNREAD.iter().any(|(one, more)| note.ends_with(one) || note.ends_with(more))
}

/// A share in `0..=1` to six decimals, rounded down: 1 is all. No reader of JSON makes another number of so few digits.
fn share(num: usize, of: usize) -> f64 {
    if of == 0 { 1.0 } else { (num as f64 / of as f64 * 1e6).floor() / 1e6 }
}

impl Workspace<'_> {
    /// How much of a workspace a reply from this state has seen, and what it has not.
    pub(super) fn coverage_of(&self, state: &QueryState, wants_vectors: bool) -> Result<Coverage, EngineError> {
        let (counts, languages) = match &state.snapshot {
            Some(snapshot) => (snapshot.counts()?, snapshot.languages()?),
            None => (Counts::default(), Languages::new()),
        };
        let Counts { num_chunks, num_embedded, num_by_words } = counts;
        let num_wanted = num_chunks - num_by_words;
        let embedded_fraction = share(num_embedded, num_wanted);
        // Chunks are counted for the whole index, which a narrowed caller is not to hear of.
        let is_narrowed = self.is_narrowed();
        let embedded_fraction = if is_narrowed { 1.0 } else { embedded_fraction };
        let mut notes = Vec::new();
        let model = if wants_vectors { Some(self.engine.model_for(state)?) } else { None };
        match model.as_ref().map(|model| model.as_ref().map(|model| &model.embedder)) {
            Some(None) => notes.push(
                "searched by words alone: the index was made with another model than the configured one, and that model cannot be opened any \
                 more; the process that indexes builds a new index"
                    .to_owned(),
            ),
            Some(Some(Err(error))) => notes.push(format!("searched by words alone: {error}")),
            Some(Some(Ok(_))) => {
                if is_narrowed && counts.num_missing() > 0 {
                    notes.push("some chunks may not be embedded yet: those were searched by words alone".to_owned());
                } else if counts.num_missing() > 0 {
                    notes.push(format!(
                        "{} of {num_wanted} chunks are not embedded yet and were searched by words alone",
                        counts.num_missing()
                    ));
                }
                notes.extend(foreign_note(num_chunks, &languages).filter(|_| !is_narrowed));
            }
            None => {}
        }
        if !state.view.intelligence {
            notes.push("the workspace's intelligence is off: files are listed, and nothing is found".to_owned());
        }
        notes.extend(self.engine.source_notes(&state.view.source));
        for note in notes.iter_mut().filter(|note| note.contains('/')) {
            *note = self.engine.data.without_folders(std::mem::take(note));
        }
        let files = self.counts(&state.view)?;
        let FileCounts { pending, failed, partial, unsupported, .. } = files;
        let mut note = |num_files: u64, one: &str, more: &str| match num_files {
            0 => {}
            1 => notes.push(format!("1 file {one}")),
            _ => notes.push(format!("{num_files} files {more}")),
        };
        note(pending, "has a change that is not searchable yet", "have changes that are not searchable yet");
        for (num_files, (one, more)) in [failed, partial, unsupported].into_iter().zip(UNREAD) {
            note(num_files, one, more);
        }
        match state.view.source.passed_over.len() {
            _ if is_narrowed => {}
            0 => {}
            1 => notes.push(format!("1 file, folder or ignore rule was {SKIPPED}")),
            num => notes.push(format!("{num} files, folders or ignore rules were {SKIPPED}")),
        }
        Ok(Coverage { files, embedded_fraction, notes })
    }
}

impl Engine {
    /// Why changes of a folder may not be known yet.
    pub(super) fn source_notes(&self, state: &SourceState) -> Vec<String> {
        let mut notes: Vec<String> = state.unwatched.clone().into_iter().collect();
        let interval =
            i64::try_from(self.data.config.scan_interval_s).unwrap_or(i64::MAX).saturating_mul(LATE_INTERVALS);
        let late = SignedDuration::from_secs(interval).saturating_add(LATE_BY);
        if let Some(scanned) = state.scanned.filter(|scanned| Timestamp::now().duration_since(*scanned) > late) {
            notes.push(format!("the folder was last compared as a whole at {scanned:.0}, and may have changed since"));
        }
        notes
    }
}

/// What is to be said of chunks in languages that the model does not know.
fn foreign_note(num_chunks: usize, languages: &Languages) -> Option<String> {
    let foreign = languages.iter().filter(|(_, counts)| counts.num_by_words > 0);
    let named: Vec<String> = foreign
        .clone()
        .map(|(language, counts)| {
            let code = language.map_or_else(|| "unknown".to_owned(), String::from);
            format!("{code} {}", counts.num_by_words)
        })
        .collect();
    let num: usize = foreign.map(|(_, counts)| counts.num_by_words).sum();
    (num > 0).then(|| {
        format!(
            "{num} of {num_chunks} chunks are in languages that the model does not know ({}) and were searched by words alone; \
             `pincite models list` names models that know them",
            named.join(", ")
        )
    })
}
