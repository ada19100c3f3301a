//! The side there: a workspace of a running server, over REST.
//!
//! # Invariants
//! - Every write says what it expects there, so that it may be sent again: a write whose acknowledgement was lost finds its own content.
//! - What the server names is a [`RelPath`] before anything is done with it; any other name is told, and passed over.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::Deserialize;

use super::here::name_of;
use super::receiving::Receiving;
use super::stop::Stop;
use crate::cli::remote::{Backoff, Call, Content, Received, Remote, RemoteError};
use crate::engine::{ChangesReply, WriteReply};
use crate::workspace::{Change, ChangeKind, ContentHash, Provenance, RelPath, Revision, WorkspaceId};

/// Files of one page of a listing.
const PAGE_FILES: usize = 5_000;
/// Changes of one page.
pub(super) const PAGE_CHANGES: usize = 1_000;

/// How long the server waits for a change.
const WAIT_MS: u64 = 25_000;

/// The workspace of a server.
pub(super) struct Server {
    remote: Remote,
    workspace: WorkspaceId,
    provenance: Provenance,
    stop: Stop,
    /// For how long a server that is away is asked again; `None` for ever.
    patience: Option<Duration>,
    /// When it last replied.
    replied_at: Mutex<Instant>,
}

/// What the files of a workspace are now.
pub(super) struct Listing {
    pub log: String,
    /// The newest change before the listing.
    pub revision: Revision,
    /// A hash is missing where the server has not read the file yet.
    pub files: BTreeMap<RelPath, Option<ContentHash>>,
    /// Names that are no paths of a workspace.
    pub unusable: Vec<String>,
}

/// The content of a file as it comes.
pub(super) struct Fetched<'s> {
    pub hash: ContentHash,
    pub bytes: Receiving<'s>,
}

/// What became of a write.
pub(super) enum Written {
    /// It is durable there.
    Done { hash: Option<ContentHash>, revision: Revision },
    /// Something else is there than was expected.
    OtherContent,
}

/// A page of a listing, with names that are not checked yet.
#[derive(Deserialize)]
struct Page {
    log: String,
    revision: Revision,
    files: Vec<Listed>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Listed {
    path: String,
    content_hash: Option<ContentHash>,
}

impl Server {
    pub(super) fn new(
        remote: Remote,
        workspace: WorkspaceId,
        provenance: Provenance,
        stop: Stop,
        patience: Option<Duration>,
    ) -> Self {
        Self { remote, workspace, provenance, stop, patience, replied_at: Mutex::new(Instant::now()) }
    }

    /// The server's address, for a person.
    pub(super) fn shown(&self) -> &str {
        self.remote.shown()
    }

    /// The workspace, for a person.
    pub(super) fn workspace(&self) -> &str {
        self.workspace.as_str()
    }

    /// Asks until there is a reply, as long as the server is only away or busy, and the run is not to end.
    fn patiently<T>(&self, mut ask: impl FnMut() -> Result<T, RemoteError>) -> Result<T, RemoteError> {
        let mut backoff = Backoff::new();
        let mut is_told = false;
        loop {
            let asked = ask();
            let now = Instant::now();
            match asked {
                Err(error) if error.is_passing() => {
                    let silent = now.saturating_duration_since(*self.replied_at.lock());
                    let is_over = self.patience.is_some_and(|patience| silent >= patience) || self.stop.is_over();
                    if is_over || self.patience.is_some() && self.stop.is_asked() {
                        return Err(error);
                    }
                    if !std::mem::replace(&mut is_told, true) {
                        tracing::warn!(%error, "the server does not answer, and is asked again");
                    }
                    self.stop.pause(backoff.pause());
                }
                asked => {
                    *self.replied_at.lock() = now;
                    return asked;
                }
            }
        }
    }

    fn path<'p>(&'p self, path: &'p RelPath) -> [&'p str; 4] {
        ["workspaces", self.workspace.as_str(), "files", path.as_str()]
    }

