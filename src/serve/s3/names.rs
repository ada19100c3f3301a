//! How a workspace, a file, its content and its times are called in S3.

use std::time::SystemTime;

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::{ETag, ETagCondition, EncodingType};
use s3s::validation::NameValidation;
use s3s::{S3Result, dto, s3_error};

use crate::engine::Precondition;
use crate::workspace::{ContentHash, RelPath, WorkspaceId};

/// What stands behind the hash in an `ETag`. Clients take an `ETag` with a dash for no MD5, as S3 has it for files that came in parts.
const NO_MD5: &str = "-1";
/// What `encoding-type=url` leaves as it is.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b'/');

/// Admits as a bucket what can be a workspace.
pub(super) struct Buckets;

impl NameValidation for Buckets {
    fn validate_bucket_name(&self, name: &str) -> bool {
        name.parse::<WorkspaceId>().is_ok()
    }
}

/// What a key names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    /// A file.
    File(RelPath),
    /// A folder: the key ends with `/`.
    Folder(RelPath),
}

/// Reads a key.
pub(super) fn key(key: &str) -> S3Result<Key> {
    let path = |key: &str| {
        key.parse::<RelPath>().map_err(|_| {
            s3_error!(
                InvalidArgument,
                "no file can have this key: its parts, between `/`, are not empty, `.` or `..`, and it has no NUL and no backslash"
            )
        })
    };
    Ok(match key.strip_suffix('/') {
        Some(folder) => Key::Folder(path(folder)?),
        None => Key::File(path(key)?),
    })
}

/// Reads a key that must be a file's.
pub(super) fn file(named: &str) -> S3Result<RelPath> {
    match key(named)? {
        Key::File(path) => Ok(path),
        Key::Folder(_) => Err(s3_error!(InvalidArgument, "a key that ends with `/` is a folder's")),
    }
}

/// The `ETag` of a content: its SHA-256, marked as no MD5.
pub(super) fn tag(hash: ContentHash) -> ETag {
    ETag::Strong(format!("{hash}{NO_MD5}"))
}

/// The content that an `ETag` names, as S3 or as REST has it.
pub(super) fn hash_of(tag: &ETag) -> Option<ContentHash> {
    let ETag::Strong(tag) = tag else { return None };
    tag.strip_suffix(NO_MD5).unwrap_or(tag).parse().ok()
}

/// What must be true of a file before it is written or deleted.
pub(super) fn precondition(
    matches: Option<&ETagCondition>,
    none_match: Option<&ETagCondition>,
) -> S3Result<Precondition> {
    let wanted = match matches {
        None => Precondition::None,
        Some(ETagCondition::Any) => Precondition::Exists,
        // No file has a tag that is of another form.
        Some(ETagCondition::ETag(tag)) => Precondition::Matches(hash_of(tag).into_iter().collect()),
    };
    match (none_match, &wanted) {
        (None, _) => Ok(wanted),
        (Some(ETagCondition::Any), Precondition::None) => Ok(Precondition::Absent),
        (Some(ETagCondition::Any), _) => Ok(Precondition::Never),
        (Some(ETagCondition::ETag(_)), _) => {
            Err(s3_error!(NotImplemented, "`If-None-Match` of a write holds `*` or is left out"))
        }
    }
}

/// A time as S3 tells it.
pub(super) fn time(at: Timestamp) -> dto::Timestamp {
    let since = at.as_duration();
    let at = if since.is_negative() {
        SystemTime::UNIX_EPOCH - since.unsigned_abs()
    } else {
        SystemTime::UNIX_EPOCH + since.unsigned_abs()
    };
    at.into()
}

/// Encodes keys where a client asks for it: XML cannot hold all of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Encoding(bool);

impl Encoding {
    pub(super) fn of(asked: Option<&EncodingType>) -> S3Result<Self> {
        match asked.map(EncodingType::as_str) {
            None => Ok(Self(false)),
            Some("url") => Ok(Self(true)),
            Some(_) => Err(s3_error!(InvalidArgument, "`encoding-type` is `url` or left out")),
        }
    }

    pub(super) fn apply(self, text: &str) -> String {
        if self.0 { utf8_percent_encode(text, ENCODED).to_string() } else { text.to_owned() }
    }

    pub(super) fn told(self) -> Option<EncodingType> {
        self.0.then(|| EncodingType::from_static(EncodingType::URL))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_files_a_folders_or_none() {
        assert_eq!(key("a/b.md").unwrap(), Key::File("a/b.md".parse().unwrap()));
        assert_eq!(key("a/b/").unwrap(), Key::Folder("a/b".parse().unwrap()));
        let cases =
            ["", "/", "//", "/a", "a//b", "a//", "..", "../a", "a/../b", "a/..", "./a", "a/.", "a\0b", "a\\b", "a/../"];
        for wrong in cases {
            assert!(key(wrong).is_err(), "{wrong:?}");
        }
        assert!(file("a/").is_err() && file("%2e%2e/..a/b..").is_ok());
    }

    #[test]
    fn a_tag_is_no_md5_and_reads_back_as_rest_has_it_too() {
        let hash = ContentHash::of(b"words");
        assert!(tag(hash).value().contains('-') && tag(hash).value().len() != 32);
        assert_eq!(hash_of(&tag(hash)), Some(hash));
        assert_eq!(hash_of(&ETag::Strong(hash.to_string())), Some(hash));
        for other in [ETag::Weak(hash.to_string()), ETag::Strong("5d41402abc4b2a76b9719d911017c592".to_owned())] {
            assert_eq!(hash_of(&other), None);
        }
    }

    #[test]
    fn conditions_of_a_write_are_those_of_rest() {
        let of =
            |matches: Option<ETagCondition>, none: Option<ETagCondition>| precondition(matches.as_ref(), none.as_ref());
        let hash = ContentHash::of(b"words");
        let tagged = || Some(ETagCondition::ETag(tag(hash)));
        assert_eq!(of(None, None).unwrap(), Precondition::None);
        assert_eq!(of(None, Some(ETagCondition::Any)).unwrap(), Precondition::Absent);
        assert_eq!(of(tagged(), None).unwrap(), Precondition::Matches(vec![hash]));
        assert_eq!(of(tagged(), Some(ETagCondition::Any)).unwrap(), Precondition::Never);
        assert!(of(None, tagged()).is_err());
        let unknown = Some(ETagCondition::ETag(ETag::Strong("x".to_owned())));
        assert_eq!(of(unknown, None).unwrap(), Precondition::Matches(Vec::new()));
    }

    #[test]
    fn a_key_is_encoded_where_that_is_asked_for() {
        let url = EncodingType::from_static(EncodingType::URL);
        let encoding = Encoding::of(Some(&url)).unwrap();
        assert_eq!(encoding.apply("a b/ü+&\u{1}.md"), "a%20b/%C3%BC%2B%26%01.md");
        assert_eq!(Encoding::of(None).unwrap().apply("a b"), "a b");
    }
}
