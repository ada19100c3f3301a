//! One spelling for what Unicode and escapes write in several ways, before a text is cut into words.

use std::borrow::Cow;

use unicode_normalization::char::decompose_compatible;
use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};

use crate::extract::escapes::{Breaks, unescaped};

/// A text with what its [escapes](crate::extract::escapes) stand for, in NFC, with full- and half-width forms, ligatures and presentation
/// forms of letters as the letters they stand for.
///
/// Other compatibility characters stay: NFKC would join the `TM` of `Foo™` to its word, and make `10²` a number of three digits.
pub(super) fn folded(text: &str) -> Cow<'_, str> {
    match unescaped(text, Breaks::Stay) {
        Cow::Borrowed(text) => in_one_spelling(text),
        Cow::Owned(text) => Cow::Owned(in_one_spelling(&text).into_owned()),
    }
}

fn in_one_spelling(text: &str) -> Cow<'_, str> {
    let is_folded =
        text.is_ascii() || !text.chars().any(is_form_of_letters) && is_nfc_quick(text.chars()) == IsNormalized::Yes;
    if is_folded {
        return Cow::Borrowed(text);
    }
    let mut letters = String::with_capacity(text.len());
    for c in text.chars() {
        if is_form_of_letters(c) {
            decompose_compatible(c, |letter| letters.push(letter));
        } else {
            letters.push(c);
        }
    }
    Cow::Owned(letters.nfc().collect())
}

/// Characters that are letters, digits or signs in another form; not those whose other form begins an escape.
const fn is_form_of_letters(c: char) -> bool {
    matches!(c,
        '\u{2f00}'..='\u{2fd5}'     // Kangxi radicals
        | '\u{fb00}'..='\u{fdfb}'   // Latin ligatures, Hebrew and Arabic presentation forms
        | '\u{fe70}'..='\u{fefc}'   // Arabic presentation forms
        // Full- and half-width forms.
        | '\u{ff01}'..='\u{ff05}' | '\u{ff07}'..='\u{ff3b}' | '\u{ff3d}'..='\u{ffee}'
        | '\u{1d400}'..='\u{1d7ff}' // mathematical letters and digits
        | '\u{17f}'                 // long s
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn composed_and_decomposed_and_both_widths_become_one_spelling() {
        for (text, expected) in [
            ("Ko\u{308}ln", "Köln"),
            ("ﾃﾞｰﾀﾍﾞｰｽ", "データベース"),
            ("ＡＢＣ１２", "ABC12"),
            ("e\u{fb03}cient", "efficient"),
            ("Foo™ 10²", "Foo™ 10²"),
            (r"\uff21\u0308 e\u0301", "Ä é"),
            ("plain", "plain"),
        ] {
            assert_eq!(folded(text), expected);
        }
    }

    proptest::proptest! {
        #[test]
        fn folding_twice_is_folding_once(text in "\\PC{0,40}") {
            let once = folded(&text).into_owned();
            proptest::prop_assert_eq!(folded(&once), once.as_str());
        }
    }
}
