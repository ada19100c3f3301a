//! Why a text was not changed.

use std::fmt::Write as _;

use crate::error::Advice;

/// Why an edit was not made. The text is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// No change was asked for.
    #[error("no change was asked for")]
    Nothing,
    /// All changes together leave the text as it is.
    #[error("the changes leave the file as it is")]
    Same,
    /// More edits than one call may have.
    #[error("the call has {num_edits} edits")]
    TooMany {
        /// How many.
        num_edits: usize,
    },
    /// The words of an edit do not stand there once.
    #[error("edit {number} of {of}: {miss}")]
    Miss {
        /// Which edit, from 1.
        number: usize,
        /// How many there are.
        of: usize,
        /// What is wrong with it.
        miss: Miss,
    },
    /// There is no such heading.
    #[error("no heading says `{heading}`")]
    NoHeading {
        /// The words.
        heading: String,
    },
    /// Several headings have these words.
    #[error("{} headings say `{heading}`, in lines {}", lines.len(), listed(lines))]
    SeveralHeadings {
        /// The words.
        heading: String,
        /// Their lines, from 1.
        lines: Vec<usize>,
    },
    /// The file is no text that can be changed.
    #[error("the file is not text in UTF-8, or in UTF-16 with a byte order mark")]
    NotText,
    /// The text would be too long.
    #[error("the text would have {size} bytes, more than {max_bytes}")]
    TooLarge {
        /// Its bytes.
        size: usize,
        /// The most.
        max_bytes: usize,
    },
}

/// What is wrong with the words of an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Miss {
    /// There are none.
    Empty,
    /// They do not stand in the text.
    None {
        /// The lines that come nearest, with the number of the first.
        nearest: Option<(usize, String)>,
    },
    /// They stand there so often that not all places are replaced at once.
    TooMany,
    /// They stand there more than once.
    Several {
        /// How often.
        num_places: usize,
        /// The lines of the first places, from 1.
        lines: Vec<usize>,
    },
}

impl std::fmt::Display for Miss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => f.write_str("`old_text` is empty"),
            Self::TooMany => {
                write!(f, "`old_text` stands in the file more than {} times", super::find::MAX_REPLACED)
            }
            Self::None { nearest: None } => f.write_str("`old_text` stands nowhere in the file (0 matches)"),
            Self::None { nearest: Some((line, text)) } => {
                write!(f, "`old_text` stands nowhere in the file (0 matches); line {line} comes nearest:\n{text}")
            }
            Self::Several { num_places, lines } => {
                let more = if *num_places > lines.len() { ", …" } else { "" };
                write!(f, "`old_text` stands in the file {num_places} times, in lines {}{more}", listed(lines))
            }
        }
    }
}

fn listed(lines: &[usize]) -> String {
    let mut text = String::new();
    for (at, line) in lines.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{}{line}", if at > 0 { ", " } else { "" });
    }
    text
}

impl Advice for EditError {
    fn code(&self) -> &'static str {
        match self {
            Self::Nothing | Self::TooMany { .. } | Self::Miss { miss: Miss::Empty, .. } => "invalid_request",
            Self::Same => "no_change",
            Self::Miss { miss: Miss::None { .. }, .. } | Self::NoHeading { .. } => "no_match",
            Self::Miss { miss: Miss::Several { .. } | Miss::TooMany, .. } | Self::SeveralHeadings { .. } => {
                "several_matches"
            }
            Self::NotText => "not_text",
            Self::TooLarge { .. } => "file_too_large",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::Nothing => "give `edits`, `append` or `insert_after_heading`",
                Self::Same => "nothing was written: read the file, it may say already what it should",
                Self::TooMany { .. } => "send at most 1000 edits at once",
                Self::Miss { miss: Miss::Empty, .. } => {
                    "to add to a file use `append`, to write it whole `write_file`"
                }
                Self::Miss { miss: Miss::None { .. }, .. } => {
                    "read the file again and copy the words as they stand there; edits see what those before them have left"
                }
                Self::Miss { miss: Miss::Several { .. }, .. } => {
                    "add lines around it until it stands there once, or set `replace_all`"
                }
                Self::NoHeading { .. } => "read the file and give the words of one of its headings",
                Self::SeveralHeadings { .. } => "use `edits` with lines around the place",
                Self::NotText | Self::Miss { miss: Miss::TooMany, .. } => "write the whole file with `write_file`",
                Self::TooLarge { .. } => "make smaller changes, or split the file",
            }
            .to_owned(),
        )
    }
}
