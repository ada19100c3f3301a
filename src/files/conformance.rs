//! What every place of files must do: one suite, written against [`Files`], run for each of them.

mod folders;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Seek as _};
use std::sync::Arc;
use std::sync::mpsc::channel;

use self::folders::{
    a_folder_is_no_file, a_folder_that_is_made_changes_no_file, folders_with_files_are_listed_and_stay,
};
use super::memory::MemoryFiles;
use super::{Condition, Errands, Files, FilesError, NewFile, NotAdmitted, RuleLimits, Sighting, Stat, Watcher};
use crate::error::Advice as _;
use crate::workspace::{RelPath, WorkspaceId};

/// A place, and what happens to it that the trait has no word for.
trait Subject {
    fn files(&self) -> &dyn Files;

    /// The place goes away, as a disk that is taken out or a network that ends.
    fn leave(&mut self);
}

impl Subject for MemoryFiles {
    fn files(&self) -> &dyn Files {
        self
    }

    fn leave(&mut self) {
        Self::leave(self);
    }
}

struct InFolder {
    folder: Option<tempfile::TempDir>,
    files: Arc<dyn Files>,
}

impl InFolder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = super::at(&folder.path().canonicalize().unwrap(), RuleLimits::default());
        Self { folder: Some(folder), files }
    }

    /// The same, read some bytes at a time in other threads.
    fn guarded(self) -> Self {
        let files = Errands::default().guard_by_blocks(&WorkspaceId::default(), self.files, 7);
        Self { files, ..self }
    }
}

impl Subject for InFolder {
    fn files(&self) -> &dyn Files {
        &*self.files
    }

    fn leave(&mut self) {
        self.folder.take().unwrap().close().unwrap();
    }
}

