//! How many requests are worked on at once, and who waits for a place.
//!
//! # Invariants
//! - At most `num_places` have a pass, and so many of them at most are batch that one is left to the others, where there are two.
//! - While somebody was refused within a second, a quarter of the places stays free.
//! - Who waits has a place in a queue of a fixed length; who finds the queue full is refused at once. From then on nobody
//!   waits, so that those who are taken are served at once, until nobody has been refused for a second. A burst that fits is so served whole.
//! - A place that becomes free goes to an interactive request, then to a batch one: of each, to the caller that holds the fewest places, and
//!   of one caller to the first.
//! - A caller that has nothing in work and nothing queued is queued even while others are refused, before the newest of whoever queues the most. While
//!   several callers are there, none of them holds more than half of the places. This is not so for requests of no caller in particular.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// Who has waited this long is refused: its client has given up, or will have when the reply comes.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// So long after somebody was refused there is no queue.
const OVERLOADED_FOR: Duration = Duration::from_secs(1);

/// So long after its last request a caller is there.
const PRESENT_FOR: Duration = Duration::from_secs(1);

/// Who asks, by any name that tells it from others; `None` for all that need not be told apart.
pub type Holder = Option<Arc<str>>;

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
    /// Of these, how many each caller holds.
    held: HashMap<Holder, usize>,
    queues: [VecDeque<Queued>; 2],
    /// When somebody was refused last.
    refused_at: [Option<Instant>; 2],
    /// The two callers that were there last, the newest first.
    seen: VecDeque<(Holder, Instant)>,
}

#[derive(Debug)]
struct Queued {
    place: oneshot::Sender<Pass>,
    holder: Holder,
    class: Class,
}

impl State {
    fn held_by(&self, holder: &Holder) -> usize {
        self.held.get(holder).copied().unwrap_or(0)
    }

    fn see(&mut self, holder: &Holder) {
        self.seen.retain(|(seen, _)| seen != holder);
        self.seen.push_front((holder.clone(), Instant::now()));
        self.seen.truncate(2);
    }

    fn sees_another(&self, holder: &Holder) -> bool {
        self.seen.iter().any(|(seen, at)| seen != holder && at.elapsed() < PRESENT_FOR)
    }

    fn begin(&mut self, class: Class, holder: &Holder) {
        self.busy[class.line()] += 1;
        *self.held.entry(holder.clone()).or_default() += 1;
    }

    fn end(&mut self, class: Class, holder: &Holder) {
        self.busy[class.line()] -= 1;
        if let Some(num) = self.held.get_mut(holder) {
            *num -= 1;
            if *num == 0 {
                self.held.remove(holder);
            }
        }
    }

    /// Makes room in a queue for a caller that has nothing there: the newest request of whoever queues the most is refused.
    fn evict(&mut self, line: usize) -> bool {
        let queue = &mut self.queues[line];
        let mut numbers: HashMap<&Holder, usize> = HashMap::new();
        for queued in queue.iter().filter(|queued| queued.class != Class::Waited) {
            *numbers.entry(&queued.holder).or_default() += 1;
        }
        let most = numbers.values().copied().max().filter(|most| *most > 1);
        let newest = most.and_then(|most| {
            queue.iter().rposition(|queued| {
                queued.class != Class::Waited && numbers.get(&queued.holder).is_some_and(|number| *number == most)
            })
        });
        // Who waits for it hears that it is gone.
        newest.is_some_and(|at| queue.remove(at).is_some())
    }
}

