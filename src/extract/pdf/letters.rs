//! Letters of characters that a PDF says nothing of: its fonts may know what they draw.

use std::collections::HashMap;

use hayro_interpret::font::{OutlineGlyph, StandardFont};
use skrifa::{FontRef, MetadataProvider as _};

/// Fonts that the library draws with where the file has none.
const STAND_INS: [StandardFont; 12] = [
    StandardFont::Helvetica,
    StandardFont::HelveticaBold,
    StandardFont::HelveticaOblique,
    StandardFont::HelveticaBoldOblique,
    StandardFont::Courier,
    StandardFont::CourierBold,
    StandardFont::CourierOblique,
    StandardFont::CourierBoldOblique,
    StandardFont::TimesRoman,
    StandardFont::TimesBold,
    StandardFont::TimesItalic,
    StandardFont::TimesBoldItalic,
];
/// The numbers of the glyphs from the space to the tilde in the usual order of a TrueType font, and how far from their
/// characters they are.
const USUAL_GLYPHS: std::ops::RangeInclusive<u32> = 3..=97;
const USUAL_STEP: u32 = 29;

/// What the glyphs of a font stand for.
enum FontLetters {
    /// As the font's own table says.
    Own(HashMap<u32, char>),
    /// The font is not in the file.
    StandIn,
}

/// The letters of fonts that were asked for.
#[derive(Default)]
pub(in crate::extract) struct Letters(HashMap<u128, FontLetters>);

impl Letters {
    pub(in crate::extract) fn of(&mut self, glyph: &OutlineGlyph) -> Option<char> {
        let font = glyph.font_data()?;
        let (number, code) = (glyph.glyph_id().to_u32(), glyph.char_code());
        match self.0.entry(font.cache_key).or_insert_with(|| letters((*font.data).as_ref())) {
            FontLetters::Own(letters) => letters.get(&number).copied(),
            // A code that names no glyph of the stand-in is a character, and one that does is a glyph's of the font meant.
            FontLetters::StandIn if code != number => char::from_u32(code).filter(|c| !c.is_control()),
            FontLetters::StandIn => USUAL_GLYPHS.contains(&code).then(|| char::from_u32(code + USUAL_STEP)).flatten(),
        }
    }
}

/// The lowest character of each glyph; none where the font cannot be read.
fn letters(bytes: &[u8]) -> FontLetters {
    if STAND_INS.iter().any(|font| (*font.get_font_data().0).as_ref() == bytes) {
        return FontLetters::StandIn;
    }
    let mut letters = HashMap::new();
    let mappings = FontRef::new(bytes).map(|font| font.charmap().mappings().collect::<Vec<_>>()).unwrap_or_default();
    for (character, glyph) in mappings {
        let Some(character) = char::from_u32(character) else { continue };
        let letter = letters.entry(glyph.to_u32()).or_insert(character);
        *letter = character.min(*letter);
    }
    FontLetters::Own(letters)
}
