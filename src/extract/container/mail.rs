//! E-mail: a message with its attachments as files inside it, and mailboxes as folders of messages.
//!
//! # Invariants
//! - The text is made here: sender, recipients, date and subject as a reader sees them, then the body; of a body that is there
//!   twice the plain text.
//! - Attachments and messages inside a message are members; within the limits of [`crate::extract::container`].
//!
//! # Not here
//! Signatures and encryption: an encrypted body is an attachment that is not read.

use mail_parser::{Address, Message, MessageParser, MessagePart, MimeHeaders as _};

use crate::extract::builder::{Blocks, label, no_trail};
use crate::extract::container::{Members, Nest};
use crate::extract::{Block, BlockKind, Document, ExtractError, Format, markup::html, text};
use crate::workspace::Span;

/// Header fields that a message begins with; two of them at the top of a text make it one.
const FIELDS: [&str; 14] = [
    "bcc",
    "cc",
    "content-type",
    "date",
    "delivered-to",
    "from",
    "message-id",
    "mime-version",
    "received",
    "reply-to",
    "return-path",
    "sender",
    "subject",
    "to",
];

/// Whether a text begins as a message does: fields of mail, one a line, with a sender or a way among them.
pub(in crate::extract) fn is_message(text: &str) -> bool {
    let mut known = Vec::new();
    for line in text.trim_start_matches('\u{feff}').lines().take(40) {
        if line.starts_with([' ', '\t']) && !known.is_empty() {
            continue;
        }
        let Some((name, _)) = line.split_once(':') else { break };
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            break;
        }
        let name = name.to_ascii_lowercase();
        let is_field = name.starts_with("x-") || name.contains('-') || FIELDS.contains(&name.as_str());
        if !is_field && known.is_empty() {
            break;
        }
        known.extend(FIELDS.into_iter().find(|field| *field == name));
    }
    let has = |field: &str| known.contains(&field);
    known.len() >= 3 && (has("from") || has("received") || has("return-path"))
}

/// Whether a text begins as a mailbox does; where it is not so by name, also its first message must.
pub(in crate::extract) fn is_mailbox(text: &str, is_by_name: bool) -> bool {
    let mut lines = text.lines();
    lines.next().is_some_and(|line| is_separator(line.as_bytes())) && {
        let next = lines.next().unwrap_or_default();
        is_by_name
            || next
                .split_once(':')
                .is_some_and(|(name, _)| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()))
    }
}

/// `From somebody Mon Nov 23 10:00:00 2026`.
fn is_separator(line: &[u8]) -> bool {
    let has_clock =
        || line.windows(3).any(|three| three[1] == b':' && three[0].is_ascii_digit() && three[2].is_ascii_digit());
    line.starts_with(b"From ") && has_clock()
}

/// The document of a message.
///
/// # Errors
/// [`ExtractError::Failed`] where it is none, or in too many others.
pub(in crate::extract) fn read_message(bytes: &[u8], nest: &mut Nest) -> Result<Document, ExtractError> {
    let failed = || ExtractError::Failed { reason: "the message is damaged: it has no header".to_owned() };
    let message = MessageParser::default().parse(bytes).ok_or_else(failed)?;
    let mut text = String::new();
    for (name, words) in fields(&message) {
        text.push_str(&line(name, &words));
        text.push('\n');
    }
    let head = Span::new(0, text.len());
    let mut bodies: Vec<Body> = message.text_bodies().map(body).collect();
    if bodies.iter().all(Body::is_blank) {
        bodies = message.html_bodies().map(body).collect();
    }
    let mut blocks =
        vec![Block { span: head.trimmed(&text), kind: BlockKind::Prose, trail: no_trail(), header: None, cell: None }];
    blocks.retain(|block| !block.span.is_empty());
    for body in bodies.into_iter().filter(|body| !body.is_blank()) {
        text.push('\n');
        let start = text.len();
        text.push_str(body.text.trim_end_matches('\n'));
        text.push('\n');
        blocks.extend(body.blocks.into_iter().map(|block| {
            let span = Span::new(block.span.start + start, block.span.end + start);
            Block { span, ..block }
        }));
    }
    let mut members = Members::begin(nest)?;
    for (index, part) in message.attachments().enumerate() {
        members.take_bytes(&attachment_name(part, index + 1), part.contents());
        if members.stopped().is_some() {
            break;
        }
    }
    let (members, partial) = members.finish();
    let title = message.subject().map(label).filter(|title| !title.is_empty());
    Ok(Document { title, partial, blocks, members, ..Document::of(Format::Email, text) })
}

