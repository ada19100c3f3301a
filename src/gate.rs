//! How many requests are worked on at once, and who waits for a place.
//!
//! # Invariants
//! - At most `num_places` have a pass, and so many of them at most are batch that one is left to the others, where there are two.
//! - While somebody was refused within a second, a quarter of the places stays free.
//! - Who waits has a place in a queue of a fixed length; who finds the queue full is refused at once. From then on nobody
//!   waits, so that those who are taken are served at once, until nobody has been refused for a second. A burst that fits is so served whole.
//! - A place that becomes free goes to the first that is interactive, then to the first that is batch.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// Who has waited this long is refused: its client has given up, or will have when the reply comes.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// So long after somebody was refused there is no queue.
const OVERLOADED_FOR: Duration = Duration::from_secs(1);

/// What waits for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Somebody looks at the screen: searches, files.
    Interactive,
    /// Answers and digests.
    Batch,
    /// What has waited for a revision. It goes with batch, and is not refused after its wait: `limits.waits` bounds how many there are.
    Waited,
}

impl Class {
    /// Where it stands in line.
    const fn line(self) -> usize {
        match self {
            Self::Interactive => 0,
            Self::Batch | Self::Waited => 1,
        }
    }
}

/// The gate in front of the engine.
#[derive(Debug)]
pub struct Gate {
    num_places: usize,
    most_queued: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Interactive, batch.
    busy: [usize; 2],
    queues: [VecDeque<oneshot::Sender<Pass>>; 2],
    /// When somebody was refused last.
    refused_at: [Option<Instant>; 2],
}

/// A place, until it is dropped.
#[derive(Debug)]
pub struct Pass {
    gate: Option<Arc<Gate>>,
    class: Class,
}

/// The queue is full, or the wait was too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overloaded;

impl Gate {
    /// A gate of `num_places`, one at the least, and queues of `most_queued` each.
    #[must_use]
    pub fn new(num_places: usize, most_queued: usize) -> Self {
        Self { num_places: num_places.max(1), most_queued, state: Mutex::default() }
    }

    /// How many have a pass, and how many wait: interactive, batch.
    #[must_use]
    pub fn load(&self) -> (usize, [usize; 2]) {
        let state = self.state.lock();
        (state.busy.iter().sum(), [state.queues[0].len(), state.queues[1].len()])
    }

    /// Waits for a place.
    ///
    /// # Errors
    /// [`Overloaded`] at once where the queue is full, and after a wait of five seconds.
    pub async fn enter(self: &Arc<Self>, class: Class) -> Result<Pass, Overloaded> {
        let place = {
            let mut state = self.state.lock();
            if state.queues[class.line()].is_empty() && self.has_place(&state, class) {
                state.busy[class.line()] += 1;
                return Ok(Pass { gate: Some(Arc::clone(self)), class });
            }
            let queue = &mut state.queues[class.line()];
            // Those that have hung up hold no place.
            queue.retain(|waiting| !waiting.is_closed());
            let num_queued = queue.len();
            let refused_at = &mut state.refused_at[class.line()];
            let is_overloaded = refused_at.is_some_and(|refused_at| refused_at.elapsed() < OVERLOADED_FOR);
            if (is_overloaded || num_queued >= self.most_queued) && class != Class::Waited {
                *refused_at = Some(Instant::now());
                return Err(Overloaded);
            }
            let (sender, place) = oneshot::channel();
            state.queues[class.line()].push_back(sender);
            place
        };
        if class == Class::Waited {
            return place.await.map_err(|_| Overloaded);
        }
        match tokio::time::timeout(MAX_WAIT, place).await {
            Ok(Ok(pass)) => Ok(pass),
            Ok(Err(_)) | Err(_) => Err(Overloaded),
        }
    }

    fn has_place(&self, state: &State, class: Class) -> bool {
        let most_batch = (self.num_places - 1).max(1);
        let [interactive, batch] = state.busy;
        // Those that are served beside many refusals share the cores with these: fewer of them at once are each served sooner.
        let is_overloaded = state.refused_at.iter().flatten().any(|refused_at| refused_at.elapsed() < OVERLOADED_FOR);
        let num_places = if is_overloaded { self.num_places - self.num_places / 4 } else { self.num_places };
        interactive + batch < num_places && (class == Class::Interactive || batch < most_batch)
    }

