//! A data folder that is damaged, partly lost, put back from a copy, or out of space.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use pincite::engine::{Caller, Engine, EngineError, Precondition, Surface};
use pincite::error::Advice as _;
use pincite::search::Mode;
use pincite::workspace::RelPath;

use crate::cli::{Pincite, Ran};
use crate::indexed::named;
use crate::line::{Desk, share, until};

/// Every file below `folder`, relative to it, with its bytes.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in fs_err::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push((path.strip_prefix(folder).unwrap().to_owned(), fs_err::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

fn put_back(folder: &Path, files: &[(PathBuf, Vec<u8>)]) {
    for (path, _) in contents(folder) {
        fs_err::remove_file(folder.join(path)).unwrap();
    }
    for (path, bytes) in files {
        fs_err::create_dir_all(folder.join(path).parent().unwrap()).unwrap();
        fs_err::write(folder.join(path), bytes).unwrap();
    }
}

fn write(folder: &Path, path: &str, text: &str) {
    fs_err::write(folder.join(path), text).unwrap();
}

/// Brings the folder up to date and searches it.
fn search(pincite: &Pincite, folder: &Path, words: &str) -> Ran {
    pincite.run(&["search", words, "--path", folder.to_str().unwrap(), "--mode", "lexical", "--json"])
}

/// Paths and quotes of an answer.
fn found(ran: &Ran) -> Vec<(String, String)> {
    let text = |hit: &serde_json::Value, name: &str| hit["citation"][name].as_str().unwrap().to_owned();
    let reply = ran.json();
    let mut found: Vec<_> =
        reply["hits"].as_array().unwrap().iter().map(|hit| (text(hit, "path"), text(hit, "quote"))).collect();
    found.sort();
    found
}

fn remove_log(data: &Path) {
    for name in ["pincite.db", "pincite.db-wal", "pincite.db-shm"] {
        let _ = fs_err::remove_file(data.join(name));
    }
}

#[test]
fn a_file_that_was_deleted_while_the_log_was_lost_is_not_found() {
    let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
    write(folder.path(), "a.txt", "A harbour master.");
    write(folder.path(), "b.txt", "A harbour pilot.");
    assert_eq!(found(&search(&pincite, folder.path(), "harbour")).len(), 2);
    remove_log(pincite.data.path());
    fs_err::remove_file(folder.path().join("b.txt")).unwrap();
    let left = found(&search(&pincite, folder.path(), "harbour"));
    assert_eq!(left, [("a.txt".to_owned(), "A harbour master.".to_owned())]);
    let status = pincite.run(&["status", "--json"]).json();
    assert_eq!(status["num_chunks"], 1, "{status}");
}

#[test]
fn a_log_that_was_put_back_from_an_older_copy_shows_nothing_that_it_does_not_know() {
    let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
    write(folder.path(), "a.txt", "A harbour master.");
    search(&pincite, folder.path(), "harbour");
    let older = fs_err::read(pincite.data.path().join("pincite.db")).unwrap();
    write(folder.path(), "b.txt", "A harbour pilot.");
    write(folder.path(), "a.txt", "A harbour mistress.");
    assert_eq!(found(&search(&pincite, folder.path(), "harbour")).len(), 2);
    remove_log(pincite.data.path());
    fs_err::write(pincite.data.path().join("pincite.db"), older).unwrap();
    fs_err::remove_file(folder.path().join("b.txt")).unwrap();
    let refused = pincite.run(&["search", "harbour", "--mode", "lexical"]);
    assert!(refused.code == 1 && refused.err.contains("hint:"), "{}{}", refused.out, refused.err);
    // As many new changes as there were, so that the revisions meet again.
    write(folder.path(), "c.txt", "A harbour crane.");
    let paths: Vec<String> = found(&search(&pincite, folder.path(), "harbour")).into_iter().map(|hit| hit.0).collect();
    assert_eq!(paths, ["a.txt", "c.txt"]);
    assert!(
        found(&search(&pincite, folder.path(), "harbour"))
            .contains(&("a.txt".to_owned(), "A harbour mistress.".to_owned()))
    );
}

