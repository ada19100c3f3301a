//! Whether what an index gives back is what the files hold now, as far as the log knows.

use std::collections::{BTreeSet, HashMap, HashSet};

use rusqlite::params;

use super::{Store, StoreError, parsed};
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
        // No folder is in the table, so whatever above a path is there holds it.
        let above = |path: &RelPath| path.as_str().match_indices('/').map(|(end, _)| end).collect::<Vec<_>>();
        let mut asked: BTreeSet<&str> = BTreeSet::new();
        for (path, _) in &contents {
            asked.insert(path.as_str());
            asked.extend(above(path).into_iter().map(|end| &path.as_str()[..end]));
        }
        let asked = serde_json::Value::from_iter(asked).to_string();
        let connection = self.reader();
        let mut statement = connection.prepare_cached(
            "SELECT path, state = 'pending', content_hash FROM files
             WHERE workspace = ?1 AND path IN (SELECT value FROM json_each(?2))
             UNION ALL
             SELECT members.path, files.state = 'pending', members.content_hash FROM members
             JOIN files ON files.workspace = members.workspace AND files.path = members.container
             WHERE members.workspace = ?1 AND members.path IN (SELECT value FROM json_each(?2))",
        )?;
        let rows = statement.query_map(params![workspace.as_str(), asked], |row| {
            let content_hash = row.get::<_, Option<[u8; 32]>>(2)?.map(ContentHash);
            Ok((parsed(row, 0)?, Row { is_pending: row.get(1)?, content_hash }))
        })?;
        let known: HashMap<RelPath, Row> = rows.collect::<rusqlite::Result<_>>()?;
        let is_live = |(path, content_hash): &Content| match known.get(path) {
            Some(row) => row.is_pending || row.content_hash.is_none_or(|known| known == *content_hash),
            // Of a file that holds others the list is as old as its last reading.
            None => above(path).into_iter().any(|end| {
                known.iter().any(|(holder, row)| row.is_pending && holder.as_str() == &path.as_str()[..end])
            }),
        };
        Ok(contents.into_iter().filter(|content| !is_live(content)).collect())
    }
}
