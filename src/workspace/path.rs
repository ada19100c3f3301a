//! Paths inside a workspace. A [`RelPath`] cannot name anything outside its root, whatever it was made from.

use std::borrow::Borrow;
use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::InvalidName;

/// A file's path relative to its workspace's root: UTF-8, parts joined by `/`, none of them empty, `.` or `..`,
/// no NUL, no backslash, at most 4,096 bytes.
///
/// Symbolic links are not resolved here: the code that opens a file checks that it lies under the root.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
#[schema(value_type = String)]
pub struct RelPath(String);

impl RelPath {
    /// Longer paths are refused.
    pub const MAX_BYTES: usize = 4_096;

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last part.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The file name's extension in lower case, without the dot.
    #[must_use]
    pub fn extension(&self) -> Option<String> {
        Path::new(self.file_name()).extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase)
    }

    /// Where the file is on disk, below `root`.
    #[must_use]
    pub fn under(&self, root: &Path) -> PathBuf {
        root.join(&self.0)
    }

    /// The path of `absolute` below `root`.
    ///
    /// # Errors
    /// When `absolute` is not below `root`, is not UTF-8, or holds a part that a [`RelPath`] cannot.
    pub fn strip(root: &Path, absolute: &Path) -> Result<Self, InvalidName> {
        let invalid = || InvalidName::Path { path: absolute.display().to_string() };
        let relative = absolute.strip_prefix(root).map_err(|_| invalid())?;
        let mut parts = Vec::new();
        for component in relative.components() {
            match component {
                Component::Normal(part) => parts.push(part.to_str().ok_or_else(invalid)?),
                _ => return Err(invalid()),
            }
        }
        parts.join("/").parse()
    }
}

/// Whether Windows takes a name for that of a device, with any ending: no file or folder can be copied there under it.
#[must_use]
pub fn is_device_name(name: &str) -> bool {
    const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];
    let stem = name.split(['.', ':']).next().unwrap_or(name).trim_end().to_ascii_lowercase();
    let numbered = || {
        let number = stem.strip_prefix("com").or_else(|| stem.strip_prefix("lpt"));
        number.is_some_and(|number| {
            let mut digits = number.chars();
            matches!((digits.next(), digits.next()), (Some('0'..='9' | '¹' | '²' | '³'), None))
        })
    };
    DEVICES.contains(&stem.as_str()) || numbered()
}

impl Borrow<str> for RelPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for RelPath {
    type Err = InvalidName;

    fn from_str(path: &str) -> Result<Self, InvalidName> {
        let part_is_safe = |part: &str| !matches!(part, "" | "." | "..");
        if path.len() <= Self::MAX_BYTES && !path.contains(['\0', '\\']) && path.split('/').all(part_is_safe) {
            Ok(Self(path.to_owned()))
        } else {
            Err(InvalidName::Path { path: path.to_owned() })
        }
    }
}

impl TryFrom<String> for RelPath {
    type Error = InvalidName;

    fn try_from(path: String) -> Result<Self, InvalidName> {
        path.parse()
    }
}

impl From<RelPath> for String {
    fn from(path: RelPath) -> Self {
        path.0
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