macro_rules! place {
    ($place:ident, $make:expr; $($check:ident),*) => {
        mod $place {
            use super::*;
            $(#[test] fn $check() { super::$check(&mut $make); })*
        }
    };
}

macro_rules! suite {
    ($($check:ident),* $(,)?) => {
        place!(in_memory, MemoryFiles::default(); $($check),*);
        place!(in_a_folder, InFolder::new(); $($check),*);
        place!(in_a_guarded_folder, InFolder::new().guarded(); $($check),*);
    };
}

suite![
    an_empty_place_lists_nothing,
    a_file_is_put_listed_and_opened_in_one_version,
    a_listing_comes_in_pages_and_has_each_file_once,
    a_listing_of_places_is_the_whole_listing_restricted_to_them,
    a_listing_while_files_change_has_what_was_there_throughout,
    a_version_that_is_replaced_or_deleted_cannot_be_opened,
    an_open_file_keeps_its_bytes_and_can_be_read_twice,
    each_put_makes_another_version,
    a_put_if_absent_replaces_nothing,
    of_many_puts_if_absent_one_is_done,
    a_put_of_a_version_replaces_that_one_alone,
    a_delete_of_a_version_removes_that_one_alone,
    a_file_that_is_not_put_leaves_nothing,
    a_file_of_any_size_is_written_bit_by_bit,
    a_renamed_file_is_at_its_new_path_alone,
    a_folder_is_no_file,
    a_folder_that_is_made_changes_no_file,
    folders_with_files_are_listed_and_stay,
    a_name_comes_back_as_it_was_put,
    a_name_in_another_spelling_is_that_of_the_file,
    a_path_to_outside_is_no_path,
    a_file_that_does_not_belong_is_not_listed,
    a_watch_tells_of_every_change,
    a_place_that_is_away_says_nothing_of_its_files,
];

fn path(path: &str) -> RelPath {
    path.parse().unwrap()
}

fn begin(files: &dyn Files, name: &str, bytes: &[u8]) -> Box<dyn NewFile> {
    let mut file = files.begin(&path(name)).unwrap();
    file.write(bytes).unwrap();
    file.prepare().unwrap();
    file
}

fn put(files: &dyn Files, name: &str, bytes: &[u8]) -> Stat {
    begin(files, name, bytes).put(&Condition::Any).unwrap()
}

fn bytes_of(files: &dyn Files, name: &str) -> Vec<u8> {
    let (mut file, mut bytes) = (files.open(&path(name), None).unwrap(), Vec::new());
    file.read_to_end(&mut bytes).unwrap();
    assert_eq!(file.stat_now().unwrap(), *file.stat());
    bytes
}

/// The whole listing, or that of some places. No file comes twice.
fn listed(files: &dyn Files, places: Option<&[&str]>) -> BTreeMap<String, Stat> {
    let places = places.map(|places| places.iter().map(|place| path(place)).collect::<BTreeSet<_>>());
    let mut found = BTreeMap::new();
    let mut listing = files.list(places.as_ref(), &|_| {}).unwrap();
    while let Some(page) = listing.next_page().unwrap() {
        assert!(page.problems.is_empty() && page.unlisted.is_empty(), "{page:?}");
        for file in page.files {
            assert!(found.insert(file.path.to_string(), file.stat).is_none(), "{} is listed twice", file.path);
        }
    }
    assert!(listing.next_page().unwrap().is_none(), "a listing that has ended stays so");
    found
}

fn names(listed: &BTreeMap<String, Stat>) -> Vec<&str> {
    listed.keys().map(String::as_str).collect()
}

fn an_empty_place_lists_nothing(place: &mut dyn Subject) {
    let files = place.files();
    assert!(listed(files, None).is_empty() && listed(files, Some(&["a.txt"])).is_empty());
    assert!(matches!(files.stat(&path("a.txt")), Err(FilesError::NotFound { .. })));
    assert!(matches!(files.stat(&path("no/folder/a.txt")), Err(FilesError::NotFound { .. })));
    assert!(matches!(files.open(&path("a.txt"), None), Err(FilesError::NotFound { .. })));
    assert!(matches!(files.delete(&path("no/folder/a.txt"), None), Err(FilesError::NotFound { .. })));
    assert!(files.identity().is_some());
}

fn a_file_is_put_listed_and_opened_in_one_version(place: &mut dyn Subject) {
    let files = place.files();
    let stat = put(files, "sub/a.txt", b"alpha");
    assert_eq!(stat.fingerprint.size, 5);
    assert_eq!(files.stat(&path("sub/a.txt")).unwrap(), stat);
    assert_eq!(*files.open(&path("sub/a.txt"), Some(&stat.version)).unwrap().stat(), stat);
    assert_eq!(listed(files, None), [("sub/a.txt".to_owned(), stat)].into());
    assert_eq!(bytes_of(files, "sub/a.txt"), b"alpha");
}

fn a_listing_comes_in_pages_and_has_each_file_once(place: &mut dyn Subject) {
    let files = place.files();
    let paths: BTreeSet<String> = (0..25).map(|number| format!("{}/{number}.txt", number % 4)).collect();
    for name in &paths {
        put(files, name, b"alpha");
    }
    let mut sizes = Vec::new();
    let mut listing = files.list(None, &|_| {}).unwrap();
    while let Some(page) = listing.next_page().unwrap() {
        sizes.push(page.files.len());
    }
    assert!(sizes.len() > 5 && sizes.iter().sum::<usize>() == 25, "{sizes:?}");
    assert_eq!(listed(files, None).into_keys().collect::<BTreeSet<_>>(), paths);
}

fn a_listing_of_places_is_the_whole_listing_restricted_to_them(place: &mut dyn Subject) {
    let files = place.files();
    for name in ["a.txt", "a.txt.bak", "docs/a.md", "docs/deep/b.md", "docs2/c.md", "other/d.md"] {
        put(files, name, name.as_bytes());
    }
    let whole = listed(files, None);
    let some = listed(files, Some(&["docs", "a.txt", "other/d.md", "gone.txt"]));
    assert_eq!(names(&some), ["a.txt", "docs/a.md", "docs/deep/b.md", "other/d.md"]);
    assert!(some.iter().all(|(name, stat)| whole[name] == *stat));
    assert_eq!(names(&listed(files, Some(&["docs/deep/b.md"]))), ["docs/deep/b.md"]);
    assert_eq!(names(&listed(files, Some(&["doc"]))), [""; 0]);
}

fn a_listing_while_files_change_has_what_was_there_throughout(place: &mut dyn Subject) {
    let files = place.files();
    let stays: Vec<String> = (0..20).map(|number| format!("{}/stays{number}", number % 5)).collect();
    for name in &stays {
        put(files, name, b"alpha");
    }
    for number in 0..10 {
        put(files, &format!("{}/goes{number}", number % 5), b"beta");
    }
    let mut seen: Vec<String> = Vec::new();
    let mut listing = files.list(None, &|_| {}).unwrap();
    let mut round = 0;
    while let Some(page) = listing.next_page().unwrap() {
        seen.extend(page.files.into_iter().map(|file| file.path.to_string()));
        if round < 10 {
            files.delete(&path(&format!("{}/goes{round}", round % 5)), None).unwrap();
            put(files, &format!("{}/comes{round}", round % 7), b"gamma");
            put(files, &stays[round], b"alpha again");
        }
        round += 1;
    }
    assert!(round > 1, "the listing had one page");
    for name in stays {
        assert_eq!(seen.iter().filter(|&seen| *seen == name).count(), 1, "{name}");
    }
    let once: BTreeSet<&String> = seen.iter().collect();
    assert_eq!(once.len(), seen.len(), "{seen:?}");
}

fn a_version_that_is_replaced_or_deleted_cannot_be_opened(place: &mut dyn Subject) {
    let files = place.files();
    let first = put(files, "a.txt", b"alpha").version;
    let second = put(files, "a.txt", b"gamma").version;
    let replaced = files.open(&path("a.txt"), Some(&first)).unwrap_err();
    assert!(matches!(&replaced, FilesError::OtherVersion { path } if path.as_str() == "a.txt"), "{replaced}");
    assert_eq!(replaced.code(), "precondition_failed");
    assert!(replaced.hint().is_some());
    assert!(files.open(&path("a.txt"), Some(&second)).is_ok());
    files.delete(&path("a.txt"), None).unwrap();
    assert!(matches!(files.open(&path("a.txt"), Some(&second)), Err(FilesError::NotFound { .. })));
}

fn an_open_file_keeps_its_bytes_and_can_be_read_twice(place: &mut dyn Subject) {
    let files = place.files();
    put(files, "a.txt", b"alpha");
    let mut file = files.open(&path("a.txt"), None).unwrap();
    put(files, "a.txt", b"gamma ray");
    for _ in 0..2 {
        let mut bytes = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"alpha");
    }
    files.delete(&path("a.txt"), None).unwrap();
    assert_eq!(file.stat().fingerprint.size, 5);
}

