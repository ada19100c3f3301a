//! Keys as S3 takes them: an id and a secret to sign with, derived from the root that the data folder keeps. The root seals links for uploads,
//! too.
//!
//! # Invariants
//! - The root is in `s3.key`, for the owner of the data folder alone. Where that file is lost, all keys sign with other secrets.

use std::io::Write as _;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::recording::Told;
use super::{Engine, EngineError};
use crate::access::{Action, Caller, Key, SigningRoot, Surface};
use crate::store::{KeyRow, StoreError};

/// The file of the root.
const ROOT: &str = "s3.key";

/// What a client of S3 is configured with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct S3Credentials {
    /// The id of the key.
    pub s3_access_key_id: String,
    /// The secret that requests are signed with.
    pub s3_secret_access_key: String,
}

/// A key that a request says it was signed with, and the secret that proves it.
pub struct Signer {
    /// The holder of the key, once the signature was found to be right.
    pub caller: Caller,
    /// The secret.
    pub secret: String,
}

impl Engine {
    /// The key of an id, where it holds now; `None` in all other cases, which are not told apart.
    ///
    /// # Errors
    /// When the store or the root cannot be read.
    pub fn signer(&self, id: &str) -> Result<Option<Signer>, EngineError> {
        let Some(row) = self.data.store.key(id)? else { return Ok(None) };
        if row.revoked.is_some() || row.expires <= Timestamp::now() {
            return Ok(None);
        }
        let secret = self.signing_root()?.secret_of(&row);
        Ok(Some(Signer { caller: Caller::with_key(Key::of(row)?.into(), Surface::S3), secret }))
    }

    /// What S3 signs with under a key, for this machine's user, who could read the root as well.
    ///
    /// # Errors
    /// [`StoreError::UnknownKey`] where there is no such key, or it does not hold any more.
    pub fn s3_credentials(&self, id: &str) -> Result<S3Credentials, EngineError> {
        let caller = Caller::local(Surface::CommandLine);
        self.recorded(&caller, None, Action::ListKeys, Told::of_key(id), |_| {
            let row = self.data.store.key(id)?.filter(|row| row.revoked.is_none() && row.expires > Timestamp::now());
            let row = row.ok_or_else(|| StoreError::UnknownKey { id: id.to_owned() })?;
            self.credentials_of(&row)
        })
    }

    pub(super) fn credentials_of(&self, row: &KeyRow) -> Result<S3Credentials, EngineError> {
        let s3_secret_access_key = self.signing_root()?.secret_of(row);
        Ok(S3Credentials { s3_access_key_id: row.id.clone(), s3_secret_access_key })
    }

    /// The root, which is made where there is none yet.
    pub(super) fn signing_root(&self) -> Result<SigningRoot, EngineError> {
        let place = self.data.path.join(ROOT);
        if let Some(root) = read_root(&place)? {
            return Ok(root);
        }
        self.data.must_log()?;
        let root = SigningRoot::generate()?;
        // For the owner alone, as `tempfile` makes every file, and there whole or not at all: another process may make one now.
        let mut file = tempfile::NamedTempFile::new_in(&self.data.path).map_err(EngineError::Io)?;
        file.write_all(root.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(EngineError::Io)?;
        match file.persist_noclobber(&place) {
            Ok(_) => Ok(root),
            Err(failed) => match read_root(&place)? {
                Some(root) => Ok(root),
                None => Err(EngineError::Io(failed.error)),
            },
        }
    }
}

fn read_root(place: &std::path::Path) -> Result<Option<SigningRoot>, EngineError> {
    match fs_err::read(place) {
        Ok(bytes) => {
            let invalid = || std::io::Error::new(std::io::ErrorKind::InvalidData, format!("`{ROOT}` is damaged"));
            SigningRoot::from_bytes(&bytes).map(Some).ok_or_else(|| EngineError::Io(invalid()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(EngineError::Io(error)),
    }
}
