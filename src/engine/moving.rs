//! Files and folders that get another path, and copies of files.

use serde::{Deserialize, Serialize};

use super::alone::Begun;
use super::recording::Told;
use super::{Depth, EngineError, Precondition, Workspace, WriteReply};
use crate::access::Action;
use crate::budget::Budget;
use crate::failpoint;
use crate::files::{Files, FilesError};
use crate::ingest::{self, WriteError};
use crate::store::{Fingerprint, Moved, Observation};
use crate::workspace::{ChangeKind, Provenance, RelPath, Revision};

/// A file or folder to move, or a file to copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transit {
    /// Where it is.
    pub from: RelPath,
    /// Where it is to be.
    pub to: RelPath,
    /// What must be true of the file.
    pub precondition: Precondition,
    /// What must be true of the path that it gets.
    pub precondition_of_target: Precondition,
}

/// A file or folder that has another path now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveReply {
    /// The last change in the log, and the new path.
    #[serde(flatten)]
    pub written: WriteReply,
    /// Of a folder: how many files in it were moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_files: Option<usize>,
    /// Of a folder: whether it is still at its old path, because it holds what is not of the workspace or what the caller does not see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder_stays: Option<bool>,
}

/// What gets other paths in one request.
struct Moves {
    steps: Vec<Step>,
    /// Of a folder: folders below it, each with its new path, and the folder itself as the first.
    folders: Option<Vec<(RelPath, RelPath)>>,
}

/// One file that gets another path.
struct Step {
    from: RelPath,
    to: RelPath,
    replaces: bool,
}

/// A folder of more files is moved in several requests: the lock on the workspace's files is held meanwhile.
const MAX_MOVED_FILES: usize = 1_000;

