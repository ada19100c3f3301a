//! Work that nobody waits for gives way to work that somebody does, and a query shares its work among cores.
//!
//! On a machine with few cores a backfill keeps all of them busy for minutes. Its threads get a lower priority, so that a query that
//! comes meanwhile is not one of several that take turns, but goes first. That alone is not enough: a query hands work to other
//! threads, and each time the system may let a thread of low priority end its slice of some milliseconds first. So, while people
//! ask, half of the cores are left to them. Where the system knows no priority of a single thread, nothing is lowered.
//!
//! A query runs in the thread that asks. It hands parts over only where they take much longer than waking another thread and being woken
//! by it, which is up to a fifth of a millisecond where cores are asleep, and more where they are busy.

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

/// Threads of queries alone: those that read and chunk files are busy for seconds at a time.
static QUERIES: LazyLock<ThreadPool> = LazyLock::new(|| {
    let name = |number| format!("query-{number}");
    ThreadPoolBuilder::new()
        .num_threads(num_cores())
        .thread_name(name)
        .build()
        .expect("the system starts a thread for each core")
});

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

/// Does work of a query in another thread while `here` is done in this one, and returns what both give.
pub fn beside<A: Send, B>(other: impl FnOnce() -> A + Send, here: impl FnOnce() -> B) -> (A, B) {
    let mut of_other = None;
    let of_here = QUERIES.in_place_scope(|scope| {
        scope.spawn(|_| of_other = Some(other()));
        here()
    });
    (of_other.expect("the scope ends when the work is done"), of_here)
}

/// Does work of a query on parts of some items, of `least` each or more, on all cores, and returns what it gives for each part in
/// their order.
pub fn in_parts<T: Sync, R: Send>(items: &[T], least: usize, work: impl Fn(&[T]) -> R + Sync) -> Vec<R> {
    let num_parts = (items.len() / least.max(1)).clamp(1, num_cores());
    if num_parts == 1 {
        return vec![work(items)];
    }
    let mut parts = items.chunks(items.len().div_ceil(num_parts).max(1));
    let first = parts.next().unwrap_or_default();
    let mut done: Vec<Option<R>> = parts.clone().map(|_| None).collect();
    let of_first = QUERIES.in_place_scope(|scope| {
        for (part, done) in parts.zip(&mut done) {
            scope.spawn(|_| *done = Some(work(part)));
        }
        work(first)
    });
    let others = done.into_iter().map(|done| done.expect("the scope ends when the work is done"));
    std::iter::once(of_first).chain(others).collect()
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
    fn parts_come_in_order_and_hold_every_item_once() {
        for num_items in [0_usize, 1, 7, 64, 1_000] {
            let items: Vec<usize> = (0..num_items).collect();
            for least in [0, 1, 10, 2_000] {
                let parts = in_parts(&items, least, <[usize]>::to_vec);
                assert!(!parts.is_empty() && parts.len() <= num_cores(), "{num_items} items, {least} at the least");
                assert_eq!(parts.concat(), items);
            }
        }
        assert_eq!(beside(|| std::thread::current().name().map(str::to_owned), || 1).1, 1);
        assert!(beside(|| std::thread::current().name().is_some_and(|name| name.starts_with("query-")), || ()).0);
    }

    #[test]
    fn half_of_the_cores_is_one_at_the_least_and_never_all_of_several() {
        let num_threads = in_background(Share::Half, rayon::current_num_threads);
        assert!(num_threads >= 1 && (num_threads < num_cores() || num_cores() == 1));
    }
}
