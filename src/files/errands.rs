//! Calls of the file system in threads that can be left behind: a call may never return, as where a network's file system does not answer.
//!
//! # Invariants
//! - Who waits for a call gives up when it has shown no progress for [`PATIENCE`], and sooner where others hang already.
//! - As long as a call hangs, no other is begun at its place.
//! - In a workspace of which the folder or [`MAX_OF_ONE`] files hang, no call is begun; where [`MAX_OF_ALL`] hang, none anywhere. So
//!   there are never many more threads than that.
//! - A thread that hangs ends with its call, or with the process. One that has nothing to do ends after [`KEPT`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::{FilesError, canonical_folder};
use crate::workspace::{RelPath, WorkspaceId};

/// How long a call may show no progress. Disks that have to spin up first answer in less.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same while another call hangs: what does not answer is likely the same disk.
const PATIENCE_BESIDE_OTHERS: Duration = Duration::from_secs(2);
/// So many calls may hang in one workspace until nothing more of it is read.
const MAX_OF_ONE: usize = 4;
/// So many may in all.
const MAX_OF_ALL: usize = 512;
/// How long a thread waits for more to do.
const KEPT: Duration = Duration::from_secs(5);
/// Enough to open, read and ask.
const STACK_BYTES: usize = 512 * 1024;
/// The folder of a workspace, among its places.
const FOLDER: &str = "";

type Job = Box<dyn FnOnce() + Send>;

/// The threads, and what hangs in them.
#[derive(Clone, Default)]
pub struct Errands(Arc<Shared>);

impl fmt::Debug for Errands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Errands").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    given: Condvar,
    #[cfg(test)]
    gates: super::gates::Gates,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    /// Threads that wait for one.
    num_idle: usize,
    hanging: BTreeMap<(WorkspaceId, String), Hanging>,
    /// Places at which a call hung and has returned.
    returned: BTreeSet<(WorkspaceId, String)>,
}

#[derive(Clone, Copy)]
struct Hanging {
    since: Instant,
    num_calls: usize,
}

impl State {
    fn of<'a>(&'a self, workspace: &'a WorkspaceId) -> impl Iterator<Item = (&'a str, Hanging)> {
        self.hanging
            .iter()
            .filter(move |((id, _), _)| id == workspace)
            .map(|((_, place), hanging)| (&**place, *hanging))
    }

    /// For how long nothing of a workspace is read, where that is so.
    fn refuses(&self, workspace: &WorkspaceId) -> Option<Duration> {
        if self.hanging.is_empty() {
            return None;
        }
        let num_calls =
            |hanging: &mut dyn Iterator<Item = Hanging>| hanging.map(|hanging| hanging.num_calls).sum::<usize>();
        let is_refused = self.of(workspace).any(|(place, _)| place == FOLDER)
            || num_calls(&mut self.of(workspace).map(|(_, hanging)| hanging)) >= MAX_OF_ONE
            || num_calls(&mut self.hanging.values().copied()) >= MAX_OF_ALL;
        let first = self.of(workspace).map(|(_, hanging)| hanging.since).min();
        is_refused.then(|| first.map_or(Duration::ZERO, |since| since.elapsed()))
    }
}

/// How far a call is.
pub(super) struct Pulse {
    beat: Mutex<Beat>,
    #[cfg(test)]
    gate: Box<dyn Fn(&str) + Send + Sync>,
}

struct Beat {
    place: String,
    last: Instant,
    is_left_behind: bool,
}

impl Pulse {
    /// The call goes on.
    pub(super) fn beat(&self) {
        self.beat.lock().last = Instant::now();
    }

    /// The call is at another place from here on; `false` where nobody waits for it any more.
    pub(super) fn at(&self, place: &str) -> bool {
        {
            let mut beat = self.beat.lock();
            if beat.is_left_behind {
                return false;
            }
            place.clone_into(&mut beat.place);
            beat.last = Instant::now();
        }
        #[cfg(test)]
        (self.gate)(place);
        true
    }

    fn silent_for(&self) -> Duration {
        self.beat.lock().last.elapsed()
    }
}