    fn leave(self: &Arc<Self>, class: Class) {
        let mut state = self.state.lock();
        state.busy[class.line()] -= 1;
        for next in [Class::Interactive, Class::Batch] {
            while self.has_place(&state, next) {
                let Some(waiting) = state.queues[next.line()].pop_front() else { break };
                let pass = Pass { gate: Some(Arc::clone(self)), class: next };
                match waiting.send(pass) {
                    Ok(()) => state.busy[next.line()] += 1,
                    // It has hung up; the pass is not given back, because nobody had it.
                    Err(mut unwanted) => drop(unwanted.gate.take()),
                }
            }
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(gate) = self.gate.take() {
            gate.leave(self.class);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn beyond_places_and_queue_a_request_is_refused_at_once() {
        let gate = Arc::new(Gate::new(1, 1));
        let first = gate.enter(Class::Interactive).await.unwrap();
        let second = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.enter(Class::Interactive).await }
        });
        while gate.load() != (1, [1, 0]) {
            tokio::task::yield_now().await;
        }
        assert_eq!(gate.enter(Class::Interactive).await.unwrap_err(), Overloaded);
        drop(first);
        drop(second.await.unwrap().unwrap());
        assert_eq!(gate.load(), (0, [0, 0]));
    }

    #[tokio::test]
    async fn once_somebody_was_refused_nobody_waits_any_more() {
        let gate = Arc::new(Gate::new(1, 8));
        let first = gate.enter(Class::Interactive).await.unwrap();
        let mut burst: Vec<_> = (0..8).map(|_| Box::pin(gate.enter(Class::Interactive))).collect();
        assert!(burst.iter_mut().all(|waiting| futures_poll(waiting.as_mut()).is_none()), "a burst that fits waits");
        assert_eq!(gate.enter(Class::Interactive).await.unwrap_err(), Overloaded);
        burst.truncate(1);
        assert_eq!(gate.enter(Class::Interactive).await.unwrap_err(), Overloaded, "though there is room again");
        let mut batch = Box::pin(gate.enter(Class::Batch));
        assert!(futures_poll(batch.as_mut()).is_none(), "each queue by itself");
        drop(first);
        for waiting in burst {
            drop(waiting.await.unwrap());
        }
    }

    #[tokio::test]
    async fn beside_refusals_a_quarter_of_the_places_stays_free() {
        let gate = Arc::new(Gate::new(4, 0));
        let mut passes = Vec::new();
        for _ in 0..4 {
            passes.push(gate.enter(Class::Interactive).await.unwrap());
        }
        assert_eq!(gate.enter(Class::Interactive).await.unwrap_err(), Overloaded);
        passes.pop();
        assert_eq!(gate.enter(Class::Interactive).await.unwrap_err(), Overloaded, "the fourth place stays free");
        passes.pop();
        passes.push(gate.enter(Class::Interactive).await.unwrap());
        assert_eq!(gate.load().0, 3);
    }

    #[tokio::test]
    async fn interactive_requests_go_before_batch_that_came_earlier() {
        let gate = Arc::new(Gate::new(1, 4));
        let first = gate.enter(Class::Interactive).await.unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut waiting = Vec::new();
        for (class, queued) in [(Class::Batch, [0, 1]), (Class::Interactive, [1, 1])] {
            let (gate, order) = (Arc::clone(&gate), Arc::clone(&order));
            let watched = Arc::clone(&gate);
            waiting.push(tokio::spawn(async move {
                let pass = gate.enter(class).await.unwrap();
                order.lock().push(class);
                drop(pass);
            }));
            while watched.load().1 != queued {
                tokio::task::yield_now().await;
            }
        }
        drop(first);
        for task in waiting {
            task.await.unwrap();
        }
        assert_eq!(*order.lock(), [Class::Interactive, Class::Batch]);
    }

    #[tokio::test]
    async fn what_has_waited_for_a_revision_is_not_refused_after_its_wait() {
        let gate = Arc::new(Gate::new(1, 1));
        let first = gate.enter(Class::Interactive).await.unwrap();
        let mut all: Vec<_> = (0..10).map(|_| Box::pin(gate.enter(Class::Waited))).collect();
        for waiting in &mut all {
            assert!(futures_poll(waiting.as_mut()).is_none());
        }
        drop(first);
        for waiting in all {
            drop(waiting.await.unwrap());
        }
        assert_eq!(gate.load(), (0, [0, 0]));
    }

    #[tokio::test]
    async fn batch_leaves_a_place_and_whoever_hangs_up_holds_none() {
        let gate = Arc::new(Gate::new(2, 1));
        let batch = gate.enter(Class::Batch).await.unwrap();
        {
            let mut second = std::pin::pin!(gate.enter(Class::Batch));
            assert!(futures_poll(second.as_mut()).is_none());
            assert_eq!(gate.load(), (1, [0, 1]));
        }
        let interactive = gate.enter(Class::Interactive).await.unwrap();
        drop(batch);
        drop(interactive);
        assert_eq!(gate.load().0, 0);
        drop(gate.enter(Class::Batch).await.unwrap());
    }

    fn futures_poll<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match future.poll(&mut context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        }
    }
}
