//! The layout of the tables, and how a store of an older layout gets the present one.

use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::{BUSY_TIMEOUT, StoreError, begin};

/// The layout of the tables. Another number was written by another program version.
pub(super) const VERSION: i64 = 19;

/// What makes each layout of the one before.
pub(super) const LAYOUTS: [&str; 19] = [
    LAYOUT_1,
    FROM_1_TO_2,
    FROM_2_TO_3,
    FROM_3_TO_4,
    FROM_4_TO_5,
    FROM_5_TO_6,
    FROM_6_TO_7,
    FROM_7_TO_8,
    FROM_8_TO_9,
    FROM_9_TO_10,
    FROM_10_TO_11,
    FROM_11_TO_12,
    FROM_12_TO_13,
    FROM_13_TO_14,
    FROM_14_TO_15,
    FROM_15_TO_16,
    FROM_16_TO_17,
    FROM_17_TO_18,
    FROM_18_TO_19,
];

/// How long to wait before the next try where SQLite itself does not wait.
const RETRY_STEP: Duration = Duration::from_millis(5);

pub(super) fn version_of(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Sets a writable connection up, and brings the tables to this layout.
pub(super) fn prepare(connection: &mut Connection) -> Result<(), StoreError> {
    // SQLite does not wait where two processes change the mode of a new file at once.
    let deadline = Instant::now() + BUSY_TIMEOUT;
    while let Err(error) = connection.execute_batch("PRAGMA journal_mode = WAL") {
        let is_busy = error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy);
        if !is_busy || Instant::now() >= deadline {
            return Err(error.into());
        }
        std::thread::sleep(RETRY_STEP);
    }
    connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON; PRAGMA recursive_triggers = ON;")?;
    if version_of(connection)? == VERSION {
        return Ok(());
    }
    let transaction = begin(connection)?;
    // Looked at again: another process may have done it meanwhile.
    let found = version_of(&transaction)?;
    let missing = usize::try_from(found).ok().and_then(|found| LAYOUTS.get(found..));
    for step in missing.ok_or(StoreError::Version { found, expected: VERSION })? {
        transaction.execute_batch(step)?;
    }
    transaction.commit()?;
    Ok(())
}

pub(super) const LAYOUT_1: &str = "
    CREATE TABLE workspaces (name TEXT PRIMARY KEY, root TEXT) WITHOUT ROWID;
    CREATE TABLE changes (
        revision INTEGER PRIMARY KEY AUTOINCREMENT,
        workspace TEXT NOT NULL, path TEXT NOT NULL, kind TEXT NOT NULL, at_ms INTEGER NOT NULL, pending INTEGER NOT NULL);
    CREATE INDEX pending_changes ON changes (workspace, path, revision) WHERE pending = 1;
    CREATE INDEX changes_of_workspace ON changes (workspace, revision);
    CREATE TABLE files (
        workspace TEXT NOT NULL, path TEXT NOT NULL, state TEXT NOT NULL, reason TEXT, format TEXT, title TEXT,
        size INTEGER NOT NULL, modified_ns INTEGER NOT NULL, known_size INTEGER NOT NULL,
        known_modified_ns INTEGER NOT NULL, content_hash BLOB, revision INTEGER NOT NULL, num_chunks INTEGER NOT NULL,
        PRIMARY KEY (workspace, path)) WITHOUT ROWID;
    CREATE INDEX files_by_state ON files (workspace, state);";

/// Urgency of changes, the size and time under which they were seen, indexes that make what every query asks of the log independent of its length, and the events that
/// were taken, so that one that comes again is known.
const FROM_1_TO_2: &str = "
    ALTER TABLE changes ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE changes ADD COLUMN seen_size INTEGER;
    ALTER TABLE changes ADD COLUMN seen_modified_ns INTEGER;
    CREATE INDEX pending_by_priority ON changes (workspace, priority, revision) WHERE pending = 1;
    CREATE INDEX superseding ON changes (workspace, path) WHERE pending = 1 AND kind <> 'created';
    CREATE TABLE events (
        workspace TEXT NOT NULL, id TEXT NOT NULL, path TEXT NOT NULL, occurred_ms INTEGER, revision INTEGER NOT NULL,
        at_ms INTEGER NOT NULL, PRIMARY KEY (workspace, id)) WITHOUT ROWID;
    CREATE INDEX events_of_path ON events (workspace, path, occurred_ms);
    CREATE INDEX events_by_time ON events (at_ms);
    PRAGMA user_version = 2;";

/// What tells this log from every other, for an index to say which one it was made from.
const FROM_2_TO_3: &str = "
    CREATE TABLE log (id TEXT NOT NULL);
    INSERT INTO log VALUES (lower(hex(randomblob(16))));
    PRAGMA user_version = 3;";