fn each_put_makes_another_version(place: &mut dyn Subject) {
    let files = place.files();
    let mut before = put(files, "a.txt", b"alpha");
    for _ in 0..10 {
        let now = put(files, "a.txt", b"alpha");
        assert!(now.version != before.version && now.fingerprint != before.fingerprint);
        before = now;
    }
}

fn a_put_if_absent_replaces_nothing(place: &mut dyn Subject) {
    let files = place.files();
    let first = begin(files, "sub/a.txt", b"alpha").put(&Condition::Absent).unwrap();
    let second = begin(files, "sub/a.txt", b"gamma").put(&Condition::Absent);
    assert!(matches!(second, Err(FilesError::Exists { .. })), "{second:?}");
    assert_eq!((files.stat(&path("sub/a.txt")).unwrap(), bytes_of(files, "sub/a.txt")), (first, b"alpha".to_vec()));
    files.delete(&path("sub/a.txt"), None).unwrap();
    begin(files, "sub/a.txt", b"gamma").put(&Condition::Absent).unwrap();
    assert_eq!(names(&listed(files, None)), ["sub/a.txt"]);
}

fn of_many_puts_if_absent_one_is_done(place: &mut dyn Subject) {
    let files = place.files();
    let done = std::thread::scope(|scope| {
        let new = |number: u8| scope.spawn(move || (number, begin(files, "a.txt", &[number]).put(&Condition::Absent)));
        let puts: Vec<_> = (0..8).map(new).collect();
        puts.into_iter().map(|put| put.join().unwrap()).collect::<Vec<_>>()
    });
    let (won, lost): (Vec<_>, Vec<_>) = done.into_iter().partition(|(_, put)| put.is_ok());
    assert!(lost.iter().all(|(_, put)| matches!(put, Err(FilesError::Exists { .. }))), "{lost:?}");
    assert_eq!(won.iter().map(|(number, _)| vec![*number]).collect::<Vec<_>>(), [bytes_of(files, "a.txt")]);
}

fn a_put_of_a_version_replaces_that_one_alone(place: &mut dyn Subject) {
    let files = place.files();
    let first = put(files, "a.txt", b"alpha").version;
    let second = begin(files, "a.txt", b"beta").put(&Condition::Is(first.clone())).unwrap();
    let third = begin(files, "a.txt", b"gamma").put(&Condition::Is(first));
    assert!(matches!(third, Err(FilesError::OtherVersion { .. })), "{third:?}");
    assert_eq!((files.stat(&path("a.txt")).unwrap(), bytes_of(files, "a.txt")), (second.clone(), b"beta".to_vec()));
    files.delete(&path("a.txt"), None).unwrap();
    let gone = begin(files, "a.txt", b"gamma").put(&Condition::Is(second.version.clone()));
    assert!(matches!(gone, Err(FilesError::OtherVersion { .. })), "{gone:?}");
    let never_there = begin(files, "sub/b.txt", b"gamma").put(&Condition::Is(second.version));
    assert!(matches!(never_there, Err(FilesError::OtherVersion { .. })), "{never_there:?}");
    assert!(listed(files, None).is_empty());
}

