//! Folders, as far as a place has them.

use super::{Subject, bytes_of, listed, names, path, put};
use crate::files::FilesError;

pub(super) fn a_folder_is_no_file(place: &mut dyn Subject) {
    let files = place.files();
    put(files, "docs/deep/a.txt", b"alpha");
    for folder in ["docs", "docs/deep"] {
        assert!(matches!(files.stat(&path(folder)), Err(FilesError::Folder { .. })), "{folder}");
        assert!(matches!(files.open(&path(folder), None), Err(FilesError::Folder { .. })), "{folder}");
        assert!(matches!(files.delete(&path(folder), None), Err(FilesError::Folder { .. })), "{folder}");
    }
    assert_eq!(bytes_of(files, "docs/deep/a.txt"), b"alpha");
}

pub(super) fn a_folder_that_is_made_changes_no_file(place: &mut dyn Subject) {
    let files = place.files();
    put(files, "docs/a.txt", b"alpha");
    for folder in ["docs", "docs/deep/er", "docs/deep", "new"] {
        files.make_folder(&path(folder)).unwrap();
        files.make_folder(&path(folder)).unwrap();
    }
    for folder in ["docs/a.txt", "docs/a.txt/deep"] {
        assert!(matches!(files.make_folder(&path(folder)), Err(FilesError::NotAFile { .. })), "{folder}");
    }
    assert_eq!(names(&listed(files, None)), ["docs/a.txt"]);
    assert_eq!(bytes_of(files, "docs/a.txt"), b"alpha");
    put(files, "docs/deep/er/b.txt", b"beta");
    assert_eq!(names(&listed(files, None)), ["docs/a.txt", "docs/deep/er/b.txt"]);
}

pub(super) fn folders_with_files_are_listed_and_stay(place: &mut dyn Subject) {
    let files = place.files();
    for name in ["a.txt", "docs/a.txt", "docs/deep/er/b.txt", "docs/b/c.txt", "new/x.txt", ".hidden/y.txt"] {
        put(files, name, b"alpha");
    }
    let folders = |at: Option<&str>| files.folders(at.map(path).as_ref()).unwrap();
    assert_eq!(folders(None), [path("docs"), path("new")]);
    assert_eq!(folders(Some("docs")), [path("docs/b"), path("docs/deep")]);
    assert_eq!(folders(Some("docs/deep")), [path("docs/deep/er")]);
    for none in ["docs/deep/er", "none", "none/deep", "a.txt", ".hidden"] {
        assert_eq!(folders(Some(none)), [], "{none}");
    }
    for stays in ["docs", "none", "none/deep", "a.txt"] {
        files.remove_folder(&path(stays)).unwrap();
    }
    let all = ["a.txt", "docs/a.txt", "docs/b/c.txt", "docs/deep/er/b.txt", "new/x.txt"];
    assert_eq!(names(&listed(files, None)), all);
    files.delete(&path("docs/deep/er/b.txt"), None).unwrap();
    files.remove_folder(&path("docs/deep")).unwrap();
    assert_eq!(folders(Some("docs")), [path("docs/b")]);
}
