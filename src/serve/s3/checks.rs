//! The digests that a sender tells of a body, compared with the bytes that have come.

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};
use s3s::{S3Request, S3Result, TrailingHeaders, dto, s3_error};

use crate::serve::error::ApiError;

/// Names the headers that come behind the body.
const TRAILER: &str = "x-amz-trailer";

/// What the headers of a request tell of its body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub content_md5: Option<String>,
    pub crc32: Option<String>,
    pub crc32c: Option<String>,
    pub crc64nvme: Option<String>,
    pub sha1: Option<String>,
    pub sha256: Option<String>,
}

/// What an input of `s3s` tells of its body; its types have the fields under the same names and nothing else in common.
macro_rules! told_of {
    ($input:ident) => {
        Told {
            content_md5: $input.content_md5.take(),
            crc32: $input.checksum_crc32.take(),
            crc32c: $input.checksum_crc32c.take(),
            crc64nvme: $input.checksum_crc64nvme.take(),
            sha1: $input.checksum_sha1.take(),
            sha256: $input.checksum_sha256.take(),
        }
    };
}

/// An output of `s3s` with the tag of what was written and the digests that were checked.
macro_rules! checked {
    ($output:ident, $tag:expr, $checksum:ident) => {
        $output {
            e_tag: $tag,
            checksum_crc32: $checksum.checksum_crc32,
            checksum_crc32c: $checksum.checksum_crc32c,
            checksum_crc64nvme: $checksum.checksum_crc64nvme,
            checksum_sha1: $checksum.checksum_sha1,
            checksum_sha256: $checksum.checksum_sha256,
            ..Default::default()
        }
    };
}
pub(super) use {checked, told_of};

/// Digests of a body while it comes.
pub(super) struct Checks {
    told: Told,
    hasher: ChecksumHasher,
    md5: Option<Md5>,
    trailing: Option<TrailingHeaders>,
}

impl Checks {
    /// The digests that a request tells, in its header or behind its body.
    pub(super) fn of<T>(request: &S3Request<T>, told: Told) -> S3Result<Self> {
        let is_md5 = |md5: &String| STANDARD.decode(md5).is_ok_and(|bytes| bytes.len() == 16);
        if !told.content_md5.as_ref().is_none_or(is_md5) {
            return Err(s3_error!(InvalidDigest, "`Content-MD5` is no MD5 in base64"));
        }
        let behind: Vec<String> = request
            .headers
            .get_all(TRAILER)
            .iter()
            .filter_map(|names| names.to_str().ok())
            .flat_map(|names| names.split(','))
            .map(|name| name.trim().to_ascii_lowercase())
            .collect();
        let wants = |told: &Option<String>, name: &str| told.is_some() || behind.iter().any(|behind| behind == name);
        let hasher = ChecksumHasher {
            crc32: wants(&told.crc32, "x-amz-checksum-crc32").then(Crc32::new),
            crc32c: wants(&told.crc32c, "x-amz-checksum-crc32c").then(Crc32c::new),
            sha1: wants(&told.sha1, "x-amz-checksum-sha1").then(Sha1::new),
            sha256: wants(&told.sha256, "x-amz-checksum-sha256").then(Sha256::new),
            crc64nvme: wants(&told.crc64nvme, "x-amz-checksum-crc64nvme").then(Crc64Nvme::new),
        };
        let md5 = told.content_md5.is_some().then(Md5::new);
        Ok(Self { told, hasher, md5, trailing: request.trailing_headers.clone() })
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
    }

    /// Compares when all has come, and returns the digests that were made.
    pub(super) fn finish(self) -> Result<dto::Checksum, ApiError> {
        let Self { told, hasher, md5, trailing } = self;
        if let Some(md5) = md5 {
            check("Content-MD5", told.content_md5.as_deref(), Some(&STANDARD.encode(md5.finalize())))?;
        }
        let found = hasher.finalize();
        let behind = |name: &str| {
            let read = |headers: &axum::http::HeaderMap| {
                headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
            };
            trailing.as_ref().and_then(|trailing| trailing.read(read)).flatten()
        };
        for (name, in_header, found) in [
            ("x-amz-checksum-crc32", told.crc32, &found.checksum_crc32),
            ("x-amz-checksum-crc32c", told.crc32c, &found.checksum_crc32c),
            ("x-amz-checksum-crc64nvme", told.crc64nvme, &found.checksum_crc64nvme),
            ("x-amz-checksum-sha1", told.sha1, &found.checksum_sha1),
            ("x-amz-checksum-sha256", told.sha256, &found.checksum_sha256),
        ] {
            for told in in_header.into_iter().chain(behind(name)) {
                check(name, Some(&told), found.as_deref())?;
            }
        }
        Ok(found)
    }
}

fn check(name: &str, told: Option<&str>, found: Option<&str>) -> Result<(), ApiError> {
    if told.is_none() || told == found {
        return Ok(());
    }
    let message = format!("the body is not the one whose `{name}` the request tells");
    Err(ApiError::new(StatusCode::BAD_REQUEST, "bad_digest", message, "send it again"))
}