/// Workspaces that can be switched off, and the names of those that were deleted until nothing of them is on disk.
const FROM_3_TO_4: &str = "
    ALTER TABLE workspaces ADD COLUMN intelligence INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE workspaces ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE deleted_workspaces (name TEXT PRIMARY KEY) WITHOUT ROWID;
    PRAGMA user_version = 4;";

/// Which of a workspace's indexes serves and which is being built beside it, and the files that the latter holds, each with what
/// its row in `files` becomes when it serves.
const FROM_4_TO_5: &str = "
    ALTER TABLE workspaces ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE workspaces ADD COLUMN next_generation INTEGER;
    CREATE TABLE rebuilt (
        workspace TEXT NOT NULL, path TEXT NOT NULL, state TEXT NOT NULL, reason TEXT, format TEXT, title TEXT,
        content_hash BLOB, revision INTEGER NOT NULL, num_chunks INTEGER NOT NULL,
        PRIMARY KEY (workspace, path)) WITHOUT ROWID;
    PRAGMA user_version = 5;";

/// Until when the size and time of a file do not yet say that its content is what was read.
const FROM_5_TO_6: &str = "
    ALTER TABLE files ADD COLUMN racy_until_ns INTEGER;
    PRAGMA user_version = 6;";

/// Files inside files, and those of the index that is being built, as a list.
const FROM_6_TO_7: &str = "
    CREATE TABLE members (
        workspace TEXT NOT NULL, path TEXT NOT NULL, container TEXT NOT NULL, state TEXT NOT NULL, reason TEXT, format TEXT,
        title TEXT, size INTEGER NOT NULL, content_hash BLOB, num_chunks INTEGER NOT NULL,
        PRIMARY KEY (workspace, path)) WITHOUT ROWID;
    CREATE INDEX members_of ON members (workspace, container);
    CREATE INDEX members_by_state ON members (workspace, state);
    ALTER TABLE rebuilt ADD COLUMN members TEXT;
    PRAGMA user_version = 7;";

/// The language of each file.
const FROM_7_TO_8: &str = "
    ALTER TABLE files ADD COLUMN language TEXT;
    ALTER TABLE members ADD COLUMN language TEXT;
    ALTER TABLE rebuilt ADD COLUMN language TEXT;
    PRAGMA user_version = 8;";

/// Who made each change and wrote each file's content, and the values of those that are told, to find files by.
const FROM_8_TO_9: &str = "
    ALTER TABLE changes ADD COLUMN provenance TEXT;
    CREATE INDEX told_changes ON changes (workspace, revision) WHERE provenance IS NOT NULL;
    CREATE TABLE provenance (
        workspace TEXT NOT NULL, path TEXT NOT NULL, told TEXT NOT NULL, size INTEGER NOT NULL, modified_ns INTEGER NOT NULL,
        content_hash BLOB, standing INTEGER NOT NULL, revision INTEGER NOT NULL, PRIMARY KEY (workspace, path)) WITHOUT ROWID;
    CREATE INDEX provenance_of_gone ON provenance (workspace, revision) WHERE standing = 2;
    CREATE TABLE labels (
        workspace TEXT NOT NULL, label TEXT NOT NULL, value TEXT NOT NULL, path TEXT NOT NULL,
        PRIMARY KEY (workspace, label, value, path)) WITHOUT ROWID;
    CREATE INDEX labels_of ON labels (workspace, path);
    PRAGMA user_version = 9;";

/// The size and time under which each change was logged, those of written content, too, and whether it is only what another
/// change says, seen by itself.
const FROM_9_TO_10: &str = "
    ALTER TABLE changes ADD COLUMN size INTEGER;
    ALTER TABLE changes ADD COLUMN modified_ns INTEGER;
    ALTER TABLE changes ADD COLUMN is_echo INTEGER NOT NULL DEFAULT 0;
    PRAGMA user_version = 10;";

/// Change time and inode of each file when it was read, and under which each change was seen; where a renamed file was before; and of
/// each workspace when its whole folder was last compared, what
/// of it was passed over, and why it is not watched.
const FROM_10_TO_11: &str = "
    ALTER TABLE files ADD COLUMN known_changed_ns INTEGER;
    ALTER TABLE files ADD COLUMN known_inode INTEGER;
    CREATE INDEX files_by_inode ON files (workspace, known_inode);
    ALTER TABLE changes ADD COLUMN seen_changed_ns INTEGER;
    ALTER TABLE changes ADD COLUMN seen_inode INTEGER;
    ALTER TABLE changes ADD COLUMN moved_from TEXT;
    CREATE INDEX renamings ON changes (workspace, moved_from) WHERE moved_from IS NOT NULL;
    ALTER TABLE workspaces ADD COLUMN scanned_ms INTEGER;
    ALTER TABLE workspaces ADD COLUMN passed_over TEXT;
    ALTER TABLE workspaces ADD COLUMN unwatched TEXT;
    PRAGMA user_version = 11;";

