//! How many files, folders and connections the process may have open at once.

use super::ServeError;

/// A server with fewer could listen, and then accept nobody once its index is open.
const LEAST: u64 = 64;

/// Takes as many as the system lets the process have.
///
/// # Errors
/// [`ServeError::Descriptors`] where these are too few.
#[cfg(unix)]
pub fn take_descriptors() -> Result<(), ServeError> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // Where that is refused, it stays at what it was.
    let raised = current != maximum && setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok();
    match if raised { maximum } else { current } {
        Some(most) if most < LEAST => Err(ServeError::Descriptors { most, least: LEAST }),
        _ => Ok(()),
    }
}

/// Other systems have no such limit.
#[cfg(not(unix))]
pub fn take_descriptors() -> Result<(), ServeError> {
    Ok(())
}