#[test]
fn a_flipped_or_missing_byte_in_any_file_is_healed_or_refused_with_a_hint() {
    let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
    for (path, text) in
        [("a.txt", "A harbour master."), ("b.md", "# Pilots\n\nA harbour pilot."), ("c.txt", "A harbour fee.")]
    {
        write(folder.path(), path, text);
    }
    assert_eq!(found(&search(&pincite, folder.path(), "harbour")).len(), 3);
    let whole = contents(pincite.data.path());
    // What is on disk goes on while the data folder is damaged.
    write(folder.path(), "b.md", "# Pilots\n\nThe second harbour pilot.");
    fs_err::remove_file(folder.path().join("c.txt")).unwrap();
    write(folder.path(), "d.txt", "A harbour crane.");
    let truth = found(&search(&pincite, folder.path(), "harbour"));
    assert_eq!(truth.len(), 3);
    let (mut num_healed, mut num_refused) = (0, 0);
    for (at, (path, bytes)) in whole.iter().enumerate() {
        let is_log = path.ends_with("pincite.db");
        let step = (bytes.len() / if is_log { 40 } else { 3 }).max(1);
        let flips = (step / 2..bytes.len()).step_by(step).map(|at| {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x41;
            damaged
        });
        let lengths = [0, bytes.len() / 2, bytes.len().saturating_sub(1)].map(|length| bytes[..length].to_vec());
        for (number, damaged) in flips.chain(lengths).enumerate().filter(|(_, damaged)| damaged != bytes) {
            let mut files = whole.clone();
            files[at].1 = damaged;
            put_back(pincite.data.path(), &files);
            let ran = search(&pincite, folder.path(), "harbour");
            let what = format!("damage {number} of {}: {}{}", path.display(), ran.out, ran.err);
            if ran.code == 0 {
                assert_eq!(found(&ran), truth, "{what}");
                num_healed += 1;
            } else {
                assert!(ran.code != 0 && ran.err.contains("hint:"), "{what}");
                num_refused += 1;
            }
        }
    }
    assert!(num_healed + num_refused > 60, "{num_healed} healed, {num_refused} refused");
}

#[test]
fn a_flipped_byte_of_a_name_or_a_page_of_the_log_never_keeps_a_deleted_file_searchable() {
    let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
    for name in ["a.txt", "b.txt", "c.txt"] {
        write(folder.path(), name, &format!("A harbour in {name}."));
    }
    assert_eq!(found(&search(&pincite, folder.path(), "harbour")).len(), 3);
    let whole = contents(pincite.data.path());
    assert!(whole.iter().all(|(path, _)| !path.ends_with("pincite.db-wal")), "all of the log is in its file");
    let (at, (_, log)) = whole.iter().enumerate().find(|(_, (path, _))| path.ends_with("pincite.db")).unwrap();
    fs_err::remove_file(folder.path().join("c.txt")).unwrap();
    let truth = found(&search(&pincite, folder.path(), "harbour"));
    assert_eq!(truth.len(), 2);
    // Where the deleted file is named, in tables and indexes, and what says where the rows of a page are.
    let names = log.windows(5).enumerate().filter(|(_, bytes)| bytes == b"c.txt").flat_map(|(at, _)| at - 2..at + 5);
    let pages = (4096..log.len()).step_by(4096).flat_map(|page| [page, page + 4, page + 9]);
    let mut num_refused = 0;
    for (byte, mask) in names.map(|at| (at, 1)).chain(pages.map(|at| (at, 2))) {
        let mut files = whole.clone();
        files[at].1[byte] ^= mask;
        put_back(pincite.data.path(), &files);
        let ran = search(&pincite, folder.path(), "harbour");
        let what = format!("byte {byte}: {}{}", ran.out, ran.err);
        if ran.code == 0 {
            assert_eq!(found(&ran), truth, "{what}");
        } else {
            assert!(ran.err.contains("hint: move the data folder away"), "{what}");
            num_refused += 1;
        }
    }
    assert!(num_refused > 10, "{num_refused} refused");
}

#[test]
fn where_the_file_table_and_the_index_name_other_files_the_folder_decides() {
    let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
    for name in ["a.txt", "b.txt", "c.txt"] {
        write(folder.path(), name, &format!("A harbour in {name}."));
    }
    assert_eq!(found(&search(&pincite, folder.path(), "harbour")).len(), 3);
    let log = rusqlite::Connection::open(pincite.data.path().join("pincite.db")).unwrap();
    log.execute_batch("DELETE FROM files WHERE path = 'c.txt'").unwrap();
    fs_err::remove_file(folder.path().join("c.txt")).unwrap();
    // And one that the table tells of as if it had been brought in.
    write(folder.path(), "d.txt", "A harbour in d.txt.");
    let modified = fs_err::metadata(folder.path().join("a.txt")).unwrap().modified().unwrap();
    let new = fs_err::OpenOptions::new().write(true).open(folder.path().join("d.txt")).unwrap();
    new.file().set_modified(modified).unwrap();
    log.execute_batch(
        "CREATE TEMP TABLE copied AS SELECT * FROM files WHERE path = 'a.txt';
         UPDATE copied SET path = 'd.txt';
         INSERT INTO files SELECT * FROM copied;",
    )
    .unwrap();
    drop(log);
    let paths: Vec<String> = found(&search(&pincite, folder.path(), "harbour")).into_iter().map(|hit| hit.0).collect();
    assert_eq!(paths, ["a.txt", "b.txt", "d.txt"]);
    let status = pincite.run(&["status", "--json"]).json();
    assert_eq!(status["num_chunks"], 3, "{status}");
}

