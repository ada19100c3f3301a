//! Rich Text Format: its words by paragraph, table row and heading.
//!
//! # Invariants
//! - The text is made here: what a reader of the printed document sees, notes and comments after the paragraph that they
//!   stand in; no pictures, field instructions or hidden words.
//! - One pass over the bytes and a stack of open groups on the heap: no nesting is too deep.
//! - Nothing has to be valid: what makes no sense is passed over, and a file that breaks off is read up to there.

mod charset;
mod page;
#[cfg(test)]
mod tests;
mod tokens;

use std::collections::HashMap;

use encoding_rs::Encoding;

use super::builder::label;
use super::{Document, Format};
use page::Page;
use tokens::{Token, Tokens};

/// Reads the document of an RTF file.
pub(super) fn read(bytes: &[u8]) -> Document {
    let mut reader = Reader {
        page: Page::default(),
        groups: Vec::new(),
        state: State::default(),
        default_encoding: encoding_rs::WINDOWS_1252,
        fonts: HashMap::new(),
        styles: HashMap::new(),
        default_font: None,
        pending: Vec::new(),
        high_surrogate: None,
        num_skipped: 0,
        is_start: false,
        is_star: false,
        title: None,
        name: String::new(),
        font: None,
        style: None,
    };
    for token in Tokens::of(bytes) {
        reader.take(token);
    }
    reader.finish()
}

/// Where the words of a group go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Target {
    /// Into the paragraph, or the note, that is open.
    #[default]
    Body,
    /// Nowhere, but groups inside may have words: a shape around its text box.
    Frame,
    Nowhere,
    FontTable,
    StyleSheet,
    /// The properties of the document.
    Properties,
    Title,
}

/// What a group may change and its end restores.
#[derive(Debug, Clone, Copy, Default)]
struct State {
    target: Target,
    /// Whether the group began a note or a list label, which its end completes.
    opens: Option<page::Aside>,
    font: Option<i32>,
    /// Bytes that stand for a character written as `\u`; 1 where not said.
    num_fallback: Option<u8>,
    is_hidden: bool,
    in_table: bool,
    /// The level of the heading that the paragraph is, 0 outermost.
    level: Option<u8>,
}

struct Reader {
    page: Page,
    groups: Vec<State>,
    state: State,
    default_encoding: &'static Encoding,
    fonts: HashMap<i32, &'static Encoding>,
    /// Levels of the styles that are headings.
    styles: HashMap<i32, u8>,
    default_font: Option<i32>,
    /// Bytes of words that are not yet decoded.
    pending: Vec<u8>,
    high_surrogate: Option<u16>,
    /// Fallback characters that are still to be skipped.
    num_skipped: u32,
    /// Whether the group has just begun: only there a star has a meaning.
    is_start: bool,
    is_star: bool,
    title: Option<String>,
    /// The words of a style's name or of the title.
    name: String,
    /// The font and the style that are defined by the open group of their tables.
    font: Option<i32>,
    style: Option<(i32, Option<u8>)>,
}

impl Reader {
    fn take(&mut self, token: Token<'_>) {
        let is_start = std::mem::replace(&mut self.is_start, matches!(token, Token::Open));
        match token {
            Token::Symbol(b'*') => self.is_star = is_start,
            Token::Open => {
                self.flush();
                self.num_skipped = 0;
                self.groups.push(self.state);
                self.state.opens = None;
            }
            Token::Close => self.close(),
            Token::Byte(byte) => self.byte(byte),
            Token::Symbol(symbol) => self.symbol(symbol),
            Token::Word(word, number) => {
                let is_star = std::mem::take(&mut self.is_star);
                self.word(word, number, is_star);
            }
        }
    }

    fn close(&mut self) {
        self.flush();
        self.num_skipped = 0;
        self.is_star = false;
        match self.state.target {
            Target::StyleSheet => {
                let name = std::mem::take(&mut self.name);
                if let Some((style, level)) = self.style.take()
                    && let Some(level) = heading_level(&name).or(level)
                {
                    self.styles.insert(style, level);
                }
            }
            Target::Title
                if self.title.is_none()
                    && self.groups.last().is_some_and(|outer| outer.target == Target::Properties) =>
            {
                self.title = Some(label(&std::mem::take(&mut self.name))).filter(|title| !title.is_empty());
            }
            _ => {}
        }
        if let Some(aside) = self.state.opens {
            self.page.end_aside(aside);
        }
        self.state = self.groups.pop().unwrap_or_default();
    }

