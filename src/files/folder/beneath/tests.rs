//! What is reached beneath a held folder, and what never is.

use std::io::{Read as _, Write as _};

use super::*;

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        place.put("in/a/b/file.txt", "inside");
        place.put("out/b/file.txt", "outside");
        place
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        fs_err::canonicalize(self.folder.path()).unwrap().join(path)
    }

    fn root(&self) -> Folder {
        Folder::root(&self.path("in")).unwrap()
    }
}

fn text_of(folder: &Folder, path: &str) -> Result<String, BeneathError> {
    let mut text = String::new();
    folder.file(path)?.0.read_to_string(&mut text).unwrap();
    Ok(text)
}

#[test]
fn a_path_that_leads_up_or_nowhere_opens_nothing() {
    let place = Place::new();
    let root = place.root();
    assert_eq!(text_of(&root, "a/b/file.txt").unwrap(), "inside");
    for path in
        ["../out/b/file.txt", "a/../../out/b/file.txt", "/etc/passwd", "a//b/file.txt", "a/./b/file.txt", "", ".."]
    {
        assert!(root.file(path).is_err(), "{path}");
        assert!(path.is_empty() || root.folder(path).is_err(), "{path}");
    }
    assert!(matches!(root.file("a/b/none.txt"), Err(BeneathError::Missing)));
    assert!(matches!(root.file("a/b"), Err(BeneathError::NotAFile)));
    assert!(matches!(root.file("a/b/file.txt/c"), Err(BeneathError::NotAFolder)));
    for name in ["../x", "a/x", "", ".", ".."] {
        assert!(root.create(name, 0o600).is_err() && root.make_folder(name, 0o700).is_err(), "{name}");
        assert!(root.remove(name).is_err() && root.rename("a", &root, name, false).is_err(), "{name}");
    }
}

#[test]
fn a_file_is_made_moved_and_removed_by_name_in_an_open_folder() {
    let place = Place::new();
    let root = place.root();
    assert!(root.make_folder("new", 0o777).unwrap() && !root.make_folder("new", 0o777).unwrap());
    let new = root.folder("new").unwrap();
    new.create("x", 0o666).unwrap().write_all(b"words").unwrap();
    assert!(matches!(new.create("x", 0o666), Err(BeneathError::Exists)));
    assert!(matches!(new.rename("x", &root.folder("a/b").unwrap(), "file.txt", true), Err(BeneathError::Exists)));
    new.rename("x", &root, "y", true).unwrap();
    root.rename("y", &root.folder("a/b").unwrap(), "file.txt", false).unwrap();
    new.sync().unwrap();
    assert_eq!(text_of(&root, "a/b/file.txt").unwrap(), "words");
    root.folder("a/b").unwrap().remove("file.txt").unwrap();
    root.remove_folder("new").unwrap();
    let names: Vec<_> = root.names().unwrap();
    assert_eq!(names, [("a".into(), Some(Kind::Folder))]);
}

#[cfg(unix)]
#[test]
fn no_link_is_followed_in_any_part_of_a_path() {
    use std::os::unix::fs::symlink;
    let place = Place::new();
    symlink(place.path("out"), place.path("in/link")).unwrap();
    symlink(place.path("in/a"), place.path("in/inner")).unwrap();
    symlink(place.path("out/b/file.txt"), place.path("in/file.txt")).unwrap();
    symlink(place.path("in"), place.path("root")).unwrap();
    let root = place.root();
    for path in ["link/b/file.txt", "inner/b/file.txt", "file.txt"] {
        assert!(matches!(root.file(path), Err(BeneathError::Link)), "{path} {:?}", root.file(path));
    }
    assert!(matches!(root.folder("link"), Err(BeneathError::Link)));
    assert!(matches!(root.folder("inner/b"), Err(BeneathError::Link)));
    assert_eq!(root.look("link").unwrap().kind, Kind::Link);
    assert!(matches!(Folder::root(&place.path("root")), Err(BeneathError::Link)));
    assert!(matches!(Folder::root(&place.path("root/a")), Err(BeneathError::Link)));
    root.remove("file.txt").unwrap();
    assert_eq!(fs_err::read_to_string(place.path("out/b/file.txt")).unwrap(), "outside");
}

/// Where the kernel does not do it, parts are opened one by one.
#[cfg(unix)]
#[test]
fn parts_that_are_opened_one_by_one_lead_where_the_kernel_leads() {
    use std::ffi::OsStr;
    use std::os::fd::AsFd as _;
    let place = Place::new();
    std::os::unix::fs::symlink(place.path("out"), place.path("in/link")).unwrap();
    let held = std::fs::File::open(place.path("in")).unwrap();
    let opened = |path: &str| unix::by_parts(held.as_fd(), path.split('/').map(OsStr::new)).map(drop);
    assert!(opened("a/b").is_ok());
    assert!(matches!(opened("link/b"), Err(BeneathError::Link)));
    assert!(matches!(opened("link"), Err(BeneathError::Link)));
    assert!(matches!(opened("a/b/file.txt"), Err(BeneathError::NotAFolder)));
    assert!(matches!(opened("a/none/b"), Err(BeneathError::Missing)));
}

#[cfg(unix)]
#[test]
fn a_pipe_a_socket_and_a_device_are_refused_at_once() {
    let place = Place::new();
    assert!(std::process::Command::new("mkfifo").arg(place.path("in/pipe")).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(place.path("in/socket")).unwrap();
    for name in ["pipe", "socket"] {
        assert!(matches!(place.root().file(name), Err(BeneathError::NotAFile)), "{name}");
        assert!(place.root().file_to_lock(name).is_err(), "{name}");
        assert_eq!(place.root().look(name).unwrap().kind, Kind::Other);
    }
    let devices = Folder::root(std::path::Path::new("/dev")).unwrap();
    assert!(matches!(devices.file("zero"), Err(BeneathError::NotAFile)));
}
