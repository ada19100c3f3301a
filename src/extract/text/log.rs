//! Logs: one block a record, a line that begins with a time or a level together with the lines that continue it.
//!
//! # Not here
//! What a time means: records are not sorted or filtered by it.

use crate::extract::builder::Blocks;
use crate::extract::text::{self, MAX_PARAGRAPH_BYTES};
use crate::extract::{Block, BlockKind};
use crate::workspace::Span;

/// How many lines are looked at to tell a log by its content.
const NUM_SNIFFED_LINES: usize = 40;

/// The records of a log; a text without any is read as paragraphs.
pub(in crate::extract) fn read(text: &str) -> Vec<Block> {
    let mut blocks = Blocks::new(text);
    let mut open: Option<usize> = None;
    for line in text::lines(text, Span::new(0, text.len())) {
        let begins = begins_record(&text[line.range()]);
        if let Some(start) = open {
            if begins || line.end - start > MAX_PARAGRAPH_BYTES {
                blocks.push(BlockKind::LogLine, Span::new(start, line.start));
                open = Some(line.start);
            }
        } else if begins {
            blocks.push_paragraphs(BlockKind::LogLine, Span::new(blocks.covered(), line.start));
            open = Some(line.start);
        }
    }
    match open {
        Some(start) => blocks.push(BlockKind::LogLine, Span::new(start, text.len())),
        None => blocks.push_paragraphs(BlockKind::LogLine, Span::new(0, text.len())),
    }
    blocks.finish()
}

/// Where the last record begins.
pub(in crate::extract) fn last_record(text: &str) -> Option<usize> {
    let mut end = text.len();
    while end > 0 {
        let start = text[..end - 1].rfind('\n').map_or(0, |at| at + 1);
        if begins_record(&text[start..end]) {
            return Some(start);
        }
        end = start;
    }
    None
}

/// Whether at least half of the first lines begin records, and there are three of them.
pub(in crate::extract) fn is_log(text: &str) -> bool {
    let (mut num_lines, mut num_records) = (0, 0);
    for line in text.lines().filter(|line| !line.trim().is_empty()).take(NUM_SNIFFED_LINES) {
        num_lines += 1;
        num_records += usize::from(begins_record(line));
    }
    num_records >= 3 && num_records * 2 >= num_lines
}

/// Whether a record begins with `line`: a time, a level, or a `key=value` of either, perhaps in brackets.
fn begins_record(line: &str) -> bool {
    let line = line.trim_start_matches('\u{feff}');
    // A continuation line is indented; a record is not.
    if line.starts_with([' ', '\t']) {
        return false;
    }
    let head = line.as_bytes();
    let head = &head[..head.len().min(80)];
    let bare = head.trim_ascii_start().strip_prefix(b"[").unwrap_or(head);
    begins_with_time(bare) || begins_with_level(bare) || begins_with_pair(bare) || is_access_line(head)
}

fn begins_with_time(head: &[u8]) -> bool {
    const MONTHS: [&[u8; 3]; 12] =
        [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];
    // `I1123 12:58:41.123` of klog and glog.
    let klog = || head.first().is_some_and(|c| b"IWEF".contains(c)) && fits(&head[1..], b"9999 99:99:99");
    // `Nov 23 12:58:41`, `Mon Nov 23 …`.
    let syslog = |head: &[u8]| {
        head.len() > 6
            && MONTHS.iter().any(|month| head[..3].eq_ignore_ascii_case(*month))
            && (fits(&head[3..], b" 99 99:99") || fits(&head[3..], b"  9 99:99") || fits(&head[3..], b" 9 99:99"))
    };
    let epoch = || {
        let digits = head.iter().take_while(|byte| byte.is_ascii_digit()).count();
        (10..=19).contains(&digits) && matches!(head.get(digits), Some(b' ' | b'.' | b',' | b'\t' | b']'))
    };
    [
        b"9999-99-99T99:99".as_slice(),
        b"9999-99-99 99:99",
        b"9999/99/99 99:99",
        b"9999.99.99 99:99",
        b"99/99/9999 99:99",
        b"99-99-9999 99:99",
        b"99.99.9999 99:99",
        b"99/aaa/9999:99:99",
        b"99-aaa-9999 99:99",
        b"99:99:99",
        b"999999 99:99:99",
        b"99/99/99 99:99:99",
    ]
    .iter()
    .any(|pattern| fits(head, pattern))
        || klog()
        || syslog(head)
        || (head.len() > 4 && head[3] == b' ' && syslog(&head[4..]))
        || epoch()
}