    /// Lists all files with their hashes.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub(super) fn list(&self) -> Result<Listing, RemoteError> {
        let mut listing: Option<Listing> = None;
        let mut after = None;
        loop {
            let call = Call::get(&["workspaces", self.workspace.as_str(), "contents"])
                .with("after", &after)
                .with("limit", [PAGE_FILES]);
            let page: Page = self.patiently(|| self.remote.call(&call))?;
            let Page { log, revision, files, next } = page;
            let listing =
                listing.get_or_insert_with(|| Listing { log, revision, files: BTreeMap::new(), unusable: Vec::new() });
            for Listed { path, content_hash } in files {
                match path.parse::<RelPath>() {
                    Ok(path) => drop(listing.files.insert(path, content_hash)),
                    Err(_) => listing.unusable.push(path),
                }
            }
            // A page that leads back would never end.
            if next.is_none() || next <= after {
                break;
            }
            after = next;
        }
        Ok(listing.expect("the loop reads a page"))
    }

    /// The hash of a file, or `None` where there is none.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub(super) fn look(&self, path: &RelPath) -> Result<Option<ContentHash>, RemoteError> {
        let call = || Call::head(&self.path(path));
        match self.patiently(|| self.remote.download(call())) {
            Ok(Received { etag, .. }) => Ok(Some(self.hash(&etag)?)),
            Err(error) if status(&error) == Some(404) => Ok(None),
            // A reply without a body does not say why.
            Err(RemoteError::Refused { .. }) => Ok(self.fetch(path)?.map(|fetched| fetched.hash)),
            Err(error) => Err(error),
        }
    }

    fn hash(&self, etag: &str) -> Result<ContentHash, RemoteError> {
        etag.parse().map_err(|_| self.remote.foreign("its `ETag` is no content hash"))
    }

    /// The content of a file, and its hash; `None` where there is none.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub(super) fn fetch(&self, path: &RelPath) -> Result<Option<Fetched<'_>>, RemoteError> {
        match self.patiently(|| self.remote.download(Call::get(&self.path(path)))) {
            Ok(Received { etag, bytes, .. }) => {
                let hash = self.hash(&etag)?;
                Ok(Some(Fetched { hash, bytes: Receiving::new(self, path, hash, bytes) }))
            }
            Err(error) if status(&error) == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The bytes of a file from a place on, where it still has this content; `None` where it has other content.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub(super) fn fetch_rest(
        &self,
        path: &RelPath,
        hash: ContentHash,
        start: u64,
    ) -> Result<Option<Box<dyn Read>>, RemoteError> {
        let call = || {
            let call = Call::get(&self.path(path)).under("Range", format!("bytes={start}-"));
            call.under("If-Range", format!("\"{hash}\""))
        };
        let Received { etag, is_range, mut bytes } = self.patiently(|| self.remote.download(call()))?;
        if self.hash(&etag)? != hash {
            return Ok(None);
        }
        if !is_range {
            // A server that knows no ranges of a file's own bytes.
            io::copy(&mut (&mut bytes).take(start), &mut io::sink()).map_err(|error| self.broken(error))?;
        }
        Ok(Some(bytes))
    }

    /// Whether the run is to end.
    pub(super) fn is_to_end(&self) -> bool {
        self.stop.is_asked()
    }

    /// What became of the bytes of a file that broke off.
    pub(super) fn broken(&self, error: io::Error) -> RemoteError {
        self.remote.broken(error)
    }

    /// Writes a file where it has the content `expected` there, or is not there.
    ///
    /// # Errors
    /// [`RemoteError`]; whether it was written is not known then.
    pub(super) fn write(
        &self,
        path: &RelPath,
        expected: Option<ContentHash>,
        open: &mut dyn FnMut() -> io::Result<Content>,
    ) -> Result<Written, RemoteError> {
        let call = self.signed(Call::put(&self.path(path)), expected);
        written(self.patiently(|| self.remote.upload::<WriteReply>(&call, open)))
    }

    /// Deletes a file where it has the content `expected`.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub(super) fn delete(&self, path: &RelPath, expected: ContentHash) -> Result<Written, RemoteError> {
        let call = self.signed(Call::delete(&self.path(path)), Some(expected));
        written(self.patiently(|| self.remote.call::<WriteReply>(&call)))
    }

    /// Adds the writer, and the condition.
    fn signed(&self, mut call: Call, expected: Option<ContentHash>) -> Call {
        let Provenance { agent, run, sandbox, tags, .. } = &self.provenance;
        for (name, value) in [("Pincite-Agent", agent), ("Pincite-Run", run), ("Pincite-Sandbox", sandbox)] {
            if let Some(value) = value {
                call = call.under(name, value);
            }
        }
        if !tags.is_empty() {
            call = call.under("Pincite-Tags", tags.iter().cloned().collect::<Vec<_>>().join(","));
        }
        match expected {
            Some(hash) => call.expects("If-Match", format!("\"{hash}\"")),
            None => call.expects("If-None-Match", "*"),
        }
    }

    /// The newest changes after a revision, newest first; all of them where they are fewer than [`PAGE_CHANGES`]. Where there are none, the
    /// server waits for one.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub(super) fn changes_after(&self, revision: Revision) -> Result<Vec<Change>, RemoteError> {
        let call = self.changes().with("after_revision", [revision.0]).with("limit", [PAGE_CHANGES]);
        let call = call.with("wait_ms", [WAIT_MS]).waits(WAIT_MS);
        Ok(self.patiently(|| self.remote.call::<ChangesReply>(&call))?.changes)
    }

    /// The newest change of the workspace.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub(super) fn newest(&self) -> Result<Revision, RemoteError> {
        let call = self.changes().with("limit", [1]);
        let reply: ChangesReply = self.patiently(|| self.remote.call(&call))?;
        Ok(reply.changes.first().map_or(reply.revision, |change| change.revision))
    }

    /// The newest change of a path.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub(super) fn last_change(&self, path: &RelPath) -> Result<Option<Change>, RemoteError> {
        let call = self.changes().with("path", [glob_of(path)]).with("limit", [PAGE_CHANGES]);
        let reply: ChangesReply = self.patiently(|| self.remote.call(&call))?;
        let is_it = |other: &RelPath| name_of(other) == name_of(path);
        Ok(reply.changes.into_iter().find(|change| is_it(&change.path) || change.from.as_ref().is_some_and(is_it)))
    }

    /// Whether the log says that a file was deleted or moved away, as opposed to one that this key does not see any more.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub(super) fn was_deleted(&self, path: &RelPath) -> Result<bool, RemoteError> {
        let last = self.last_change(path)?;
        Ok(last.is_some_and(|change| name_of(&change.path) != name_of(path) || change.kind == ChangeKind::Deleted))
    }

    fn changes(&self) -> Call {
        Call::get(&["workspaces", self.workspace.as_str(), "changes"])
    }
}

/// The status with which the server refused.
pub(super) fn status(error: &RemoteError) -> Option<u16> {
    match error {
        RemoteError::Refused { status: Some(status), .. } => Some(status.as_u16()),
        _ => None,
    }
}

fn written(reply: Result<WriteReply, RemoteError>) -> Result<Written, RemoteError> {
    match reply {
        Ok(WriteReply { revision, content_hash, .. }) => Ok(Written::Done { hash: content_hash, revision }),
        Err(error) if status(&error) == Some(412) && !is_of_lock(&error) => Ok(Written::OtherContent),
        Err(error) => Err(error),
    }
}

/// Whether a lock that is lost refuses, and not what is there.
fn is_of_lock(error: &RemoteError) -> bool {
    matches!(error, RemoteError::Refused { report, .. } if report.code == "fenced")
}

/// A glob that matches a path; one without folders matches others of its name as well.
fn glob_of(path: &RelPath) -> String {
    let mut glob = String::with_capacity(path.as_str().len());
    for character in path.as_str().chars() {
        match character {
            '*' | '?' | '[' | ']' | '{' | '}' => {
                glob.push('[');
                glob.push(character);
                glob.push(']');
            }
            _ => glob.push(character),
        }
    }
    glob
}
