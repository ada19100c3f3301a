//! What only a folder has: links, and things that are neither file nor folder.
#![cfg(unix)]

use std::os::unix::fs::symlink;

use super::*;
use crate::files::Condition;

struct Place {
    folder: tempfile::TempDir,
    outside: tempfile::TempDir,
    files: FolderFiles,
}

impl Place {
    fn new() -> Self {
        let [folder, outside] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        fs_err::write(outside.path().join("secret.txt"), "secret").unwrap();
        let root = folder.path().canonicalize().unwrap();
        Self { folder, outside, files: FolderFiles::new(root, RuleLimits::default()) }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn put(&self, name: &str, condition: &Condition) -> Result<Stat, FilesError> {
        let mut file = self.files.begin(&path(name))?;
        file.write(b"ours")?;
        file.prepare()?;
        file.put(condition)
    }
}

fn path(path: &str) -> RelPath {
    path.parse().unwrap()
}

#[test]
fn a_link_is_refused_by_every_verb_and_listed_by_none() {
    let place = Place::new();
    symlink(place.outside.path(), place.at("folder")).unwrap();
    symlink(place.outside.path().join("secret.txt"), place.at("file.txt")).unwrap();
    symlink("nowhere", place.at("dangling.txt")).unwrap();
    fs_err::write(place.at("good.txt"), "alpha").unwrap();
    for name in ["folder/secret.txt", "folder/new/a.txt", "file.txt", "dangling.txt", "folder"] {
        let refused = |what: &str, error: FilesError| {
            assert!(matches!(error, FilesError::Link { .. }), "{what} {name}: {error:?}");
        };
        refused("stat", place.files.stat(&path(name)).unwrap_err());
        refused("open", place.files.open(&path(name), None).unwrap_err());
        refused("put", place.put(name, &Condition::Any).unwrap_err());
        refused("put", place.put(name, &Condition::Absent).unwrap_err());
        refused("delete", place.files.delete(&path(name), None).unwrap_err());
        refused("rename", place.files.rename(&path(name), &path("b.txt")).unwrap_err());
        refused("rename to", place.files.rename(&path("good.txt"), &path(name)).unwrap_err());
        assert!(matches!(place.files.check(&path(name)), Err(NotAdmitted::Link)), "{name}");
    }
    let mut listing = place.files.list(None, &|_| {}).unwrap();
    let listed = listing.next_page().unwrap().unwrap().files;
    assert_eq!(listed.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), ["good.txt"]);
    assert!(listing.next_page().unwrap().is_none());
    assert_eq!(fs_err::read_to_string(place.outside.path().join("secret.txt")).unwrap(), "secret");
    assert_eq!(fs_err::read_dir(place.outside.path()).unwrap().count(), 1);
}

#[test]
fn a_socket_or_a_file_on_the_way_is_told_from_a_folder() {
    let place = Place::new();
    let _socket = std::os::unix::net::UnixListener::bind(place.at("socket")).unwrap();
    fs_err::write(place.at("file"), "alpha").unwrap();
    fs_err::create_dir(place.at("folder")).unwrap();
    fs_err::write(place.at("folder/inside"), "alpha").unwrap();
    assert!(matches!(place.files.stat(&path("socket")), Err(FilesError::NotAFile { .. })));
    assert!(matches!(place.files.open(&path("socket"), None), Err(FilesError::NotAFile { .. })));
    assert!(matches!(place.put("socket", &Condition::Any), Err(FilesError::NotAFile { .. })));
    assert!(matches!(place.put("folder", &Condition::Any), Err(FilesError::Folder { .. })));
    assert!(matches!(place.put("file/below", &Condition::Any), Err(FilesError::NotAFile { .. })));
    assert!(matches!(place.files.open(&path("file/below"), None), Err(FilesError::NotFound { .. })));
    assert!(matches!(place.files.stat(&path("file/below")), Err(FilesError::NotFound { .. })));
}

#[test]
fn a_folder_without_files_gives_way_to_a_file_and_one_with_a_hidden_one_does_not() {
    let place = Place::new();
    fs_err::create_dir_all(place.at("empty/deep/deeper")).unwrap();
    fs_err::create_dir_all(place.at("kept/deep")).unwrap();
    fs_err::write(place.at("kept/deep/.keep"), "").unwrap();
    place.put("empty", &Condition::Absent).unwrap();
    assert!(place.at("empty").is_file());
    assert!(matches!(place.put("kept", &Condition::Any), Err(FilesError::Folder { .. })));
    assert!(place.at("kept/deep/.keep").is_file());
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_changed_right_before_it_is_replaced_is_there_again() {
    use super::beneath::Folder;
    use super::leftovers::TemporaryFile;
    let place = Place::new();
    let folder = Folder::root(&fs_err::canonicalize(place.at("")).unwrap()).unwrap();
    fs_err::write(place.at("a.txt"), "as it was looked at").unwrap();
    let before = folder.look("a.txt").unwrap();
    let replace = || {
        let mut new = TemporaryFile::make_in(folder.folder("").unwrap(), ".new-").unwrap();
        std::io::Write::write_all(new.file_mut(), b"new").unwrap();
        new.replace(&folder, "a.txt", &before).unwrap()
    };
    fs_err::write(place.at("a.txt"), "written since then").unwrap();
    assert!(!replace());
    assert_eq!(fs_err::read_to_string(place.at("a.txt")).unwrap(), "written since then");
    assert_eq!(fs_err::read_dir(place.at("")).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn a_file_that_is_written_while_it_is_open_has_another_version_then() {
    let place = Place::new();
    fs_err::write(place.at("a.txt"), "alpha").unwrap();
    let file = place.files.open(&path("a.txt"), None).unwrap();
    assert_eq!(file.stat_now().unwrap(), *file.stat());
    fs_err::write(place.at("a.txt"), "alpha and beta").unwrap();
    assert_ne!(file.stat_now().unwrap().version, file.stat().version);
    let old = &file.stat().version;
    assert!(matches!(place.files.open(&path("a.txt"), Some(old)), Err(FilesError::OtherVersion { .. })));
}

#[test]
fn a_file_that_may_not_be_read_is_denied_and_not_away() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let file = place.at("a.txt");
    fs_err::write(&file, "alpha").unwrap();
    fs_err::set_permissions(&file, std::fs::Permissions::from_mode(0o000)).unwrap();
    // Root may read everything.
    if fs_err::read(&file).is_err() {
        assert!(matches!(place.files.open(&path("a.txt"), None), Err(FilesError::Denied(_))));
    }
    assert_eq!(place.files.stat(&path("a.txt")).unwrap().fingerprint.size, 5);
}
