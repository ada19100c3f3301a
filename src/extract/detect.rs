//! What a file is: by its content first, by its name second.
//!
//! # Invariants
//! - Text is recognised as text whatever its first bytes look like to a table of magic numbers (`BMW` is no bitmap).
//! - A type that is not read is named in words that a person understands, as a media type where it has one.

use super::container::archive::{self, Packing};
use super::office::package::{Package, PackageKind};
use super::text::decode::{self, Decoded};
use super::{ExtractError, Format, Hints, container::mail, data::notebook, office::ole2, spreadsheet, text::log};

/// How a file will be read.
#[derive(Debug)]
pub(super) enum Kind {
    /// A PDF, read from its bytes.
    Pdf,
    /// An archive.
    Archive(Packing),
    /// An e-mail message, read from its bytes.
    Message,
    /// A mailbox, read from its bytes.
    Mailbox,
    /// Rich Text, read from its bytes.
    Rtf,
    /// A spreadsheet, read from its bytes.
    Spreadsheet(spreadsheet::Packing),
    /// A package of parts, read from its bytes.
    Package(PackageKind),
    /// A text in `format`; `language` for source code and configuration.
    Text { decoded: Decoded, format: Format, language: Option<&'static str> },
}

/// Extensions of plain text and of text formats without a reader of their own.
const TEXT_EXTENSIONS: &[&str] = &[
    "bib", "diff", "eml", "ics", "lst", "mbox", "org", "out", "patch", "po", "pod", "pot", "text", "txt", "vcf", "wiki",
];

/// Extensions of configuration and markup that is read as plain text, in verbatim blocks.
const CONFIGURATION_EXTENSIONS: &[&str] =
    &["cfg", "conf", "config", "desktop", "editorconfig", "env", "gitignore", "ini", "lock", "properties", "service"];

/// Extensions of documents that are packages.
const PACKAGE_EXTENSIONS: &[&str] = &[
    "docm", "docx", "dotm", "dotx", "epub", "odp", "odt", "otp", "ott", "potm", "potx", "ppsm", "ppsx", "pptm", "pptx",
];

/// Extension to language, for source code. Those of [`super::text::code::grammar`] are cut at their definitions.
const LANGUAGES: &[(&str, &str)] = &[
    ("asm", "assembly"),
    ("awk", "awk"),
    ("bash", "bash"),
    ("bat", "batch"),
    ("c", "c"),
    ("cc", "cpp"),
    ("cjs", "javascript"),
    ("clj", "clojure"),
    ("cmake", "cmake"),
    ("coffee", "coffeescript"),
    ("cpp", "cpp"),
    ("cs", "csharp"),
    ("css", "css"),
    ("cu", "cpp"),
    ("cxx", "cpp"),
    ("d", "d"),
    ("dart", "dart"),
    ("el", "lisp"),
    ("elm", "elm"),
    ("erl", "erlang"),
    ("ex", "elixir"),
    ("exs", "elixir"),
    ("f90", "fortran"),
    ("fs", "fsharp"),
    ("go", "go"),
    ("gradle", "groovy"),
    ("graphql", "graphql"),
    ("groovy", "groovy"),
    ("h", "c"),
    ("hh", "cpp"),
    ("hpp", "cpp"),
    ("hs", "haskell"),
    ("hxx", "cpp"),
    ("java", "java"),
    ("jl", "julia"),
    ("js", "javascript"),
    ("jsx", "javascript"),
    ("kt", "kotlin"),
    ("kts", "kotlin"),
    ("less", "css"),
    ("lisp", "lisp"),
    ("lua", "lua"),
    ("m", "objective-c"),
    ("mjs", "javascript"),
    ("ml", "ocaml"),
    ("mm", "objective-c"),
    ("mts", "typescript"),
    ("nim", "nim"),
    ("nix", "nix"),
    ("pas", "pascal"),
    ("php", "php"),
    ("pl", "perl"),
    ("pm", "perl"),
    ("proto", "protobuf"),
    ("ps1", "powershell"),
    ("py", "python"),
    ("pyi", "python"),
    ("pyw", "python"),
    ("r", "r"),
    ("rake", "ruby"),
    ("rb", "ruby"),
    ("rs", "rust"),
    ("s", "assembly"),
    ("scala", "scala"),
    ("scm", "scheme"),
    ("scss", "css"),
    ("sh", "bash"),
    ("sql", "sql"),
    ("svelte", "svelte"),
    ("swift", "swift"),
    ("tcl", "tcl"),
    ("tf", "terraform"),
    ("ts", "typescript"),
    ("tsx", "tsx"),
    ("vb", "visual-basic"),
    ("vim", "vim"),
    ("vue", "vue"),
    ("zig", "zig"),
    ("zsh", "bash"),
];

/// Whole file names, in lower case, that are source code.
const CODE_NAMES: &[(&str, &str)] = &[
    ("cmakelists.txt", "cmake"),
    ("containerfile", "dockerfile"),
    ("dockerfile", "dockerfile"),
    ("gemfile", "ruby"),
    ("gnumakefile", "makefile"),
    ("jenkinsfile", "groovy"),
    ("justfile", "makefile"),
    ("makefile", "makefile"),
    ("rakefile", "ruby"),
    ("vagrantfile", "ruby"),
];

/// Finds out what `bytes` are.
pub(super) fn detect(bytes: &[u8], hints: Hints<'_>) -> Result<Kind, ExtractError> {
    let name = hints.file_name.to_ascii_lowercase();
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    if is_pdf(bytes, extension) {
        return Ok(Kind::Pdf);
    }
    if bytes.trim_ascii_start().starts_with(b"{\\rtf") {
        return Ok(Kind::Rtf);
    }
    if let Some(packing) = spreadsheet::packing(bytes, extension) {
        return Ok(Kind::Spreadsheet(packing));
    }
    if let Some(mut package) = Package::open(bytes) {
        if let Some(kind) = package.kind() {
            return Ok(Kind::Package(kind));
        }
        if let Some(type_name) = package.media_type() {
            return Err(ExtractError::Unsupported { type_name });
        }
    }
    if let Some(error) = ole2::refused(bytes) {
        return Err(error);
    }
    if let Some(packing) = archive::packing(bytes) {
        return Ok(Kind::Archive(packing));
    }
    if is_ebcdic(bytes) {
        return Err(ExtractError::Unsupported { type_name: "EBCDIC text".to_owned() });
    }
    let by_name = by_name(&name, extension);
    match decode::decode(bytes, by_name.is_some()) {
        // A damaged PDF can pass for text in a legacy encoding.
        Some(decoded)
            if !is_text_of_another_trade(&decoded.text) && (extension != "pdf" || decoded.encoding.is_none()) =>
        {
            let is_plain = matches!(by_name, None | Some((Format::Text, None)));
            if is_plain && mail::is_mailbox(&decoded.text, extension == "mbox") {
                return Ok(Kind::Mailbox);
            }
            if is_plain && (extension == "eml" && !decoded.text.trim().is_empty() || mail::is_message(&decoded.text)) {
                return Ok(Kind::Message);
            }
            let (format, language) = by_content(&decoded.text, extension, by_name);
            Ok(Kind::Text { decoded, format, language })
        }
        _ if extension == "pdf" => Err(ExtractError::Failed {
            reason: "the file is named as a PDF but does not begin as one: it is damaged or of another type".to_owned(),
        }),
        _ if PACKAGE_EXTENSIONS.contains(&extension) => Err(ExtractError::Failed {
            reason: format!("the file is named .{extension} but its content is damaged or of another type"),
        }),
        _ => Err(ExtractError::Unsupported { type_name: binary_type(bytes) }),
    }
}

/// What a file's name says of its type, in characters that a file name may have: files of the same bytes for which it says the
/// same are read in the same way.
pub(super) fn type_by_name(file_name: &str) -> String {
    let name = file_name.to_ascii_lowercase();
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let (format, language) =
        by_name(&name, extension).map_or(("", ""), |(format, language)| (format.name(), language.unwrap_or_default()));
    let plain = |words: &str| words.chars().filter(char::is_ascii_alphanumeric).take(16).collect::<String>();
    format!("{}-{format}-{}", plain(extension), plain(language))
}

/// PDF allows bytes before its header; a text that only speaks of it is no PDF. Viewers open a file without the header too.
fn is_pdf(bytes: &[u8], extension: &str) -> bool {
    let head = &bytes[..bytes.len().min(1024)];
    if extension == "pdf" && head.starts_with(b"%") && head.windows(6).any(|window| window == b" 0 obj") {
        return true;
    }
    let marker = b"%PDF-";
    head.trim_ascii_start().starts_with(marker)
        || head.strip_prefix(b"\xef\xbb\xbf").is_some_and(|rest| rest.starts_with(marker))
        || (head.windows(marker.len()).any(|window| window == marker)
            && (extension == "pdf" || std::str::from_utf8(bytes).is_err()))
}

/// Text on the outside only: what it says is not in its words.
fn is_text_of_another_trade(text: &str) -> bool {
    text.starts_with("%!PS")
}

fn binary_type(bytes: &[u8]) -> String {
    if bytes.starts_with(b"%!PS") {
        return "application/postscript".to_owned();
    }
    infer::get(bytes).map_or_else(|| "binary data".to_owned(), |found| found.mime_type().to_owned())
}

/// Whether the bytes are text in EBCDIC, which passes for text in a legacy encoding: its letters, digits and spaces are nearly
/// all of them, and none is a space or a line end of ASCII.
fn is_ebcdic(bytes: &[u8]) -> bool {
    let sample = &bytes[..bytes.len().min(64 * 1024)];
    let is_word = |byte: u8| matches!(byte, 0x40 | 0x81..=0x89 | 0x91..=0x99 | 0xa2..=0xa9 | 0xc1..=0xc9 | 0xd1..=0xd9 | 0xe2..=0xe9 | 0xf0..=0xf9);
    let num_words = sample.iter().filter(|&&byte| is_word(byte)).count();
    let num_spaces = sample.split(|&byte| byte == 0x40).count() - 1;
    sample.len() >= 64
        && num_spaces * 12 >= sample.len()
        && num_words * 10 >= sample.len() * 8
        && !sample.contains(&b' ')
}

type Named = (Format, Option<&'static str>);

fn by_name(name: &str, extension: &str) -> Option<Named> {
    if let Some((_, language)) = CODE_NAMES.iter().find(|(known, _)| *known == name) {
        return Some((Format::Code, Some(language)));
    }
    // `service.log`, `service.log.1`, `service.log.2026-11-23`.
    if extension == "log" || name.contains(".log.") {
        return Some((Format::Log, None));
    }
    let format = match extension {
        "md" | "markdown" | "mdown" | "mkd" | "mdx" | "qmd" | "rmd" => Format::Markdown,
        "rst" | "rest" => Format::Rst,
        "html" | "htm" | "xhtml" | "shtml" => Format::Html,
        "json" | "geojson" | "webmanifest" | "jsonc" | "json5" => Format::Json,
        "ipynb" => Format::Notebook,
        "jsonl" | "ndjson" => Format::Jsonl,
        "csv" => Format::Csv,
        "tsv" | "tab" => Format::Tsv,
        "yaml" | "yml" => Format::Yaml,
        "toml" => Format::Toml,
        "xml" | "atom" | "opml" | "plist" | "pom" | "rdf" | "rss" | "svg" | "xhtml+xml" | "xsd" | "xsl" | "xslt" => {
            Format::Xml
        }
        "srt" | "vtt" => Format::Subtitles,
        "adoc" | "asciidoc" => Format::Asciidoc,
        "tex" | "latex" | "ltx" => Format::Latex,
        _ if TEXT_EXTENSIONS.contains(&extension) => Format::Text,
        _ => {
            if let Some(known) = CONFIGURATION_EXTENSIONS.iter().find(|known| **known == extension) {
                return Some((Format::Text, Some(known)));
            }
            let (_, language) = LANGUAGES.iter().find(|(known, _)| *known == extension)?;
            return Some((Format::Code, Some(language)));
        }
    };
    Some((format, None))
}

/// The format of a text: content that is beyond doubt goes before the name.
fn by_content(text: &str, extension: &str, by_name: Option<Named>) -> Named {
    let body = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    match by_name {
        Some((Format::Notebook, _)) if body.is_empty() || !body.starts_with('{') => (Format::Json, None),
        // Under its own name a notebook that breaks off is a broken notebook, and another JSON value is what it is.
        Some((Format::Notebook, _)) if is_json(body) && !notebook::is_notebook(body) => (Format::Json, None),
        Some((Format::Json | Format::Text, None)) | None if notebook::is_notebook(body) => (Format::Notebook, None),
        Some((Format::Json, _)) if is_json_lines(body) => (Format::Jsonl, None),
        Some((Format::Text, None)) | None => {
            if is_html(body) {
                (Format::Html, None)
            } else if extension.is_empty() && body.starts_with("#!") {
                shebang(body)
            } else if by_name.is_none() && body.starts_with("<?xml") {
                (Format::Xml, None)
            } else if body.starts_with("WEBVTT") {
                (Format::Subtitles, None)
            } else if matches!(body.as_bytes().first(), Some(b'{' | b'[')) && is_json(body) {
                (Format::Json, None)
            } else if body.starts_with('{') && is_json_lines(body) {
                (Format::Jsonl, None)
            } else if let Some(rows) = exported_rows(body, extension) {
                (rows, None)
            } else if log::is_log(text) {
                (Format::Log, None)
            } else {
                (Format::Text, None)
            }
        }
        Some(named) => named,
    }
}

/// Rows of a text under the name of a spreadsheet, as programs export them.
fn exported_rows(body: &str, extension: &str) -> Option<Format> {
    let line = body.lines().next().filter(|_| matches!(extension, "xls" | "xlsx" | "ods"))?;
    if line.contains('\t') { Some(Format::Tsv) } else { line.contains([',', ';', '|']).then_some(Format::Csv) }
}

fn is_html(body: &str) -> bool {
    let head = &body[..super::builder::floor_char_boundary(body, 1024)];
    let head = head.to_ascii_lowercase();
    // An XML declaration or comments may stand before the document type.
    let mut rest = head.as_str();
    loop {
        rest = rest.trim_start();
        let end = if rest.starts_with("<?xml") { "?>" } else { "-->" };
        if !(rest.starts_with("<?xml") || rest.starts_with("<!--")) {
            break;
        }
        let Some((_, after)) = rest.split_once(end) else { break };
        rest = after;
    }
    ["<!doctype html", "<html", "<head>", "<body>"].iter().any(|start| rest.starts_with(start))
}

fn is_json(body: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(body).is_ok()
}

/// At least two lines, the first two that are not blank each a whole JSON object or array.
fn is_json_lines(body: &str) -> bool {
    let mut lines = body.lines().filter(|line| !line.trim().is_empty());
    let mut next_is_value =
        || lines.next().is_some_and(|line| line.trim_start().starts_with(['{', '[']) && is_json(line));
    next_is_value() && next_is_value()
}

fn shebang(body: &str) -> Named {
    let line = body.lines().next().unwrap_or_default();
    let program = line.split(['/', ' ']).rfind(|part| !part.is_empty() && !part.starts_with('-')).unwrap_or_default();
    let program = program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let language = match program {
        "sh" | "bash" | "zsh" | "dash" | "ksh" => "bash",
        "python" => "python",
        "ruby" => "ruby",
        "node" | "nodejs" => "javascript",
        "perl" => "perl",
        _ => return (Format::Code, None),
    };
    (Format::Code, Some(language))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format_of(bytes: &[u8], file_name: &str) -> (Format, Option<&'static str>) {
        match detect(bytes, Hints { file_name }) {
            Ok(Kind::Text { format, language, .. }) => (format, language),
            other => panic!("{other:?}"),
        }
    }

    fn type_of(bytes: &[u8], file_name: &str) -> String {
        match detect(bytes, Hints { file_name }) {
            Err(ExtractError::Unsupported { type_name }) => type_name,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn names_tell_text_formats_apart() {
        for (name, format, language) in [
            ("a.md", Format::Markdown, None),
            ("A.TXT", Format::Text, None),
            ("LICENSE", Format::Text, None),
            ("Makefile", Format::Code, Some("makefile")),
            ("lib.rs", Format::Code, Some("rust")),
            ("x.yaml", Format::Yaml, None),
            ("pom.xml", Format::Xml, None),
            ("a.tex", Format::Latex, None),
            ("x.ini", Format::Text, Some("ini")),
            ("t.tsv", Format::Tsv, None),
            ("run.log.1", Format::Log, None),
            ("run.ipynb", Format::Json, None),
        ] {
            assert_eq!(format_of(b"some words\n", name), (format, language), "{name}");
        }
    }

    #[test]
    fn content_beyond_doubt_goes_before_the_name() {
        assert_eq!(format_of(b"<!-- x --> <!DOCTYPE html><p>a", "page.txt").0, Format::Html);
        assert_eq!(format_of(b"{\"a\": 1}", "result").0, Format::Json);
        assert_eq!(format_of(b"{\"a\": 1}\n{\"a\": 2}\n", "results.json").0, Format::Jsonl);
        let notebook = br#"{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}"#;
        for name in ["run", "run.json", "run.ipynb"] {
            assert_eq!(format_of(notebook, name).0, Format::Notebook, "{name}");
        }
        assert_eq!(format_of(b"{\"cells\": [", "run.ipynb").0, Format::Notebook);
        assert_eq!(format_of(b"{\"cells\": []}", "run.ipynb").0, Format::Json);
        assert_eq!(format_of(b"#!/usr/bin/env python3\nprint()", "tool"), (Format::Code, Some("python")));
        assert_eq!(format_of(b"BMW builds cars\n", "cars.txt").0, Format::Text);
    }

    #[test]
    fn types_that_are_not_read_are_named() {
        assert_eq!(type_of(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "chart.txt"), "image/png");
        assert_eq!(type_of(b"7z\xbc\xaf\x27\x1c\0\x04\xff\xfe", "a.7z"), "application/x-7z-compressed");
        assert_eq!(type_of(b"%!PS-Adobe-3.0\nwords", "letter.ps"), "application/postscript");
        assert_eq!(type_of(&[0, 1, 2, 3, 200, 0, 7, 7, 9], "blob"), "binary data");
        // "The request is scheduled" and spaces, again and again.
        let record = b"\xe3\x88\x85\x40\x99\x85\x98\xa4\x85\xa2\xa3\x40\x89\xa2\x40\xa2\x83\x88\x85\x84\xa4\x93\x85\x84\x4b\x40\x40\x40";
        assert_eq!(type_of(&record.repeat(9), "calls.txt"), "EBCDIC text");
    }

    #[test]
    fn a_pdf_is_known_by_its_header_and_a_false_name_is_a_failure() {
        assert!(matches!(detect(b"%PDF-1.4\n", Hints { file_name: "x.txt" }), Ok(Kind::Pdf)));
        assert_eq!(format_of(b"a text about %PDF- headers", "notes.txt").0, Format::Text);
        assert!(matches!(detect(&[0, 159, 1, 2], Hints { file_name: "x.pdf" }), Err(ExtractError::Failed { .. })));
        let headless = b"%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog >>\nendobj\n";
        assert!(matches!(detect(headless, Hints { file_name: "x.pdf" }), Ok(Kind::Pdf)));
        assert_eq!(format_of(b"% about 1 0 obj", "x.tex").0, Format::Latex);
    }
}
