//! Headings of a Markdown text, by their words.

use super::EditError;

/// The byte behind the line of the only heading with these words.
pub(super) fn end_of(text: &str, heading: &str) -> Result<usize, EditError> {
    let wanted = words_of(heading);
    let mut found = Vec::new();
    let (mut at, mut fence): (usize, Option<&str>) = (0, None);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        at += line.len();
        let bare = line.trim();
        let mark = ["```", "~~~"].into_iter().find(|mark| bare.starts_with(mark));
        match (fence, mark) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            (None, None) if is_heading(line) && words_of(bare) == wanted => found.push((number + 1, at)),
            _ => {}
        }
    }
    match found.as_slice() {
        [(_, at)] => Ok(*at),
        [] => Err(EditError::NoHeading { heading: heading.to_owned() }),
        _ => {
            let lines = found.into_iter().map(|(line, _)| line).collect();
            Err(EditError::SeveralHeadings { heading: heading.to_owned(), lines })
        }
    }
}

/// Whether a line is a heading of one to six `#` (CommonMark 0.31, section 4.2).
fn is_heading(line: &str) -> bool {
    let bare = line.trim_start_matches(' ');
    let num_marks = bare.bytes().take_while(|byte| *byte == b'#').count();
    line.len() - bare.len() < 4
        && (1..=6).contains(&num_marks)
        && bare[num_marks..].starts_with([' ', '\t', '\n', '\r'])
}

/// The words of a heading without its marks.
fn words_of(heading: &str) -> &str {
    let bare = heading.trim().trim_start_matches('#').trim();
    let end = bare.trim_end_matches('#');
    // Marks behind the words close a heading only after a space.
    if end.ends_with([' ', '\t']) || end.is_empty() { end.trim_end() } else { bare }
}
