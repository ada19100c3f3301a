//! What wakes the background thread when something was logged in this process.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// Wakes the line.
#[derive(Debug, Default)]
pub(super) struct Bell {
    is_rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    pub(super) fn ring(&self) {
        *self.is_rung.lock() = true;
        self.changed.notify_all();
    }

    /// Waits until the bell is rung, but no longer than `most`. One waits at a time.
    pub(super) fn wait(&self, most: Duration) -> bool {
        let mut guard = self.is_rung.lock();
        self.changed.wait_while_for(&mut guard, |rung| !*rung, most);
        std::mem::take(&mut *guard)
    }
}
