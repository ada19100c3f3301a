//! Numbers as they are written in questions and cells: separators, decimal commas, units.

/// A cell's number, and what it counts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Quantity {
    pub(super) value: f64,
    /// The words beside the number, in small letters: `eur`, `%`, `frames/s`.
    pub(super) unit: String,
}

const fn is_group_separator(c: char) -> bool {
    matches!(c, ',' | '.' | '\'' | '’' | ' ' | '\u{a0}' | '\u{202f}' | '\u{2009}' | '_')
}

/// What a number may mean that is written with these digits and separators; `1.250` may be one and a quarter. Empty for what is no number.
pub(super) fn readings(written: &str) -> Vec<f64> {
    let (sign, body) = match written.strip_prefix(['-', '−']) {
        Some(body) => (-1.0, body),
        None => (1.0, written.strip_prefix('+').unwrap_or(written)),
    };
    let is_number = body.starts_with(|c: char| c.is_ascii_digit())
        && body.ends_with(|c: char| c.is_ascii_digit())
        && body.chars().all(|c| c.is_ascii_digit() || is_group_separator(c));
    if !is_number {
        return Vec::new();
    }
    let mut readings = Vec::new();
    let mut add = |plain: String| {
        if let Ok(value) = plain.parse::<f64>().map(|value| value * sign)
            && !readings.contains(&value)
        {
            readings.push(value);
        }
    };
    let groups: Vec<&str> = body.split(is_group_separator).collect();
    let separators: Vec<char> = body.chars().filter(|c| is_group_separator(*c)).collect();
    if separators.is_empty() {
        add(body.to_owned());
        return readings;
    }
    let is_grouped = |groups: &[&str]| {
        groups.first().is_some_and(|first| (1..=3).contains(&first.len()))
            && groups[1..].iter().all(|group| group.len() == 3)
    };
    let is_one_kind = |separators: &[char]| separators.windows(2).all(|pair| pair[0] == pair[1]);
    if is_grouped(&groups) && is_one_kind(&separators) {
        add(groups.concat());
    }
    let (last, before) = (separators[separators.len() - 1], &separators[..separators.len() - 1]);
    let (fraction, whole) = (groups[groups.len() - 1], &groups[..groups.len() - 1]);
    if matches!(last, '.' | ',')
        && is_one_kind(before)
        && !before.contains(&last)
        && (whole.len() == 1 || is_grouped(whole))
    {
        add(format!("{}.{fraction}", whole.concat()));
    }
    readings
}

/// The end of the number that begins at byte `start` of `text`: digits, and separators that stand between digits as groups or
/// fractions do.
fn number_end(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    let digits = |at: usize| bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut end = start + digits(start);
    while let Some(separator) = text[end..].chars().next().filter(|c| is_group_separator(*c)) {
        let at = end + separator.len_utf8();
        let num = digits(at);
        // Spaces and apostrophes only divide groups of three.
        if num == 0 || (!matches!(separator, '.' | ',') && num != 3) {
            break;
        }
        end = at + num;
    }
    end
}

/// The numbers in a text that are no part of a longer word: `RVH-031` has none, `1,250 EUR` has one.
pub(super) fn numbers(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < text.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let before = text[..at].chars().next_back();
        let end = number_end(text, at);
        let after = text[end..].chars().next();
        let before_that = text[..at].chars().rev().nth(1);
        let is_joined = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let is_bond = |c: Option<char>| c.is_some_and(|c| matches!(c, '-' | '_' | '/' | '#' | '@' | ':'));
        let hangs_on = is_joined(before)
            || matches!(before, Some('.'))
            || is_bond(before) && is_joined(before_that)
            || is_bond(after) && text[end..].chars().nth(1).is_some_and(|c| c.is_ascii_digit())
            || matches!(after, Some('_'));
        let is_negative = matches!(before, Some('-' | '−')) && !is_joined(before_that);
        // A unit may follow at once (`12ms`), a longer word may not (`2nd` is a place in an order).
        let num_letters = text[end..].chars().take_while(|c| c.is_alphabetic()).count();
        if !hangs_on && num_letters <= 4 && !readings(&text[at..end]).is_empty() {
            let sign = if is_negative { before.map_or(0, char::len_utf8) } else { 0 };
            found.push((at - sign, end));
        }
        at = end.max(at + 1);
    }
    found
}

/// Whether `text` holds a number that may be one of `wanted`.
pub(super) fn holds(text: &str, wanted: &[f64]) -> bool {
    numbers(text).into_iter().any(|(start, end)| {
        let scale = scale(&text[end..]);
        readings(&text[start..end])
            .iter()
            .any(|value| wanted.iter().any(|wanted| is_same(value * scale, *wanted) || is_same(*value, *wanted)))
    })
}

fn is_same(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * one.abs().max(other.abs()).max(1e-9)
}

/// By how much the word behind a number multiplies it.
pub(super) fn scale(after: &str) -> f64 {
    let word: String =
        after.trim_start().chars().take_while(|c| c.is_alphabetic()).flat_map(char::to_lowercase).collect();
    match word.as_str() {
        "thousand" => 1e3,
        "million" | "millions" => 1e6,
        "billion" | "billions" => 1e9,
        _ => 1.0,
    }
}

