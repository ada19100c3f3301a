//! Cyrillic text in encodings that browsers do not guess: those of DOS before code page 866, and of the old Macintosh.
//!
//! A text is taken for one of them where it says so, or where its letters are then as frequent as in Russian and words are written
//! as words are, and are not so in the encoding that was guessed.

use encoding_rs::{Encoding, X_MAC_CYRILLIC};

/// What the bytes from 128 on mean in code page 855.
const IBM855: &str = "ђЂѓЃёЁєЄѕЅіІїЇјЈљЉњЊћЋќЌўЎџЏюЮъЪаАбБцЦдДеЕфФгГ«»░▒▓│┤хХиИ╣║╗╝йЙ┐\
                      └┴┬├─┼кК╚╔╩╦╠═╬¤лЛмМнНоОп┘┌█▄Пя▀ЯрРсСтТуУжЖвВьЬ№\u{ad}ыЫзЗшШэЭщЩчЧ§■\u{a0}";
const IBM855_NAME: &str = "IBM855";
/// Other names of encodings than those of the WHATWG.
const IBM855_LABELS: [&str; 4] = ["ibm855", "cp855", "csibm855", "855"];
const MAC_LABELS: [&str; 2] = ["maccyrillic", "mac-cyrillic"];
/// The letters of Russian from the most frequent to the least.
const RUSSIAN: &str = "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё";
/// Letters that Russian does not have, as Serbian and Ukrainian write them.
const OTHER_LETTERS: std::ops::RangeInclusive<char> = '\u{450}'..='\u{491}';
/// Fewer bytes that are not ASCII tell too little.
const MIN_LETTERS: usize = 24;
/// The mean rank of the letters of Russian text is about 8; at random it is 16.
const MAX_RANK: f64 = 11.0;
/// How much better than the guess it must be: the Macintosh and Windows have most small letters in common.
const MIN_GAIN: f64 = 0.5;
/// The rank of what is no letter, or not as words are written.
const NO_WORD: usize = 40;

