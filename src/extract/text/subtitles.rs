//! Subtitles, SRT and `WebVTT`: the cues that are shown one after another, under the time of the first.
//!
//! # Invariants
//! - The text is the file, so that a citation names its lines; the time of a passage is in its trail.

use std::sync::Arc;

use crate::extract::builder::{Blocks, no_trail};
use crate::extract::{Block, BlockKind, text};
use crate::workspace::Span;

/// Cues are put together up to this size: a cue by itself is half a sentence.
const GROUP_BYTES: usize = 800;

/// The blocks of subtitles.
pub(in crate::extract) fn read(text: &str) -> Vec<Block> {
    let mut blocks = Blocks::new(text);
    let mut group: Option<(Span, String)> = None;
    for cue in text::paragraphs(text, Span::new(0, text.len())) {
        let Some(time) = time(&text[cue.range()]) else {
            push(&mut blocks, group.take());
            blocks.set_trail(no_trail());
            blocks.push(BlockKind::Prose, cue);
            continue;
        };
        group = match group.take() {
            Some((span, first)) if cue.end - span.start <= GROUP_BYTES => Some((Span::new(span.start, cue.end), first)),
            full => {
                push(&mut blocks, full);
                Some((cue, time))
            }
        };
    }
    push(&mut blocks, group);
    blocks.finish()
}

fn push(blocks: &mut Blocks<'_>, group: Option<(Span, String)>) {
    if let Some((span, time)) = group {
        blocks.set_trail(Arc::from(vec![time]));
        blocks.push(BlockKind::Prose, span);
    }
}

/// The time from which a cue is shown, without parts of seconds.
fn time(cue: &str) -> Option<String> {
    let line = cue.lines().take(2).find(|line| line.contains("-->"))?;
    let start = line.split("-->").next()?.trim().trim_start_matches('\u{feff}');
    let start = start.split([',', '.']).next()?;
    let is_time =
        start.contains(':') && start.len() <= 12 && start.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
    is_time.then(|| start.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cues_stand_together_under_the_time_of_the_first() {
        let mut text = "\u{feff}WEBVTT - Talk\n\nNOTE a comment\n\n".to_owned();
        for second in 10..40 {
            let cue = format!("{second}\n00:00:{second},500 --> 00:00:{second},900\nWords of a speaker\n\n");
            text.push_str(&cue);
        }
        let blocks = read(&text);
        let trails: Vec<String> = blocks.iter().map(|block| block.trail.join(" > ")).collect();
        assert_eq!(trails[..3], ["", "", "00:00:10"]);
        assert!(trails.len() == 4 && trails[3].starts_with("00:00:2"), "{trails:?}");
        assert!(blocks.iter().all(|block| block.span.len() <= GROUP_BYTES));
    }
}
