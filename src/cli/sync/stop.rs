//! When a run is to end: upon SIGTERM or SIGINT, and then at a deadline.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// Says to all threads of a run that it is to end. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Stop(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    is_asked: bool,
    /// Until when what is left may be done.
    deadline: Option<Instant>,
}

impl Stop {
    /// Asks the run to end within this time.
    pub(super) fn ask(&self, within: Duration) {
        let mut state = self.0.state.lock();
        // A second signal means at once.
        let within = if state.is_asked { Duration::ZERO } else { within };
        state.is_asked = true;
        state.deadline = Some(Instant::now() + within);
        self.0.changed.notify_all();
    }

    /// Whether the run is to end.
    pub(super) fn is_asked(&self) -> bool {
        self.0.state.lock().is_asked
    }

    /// Whether nothing more may be begun.
    pub(super) fn is_over(&self) -> bool {
        self.0.state.lock().deadline.is_some_and(|deadline| deadline <= Instant::now())
    }

    /// Whether the deadline was so long ago.
    pub(super) fn is_over_since(&self, time: Duration) -> bool {
        self.0.state.lock().deadline.is_some_and(|deadline| deadline + time <= Instant::now())
    }

    /// Waits, less where the run is to end meanwhile; after that was asked, at most until the deadline.
    pub(super) fn pause(&self, time: Duration) {
        let mut state = self.0.state.lock();
        let was_asked = state.is_asked;
        let end = Instant::now() + time;
        loop {
            let end = state.deadline.map_or(end, |deadline| deadline.min(end));
            if state.is_asked && !was_asked || end <= Instant::now() {
                return;
            }
            self.0.changed.wait_until(&mut state, end);
        }
    }

    /// Asks the run to end upon a signal, from now on.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn upon_signals(&self, within: Duration, then: impl Fn() + Send + 'static) -> std::io::Result<()> {
        let stop = self.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let mut signals = {
            let _inside = runtime.enter();
            Signals::listen()?
        };
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            loop {
                runtime.block_on(signals.next());
                stop.ask(within);
                then();
            }
        })?;
        Ok(())
    }
}

#[cfg(unix)]
struct Signals {
    term: tokio::signal::unix::Signal,
    int: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { term: signal(SignalKind::terminate())?, int: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        // Where it cannot be listened for, none comes.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
