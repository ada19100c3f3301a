//! The bytes of Rich Text as groups, control words and characters.

/// A piece of Rich Text.
#[derive(Clone, Copy)]
pub(super) enum Token<'b> {
    Open,
    Close,
    /// A character in the encoding of its font.
    Byte(u8),
    /// A control word and its number.
    Word(&'b str, Option<i32>),
    /// A backslash with a character that is no letter.
    Symbol(u8),
}

/// Iterates over the pieces; pictures in binary are passed over.
pub(super) struct Tokens<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Tokens<'b> {
    pub(super) const fn of(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// What a backslash begins; `None` where it is nothing.
    fn control(&mut self) -> Option<Token<'b>> {
        let rest = &self.bytes[self.at..];
        let first = *rest.first()?;
        if first == b'\'' {
            let digit = |at: usize| rest.get(at).and_then(|byte| char::from(*byte).to_digit(16));
            let (Some(high), Some(low)) = (digit(1), digit(2)) else {
                self.at += 1;
                return None;
            };
            self.at += 3;
            return Some(Token::Byte(u8::try_from(high * 16 + low).unwrap_or_default()));
        }
        if !first.is_ascii_alphabetic() {
            self.at += 1;
            return Some(match first {
                b'\\' | b'{' | b'}' => Token::Byte(first),
                _ => Token::Symbol(first),
            });
        }
        let num_letters = rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let word = std::str::from_utf8(&rest[..num_letters]).unwrap_or_default();
        let after = &rest[num_letters..];
        let num_signs = usize::from(after.first() == Some(&b'-'));
        let num_digits = after[num_signs..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let mut end = num_letters;
        let mut number = None;
        if num_digits > 0 {
            end += num_signs + num_digits;
            let digits = std::str::from_utf8(&after[..num_signs + num_digits]).unwrap_or_default();
            number = digits.parse().ok();
        }
        // One space ends the word and is part of it.
        end += usize::from(rest.get(end) == Some(&b' '));
        self.at += end;
        if word == "bin" {
            let num_bytes = number.and_then(|number: i32| usize::try_from(number).ok()).unwrap_or(0);
            self.at = self.at.saturating_add(num_bytes).min(self.bytes.len());
        }
        Some(Token::Word(word, number))
    }
}

impl<'b> Iterator for Tokens<'b> {
    type Item = Token<'b>;

    fn next(&mut self) -> Option<Token<'b>> {
        loop {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            return Some(match byte {
                b'{' => Token::Open,
                b'}' => Token::Close,
                b'\\' => match self.control() {
                    Some(token) => token,
                    None => continue,
                },
                b'\r' | b'\n' | 0 => continue,
                _ => Token::Byte(byte),
            });
        }
    }
}