fn a_delete_of_a_version_removes_that_one_alone(place: &mut dyn Subject) {
    let files = place.files();
    let first = put(files, "a.txt", b"alpha").version;
    let second = put(files, "a.txt", b"gamma").version;
    assert!(matches!(files.delete(&path("a.txt"), Some(&first)), Err(FilesError::OtherVersion { .. })));
    assert_eq!(bytes_of(files, "a.txt"), b"gamma");
    files.delete(&path("a.txt"), Some(&second)).unwrap();
    assert!(matches!(files.stat(&path("a.txt")), Err(FilesError::NotFound { .. })));
    assert!(matches!(files.delete(&path("a.txt"), None), Err(FilesError::NotFound { .. })));
    assert!(listed(files, None).is_empty());
}

fn a_file_that_is_not_put_leaves_nothing(place: &mut dyn Subject) {
    let files = place.files();
    put(files, "a.txt", b"alpha");
    let (new, over) = (begin(files, "sub/deep/new.txt", b"beta"), begin(files, "a.txt", b"beta"));
    assert_eq!(names(&listed(files, None)), ["a.txt"], "nobody sees it yet");
    drop((new, over));
    assert_eq!((names(&listed(files, None)), bytes_of(files, "a.txt")), (vec!["a.txt"], b"alpha".to_vec()));
    assert!(matches!(files.stat(&path("sub")), Err(FilesError::NotFound { .. })), "nor is a folder left");
}

fn a_file_of_any_size_is_written_bit_by_bit(place: &mut dyn Subject) {
    let files = place.files();
    assert_eq!(files.begin(&path("empty")).unwrap().put(&Condition::Any).unwrap().fingerprint.size, 0);
    let mut file = files.begin(&path("large")).unwrap();
    let bytes: Vec<u8> = (0..=255).cycle().take(1_000_001).collect();
    bytes.chunks(77_777).for_each(|some| file.write(some).unwrap());
    let stat = file.put(&Condition::Any).unwrap();
    assert_eq!((stat.fingerprint.size, bytes_of(files, "large") == bytes), (1_000_001, true));
    assert_eq!(bytes_of(files, "empty"), b"");
}

fn a_renamed_file_is_at_its_new_path_alone(place: &mut dyn Subject) {
    let files = place.files();
    put(files, "old.txt", b"alpha");
    put(files, "sub/taken.txt", b"beta");
    files.rename(&path("old.txt"), &path("new/deep/a.txt")).unwrap();
    assert_eq!(names(&listed(files, None)), ["new/deep/a.txt", "sub/taken.txt"]);
    files.rename(&path("new/deep/a.txt"), &path("sub/taken.txt")).unwrap();
    assert_eq!(
        (names(&listed(files, None)), bytes_of(files, "sub/taken.txt")),
        (vec!["sub/taken.txt"], b"alpha".to_vec())
    );
    let gone = files.rename(&path("old.txt"), &path("sub/taken.txt"));
    assert!(matches!(gone, Err(FilesError::NotFound { path }) if path.as_str() == "old.txt"));
    assert_eq!(bytes_of(files, "sub/taken.txt"), b"alpha");
}

fn a_name_comes_back_as_it_was_put(place: &mut dyn Subject) {
    let files = place.files();
    let deep = format!("{}a.txt", "d/".repeat(60));
    let taken = [
        "Ünïcödé/日本語.txt",
        "e\u{301}.txt",
        "two  spaces .txt",
        "a%2Fb#c?d&e=f.txt",
        "quote'\"`$(x).txt",
        "line\nbreak.txt",
        "-rf",
        "👩‍🚀.md",
        &deep,
    ];
    for name in taken {
        put(files, name, name.as_bytes());
    }
    let found = listed(files, None);
    assert_eq!(names(&found).into_iter().collect::<BTreeSet<_>>(), taken.into_iter().collect());
    assert!(taken.into_iter().all(|name| bytes_of(files, name) == name.as_bytes()));
    // A place may take no name so long, and says so.
    let long = "n".repeat(2_000);
    match files.begin(&path(&long)).and_then(|file| file.put(&Condition::Any)) {
        Ok(stat) => assert_eq!(files.stat(&path(&long)).unwrap(), stat),
        Err(error) => {
            assert!(matches!(error, FilesError::Name(_)), "{error:?}");
            assert!(matches!(files.open(&path(&long), None), Err(FilesError::NotFound { .. })));
        }
    }
}

