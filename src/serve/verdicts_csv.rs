//! Verdicts as comma-separated values (RFC 4180), for spreadsheets.
//!
//! # Invariants
//! - No cell is a formula: a text that begins as one gets an apostrophe before it, whoever wrote it.

use std::borrow::Cow;

use csv::{Terminator, WriterBuilder};

use crate::workspace::Verdict;

const HEADER: [&str; 19] = [
    "id",
    "at",
    "decision",
    "by",
    "comment",
    "query",
    "path",
    "page",
    "slide",
    "first_line",
    "last_line",
    "cell",
    "start",
    "end",
    "quote",
    "content_hash",
    "revision",
    "agent",
    "run",
];

/// A header and one row a verdict, each ended by CR and LF.
pub(super) fn csv_of(verdicts: &[Verdict]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(HEADER)?;
    for verdict in verdicts {
        writer.write_record(row(verdict).iter().map(|cell| plain(cell).into_owned()))?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

fn row(verdict: &Verdict) -> [String; HEADER.len()] {
    let Verdict { id, at, citation, decision, comment, query, by } = verdict;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let number = |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
    [
        id.to_string(),
        at.to_string(),
        decision.name().to_owned(),
        text(by),
        text(comment),
        text(query),
        citation.path.to_string(),
        number(citation.page),
        number(citation.slide),
        number(citation.lines.map(|lines| lines.start)),
        number(citation.lines.map(|lines| lines.end)),
        text(&citation.cell),
        citation.span.start.to_string(),
        citation.span.end.to_string(),
        citation.quote.clone(),
        citation.content_hash.to_string(),
        citation.revision.to_string(),
        text(&citation.provenance.agent),
        text(&citation.provenance.run),
    ]
}

/// A cell that a spreadsheet shows and never computes. Full-width signs count, too: some spreadsheets read them as the plain ones.
///
/// Source: OWASP, "CSV Injection".
fn plain(cell: &str) -> Cow<'_, str> {
    let begins_a_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    if begins_a_formula { Cow::Owned(format!("'{cell}")) } else { Cow::Borrowed(cell) }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::workspace::{Citation, ContentHash, Decision, LineRange, Provenance, Revision, Span, WorkspaceId};

    #[test]
    fn no_cell_is_a_formula_and_every_text_comes_back() {
        let hostile =
            ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "a,\"b\"\r\nc", "潮位", "'quoted", "a=b"];
        let verdict = |text: &str| Verdict {
            id: 7,
            at: Timestamp::UNIX_EPOCH,
            citation: Citation {
                workspace: WorkspaceId::default(),
                path: "=a.csv".parse().unwrap(),
                content_hash: ContentHash([1; 32]),
                revision: Revision(3),
                page: None,
                slide: None,
                lines: Some(LineRange { start: 3, end: 5 }),
                cell: Some(text.to_owned()),
                trail: Vec::new(),
                span: Span::new(4, 9),
                quote: text.to_owned(),
                provenance: Provenance { agent: Some(text.to_owned()), ..Provenance::default() },
            },
            decision: Decision::Reject,
            comment: Some(text.to_owned()),
            query: Some(text.to_owned()),
            by: Some(text.to_owned()),
        };
        let verdicts: Vec<Verdict> = hostile.iter().map(|text| verdict(text)).collect();
        let written = csv_of(&verdicts).unwrap();
        assert!(written.ends_with(b"\r\n"));
        let mut reader = csv::Reader::from_reader(written.as_slice());
        assert_eq!(reader.headers().unwrap().iter().collect::<Vec<_>>(), HEADER);
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), hostile.len());
        for (text, row) in hostile.iter().zip(&rows) {
            assert!(row.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝'])), "{row:?}");
            let is_a_formula = !text.starts_with(['a', '潮', '\'']);
            let expected = if is_a_formula { format!("'{text}") } else { (*text).to_owned() };
            for column in ["by", "comment", "query", "cell", "quote", "agent"] {
                let at = HEADER.iter().position(|name| *name == column).unwrap();
                assert_eq!(row[at], expected, "{column}");
            }
            assert_eq!((&row[0], &row[1], &row[2], &row[6]), ("7", "1970-01-01T00:00:00Z", "reject", "'=a.csv"));
            assert_eq!((&row[9], &row[10], &row[12], &row[13]), ("3", "5", "4", "9"));
        }
    }
}
