//! One name in several spellings: composed or decomposed accents, full or half width.
//!
//! A Mac or a ZIP may write `é` as `e` and a combining accent (NFD) where others write one character (NFC), and Japanese
//! systems write Latin letters and katakana in two widths. People see one name, so such names are never those of two files.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::{IsNormalized, is_nfc_quick};

/// `text` with composed accents (NFC).
#[must_use]
pub fn composed(text: &str) -> Cow<'_, str> {
    // ASCII is composed, and most names are ASCII.
    if text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.nfc().collect())
    }
}

/// What all spellings of a name have in common: composed accents, and one width of each character.
#[must_use]
pub fn common_spelling(name: &str) -> Cow<'_, str> {
    if name.is_ascii() || !name.contains(has_two_widths) {
        return composed(name);
    }
    let mut one_width = String::with_capacity(name.len());
    for c in name.chars() {
        if has_two_widths(c) {
            one_width.extend(std::iter::once(c).nfkc());
        } else {
            one_width.push(c);
        }
    }
    // Half-width sound marks are characters of their own, and join the letter before them only now.
    Cow::Owned(one_width.nfc().collect())
}

/// Full-width and half-width forms, and the full-width space.
const fn has_two_widths(c: char) -> bool {
    matches!(c, '\u{3000}' | '\u{ff00}'..='\u{ffef}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings_of_one_name_have_one_in_common() {
        for (one, other) in [
            ("Ko\u{308}ln.md", "Köln.md"),
            ("phở.md", "pho\u{31b}\u{309}.md"),
            ("ﾃﾞｰﾀﾍﾞｰｽ.md", "データベース.md"),
            ("Ｒｅｐｏｒｔ２.md", "Report2.md"),
        ] {
            assert_eq!(common_spelling(one), common_spelling(other), "{one} {other}");
        }
        // Compatibility goes no further: these are two names to everybody.
        assert_ne!(common_spelling("x²"), common_spelling("x2"));
        assert_ne!(common_spelling("Koln"), common_spelling("Köln"));
    }

    proptest! {
        #[test]
        fn the_common_spelling_is_its_own_and_that_of_every_form(name in "\\PC{0,12}") {
            let common = common_spelling(&name).into_owned();
            prop_assert_eq!(common_spelling(&common).into_owned(), common.clone());
            let (nfc, nfd): (String, String) = (name.nfc().collect(), name.nfd().collect());
            prop_assert_eq!(common_spelling(&nfc).into_owned(), common.clone());
            prop_assert_eq!(common_spelling(&nfd).into_owned(), common);
        }
    }
}
