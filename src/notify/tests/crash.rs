//! A process that ends at any step between a change and its delivery: a child does so, and then the folder is opened again and the courier goes on.
//! Each event of the log comes at least once, and always under one id.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use jiff::Timestamp;

use super::receivers::{Answer, Loopback, Receiver};
use super::{FOREVER, rules};
use crate::failpoint::armed::{ABORT_AT, TRACE};
use crate::notify::connect::Doorman;
use crate::notify::courier::{Counts, Courier};
use crate::store::{Fingerprint, Members, Observation, Outcome, SecretKey, Store};
use crate::workspace::{
    ChangeKind, ContentHash, FileEntry, FileState, NewWebhook, Priority, Provenance, Revision, WorkspaceId,
};

/// The folder that the child lives in.
const FOLDER: &str = "PINCITE_COURIER_FOLDER";
/// Set to end at every step there is, not only at the first and the last of each name.
const ALL: &str = "PINCITE_FAILPOINT_ALL";
const NUM_ROUNDS: usize = 4;

fn courier() -> Courier {
    let doorman = Doorman::asking(rules(), Arc::new(Loopback), FOREVER);
    Courier::new(&doorman, 1_000, Arc::<Counts>::default(), Arc::new(|| {}))
}

/// Steps until nothing is under way or to be told; what failed is due an hour later.
fn settle(courier: &mut Courier, store: &Store) {
    let mut now = Timestamp::now();
    loop {
        let left = courier.step(store, now).unwrap();
        match (left.num_under_way, left.next_ms) {
            (0, None) => return,
            (0, Some(_)) => now += std::time::Duration::from_hours(1),
            _ => assert!(courier.await_one(now, FOREVER), "a try never ends"),
        }
    }
}

fn acknowledge(store: &Store, path: &str, revision: Revision) {
    let id = WorkspaceId::default();
    let entry = FileEntry {
        path: path.parse().unwrap(),
        state: FileState::Ready,
        reason: None,
        format: None,
        title: None,
        language: None,
        size: 0,
        modified: Timestamp::UNIX_EPOCH,
        content_hash: Some(ContentHash::of(path.as_bytes())),
        revision,
        container: None,
        provenance: Provenance::default(),
        num_chunks: 1,
    };
    let epoch = store.workspace(&id).unwrap().epoch;
    let outcome = Outcome::File(entry, Fingerprint::NONE.into(), Members::Same);
    store.acknowledge(&id, epoch, revision, &[outcome]).unwrap();
}

/// The child: writes, indexes and tells, until it ends or is ended.
#[test]
#[ignore = "ended at a step by the test that starts it"]
fn a_life() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let store = Store::open(Path::new(&folder), true).unwrap();
    let mut courier = courier();
    for round in 0..NUM_ROUNDS {
        let names = [format!("{round}-a.md"), format!("{round}-b.md")];
        let seen = names
            .each_ref()
            .map(|name| Observation::new(name.parse().unwrap(), ChangeKind::Created, Fingerprint::NONE, true));
        let last = store.log(&WorkspaceId::default(), &seen, Priority::Interactive).unwrap();
        courier.step(&store, Timestamp::now()).unwrap();
        for (name, revision) in names.iter().zip([last.0 - 1, last.0]) {
            acknowledge(&store, name, Revision(revision));
        }
        settle(&mut courier, &store);
    }
}

/// Starts the child in `folder`, and returns the steps that it came to.
fn live_in(folder: &Path, receiver: &Receiver, abort_at: Option<usize>) -> Vec<String> {
    let store = Store::open(folder, true).unwrap();
    let id = WorkspaceId::default();
    store.ensure_workspace(&id, None).unwrap();
    let new = NewWebhook {
        url: receiver.url("/"),
        events: BTreeSet::new(),
        path_globs: Vec::new(),
        agents: Vec::new(),
        secret: None,
    };
    store.add_webhook(&id, &new, &SecretKey(vec![7; 24]), None, 9).unwrap();
    drop(store);
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "notify::tests::crash::a_life", "--ignored", "--test-threads=1"]);
    child.env(FOLDER, folder).env(TRACE, folder.join("trace"));
    if let Some(number) = abort_at {
        child.env(ABORT_AT, number.to_string());
    }
    let output = child.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(abort_at.is_some() || output.status.success(), "{said}");
    let trace = fs_err::read_to_string(folder.join("trace")).unwrap();
    trace.lines().map(str::to_owned).collect()
}

