//! How every error of the program speaks to a person: a stable code and the remedy beside the message.
//!
//! # Not here
//! Each module keeps its own error enum, split by what the caller does next; this is only what they share.

/// An error that can say what to do next.
pub trait Advice: std::error::Error {
    /// A stable `snake_case` word for programs, sent by REST and MCP as `code`.
    fn code(&self) -> &'static str;

    /// The remedy in one sentence without a full stop, or `None` where there is nothing to do but read the message.
    fn hint(&self) -> Option<String> {
        None
    }
}
