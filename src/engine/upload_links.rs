//! Links that take one file: large content goes from its place to the server, and never through a model.
//!
//! # Invariants
//! - A link is sealed with the root that the data folder keeps (`s3.key`): it says who may put which bytes where, and until when. Nothing of it
//!   is stored, so it works in every process that shares the data folder.
//! - A link counts once: what it writes has the idempotency key of the link, so that the same request again is answered as before.
//! - It is worth what its maker is: a key that was revoked, or that may not write there any more, writes nothing by its links.

use std::collections::BTreeSet;
use std::net::IpAddr;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::recording::Told;
use super::requests::precondition_of;
use super::{Engine, EngineError, Given, Precondition, Upload, Workspace, WriteReply};
use crate::access::{self, AccessError, Action, Caller, Key, Surface};
use crate::workspace::{ContentHash, Provenance, RelPath, WorkspaceId};

/// How long a link takes its file.
const LIFE: SignedDuration = SignedDuration::from_mins(15);
/// Letters and digits of a link's id.
const ID_CHARS: usize = 24;
/// A longer text is no link: a path has at most 4,096 bytes.
const MAX_LINK_BYTES: usize = 16 * 1024;

/// A file to upload by a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUpload {
    /// The file.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// The SHA-256 of its bytes, in hexadecimal.
    pub sha256: ContentHash,
    /// The `etag` of the file as it was read, which it must have when the upload ends; `absent` where there must be none, `*` where there must be
    /// one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_match: Option<String>,
    /// The token of the caller's lock on the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock_token: Option<String>,
    /// Who does it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The run or session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The sandbox or machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<String>,
    /// Words to find the file by.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<String>,
}

/// Where to send the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct UploadLink {
    /// The URL. It is a secret until it has ended: who has it can upload this file.
    pub url: String,
    /// The method of the request: `PUT`, with the bytes as its body.
    pub method: String,
    /// The file.
    pub path: RelPath,
    /// The size that the body must have, in bytes.
    pub size: u64,
    /// When the link ends (RFC 3339).
    #[schemars(with = "String")]
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// What a link says.
#[derive(Debug, Serialize, Deserialize)]
struct Sealed {
    id: String,
    workspace: WorkspaceId,
    /// The id of the maker's key; this machine's user has none.
    key: Option<String>,
    expires_at: Timestamp,
    upload: NewUpload,
}

/// An upload by a link, under way.
pub struct LinkedUpload {
    workspace: WorkspaceId,
    caller: Caller,
    given: Given,
    upload: Upload,
    expected: NewUpload,
    precondition: Precondition,
}

impl NewUpload {
    fn provenance(&self) -> Provenance {
        let Self { agent, run, sandbox, tags, .. } = self.clone();
        Provenance { agent, run, sandbox, tags, proven: false }
    }
}

impl Workspace<'_> {
    /// Makes a link that takes one file within 15 minutes. `origin` is the server's own address: `https://host:port`.
    ///
    /// # Errors
    /// As [`Workspace::begin_upload`], for what is known of the file already.
    pub fn create_upload(&self, new: &NewUpload, origin: &str) -> Result<UploadLink, EngineError> {
        let path = self.path_of(&new.path)?;
        self.recorded(Action::LinkUpload, Told::of([&path]), |_| self.link_to(new, &path, origin))
    }

    fn link_to(&self, new: &NewUpload, path: &RelPath, origin: &str) -> Result<UploadLink, EngineError> {
        precondition_of(new.if_match.as_deref())?;
        // What would be refused in the end is refused now; what is begun leaves nothing.
        self.begin_upload(path)?.by(new.provenance())?.check_size(new.size)?;
        let expires_at = Timestamp::now() + LIFE;
        let sealed = Sealed {
            id: access::random_signs(ID_CHARS)?,
            workspace: self.id.clone(),
            key: self.caller.key().map(|key| key.row.id.clone()),
            expires_at,
            upload: NewUpload { path: path.to_string(), ..new.clone() },
        };
        let text = serde_json::to_vec(&sealed).unwrap_or_default();
        let seal = self.engine.signing_root()?.seal(&text);
        let (text, seal) = (BASE64_URL_SAFE_NO_PAD.encode(text), BASE64_URL_SAFE_NO_PAD.encode(seal));
        Ok(UploadLink {
            url: format!("{origin}/v1/uploads/{text}.{seal}"),
            method: "PUT".to_owned(),
            path: path.clone(),
            size: new.size,
            expires_at,
        })
    }
}