/// A place, until it is dropped.
#[derive(Debug)]
pub struct Pass {
    gate: Option<Arc<Gate>>,
    class: Class,
    holder: Holder,
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
    pub async fn enter(self: &Arc<Self>, class: Class, holder: Holder) -> Result<Pass, Overloaded> {
        let place = {
            let mut state = self.state.lock();
            state.see(&holder);
            // Those that are queued go first, as far as there is a place for them.
            let is_first = !state.queues[class.line()].iter().any(|one| self.has_place(&state, one.class, &one.holder));
            if is_first && self.has_place(&state, class, &holder) {
                state.begin(class, &holder);
                return Ok(Pass { gate: Some(Arc::clone(self)), class, holder });
            }
            let line = class.line();
            // Those that have hung up hold no place.
            state.queues[line].retain(|waiting| !waiting.place.is_closed());
            let num_queued = state.queues[line].len();
            let is_overloaded = state.refused_at[line].is_some_and(|refused_at| refused_at.elapsed() < OVERLOADED_FOR);
            if (is_overloaded || num_queued >= self.most_queued) && class != Class::Waited {
                state.refused_at[line] = Some(Instant::now());
                let has_nothing = holder.is_some()
                    && state.held_by(&holder) == 0
                    && state.queues.iter().flatten().all(|queued| queued.holder != holder);
                if !has_nothing || num_queued >= self.most_queued && !state.evict(line) {
                    return Err(Overloaded);
                }
            }
            let (sender, place) = oneshot::channel();
            state.queues[line].push_back(Queued { place: sender, holder, class });
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

    fn has_place(&self, state: &State, class: Class, holder: &Holder) -> bool {
        let most_batch = (self.num_places - 1).max(1);
        let [interactive, batch] = state.busy;
        // Those that are served beside many refusals share the cores with these: fewer of them at once are each served sooner.
        let is_overloaded = state.refused_at.iter().flatten().any(|refused_at| refused_at.elapsed() < OVERLOADED_FOR);
        let num_places = if is_overloaded { self.num_places - self.num_places / 4 } else { self.num_places };
        let has_share =
            holder.is_none() || state.held_by(holder) < self.num_places.div_ceil(2) || !state.sees_another(holder);
        has_share && interactive + batch < num_places && (class.line() == 0 || batch < most_batch)
    }

    fn leave(self: &Arc<Self>, class: Class, holder: &Holder) {
        let mut state = self.state.lock();
        state.end(class, holder);
        for line in 0..state.queues.len() {
            while let Some(at) = self.next(&state, line, holder) {
                let Some(Queued { place, holder, class }) = state.queues[line].remove(at) else { break };
                // Its place among those of its line, whether it has waited or not.
                let class = if class == Class::Waited { Class::Batch } else { class };
                let pass = Pass { gate: Some(Arc::clone(self)), class, holder: holder.clone() };
                match place.send(pass) {
                    Ok(()) => state.begin(class, &holder),
                    // It has hung up; the pass is not given back, because nobody had it.
                    Err(mut unwanted) => drop(unwanted.gate.take()),
                }
            }
        }
    }

    /// Which of a queue is next: the first of those whose caller holds the fewest places, as far as there is a place for it. The caller that
    /// leaves is taken to hold that place still, so that callers take turns.
    fn next(&self, state: &State, line: usize, leaving: &Holder) -> Option<usize> {
        let queue = state.queues[line].iter().enumerate();
        let fitting = queue.filter(|(_, queued)| self.has_place(state, queued.class, &queued.holder));
        let holds = |holder: &Holder| state.held_by(holder) + usize::from(holder == leaving);
        fitting.min_by_key(|(_, queued)| holds(&queued.holder)).map(|(at, _)| at)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(gate) = self.gate.take() {
            gate.leave(self.class, &self.holder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn beyond_places_and_queue_a_request_is_refused_at_once() {
        let gate = Arc::new(Gate::new(1, 1));
        let first = gate.enter(Class::Interactive, None).await.unwrap();
        let second = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.enter(Class::Interactive, None).await }
        });
        while gate.load() != (1, [1, 0]) {
            tokio::task::yield_now().await;
        }
        assert_eq!(gate.enter(Class::Interactive, None).await.unwrap_err(), Overloaded);
        drop(first);
        drop(second.await.unwrap().unwrap());
        assert_eq!(gate.load(), (0, [0, 0]));
    }

    #[tokio::test]
    async fn once_somebody_was_refused_nobody_waits_any_more() {
        let gate = Arc::new(Gate::new(1, 8));
        let first = gate.enter(Class::Interactive, None).await.unwrap();
        let mut burst: Vec<_> = (0..8).map(|_| Box::pin(gate.enter(Class::Interactive, None))).collect();
        assert!(burst.iter_mut().all(|waiting| futures_poll(waiting.as_mut()).is_none()), "a burst that fits waits");
        assert_eq!(gate.enter(Class::Interactive, None).await.unwrap_err(), Overloaded);
        burst.truncate(1);
        assert_eq!(gate.enter(Class::Interactive, None).await.unwrap_err(), Overloaded, "though there is room again");
        let mut batch = Box::pin(gate.enter(Class::Batch, None));
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
            passes.push(gate.enter(Class::Interactive, None).await.unwrap());
        }
        assert_eq!(gate.enter(Class::Interactive, None).await.unwrap_err(), Overloaded);
        passes.pop();
        assert_eq!(gate.enter(Class::Interactive, None).await.unwrap_err(), Overloaded, "the fourth place stays free");
        passes.pop();
        passes.push(gate.enter(Class::Interactive, None).await.unwrap());
        assert_eq!(gate.load().0, 3);
    }

    #[tokio::test]
    async fn interactive_requests_go_before_batch_that_came_earlier() {
        let gate = Arc::new(Gate::new(1, 4));
        let first = gate.enter(Class::Interactive, None).await.unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut waiting = Vec::new();
        for (class, queued) in [(Class::Batch, [0, 1]), (Class::Interactive, [1, 1])] {
            let (gate, order) = (Arc::clone(&gate), Arc::clone(&order));
            let watched = Arc::clone(&gate);
            waiting.push(tokio::spawn(async move {
                let pass = gate.enter(class, None).await.unwrap();
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
        let first = gate.enter(Class::Interactive, None).await.unwrap();
        let mut all: Vec<_> = (0..10).map(|_| Box::pin(gate.enter(Class::Waited, None))).collect();
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
        let batch = gate.enter(Class::Batch, None).await.unwrap();
        {
            let mut second = std::pin::pin!(gate.enter(Class::Batch, None));
            assert!(futures_poll(second.as_mut()).is_none());
            assert_eq!(gate.load(), (1, [0, 1]));
        }
        let interactive = gate.enter(Class::Interactive, None).await.unwrap();
        drop(batch);
        drop(interactive);
        assert_eq!(gate.load().0, 0);
        drop(gate.enter(Class::Batch, None).await.unwrap());
    }

    #[expect(clippy::unnecessary_wraps, reason = "the gate takes callers without a name as well")]
    fn of(name: &str) -> Holder {
        Some(name.into())
    }

    #[tokio::test]
    async fn a_flood_of_one_caller_leaves_half_of_the_places_to_others() {
        let gate = Arc::new(Gate::new(4, 8));
        let mut flood = Vec::new();
        for _ in 0..4 {
            flood.push(gate.enter(Class::Interactive, of("flood")).await.unwrap());
        }
        let mut good = Box::pin(gate.enter(Class::Interactive, of("good")));
        assert!(futures_poll(good.as_mut()).is_none(), "alone, a caller may have all places");
        let mut more: Vec<_> = (0..3).map(|_| Box::pin(gate.enter(Class::Interactive, of("flood")))).collect();
        assert!(more.iter_mut().all(|waiting| futures_poll(waiting.as_mut()).is_none()));
        flood.pop();
        let good = good.await.unwrap();
        flood.pop();
        assert!(more.iter_mut().all(|waiting| futures_poll(waiting.as_mut()).is_none()), "two of four are half");
        let other = gate.enter(Class::Interactive, of("good")).await.unwrap();
        flood.pop();
        let third = more.remove(0).await.unwrap();
        assert_eq!(gate.load(), (4, [2, 0]));
        drop((good, other, third, flood));
        for waiting in more {
            drop(waiting.await.unwrap());
        }
        assert_eq!((gate.load(), gate.state.lock().held.len()), ((0, [0, 0]), 0));
    }

    #[tokio::test]
    async fn a_caller_that_has_nothing_is_queued_where_a_flood_is_refused() {
        let gate = Arc::new(Gate::new(1, 2));
        let first = gate.enter(Class::Interactive, of("flood")).await.unwrap();
        let mut flood: Vec<_> = (0..2).map(|_| Box::pin(gate.enter(Class::Interactive, of("flood")))).collect();
        assert!(flood.iter_mut().all(|waiting| futures_poll(waiting.as_mut()).is_none()));
        assert_eq!(gate.enter(Class::Interactive, of("flood")).await.unwrap_err(), Overloaded);
        let mut good = Box::pin(gate.enter(Class::Interactive, of("good")));
        assert!(futures_poll(good.as_mut()).is_none(), "it is queued");
        assert_eq!(gate.enter(Class::Interactive, of("good")).await.unwrap_err(), Overloaded, "once");
        assert_eq!(flood.remove(1).await.unwrap_err(), Overloaded, "the newest of the flood made room");
        drop(first);
        let good = good.await.expect("before the flood, which came first and has had a place");
        drop(good);
        drop(flood.remove(0).await.unwrap());
        assert_eq!(gate.load(), (0, [0, 0]));
    }

    fn futures_poll<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match future.poll(&mut context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        }
    }
}
