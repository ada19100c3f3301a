//! What a spreadsheet is packed in, by its content; by its name where the package is broken.

use std::io::{Cursor, Read as _};

/// What a spreadsheet is packed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::extract) enum Packing {
    /// Zipped XML: XLSX and XLSM.
    Xlsx,
    /// Zipped records.
    Xlsb,
    /// OLE2.
    Xls,
    /// `OpenDocument`.
    Ods,
}

/// How `bytes` pack a spreadsheet; `None` where they are none, whatever their name says.
pub(in crate::extract) fn packing(bytes: &[u8], extension: &str) -> Option<Packing> {
    let named = match extension {
        "xlsx" | "xlsm" | "xltx" | "xltm" | "xlam" => Some(Packing::Xlsx),
        "xlsb" => Some(Packing::Xlsb),
        "xls" | "xlt" | "xla" => Some(Packing::Xls),
        "ods" | "ots" => Some(Packing::Ods),
        _ => None,
    };
    if bytes.starts_with(b"PK\x03\x04") {
        return in_zip(bytes, named);
    }
    if !bytes.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") {
        return None;
    }
    // A document of another kind may hold a spreadsheet; its name or its own stream tells.
    if named.is_some() {
        return if has_stream(bytes, "EncryptedPackage") { Some(Packing::Xlsx) } else { Some(Packing::Xls) };
    }
    let is_other = has_stream(bytes, "WordDocument") || has_stream(bytes, "PowerPoint Document");
    (has_stream(bytes, "Workbook") && !is_other).then_some(Packing::Xls)
}

fn in_zip(bytes: &[u8], named: Option<Packing>) -> Option<Packing> {
    let Ok(mut archive) = zip::ZipArchive::new(Cursor::new(bytes)) else { return named };
    for name in archive.file_names().flatten() {
        let name = name.to_ascii_lowercase().replace('\\', "/");
        if name == "xl/workbook.xml" {
            return Some(Packing::Xlsx);
        }
        if name == "xl/workbook.bin" {
            return Some(Packing::Xlsb);
        }
    }
    let mut mimetype = String::new();
    let entry = archive.by_name("mimetype").ok();
    let is_read = entry.is_some_and(|entry| entry.take(100).read_to_string(&mut mimetype).is_ok());
    let is_ods = is_read && mimetype.starts_with("application/vnd.oasis.opendocument.spreadsheet");
    if is_ods { Some(Packing::Ods) } else { named }
}

/// Whether OLE2 bytes name a stream, in UTF-16 with a zero at its end.
fn has_stream(bytes: &[u8], name: &str) -> bool {
    let name: Vec<u8> = name.bytes().chain([0]).flat_map(|byte| [byte, 0]).collect();
    bytes.windows(name.len()).any(|window| window == name)
}
