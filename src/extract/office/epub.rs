//! EPUB books: the chapters in reading order, each read as a web page.

use std::collections::HashMap;

use super::failed;
use super::relations::{resolved, title_in};
use crate::extract::office::package::{Package, xml_text};
use crate::extract::office::xml_events::{Node, Xml};
use crate::extract::{Block, Document, ExtractError, Format, markup::html};
use crate::workspace::Span;

/// Most chapters that are read.
const MAX_CHAPTERS: usize = 20_000;

/// Elements whose start tag holds no end in HTML: `<br/>` is whole.
const VOID: [&str; 14] =
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"];

/// Reads a book.
pub(super) fn read(package: &mut Package<'_>) -> Result<Document, ExtractError> {
    if let Some(reason) = protection(package) {
        return Err(failed(reason));
    }
    let container = package.xml("META-INF/container.xml").unwrap_or_default();
    let Some(main) = first_attribute(&container, "rootfile", "full-path") else {
        return Err(failed("the EPUB does not say where its contents are: it is damaged or cut short"));
    };
    let Some(source) = package.xml(&main) else {
        return Err(failed("the EPUB has no list of contents: it is damaged or cut short"));
    };
    let folder = main.rsplit_once('/').map_or("", |(folder, _)| folder);
    let chapters = chapters(&source, folder);
    let num_chapters = chapters.len();
    let (mut text, mut blocks, mut first_title) = (String::new(), Vec::new(), None);
    let mut num_unread = num_chapters.saturating_sub(MAX_CHAPTERS);
    for chapter in chapters.into_iter().take(MAX_CHAPTERS) {
        let page = package.bytes_of(&chapter).and_then(|bytes| html::read(&as_html(&xml_text(bytes))));
        let Some(page) = page else {
            num_unread += 1;
            continue;
        };
        if page.text.is_empty() {
            continue;
        }
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        let by = text.len();
        text.push_str(&page.text);
        let moved = |block: Block| Block { span: Span::new(block.span.start + by, block.span.end + by), ..block };
        blocks.extend(page.blocks.into_iter().map(moved));
        first_title = first_title.or(page.title);
    }
    if num_unread > 0 && text.is_empty() {
        return Err(failed("no chapter of the EPUB could be read: it is damaged or cut short"));
    }
    let partial =
        (num_unread > 0).then(|| format!("{num_unread} of {num_chapters} chapters are missing or could not be read"));
    let title = title_in(&source).or(first_title);
    Ok(Document { title, partial, blocks, ..Document::of(Format::Epub, text) })
}

/// Why the book cannot be read by anybody, where it is locked.
fn protection(package: &mut Package<'_>) -> Option<&'static str> {
    let encryption = package.xml("META-INF/encryption.xml")?;
    let mut xml = Xml::new(&encryption);
    let mut is_locked = false;
    while let Some(node) = xml.next() {
        if let Node::Open(tag) = node
            && tag.name() == "EncryptionMethod"
        {
            // Fonts are veiled without a key; words are not.
            let method = tag.attr("Algorithm").unwrap_or_default();
            is_locked |= !method.contains("idpf.org/2008/embedding") && !method.contains("adobe.com/pdf/enc#RC");
        }
    }
    is_locked.then_some(match () {
        () if package.has("META-INF/rights.xml") => "the EPUB is protected by Adobe's digital rights management",
        () if package.has("META-INF/sinf.xml") => "the EPUB is protected by Apple's digital rights management",
        () if package.has("META-INF/license.lcpl") => "the EPUB is protected by a Readium licence (LCP)",
        () => "the EPUB is encrypted",
    })
}

fn first_attribute(source: &str, element: &str, attribute: &str) -> Option<String> {
    let mut xml = Xml::new(source);
    while let Some(node) = xml.next() {
        if let Node::Open(tag) = node
            && tag.name() == element
        {
            return tag.attr(attribute).map(|path| percent_decoded(&path));
        }
    }
    None
}

/// The parts of the chapters, in reading order; where none is given, all pages in the order of the list.
fn chapters(source: &str, folder: &str) -> Vec<String> {
    let mut parts: HashMap<String, String> = HashMap::new();
    let (mut pages, mut order) = (Vec::new(), Vec::new());
    let mut xml = Xml::new(source);
    while let Some(node) = xml.next() {
        let Node::Open(tag) = node else { continue };
        match tag.name() {
            "item" => {
                let (Some(id), Some(href)) = (tag.attr("id"), tag.attr("href")) else { continue };
                let part = resolved(folder, &percent_decoded(&href));
                if tag.attr("media-type").is_some_and(|media_type| media_type.contains("html")) {
                    pages.push(part.clone());
                }
                parts.insert(id, part);
            }
            "itemref" => order.extend(tag.attr("idref")),
            _ => {}
        }
    }
    let mut chapters: Vec<String> = order.iter().filter_map(|id| parts.remove(id)).collect();
    if chapters.is_empty() {
        chapters = pages;
    }
    chapters.retain(|chapter| {
        let extension = chapter.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase();
        !matches!(extension.as_str(), "svg" | "jpg" | "jpeg" | "png" | "gif" | "css" | "ncx")
    });
    chapters
}

/// `a b` for `a%20b`.
fn percent_decoded(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let decoded = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| byte == b'%');
        bytes.push(decoded.unwrap_or(byte));
        rest = if decoded.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| path.to_owned())
}

/// XHTML as HTML reads it: `<title/>` and `<a id="x"/>` are whole, where HTML would go on until an end.
fn as_html(source: &str) -> String {
    let mut html = String::with_capacity(source.len() + source.len() / 16);
    let mut rest = source;
    while let Some(at) = rest.find("/>") {
        let (before, after) = rest.split_at(at);
        rest = &after[2..];
        html.push_str(before);
        let tag = before.rfind('<').map_or("", |start| &before[start + 1..]);
        let name_end = tag.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | ':'))).unwrap_or(tag.len());
        let name = &tag[..name_end];
        if name.is_empty() || tag.contains('>') || VOID.contains(&name.to_ascii_lowercase().as_str()) {
            html.push_str("/>");
        } else {
            html.push_str("></");
            html.push_str(name);
            html.push('>');
        }
    }
    html.push_str(rest);
    html
}
