//! Files that are ZIP packages of parts: Office Open XML, `OpenDocument`, EPUB.
//!
//! # Invariants
//! - What is unpacked is counted as it comes: what the container says of sizes is never believed.
//! - Names are only compared, never joined to a path.
//! - A container that is cut off is read as far as it goes.
//!
//! # Not here
//! What the parts mean, and archives as such.

use std::collections::HashMap;
use std::io::{Cursor, Read};

use encoding_rs::{Encoding, UTF_8};
use flate2::read::DeflateDecoder;
use zip::ZipArchive;

use crate::extract::office::xml_events::{Node, Xml};

/// Most entries of a package; office programs write some hundred.
const MAX_ENTRIES: usize = 50_000;

/// Most bytes that are unpacked of one package, over all parts that are read.
const MAX_UNPACKED_BYTES: u64 = 128 << 20;

/// What a package is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::extract) enum PackageKind {
    /// A document of Word.
    Word,
    /// A presentation of `PowerPoint`.
    Slides,
    /// A workbook, of Excel or in `OpenDocument`.
    Spreadsheet,
    /// An `OpenDocument` text.
    OpenText,
    /// An `OpenDocument` presentation.
    OpenSlides,
    /// An EPUB book.
    Epub,
}

/// Where the bytes of an entry are.
enum Place {
    /// Number of an entry in the directory.
    Listed(usize),
    /// Method, and first byte, of an entry that was found without a directory.
    Found { is_deflated: bool, start: usize, end: usize },
}

/// An open package.
pub(in crate::extract) struct Package<'b> {
    bytes: &'b [u8],
    zip: Option<ZipArchive<Cursor<&'b [u8]>>>,
    places: HashMap<String, Place>,
    left: u64,
    num_damaged: usize,
    is_cut_by_limit: bool,
}

impl<'b> Package<'b> {
    /// Opens a package; `None` where the bytes hold no entry of a ZIP.
    pub(in crate::extract) fn open(bytes: &'b [u8]) -> Option<Self> {
        if !bytes.starts_with(b"PK") {
            return None;
        }
        let mut package = Self {
            bytes,
            zip: None,
            places: HashMap::new(),
            left: MAX_UNPACKED_BYTES,
            num_damaged: 0,
            is_cut_by_limit: false,
        };
        // The directory is read into memory as a whole, so its entries are counted before.
        let num_entries = bytes.windows(4).filter(|window| window == b"PK\x01\x02").take(MAX_ENTRIES + 1).count();
        let zip = (num_entries <= MAX_ENTRIES).then(|| ZipArchive::new(Cursor::new(bytes)).ok()).flatten();
        if let Some(zip) = zip.filter(|zip| !zip.is_empty()) {
            for (index, name) in zip.file_names().enumerate().take(MAX_ENTRIES) {
                if let Ok(name) = name {
                    package.places.entry(normal_name(&name)).or_insert(Place::Listed(index));
                }
            }
            package.zip = Some(zip);
        } else {
            package.places = found_entries(bytes);
        }
        (!package.places.is_empty()).then_some(package)
    }

    /// What the package is; `None` for a ZIP that is none of these.
    pub(in crate::extract) fn kind(&mut self) -> Option<PackageKind> {
        if let Some(declared) = self.media_type() {
            let is = |kind: &str| declared.contains(kind);
            return match () {
                () if is("epub") => Some(PackageKind::Epub),
                () if is("opendocument.text") => Some(PackageKind::OpenText),
                () if is("opendocument.presentation") => Some(PackageKind::OpenSlides),
                () if is("opendocument.spreadsheet") => Some(PackageKind::Spreadsheet),
                () => None,
            };
        }
        let types = self.xml("[Content_Types].xml").unwrap_or_default();
        self.kind_by_content_types(&types).or_else(|| {
            let has = |name: &str| self.places.contains_key(name);
            match () {
                () if has("word/document.xml") => Some(PackageKind::Word),
                () if has("ppt/presentation.xml") => Some(PackageKind::Slides),
                () if has("xl/workbook.xml") || has("xl/workbook.bin") => Some(PackageKind::Spreadsheet),
                () if has("meta-inf/container.xml") && has("mimetype") => Some(PackageKind::Epub),
                () => None,
            }
        })
    }

    fn kind_by_content_types(&self, types: &str) -> Option<PackageKind> {
        let mut xml = Xml::new(types);
        while let Some(node) = xml.next() {
            let Node::Open(tag) = node else { continue };
            let Some(content_type) = tag.attr("ContentType") else { continue };
            let content_type = content_type.to_ascii_lowercase();
            let is_main =
                content_type.ends_with("main+xml") || content_type.ends_with("sheet.binary.macroenabled.main");
            let part = tag.attr("PartName").map(|name| normal_name(&name));
            // The content type of a main part may be the default of its extension.
            if !is_main || part.is_some_and(|part| !self.places.contains_key(&part)) {
                continue;
            }
            let is = |kind: &str| content_type.contains(kind);
            match () {
                () if is("wordprocessingml") || is("ms-word") => return Some(PackageKind::Word),
                () if is("presentationml") || is("ms-powerpoint") => return Some(PackageKind::Slides),
                () if is("spreadsheetml") || is("ms-excel") => return Some(PackageKind::Spreadsheet),
                () => {}
            }
        }
        None
    }

