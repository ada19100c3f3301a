//! What may be written in all: bytes of a key in a day, files and bytes of a workspace.

use std::fmt;

use super::AccessError;

/// What has an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuotaKind {
    /// Bytes that a key writes in a day.
    BytesOfDay,
    /// Chunks that the files which a key writes are cut into in a day.
    ChunksOfDay,
    /// Files of a workspace.
    Files,
    /// Bytes of the files of a workspace.
    Bytes,
}

impl QuotaKind {
    /// Its key in `[limits]`.
    #[must_use]
    pub const fn limit(self) -> &'static str {
        match self {
            Self::BytesOfDay => "key_bytes_per_day",
            Self::ChunksOfDay => "key_chunks_per_day",
            Self::Files => "workspace_files",
            Self::Bytes => "workspace_bytes",
        }
    }
}

/// A quota, and what is left of it for one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// What is counted.
    pub kind: QuotaKind,
    /// The limit.
    pub most: u64,
    /// What is left of it.
    pub left: u64,
    /// Whether the caller may know what is left: for one that sees some files alone, it would tell of others.
    pub is_told: bool,
    /// Seconds until it is whole again, where it comes back by itself.
    pub renewed_in_s: Option<u64>,
}

impl Quota {
    /// Refuses more than is left.
    ///
    /// # Errors
    /// [`AccessError::LargerThanQuota`] where it would not fit into the whole quota, else [`AccessError::QuotaExceeded`].
    pub fn check(self, asked: u64) -> Result<(), AccessError> {
        if asked <= self.left {
            Ok(())
        } else if asked > self.most {
            Err(AccessError::LargerThanQuota { quota: self, asked })
        } else {
            Err(AccessError::QuotaExceeded { quota: self, asked })
        }
    }

    /// What to do where it ends.
    pub(super) fn hint(self) -> String {
        let raise = format!("raise `limits.{}` in `config.toml`", self.kind.limit());
        match self.kind {
            QuotaKind::BytesOfDay => format!("write again after midnight UTC, write less at once, or {raise}"),
            QuotaKind::ChunksOfDay => format!("write again after midnight UTC, or {raise}"),
            QuotaKind::Files | QuotaKind::Bytes => format!("delete files of the workspace, or {raise}"),
        }
    }

    /// The refusal of a write of that size.
    pub(super) fn refusal(self, asked: u64) -> impl fmt::Display {
        let Self { kind, most, left, is_told, .. } = self;
        let limit = kind.limit();
        let (adds, may) = match kind {
            QuotaKind::BytesOfDay => (format!("the write has {asked} bytes"), "bytes that the key may write a day"),
            QuotaKind::ChunksOfDay => {
                ("the write is to be indexed and embedded".to_owned(), "chunks that the key may cause a day")
            }
            QuotaKind::Files if asked == 1 => ("the write adds 1 file".to_owned(), "files that a workspace may have"),
            QuotaKind::Files => (format!("the write adds {asked} files"), "files that a workspace may have"),
            QuotaKind::Bytes => (format!("the write has {asked} bytes"), "bytes that a workspace may have"),
        };
        if asked > most {
            format!("{adds}, more than the {most} {may} (`limits.{limit}`)")
        } else if is_told {
            format!("{adds}, and {left} of the {most} {may} are left (`limits.{limit}`)")
        } else {
            format!("{adds}, and fewer are left of the {most} {may} (`limits.{limit}`)")
        }
    }
}
