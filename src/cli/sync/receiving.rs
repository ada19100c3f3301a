//! The content of a file as it comes from the server, and goes on after a break where it broke off.

use std::io::{self, Read};

use super::server::Server;
use crate::workspace::{ContentHash, RelPath};

/// How often in a row bytes may break off before one has come.
const MAX_BREAKS: usize = 3;

/// The bytes of one content.
pub(super) struct Receiving<'s> {
    server: &'s Server,
    path: RelPath,
    hash: ContentHash,
    bytes: Box<dyn Read>,
    /// How many have come.
    num_received: u64,
    /// Breaks since the last byte.
    num_breaks: usize,
}

impl<'s> Receiving<'s> {
    /// The content `hash` of a file, of which `bytes` come now.
    pub(super) fn new(server: &'s Server, path: &RelPath, hash: ContentHash, bytes: Box<dyn Read>) -> Self {
        Self { server, path: path.clone(), hash, bytes, num_received: 0, num_breaks: 0 }
    }
}

impl Read for Receiving<'_> {
    /// Errors are breaks that it cannot go on after: there is other content now, the server refuses, or the run is to end.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.bytes.read(buffer) {
                Ok(num) => {
                    self.num_received += num as u64;
                    self.num_breaks = 0;
                    return Ok(num);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
                Err(error) if self.num_breaks == MAX_BREAKS || self.server.is_to_end() => return Err(error),
                Err(error) => {
                    self.num_breaks += 1;
                    tracing::debug!(path = %self.path, %error, num_received = self.num_received, "a file breaks off");
                    let rest = self.server.fetch_rest(&self.path, self.hash, self.num_received);
                    self.bytes = rest.map_err(io::Error::other)?.ok_or(error)?;
                }
            }
        }
    }
}
