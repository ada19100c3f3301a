//! What reviewers said of cited words. A verdict stays as it was stored until it is withdrawn or its workspace is deleted.

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Row, params};

use super::workspaces::must_exist;
use super::{Store, StoreError, as_i64, begin};
use crate::workspace::{Citation, ContentHash, Decision, NewVerdict, RelPath, Verdict, WorkspaceId};

const COLUMNS: &str = "id, at_ms, decision, comment, query, reviewer, citation, path";

/// Which verdicts are asked for: all conditions hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VerdictScope<'a> {
    /// Decided so.
    pub decision: Option<Decision>,
    /// Of words that this query found.
    pub query: Option<&'a str>,
    /// With a smaller number than this.
    pub before_id: Option<u64>,
}

impl Store {
    /// Stores a verdict durably, in the workspace that its citation names.
    ///
    /// # Errors
    /// [`StoreError::UnknownWorkspace`] where there is none, [`StoreError::TooManyVerdicts`] where it has `max` verdicts.
    pub fn add_verdict(&self, new: &NewVerdict, max: u64) -> Result<Verdict, StoreError> {
        let NewVerdict { citation, decision, comment, query, by } = new;
        let workspace = &citation.workspace;
        let mut connection = self.writer()?;
        let transaction = begin(&mut connection)?;
        must_exist(&transaction, workspace)?;
        let count = "SELECT count(*) FROM verdicts WHERE workspace = ?1";
        let num_verdicts: i64 = transaction.query_row(count, [workspace.as_str()], |row| row.get(0))?;
        if num_verdicts >= as_i64(max) {
            return Err(StoreError::TooManyVerdicts { max });
        }
        let at = millisecond(Timestamp::now().as_millisecond())?;
        transaction.execute(
            "INSERT INTO verdicts
                 (workspace, path, content_hash, start_byte, decision, comment, query, reviewer, at_ms, citation)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                workspace.as_str(),
                citation.path.as_str(),
                citation.content_hash.0,
                as_i64(citation.span.start as u64),
                decision.name(),
                comment,
                query,
                by,
                at.as_millisecond(),
                json_of(citation)
            ],
        )?;
        let id = transaction.last_insert_rowid().cast_unsigned();
        transaction.commit()?;
        let NewVerdict { citation, decision, comment, query, by } = new.clone();
        Ok(Verdict { id, at, citation, decision, comment, query, by })
    }

    /// Shows the verdicts of a workspace that are in `scope` and on a path that `admits` admits, newest first, as long as `see` says to
    /// go on.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn see_verdicts(
        &self,
        workspace: &WorkspaceId,
        scope: &VerdictScope<'_>,
        admits: &dyn Fn(&str) -> bool,
        see: &mut dyn FnMut(Verdict) -> bool,
    ) -> Result<(), StoreError> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM verdicts
             WHERE workspace = ?1 AND id < ?2 AND (?3 IS NULL OR decision = ?3) AND (?4 IS NULL OR query = ?4)
             ORDER BY id DESC"
        ))?;
        let before = scope.before_id.map_or(i64::MAX, as_i64);
        let decision = scope.decision.map(Decision::name);
        let mut rows = statement.query(params![workspace.as_str(), before, decision, scope.query])?;
        while let Some(row) = rows.next()? {
            let is_asked_for = admits(row.get_ref(7)?.as_str().map_err(|_| rusqlite::Error::InvalidQuery)?);
            if is_asked_for && !see(verdict_row(row)?) {
                break;
            }
        }
        Ok(())
    }

    /// All verdicts on one content of a file, in the order of its text; those that begin at the same byte oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn verdicts_on(
        &self,
        workspace: &WorkspaceId,
        path: &RelPath,
        content_hash: ContentHash,
    ) -> Result<Vec<Verdict>, StoreError> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM verdicts WHERE workspace = ?1 AND path = ?2 AND content_hash = ?3
             ORDER BY start_byte, id"
        ))?;
        let rows = statement.query_map(params![workspace.as_str(), path.as_str(), content_hash.0], verdict_row)?;
        rows.map(|row| row.map_err(StoreError::from)).collect()
    }

    /// Removes a verdict on a path that `admits` admits.
    ///
    /// # Errors
    /// [`StoreError::UnknownVerdict`] where the workspace has none of that number.
    pub fn remove_verdict(
        &self,
        workspace: &WorkspaceId,
        id: u64,
        admits: &dyn Fn(&str) -> bool,
    ) -> Result<(), StoreError> {
        let number = i64::try_from(id).map_err(|_| StoreError::UnknownVerdict { id })?;
        let mut connection = self.writer()?;
        let transaction = begin(&mut connection)?;
        let of = params![workspace.as_str(), number];
        let find = "SELECT path FROM verdicts WHERE workspace = ?1 AND id = ?2";
        let path: Option<String> = transaction.query_row(find, of, |row| row.get(0)).optional()?;
        if !path.is_some_and(|path| admits(&path)) {
            return Err(StoreError::UnknownVerdict { id });
        }
        transaction.execute("DELETE FROM verdicts WHERE workspace = ?1 AND id = ?2", of)?;
        transaction.commit()?;
        Ok(())
    }
}

fn json_of(citation: &Citation) -> String {
    serde_json::to_string(citation).expect("a citation holds nothing that JSON cannot")
}

fn verdict_row(row: &Row<'_>) -> rusqlite::Result<Verdict> {
    let impossible = || rusqlite::Error::InvalidQuery;
    Ok(Verdict {
        id: row.get::<_, i64>(0)?.cast_unsigned(),
        at: millisecond(row.get(1)?)?,
        decision: Decision::from_name(row.get_ref(2)?.as_str().map_err(|_| impossible())?).ok_or_else(impossible)?,
        comment: row.get(3)?,
        query: row.get(4)?,
        by: row.get(5)?,
        citation: serde_json::from_str(row.get_ref(6)?.as_str().map_err(|_| impossible())?)
            .map_err(|_| impossible())?,
    })
}

pub(super) fn millisecond(ms: i64) -> rusqlite::Result<Timestamp> {
    Timestamp::from_millisecond(ms).map_err(|_| rusqlite::Error::InvalidQuery)
}
