//! Folders that are watched: what happens to a file is found out without anybody telling.

use pincite::engine::{Caller, Surface};
use std::path::Path;

use pincite::error::Advice as _;

use pincite::search::Mode;

use crate::indexed::named;
use crate::line::{Desk, until};

/// Waits until exactly these files are found by these words.
#[track_caller]
fn finds(desk: &Desk, words: &str, paths: &[&str]) {
    until(&format!("{words} is found in {paths:?}"), || desk.found(words) == paths);
}

fn rename(desk: &Desk, from: &str, to: &str) {
    let at = |path: &str| desk.folder.path().join(path);
    fs_err::create_dir_all(at(to).parent().unwrap()).unwrap();
    fs_err::rename(at(from), at(to)).unwrap();
}

/// A desk whose folder is watched: what was there before has been found.
fn watching() -> Desk {
    let desk = Desk::new();
    desk.write("first.txt", "An anchor.");
    let mut desk = desk;
    desk.run();
    finds(&desk, "anchor", &["first.txt"]);
    desk
}

#[test]
fn what_happens_to_a_file_is_followed_by_itself() {
    let desk = watching();
    desk.write("deep/er/a.txt", "A lighthouse.");
    finds(&desk, "lighthouse", &["deep/er/a.txt"]);
    desk.write("deep/er/a.txt", "A windmill on the dike.");
    finds(&desk, "windmill", &["deep/er/a.txt"]);
    assert!(desk.found("lighthouse").is_empty());
    fs_err::remove_file(desk.folder.path().join("deep/er/a.txt")).unwrap();
    finds(&desk, "windmill", &[]);
    assert_eq!(desk.found("anchor"), ["first.txt"]);
}

