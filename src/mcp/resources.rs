//! Files as resources: `pincite://WORKSPACE/PATH`, with its parts percent-encoded. A longer text is read from `?offset=` on.

use std::io::Read as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use rmcp::model::{
    Annotations, ErrorData, ListResourceTemplatesResult, ListResourcesResult, MetaObject, ReadResourceResult, Resource,
    ResourceContents, ResourceTemplate,
};
use serde_json::json;

use crate::engine::{EngineError, FileBytes, FilePart, MAX_TEXT_BYTES, Workspace};
use crate::error::ErrorReport;
use crate::workspace::{FileEntry, RelPath, WorkspaceId};

const SCHEME: &str = "pincite://";
/// Resources of one page.
const MAX_PAGE: usize = 100;
/// The largest file that is no text, in bytes: base64 makes a third more of it, and clients cap a message at 1 MiB.
pub(super) const MAX_BLOB_BYTES: u64 = 600 * 1024;
/// What stays as it is in a path, besides letters and digits: RFC 3986, section 2.3, and the slash between folders.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// The resource of a file.
pub(super) fn uri_of(workspace: &WorkspaceId, path: &RelPath) -> String {
    format!("{SCHEME}{workspace}/{}", utf8_percent_encode(path.as_str(), ENCODED))
}

/// The media type that bytes show by themselves.
pub(super) fn media_type(bytes: &[u8]) -> &'static str {
    infer::get(bytes).map_or("application/octet-stream", |kind| kind.mime_type())
}

/// A resource that was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// The file.
    pub path: RelPath,
    /// The byte of its text to begin at.
    pub offset: usize,
}

impl Asked {
    /// Reads a URI; `None` where it is none of this workspace.
    pub(super) fn read(uri: &str, workspace: &WorkspaceId) -> Option<Self> {
        let rest = uri.strip_prefix(SCHEME)?.strip_prefix(workspace.as_str())?.strip_prefix('/')?;
        let (path, offset) = match rest.split_once("?offset=") {
            Some((path, offset)) => (path, offset.parse().ok()?),
            None => (rest, 0),
        };
        let path = percent_decode_str(path).decode_utf8().ok()?.parse().ok()?;
        Some(Self { path, offset })
    }
}

/// A page of the files of a workspace by path; `cursor` is the path of the last one before.
pub(super) fn list(workspace: &Workspace<'_>, cursor: Option<&str>) -> Result<ListResourcesResult, EngineError> {
    let files = workspace.files_below(None)?;
    let from = cursor.map_or(0, |cursor| files.partition_point(|file| file.path.as_str() <= cursor));
    let page = files.iter().skip(from).take(MAX_PAGE);
    let resources: Vec<Resource> = page.map(|file| resource(workspace.id(), file)).collect();
    let end = from + resources.len();
    let next = files.get(end).and(files.get(end.wrapping_sub(1))).map(|last| last.path.to_string());
    Ok(ListResourcesResult { next_cursor: next, ..ListResourcesResult::with_all_items(resources) })
}

fn resource(workspace: &WorkspaceId, file: &FileEntry) -> Resource {
    let mut annotations = Annotations::default();
    annotations.last_modified = Some(file.modified.to_string());
    let mut resource = Resource::new(uri_of(workspace, &file.path), file.path.as_str())
        .with_size(file.size)
        .with_annotations(annotations);
    if let Some(title) = &file.title {
        resource = resource.with_title(title.as_str());
    }
    resource
}

/// The forms of the resources of a workspace.
pub(super) fn templates(workspace: &WorkspaceId) -> ListResourceTemplatesResult {
    let file = ResourceTemplate::new(format!("{SCHEME}{workspace}/{{+path}}"), "file")
        .with_title("A file of the workspace")
        .with_description("The text of a file as it is now, or its bytes where it has none.");
    let rest = ResourceTemplate::new(format!("{SCHEME}{workspace}/{{+path}}{{?offset}}"), "file_from")
        .with_title("A file of the workspace, from a byte of its text on")
        .with_description("`pincite/next_offset` in `_meta` of a text says where it goes on.");
    ListResourceTemplatesResult::with_all_items(vec![file, rest])
}

