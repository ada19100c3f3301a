//! Files of the old Office programs: told apart, and refused in words.
//!
//! # Invariants
//! - The container is not opened. Names of its streams stand every 128 bytes, and only those are compared, in one pass.

use crate::extract::ExtractError;

/// What a container begins with.
const MAGIC: [u8; 8] = [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];

/// Bytes of an entry of the directory; its name comes first.
const ENTRY_BYTES: usize = 128;

/// Streams that tell what a file is, and what such a file is called.
const STREAMS: [(&str, &str); 8] = [
    ("WordDocument", "application/msword (Word before 2007)"),
    ("PowerPoint Document", "application/vnd.ms-powerpoint (PowerPoint before 2007)"),
    ("Workbook", "application/vnd.ms-excel"),
    ("Book", "application/vnd.ms-excel"),
    ("__nameid_version1.0", "application/vnd.ms-outlook (Outlook message)"),
    ("__properties_version1.0", "application/vnd.ms-outlook (Outlook message)"),
    ("VisioDocument", "application/vnd.visio (Visio before 2013)"),
    ("Quill", "application/vnd.ms-publisher (Publisher)"),
];

/// Why a file of the old Office programs is not read; `None` for another file.
pub(in crate::extract) fn refused(bytes: &[u8]) -> Option<ExtractError> {
    if !bytes.starts_with(&MAGIC) {
        return None;
    }
    let mut known = None;
    for entry in bytes.chunks_exact(ENTRY_BYTES).skip(4) {
        if is_named(entry, "EncryptedPackage") {
            return Some(ExtractError::Failed { reason: "the document is protected by a password".to_owned() });
        }
        if known.is_none() {
            known = STREAMS.iter().find(|(stream, _)| is_named(entry, stream)).map(|(_, type_name)| *type_name);
        }
    }
    known.map(|type_name| ExtractError::Unsupported { type_name: type_name.to_owned() })
}

/// Whether an entry of the directory has the name, in letters of any case.
fn is_named(entry: &[u8], name: &str) -> bool {
    let num_bytes = (name.len() + 1) * 2;
    let says_length =
        entry.get(64..66) == u16::try_from(num_bytes).ok().map(u16::to_le_bytes).as_ref().map(<[u8; 2]>::as_slice);
    says_length
        && entry
            .chunks_exact(2)
            .zip(name.bytes().chain([0]))
            .all(|(unit, letter)| unit[0].eq_ignore_ascii_case(&letter) && unit[1] == 0)
}
