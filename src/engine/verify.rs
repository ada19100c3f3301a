//! The check of a citation against the file as it is now.

use super::read::Look;
use super::recording::Told;
use super::{EngineError, Workspace};
use crate::access::Action;
use crate::answer::{Check, CitationState, Stretch, Verification, verify};
use crate::extract::Document;
use crate::ingest::{PlacedPart, ReadError};
use crate::workspace::Citation;

/// A file's path is followed through so many renamings.
const MAX_RENAMINGS: usize = 32;

impl Workspace<'_> {
    /// Checks a citation against the file as it is now.
    ///
    /// # Errors
    /// [`EngineError::OtherWorkspace`] for a citation of another workspace, whether or not that exists; and when the file is there and
    /// cannot be read.
    pub fn verify(&self, citation: &Citation) -> Result<Verification, EngineError> {
        self.recorded(Action::Verify, Told::of([&citation.path]), |told| {
            let reply = self.verify_recorded(citation)?;
            told.shows(reply.citation.as_ref());
            Ok(reply)
        })
    }

    fn verify_recorded(&self, citation: &Citation) -> Result<Verification, EngineError> {
        self.verified(citation)
    }

    /// The check of a citation, for a verb that was admitted.
    pub(super) fn verified(&self, citation: &Citation) -> Result<Verification, EngineError> {
        if citation.workspace != self.id {
            return Err(EngineError::OtherWorkspace { asked: self.id.clone(), cited: citation.workspace.clone() });
        }
        let verified = match self.verify_file(citation) {
            Err(EngineError::Read(ReadError::Gone | ReadError::Unknown { .. } | ReadError::Folder { .. })) => {
                verify(citation, None)
            }
            verified => verified?,
        };
        let mut verified = match verified.verdict {
            CitationState::Valid | CitationState::Moved => verified,
            CitationState::Changed | CitationState::Deleted => {
                self.verify_elsewhere(citation, &verified)?.unwrap_or(verified)
            }
        };
        // What the citation says of its writer proves nothing, and is not given back.
        if let Some(now) = &mut verified.citation {
            now.provenance = self.writer_of(now)?;
        }
        Ok(verified)
    }

    /// The check of a citation whose words are not in their file any more, against the files that this was renamed to; and where there
    /// is no such file, against those of the content that it had.
    fn verify_elsewhere(&self, citation: &Citation, here: &Verification) -> Result<Option<Verification>, EngineError> {
        let id = &self.id;
        let mut paths = Vec::new();
        // Where a file went that the caller does not see is not told, either.
        if self.sees(&citation.path) {
            paths = self.engine.data.store.renamed_to(id, &citation.path, MAX_RENAMINGS)?;
        }
        if here.verdict == CitationState::Deleted {
            paths.extend(self.engine.data.store.paths_of_content(id, citation.content_hash)?);
        }
        for path in paths.into_iter().filter(|path| self.sees(path)) {
            let there = match self.verify_file(&Citation { path: path.clone(), ..citation.clone() }) {
                Err(EngineError::Read(_) | EngineError::NoText { .. }) => continue,
                there => there?,
            };
            if let Some(now) = there.citation {
                let explanation = format!("the file is now `{path}`: {}", there.explanation);
                return Ok(Some(Verification { verdict: CitationState::Moved, explanation, citation: Some(now) }));
            }
        }
        Ok(None)
    }

    fn verify_file(&self, citation: &Citation) -> Result<Verification, EngineError> {
        let path = &citation.path;
        if let Some(large) = self.large(path)? {
            let mut check = Check::new(citation, large.content_hash);
            // A quote may lie in two parts.
            let mut before: Option<PlacedPart> = None;
            let ended = self.see_parts(large, &mut |part| {
                let mut both = before.take().unwrap_or_else(|| PlacedPart {
                    document: Document { has_file_lines: true, ..Document::of(part.document.format, String::new()) },
                    start: part.start,
                    num_lines_before: part.num_lines_before,
                });
                both.document.text.push_str(&part.document.text);
                // Of a part only its words and lines have a place.
                both.document.blocks.clear();
                let PlacedPart { document, start, num_lines_before } = &both;
                let is_settled = check.look(Stretch { document, start: *start, num_lines_before: *num_lines_before });
                before = Some(part);
                if is_settled { Look::Enough } else { Look::On }
            })?;
            if ended.is_some() {
                return Ok(check.finish());
            }
        }
        let (_, content_hash, document) = self.document(path)?;
        Ok(verify(citation, Some((content_hash, &document))))
    }
}