/// Reads a file: its text, at most 128 KiB of it, or where it has none its bytes.
pub(super) fn read(workspace: &Workspace<'_>, uri: &str, asked: &Asked) -> Result<ReadResourceResult, ErrorReport> {
    let contents = match workspace.read_stretch(&asked.path, asked.offset, MAX_TEXT_BYTES) {
        Ok((file, range)) => {
            let FilePart { etag, revision, next_offset, content, .. } = FilePart::of(file, range);
            let meta = json!({
                "pincite/untrusted_content": true,
                "pincite/etag": etag,
                "pincite/revision": revision,
                "pincite/next_offset": next_offset,
            });
            let contents = ResourceContents::text(content, uri).with_mime_type("text/plain");
            contents.with_meta(MetaObject(meta.as_object().cloned().unwrap_or_default()))
        }
        Err(EngineError::NoText { .. }) if asked.offset == 0 => blob(workspace, uri, &asked.path)?,
        Err(error) => return Err(workspace.report(&error)),
    };
    Ok(ReadResourceResult::new(vec![contents]))
}

/// The bytes of a file, as far as a message holds them.
pub(super) fn bytes_of(workspace: &Workspace<'_>, path: &RelPath) -> Result<Vec<u8>, ErrorReport> {
    let FileBytes { bytes, .. } = workspace.bytes(path).map_err(|error| workspace.report(&error))?;
    let mut content = Vec::new();
    bytes.take(MAX_BLOB_BYTES + 1).read_to_end(&mut content).map_err(|error| {
        ErrorReport::new("read_failed", format!("`{path}` cannot be read: {error}"), "see whether its disk is there")
    })?;
    if content.len() as u64 > MAX_BLOB_BYTES {
        let message = format!("`{path}` has more than the {MAX_BLOB_BYTES} bytes that a message holds");
        return Err(ErrorReport::new("too_large", message, "download it over REST or S3"));
    }
    Ok(content)
}

fn blob(workspace: &Workspace<'_>, uri: &str, path: &RelPath) -> Result<ResourceContents, ErrorReport> {
    let bytes = bytes_of(workspace, path)?;
    Ok(ResourceContents::blob(BASE64_STANDARD.encode(&bytes), uri).with_mime_type(media_type(&bytes)))
}

/// The protocol's error for a resource that cannot be read.
pub(super) fn refused(uri: &str, error: &ErrorReport) -> ErrorData {
    let data = json!({ "uri": uri, "error": error });
    let message = error.message.clone();
    match error.code.as_str() {
        "file_not_found" | "file_gone" | "unknown_workspace" => ErrorData::resource_not_found(message, Some(data)),
        _ => ErrorData::invalid_params(message, Some(data)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_names_a_file_of_its_own_workspace_alone() {
        let notes: WorkspaceId = "notes".parse().unwrap();
        for path in ["a.md", "folder/ü 100%?.md", "a#b/[c].txt", "日本/報告.md"] {
            let path: RelPath = path.parse().unwrap();
            let uri = uri_of(&notes, &path);
            assert!(uri.is_ascii() && !uri.contains(['#', '?', ' ']), "{uri}");
            assert_eq!(Asked::read(&uri, &notes), Some(Asked { path: path.clone(), offset: 0 }));
            assert_eq!(Asked::read(&format!("{uri}?offset=7"), &notes), Some(Asked { path, offset: 7 }));
        }
        for uri in [
            "pincite://other/a.md",
            "pincite://notes2/a.md",
            "pincite://notes/",
            "pincite://notes",
            "pincite://notes/../a.md",
            "pincite://notes/%2e%2e/a.md",
            "pincite://notes/a.md?offset=x",
            "file:///notes/a.md",
            "pincite://notes/%ff",
            "",
        ] {
            assert_eq!(Asked::read(uri, &notes), None, "{uri}");
        }
    }
}