    /// What the entry `mimetype` says, as `OpenDocument` and EPUB have it.
    pub(in crate::extract) fn media_type(&mut self) -> Option<String> {
        let declared = String::from_utf8(self.bytes_of("mimetype")?).ok()?;
        let declared = declared.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}').to_ascii_lowercase();
        // What is damaged is no type, and what follows goes by the parts.
        let is_type = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '+' | '_');
        (declared.len() < 200 && declared.contains('/') && declared.chars().all(is_type)).then_some(declared)
    }

    /// Whether there is a part of that name, in letters of any case.
    pub(in crate::extract) fn has(&self, name: &str) -> bool {
        self.places.contains_key(&normal_name(name))
    }

    /// The bytes of a part, as many as can be unpacked; `None` where it is missing or nothing can.
    pub(in crate::extract) fn bytes_of(&mut self, name: &str) -> Option<Vec<u8>> {
        let place = self.places.get(&normal_name(name))?;
        let mut bytes = Vec::new();
        let limit = self.left;
        let outcome = match place {
            Place::Listed(index) => match self.zip.as_mut()?.by_index(*index) {
                Ok(entry) => entry.take(limit).read_to_end(&mut bytes).map(drop),
                Err(error) => Err(error.into()),
            },
            Place::Found { is_deflated, start, end } => {
                let packed = self.bytes.get(*start..*end)?;
                if *is_deflated {
                    DeflateDecoder::new(packed).take(limit).read_to_end(&mut bytes).map(drop)
                } else {
                    packed.take(limit).read_to_end(&mut bytes).map(drop)
                }
            }
        };
        self.num_damaged += usize::from(outcome.is_err());
        let num_bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.left = self.left.saturating_sub(num_bytes);
        self.is_cut_by_limit |= self.left == 0;
        (outcome.is_ok() || !bytes.is_empty()).then_some(bytes)
    }

    /// The text of an XML part, as [`Package::bytes_of`].
    pub(in crate::extract) fn xml(&mut self, name: &str) -> Option<String> {
        Some(xml_text(self.bytes_of(name)?))
    }

    /// Why what was read so far may not be all, for a person.
    pub(in crate::extract) fn partial(&self) -> Option<String> {
        let mut reasons = Vec::new();
        if self.is_cut_by_limit {
            reasons.push(format!(
                "the file unpacks to more than {} MB; what follows was not read",
                MAX_UNPACKED_BYTES >> 20
            ));
        }
        if self.zip.is_none() {
            reasons.push("the file is cut off; what was found of it was read".to_owned());
        }
        if self.num_damaged > 0 && self.zip.is_some() {
            reasons.push(format!("{} damaged part(s) of the file were read as far as they go", self.num_damaged));
        }
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }
}

/// The text of an XML file: in Unicode by its first bytes, else as it declares.
pub(in crate::extract) fn xml_text(bytes: Vec<u8>) -> String {
    let encoding = Encoding::for_bom(&bytes).map_or_else(|| declared_encoding(&bytes), |(encoding, _)| encoding);
    if encoding == UTF_8 {
        let mut text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        };
        if text.starts_with('\u{feff}') {
            text.remove(0);
        }
        return text;
    }
    encoding.decode(&bytes).0.into_owned()
}

/// UTF-16 without a mark shows in the zeros beside its first character.
fn declared_encoding(bytes: &[u8]) -> &'static Encoding {
    match bytes {
        [b'<', 0, ..] => return encoding_rs::UTF_16LE,
        [0, b'<', ..] => return encoding_rs::UTF_16BE,
        _ => {}
    }
    let head = &bytes[..bytes.len().min(200)];
    let head = head.split(|&byte| byte == b'>').next().unwrap_or_default();
    let head = String::from_utf8_lossy(head);
    let declared = head.starts_with("<?xml").then(|| head.split_once("encoding")).flatten();
    let label = declared.and_then(|(_, rest)| rest.split(['"', '\'']).nth(1)).unwrap_or_default();
    let encoding = Encoding::for_label(label.as_bytes()).unwrap_or(UTF_8);
    // It is read as bytes, so it cannot be UTF-16 whatever it says.
    if encoding.is_ascii_compatible() { encoding } else { UTF_8 }
}

/// Names are compared without case, with slashes; some programs write them otherwise.
fn normal_name(name: &str) -> String {
    name.replace('\\', "/").trim_start_matches('/').to_ascii_lowercase()
}

/// The entries of a ZIP without a directory, by their own headers.
fn found_entries(bytes: &[u8]) -> HashMap<String, Place> {
    const HEADER_BYTES: usize = 30;
    let mut places = HashMap::new();
    let mut at = 0;
    while let Some(header) = bytes.get(at..at + HEADER_BYTES) {
        if !header.starts_with(b"PK\x03\x04") {
            at += 1;
            continue;
        }
        if places.len() == MAX_ENTRIES {
            break;
        }
        let short = |offset: usize| usize::from(u16::from_le_bytes([header[offset], header[offset + 1]]));
        let (method, name_bytes, extra_bytes) = (short(8), short(26), short(28));
        let packed_bytes = short(18) | (short(20) << 16);
        let start = at + HEADER_BYTES + name_bytes + extra_bytes;
        let name = bytes.get(at + HEADER_BYTES..at + HEADER_BYTES + name_bytes).map(String::from_utf8_lossy);
        // A size that stands after the data is not known; deflated data has its own end.
        let end = if packed_bytes == 0 { bytes.len() } else { start.saturating_add(packed_bytes).min(bytes.len()) };
        let is_readable = start < bytes.len() && (method == 8 || (method == 0 && packed_bytes > 0));
        if let Some(name) = name.filter(|_| is_readable) {
            places.entry(normal_name(&name)).or_insert(Place::Found { is_deflated: method == 8, start, end });
        }
        at = if packed_bytes > 0 && end > at { end } else { at + 4 };
    }
    places
}
