//! Work that nobody waits for gives way to work that somebody does.
//!
//! On a machine with few cores a backfill keeps all of them busy for minutes. Its threads get a lower priority, so that a query that
//! comes meanwhile is not one of several that take turns, but goes first. That alone is not enough: a query passes from thread to
//! thread, and each time the system may let a thread of low priority end its slice of some milliseconds first. So, while people
//! ask, half of the cores are left to them. Where the system knows no priority of a single thread, nothing is lowered.

use std::sync::LazyLock;
use std::thread::available_parallelism;

use rayon::{ThreadPool, ThreadPoolBuilder};

/// How much of the machine work in the background may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// All cores: nobody else is there.
    Whole,
    /// Half of the cores, one at the least: somebody asks.
    Half,
}

/// A thread of this niceness gets a tenth of what one of the usual niceness gets where the two compete, and everything where
/// they do not.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

static WHOLE: LazyLock<ThreadPool> = LazyLock::new(|| pool("background", num_cores()));
static HALF: LazyLock<ThreadPool> = LazyLock::new(|| pool("half-background", (num_cores() / 2).max(1)));

fn num_cores() -> usize {
    available_parallelism().map_or(1, std::num::NonZero::get)
}

fn pool(name: &'static str, num_threads: usize) -> ThreadPool {
    let builder =
        ThreadPoolBuilder::new().num_threads(num_threads).thread_name(move |number| format!("{name}-{number}"));
    builder.start_handler(|_| lower_this_thread()).build().expect("the system starts a thread for each core")
}

/// Does `work` in threads of lower priority, and waits for it. What it shares among cores, and the threads that it starts, are
/// of that priority, too.
pub fn in_background<T: Send>(share: Share, work: impl FnOnce() -> T + Send) -> T {
    match share {
        Share::Whole => WHOLE.install(work),
        Share::Half => HALF.install(work),
    }
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
        for share in [Share::Whole, Share::Half] {
            let started = || std::thread::spawn(niceness_here).join().expect("a niceness");
            let (inside, started) = in_background(share, || (niceness_here(), started()));
            assert!(inside >= NICENESS && started == inside);
        }
        assert_eq!(niceness_here(), before);
    }

    #[test]
    fn half_of_the_cores_is_one_at_the_least_and_never_all_of_several() {
        let num_threads = in_background(Share::Half, rayon::current_num_threads);
        assert!(num_threads >= 1 && (num_threads < num_cores() || num_cores() == 1));
    }
}