/// What reviewers said of cited words. A number is never given again, also where the newest verdict is withdrawn.
const FROM_11_TO_12: &str = "
    CREATE TABLE verdicts (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        workspace TEXT NOT NULL, path TEXT NOT NULL, content_hash BLOB NOT NULL, start_byte INTEGER NOT NULL,
        decision TEXT NOT NULL, comment TEXT, query TEXT, reviewer TEXT, at_ms INTEGER NOT NULL, citation TEXT NOT NULL);
    CREATE INDEX verdicts_of_workspace ON verdicts (workspace, id);
    CREATE INDEX verdicts_of_content ON verdicts (workspace, path, content_hash, start_byte, id);
    PRAGMA user_version = 12;";

/// Keys: the SHA-256 of each secret, and what it may do. Keys that are revoked or over are kept, so that a server that was once behind keys
/// does not open again by itself.
const FROM_12_TO_13: &str = "
    CREATE TABLE keys (
        id TEXT PRIMARY KEY, hash BLOB NOT NULL, name TEXT NOT NULL, scopes TEXT NOT NULL, workspaces TEXT, globs TEXT NOT NULL,
        agent TEXT, made_by TEXT, created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, revoked_ms INTEGER) WITHOUT ROWID;
    CREATE INDEX keys_made_by ON keys (made_by) WHERE made_by IS NOT NULL;
    PRAGMA user_version = 13;";

/// Offers to hand a workspace over, and who owns one that was.
const FROM_13_TO_14: &str = "
    CREATE TABLE transfers (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        workspace TEXT NOT NULL, hash BLOB NOT NULL, keep TEXT NOT NULL, made_by TEXT, created_ms INTEGER NOT NULL,
        expires_ms INTEGER NOT NULL, ended_ms INTEGER);
    CREATE UNIQUE INDEX transfers_by_token ON transfers (hash);
    CREATE INDEX transfers_of_workspace ON transfers (workspace, id);
    ALTER TABLE workspaces ADD COLUMN owner_key TEXT;
    ALTER TABLE workspaces ADD COLUMN keep TEXT;
    PRAGMA user_version = 14;";

/// Webhooks; what is to be told of each workspace that has one, written with the change itself; and each message to each webhook. A delivery has
/// `next_ms` as long as it waits.
const FROM_14_TO_15: &str = "
    CREATE TABLE webhooks (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        workspace TEXT NOT NULL, url TEXT NOT NULL, events TEXT NOT NULL, path_globs TEXT NOT NULL, agents TEXT NOT NULL,
        secret BLOB NOT NULL, old_secret BLOB, old_until_ms INTEGER, made_by TEXT, at_ms INTEGER NOT NULL,
        enabled INTEGER NOT NULL DEFAULT 1, disabled_reason TEXT, paused INTEGER NOT NULL DEFAULT 0, failing_since_ms INTEGER,
        told_after INTEGER NOT NULL);
    CREATE INDEX webhooks_of_workspace ON webhooks (workspace, id);
    CREATE TABLE outbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        workspace TEXT NOT NULL, event TEXT NOT NULL, revision INTEGER NOT NULL, at_ms INTEGER NOT NULL, told TEXT NOT NULL);
    CREATE INDEX outbox_of_revision ON outbox (revision);
    CREATE TABLE deliveries (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        workspace TEXT NOT NULL, webhook INTEGER NOT NULL, message TEXT NOT NULL, event TEXT NOT NULL, path TEXT, revision INTEGER,
        body TEXT NOT NULL, at_ms INTEGER NOT NULL, state TEXT NOT NULL, tries INTEGER NOT NULL DEFAULT 0, next_ms INTEGER,
        last_ms INTEGER, status INTEGER, latency_ms INTEGER, reply TEXT, error TEXT);
    CREATE INDEX deliveries_of_webhook ON deliveries (webhook, id);
    CREATE INDEX waiting_deliveries ON deliveries (webhook, next_ms) WHERE next_ms IS NOT NULL;
    PRAGMA user_version = 15;";

