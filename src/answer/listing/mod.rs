//! The members of a list or count, with every file in scope accounted for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

mod lines;
mod members;
mod subject;

pub use self::lines::{
    find_words, first_line, heading_of, headings_in, is_todo, line_with_all, lines_that_say, todos_in,
};
pub use self::members::{Named, is_in_scope, named};
pub use self::subject::Subject;
use super::is_zero;
use crate::workspace::RelPath;

/// The answer to a question for a list or a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct Listing {
    /// The answer in a sentence, which is composed and not a quote: `14 files mention "RVH-031"`.
    pub summary: String,
    /// The kind of the members.
    pub of: Listed,
    /// All members, listed or not.
    pub num_members: usize,
    /// Members that are left out, because the reply would be too long.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub num_not_listed: usize,
    /// The members, in the order that the summary states, else in the order of their paths and places.
    pub members: Vec<Member>,
    /// Files in scope.
    pub num_files: usize,
    /// Files in scope whose whole text was searched.
    pub num_searched: usize,
}

/// The kind of the members of a [`Listing`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Listed {
    /// Files.
    Files,
    /// Folders.
    Folders,
    /// Rows of tables, or records.
    Rows,
    /// Headings with what stands below them.
    Sections,
    /// Items of lists, such as to-dos.
    Items,
    /// Agents that wrote files.
    Agents,
    /// Runs of agents.
    Runs,
}

/// A member of a [`Listing`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct Member {
    /// Its name: a title, a heading, an item's words.
    pub label: String,
    /// Its file or folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<RelPath>,
    /// Positions in the reply's citations: the words that make it a member.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub citations: Vec<usize>,
    /// More about it, such as its state or how often it has the words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}
