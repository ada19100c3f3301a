//! The line over a place that is no folder: the trait alone says where files are.

use super::super::differences::Comparison;
use super::*;
use crate::files::memory::MemoryFiles;
use crate::files::{Entry, Version};

/// A workspace whose files are in memory.
struct Elsewhere {
    place: Place,
    files: MemoryFiles,
}

impl Elsewhere {
    fn new() -> Self {
        Self { place: Place::new(), files: MemoryFiles::default() }
    }

    fn put(&self, path: &str, text: &str) {
        write_file(&self.files, &path.parse().unwrap(), text.as_bytes(), &Condition::Any).unwrap();
    }

    fn scan(&self) -> ScanReport {
        scan(&self.place.store, &self.place.workspace, &self.files, &none_writes, &Silent).unwrap()
    }

    /// Scan, index, embed.
    fn run(&self) -> Run {
        let scan = self.scan();
        let line = index_pending(&self.place.line(&self.files, &self.place.index)).unwrap();
        let counting = Counting::default();
        embed_missing(&self.place.index, &counting);
        Run { scan, line, embedded: counting.0.into_inner() }
    }
}

#[test]
fn files_of_another_place_are_indexed_changed_and_removed_as_those_of_a_folder() {
    let elsewhere = Elsewhere::new();
    for number in 0..10 {
        elsewhere.put(&format!("{}/{number}.md", number % 3), &paragraph("alpha"));
    }
    elsewhere.put("large.txt", &paragraph("beta").repeat(50));
    elsewhere.put(".hidden.md", &paragraph("alpha"));
    let run = elsewhere.run();
    assert_eq!((run.scan.num_files, run.scan.num_created, run.line.num_indexed), (11, 11, 11));
    let place = &elsewhere.place;
    assert_eq!((place.with_words("alpha").len(), place.with_words("beta")), (10, set(&["large.txt"])));
    let again = elsewhere.run();
    assert_eq!(
        (again.scan, again.line),
        (ScanReport { num_files: 11, ..ScanReport::default() }, LineReport::default())
    );
    // As many bytes, in the same moment: each write has a tag of its own.
    elsewhere.put("0/0.md", &paragraph("gamma"));
    delete_file(&elsewhere.files, &"1/1.md".parse().unwrap()).unwrap();
    let run = elsewhere.run();
    assert_eq!((run.scan.num_modified, run.scan.num_deleted, run.embedded.len()), (1, 1, 1));
    assert_eq!((place.with_words("gamma"), place.with_words("alpha").len()), (set(&["0/0.md"]), 8));
}

#[test]
fn a_file_that_is_renamed_in_another_place_is_embedded_no_second_time() {
    let elsewhere = Elsewhere::new();
    elsewhere.put("old.md", &paragraph("alpha"));
    elsewhere.run();
    assert!(rename_file(&elsewhere.files, &"old.md".parse().unwrap(), &"sub/new.md".parse().unwrap()).unwrap());
    let run = elsewhere.run();
    assert_eq!((run.scan.num_created, run.scan.num_deleted, run.embedded.len()), (1, 1, 0));
    let place = &elsewhere.place;
    assert_eq!((place.with_words("alpha"), place.with_vectors()), (set(&["sub/new.md"]), set(&["sub/new.md"])));
}

#[test]
fn another_place_that_is_away_has_not_lost_its_files() {
    let elsewhere = Elsewhere::new();
    elsewhere.put("a.md", &paragraph("alpha"));
    elsewhere.run();
    elsewhere.files.leave();
    let Elsewhere { place, files } = &elsewhere;
    assert!(scan(&place.store, &place.workspace, files, &none_writes, &Silent).is_err());
    let seen = BTreeSet::from(["a.md".parse().unwrap()]);
    assert!(scan_places(&place.store, &place.workspace, files, &seen, (&none_writes, &Silent)).is_err());
    assert_eq!((place.with_words("alpha"), place.state("a.md")), (set(&["a.md"]), Some(FileState::Ready)));
}

#[test]
fn a_file_that_two_pages_have_is_one_file_and_one_change() {
    let files = MemoryFiles::default();
    let entry = |path: &str| {
        let fingerprint = Fingerprint { size: 1, modified_ns: 1, changed_ns: 1, inode: 0 };
        let stat = crate::files::Stat { fingerprint, version: Version::new(*b"1") };
        Entry { path: path.parse().unwrap(), stat }
    };
    let mut comparison = Comparison::new(&files);
    comparison.know(vec![("known.md".parse().unwrap(), None)]);
    for _ in 0..2 {
        comparison.take(["new.md", "known.md"].map(entry).into(), Vec::new());
    }
    let differences = comparison.finish();
    let seen: Vec<(&str, ChangeKind)> =
        differences.observations.iter().map(|seen| (seen.path.as_str(), seen.kind)).collect();
    assert_eq!(seen, [("known.md", ChangeKind::Modified), ("new.md", ChangeKind::Created)]);
    assert_eq!(differences.num_files, 2);
}
