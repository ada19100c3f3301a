//! What is done with one path.
//!
//! # Invariants
//! - What is replaced or deleted is exactly what the decision was made on: there the server checks it in the step of the write, here the
//!   folder right before its rename.
//! - What both sides agreed on is noted after both have it.

use std::io;

use super::decide::Step;
use super::error::SyncError;
use super::here::{LocalFile, Put, PutError, Sight, described};
use super::outcome::{Did, KeptBoth};
use super::round::{Case, Desk, Ended};
use super::server::{Fetched, Written, status};
use super::state::Base;
use crate::cli::remote::RemoteError;
use crate::error::Advice as _;
use crate::files::FilesError;
use crate::workspace::{ContentHash, RelPath, Revision, composed};

/// How often a file is received whose bytes break off.
const MAX_RECEPTIONS: usize = 3;
/// How many names a copy of a conflict is tried to be given.
const MAX_NAMES: usize = 100;
/// The longest name of a file in most file systems, in bytes.
const MAX_NAME_BYTES: usize = 255;

impl Desk {
    /// Does what was decided of a path.
    ///
    /// # Errors
    /// [`SyncError`] where nothing can be done with any other path either.
    pub(super) fn carry_out(&self, case: &Case, revision: Revision) -> Result<Ended, SyncError> {
        match case.step {
            Step::Nothing | Step::Agree | Step::Forget => Ok(Ended::Done),
            Step::Upload => self.upload(case),
            Step::Download => self.download(case, revision),
            Step::DeleteThere => self.delete_there(case),
            Step::DeleteHere => self.delete_here(case),
            Step::KeepBoth => self.keep_both(case, revision),
        }
    }

    fn upload(&self, case: &Case) -> Result<Ended, SyncError> {
        let Some(file) = &case.here else { return Ok(Ended::Again) };
        let ended = self.send(file, &case.name, &case.path_there, case.there)?;
        if matches!(ended, Ended::Done) {
            self.tally.did(Did::Upload, &case.path);
        }
        Ok(ended)
    }

    /// Sends a file to a path where `expected` is.
    fn send(
        &self,
        file: &LocalFile,
        name: &str,
        path: &RelPath,
        expected: Option<ContentHash>,
    ) -> Result<Ended, SyncError> {
        match self.server.write(path, expected, &mut || self.here.open_to_send(file)) {
            // The server says what it has taken.
            Ok(Written::Done { hash, revision }) => {
                self.state.agree(name, Base { hash: hash.unwrap_or(file.hash), revision })?;
                Ok(Ended::Done)
            }
            // It changed since it was read, or cannot be read.
            Ok(Written::OtherContent) | Err(RemoteError::Content(_)) => Ok(Ended::Again),
            Err(error) => refused(error),
        }
    }

    fn download(&self, case: &Case, revision: Revision) -> Result<Ended, SyncError> {
        let expected = case.here.as_ref().map(|file| &file.version);
        for number in 1..=MAX_RECEPTIONS {
            let Fetched { hash, mut bytes } = match self.server.fetch(&case.path_there) {
                Ok(Some(fetched)) => fetched,
                Ok(None) => return Ok(Ended::Again),
                Err(error) => return refused(error),
            };
            let error = match self.here.put(&case.path, &mut bytes, hash, expected) {
                Ok(Put::Done) => {
                    self.state.agree(&case.name, Base { hash, revision })?;
                    if case.step == Step::Download {
                        self.tally.did(Did::Download, &case.path);
                    }
                    return Ok(Ended::Done);
                }
                Ok(Put::OtherContent) => return Ok(Ended::Again),
                Err(error) => error,
            };
            match error {
                PutError::Bytes(error) if number == MAX_RECEPTIONS || self.stop.is_asked() => {
                    return Err(self.server.broken(error).into());
                }
                // The next try waits where the server is away.
                PutError::Bytes(_) => {}
                PutError::OtherHash => return Ok(Ended::Again),
                PutError::PassedOver(reason) => return Ok(Ended::PassedOver(reason)),
                PutError::Files(error) => return Ok(Ended::Left(not_put(&error))),
            }
        }
        Ok(Ended::Again)
    }

    fn delete_there(&self, case: &Case) -> Result<Ended, SyncError> {
        let Some(base) = case.base else { return Ok(Ended::Again) };
        // It may be back since the folder was listed.
        if !matches!(self.here.look(&self.state, &case.path)?, Sight::Absent) {
            return Ok(Ended::Again);
        }
        match self.server.delete(&case.path_there, base.hash) {
            Ok(Written::Done { .. }) => {
                self.state.forget(&case.name)?;
                self.tally.did(Did::DeleteThere, &case.path);
                Ok(Ended::Done)
            }
            Ok(Written::OtherContent) => Ok(Ended::Again),
            // It is gone there, too.
            Err(error) if status(&error) == Some(404) => Ok(Ended::Again),
            Err(error) => refused(error),
        }
    }

    fn delete_here(&self, case: &Case) -> Result<Ended, SyncError> {
        let Some(file) = &case.here else { return Ok(Ended::Again) };
        match self.server.was_deleted(&case.path_there) {
            Ok(true) => {}
            Ok(false) => {
                let reason =
                    "the server does not show it any more, and its log does not say that it was deleted: it stays here";
                return Ok(Ended::Left(reason.to_owned()));
            }
            Err(error) => return refused(error),
        }
        match self.here.delete(file) {
            Ok(true) => {
                self.state.forget(&case.name)?;
                self.tally.did(Did::DeleteHere, &case.path);
                Ok(Ended::Done)
            }
            Ok(false) => Ok(Ended::Again),
            Err(error) => Ok(Ended::Left(described(&error))),
        }
    }