fn a_name_in_another_spelling_is_that_of_the_file(place: &mut dyn Subject) {
    let files = place.files();
    let (decomposed, composed) = ("cafe\u{301}/re\u{301}sume\u{301}.md", "café/résumé.md");
    assert_eq!(files.spelled(&path(decomposed)), path(composed), "a new name is composed");
    put(files, decomposed, b"alpha");
    assert_eq!(files.spelled(&path(composed)), path(decomposed));
    assert_eq!(files.spelled(&path(decomposed)), path(decomposed));
    assert_eq!(files.spelled(&path("plain.md")), path("plain.md"));
}

fn a_path_to_outside_is_no_path(place: &mut dyn Subject) {
    let files = place.files();
    put(files, "sub/a.txt", b"alpha");
    for escape in ["..", "../a.txt", "sub/../../a.txt", "/etc/passwd", "sub/./a.txt", "sub//a.txt", "sub/", "", "a\0b"]
    {
        assert!(escape.parse::<RelPath>().is_err(), "{escape}");
    }
    // Only a name of two dots leads up.
    put(files, "sub/..a", b"beta");
    assert_eq!(bytes_of(files, "sub/..a"), b"beta");
}

fn a_file_that_does_not_belong_is_not_listed(place: &mut dyn Subject) {
    let files = place.files();
    for name in ["a.txt", ".hidden.txt", "sub/.folder/a.txt", "sub/b.txt"] {
        put(files, name, b"alpha");
    }
    let listed = listed(files, None);
    assert_eq!(names(&listed), ["a.txt", "sub/b.txt"]);
    for name in ["a.txt", ".hidden.txt", "sub/.folder/a.txt", "sub/b.txt"] {
        assert_eq!(files.admits(&path(name)), listed.contains_key(name), "{name}");
    }
    assert_eq!(files.check(&path(".hidden.txt")), Err(NotAdmitted::PassedOver));
    assert!(files.admits(&path("not/there/yet.txt")));
    let too_deep = path(&vec!["d"; RelPath::MAX_BYTES / 2].join("/"));
    assert!(matches!(files.check(&too_deep), Err(NotAdmitted::TooDeep { .. })));
}

fn a_watch_tells_of_every_change(place: &mut dyn Subject) {
    let files = place.files();
    put(files, "sub/a.txt", b"alpha");
    let (told, heard) = channel();
    let watcher = Watcher::new(100);
    let watch = files.watch(&watcher, Box::new(move |sighting| drop(told.send(sighting)))).unwrap();
    {
        let follow = |folder: &str| watch.follow(folder).unwrap();
        let mut listing = files.list(None, &follow).unwrap();
        while listing.next_page().unwrap().is_some() {}
    }
    let wait_for_it = || {
        // It may tell of more, and more than once.
        while !matches!(heard.recv().unwrap(), Sighting::Places(places) if places.contains(&path("sub/new.txt"))) {}
    };
    put(files, "sub/new.txt", b"beta");
    wait_for_it();
    put(files, "sub/new.txt", b"gamma");
    wait_for_it();
    files.delete(&path("sub/new.txt"), None).unwrap();
    wait_for_it();
    drop(watch);
    put(files, "sub/after.txt", b"alpha");
    while let Ok(sighting) = heard.recv() {
        assert!(!matches!(sighting, Sighting::Places(places) if places.contains(&path("sub/after.txt"))));
    }
    watcher.end();
}

fn a_place_that_is_away_says_nothing_of_its_files(place: &mut dyn Subject) {
    put(place.files(), "a.txt", b"alpha");
    place.leave();
    let files = place.files();
    let listed = files.list(None, &|_| {}).map(drop);
    assert!(matches!(listed, Err(FilesError::Away(_) | FilesError::NoFolder { .. })), "{listed:?}");
    let a = path("a.txt");
    assert!(matches!(files.stat(&a), Err(FilesError::Away(_))));
    assert!(matches!(files.open(&a, None), Err(FilesError::Away(_))));
    assert!(matches!(files.begin(&a), Err(FilesError::Away(_))));
    assert!(matches!(files.delete(&a, None), Err(FilesError::Away(_))));
    assert!(matches!(files.rename(&a, &path("b.txt")), Err(FilesError::Away(_))));
    assert!(files.identity().is_none());
}
