//! Opening a database that is only read, also where nothing may be written beside it.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

/// Opens a database to be read.
///
/// Readers and writers know of each other by files beside the database, which a reader makes, too. Where it may not, and no writer has
/// left any, the file is taken for one that nobody writes as long as it is open.
///
/// # Errors
/// What SQLite reports.
pub(crate) fn open_to_read(path: &Path, busy_timeout: Duration) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let usual = Connection::open_with_flags(path, flags).and_then(|connection| checked(connection, busy_timeout));
    match usual {
        Err(error) if is_refused(&error) && !has_changes_beside(path) => {
            let Some(uri) = immutable(path) else { return Err(error) };
            let connection = Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)?;
            checked(connection, busy_timeout)
        }
        other => other,
    }
}

/// The first look into the file is what fails.
fn checked(connection: Connection, busy_timeout: Duration) -> rusqlite::Result<Connection> {
    connection.busy_timeout(busy_timeout)?;
    connection.query_row("PRAGMA schema_version", [], |_| Ok(()))?;
    Ok(connection)
}

fn is_refused(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly))
}

/// Whether a writer is at work, or has left changes that are not in the file yet.
fn has_changes_beside(path: &Path) -> bool {
    let mut log = OsString::from(path);
    log.push("-wal");
    fs_err::metadata(log).is_ok_and(|metadata| metadata.len() > 0)
}

fn immutable(path: &Path) -> Option<String> {
    let path = path.to_str()?;
    let escaped = path.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    Some(format!("file:{escaped}?immutable=1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_read_whose_name_has_signs_of_an_address_as_one_that_nobody_writes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a?b#c%20.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (7)").unwrap();
        let uri = immutable(&path).unwrap();
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        let connection = Connection::open_with_flags(uri, flags).unwrap();
        let x: i64 = connection.query_row("SELECT x FROM t", [], |row| row.get(0)).unwrap();
        assert_eq!(x, 7);
        assert!(!has_changes_beside(&path));
    }
}
