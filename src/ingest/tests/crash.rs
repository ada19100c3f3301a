//! Crashes between the index's commit and the store's acknowledgement.

use super::*;
use crate::index::{Batch, IndexError, Snapshot, VectorKey};

/// Commits, and then nothing more happens: no acknowledgement follows.
struct DiesAfterCommit<'a>(&'a dyn Index);

impl Index for DiesAfterCommit<'_> {
    fn apply(&self, batch: &Batch) -> Result<(), IndexError> {
        self.0.apply(batch)?;
        Err(IndexError::Io("the process ends here".into()))
    }

    fn add_vectors(&self, vectors: &[(VectorKey, Vec<f32>)]) -> Result<(), IndexError> {
        self.0.add_vectors(vectors)
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, IndexError> {
        self.0.snapshot()
    }

    fn model_id(&self) -> &str {
        self.0.model_id()
    }

    fn paths(&self) -> Result<BTreeSet<String>, IndexError> {
        self.0.paths()
    }
}

/// Scans, commits, and dies before the acknowledgement.
fn die(place: &Place) {
    place.scan();
    let files = place.there();
    let dying = DiesAfterCommit(&place.index);
    assert!(index_pending(&place.line(&*files, &dying)).is_err());
}

#[test]
fn a_commit_that_was_not_acknowledged_is_done_again() {
    let place = Place::new();
    place.write("a.md", paragraph("alpha"));
    die(&place);
    let place = place.reopened();
    assert_eq!(place.state("a.md"), Some(FileState::Pending));
    place.run();
    assert_eq!((place.state("a.md"), place.with_words("alpha")), (Some(FileState::Ready), set(&["a.md"])));
    assert_eq!(place.index.snapshot().unwrap().counts().unwrap().num_chunks, 1);
}

/// The file table says `alpha`, the index says `beta`, the file says `alpha` again: comparing hashes would find the
/// file unchanged and leave `beta` in the index for good.
fn old_content_is_back_after_a_crash(reopen: bool) {
    let place = Place::new();
    place.write("a.md", paragraph("alpha"));
    place.run();
    place.write("a.md", paragraph("beta"));
    die(&place);
    place.write("a.md", paragraph("alpha"));
    let place = if reopen { place.reopened() } else { place };
    place.run();
    assert_eq!((place.with_words("alpha"), place.with_words("beta")), (set(&["a.md"]), set(&[])));
    assert_eq!(place.state("a.md"), Some(FileState::Ready));
}

#[test]
fn a_file_that_is_back_at_its_old_bytes_after_a_crash_is_indexed_as_it_is() {
    old_content_is_back_after_a_crash(true);
}

#[test]
fn a_file_that_is_back_at_its_old_bytes_after_a_failed_acknowledgement_is_indexed_as_it_is() {
    old_content_is_back_after_a_crash(false);
}

#[test]
fn a_deleted_file_that_is_back_after_a_crash_is_found_again() {
    let place = Place::new();
    place.write("a.md", paragraph("alpha"));
    place.run();
    fs_err::remove_file(place.files.path().join("a.md")).unwrap();
    die(&place);
    assert!(place.with_words("alpha").is_empty());
    place.write("a.md", paragraph("alpha"));
    let place = place.reopened();
    place.run();
    assert_eq!((place.with_words("alpha"), place.state("a.md")), (set(&["a.md"]), Some(FileState::Ready)));
}