#[test]
fn a_renamed_file_and_a_renamed_folder_are_followed_and_nothing_is_embedded_again() {
    let desk = watching();
    desk.write("old/a.txt", "A lighthouse on the outer wall.");
    desk.write("old/b.txt", "A windmill on the dike.");
    let embedded = || {
        desk.engine
            .workspace(&named("default"), &Caller::local(Surface::CommandLine))
            .unwrap()
            .status()
            .unwrap()
            .num_embedded
    };
    until("all is embedded", || embedded() == 3);
    let vectors = || {
        let file = desk.data.path().join("workspaces/default/vectors.db");
        let database = rusqlite::Connection::open(file).unwrap();
        database.query_row("SELECT count(*) FROM vectors", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let before = vectors();
    rename(&desk, "old", "new");
    finds(&desk, "lighthouse", &["new/a.txt"]);
    rename(&desk, "new/b.txt", "c.txt");
    finds(&desk, "windmill", &["c.txt"]);
    until("all is embedded under its new name", || embedded() == 3);
    assert_eq!(vectors(), before);
}

#[test]
fn an_editor_that_saves_by_renaming_leaves_one_file() {
    let desk = watching();
    desk.write("note.md", "The ebb begins.");
    finds(&desk, "ebb", &["note.md"]);
    // As vim does with `backupcopy=no`.
    desk.write("4913", "");
    desk.write(".note.md.swp", "The flood begins.");
    rename(&desk, "note.md", "note.md~");
    desk.write("note.md", "The flood begins.");
    finds(&desk, "flood", &["note.md"]);
    // As emacs does.
    desk.write("#note.md#", "The flood begins and ends.");
    rename(&desk, "note.md", "note.md~");
    rename(&desk, "#note.md#", "note.md");
    finds(&desk, "ends", &["note.md"]);
    assert!(desk.found("ebb").is_empty());
    let files =
        desk.engine.workspace(&named("default"), &Caller::local(Surface::CommandLine)).unwrap().files(None).unwrap();
    let files: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(files, ["first.txt", "note.md"]);
}

#[test]
fn rules_that_change_are_followed_both_ways() {
    let desk = watching();
    desk.write("draft/a.txt", "A lighthouse.");
    finds(&desk, "lighthouse", &["draft/a.txt"]);
    desk.write(".pinciteignore", "draft/\n");
    finds(&desk, "lighthouse", &[]);
    // It is on disk, and it belongs to the workspace no more.
    let path = "draft/a.txt".parse().unwrap();
    assert!(
        desk.engine
            .workspace(&named("default"), &Caller::local(Surface::CommandLine))
            .unwrap()
            .read_file(&path)
            .is_err()
    );
    desk.write(".pinciteignore", "");
    finds(&desk, "lighthouse", &["draft/a.txt"]);
}

#[cfg(unix)]
#[test]
fn links_and_what_is_behind_them_are_not_followed() {
    let desk = watching();
    let outside = tempfile::tempdir().unwrap();
    fs_err::write(outside.path().join("secret.txt"), "A lighthouse.").unwrap();
    let link = |to: &Path, name: &str| std::os::unix::fs::symlink(to, desk.folder.path().join(name)).unwrap();
    link(outside.path(), "folder");
    link(&outside.path().join("secret.txt"), "file.txt");
    fs_err::write(outside.path().join("secret.txt"), "A lighthouse, again.").unwrap();
    desk.write("last.txt", "The end of it.");
    finds(&desk, "end", &["last.txt"]);
    assert!(desk.found("lighthouse").is_empty());
}

#[test]
fn a_thousand_files_at_once_end_in_an_index_equal_to_the_tree() {
    let desk = watching();
    for number in 0..1_500 {
        desk.write(&format!("many/{}/{number}.txt", number % 7), &format!("harbour{number} stands here"));
    }
    for number in (0..1_500).step_by(3) {
        fs_err::remove_file(desk.folder.path().join(format!("many/{}/{number}.txt", number % 7))).unwrap();
    }
    until("the index is equal to the tree", || {
        let coverage = desk
            .engine
            .workspace(&named("default"), &Caller::local(Surface::CommandLine))
            .unwrap()
            .coverage()
            .unwrap()
            .files;
        (coverage.files, coverage.ready, coverage.pending) == (1_001, 1_001, 0)
    });
    assert_eq!(desk.found("harbour1499"), ["many/1/1499.txt"]);
    assert!(desk.search("harbour1497", Mode::Lexical, None).unwrap().hits.is_empty());
}

#[test]
fn a_folder_that_goes_away_is_not_taken_for_emptied_and_is_watched_again_when_it_is_back() {
    let desk = watching();
    let folder = desk.folder.path();
    let away = folder.with_extension("away");
    fs_err::rename(folder, &away).unwrap();
    assert_eq!(desk.found("anchor"), ["first.txt"]);
    fs_err::write(away.join("second.txt"), "A second anchor.").unwrap();
    fs_err::rename(&away, folder).unwrap();
    finds(&desk, "anchor", &["first.txt", "second.txt"]);
    desk.write("third.txt", "A third anchor.");
    finds(&desk, "anchor", &["first.txt", "second.txt", "third.txt"]);
}

#[test]
fn a_data_folder_inside_the_workspace_is_no_part_of_it_and_ones_own_cannot_be_there() {
    let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs_err::create_dir(folder.path().join("index")).unwrap();
    fs_err::write(folder.path().join("a.txt"), "A lighthouse.").unwrap();
    let inside = crate::line::share(&folder.path().join("index"));
    let refused = inside.ensure_workspace(&named("default"), Some(folder.path())).unwrap_err();
    assert_eq!(refused.code(), "own_folder");
    let engine = crate::line::share(data.path());
    engine.ensure_workspace(&named("default"), Some(folder.path())).unwrap();
    let line = engine.run().unwrap();
    until("the file is found", || {
        engine
            .workspace(&named("default"), &Caller::local(Surface::CommandLine))
            .unwrap()
            .coverage()
            .unwrap()
            .files
            .ready
            == 1
    });
    assert_eq!(
        engine.workspace(&named("default"), &Caller::local(Surface::CommandLine)).unwrap().files(None).unwrap().len(),
        1
    );
    drop(line);
}
