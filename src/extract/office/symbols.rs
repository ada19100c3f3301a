//! Signs of the fonts that have pictures in the places of letters.

/// The sign that `code` shows in `font`; `None` where it is only an ornament.
pub(super) fn symbol(code: u32, font: &str) -> Option<char> {
    const GREEK: &str = "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ[∴]⊥_ αβχδεφγηιϕκλμνοπθρστυϖωξψζ";
    let is_private = (0xf000..=0xf0ff).contains(&code);
    let low = if is_private { code - 0xf000 } else { code };
    let font = font.to_ascii_lowercase();
    if font == "symbol" && low <= 0xff {
        return match low {
            0x41..=0x7a => GREEK.chars().nth(usize::try_from(low - 0x41).ok()?),
            0xa3 => Some('≤'),
            0xa5 => Some('∞'),
            0xae => Some('→'),
            0xac => Some('←'),
            0xab => Some('↔'),
            0xb0 => Some('°'),
            0xb1 => Some('±'),
            0xb3 => Some('≥'),
            0xb4 => Some('×'),
            0xb7 => Some('•'),
            0xb8 => Some('÷'),
            0xb9 => Some('≠'),
            0xba => Some('≡'),
            0xbb => Some('≈'),
            0xce => Some('∈'),
            0xd2 => Some('®'),
            0xd3 => Some('©'),
            0xd4 => Some('™'),
            0xd5 => Some('∏'),
            0xd6 => Some('√'),
            0xe5 => Some('∑'),
            0xf2 => Some('∫'),
            0x20..=0x40 => char::from_u32(low),
            _ => None,
        };
    }
    if font.starts_with("wingdings") {
        return match (font.as_str(), low) {
            ("wingdings", 0xfc) | ("wingdings 2", 0x50) => Some('✓'),
            ("wingdings", 0xfb) | ("wingdings 2", 0x4f) => Some('✗'),
            ("wingdings", 0xfe) | ("wingdings 2", 0x52) => Some('☑'),
            ("wingdings", 0xfd) | ("wingdings 2", 0x51 | 0x53) => Some('☒'),
            ("wingdings", 0xa8 | 0x6f) | ("wingdings 2", 0xa3) => Some('☐'),
            ("wingdings", 0xe0) => Some('→'),
            ("wingdings", 0xdf) => Some('←'),
            ("wingdings", 0x4a) => Some('☺'),
            _ => None,
        };
    }
    if is_private { None } else { char::from_u32(code).filter(|c| !c.is_control()) }
}
