//! A folder and a link to somewhere else change places, as fast as they can, while files below are read, written, deleted, renamed
//! and listed. The number of rounds is `PINCITE_EXCHANGE_ROUNDS`.
#![cfg(target_os = "linux")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::*;

const INSIDE: &str = "inside";
const OUTSIDE: &str = "what nobody may see, and longer";

/// Two places that change places until it is dropped.
struct Exchange {
    stop: Arc<AtomicBool>,
    num_done: Arc<AtomicUsize>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Exchange {
    fn of(one: PathBuf, other: PathBuf) -> Self {
        let (stop, num_done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (told, counted) = (Arc::clone(&stop), Arc::clone(&num_done));
        let thread = std::thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE).unwrap();
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { stop, num_done, thread: Some(thread) }
    }

    /// Lets them change places once at least.
    fn next(&self) {
        let before = self.num_done.load(Ordering::Relaxed);
        while self.num_done.load(Ordering::Relaxed) == before {
            std::thread::yield_now();
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

fn num_rounds() -> usize {
    std::env::var("PINCITE_EXCHANGE_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1_500)
}

/// Everything outside, which must stay as it is.
fn state_of(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in fs_err::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                all.push((path.clone(), fs_err::read(path).unwrap()));
            }
        }
    }
    all.sort();
    all
}

fn guarded(root: &Path) -> Arc<dyn Files> {
    Errands::default().guard(&WorkspaceId::default(), at(root, RuleLimits::default()))
}

#[test]
fn a_folder_exchanged_for_a_link_lets_no_verb_out() {
    let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (root, outside) = (inside.path().canonicalize().unwrap(), outside.path().canonicalize().unwrap());
    for (folder, text) in [(root.join("swapped/deep"), INSIDE), (outside.join("deep"), OUTSIDE)] {
        fs_err::create_dir_all(&folder).unwrap();
        for name in ["read.txt", "deleted.txt", "renamed.txt", "written.txt", ".pincite-abcdef123456.part"] {
            fs_err::write(folder.join(name), text).unwrap();
        }
    }
    std::os::unix::fs::symlink(&outside, root.join(".link")).unwrap();
    let (before, files) = (state_of(&outside), guarded(&root));
    let path = |name: &str| -> RelPath { format!("swapped/deep/{name}").parse().unwrap() };
    let exchange = Exchange::of(root.join("swapped"), root.join(".link"));
    let mut num_inside = 0;
    for round in 0..num_rounds() {
        exchange.next();
        if let Ok(content) = read_file(&*files, &path("read.txt"), 1_000) {
            assert_eq!(content.bytes, INSIDE.as_bytes());
            num_inside += 1;
        }
        if let Ok(file) = LargeFile::open(&*files, &path("read.txt"), 1_000) {
            assert_eq!(file.fingerprint.size, INSIDE.len() as u64);
        }
        if let Some(seen) = seen(&*files, &path("read.txt")).unwrap() {
            assert_eq!(seen.size, INSIDE.len() as u64);
        }
        let _ = write_file(
            &*files,
            &path("written.txt"),
            b"ours",
            if round % 2 == 0 { &Condition::Absent } else { &Condition::Any },
        );
        let _ = write_file(&*files, &path(&format!("new{}/a.txt", round % 20)), b"ours", &Condition::Any);
        let _ = delete_file(&*files, &path("deleted.txt"));
        let _ = rename_file(&*files, &path("renamed.txt"), &path("moved.txt"));
        let _ = rename_file(&*files, &path("moved.txt"), &path("renamed.txt"));
        let _ = write_file(&*files, &path("deleted.txt"), b"ours", &Condition::Any);
        let _ = files.spelled(&path("r\u{e9}ad.txt"));
        // Which also sweeps.
        let mut listing = files.list(None, &|_| {}).unwrap();
        while let Some(page) = listing.next_page().unwrap() {
            for file in page.files {
                assert_ne!(file.stat.fingerprint.size, OUTSIDE.len() as u64, "{}", file.path);
            }
        }
    }
    drop(exchange);
    assert!(num_inside > 0, "nothing was read at all");
    assert!(state_of(&outside) == before, "something changed outside");
}

#[test]
fn a_file_exchanged_for_a_link_shows_nothing_of_where_that_leads() {
    let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (root, secret) = (inside.path().canonicalize().unwrap(), outside.path().join("secret.txt"));
    fs_err::write(&secret, OUTSIDE).unwrap();
    fs_err::write(root.join("a.txt"), INSIDE).unwrap();
    std::os::unix::fs::symlink(&secret, root.join(".link")).unwrap();
    let path: RelPath = "a.txt".parse().unwrap();
    let files = guarded(&root);
    let exchange = Exchange::of(root.join("a.txt"), root.join(".link"));
    for _ in 0..num_rounds() {
        exchange.next();
        if let Ok(content) = read_file(&*files, &path, 1_000) {
            assert_eq!(content.bytes, INSIDE.as_bytes());
        }
        if let Ok(file) = LargeFile::open(&*files, &path, 1_000) {
            assert_eq!(file.fingerprint.size, INSIDE.len() as u64);
        }
    }
    drop(exchange);
    assert_eq!(fs_err::read_to_string(&secret).unwrap(), OUTSIDE);
}
