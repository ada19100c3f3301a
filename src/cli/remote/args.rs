//! How a server is named.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use super::RemoteError;
use crate::cli::serving::API_KEY;

/// A server that commands ask in place of a data folder of this machine.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options for a server")]
pub(in crate::cli) struct RemoteArgs {
    /// Ask this server instead of a data folder of this machine: `https://host:7878`
    #[arg(long, global = true, env = "PINCITE_URL", value_name = "URL")]
    pub url: Option<String>,

    /// The key for the server. Other users of this machine can see a command line: prefer `--key-file`, or the variable
    /// `PINCITE_API_KEY`
    #[arg(long, global = true, value_name = "KEY", conflicts_with = "key_file")]
    pub key: Option<ServerKey>,

    /// A file that holds the key for the server, and nothing else
    #[arg(long, global = true, value_name = "FILE")]
    pub key_file: Option<PathBuf>,

    /// Trust the certificates in this PEM file, and no others
    #[arg(long, global = true, env = "PINCITE_CA_FILE", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
}

impl RemoteArgs {
    /// The key that was given: on the command line, in a file, or else in the environment.
    ///
    /// # Errors
    /// When the file cannot be read, or what it holds can be no key.
    pub(in crate::cli) fn key(&self) -> Result<Option<ServerKey>, RemoteError> {
        if let Some(key) = &self.key {
            return Ok(Some(key.clone()));
        }
        let text = match &self.key_file {
            Some(file) => fs_err::read_to_string(file).map_err(RemoteError::KeyFile)?,
            None => match std::env::var(API_KEY) {
                Ok(text) if !text.trim().is_empty() => text,
                _ => return Ok(None),
            },
        };
        text.parse().map(Some).map_err(|MalformedKey| RemoteError::MalformedKey)
    }
}

/// A key: it is in no log, and no error shows it.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::cli) struct ServerKey(String);

impl ServerKey {
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerKey(…)")
    }
}

/// A text can be no key.
#[derive(Debug, thiserror::Error)]
#[error("a key is one word of visible ASCII characters")]
pub(in crate::cli) struct MalformedKey;

impl FromStr for ServerKey {
    type Err = MalformedKey;

    fn from_str(text: &str) -> Result<Self, MalformedKey> {
        let key = text.trim();
        let is_word = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
        if is_word { Ok(Self(key.to_owned())) } else { Err(MalformedKey) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_word_and_is_not_shown() {
        let key: ServerKey = " pin_0123\n".parse().unwrap();
        assert_eq!((key.reveal(), format!("{key:?}").as_str()), ("pin_0123", "ServerKey(…)"));
        for text in ["", "  ", "two words", "line\r\nInjected: header", "schlüssel"] {
            assert!(text.parse::<ServerKey>().is_err(), "{text:?}");
        }
    }
}
