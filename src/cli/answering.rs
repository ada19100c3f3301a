//! An answer on a terminal while it comes: each sentence as soon as it is checked.

use std::io::{self, Write as _};

use super::text;
use crate::answer::AskEvent;

/// What a reader has seen of an answer so far.
pub(super) struct Answering {
    is_shown: bool,
    num_shown: usize,
}

impl Answering {
    pub(super) const fn new(is_shown: bool) -> Self {
        Self { is_shown, num_shown: 0 }
    }

    /// Sentences of the final answer that were shown.
    pub(super) const fn num_shown(&self) -> usize {
        self.num_shown
    }

    /// Shows what has come. Fails when nobody reads any more.
    pub(super) fn tell(&mut self, event: &AskEvent<'_>) -> io::Result<()> {
        if !self.is_shown {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        match event {
            AskEvent::Sentence { sentence, .. } => {
                text::sentence(&mut out, "", sentence)?;
                self.num_shown += 1;
            }
            AskEvent::Fallback(_) if self.num_shown > 0 => {
                writeln!(out, "(the model ended before its answer: what stands above does not count)\n")?;
                self.num_shown = 0;
            }
            AskEvent::Fallback(_) | AskEvent::Passages(_) | AskEvent::Waiting | AskEvent::Delta(_) => {}
        }
        out.flush()
    }
}
