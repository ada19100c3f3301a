//! How much the rules of a place may take, and what they say of a path that does not belong to a workspace.

use crate::config::Limits;
use crate::workspace::PatternLimits;

/// What rules and paths of a workspace may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleLimits {
    /// Bytes that are read of one file with rules.
    pub file_bytes: u64,
    /// Lines of all files with rules that apply to one folder.
    pub lines: u64,
    /// What one line may be.
    pub pattern: PatternLimits,
    /// Names in a path.
    pub path_parts: u64,
}

impl From<&Limits> for RuleLimits {
    fn from(limits: &Limits) -> Self {
        Self {
            file_bytes: limits.rule_file_bytes,
            lines: limits.rule_lines,
            pattern: PatternLimits::from(limits),
            path_parts: limits.path_parts,
        }
    }
}

impl Default for RuleLimits {
    fn default() -> Self {
        Self::from(&Limits::default())
    }
}

/// Why a path does not belong to a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAdmitted {
    /// Rules pass over it.
    PassedOver,
    /// A symbolic link is at the place or on the way to it.
    Link,
    /// It has more parts than a path may have.
    TooDeep {
        /// How many.
        num_parts: u64,
        /// The limit.
        max: u64,
    },
}