/// A text and the name of its encoding.
type Text = (String, &'static str);

/// `bytes` in the encoding of that label, where it is one of these.
pub(in crate::extract) fn by_label(label: &str, bytes: &[u8]) -> Option<Text> {
    let is_in = |labels: &[&str]| labels.iter().any(|known| label.eq_ignore_ascii_case(known));
    if is_in(&IBM855_LABELS) { Some((ibm855(bytes), IBM855_NAME)) } else { is_in(&MAC_LABELS).then(|| mac(bytes)) }
}

/// `bytes` in one of these encodings, where that is far likelier than the guess; `sample` is the part of them to judge by.
pub(in crate::extract) fn likelier(bytes: &[u8], sample: &[u8], guess: &'static Encoding) -> Option<Text> {
    if !guess.is_single_byte() || sample.iter().filter(|byte| !byte.is_ascii()).count() < MIN_LETTERS {
        return None;
    }
    let most = MAX_RANK.min(rank(&guess.decode_without_bom_handling(sample).0) - MIN_GAIN);
    let (in_mac, in_855) = (rank(&mac(sample).0), rank(&ibm855(sample)));
    if in_mac.min(in_855) > most {
        return None;
    }
    Some(if in_mac < in_855 { mac(bytes) } else { (ibm855(bytes), IBM855_NAME) })
}

fn mac(bytes: &[u8]) -> Text {
    (X_MAC_CYRILLIC.decode_without_bom_handling(bytes).0.into_owned(), X_MAC_CYRILLIC.name())
}

fn ibm855(bytes: &[u8]) -> String {
    let high: Vec<char> = IBM855.chars().collect();
    let letter = |&byte: &u8| high.get(usize::from(byte.wrapping_sub(0x80))).copied();
    bytes.iter().map(|byte| letter(byte).filter(|_| !byte.is_ascii()).unwrap_or(char::from(*byte))).collect()
}

/// The mean rank of the characters beyond ASCII: low for Russian.
fn rank(text: &str) -> f64 {
    let ranks: std::collections::HashMap<char, usize> =
        RUSSIAN.chars().enumerate().map(|(rank, letter)| (letter, rank)).collect();
    let (mut sum, mut num_letters) = (0, 0_usize);
    let mut before = ' ';
    for c in text.chars() {
        if !c.is_ascii() {
            let small = c.to_lowercase().next().unwrap_or(c);
            // A capital inside of a word, or a Latin letter beside a Cyrillic one.
            let is_odd = c != small && before.is_lowercase() || before.is_ascii_alphabetic();
            let rank = ranks.get(&small).copied().filter(|_| !is_odd);
            sum += rank.unwrap_or(if OTHER_LETTERS.contains(&small) && !is_odd { RUSSIAN.len() / 2 } else { NO_WORD });
            num_letters += 1;
        }
        before = c;
    }
    if num_letters == 0 { NO_WORD as f64 } else { sum as f64 / num_letters as f64 }
}

#[cfg(test)]
mod tests {
    use crate::extract::{Hints, extract};

    const WORDS: &str = "Укоренившаяся система заучивания материала учащимися, которая наносит вред. Прилив в гавани.";

    fn read(bytes: &[u8]) -> (String, Option<String>) {
        let document = extract(bytes, Hints { file_name: "a.txt" }).unwrap();
        (document.text, document.encoding)
    }

    fn in_855(text: &str) -> Vec<u8> {
        let byte = |c: char| match super::IBM855.chars().position(|high| high == c) {
            Some(at) => u8::try_from(at + 0x80).unwrap(),
            None => u8::try_from(c).unwrap(),
        };
        text.chars().map(byte).collect()
    }

    fn in_mac(text: &str) -> Vec<u8> {
        let all: Vec<u8> = (0..=255).collect();
        let all: Vec<char> = super::mac(&all).0.chars().collect();
        text.chars().map(|c| u8::try_from(all.iter().position(|known| *known == c).unwrap()).unwrap()).collect()
    }

    #[test]
    fn russian_is_known_by_its_letters_in_any_of_its_encodings() {
        assert_eq!(super::IBM855.chars().count(), 128);
        assert_eq!(read(&in_855(WORDS)), (WORDS.to_owned(), Some("IBM855".to_owned())));
        assert_eq!(read(&in_mac(WORDS)), (WORDS.to_owned(), Some("x-mac-cyrillic".to_owned())));
        for encoding in [encoding_rs::WINDOWS_1251, encoding_rs::KOI8_R, encoding_rs::IBM866, encoding_rs::ISO_8859_5] {
            assert_eq!(read(&encoding.encode(WORDS).0).0, WORDS, "{}", encoding.name());
        }
    }

    #[test]
    fn what_a_file_says_of_itself_is_believed() {
        for (label, bytes) in [("IBM855", in_855("Да")), ("MacCyrillic", in_mac("Да"))] {
            let xml = [format!("<?xml version=\"1.0\" encoding=\"{label}\"?><a>").as_bytes(), &bytes, b"</a>"].concat();
            assert!(read(&xml).0.contains("<a>Да</a>"), "{label}");
        }
    }

    #[test]
    fn other_languages_stay_what_they_are() {
        for (words, encoding) in [
            ("Été à l'hôtel, où l'élève a déjà mangé la crème brûlée près de la forêt.", encoding_rs::WINDOWS_1252),
            ("Größere Mühlen für süße Äpfel; über Öfen, Bäche und Wälder fährt er zurück.", encoding_rs::WINDOWS_1252),
            ("Η παλίρροια στο λιμάνι έφτασε στο υψηλότερο σημείο της.", encoding_rs::WINDOWS_1253),
            ("Приливът в пристанището достигна най-високата си точка.", encoding_rs::WINDOWS_1251),
        ] {
            assert_eq!(read(&encoding.encode(words).0).0, words);
        }
    }
}