    /// Copies what is here beside, so that it is here and there under another name, and then lets what is there take its place.
    fn keep_both(&self, case: &Case, revision: Revision) -> Result<Ended, SyncError> {
        let Some(file) = &case.here else { return Ok(Ended::Again) };
        let last = match self.server.last_change(&case.path_there) {
            Ok(last) => last,
            Err(error) => return refused(error),
        };
        let changed_in = last.as_ref().map_or(revision, |change| change.revision);
        let kept_as = match self.copy_beside(file, changed_in) {
            Ok(Some(path)) => path,
            Ok(None) => return Ok(Ended::Again),
            Err(error) => {
                return Ok(Ended::Left(format!(
                    "both sides changed it, and no copy can be made: {}",
                    described(&error)
                )));
            }
        };
        let ended = self.download(case, revision)?;
        if matches!(ended, Ended::Done) {
            let changed_by = last.and_then(|change| change.provenance.agent);
            let path = case.path.clone();
            self.tally.kept_both(KeptBoth { path, kept_as: kept_as.clone(), revision: changed_in, changed_by });
        }
        // Like any new file here: it has its own ways to be refused.
        let name = super::here::name_of(&kept_as);
        if self.state.base(&name).is_none() {
            let copy = LocalFile { path: kept_as.clone(), ..file.clone() };
            match self.send(&copy, &name, &kept_as, None)? {
                Ended::Left(reason) => self.tally.left(&name, kept_as.as_str(), reason),
                Ended::Again => self.tally.left(&name, kept_as.as_str(), "it is not on the server yet".to_owned()),
                Ended::Done | Ended::PassedOver(_) => {}
            }
        }
        Ok(ended)
    }

    /// Copies a file that is still as it was read to `NAME.conflict-AGENT-REVISION` in its folder; `None` where it has changed.
    fn copy_beside(&self, file: &LocalFile, revision: Revision) -> Result<Option<RelPath>, FilesError> {
        for number in 1..=MAX_NAMES {
            let Some(path) = name_of_conflict(&file.path, &self.agent, revision, number) else { break };
            match self.here.look(&self.state, &path) {
                // An earlier run has made it, and was ended.
                Ok(Sight::File(other)) if other.hash == file.hash => return Ok(Some(path)),
                Ok(Sight::Absent) => {}
                _ => continue,
            }
            let mut opened = match self.here.open_as_read(file) {
                Ok(opened) => opened,
                Err(FilesError::OtherVersion { .. } | FilesError::NotFound { .. }) => return Ok(None),
                Err(error) => return Err(error),
            };
            match self.here.put(&path, &mut opened, file.hash, None) {
                Ok(Put::Done) => return Ok(Some(path)),
                Ok(Put::OtherContent) => {}
                Err(PutError::OtherHash) => return Ok(None),
                Err(PutError::Files(error)) => return Err(error),
                Err(PutError::Bytes(error)) => return Err(FilesError::of_file(error)),
                Err(PutError::PassedOver(reason)) => return Err(FilesError::Io(io::Error::other(reason))),
            }
        }
        Err(FilesError::Io(io::Error::other("all names for it are taken")))
    }
}

/// The name of a copy: behind the whole name of the file, so that no program that goes by the ending takes it for a source.
fn name_of_conflict(path: &RelPath, agent: &str, revision: Revision, number: usize) -> Option<RelPath> {
    let number = if number == 1 { String::new() } else { format!("-{number}") };
    let end = format!(".conflict-{agent}-{}{number}", revision.0);
    let mut name = composed(path.file_name()).into_owned();
    while name.len() + end.len() > MAX_NAME_BYTES {
        name.pop()?;
    }
    let folder = path.as_str().strip_suffix(path.file_name()).unwrap_or_default();
    format!("{folder}{name}{end}").parse().ok()
}

/// An agent's name as it can stand in that of a file.
pub(super) fn agent_in_name(agent: Option<&str>) -> String {
    const MAX_CHARS: usize = 40;
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' };
    agent.map_or_else(|| "local".to_owned(), |agent| agent.chars().take(MAX_CHARS).map(plain).collect())
}

/// Why a file that came could not be put into its place.
fn not_put(error: &FilesError) -> String {
    match error {
        FilesError::Folder { .. } => "a folder is in its place here".to_owned(),
        FilesError::NotAFile { .. } => "something else is in its place here, or on the way to it".to_owned(),
        error => described(error),
    }
}

/// A refusal of the server: of one file, or of everything.
pub(super) fn refused(error: RemoteError) -> Result<Ended, SyncError> {
    let RemoteError::Refused { report, .. } = &error else { return Err(error.into()) };
    let is_of_all = error.is_passing() || status(&error) == Some(401) || report.code == "unknown_workspace";
    if is_of_all {
        return Err(error.into());
    }
    let hint = error.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
    Ok(Ended::Left(format!("{}{hint}", report.message)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_the_name_of_its_file_and_who_and_when_and_fits() {
        let name = |path: &str, number| {
            let path: RelPath = path.parse().unwrap();
            name_of_conflict(&path, &agent_in_name(Some("a b/ü")), Revision(57), number).unwrap().to_string()
        };
        assert_eq!(name("notes/a.md", 1), "notes/a.md.conflict-a_b__-57");
        assert_eq!(name("a.md", 2), "a.md.conflict-a_b__-57-2");
        let long = name(&format!("x/{}", "ü".repeat(127)), 1);
        assert!(long.len() <= 257 && long.ends_with("ü.conflict-a_b__-57"), "{long}");
        assert_eq!(agent_in_name(None), "local");
    }
}
