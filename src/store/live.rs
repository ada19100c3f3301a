//! Whether what an index gives back is what the files hold now, as far as the log knows.

use std::collections::{BTreeSet, HashSet};

use rusqlite::{CachedStatement, OptionalExtension as _, params};

use super::{Store, StoreError};
use crate::workspace::{ContentHash, RelPath, WorkspaceId};

/// A file, and the hash of the bytes that were read of it.
pub type Content = (RelPath, ContentHash);

/// What is known of a file.
struct Row {
    is_pending: bool,
    content_hash: Option<ContentHash>,
}

impl Store {
    /// Those of some contents that an index should not give back: no such file is known, or it is known to hold something else and no
    /// change of it is pending. While one is, an index may be ahead of the log.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn not_live(
        &self,
        workspace: &WorkspaceId,
        contents: BTreeSet<Content>,
    ) -> Result<HashSet<Content>, StoreError> {
        let connection = self.reader();
        let mut of_file = connection
            .prepare_cached("SELECT state = 'pending', content_hash FROM files WHERE workspace = ?1 AND path = ?2")?;
        let mut of_member = connection.prepare_cached(
            "SELECT files.state = 'pending', members.content_hash FROM members
             JOIN files ON files.workspace = members.workspace AND files.path = members.container
             WHERE members.workspace = ?1 AND members.path = ?2",
        )?;
        let row = |statement: &mut CachedStatement<'_>, path: &str| {
            let row = statement.query_row(params![workspace.as_str(), path], |row| {
                let content_hash = row.get::<_, Option<[u8; 32]>>(1)?.map(ContentHash);
                Ok(Row { is_pending: row.get(0)?, content_hash })
            });
            row.optional()
        };
        let mut not_live = HashSet::new();
        for (path, content_hash) in contents {
            let own = match row(&mut of_file, path.as_str())? {
                None => row(&mut of_member, path.as_str())?,
                own => own,
            };
            let is_live = if let Some(own) = own {
                own.is_pending || own.content_hash.is_none_or(|known| known == content_hash)
            } else {
                // The list of the files that another one holds is as old as its last reading. No folder is in the table.
                let mut above = path.as_str().match_indices('/').map(|(end, _)| &path.as_str()[..end]);
                above.try_fold(false, |is_pending, holder| {
                    Ok::<_, StoreError>(is_pending || row(&mut of_file, holder)?.is_some_and(|row| row.is_pending))
                })?
            };
            if !is_live {
                not_live.insert((path, content_hash));
            }
        }
        Ok(not_live)
    }
}