/// Whether the numbers of a column are written with a decimal comma: some have a fraction behind a comma that is no group.
pub(super) fn has_decimal_comma<'c>(cells: impl IntoIterator<Item = &'c str>) -> bool {
    cells.into_iter().any(|cell| {
        let Some((before, fraction)) = cell.trim().rsplit_once(',') else { return false };
        let num = fraction.chars().take_while(char::is_ascii_digit).count();
        let is_end = fraction[num..].chars().next().is_none_or(|c| !c.is_alphanumeric());
        num > 0 && num != 3 && is_end && before.ends_with(|c: char| c.is_ascii_digit()) && !before.contains(',')
    })
}

/// The one number that a cell is about, where it begins with one.
pub(super) fn quantity(cell: &str, has_decimal_comma: bool) -> Option<Quantity> {
    let cell = cell.trim();
    let start = cell.find(|c: char| c.is_ascii_digit())?;
    let before = &cell[..start];
    // Only a sign, a currency or a mark of vagueness may stand before it.
    let words = before.trim().trim_end_matches(['-', '+', '−', '~', '<', '>', '≈', '≤', '≥', '=']).trim();
    let is_currency = words.chars().count() <= 3
        && words.chars().all(|c| c.is_alphabetic() && c.is_uppercase() || "$€£¥".contains(c));
    if !(words.is_empty() || is_currency || matches!(words, "about" | "ca." | "approx.")) {
        return None;
    }
    let end = number_end(cell, start);
    let after = &cell[end..];
    if after.starts_with(['/', ':', '-', '_']) && after[1..].starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let is_negative = before.trim_end().ends_with(['-', '−']);
    let written = &cell[start..end];
    let all = readings(written);
    // Where both readings are possible, the column decides: 1,250 is a group of thousands, unless commas divide fractions there.
    let by_column = |value: &f64| {
        let is_fraction = value.fract() != 0.0;
        let separator = written.chars().find(|c| matches!(c, '.' | ','));
        match separator {
            Some(',') => is_fraction == has_decimal_comma,
            Some(_) => is_fraction != has_decimal_comma,
            None => true,
        }
    };
    let value = all.iter().find(|value| by_column(value)).or(all.first())?;
    let value = if is_negative { -value } else { *value };
    let exponent = after
        .strip_prefix(['e', 'E'])
        .filter(|rest| rest.starts_with(['-', '+']) || rest.starts_with(|c: char| c.is_ascii_digit()));
    if exponent.is_some() {
        return cell.parse::<f64>().ok().map(|value| Quantity { value, unit: String::new() });
    }
    let unit: String = format!("{words} {after}").trim().to_lowercase();
    Some(Quantity { value: value * scale(after), unit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_do_not_change_a_number() {
        for written in ["1,250,000", "1.250.000", "1 250 000", "1'250'000", "1250000", "1_250_000"] {
            assert!(readings(written).contains(&1_250_000.0), "{written}: {:?}", readings(written));
            assert!(holds(&format!("of {written} frames"), &[1_250_000.0]), "{written}");
        }
        assert!(holds("4.5 million", &[4_500_000.0]));
        assert_eq!(readings("1.250"), [1250.0, 1.25]);
        assert_eq!(readings("1,250.5"), [1250.5]);
        assert_eq!(readings("1.250,50"), [1250.5]);
    }

    #[test]
    fn parts_of_other_words_are_no_numbers() {
        for text in ["RVH-031", "3.0.9", "1-200", "v2", "2023/24", "p99", "10:31", "a_31"] {
            assert!(
                !holds(text, &[31.0]) && !holds(text, &[200.0]) && !holds(text, &[99.0]) && !holds(text, &[2.0]),
                "{text}"
            );
        }
        assert!(holds("costs 31, and more", &[31.0]) && holds("(31)", &[31.0]) && holds("-31", &[-31.0]));
    }

    #[test]
    fn a_cell_begins_with_its_number() {
        let value = |cell: &str, comma: bool| quantity(cell, comma).map(|quantity| quantity.value);
        assert_eq!(value("2310,00", true), Some(2310.0));
        assert_eq!(value("1,340", false), Some(1340.0));
        assert_eq!(value("1,340", true), Some(1.34));
        assert_eq!(value("-0.068", false), Some(-0.068));
        assert_eq!(value("$1,200.50", false), Some(1200.5));
        assert_eq!(value("+5", false), Some(5.0));
        assert_eq!(value("free, support 18,000 EUR", false), None);
        assert_eq!(value("2026-10", false), None);
        assert_eq!(quantity("95 EUR a month", false).unwrap().unit, "eur a month");
        assert!(has_decimal_comma(["12", "521,06"]) && !has_decimal_comma(["1,340", "2,900"]));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_looked_through(text in "[0-9a-z,.' é–−-]{0,30}") {
            for (start, end) in numbers(&text) {
                proptest::prop_assert!(text.get(start..end).is_some());
            }
            let _ = quantity(&text, true);
        }
    }
}