impl Workspace<'_> {
    /// Gives a file another path, in one change of the log, or a folder with all files in it that the caller sees, each in a change of its own
    /// and all in one transaction. Who wrote a content stays as it is, unless `provenance` says something.
    ///
    /// # Errors
    /// As [`Workspace::write_file`], for both paths. Of a folder all files have moved or none, as far as the disk lets them.
    pub fn move_file(&self, transit: &Transit, provenance: &Provenance) -> Result<MoveReply, EngineError> {
        self.recorded(Action::Move, Told::of([&transit.from, &transit.to]), |told| {
            let reply = self.move_unrecorded(transit, provenance, told)?;
            // Nothing is logged of a folder without files.
            told.revision = Some(reply.written.revision).filter(|_| reply.num_files != Some(0));
            Ok(reply)
        })
    }

    fn move_unrecorded(
        &self,
        transit: &Transit,
        provenance: &Provenance,
        told: &mut Told,
    ) -> Result<MoveReply, EngineError> {
        provenance.check()?;
        let provenance = self.caller.attribute(provenance.clone())?;
        let (from, to) = (self.spelled_to_write(&transit.from)?, self.spelled_to_write(&transit.to)?);
        if from == to {
            return Err(WriteError::SamePath { path: to }.into());
        }
        let root = self.root_to_write([&from, &to])?;
        super::write::refuse_device_names(&to)?;
        let once = self.once("move", &[from.as_str().as_bytes(), to.as_str().as_bytes()]);
        let mut alone = self.engine.lock_files(&self.id)?;
        if let Some((reply, revision)) = self.answered::<MoveReply>(once.as_ref())? {
            return Ok(MoveReply { written: WriteReply { revision, ..reply.written }, ..reply });
        }
        self.check_room()?;
        let files = &*self.engine.data.files_of(&self.id, &root);
        let Moves { mut steps, folders } = self.moves(files, &from, &to, transit)?;
        self.check_locks(&steps.iter().flat_map(|step| [&step.from, &step.to]).collect::<Vec<_>>())?;
        if folders.is_some() {
            told.paths.extend(steps.iter().flat_map(|step| [step.from.clone(), step.to.clone()]));
        }
        let (revision, kind) = (Revision::default(), ChangeKind::Renamed);
        let written = WriteReply { revision, path: to, kind, content_hash: None };
        let num_files = folders.as_ref().map(|_| steps.len());
        let mut reply = MoveReply { written, num_files, folder_stays: None };
        if let Some(once) = &once {
            let paths = steps.iter().map(|step| (step.from.clone(), step.to.clone())).collect();
            let begun = Begun::Move { paths, folders: folders.clone().unwrap_or_default() };
            alone.begin(begun, &provenance, &once.with_reply(&reply))?;
        }
        let failed = rename_each(files, &mut steps);
        match (&failed, &folders) {
            (None, Some(folders)) => {
                // The files have moved, and that is told.
                let stays = move_folders(files, folders).unwrap_or_else(|error| {
                    tracing::warn!(%error, "not all folders of a folder have moved with its files");
                    true
                });
                reply.folder_stays = Some(stays);
            }
            // Those on the way to files that were moved back.
            (Some(_), Some(_)) => drop(files.remove_folder(&reply.written.path)),
            (_, None) => {}
        }
        let mut observations = Vec::new();
        for Step { from, to, replaces } in steps {
            self.engine.bases.forget(&self.id, Some(&from));
            observations.extend(moved(files, from, to, replaces, &provenance)?);
        }
        let kept = once.filter(|_| failed.is_none()).map(|once| once.with_reply(&reply));
        if !observations.is_empty() {
            reply.written.revision = self.log_all(&observations, None, kept.as_ref())?;
        }
        alone.end()?;
        match failed {
            None if observations.is_empty() && folders.is_none() => Err(self.why_no_file(&from)?),
            None => Ok(reply),
            Some(error) => Err(error.into()),
        }
    }

    /// What is to be moved, where all conditions hold.
    fn moves(&self, files: &dyn Files, from: &RelPath, to: &RelPath, transit: &Transit) -> Result<Moves, EngineError> {
        // Before the target: a file that is not there is the first thing to say.
        if ingest::seen(files, from)?.is_some() {
            self.check_precondition(files, from, &transit.precondition)?;
            let replaces = self.check_precondition(files, to, &transit.precondition_of_target)?;
            return Ok(Moves { steps: vec![Step { from: from.clone(), to: to.clone(), replaces }], folders: None });
        }
        if !self.is_folder(from)? {
            return Err(self.why_no_file(from)?);
        }
        let invalid = |what: String| Err(EngineError::InvalidRequest { what });
        let is_of_folders =
            transit.precondition == Precondition::Exists && transit.precondition_of_target == Precondition::Absent;
        if !is_of_folders {
            return invalid(format!("`{from}` is a folder: `if_match` and `overwrite` are about one file"));
        }
        let (old, new) = (format!("{from}/"), format!("{to}/"));
        if new.starts_with(&old) {
            return invalid(format!("the folder `{from}` cannot be moved into itself"));
        }
        let target = |path: &RelPath| path.as_str().replacen(&old, &new, 1).parse::<RelPath>();
        let (mut steps, places) = (Vec::new(), [from.clone()].into());
        let mut listing = files.list(Some(&places), &|_| {})?;
        while let Some(page) = listing.next_page()? {
            if let Some(unlisted) = page.unlisted.first() {
                return invalid(format!("`{}` in the folder cannot be listed", unlisted.place));
            }
            for file in page.files.into_iter().filter(|file| self.sees(&file.path)) {
                let to = target(&file.path)?;
                self.check_writable(&to)?;
                files.check(&to).map_err(|reason| WriteError::not_admitted(reason, &to))?;
                self.check_precondition(files, &to, &transit.precondition_of_target)?;
                steps.push(Step { from: file.path, to, replaces: false });
            }
            if steps.len() > MAX_MOVED_FILES {
                return invalid(format!(
                    "`{from}` holds more than {MAX_MOVED_FILES} files: move what is in it, part by part"
                ));
            }
        }
        if holds_files(files, to)? {
            return invalid(format!(
                "a folder with files is at `{to}` already: take another path, or move the files of `{from}` one by one"
            ));
        }
        steps.sort_by(|one, other| one.from.cmp(&other.from));
        let mut folders = vec![(from.clone(), to.clone())];
        for folder in self.folders_below(Some(from), Depth::All, &Budget::default())? {
            folders.push((folder.clone(), target(&folder)?));
        }
        Ok(Moves { steps, folders: Some(folders) })
    }

    /// Writes the content of a file under another path.
    ///
    /// # Errors
    /// As [`Workspace::write_file`]; a caller without the right to read is refused.
    pub fn copy_file(&self, transit: &Transit, provenance: &Provenance) -> Result<WriteReply, EngineError> {
        self.caller.check(Action::Read)?;
        self.recorded(Action::Write, Told::of([&transit.to, &transit.from]), |told| {
            let reply = self.copy_unrecorded(transit, provenance)?;
            told.revision = Some(reply.revision);
            Ok(reply)
        })
    }

    fn copy_unrecorded(&self, transit: &Transit, provenance: &Provenance) -> Result<WriteReply, EngineError> {
        let from = self.spelled(&transit.from)?;
        let root = self.root_to_write([&from, &transit.to])?;
        let files = &*self.engine.data.files_of(&self.id, &root);
        if ingest::seen(files, &from)?.is_none() {
            return Err(self.why_no_file(&from)?);
        }
        if transit.precondition != Precondition::None {
            self.check_precondition(files, &from, &transit.precondition)?;
        }
        let mut upload = self.begin_upload(&transit.to)?.by(provenance.clone())?;
        let mut source = files.open(&from, None)?;
        upload.check_size(source.stat().fingerprint.size)?;
        upload.write_from(&mut source, WriteError::Io)?;
        if source.stat_now()?.version != source.stat().version {
            return Err(WriteError::OtherVersion { path: from }.into());
        }
        self.finish_upload(upload, &transit.precondition_of_target)
    }
}

