//! What stands before the damage of a JSON text.

/// The part of `json` before `damage` that is whole, with everything closed that is open there; the values that were read up to
/// that place are in it, and nothing else.
///
/// `json` must be valid as far as `damage`. `None` where nothing stands before it.
pub(in crate::extract) fn mended(json: &str, damage: usize) -> Option<String> {
    let (cut, _) = scanned(&json.as_bytes()[..damage.min(json.len())]);
    let whole = json.get(..cut?)?;
    let (_, open) = scanned(whole.as_bytes());
    Some(whole.chars().chain(open.into_iter().rev()).collect())
}

/// The last place where `json` can be cut so that only brackets are missing, and those that are missing at its end.
fn scanned(json: &[u8]) -> (Option<usize>, Vec<char>) {
    let (mut open, mut cut) = (Vec::new(), None);
    let mut at = 0;
    while let Some(&byte) = json.get(at) {
        at += 1;
        match byte {
            b'"' => at = string_end(json, at),
            b'[' | b'{' => {
                open.push(if byte == b'[' { ']' } else { '}' });
                cut = Some(at);
            }
            b']' | b'}' => {
                open.pop();
                cut = Some(at);
            }
            b',' => cut = Some(at - 1),
            _ => {}
        }
    }
    (cut, open)
}

/// The end of the string that begins at `at`, behind its quote.
fn string_end(json: &[u8], mut at: usize) -> usize {
    while let Some(&byte) = json.get(at) {
        at += if byte == b'\\' { 2 } else { 1 };
        if byte == b'"' {
            break;
        }
    }
    at
}

/// Where in `json` an error was found.
pub(in crate::extract) fn place(json: &str, error: &serde_json::Error) -> usize {
    if error.is_eof() {
        return json.len();
    }
    let before: usize = json.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    // The column counts the byte that is wrong.
    json.floor_char_boundary(before + error.column().saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_text_that_is_cut_anywhere_is_mended_and_loses_the_end_alone() {
        let whole = r#"{"a": [1, {"b": "x, ] \" ü"}, [], -2.5e3], "c": {"d": null}}"#;
        for end in (2..whole.len()).filter(|&end| whole.is_char_boundary(end)) {
            let error = serde_json::from_str::<Value>(&whole[..end]).unwrap_err();
            let mended = mended(&whole[..end], place(&whole[..end], &error)).unwrap();
            let value: Value = serde_json::from_str(&mended).unwrap_or_else(|error| panic!("{mended}: {error}"));
            assert!(value.is_object());
            if end > whole.find(", [").unwrap() {
                assert_eq!(value["a"][1]["b"], "x, ] \" ü", "{mended}");
            }
        }
        assert_eq!(mended("", 0), None);
    }

    #[test]
    fn damage_in_the_middle_ends_what_is_read() {
        for (damaged, expected) in [
            ("{\"a\": [1, 2, oops, 3], \"b\": 4}", "{\"a\": [1, 2]}"),
            ("{\"a\": 1,\n \"b\": \"x\u{1}y\", \"c\": 3}", "{\"a\": 1}"),
            ("[{\"a\": 1]]", "[{}]"),
            ("[[1], [2] [3]]", "[[1], [2]]"),
        ] {
            let error = serde_json::from_str::<Value>(damaged).unwrap_err();
            assert_eq!(mended(damaged, place(damaged, &error)).as_deref(), Some(expected));
        }
    }
}
