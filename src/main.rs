//! The `pincite` program: see `pincite --help`.

use std::process::ExitCode;

/// Commits of a few files allocate and free the same large tables again and again; the system's allocator gives their
/// pages back each time, and a commit takes three times as long.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    pincite::cli::run()
}
