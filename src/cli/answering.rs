//! An answer on a terminal while it comes: each sentence as soon as it is checked.

use std::io::{self, Write as _};

use super::{plain, text};
use crate::answer::{AskEvent, Sentence};

/// What is told of an answer while it comes, here or over a wire.
#[derive(Debug, Clone, Copy)]
pub(super) enum Told<'a> {
    /// A sentence of the answer, checked.
    Sentence(&'a Sentence),
    /// The sentences until here do not count: the model gave no answer.
    Fallback,
}

impl<'a> Told<'a> {
    /// What a reader is told of an event of the engine, where it is told of it.
    pub(super) const fn of(event: &AskEvent<'a>) -> Option<Self> {
        match event {
            AskEvent::Sentence { sentence, .. } => Some(Self::Sentence(sentence)),
            AskEvent::Fallback(_) => Some(Self::Fallback),
            AskEvent::Passages(_) | AskEvent::Waiting | AskEvent::Delta(_) => None,
        }
    }
}

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
    pub(super) fn tell(&mut self, told: Told<'_>) -> io::Result<()> {
        if !self.is_shown {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        match told {
            Told::Sentence(sentence) => {
                plain::write(&mut out, |out| text::sentence(out, "", sentence))?;
                self.num_shown += 1;
            }
            Told::Fallback if self.num_shown > 0 => {
                writeln!(out, "(the model ended before its answer: what stands above does not count)\n")?;
                self.num_shown = 0;
            }
            Told::Fallback => {}
        }
        out.flush()
    }
}
