//! The difference of two texts, as people and tools read it.

use std::fmt::Write as _;
use std::time::Duration;

use similar::TextDiff;

/// Bytes of a difference that are shown.
pub const MAX_DIFF_BYTES: usize = 16 * 1024;
/// Lines around what differs.
const CONTEXT: usize = 3;
/// How long the shortest difference is looked for; after that, a longer one is taken.
const LOOKS_FOR: Duration = Duration::from_millis(500);

/// The unified difference of two texts of a file, of at most [`MAX_DIFF_BYTES`]; a last line says what was left out.
#[must_use]
pub fn unified(path: &str, before: &str, after: &str) -> String {
    let diff = TextDiff::configure().timeout(LOOKS_FOR).diff_lines(before, after);
    let mut shown = String::new();
    let mut num_left_out = 0;
    for hunk in diff.unified_diff().context_radius(CONTEXT).iter_hunks() {
        let mut written = String::new();
        // Writing to a string cannot fail.
        let _ = write!(written, "{hunk}");
        if shown.len() + written.len() > MAX_DIFF_BYTES {
            num_left_out += 1;
        } else if num_left_out == 0 {
            shown.push_str(&written);
        }
    }
    if shown.is_empty() && num_left_out == 0 {
        return shown;
    }
    let mut whole = format!("--- a/{path}\n+++ b/{path}\n{shown}");
    if num_left_out > 0 {
        let _ = writeln!(whole, "… {num_left_out} changed places more are left out");
    }
    whole
}