/// The document of a mailbox: a line a message.
///
/// # Errors
/// [`ExtractError::Failed`] where it is in too many others.
pub(in crate::extract) fn read_mailbox(bytes: &[u8], nest: &mut Nest) -> Result<Document, ExtractError> {
    let mut members = Members::begin(nest)?;
    let mut text = String::new();
    let mut lines = Vec::new();
    for (index, message) in messages(bytes).into_iter().enumerate() {
        let name = format!("{}.eml", index + 1);
        let head = MessageParser::new().with_minimal_headers().parse_headers(message);
        let said: Vec<String> = head.iter().flat_map(fields).map(|(_, words)| words).collect();
        let start = text.len();
        text.push_str(&line(&name, &said.join(", ")));
        lines.push(Span::new(start, text.len()));
        text.push('\n');
        members.take_bytes(&name, message);
        if members.stopped().is_some() {
            break;
        }
    }
    let (members, partial) = members.finish();
    let mut blocks = Blocks::new(&text);
    for line in lines {
        blocks.push(BlockKind::Row, line);
    }
    let blocks = blocks.finish();
    Ok(Document { partial, blocks, members, ..Document::of(Format::Mailbox, text) })
}

/// The messages of a mailbox, without the lines that separate them.
fn messages(bytes: &[u8]) -> Vec<&[u8]> {
    let mut messages = Vec::new();
    let (mut start, mut at, mut is_after_blank) = (None, 0, true);
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        if is_after_blank && is_separator(line) {
            messages.extend(start.map(|start| &bytes[start..at]));
            start = Some(at + line.len());
        }
        at += line.len();
        is_after_blank = line.trim_ascii().is_empty();
    }
    messages.extend(start.map(|start| &bytes[start..]));
    messages
}

/// `name: words`, without breaks.
fn line(name: &str, words: &str) -> String {
    format!("{name}: {}", words.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// What a reader sees above a message, in order.
fn fields(message: &Message<'_>) -> Vec<(&'static str, String)> {
    let mut fields = Vec::new();
    for (name, address) in [("From", message.from()), ("To", message.to()), ("Cc", message.cc())] {
        fields.extend(address.map(|address| (name, people(address))));
    }
    fields.extend(message.date().map(|date| ("Date", date.to_rfc3339())));
    fields.extend(message.subject().map(|subject| ("Subject", subject.to_owned())));
    fields.retain(|(_, words)| !words.trim().is_empty());
    fields
}

fn people(address: &Address<'_>) -> String {
    let person = |one: &mail_parser::Addr<'_>| match (&one.name, &one.address) {
        (Some(name), Some(address)) => format!("{name} <{address}>"),
        (Some(one), None) | (None, Some(one)) => one.to_string(),
        (None, None) => String::new(),
    };
    address.iter().map(person).filter(|person| !person.is_empty()).collect::<Vec<_>>().join(", ")
}

/// A part of a message that is read as its words.
struct Body {
    text: String,
    blocks: Vec<Block>,
}

impl Body {
    fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }
}

fn body(part: &MessagePart<'_>) -> Body {
    let words = if part.is_text() { part.text_contents().unwrap_or_default() } else { "" };
    if part.is_text_html()
        && let Some(page) = html::read(words)
    {
        return Body { text: page.text, blocks: page.blocks };
    }
    let words = words.replace("\r\n", "\n");
    let blocks = text::read(&words, BlockKind::Prose);
    Body { text: words, blocks }
}

