//! Letters of characters that a PDF says nothing of: the font that is inside the file may know what it draws.

use std::collections::HashMap;

use hayro_interpret::font::OutlineGlyph;
use skrifa::{FontRef, MetadataProvider as _};

/// What each glyph of a font stands for.
type FontLetters = HashMap<u32, char>;

/// The letters of fonts that were asked for.
#[derive(Default)]
pub(super) struct Letters(HashMap<u128, FontLetters>);

impl Letters {
    pub(super) fn of(&mut self, glyph: &OutlineGlyph) -> Option<char> {
        let font = glyph.font_data()?;
        let letters = self.0.entry(font.cache_key).or_insert_with(|| letters((*font.data).as_ref()));
        letters.get(&glyph.glyph_id().to_u32()).copied()
    }
}

/// The lowest character of each glyph; none where the font cannot be read.
fn letters(font: &[u8]) -> FontLetters {
    let mut letters = FontLetters::new();
    let Ok(font) = FontRef::new(font) else { return letters };
    for (character, glyph) in font.charmap().mappings() {
        let Some(character) = char::from_u32(character) else { continue };
        let letter = letters.entry(glyph.to_u32()).or_insert(character);
        *letter = character.min(*letter);
    }
    letters
}
