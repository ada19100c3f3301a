//! Text that cannot steer a terminal: files, servers and their errors may hold escape sequences.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

/// Writes each control character but line ends and tabs, and each mark that turns the direction of text, as `\u{1b}`.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    if !text.chars().any(steers) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if steers(character) {
            let _ = write!(shown, "{}", character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// Writes what `as_text` writes, as [`plain`] shows it.
pub(super) fn write(out: &mut dyn Write, as_text: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut text = Vec::new();
    as_text(&mut text)?;
    out.write_all(plain(&String::from_utf8_lossy(&text)).as_bytes())
}

fn steers(character: char) -> bool {
    let turns = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || character.is_control() && !matches!(character, '\n' | '\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_is_written_as_it_is() {
        assert_eq!(plain("red \u{1b}[31m, back\r, C1 \u{9b}2J"), "red \\u{1b}[31m, back\\u{d}, C1 \\u{9b}2J");
        assert_eq!(plain("abc\u{202e}txt.exe"), "abc\\u{202e}txt.exe");
    }

    #[test]
    fn text_of_any_language_is_written_as_it_is() {
        let text = "Zeile\n\tÄrger über 水位, שלום \u{200f}\u{200d}👩‍🚀\n";
        assert!(matches!(plain(text), Cow::Borrowed(same) if same == text));
    }
}
