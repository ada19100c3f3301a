//! One bracket of evidence: `[1: "quote"]`, and what models make of it.

use super::draft::Cite;

/// A longer bracket is none, in bytes.
const MAX_BYTES: usize = 4 * 1024;
/// More digits are no passage's number.
const MAX_DIGITS: usize = 4;

/// What begins at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Marker {
    /// No evidence.
    None,
    /// It may be evidence: more has to come before that is known.
    Incomplete,
    /// Evidence, and how long it is in bytes.
    Found { len: usize, cites: Vec<Cite> },
}

/// Whether evidence may begin here, as far as can be seen.
pub(super) fn may_begin(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(['[', '【']) else { return false };
    let rest = after_word(rest.trim_start());
    rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_digit())
}

/// What begins at the start of `text`. `is_end` says that nothing more comes.
pub(super) fn at(text: &str, is_end: bool, is_quote: &dyn Fn(usize, &str) -> bool) -> Marker {
    let (open, close) = match text.chars().next() {
        Some('[') => ('[', ']'),
        Some('【') => ('【', '】'),
        _ => return Marker::None,
    };
    let mut bracket = Bracket { text, at: open.len_utf8(), close, is_end, is_quote, cites: Vec::new() };
    match bracket.read() {
        Some(true) => Marker::Found { len: bracket.at, cites: bracket.cites },
        Some(false) => Marker::None,
        None if is_end || text.len() > MAX_BYTES => Marker::None,
        None => Marker::Incomplete,
    }
}

/// Leaves out `^` and the word `passage`.
fn after_word(text: &str) -> &str {
    let text = text.strip_prefix('^').unwrap_or(text);
    let word = "passage";
    let is_word = text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    if is_word { text[word.len()..].trim_start() } else { text }
}

struct Bracket<'a> {
    text: &'a str,
    at: usize,
    close: char,
    is_end: bool,
    is_quote: &'a dyn Fn(usize, &str) -> bool,
    cites: Vec<Cite>,
}

impl Bracket<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn skip_space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// Goes through the bracket. `Some(true)` where it is evidence, `Some(false)` where it is none, `None` where it has not ended.
    fn read(&mut self) -> Option<bool> {
        loop {
            self.skip_space();
            if "passage".starts_with(&self.rest().to_ascii_lowercase()) {
                return None;
            }
            self.at = self.text.len() - after_word(self.rest()).len();
            let num_digits = self.rest().bytes().take_while(u8::is_ascii_digit).count();
            if num_digits == 0 && self.rest().is_empty() {
                return None;
            }
            if num_digits == 0 || num_digits > MAX_DIGITS {
                return Some(false);
            }
            let passage: usize = self.rest()[..num_digits].parse().ok()?;
            self.at += num_digits;
            self.skip_space();
            if self.rest().starts_with(':') {
                self.at += 1;
                if !self.read_quotes(passage)? {
                    return Some(false);
                }
            } else {
                self.cites.push(Cite { passage, quote: None });
            }
            self.skip_space();
            let next = self.rest().chars().next()?;
            self.at += next.len_utf8();
            match next {
                c if c == self.close => return Some(true),
                ',' | ';' => {}
                _ => return Some(false),
            }
        }
    }

    /// The quotes of one passage: several may stand behind one number.
    fn read_quotes(&mut self, passage: usize) -> Option<bool> {
        loop {
            self.skip_space();
            let open = self.rest().chars().next()?;
            let closes: &[char] = match open {
                '"' | '“' | '”' | '„' => &['"', '”', '“'],
                '\'' | '‘' => &['\'', '’'],
                '«' => &['»'],
                _ => return self.read_bare(passage),
            };
            self.at += open.len_utf8();
            let (quote, len) = self.quote(passage, closes)?;
            self.cites.push(Cite { passage, quote: Some(quote) });
            self.at += len;
            // Another quote of the same passage follows, or something else.
            let rest = self.rest().trim_start();
            let Some(more) = rest.strip_prefix([',', ';']) else { return Some(true) };
            let more = more.trim_start();
            if more.is_empty() {
                return None;
            }
            if !more.starts_with(['"', '“', '„', '‘', '\'', '«']) {
                return Some(true);
            }
            self.at = self.text.len() - more.len();
        }
    }

    /// Words without quote marks, up to the end of the bracket.
    fn read_bare(&mut self, passage: usize) -> Option<bool> {
        let end = self.rest().find(self.close)?;
        let quote = self.rest()[..end].trim().to_owned();
        self.at += end;
        if quote.is_empty() {
            return Some(false);
        }
        self.cites.push(Cite { passage, quote: Some(quote) });
        Some(true)
    }

    /// The quote that begins here, and its bytes with the mark that closes it. The quote may hold such marks itself: it ends
    /// where what it is then stands in the passage, or else where it first can.
    fn quote(&self, passage: usize, closes: &[char]) -> Option<(String, usize)> {
        let rest = self.rest();
        // What it is where nothing better comes: something that stands in the passage, or else the first that can end.
        let (mut first, mut verbatim) = (None, None);
        for (end, mark) in rest.match_indices(|c: char| closes.contains(&c)) {
            let behind = rest[end + mark.len()..].trim_start();
            if behind.is_empty() {
                break;
            }
            let ends_here = behind.starts_with(self.close)
                || behind.strip_prefix([',', ';']).is_some_and(|more| {
                    more.trim_start().starts_with(|c: char| c.is_ascii_digit() || "\"“„‘'«p".contains(c))
                });
            if !ends_here {
                continue;
            }
            let found = (rest[..end].to_owned(), end + mark.len());
            if (self.is_quote)(passage, &found.0) {
                // Marks come in pairs; where one is left over, the end is likely to be another.
                if found.0.matches('"').count() % 2 == 0 {
                    return Some(found);
                }
                verbatim = verbatim.or_else(|| Some(found.clone()));
            }
            first = first.or(Some(found));
            // No quote goes over into another paragraph.
            if rest[..end].contains("\n\n") {
                break;
            }
        }
        let is_over = self.is_end || rest.len() > MAX_BYTES || rest.contains('\n');
        if is_over { verbatim.or(first) } else { None }
    }
}
