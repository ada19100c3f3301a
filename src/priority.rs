//! Work that nobody waits for gives way to work that somebody does.
//!
//! On a machine with few cores a backfill keeps all of them busy for minutes. Its threads get a lower priority, so that a query that
//! comes meanwhile is not one of several that take turns, but goes first. Where the system knows no priority of a single thread,
//! nothing is lowered.

use std::sync::LazyLock;

use rayon::{ThreadPool, ThreadPoolBuilder};

/// A thread of this niceness gets a tenth of what one of the usual niceness gets where the two compete, and everything where
/// they do not.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

static BACKGROUND: LazyLock<ThreadPool> = LazyLock::new(|| {
    let name = |number| format!("background-{number}");
    let threads = ThreadPoolBuilder::new().thread_name(name).start_handler(|_| lower_this_thread());
    threads.build().expect("the system starts a thread for each core")
});

/// Does `work` in threads of lower priority, and waits for it. What it shares among cores, and the threads that it starts, are
/// of that priority, too.
pub fn in_background<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    BACKGROUND.install(work)
}

/// Lowers the priority of the thread that calls, and of those that it starts from now on, until they end.
fn lower_this_thread() {
    // On Linux alone this is about the thread; elsewhere it would be about the whole process.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "the priority of a thread stays as it is");
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn niceness_here() -> i32 {
        rustix::process::getpriority_process(None).expect("a priority")
    }

    #[test]
    fn what_runs_in_the_background_and_what_it_starts_has_a_lower_priority_and_its_caller_has_not() {
        let before = niceness_here();
        let (inside, started) =
            in_background(|| (niceness_here(), std::thread::spawn(niceness_here).join().expect("a niceness")));
        assert!(inside >= NICENESS && started == inside);
        assert_eq!(niceness_here(), before);
    }
}