    fn is_read(&self) -> bool {
        let is_kept = matches!(self.state.target, Target::Body | Target::StyleSheet | Target::Title);
        is_kept && !self.state.is_hidden
    }

    fn byte(&mut self, byte: u8) {
        if self.num_skipped > 0 {
            self.num_skipped -= 1;
        } else if self.is_read() {
            self.pending.push(byte);
        }
    }

    /// Decodes the bytes that wait.
    fn flush(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let font = self.state.font.or(self.default_font);
        let encoding = font.and_then(|font| self.fonts.get(&font)).copied().unwrap_or(self.default_encoding);
        let pending = std::mem::take(&mut self.pending);
        let (words, _) = encoding.decode_without_bom_handling(&pending);
        self.put(&words);
    }

    fn put(&mut self, words: &str) {
        if matches!(self.state.target, Target::StyleSheet | Target::Title) {
            self.name.push_str(words);
        } else {
            self.page.words(words);
        }
    }

    fn words(&mut self, words: &str) {
        self.flush();
        if self.num_skipped > 0 {
            self.num_skipped -= 1;
        } else if self.is_read() {
            self.put(words);
        }
    }

    fn symbol(&mut self, symbol: u8) {
        match symbol {
            b'~' => self.words("\u{a0}"),
            b'_' => self.words("-"),
            b'\r' | b'\n' => self.word("par", None, false),
            b'\t' => self.words("\t"),
            _ => {}
        }
    }

    fn unicode(&mut self, number: i32) {
        self.flush();
        self.num_skipped = u32::from(self.state.num_fallback.unwrap_or(1));
        if !self.is_read() {
            return;
        }
        // Numbers are signed and of 16 bits; some writers go beyond.
        let number = if number < 0 { number + 0x1_0000 } else { number };
        let Ok(number) = u32::try_from(number) else { return };
        let unit = u16::try_from(number).ok();
        let high = self.high_surrogate.take();
        let c = match (high, unit) {
            (Some(high), Some(low)) => char::decode_utf16([high, low]).next().and_then(Result::ok),
            _ => char::from_u32(number),
        };
        match c.or_else(|| char::from_u32(number)) {
            Some('\0') => {}
            Some(c) => self.put(c.encode_utf8(&mut [0; 4])),
            None => self.high_surrogate = unit,
        }
    }

    fn word(&mut self, word: &str, number: Option<i32>, is_star: bool) {
        if word == "u" {
            return self.unicode(number.unwrap_or(0));
        }
        if let Some(target) = target(word, is_star) {
            return self.begin(target);
        }
        if is_star {
            return self.begin(Destination::Target(Target::Nowhere));
        }
        let is_on = number != Some(0);
        match word {
            "ansicpg" => {
                let page = number.and_then(|page| u16::try_from(page).ok());
                self.default_encoding = page.and_then(charset::of_code_page).unwrap_or(self.default_encoding);
            }
            "mac" => self.default_encoding = encoding_rs::MACINTOSH,
            "deff" => self.default_font = number,
            "uc" => self.state.num_fallback = number.and_then(|count| u8::try_from(count).ok()),
            "f" if self.state.target == Target::FontTable => self.font = number,
            "fcharset" => {
                if let (Target::FontTable, Some(font), Some(number)) = (self.state.target, self.font, number)
                    && let Some(encoding) = charset::of_font(number)
                {
                    self.fonts.insert(font, encoding);
                }
            }
            "f" => {
                self.flush();
                self.state.font = number;
            }
            "plain" => {
                self.flush();
                (self.state.font, self.state.is_hidden) = (None, false);
            }
            "v" | "deleted" => {
                self.flush();
                self.state.is_hidden = is_on;
            }
            "s" if self.state.target == Target::StyleSheet => self.style = number.map(|style| (style, None)),
            "outlinelevel" => self.outline(number),
            "s" => self.state.level = number.and_then(|style| self.styles.get(&style)).copied(),
            "pard" => (self.state.in_table, self.state.level) = (false, None),
            "intbl" => self.state.in_table = is_on,
            _ => self.layout(word),
        }
    }