impl Engine {
    /// Begins the upload that a link allows, for a client at `address`.
    ///
    /// # Errors
    /// [`EngineError::UploadLink`] where the text is no link, or one that has ended; [`AccessError::InvalidKey`] where its maker's key does not
    /// hold any more; as [`Workspace::begin_upload`].
    pub fn begin_linked_upload(
        &self,
        link: &str,
        address: Option<IpAddr>,
        request_id: Option<String>,
    ) -> Result<LinkedUpload, EngineError> {
        let Sealed { id, workspace, key, expires_at, upload: expected } = self.unsealed(link)?;
        if expires_at <= Timestamp::now() {
            return Err(EngineError::UploadLink);
        }
        let caller = match key {
            Some(id) => {
                let row = self.data.store.key(&id)?.ok_or(AccessError::InvalidKey)?;
                self.still_holds(&Caller::with_key(Key::of(row)?.into(), Surface::Rest))?
            }
            // From the first key on, this machine's user needs one, too.
            None if self.data.store.has_keys()? => return Err(AccessError::InvalidKey.into()),
            None => Caller::local(Surface::Rest),
        };
        let caller = Caller { address, request_id, ..caller };
        let precondition = precondition_of(expected.if_match.as_deref())?;
        let upload = {
            let opened = self.workspace(&workspace, &caller)?;
            let upload = opened.begin_upload(&expected.path.parse()?)?.by(expected.provenance())?;
            upload.check_size(expected.size)?;
            upload
        };
        let given = Given {
            idempotency_key: Some(format!("upload link {id}")),
            lock_tokens: expected.lock_token.iter().cloned().collect(),
        };
        Ok(LinkedUpload { workspace, caller, given, upload, expected, precondition })
    }

    /// Puts the file of a link into its place, when all of it has come.
    ///
    /// # Errors
    /// [`EngineError::OtherContent`] where other bytes have come than the link is for; as [`Workspace::finish_upload`].
    pub fn finish_linked_upload(&self, linked: LinkedUpload) -> Result<WriteReply, EngineError> {
        let LinkedUpload { workspace, caller, given, upload, expected, precondition } = linked;
        if upload.content_hash() != expected.sha256 {
            let what = "the bytes have another SHA-256 than the link is for".to_owned();
            return Err(EngineError::OtherContent { what });
        }
        self.workspace(&workspace, &caller)?.given(given)?.finish_upload(upload, &precondition)
    }

    fn unsealed(&self, link: &str) -> Result<Sealed, EngineError> {
        let decoded = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| EngineError::UploadLink);
        if link.len() > MAX_LINK_BYTES {
            return Err(EngineError::UploadLink);
        }
        let (text, seal) = link.split_once('.').ok_or(EngineError::UploadLink)?;
        let (text, seal) = (decoded(text)?, decoded(seal)?);
        if !self.signing_root()?.is_seal_of(&seal, &text) {
            return Err(EngineError::UploadLink);
        }
        serde_json::from_slice(&text).map_err(|_| EngineError::UploadLink)
    }
}

impl LinkedUpload {
    /// Takes what comes next in the file.
    ///
    /// # Errors
    /// [`EngineError::OtherContent`] where more comes than the link is for; as [`Upload::write`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), EngineError> {
        if self.upload.size() + bytes.len() as u64 > self.expected.size {
            let what = format!("the body has more than the {} bytes that the link is for", self.expected.size);
            return Err(EngineError::OtherContent { what });
        }
        self.upload.write(bytes)
    }
}