fn folder_for_a_life() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

/// Ends a life at a step, goes on, and compares what came with the log. Returns the step's name.
fn survives(abort_at: usize) -> Option<String> {
    let (folder, receiver) = (folder_for_a_life(), Receiver::that(Answer::with(200, "")));
    let steps = live_in(folder.path(), &receiver, Some(abort_at));
    let what = format!("step {abort_at}, {:?}", steps.last());
    let store = Store::open(folder.path(), true).unwrap();
    let id = WorkspaceId::default();
    for change in store.pending(&id, Priority::Interactive, 99).unwrap() {
        acknowledge(&store, change.path.as_str(), change.revision);
    }
    settle(&mut courier(), &store);
    let mut ids: BTreeMap<(String, u64), BTreeSet<String>> = BTreeMap::new();
    for message in receiver.got() {
        let said: serde_json::Value = serde_json::from_str(&message.body).unwrap();
        let event = (said["type"].as_str().unwrap().to_owned(), said["data"]["revision"].as_u64().unwrap());
        ids.entry(event).or_default().insert(message.header("webhook-id").to_owned());
    }
    let log = store.recent_changes(&id, 1_000).unwrap();
    let expected: BTreeSet<(String, u64)> = log
        .iter()
        .flat_map(|change| ["file.created", "file.ready"].map(|event| (event.to_owned(), change.revision.0)))
        .collect();
    assert_eq!(ids.keys().cloned().collect::<BTreeSet<_>>(), expected, "{what}: each event comes, and no other");
    assert!(ids.values().all(|ids| ids.len() == 1), "{what}: an event has one id: {ids:?}");
    steps.last().cloned()
}

#[test]
fn a_process_that_ends_anywhere_between_change_and_delivery_tells_each_event() {
    let (folder, receiver) = (folder_for_a_life(), Receiver::that(Answer::with(200, "")));
    let steps = live_in(folder.path(), &receiver, None);
    assert_eq!(receiver.got().len(), NUM_ROUNDS * 4);
    let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (number, name) in (1..).zip(&steps) {
        by_name.entry(name).or_default().push(number);
    }
    for expected in [
        "log: written",
        "log: durable",
        "acknowledge: written",
        "acknowledge: durable",
        "webhooks: about to have deliveries",
        "webhooks: have deliveries",
        "webhooks: about to send",
        "webhooks: sent, not noted",
        "webhooks: about to note tries",
        "webhooks: tries are noted",
    ] {
        assert!(by_name.contains_key(expected), "`{expected}` is never reached: {by_name:?}");
    }
    let mut chosen: BTreeSet<usize> = BTreeSet::new();
    for numbers in by_name.values() {
        chosen.extend([numbers[0], numbers[numbers.len() - 1]]);
    }
    if std::env::var_os(ALL).is_some() {
        chosen = (1..=steps.len()).collect();
    }
    let mut ended: BTreeSet<String> = chosen.into_iter().filter_map(survives).collect();
    // Two threads take steps, so that a number is another step in another life: of a step that was missed, all numbers are tried.
    for (name, numbers) in &by_name {
        let mut numbers = numbers.iter();
        while !ended.contains(*name)
            && let Some(number) = numbers.next()
        {
            ended.extend(survives(*number));
        }
    }
    assert!(ended.len() * 10 >= by_name.len() * 9, "of {:?} only {ended:?}", by_name.keys());
}
