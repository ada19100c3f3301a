//! Places at which tests have calls hang.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// Places at which tests have calls hang, with how many pass first.
#[derive(Default)]
pub(super) struct Gates {
    closed: Mutex<BTreeMap<String, usize>>,
    opened: Condvar,
}

impl Gates {
    pub(super) fn close(&self, place: &str, num_passes: usize) {
        self.closed.lock().insert(place.to_owned(), num_passes);
    }

    pub(super) fn open(&self, place: &str) {
        self.closed.lock().remove(place);
        self.opened.notify_all();
    }

    /// Hangs where the place is closed, after `hang` has said so.
    pub(super) fn pass(&self, place: &str, hang: &dyn Fn()) {
        let mut closed = self.closed.lock();
        match closed.get_mut(place) {
            None => return,
            Some(0) => hang(),
            Some(left) => {
                *left -= 1;
                return;
            }
        }
        while closed.contains_key(place) {
            self.opened.wait(&mut closed);
        }
    }
}

/// Waits for what another thread is about to do.
pub(crate) fn until(is_so: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_mins(10);
    while !is_so() {
        assert!(Instant::now() < end, "it does not come");
        std::thread::yield_now();
    }
}
