//! What runs in the background of an engine: the line, and what tells webhooks.

use std::time::{Duration, Instant};

use super::{Engine, EngineError};
use crate::{notify, scheduler};

/// The line and the courier of webhooks while they run. Dropping it ends both after the piece of work that they are at.
pub struct Runner {
    courier: notify::Running,
    line: scheduler::Runner,
}

impl Engine {
    /// Runs the line: from now on the folders of all workspaces are watched, and changes are brought in as they are logged and told to webhooks,
    /// here or, as long as another process indexes, there.
    ///
    /// # Errors
    /// When this process only reads, the log cannot be read, or the system has no thread left.
    pub fn run(&self) -> Result<Runner, EngineError> {
        let line = self.scheduler.run()?;
        let (data, scheduler) = (self.data.clone(), self.scheduler.clone());
        let told = (self.journal.clone(), self.violations.clone());
        Ok(Runner { courier: notify::run(data, scheduler, &self.doorman, self.sent.clone(), told)?, line })
    }
}

impl Runner {
    /// Ends both, and returns whether they have ended within `deadline`. What they were at is done again at the next start.
    #[must_use]
    pub fn stop_within(self, deadline: Duration) -> bool {
        let Self { mut courier, line } = self;
        courier.tell_to_stop();
        let end = Instant::now() + deadline;
        let is_line_over = line.stop_within(deadline);
        while !courier.is_over() {
            if Instant::now() >= end {
                courier.leave();
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        is_line_over
    }
}