/// What a thread says to who waits for it.
enum Message<T> {
    Some(T),
    End(std::thread::Result<()>),
    /// A test has it hang.
    #[cfg(test)]
    Hangs,
}

/// A call that was given up, and the place at which it hangs.
#[derive(Debug)]
pub(super) struct LeftBehind {
    pub place: String,
    pub silent_for: Duration,
}

impl Errands {
    /// The places of a workspace at which calls hang, and for how long they have.
    #[must_use]
    pub fn hanging(&self, workspace: &WorkspaceId) -> Vec<(String, Duration)> {
        let state = self.0.state.lock();
        state.of(workspace).map(|(place, hanging)| (place.to_owned(), hanging.since.elapsed())).collect()
    }

    /// The workspaces in which calls hang.
    #[must_use]
    pub fn all_hanging(&self) -> Vec<WorkspaceId> {
        self.0.state.lock().hanging.keys().map(|(id, _)| id.clone()).collect()
    }

    /// For how long nothing of a workspace is read, where too much hangs.
    #[must_use]
    pub fn refuses(&self, workspace: &WorkspaceId) -> Option<Duration> {
        self.0.state.lock().refuses(workspace)
    }

    /// The files at which calls hung that have returned since this was asked last.
    #[must_use]
    pub fn take_returned(&self) -> Vec<(WorkspaceId, RelPath)> {
        let returned = std::mem::take(&mut self.0.state.lock().returned);
        // The folder itself is no file.
        returned.into_iter().filter_map(|(id, place)| Some((id, place.parse().ok()?))).collect()
    }

    /// The canonical path of a workspace's folder, as [`canonical_folder`] tells it.
    ///
    /// # Errors
    /// As there, and [`FilesError::PlaceHangs`] where the folder or too much of it hangs.
    pub fn canonical_folder(&self, workspace: &WorkspaceId, folder: &Path) -> Result<PathBuf, FilesError> {
        let folder = folder.to_owned();
        match self.run(workspace, FOLDER, move |_| canonical_folder(&folder)) {
            Ok(checked) => checked,
            Err(FilesError::Hangs { silent_s }) => Err(FilesError::PlaceHangs { silent_s }),
            Err(error) => Err(error),
        }
    }

