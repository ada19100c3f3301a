//! The thread behind a journal: about once a second, while there is something to do, it brings entries to the disk and records what was
//! only counted.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::journal::Inner;

/// What a failure of power may take of entries: those of so long.
const EVERY: Duration = Duration::from_secs(1);

/// Wakes the thread; it is started when there is something to do for the first time.
pub(super) struct Ticker {
    inner: Weak<Inner>,
    poke: SyncSender<()>,
    poked: Mutex<Option<Receiver<()>>>,
}

impl Ticker {
    pub(super) fn new(inner: &Arc<Inner>) -> Self {
        let (poke, poked) = sync_channel(1);
        Self { inner: Arc::downgrade(inner), poke, poked: Mutex::new(Some(poked)) }
    }

    /// Says that there is something to do.
    pub(super) fn poke(&self) {
        // One that is still to be heard is enough.
        let is_new = self.poke.try_send(()).is_ok();
        if is_new && let Some(poked) = self.poked.lock().take() {
            let inner = Weak::clone(&self.inner);
            let started = std::thread::Builder::new().name("audit".to_owned()).spawn(move || run(&inner, &poked));
            if let Err(error) = started {
                tracing::warn!(%error, "the system brings the audit journal to the disk when it likes: there is no thread left");
            }
        }
    }
}

fn run(inner: &Weak<Inner>, poked: &Receiver<()>) {
    while poked.recv().is_ok() {
        loop {
            let end = Instant::now() + EVERY;
            loop {
                match poked.recv_timeout(end.saturating_duration_since(Instant::now())) {
                    Ok(()) => {}
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
            let Some(inner) = inner.upgrade() else { return };
            inner.tick(Instant::now());
            if !inner.are_floods_pending() {
                break;
            }
        }
    }
}