/// The name of an attachment: its own, or its place and what it is said to be.
fn attachment_name(part: &MessagePart<'_>, number: usize) -> String {
    let extension = match part.content_type() {
        _ if part.is_message() => "eml",
        Some(said) => match (said.ctype(), said.subtype().unwrap_or_default()) {
            ("text", "html") => "html",
            ("text", _) => "txt",
            (_, subtype) => subtype,
        },
        None => "bin",
    };
    let own = part.attachment_name().map(|name| name.replace(['/', '\\'], "_")).filter(|name| !name.trim().is_empty());
    match own {
        Some(name) if part.is_message() && !name.to_ascii_lowercase().ends_with(".eml") => format!("{name}.eml"),
        Some(name) => name.trim_start_matches('.').to_owned(),
        None => format!("attachment-{number}.{extension}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::{Hints, extract, tests::check};

    fn read(bytes: &[u8], file_name: &str) -> Document {
        let document = extract(bytes, Hints { file_name }).unwrap();
        check(&document);
        document.members.iter().filter_map(|member| member.outcome.as_ref().ok()).for_each(check);
        document
    }

    const MESSAGE: &str = "Received: by mx; Mon, 23 Nov 2026 10:00:00 +0000\r\n\
        From: =?utf-8?Q?J=C3=B6rg?= <joerg@example.org>\r\nTo: Ann <ann@example.org>, bob@example.org\r\n\
        Subject: =?utf-8?B?VGlkZSDinJM=?=\r\n report\r\nDate: Mon, 23 Nov 2026 11:00:00 +0100\r\nMIME-Version: 1.0\r\n\
        Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\n\
        --b\r\nContent-Type: multipart/alternative; boundary=\"c\"\r\n\r\n\
        --c\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
        The gauge at H=E4fen=20\r\nis lost.\r\n--c\r\nContent-Type: text/html\r\n\r\n<p>The <b>gauge</b>\r\n--c--\r\n\
        --b\r\nContent-Type: text/csv\r\nContent-Disposition: attachment; filename=\"../levels.csv\"\r\n\r\n\
        time,level\r\n10:00,3.1\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n\
        From: carl@example.org\r\nSubject: Inner\r\nDate: Mon, 23 Nov 2026 09:00:00 +0000\r\n\r\nInner words.\r\n--b--\r\n";

    #[test]
    fn a_message_is_read_as_people_see_it_and_its_attachments_are_documents() {
        for name in ["a.eml", "message.txt", "message"] {
            let message = read(MESSAGE.as_bytes(), name);
            assert_eq!(message.title.as_deref(), Some("Tide ✓ report"));
            assert_eq!(
                message.text,
                "From: Jörg <joerg@example.org>\nTo: Ann <ann@example.org>, bob@example.org\nDate: 2026-11-23T11:00:00+01:00\n\
                 Subject: Tide ✓ report\n\nThe gauge at Häfen \nis lost.\n"
            );
            let of = |path: &str| message.members.iter().find(|member| member.path == path).unwrap();
            assert_eq!(of(".._levels.csv".trim_start_matches('.')).outcome.as_ref().unwrap().format, Format::Csv);
            let inner = of("attachment-2.eml").outcome.as_ref().unwrap();
            assert_eq!((inner.format, inner.title.as_deref()), (Format::Email, Some("Inner")));
            assert!(inner.text.ends_with("\nInner words.\n"), "{}", inner.text);
        }
    }

    #[test]
    fn a_message_of_html_alone_has_its_words() {
        let message =
            "From: a@b.c\nSubject: s\nTo: d@e.f\nContent-Type: text/html\n\n<h1>Tide</h1><p>The <b>gauge</b> is lost.";
        let message = read(message.as_bytes(), "a.eml");
        assert!(message.text.ends_with("Tide\n\nThe gauge is lost.\n"), "{}", message.text);
        let last = message.blocks.last().unwrap();
        assert_eq!(
            (last.span.of(&message.text), &last.trail[..]),
            (Some("The gauge is lost."), &["Tide".to_owned()][..])
        );
    }

    #[test]
    fn a_mailbox_is_a_folder_of_messages() {
        let mailbox = "From a@b.c Mon Nov 23 10:00:00 2026\nFrom: a@b.c\nTo: x@y.z\nSubject: One\n\nFirst words.\nFrom here on, nothing.\n\n\
            From d@e.f Mon Nov 23 11:00:00 2026\nFrom: d@e.f\nTo: x@y.z\nSubject: Two\n\nSecond words.\n";
        for name in ["mail.mbox", "mail"] {
            let mailbox = read(mailbox.as_bytes(), name);
            assert_eq!(mailbox.text, "1.eml: a@b.c, x@y.z, One\n2.eml: d@e.f, x@y.z, Two\n");
            let texts: Vec<&str> =
                mailbox.members.iter().map(|member| member.outcome.as_ref().unwrap().text.as_str()).collect();
            assert!(texts.len() == 2 && texts[0].contains("From here on") && texts[1].ends_with("Second words.\n"));
        }
    }

    #[test]
    fn texts_about_mail_are_no_messages() {
        for text in [
            "From: here to there\nand back again, a story\n",
            "title: A\ndate: 2026\nauthor: b\n",
            "Note: from whom\nTo: do\n",
            "From the beginning at 10:00 2026\nthere was no mail\n",
        ] {
            assert_eq!(read(text.as_bytes(), "a.txt").format, Format::Text, "{text}");
        }
        assert_eq!(read(b"\n", "a.eml").text, "\n");
    }
}
