//! Numbers whose digits are grouped: `1,250,000`, `1.250.000`, `4'200`, `12 345`.

/// Digits of a group behind the first.
const GROUP: usize = 3;

/// Where the grouped number ends that begins at byte `start` of `text`, without a fraction; `None` where there is none.
///
/// The first group has one to three digits and does not begin with 0, all others have three, and one separator stands between all
/// of them. With a single separator `1.250` may be a fraction, so it is taken for both.
pub(super) fn grouped_at(text: &str, start: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let num_digits = |at: usize| bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let before = text[..start].chars().next_back();
    if before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | ',' | '-' | '_' | '/' | '\'' | '’')) {
        return None;
    }
    let first = num_digits(start);
    if !(1..=GROUP).contains(&first) || bytes[start] == b'0' {
        return None;
    }
    let mut end = start + first;
    let separator = text[end..].chars().next().filter(|&c| is_separator(c))?;
    while text[end..].starts_with(separator) && num_digits(end + separator.len_utf8()) == GROUP {
        end += separator.len_utf8() + GROUP;
    }
    let has_groups = end > start + first;
    // `1.21.345.2` is a version, `10.120.200-3` a code and `2024 100 200 30` a row of a table.
    let mut rest = text[end..].chars();
    let goes_on = match (rest.next(), rest.next()) {
        (Some(next), _) if next.is_alphanumeric() => true,
        (Some(joiner), Some(next)) => {
            next.is_alphanumeric()
                && (joiner == separator && next.is_ascii_digit() || matches!(joiner, '-' | '_' | '/'))
        }
        _ => false,
    };
    (has_groups && !goes_on).then_some(end)
}

/// Signs that people and programs put between the groups of a number.
const fn is_separator(c: char) -> bool {
    matches!(c, ',' | '.' | '\'' | '’' | ' ' | '\u{a0}' | '\u{2009}' | '\u{202f}')
}

/// The digits of a grouped number together.
pub(super) fn write_digits(number: &str, term: &mut String) {
    term.extend(number.chars().filter(char::is_ascii_digit));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grouped_numbers_are_told_from_versions_and_rows() {
        for (text, expected) in [
            ("1,250,000", Some("1250000")),
            ("1.250.000 EUR", Some("1250000")),
            ("1 250 000.", Some("1250000")),
            ("4'200", Some("4200")),
            ("12\u{202f}345,50", Some("12345")),
            ("1.21.0", None),
            ("1.250.30", None),
            ("0.250", None),
            ("2024 100", None),
            ("12 34", None),
            ("192.168.100.1", None),
            ("100,200a", None),
            ("1250000", None),
        ] {
            let found = grouped_at(text, 0).map(|end| {
                let mut digits = String::new();
                write_digits(&text[..end], &mut digits);
                digits
            });
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}
