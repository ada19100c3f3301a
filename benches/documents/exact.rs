//! What is right or wrong: cells of CSV, and encodings.

use std::borrow::Cow;

use encoding_rs::Encoding;
use pincite::extract::{BlockKind, Hints, extract};
use serde_json::Value;

use super::corpus::{Entry, documents, entries};
use super::reader::Reader;
use super::workload::measure::{Target, row};

/// What the bytes from 128 on mean in code page 855.
const IBM855: &str = "ђЂѓЃёЁєЄѕЅіІїЇјЈљЉњЊћЋќЌўЎџЏюЮъЪаАбБцЦдДеЕфФгГ«»░▒▓│┤хХиИ╣║╗╝йЙ┐\
                      └┴┬├─┼кК╚╔╩╦╠═╬¤лЛмМнНоОп┘┌█▄Пя▀ЯрРсСтТуУжЖвВьЬ№\u{ad}ыЫзЗшШэЭщЩчЧ§■\u{a0}";

pub fn measure(reader: &Reader) {
    let (mut tables, mut encodings) = (Vec::new(), Vec::new());
    for entry in entries() {
        if let Some(name) = entry.path.strip_prefix("csv-spectrum/csvs/").and_then(|name| name.strip_suffix(".csv")) {
            tables.push((entry.path.clone(), has_the_cells(reader, &entry, name)));
        } else if entry.path.starts_with("chardet-encodings/") {
            encodings.push((entry.path.clone(), is_decoded_right(reader, &entry)));
        }
    }
    for (what, results, wanted) in
        [("CSV files with every cell right", tables, 1.0), ("encodings right", encodings, 0.97)]
    {
        let num_right = results.iter().filter(|(_, is_right)| *is_right).count();
        row(what, num_right as f64 / results.len() as f64, "", &Target::AtLeast(wanted));
        for (path, _) in results.iter().filter(|(_, is_right)| !is_right) {
            println!("  wrong: {path}");
        }
    }
}

/// Whether our rows have the cells of the expected objects, whose keys are the header.
fn has_the_cells(reader: &Reader, entry: &Entry, name: &str) -> bool {
    let expected = fs_err::read(documents().join("csv-spectrum/json").join(format!("{name}.json"))).expect("beside it");
    let expected: Vec<serde_json::Map<String, Value>> = serde_json::from_slice(&expected).expect("an array of objects");
    let Ok(document) = reader.read(entry.bytes(), entry.file_name()).outcome else { return false };
    let rows: Option<Vec<Vec<String>>> = document
        .blocks
        .iter()
        .filter(|block| block.kind == BlockKind::Row)
        .map(|block| {
            let words = block.span.of(&document.text)?;
            let mut cells = csv::ReaderBuilder::new().has_headers(false).from_reader(words.as_bytes());
            let record = cells.records().next()?.ok()?;
            Some(record.iter().map(str::to_owned).collect())
        })
        .collect();
    let Some([header, rows @ ..]) = rows.as_deref() else { return false };
    rows.len() == expected.len()
        && rows.iter().zip(&expected).all(|(cells, object)| {
            cells.len() == object.len()
                && header.iter().zip(cells).all(|(key, cell)| object.get(key).and_then(Value::as_str) == Some(cell))
        })
}

/// Whether the file gives the text that it gives when somebody who knows its encoding has made UTF-8 of it. The name of
/// the encoding may then be another one: that of a superset, or one in which these bytes mean the same.
fn is_decoded_right(reader: &Reader, entry: &Entry) -> bool {
    let bytes = entry.bytes();
    let encoding = entry.path.split('/').nth(1).unwrap_or_default();
    let Some(known) = decode_known(encoding, &bytes) else { return false };
    let utf8 = format!("\u{feff}{}", known.trim_start_matches('\u{feff}'));
    let expected = extract(utf8.as_bytes(), Hints { file_name: entry.file_name() });
    let found = reader.read(bytes, entry.file_name()).outcome;
    let plain = |text: &str| text.trim_start_matches('\u{feff}').split_whitespace().collect::<Vec<_>>().join(" ");
    match (expected, found) {
        (Ok(expected), Ok(found)) => plain(&expected.text) == plain(&found.text),
        _ => false,
    }
}

/// `None` for an encoding that is not known here.
fn decode_known<'a>(folder: &str, bytes: &'a [u8]) -> Option<Cow<'a, str>> {
    // `iso-8859-2-polish`: the language comes last.
    let name =
        ["-hungarian", "-polish", "-slovak", "-slovene", "-bulgarian", "-russian", "-greek", "-turkish", "-hebrew"]
            .iter()
            .find_map(|language| folder.strip_suffix(language))
            .unwrap_or(folder);
    if let Some(order) = name.strip_prefix("UTF-32") {
        let is_big = order == "BE" || bytes.starts_with(&[0, 0, 0xfe, 0xff]);
        let read = |unit: &[u8; 4]| if is_big { u32::from_be_bytes(*unit) } else { u32::from_le_bytes(*unit) };
        return bytes
            .as_chunks::<4>()
            .0
            .iter()
            .map(|unit| char::from_u32(read(unit)))
            .collect::<Option<String>>()
            .map(Cow::Owned);
    }
    if name == "IBM855" {
        let high: Vec<char> = IBM855.chars().collect();
        let letter = |&byte: &u8| if byte.is_ascii() { char::from(byte) } else { high[usize::from(byte) - 0x80] };
        return Some(bytes.iter().map(letter).collect());
    }
    let label = match name {
        "CP932" => "shift_jis",
        "MacCyrillic" => "x-mac-cyrillic",
        "utf-8-sig" => "utf-8",
        name => name,
    };
    Some(Encoding::for_label(label.as_bytes())?.decode(bytes).0)
}
