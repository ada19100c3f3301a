//! Files that get another path, and copies of them.

use super::recording::Told;
use super::{EngineError, Precondition, Workspace, WriteReply};
use crate::access::Action;
use crate::ingest::{self, WriteError};
use crate::store::{Fingerprint, Moved, Observation};
use crate::workspace::{ChangeKind, Provenance, RelPath, Revision};

/// A file to move or copy.
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

impl Workspace<'_> {
    /// Gives a file another path, in one change of the log. Who wrote its content stays as it is, unless `provenance` says something.
    ///
    /// # Errors
    /// As [`Workspace::write_file`], for both paths.
    pub fn move_file(&self, transit: &Transit, provenance: &Provenance) -> Result<WriteReply, EngineError> {
        self.recorded(Action::Move, Told::of([&transit.from, &transit.to]), |told| {
            let reply = self.move_unrecorded(transit, provenance)?;
            told.revision = Some(reply.revision);
            Ok(reply)
        })
    }

    fn move_unrecorded(&self, transit: &Transit, provenance: &Provenance) -> Result<WriteReply, EngineError> {
        provenance.check()?;
        let provenance = self.caller.attribute(provenance.clone())?;
        let (from, to) = (self.spelled_to_write(&transit.from)?, self.spelled_to_write(&transit.to)?);
        if from == to {
            return Err(WriteError::SamePath { path: to }.into());
        }
        let root = self.root_to_write([&from, &to])?;
        super::write::refuse_device_names(&to)?;
        let once = self.once("move", &[from.as_str().as_bytes(), to.as_str().as_bytes()]);
        let _alone = self.engine.lock_files(&self.id)?;
        if let Some((reply, revision)) = self.answered::<WriteReply>(once.as_ref())? {
            return Ok(WriteReply { revision, ..reply });
        }
        self.check_room()?;
        let files = &*self.engine.data.files_of(&self.id, &root);
        // Before the target: a file that is not there is the first thing to say.
        if ingest::seen(files, &from)?.is_none() {
            return Err(self.why_no_file(&from)?);
        }
        self.check_precondition(files, &from, &transit.precondition)?;
        let replaces = self.check_precondition(files, &to, &transit.precondition_of_target)?;
        self.check_locks(&[&from, &to])?;
        if !ingest::rename_file(files, &from, &to)? {
            return Err(self.why_no_file(&from)?);
        }
        let Some(fingerprint) = ingest::seen(files, &to)? else { return Err(self.why_no_file(&to)?) };
        self.engine.bases.forget(&self.id, Some(&from));
        let gone = Observation {
            provenance: provenance.clone(),
            moved: Some(Moved::Away),
            ..Observation::new(from.clone(), ChangeKind::Deleted, Fingerprint::NONE, true)
        };
        let kind = if replaces { ChangeKind::Modified } else { ChangeKind::Created };
        let there = Observation {
            provenance,
            moved: Some(Moved::From(from)),
            ..Observation::new(to.clone(), kind, fingerprint, true)
        };
        let reply =
            WriteReply { revision: Revision::default(), path: to, kind: ChangeKind::Renamed, content_hash: None };
        let kept = once.map(|once| once.with_reply(&reply));
        let revision = self.log_all(&[gone, there], None, kept.as_ref())?;
        Ok(WriteReply { revision, ..reply })
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