/// Whether there is a folder with files of the workspace.
fn holds_files(files: &dyn Files, folder: &RelPath) -> Result<bool, EngineError> {
    let places = [folder.clone()].into();
    let mut listing = files.list(Some(&places), &|_| {})?;
    while let Some(page) = listing.next_page()? {
        // A file at its path is none in it.
        if page.files.iter().any(|file| file.path != *folder) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Gives each file its new path. One that is not there is left out. Where one cannot be moved, those before it are moved back, and only what
/// cannot be is left in `steps`.
fn rename_each(files: &dyn Files, steps: &mut Vec<Step>) -> Option<WriteError> {
    let (mut moved, mut failed) = (Vec::new(), None);
    for step in std::mem::take(steps) {
        match ingest::rename_file(files, &step.from, &step.to) {
            Ok(true) => moved.push(step),
            Ok(false) => {}
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
        failpoint::reach("move: a file has its new path");
    }
    if failed.is_some() {
        moved.retain(|step| step.replaces || ingest::rename_file(files, &step.to, &step.from).is_err());
    }
    *steps = moved;
    failed
}

/// Makes the folders that hold no files at their new paths, and removes the old ones. Returns whether one of them stays.
pub(super) fn move_folders(files: &dyn Files, folders: &[(RelPath, RelPath)]) -> Result<bool, EngineError> {
    for (_, to) in folders {
        files.make_folder(to)?;
    }
    let Some((from, _)) = folders.first() else { return Ok(false) };
    files.remove_folder(from)?;
    Ok(matches!(files.stat(from), Err(FilesError::Folder { .. })))
}

/// What the log is told of a file that has another path.
pub(super) fn moved(
    files: &dyn Files,
    from: RelPath,
    to: RelPath,
    replaces: bool,
    provenance: &Provenance,
) -> Result<Vec<Observation>, EngineError> {
    let gone = Observation {
        provenance: provenance.clone(),
        moved: Some(Moved::Away),
        ..Observation::new(from.clone(), ChangeKind::Deleted, Fingerprint::NONE, true)
    };
    // What went again meanwhile is for the next scan to tell.
    let Some(fingerprint) = ingest::seen(files, &to)? else { return Ok(vec![gone]) };
    let kind = if replaces { ChangeKind::Modified } else { ChangeKind::Created };
    let there = Observation {
        provenance: provenance.clone(),
        moved: Some(Moved::From(from)),
        ..Observation::new(to, kind, fingerprint, true)
    };
    Ok(vec![gone, there])
}
