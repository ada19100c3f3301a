//! Two changes of one text brought together.

use super::EditError;

/// The longest text of a merge, in bytes: to compare texts takes time that grows with the square of what differs.
pub const MAX_MERGED_BYTES: usize = 1024 * 1024;

/// What became of a merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merged {
    /// The text with both changes.
    Clean(String),
    /// The text with marks around what both have changed: `<<<<<<<`, `=======`, `>>>>>>>`.
    Conflicts(String),
}

/// Brings the changes of two texts together that were made from `base`: those of `theirs`, which is there now, and those of `ours`.
///
/// # Errors
/// [`EditError::TooLarge`] where one of them is longer than [`MAX_MERGED_BYTES`].
pub fn merge(base: &str, theirs: &str, ours: &str) -> Result<Merged, EditError> {
    let size = base.len().max(theirs.len()).max(ours.len());
    if size > MAX_MERGED_BYTES {
        return Err(EditError::TooLarge { size, max_bytes: MAX_MERGED_BYTES });
    }
    let merged = diffy::MergeOptions::new().set_conflict_style(diffy::ConflictStyle::Merge).merge(base, theirs, ours);
    Ok(match merged {
        Ok(text) => Merged::Clean(text),
        Err(text) => Merged::Conflicts(text),
    })
}