/// The bytes that each key has written on the last day on which it wrote, and how many files and bytes each workspace has. Triggers keep the
/// latter, so that no write has to count; with `recursive_triggers`, a row that is replaced is deleted and inserted.
const FROM_15_TO_16: &str = "
    CREATE TABLE written (key TEXT PRIMARY KEY, day INTEGER NOT NULL, bytes INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE totals (workspace TEXT PRIMARY KEY, files INTEGER NOT NULL, bytes INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO totals SELECT workspace, count(*), sum(size) FROM files GROUP BY workspace;
    CREATE TRIGGER file_inserted AFTER INSERT ON files BEGIN
        INSERT INTO totals VALUES (new.workspace, 1, new.size)
            ON CONFLICT (workspace) DO UPDATE SET files = files + 1, bytes = bytes + new.size;
    END;
    CREATE TRIGGER file_deleted AFTER DELETE ON files BEGIN
        UPDATE totals SET files = files - 1, bytes = bytes - old.size WHERE workspace = old.workspace;
    END;
    CREATE TRIGGER file_resized AFTER UPDATE OF size ON files WHEN old.size <> new.size BEGIN
        UPDATE totals SET bytes = bytes + new.size - old.size WHERE workspace = new.workspace;
    END;
    PRAGMA user_version = 16;";

/// Sessions of browsers: the SHA-256 of each one's secret, the key that it began with, and when it was last seen.
const FROM_16_TO_17: &str = "
    CREATE TABLE sessions (
        hash BLOB PRIMARY KEY, key TEXT NOT NULL, begun_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL, ends_ms INTEGER NOT NULL) WITHOUT ROWID;
    CREATE INDEX sessions_of_key ON sessions (key, seen_ms);
    PRAGMA user_version = 17;";

/// The key that each change was made with, and the chunks that the files which each key wrote were cut into on the day of `written`; replies to
/// requests with an idempotency key; whether a workspace demands a condition of each write; and locks on files, with those who wait for them.
const FROM_17_TO_18: &str = "
    ALTER TABLE changes ADD COLUMN key TEXT;
    ALTER TABLE written ADD COLUMN chunks INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE replies (
        workspace TEXT NOT NULL, caller TEXT NOT NULL, key TEXT NOT NULL, asked BLOB NOT NULL, reply TEXT NOT NULL, revision INTEGER NOT NULL,
        at_ms INTEGER NOT NULL, PRIMARY KEY (workspace, caller, key)) WITHOUT ROWID;
    CREATE INDEX replies_by_time ON replies (at_ms);
    ALTER TABLE workspaces ADD COLUMN demands_condition INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE workspaces ADD COLUMN fence INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE locks (
        id TEXT PRIMARY KEY, workspace TEXT NOT NULL, covered TEXT NOT NULL, is_glob INTEGER NOT NULL, mode INTEGER NOT NULL, token BLOB NOT NULL,
        key TEXT, holder TEXT NOT NULL, reason TEXT, fence INTEGER NOT NULL, ttl_s INTEGER NOT NULL, taken_ms INTEGER NOT NULL,
        boot TEXT NOT NULL, ends_ms INTEGER NOT NULL, ends_wall_ms INTEGER NOT NULL) WITHOUT ROWID;
    CREATE INDEX locks_of_workspace ON locks (workspace, fence);
    CREATE TABLE lock_waits (
        ticket INTEGER PRIMARY KEY AUTOINCREMENT,
        workspace TEXT NOT NULL, covered TEXT NOT NULL, is_glob INTEGER NOT NULL, mode INTEGER NOT NULL, boot TEXT NOT NULL, seen_ms INTEGER NOT NULL);
    CREATE INDEX lock_waits_of_workspace ON lock_waits (workspace, ticket);
    PRAGMA user_version = 18;";

/// The SHA-256 of the content that a change brought, where it was known when the change was logged; who waits for a lock since when; and changes of
/// locked files that were made past us, each with the lock, until the journal and those who ask have been told.
const FROM_18_TO_19: &str = "
    ALTER TABLE changes ADD COLUMN content_hash BLOB;
    ALTER TABLE lock_waits ADD COLUMN holder TEXT NOT NULL DEFAULT '';
    ALTER TABLE lock_waits ADD COLUMN key TEXT;
    ALTER TABLE lock_waits ADD COLUMN begun_ms INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE violations (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        workspace TEXT NOT NULL, path TEXT NOT NULL, revision INTEGER NOT NULL, kind TEXT NOT NULL, at_ms INTEGER NOT NULL, lock TEXT NOT NULL,
        mode INTEGER NOT NULL, holder TEXT NOT NULL, reason TEXT, fence INTEGER NOT NULL, is_recorded INTEGER NOT NULL DEFAULT 0);
    CREATE INDEX violations_of_workspace ON violations (workspace, id);
    CREATE INDEX violations_to_record ON violations (id) WHERE is_recorded = 0;
    PRAGMA user_version = 19;";
