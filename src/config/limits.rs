//! The limits on requests, files and patterns: one table, configured in `[limits]` and described in `docs/limits.md`.

use serde::{Deserialize, Serialize};

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Its key in `[limits]`.
    pub name: &'static str,
    /// The value without configuration.
    pub default: u64,
    /// The smallest value that it can be set to.
    pub least: u64,
    /// The code of the error, or of a file's reason, when the limit is exceeded.
    pub code: &'static str,
    /// The bounded quantity, with its unit.
    pub what: &'static str,
}

macro_rules! limits {
    ($($name:ident: $default:expr, least $least:expr, $code:literal, $what:literal;)*) => {
        /// Limits in use.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Limits {
            $(#[doc = $what] pub $name: u64,)*
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        impl Limits {
            /// The table, in the order of `docs/limits.md`.
            pub const ALL: &[Limit] = &[
                $(Limit { name: stringify!($name), default: $default, least: $least, code: $code, what: $what },)*
            ];

            /// Each limit with its value, in the order of [`Limits::ALL`].
            fn values(&self) -> impl Iterator<Item = (&'static Limit, u64)> {
                Self::ALL.iter().zip([$(self.$name),*])
            }
        }
    };
}

limits! {
    pattern_bytes: 4_096, least 64, "pattern_too_large", "Bytes of one pattern: a glob, or a line of an ignore file.";
    pattern_nesting: 8, least 1, "pattern_too_large", "Nesting depth of the braces of a pattern.";
    readers_per_core: 2, least 1, "extraction_unavailable", "Reader processes at work at a time for each core, at least two in all; further files wait for their turn.";
    readers_memory_mb: 4_000, least 64, "extraction_failed", "Resident memory of all reader processes together, in MB; beyond it the largest process is ended, and its file is read again alone.";
    reader_structure_mb: 16, least 1, "extraction_failed", "Structure (paragraphs, rows, pages) that a reader may send of a file, in MB, and 32 bytes more for each byte of the file.";
    reader_tries: 4, least 1, "reader_killed", "Tries of a file whose reader is killed from outside; the next scan tries the file again.";
    request_patterns: 100, least 1, "too_many_patterns", "Globs of one request.";
    rule_file_bytes: 1_000_000, least 1_000, "rules_too_large", "Bytes that are read from one ignore file.";
    rule_lines: 10_000, least 100, "rules_too_large", "Lines of all ignore files that apply to one folder: its own, and those of the folders above it.";
    path_parts: 100, least 8, "path_too_deep", "Names in a path: its folders and the file.";
    query_bytes: 32_768, least 64, "query_too_large", "Bytes of a query or question.";
    query_terms: 2_048, least 8, "query_too_large", "Words of a query or question.";
    query_phrases: 32, least 1, "query_too_large", "Quoted phrases of a query.";
    query_ms: 10_000, least 10, "timeout_too_long", "Milliseconds that a search or an answer may take; the reply holds the results found until then, and says so.";
    body_bytes: 4_194_304, least 1_024, "body_too_large", "Bytes of a request's body, unless the body is a file.";
    bodies_bytes: 268_435_456, least 65_536, "too_many_bodies", "Bytes of all bodies together that are being received.";
    header_ms: 30_000, least 100, "connection_closed", "Milliseconds for a handshake of TLS, for a request's header, and for the next request of a connection.";
    body_ms: 30_000, least 100, "body_timeout", "Milliseconds for a body; for a file, milliseconds for each `body_bytes` of it.";
    write_ms: 30_000, least 100, "connection_closed", "Milliseconds that a client may take to accept 256 KiB of a reply.";
    connections: 1_024, least 16, "too_many_connections", "Connections at once; beyond it only health and metrics are answered.";
    connections_per_address: 768, least 4, "too_many_connections", "Connections at once from one address.";
    waits: 512, least 1, "too_many_waits", "Requests that wait for a revision at once.";
    requests_per_core: 2, least 1, "overloaded", "Requests in work at once, for each core.";
    queued_per_core: 16, least 1, "overloaded", "Queued requests for each core, counted for searches and for answers separately. While requests are refused, nothing is queued.";
    reader_text_mb: 16, least 1, "extraction_failed", "Text that a reader may send of a file, in MB, and 32 bytes more for each byte of it; never more than `extraction.text_mb`.";
    reader_structure_most_mb: 48, least 1, "extraction_failed", "Paragraphs, rows and pages that a reader may send of a file, in MB, however large the file is: about a million rows.";
    batch_text_mb: 32, least 1, "pending", "Text that is brought into the index at once, in MB; the other files of a batch stay pending until the next one, and a file with more is alone in its batch.";
    watched_folders: 1_000_000, least 1, "not_watched", "Folders that are watched at once, of all workspaces; a workspace beyond is scanned each minute, and says so.";
    verdicts: 100_000, least 1, "too_many_verdicts", "Verdicts of reviewers on the words of one workspace.";
    keys: 10_000, least 1, "too_many_keys", "Keys in force at once.";
    key_requests_per_core: 50, least 1, "too_many_requests", "Requests a second of one key, for each core; a search or a call over MCP counts for 2, an answer for 5.";
    address_requests_per_core: 25, least 1, "too_many_requests", "Requests a second without a key from one address (of IPv6: from one /64), for each core.";
    request_burst_s: 20, least 1, "too_many_requests", "Seconds of requests that a key or an address may send at once.";
    address_bad_keys_per_minute: 30, least 1, "too_many_bad_keys", "Keys a minute from one address that do not hold; beyond it unfamiliar keys are not looked up.";
    caller_waits: 64, least 1, "too_many_waits_of_caller", "Requests of one key or address that wait for a revision at once; the page's stream of activity is one of them.";
    key_bytes_per_day: 10_737_418_240, least 1, "quota_exceeded", "Bytes that one key may write a day (UTC).";
    locks: 1_000, least 1, "too_many_locks", "Locks that are held in one workspace.";
    edit_mb: 16, least 1, "file_too_large", "Megabytes of a text that is changed in place, by an edit or a merge.";
    key_chunks_per_day: 1_000_000, least 1, "quota_exceeded", "Chunks that the files which one key writes may be cut into a day (UTC). Each one is indexed and embedded.";
    workspace_files: 10_000_000, least 1, "quota_exceeded", "Files of one workspace; beyond it no new file is written through pincite.";
    workspace_bytes: 1_099_511_627_776, least 1, "quota_exceeded", "Bytes of all files of one workspace; beyond it no file is written through pincite that makes them more.";
    sessions_per_key: 20, least 1, "none", "Browsers that are signed in with one key at once; the session that was seen longest ago ends where one more begins.";
    open_indexes: 64, least 1, "none", "Indexes that stay open between requests; the one that was asked longest ago is closed, and opened again at its next request.";
    webhooks: 20, least 1, "too_many_webhooks", "Webhooks of one workspace.";
    webhook_backlog: 100_000, least 1, "none", "Deliveries that wait for one webhook; beyond it the webhook is switched off, and says so.";
    multipart_uploads: 1_000, least 1, "too_many_uploads", "Uploads in parts (S3) that are not complete, of one workspace.";
    multipart_bytes: 68_719_476_736, least 1_024, "uploads_full", "Bytes of the parts of all uploads that are not complete.";
}

impl Limits {
    /// # Errors
    /// Which limit is below the least that it can be.
    pub(super) fn check(&self) -> Result<(), String> {
        match self.values().find(|(limit, value)| *value < limit.least) {
            Some((Limit { name, least, .. }, value)) => {
                Err(format!("`limits.{name}` is {value}, and must be at least {least}"))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_limits_is_the_table() {
        let page = include_str!("../../docs/limits.md");
        let told: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
        let row = |limit: &Limit| {
            let Limit { name, default, least, code, what } = limit;
            format!("| `{name}` | {default} | {least} | `{code}` | {what} |")
        };
        assert_eq!(told, Limits::ALL.iter().map(row).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_below_the_least_is_refused_by_name() {
        for limit in Limits::ALL {
            let told = |value: u64| {
                let limits: Limits = toml::from_str(&format!("{} = {value}", limit.name)).unwrap();
                limits.check()
            };
            assert_eq!(told(limit.least), Ok(()));
            assert!(limit.least > 0 && limit.default >= limit.least, "{}", limit.name);
            assert!(told(limit.least - 1).unwrap_err().contains(limit.name));
        }
    }
}
