//! A look at the files that the line is about to read, in a thread that can be left behind.
//!
//! # Invariants
//! - The line waits [`PATIENCE`] for a file system that does not answer, once. Until that look has returned, nothing of the workspace is
//!   brought in, `status` and `readyz` name it, and the line serves the other workspaces.
//! - There is one such thread a workspace at the most. It ends with its call, or with the process.
//!
//! # Not here
//! A file system that ceases to answer between this look and the read behind it still holds the line up.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::Scheduler;
use crate::data_folder::EngineError;
use crate::ingest;
use crate::workspace::{ChangeKind, Priority, WorkspaceId};

/// How long the line waits for a look. Disks that have to spin up first answer in less.
const PATIENCE: Duration = Duration::from_secs(10);

/// The looks that are under way, by workspace.
#[derive(Debug, Default)]
pub(super) struct Probes(Mutex<BTreeMap<WorkspaceId, Look>>);

#[derive(Debug)]
struct Look {
    began: Instant,
    /// Whether the line has given up waiting for it.
    is_left_behind: bool,
}

/// Takes a look off the list, however it has ended.
struct UnderWay(Arc<Probes>, WorkspaceId);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.0.lock().remove(&self.1);
    }
}

impl Probes {
    /// For how long the look at a workspace's files has not returned, where the line has given it up.
    pub(super) fn stuck(&self, id: &WorkspaceId) -> Option<Duration> {
        self.0.lock().get(id).filter(|look| look.is_left_behind).map(|look| look.began.elapsed())
    }

    /// The workspaces whose look was given up.
    pub(super) fn all_stuck(&self) -> Vec<WorkspaceId> {
        self.0.lock().iter().filter(|(_, look)| look.is_left_behind).map(|(id, _)| id.clone()).collect()
    }

    /// Does `look` in a thread of its own and waits for it for `patience`.
    ///
    /// # Errors
    /// [`EngineError::Stuck`] where it has not returned by then, and as long as an earlier one has not.
    fn wait_for(
        self: &Arc<Self>,
        id: &WorkspaceId,
        patience: Duration,
        look: impl FnOnce() + Send + 'static,
    ) -> Result<(), EngineError> {
        let stuck = |silent_for: Duration| EngineError::Stuck { id: id.clone(), silent_s: silent_for.as_secs() };
        let began = Instant::now();
        {
            let mut looks = self.0.lock();
            if let Some(earlier) = looks.get(id) {
                return Err(stuck(earlier.began.elapsed()));
            }
            looks.insert(id.clone(), Look { began, is_left_behind: false });
        }
        let under_way = UnderWay(Arc::clone(self), id.clone());
        let (tell, told) = channel();
        let work = move || {
            look();
            drop(under_way);
            // Nobody listens any more where it was given up.
            let _ = tell.send(());
        };
        std::thread::Builder::new().name("probe".to_owned()).spawn(work).map_err(EngineError::Thread)?;
        if told.recv_timeout(patience) != Err(RecvTimeoutError::Timeout) {
            return Ok(());
        }
        match self.0.lock().get_mut(id) {
            Some(look) => {
                look.is_left_behind = true;
                Err(stuck(began.elapsed()))
            }
            // It has returned at the last moment.
            None => Ok(()),
        }
    }
}

impl Scheduler {
    /// Looks at the files that are to be read next of a workspace.
    ///
    /// # Errors
    /// [`EngineError::Stuck`] where the file system does not answer; when the store cannot be read.
    pub(super) fn probe(
        &self,
        id: &WorkspaceId,
        root: &Path,
        priority: Priority,
        most: usize,
    ) -> Result<(), EngineError> {
        let changes = self.data.store.pending(id, priority, most)?.into_iter();
        let paths: Vec<_> =
            changes.filter(|change| change.kind != ChangeKind::Deleted).map(|change| change.path).collect();
        let files = self.data.files_at(root);
        self.probes.wait_for(id, PATIENCE, move || ingest::touch(&*files, &paths))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_that_does_not_return_is_given_up_named_and_not_begun_again_until_it_has() {
        let probes = Arc::<Probes>::default();
        let id = |name: &str| -> WorkspaceId { name.parse().unwrap() };
        let (release, hung) = channel::<()>();
        let (patient, impatient) = (Duration::from_mins(10), Duration::from_millis(1));
        let refused = probes.wait_for(&id("stuck"), impatient, move || assert!(hung.recv().is_err()));
        assert!(matches!(refused, Err(EngineError::Stuck { .. })), "{refused:?}");
        assert!(probes.stuck(&id("stuck")).is_some() && probes.all_stuck() == [id("stuck")]);
        let again = probes.wait_for(&id("stuck"), patient, || unreachable!("the first one has not returned"));
        assert!(matches!(again, Err(EngineError::Stuck { .. })), "{again:?}");
        probes.wait_for(&id("other"), patient, || ()).unwrap();
        assert!(probes.stuck(&id("other")).is_none());
        drop(release);
        let end = Instant::now() + patient;
        while probes.stuck(&id("stuck")).is_some() {
            assert!(Instant::now() < end, "it has returned and is still named");
            std::thread::yield_now();
        }
        probes.wait_for(&id("stuck"), patient, || ()).unwrap();
    }

    #[test]
    fn a_look_that_panics_is_over() {
        let probes = Arc::<Probes>::default();
        let id = WorkspaceId::default();
        for _ in 0..2 {
            probes.wait_for(&id, Duration::from_mins(10), || panic!("as a bug would")).unwrap();
        }
        assert!(probes.all_stuck().is_empty());
    }
}
