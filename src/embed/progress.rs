//! How a fetch tells a person how far it is.

/// Is told how far a fetch is. The command line draws a bar; [`Silent`] does nothing.
///
/// Calls come from one thread, in the order `begin`, any number of `advance_to`, `end`; several fetches may follow each
/// other.
pub trait Progress: Send + Sync {
    /// A fetch of `what` begins; `total_bytes` is its size where it is known.
    fn begin(&self, what: &str, total_bytes: Option<u64>);

    /// So many bytes are there by now. Never falls during one fetch.
    fn advance_to(&self, num_bytes: u64);

    /// The fetch is over, whether or not it succeeded.
    fn end(&self);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _what: &str, _total_bytes: Option<u64>) {}
    fn advance_to(&self, _num_bytes: u64) {}
    fn end(&self) {}
}