#[test]
fn what_a_cut_off_pull_or_fetch_has_left_goes_when_the_folder_is_indexed() {
    let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
    write(folder.path(), "a.txt", "A harbour.");
    let (data, then) = (pincite.data.path(), SystemTime::now() - Duration::from_hours(1));
    let left = ["models/.pull-0123456789ab.part", "none/.fetch-0123456789ab.part"].map(|name| data.join(name));
    for left in &left {
        fs_err::create_dir_all(left.join("hub")).unwrap();
        fs_err::write(left.join("hub/half"), "half of it").unwrap();
        fs_err::File::open(left).unwrap().file().set_modified(then).unwrap();
    }
    search(&pincite, folder.path(), "harbour");
    assert!(left.iter().all(|left| !left.exists()));
}

/// A small file system of its own.
pub struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None` where this process may not mount one, which is said.
    pub fn mount(megabytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"]).arg(folder.path());
        if mount.output().is_ok_and(|output| output.status.success()) {
            return Some(Self(folder));
        }
        // Past the test harness, which keeps what a test prints that passes.
        let skipped = "SKIPPED: the test of a full disk, because this process may not mount one (run it as root)\n";
        let _ = std::io::Write::write_all(&mut std::io::stderr(), skipped.as_bytes());
        None
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Leaves no space.
    pub fn fill(&self) -> PathBuf {
        let ballast = self.0.path().join("ballast");
        let mut file = fs_err::File::create(&ballast).unwrap();
        while std::io::Write::write_all(&mut file, &[7; 4096]).is_ok() {}
        while std::io::Write::write_all(&mut file, &[7; 1]).is_ok() {}
        ballast
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_refuses_writes_clearly_lets_reads_go_on_and_heals() {
    let Some(small) = SmallDisk::mount(24) else { return };
    let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs_err::create_dir(small.0.path().join("data")).unwrap();
    // Otherwise what cannot be recorded is refused, reads as well.
    fs_err::write(small.0.path().join("data/config.toml"), "[audit]\non_full = \"drop\"\n").unwrap();
    let engine = share(&small.0.path().join("data"));
    engine.ensure_workspace(&named("default"), Some(folder.path())).unwrap();
    let mut desk = Desk { folder, data, engine, runner: None };
    desk.run();
    let put = |engine: &Engine, path: &str, text: &str| {
        let path: RelPath = path.parse().unwrap();
        engine.workspace(&named("default"), &Caller::local(Surface::CommandLine)).unwrap().write_file(
            &path,
            text.as_bytes(),
            &Precondition::None,
        )
    };
    let first = put(&desk.engine, "first.txt", "The harbour crane.").unwrap();
    assert_eq!(desk.search("crane", Mode::Lexical, Some(first.revision)).unwrap().hits.len(), 1);
    let ballast = small.fill();
    // What the log has left of its own pages is used up first.
    let mut answered: Vec<String> = Vec::new();
    let refused: EngineError = loop {
        let path = format!("full{}.txt", answered.len());
        match put(&desk.engine, &path, "The harbour pilot.") {
            Ok(_) => answered.push(path),
            Err(error) => break error,
        }
        assert!(answered.len() < 10_000, "the disk never fills");
        assert_eq!(desk.found("crane"), ["first.txt"], "reads go on");
    };
    let hint = refused.hint().unwrap_or_default();
    assert!(hint.contains("space"), "{refused}: {hint}");
    assert_eq!(desk.found("crane"), ["first.txt"], "reads go on");
    fs_err::remove_file(ballast).unwrap();
    let last = put(&desk.engine, "last.txt", "The harbour light.").unwrap();
    assert_eq!(desk.search("light", Mode::Lexical, Some(last.revision)).unwrap().hits.len(), 1);
    let status =
        || desk.engine.workspace(&named("default"), &Caller::local(Surface::CommandLine)).unwrap().status().unwrap();
    until("everything is searchable again", || {
        let status = status();
        status.coverage.files.pending == 0 && status.num_embedded == status.num_chunks
    });
    let on_disk = fs_err::read_dir(desk.folder.path()).unwrap().count();
    until("every file of the folder is found", || status().num_chunks == on_disk);
    desk.runner = None;
    drop(desk);
}