    /// Does `call` at a place, and waits for what it returns.
    pub(super) fn run<T: Send + 'static>(
        &self,
        workspace: &WorkspaceId,
        place: &str,
        call: impl FnOnce(&Pulse) -> T + Send + 'static,
    ) -> Result<T, FilesError> {
        let mut returned = None;
        let at = place.to_owned();
        let work = move |pulse: &Pulse, tell: &dyn Fn(T)| {
            if pulse.at(&at) {
                tell(call(pulse));
            }
        };
        match self.follow(workspace, place, None, work, |value| returned = Some(value))? {
            Err(LeftBehind { silent_for, .. }) => Err(FilesError::Hangs { silent_s: silent_for.as_secs() }),
            Ok(()) => returned.ok_or(FilesError::Hangs { silent_s: 0 }),
        }
    }

    /// Does `call` at each of some places, one after the other in one thread, and goes on behind those at which it hangs.
    pub(super) fn each<T: Send + 'static>(
        &self,
        workspace: &WorkspaceId,
        places: &[RelPath],
        call: impl Fn(&RelPath) -> Result<T, FilesError> + Clone + Send + 'static,
    ) -> Vec<Result<T, FilesError>> {
        let hanging: BTreeMap<String, Duration> = self.hanging(workspace).into_iter().collect();
        let hangs = |silent_for: Duration| FilesError::Hangs { silent_s: silent_for.as_secs() };
        let mut results: Vec<Option<Result<T, FilesError>>> =
            places.iter().map(|place| hanging.get(place.as_str()).map(|silent_for| Err(hangs(*silent_for)))).collect();
        while let Some(first) = results.iter().position(Option::is_none) {
            let todo: Vec<(usize, RelPath)> =
                (first..places.len()).filter(|&at| results[at].is_none()).map(|at| (at, places[at].clone())).collect();
            let (call, place) = (call.clone(), places[first].as_str());
            let work = move |pulse: &Pulse, tell: &dyn Fn((usize, Result<T, FilesError>))| {
                for (at, path) in todo {
                    if !pulse.at(path.as_str()) {
                        return;
                    }
                    tell((at, call(&path)));
                }
            };
            match self.follow(workspace, place, None, work, |(at, result)| results[at] = Some(result)) {
                Ok(Ok(())) => break,
                // Also where the same place is asked for twice.
                Ok(Err(LeftBehind { place, silent_for })) => {
                    let of_place = results.iter_mut().zip(places).filter(|(_, path)| path.as_str() == place);
                    of_place.for_each(|(result, _)| *result = result.take().or_else(|| Some(Err(hangs(silent_for)))));
                }
                Err(FilesError::Hangs { silent_s }) => results[first] = Some(Err(FilesError::Hangs { silent_s })),
                // The reason is one of all that are left.
                Err(error) => {
                    results[first] = Some(Err(error));
                    break;
                }
            }
        }
        let silent_s = self.refuses(workspace).unwrap_or_default().as_secs();
        results.into_iter().map(|result| result.unwrap_or(Err(FilesError::PlaceHangs { silent_s }))).collect()
    }

    /// Does `work` in a thread and gives what it tells to `take`, until it ends or shows no progress for `patience`.
    pub(super) fn follow<T: Send + 'static>(
        &self,
        workspace: &WorkspaceId,
        place: &str,
        patience: Option<Duration>,
        work: impl FnOnce(&Pulse, &dyn Fn(T)) + Send + 'static,
        mut take: impl FnMut(T),
    ) -> Result<Result<(), LeftBehind>, FilesError> {
        let mut state = self.0.state.lock();
        if let Some(hanging) = state.hanging.get(&(workspace.clone(), place.to_owned())) {
            return Err(FilesError::Hangs { silent_s: hanging.since.elapsed().as_secs() });
        }
        if let Some(silent_for) = state.refuses(workspace) {
            return Err(FilesError::PlaceHangs { silent_s: silent_for.as_secs() });
        }
        let by_others = if state.hanging.is_empty() { PATIENCE } else { PATIENCE_BESIDE_OTHERS };
        let patience = patience.unwrap_or(by_others);
        let (sender, told) = channel();
        let beat = Beat { place: place.to_owned(), last: Instant::now(), is_left_behind: false };
        let pulse = Arc::new(Pulse {
            beat: Mutex::new(beat),
            #[cfg(test)]
            gate: {
                let (errands, sender) = (self.clone(), sender.clone());
                Box::new(move |place| errands.0.gates.pass(place, &|| drop(sender.send(Message::Hangs))))
            },
        });
        self.give(&mut state, self.job(workspace.clone(), Arc::clone(&pulse), sender, work))?;
        drop(state);
        loop {
            let left = patience.saturating_sub(pulse.silent_for());
            let message = if let Ok(message) = told.recv_timeout(left) {
                message
            } else {
                // Held, so that a thread that ends now is either heard here or knows that it was left behind.
                let mut state = self.0.state.lock();
                match told.try_recv() {
                    Ok(message) => message,
                    Err(_) if pulse.silent_for() < patience => continue,
                    Err(_) => return Ok(Err(leave(&mut state, workspace, &pulse))),
                }
            };
            match message {
                Message::Some(value) => take(value),
                Message::End(Ok(())) => return Ok(Ok(())),
                Message::End(Err(panic)) => resume_unwind(panic),
                #[cfg(test)]
                Message::Hangs => return Ok(Err(leave(&mut self.0.state.lock(), workspace, &pulse))),
            }
        }
    }

    /// `work` as a thread does it.
    fn job<T: Send + 'static>(
        &self,
        workspace: WorkspaceId,
        pulse: Arc<Pulse>,
        sender: Sender<Message<T>>,
        work: impl FnOnce(&Pulse, &dyn Fn(T)) + Send + 'static,
    ) -> Job {
        let errands = self.clone();
        Box::new(move || {
            // Nobody listens any more where it was given up.
            let tell = |told| drop(sender.send(told));
            let at = |value| tell(Message::Some(value));
            tell(Message::End(catch_unwind(AssertUnwindSafe(|| work(&pulse, &at)))));
            errands.came_back(workspace, &pulse);
        })
    }

    fn came_back(&self, workspace: WorkspaceId, pulse: &Pulse) {
        let mut state = self.0.state.lock();
        let beat = pulse.beat.lock();
        if !beat.is_left_behind {
            return;
        }
        let key = (workspace, beat.place.clone());
        if let Some(hanging) = state.hanging.get_mut(&key) {
            hanging.num_calls -= 1;
            if hanging.num_calls == 0 {
                tracing::info!(workspace = %key.0, "a call of the file system that hung has returned");
                state.hanging.remove(&key);
                state.returned.insert(key);
            }
        }
    }

    /// Has a thread do a job at once, a new one where none waits.
    fn give(&self, state: &mut MutexGuard<'_, State>, job: Job) -> Result<(), FilesError> {
        state.jobs.push_back(job);
        if state.num_idle >= state.jobs.len() {
            self.0.given.notify_one();
            return Ok(());
        }
        let shared = Arc::clone(&self.0);
        let thread = std::thread::Builder::new().name("files".to_owned()).stack_size(STACK_BYTES);
        if let Err(error) = thread.spawn(move || shared.work()) {
            // The one that was put there.
            state.jobs.pop_back();
            return Err(FilesError::Io(error));
        }
        Ok(())
    }
}