    fn outline(&mut self, number: Option<i32>) {
        let level = number.and_then(|level| u8::try_from(level).ok()).filter(|level| *level < 9).map(|level| level + 1);
        match &mut self.style {
            Some((_, style_level)) if self.state.target == Target::StyleSheet => *style_level = level,
            _ => self.state.level = level,
        }
    }

    /// Words that place words, and those that are a character.
    fn layout(&mut self, word: &str) {
        let characters = match word {
            "tab" => "\t",
            "emspace" | "enspace" | "qmspace" => " ",
            "emdash" => "—",
            "endash" => "–",
            "bullet" => "•",
            "lquote" => "‘",
            "rquote" => "’",
            "ldblquote" => "“",
            "rdblquote" => "”",
            "line" | "lbr" => "\n",
            "nestcell" => " | ",
            _ => "",
        };
        if !characters.is_empty() {
            return self.words(characters);
        }
        if self.state.target != Target::Body || !matches!(word, "par" | "sect" | "page" | "cell" | "row" | "nestrow") {
            return;
        }
        self.flush();
        match word {
            "cell" => self.page.end_cell(),
            "row" => self.page.end_row(),
            "nestrow" => self.page.words(" "),
            _ if self.state.in_table => self.page.words(" "),
            _ => self.page.end_paragraph(self.state.level),
        }
    }

    fn begin(&mut self, destination: Destination) {
        self.flush();
        let is_nowhere = matches!(self.state.target, Target::Nowhere | Target::FontTable);
        match destination {
            _ if is_nowhere => {}
            Destination::Target(Target::Title) if self.state.target != Target::Properties => {}
            Destination::Target(target) => self.state.target = target,
            // In a group that is no note itself: the document's own group begins none.
            Destination::Aside(aside) if self.state.opens.is_none() && self.groups.len() > 1 => {
                (self.state.target, self.state.opens) = (Target::Body, Some(aside));
                self.page.begin_aside();
            }
            Destination::Aside(_) => {}
        }
    }

    fn finish(mut self) -> Document {
        self.flush();
        let is_cut = !self.groups.is_empty();
        while self.state.opens.is_some() || !self.groups.is_empty() {
            if let Some(aside) = self.state.opens {
                self.page.end_aside(aside);
            }
            let Some(state) = self.groups.pop() else { break };
            self.state = state;
        }
        let (text, blocks, first_heading) = self.page.finish();
        let partial = is_cut.then(|| "the file breaks off and is read up to there".to_owned());
        Document { title: self.title.or(first_heading), blocks, partial, ..Document::of(Format::Rtf, text) }
    }
}

#[derive(Clone, Copy)]
enum Destination {
    Target(Target),
    Aside(page::Aside),
}

/// Where the group goes that begins with `word`; `None` for a word that changes no destination.
fn target(word: &str, is_star: bool) -> Option<Destination> {
    let target = match word {
        "fonttbl" => Target::FontTable,
        "stylesheet" => Target::StyleSheet,
        "info" => Target::Properties,
        "title" => Target::Title,
        "shpinst" | "upr" => Target::Frame,
        "footnote" | "annotation" | "shptxt" | "header" | "headerl" | "headerr" | "headerf" | "footer" | "footerl"
        | "footerr" | "footerf" => return Some(Destination::Aside(page::Aside::Note)),
        "listtext" | "pntext" => return Some(Destination::Aside(page::Aside::Label)),
        // The same words in Unicode as those before them.
        "ud" if is_star => Target::Body,
        "colortbl" | "pict" | "nonshppict" | "shprslt" | "filetbl" | "xe" | "tc" | "rxe" | "private" | "objdata"
        | "fldinst" | "bkmkstart" | "bkmkend" | "author" | "operator" | "subject" | "keywords" | "comment"
        | "doccomm" | "company" | "manager" | "category" | "nesttableprops" | "nonesttables" => Target::Nowhere,
        _ => return None,
    };
    Some(Destination::Target(target))
}

/// The level of a heading by the name of its style: `heading 2` is 2, `Title` is 0.
fn heading_level(style: &str) -> Option<u8> {
    let style = style.trim().trim_end_matches(';').trim().to_ascii_lowercase();
    if style == "title" {
        return Some(0);
    }
    let number = style.strip_prefix("heading")?.trim();
    number.parse().ok().filter(|level| (1..=9).contains(level))
}