/// Whether `head` begins with `pattern`, where `9` stands for any digit and `a` for any letter.
fn fits(head: &[u8], pattern: &[u8]) -> bool {
    head.len() >= pattern.len()
        && pattern.iter().zip(head).all(|(pattern, byte)| match pattern {
            b'9' => byte.is_ascii_digit(),
            b'a' => byte.is_ascii_alphabetic(),
            _ => byte == pattern,
        })
}

fn begins_with_level(head: &[u8]) -> bool {
    const LEVELS: [&[u8]; 13] = [
        b"TRACE",
        b"DEBUG",
        b"INFO",
        b"NOTICE",
        b"WARNING",
        b"WARN",
        b"ERROR",
        b"ERR",
        b"FATAL",
        b"CRITICAL",
        b"CRIT",
        b"SEVERE",
        b"PANIC",
    ];
    LEVELS.iter().any(|level| {
        head.len() > level.len()
            && head[..level.len()] == **level
            && matches!(head[level.len()], b' ' | b':' | b']' | b'\t' | b'|' | b'[' | b'(')
    })
}

fn begins_with_pair(head: &[u8]) -> bool {
    [b"time=".as_slice(), b"ts=", b"level=", b"lvl=", b"timestamp=", b"t="].iter().any(|key| head.starts_with(key))
}

/// `203.0.113.7 - - [23/Nov/2026:…`: a web server's access log.
fn is_access_line(head: &[u8]) -> bool {
    head.windows(5).any(|window| window == b" - - ") && head.windows(11).any(|window| fits(window, b"[99/aaa/999"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &str) -> Vec<&str> {
        read(text).iter().map(|block| block.span.of(text).expect("in range")).collect()
    }

    #[test]
    fn continuation_lines_stay_with_their_record() {
        let text =
            "preamble\n2026-11-23T12:00:00Z ERROR boom\n  at f (a.rs:1)\ncaused by: x\n2026-11-23T12:00:01Z ok\n";
        assert_eq!(
            records(text),
            ["preamble", "2026-11-23T12:00:00Z ERROR boom\n  at f (a.rs:1)\ncaused by: x", "2026-11-23T12:00:01Z ok"]
        );
    }

    #[test]
    fn the_usual_beginnings_are_known() {
        for line in [
            "2026-11-23 12:00:00,123 - root - INFO",
            "[2026/11/23 12:00:00] x",
            "Nov  3 12:00:00 host sshd[1]: x",
            "Mon Nov 23 12:00:00 2026 x",
            "I1123 12:58:41.123456 1 main.go:7] x",
            "12:00:00 x",
            "1732366721.123 x",
            "[INFO] x",
            "WARNING: x",
            "level=info msg=x",
            "203.0.113.7 - - [23/Nov/2026:12:00:00 +0000] \"GET / HTTP/1.1\" 200 1",
        ] {
            assert!(begins_record(line), "{line}");
        }
        for line in ["Information for users", "  2026-11-23T12:00 indented", "a line", "", "INFORMATION"] {
            assert!(!begins_record(line), "{line}");
        }
    }

    #[test]
    fn a_log_without_times_is_read_as_paragraphs() {
        assert_eq!(
            records("This is pdfTeX\n(./a.tex\n\nOutput written\n"),
            ["This is pdfTeX\n(./a.tex", "Output written"]
        );
    }
}