impl Shared {
    fn work(&self) {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                MutexGuard::unlocked(&mut state, job);
                continue;
            }
            state.num_idle += 1;
            let waited = self.given.wait_for(&mut state, KEPT);
            state.num_idle -= 1;
            if waited.timed_out() && state.jobs.is_empty() {
                return;
            }
        }
    }
}

fn leave(state: &mut State, workspace: &WorkspaceId, pulse: &Pulse) -> LeftBehind {
    let mut beat = pulse.beat.lock();
    beat.is_left_behind = true;
    let key = (workspace.clone(), beat.place.clone());
    let hanging = state.hanging.entry(key).or_insert(Hanging { since: beat.last, num_calls: 0 });
    hanging.num_calls += 1;
    tracing::error!(%workspace, place = %beat.place, "a call of the file system hangs; others are served meanwhile");
    LeftBehind { place: beat.place.clone(), silent_for: beat.last.elapsed() }
}

#[cfg(test)]
impl Errands {
    /// Has the calls at a place hang from then on, after so many that do not.
    pub(crate) fn close(&self, place: &str, num_passes: usize) {
        self.0.gates.close(place, num_passes);
    }

    /// Lets the calls at a place return that hang, and those that come.
    pub(crate) fn open(&self, place: &str) {
        self.0.gates.open(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::gates::until;

    #[test]
    fn a_panic_of_a_call_is_one_of_who_waits_for_it() {
        let errands = Errands::default();
        let (id, call) = (WorkspaceId::default(), |_: &_| -> () { panic!("as a bug would") });
        let panicked = catch_unwind(AssertUnwindSafe(|| errands.run(&id, "a.txt", call)));
        assert!(panicked.is_err() && errands.all_hanging().is_empty());
    }

    #[test]
    fn a_call_that_shows_no_progress_for_long_is_given_up_and_no_other_is_begun_there_until_it_has_returned() {
        let errands = Errands::default();
        let id = WorkspaceId::default();
        let (release, hung) = channel::<()>();
        let hangs = move |_: &Pulse, _: &dyn Fn(())| assert!(hung.recv().is_err());
        let impatient = Some(Duration::from_millis(1));
        let left = errands.follow(&id, "a.txt", impatient, hangs, drop).unwrap().unwrap_err();
        assert_eq!(left.place, "a.txt");
        let again: Result<(), FilesError> = errands.run(&id, "a.txt", |_| unreachable!("the first has not returned"));
        assert!(matches!(again, Err(FilesError::Hangs { .. })), "{again:?}");
        assert_eq!(errands.run(&id, "b.txt", |_| 7).unwrap(), 7);
        drop(release);
        until(|| errands.hanging(&id).is_empty());
        assert_eq!(errands.run(&id, "a.txt", |_| 7).unwrap(), 7);
    }
}
