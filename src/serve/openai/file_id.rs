//! Ids of files: the workspace and the path, written so that they stand in a URL as they are.

use std::fmt;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use utoipa::IntoParams;

use crate::serve::error::ApiError;
use crate::serve::extract::text_of;
use crate::workspace::{RelPath, WorkspaceId};

const PREFIX: &str = "file-";

/// A file by its workspace and path: `file-` and `WORKSPACE/PATH` in base64url without padding (RFC 4648, section 5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileId {
    pub workspace: WorkspaceId,
    pub path: RelPath,
}

impl FileId {
    pub(super) fn of(workspace: &WorkspaceId, path: &RelPath) -> String {
        Self { workspace: workspace.clone(), path: path.clone() }.to_string()
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { workspace, path } = self;
        write!(f, "{PREFIX}{}", URL_SAFE_NO_PAD.encode(format!("{workspace}/{}", path.as_str())))
    }
}

/// The text is no id of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoFileId;

impl FromStr for FileId {
    type Err = NoFileId;

    fn from_str(id: &str) -> Result<Self, NoFileId> {
        let encoded = id.strip_prefix(PREFIX).ok_or(NoFileId)?;
        let text =
            URL_SAFE_NO_PAD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or(NoFileId)?;
        // No name of a workspace holds a slash.
        let (workspace, path) = text.split_once('/').ok_or(NoFileId)?;
        Ok(Self { workspace: workspace.parse().map_err(|_| NoFileId)?, path: path.parse().map_err(|_| NoFileId)? })
    }
}

/// The id that the URL ends with, unread: whether it is one is told to those alone who have the right to ask.
pub(in crate::serve) struct WithFile(pub String);

impl<S: Sync> FromRequestParts<S> for WithFile {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        text_of(parts, "id").await.map(Self)
    }
}

/// The file that the URL names.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "read by the derive alone")]
pub(super) struct FileIdParam {
    /// The id of the file.
    #[param(example = "file-ZGVmYXVsdC9SRUFETUUubWQ")]
    id: String,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(text: &[u8]) -> String {
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(text))
    }

    #[test]
    fn the_example_of_the_description_is_an_id() {
        let id: FileId = "file-ZGVmYXVsdC9SRUFETUUubWQ".parse().unwrap();
        assert_eq!((id.workspace.as_str(), id.path.as_str()), ("default", "README.md"));
    }

    #[test]
    fn nothing_else_than_a_workspace_and_a_safe_path_is_an_id() {
        for text in [
            &b"default/../secret.md"[..],
            b"default/a/../../b",
            b"default//a",
            b"default/",
            b"default",
            b"/a",
            b"",
            b"De fault/a",
            b"../default/a",
            b"default/a\0b",
            b"default/a\\b",
            b"default/\xff",
        ] {
            assert_eq!(encoded(text).parse::<FileId>(), Err(NoFileId), "{text:?}");
        }
        let right = encoded(b"default/a.md");
        let others = [
            right.replace("file-", "file_"),
            right[5..].to_owned(),
            format!("{right}="),
            format!("{right} "),
            String::new(),
        ];
        for id in others {
            assert_eq!(id.parse::<FileId>(), Err(NoFileId), "{id}");
        }
        // One id of one file: bits that stand for nothing are none.
        assert_eq!("file-ZGVmYXVsdC9SRUFETUUubWR".parse::<FileId>(), Err(NoFileId));
    }

    proptest! {
        #[test]
        fn an_id_is_read_back_as_it_was(workspace in "[a-z0-9][a-z0-9._-]{0,20}", path in "[^/\\\\\0.]{1,9}(/[^/\\\\\0.]{1,9}){0,3}") {
            let (Ok(workspace), Ok(path)) = (workspace.parse(), path.parse()) else { return Ok(()) };
            let id = FileId { workspace, path };
            let text = id.to_string();
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
            prop_assert_eq!(text.parse::<FileId>(), Ok(id));
        }
    }
}
