//! Named steps of the change line, at which a test ends the process: nothing in any other build.
//!
//! # Invariants
//! - A build that is not the test of this crate has no failpoints: [`reach`] is empty there.

/// The line has come to this step.
#[cfg(not(test))]
pub(crate) const fn reach(_: &'static str) {}

#[cfg(test)]
pub(crate) use armed::reach;

#[cfg(test)]
pub(crate) mod armed {
    use std::io::Write as _;
    use std::sync::LazyLock;

    use parking_lot::Mutex;

    /// The file that is told of every step. Without it no step is counted.
    pub(crate) const TRACE: &str = "PINCITE_FAILPOINT_TRACE";
    /// The number of the step, from 1, at which the process ends.
    pub(crate) const ABORT_AT: &str = "PINCITE_FAILPOINT_ABORT_AT";

    struct Plan {
        trace: fs_err::File,
        num_reached: usize,
        abort_at: Option<usize>,
    }

    static PLAN: LazyLock<Option<Mutex<Plan>>> = LazyLock::new(|| {
        let trace = fs_err::File::create(std::env::var_os(TRACE)?).unwrap();
        let abort_at = std::env::var(ABORT_AT).ok().map(|number| number.parse().unwrap());
        Some(Mutex::new(Plan { trace, num_reached: 0, abort_at }))
    });

    /// Counts the step, and ends the process if it is the one: no destructor runs, as at a crash.
    pub(crate) fn reach(step: &'static str) {
        let Some(plan) = &*PLAN else { return };
        let mut plan = plan.lock();
        plan.num_reached += 1;
        writeln!(plan.trace, "{step}").unwrap();
        if Some(plan.num_reached) == plan.abort_at {
            std::process::abort();
        }
    }
}
