//! The endpoint of S3, driven by programs that other people wrote: boto3 with the tests, and rclone where the machine has it.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::cli::{Pincite, Ran};
use crate::python;
use crate::remote::Server;

/// A server with a workspace and its endpoint of S3.
struct Bucket {
    pincite: Pincite,
    folder: tempfile::TempDir,
    server: Server,
}

/// What a client of S3 is configured with, and the key of REST beside it.
struct Signing {
    id: String,
    secret: String,
    bearer: String,
}

impl Bucket {
    fn new() -> Self {
        Self::over(Pincite::words_alone(), tempfile::tempdir().unwrap())
    }

    fn over(pincite: Pincite, folder: tempfile::TempDir) -> Self {
        let path = folder.path().to_str().unwrap();
        let server = Server::start(&pincite, &[path, "--s3", "127.0.0.1:0"]);
        Self { pincite, folder, server }
    }

    /// Makes a key that may sign.
    fn key(&self, arguments: &[&str]) -> Signing {
        let made = self.pincite.run(&[&["--json", "key", "create", "--name", "of a test", "--s3"], arguments].concat());
        let made = made.json();
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        Signing { id: text("s3_access_key_id"), secret: text("s3_secret_access_key"), bearer: text("secret") }
    }

    fn s3(&self) -> &str {
        self.server.s3.as_deref().unwrap()
    }

    /// Runs a part of `tests/python/s3_client.py`.
    fn asked_by_boto3(&self, part: &str, signing: Option<&Signing>) -> String {
        let mut arguments = vec![part, self.s3(), &self.server.url, "default"];
        if let Some(Signing { id, secret, bearer }) = signing {
            arguments.extend([id.as_str(), secret, bearer]);
        }
        let arguments: Vec<&Path> = arguments.iter().map(Path::new).collect();
        python::run("s3_client.py", &arguments)
    }
}

const ADMIN: [&str; 2] = ["--scope", "admin"];

#[test]
fn boto3_reads_writes_copies_and_deletes_files() {
    let bucket = Bucket::new();
    bucket.asked_by_boto3("calls", Some(&bucket.key(&ADMIN)));
    assert!(bucket.folder.path().join("notes/today.md").exists());
}

#[test]
fn conditions_and_digests_of_boto3_hold() {
    let bucket = Bucket::new();
    bucket.asked_by_boto3("conditions", Some(&bucket.key(&ADMIN)));
}

#[test]
fn boto3_sends_files_in_parts_in_any_order() {
    let bucket = Bucket::new();
    bucket.asked_by_boto3("multipart", Some(&bucket.key(&ADMIN)));
    let uploads = bucket.pincite.data.path().join("workspaces/default/uploads");
    assert_eq!(fs_err::read_dir(uploads).unwrap().count(), 0, "nothing is left of what was completed or given up");
}

#[test]
fn boto3_lists_2500_keys_in_pages_of_any_size() {
    let bucket = Bucket::new();
    bucket.asked_by_boto3("listing", Some(&bucket.key(&ADMIN)));
}

#[test]
fn no_key_leads_out_of_its_workspace() {
    let place = tempfile::tempdir().unwrap();
    let folder = tempfile::Builder::new().tempdir_in(place.path()).unwrap();
    let bucket = Bucket::over(Pincite::words_alone(), folder);
    bucket.asked_by_boto3("keys", Some(&bucket.key(&ADMIN)));
    assert_eq!(fs_err::read_dir(place.path()).unwrap().count(), 1);
}

#[test]
fn only_a_signature_that_is_right_opens_anything() {
    let bucket = Bucket::new();
    bucket.asked_by_boto3("signatures", Some(&bucket.key(&ADMIN)));
}

#[test]
fn a_key_has_its_rights_over_s3_and_loses_them_when_it_is_revoked() {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in [("open/a.md", "open"), ("shut/b.md", "shut")] {
        fs_err::create_dir_all(folder.path().join(path).parent().unwrap()).unwrap();
        fs_err::write(folder.path().join(path), text).unwrap();
    }
    let pincite = Pincite::words_alone();
    pincite.index(folder.path());
    assert_eq!(pincite.run(&["workspace", "create", "other"]).code, 0);
    let bucket = Bucket::over(pincite, folder);
    let admin = bucket.key(&ADMIN);
    let narrow = bucket.key(&["--scope", "files:read", "--in", "default", "--glob", "open/**"]);
    bucket.asked_by_boto3("rights", Some(&narrow));
    assert_eq!(bucket.pincite.run(&["key", "revoke", &narrow.id]).code, 0);
    bucket.asked_by_boto3("revoked", Some(&narrow));
    drop(admin);
}

#[test]
fn what_is_written_over_s3_is_searchable_and_audited_as_its_keys_work() {
    let bucket = Bucket::new();
    let writer = bucket.key(&["--scope", "admin", "--agent", "nightly"]);
    bucket.asked_by_boto3("searchable", Some(&writer));
    // The client searches until the file is found: however often, its searches are none of these.
    let audit = bucket.pincite.run(&["--json", "audit", "-n", "100", "--action", "file"]).json();
    let entries = audit["entries"].as_array().unwrap();
    let of_s3 = |operation: &str| {
        entries.iter().find(|entry| entry["action"] == operation && entry["surface"] == "s3").cloned()
    };
    let (written, deleted) = (of_s3("file.write").expect("a write"), of_s3("file.delete").expect("a deletion"));
    for entry in [written, deleted] {
        assert_eq!(entry["by"]["key"], Value::from(writer.id.as_str()), "{entry}");
    }
}

#[test]
fn without_a_key_this_machines_user_needs_no_signature() {
    let bucket = Bucket::new();
    bucket.asked_by_boto3("anonymous", None);
}

#[test]
fn a_key_signs_with_the_same_secret_until_it_is_replaced() {
    let bucket = Bucket::new();
    let key = bucket.key(&ADMIN);
    let shown = bucket.pincite.run(&["--json", "key", "s3", &key.id]).json();
    assert_eq!(shown["s3_secret_access_key"], Value::from(key.secret.as_str()));
    let plain = bucket.pincite.run(&["key", "s3", &key.id]).out;
    assert_eq!(plain, format!("AWS_ACCESS_KEY_ID={}\nAWS_SECRET_ACCESS_KEY={}\n", key.id, key.secret));
    let rotated = bucket.pincite.run(&["--json", "key", "rotate", &key.id, "--s3"]).json();
    assert_ne!(rotated["s3_access_key_id"], Value::from(key.id.as_str()));
    assert_ne!(rotated["s3_secret_access_key"], Value::from(key.secret.as_str()));
    let without = bucket.pincite.run(&["--json", "key", "create", "--name", "plain", "--scope", "search"]).json();
    assert!(without.get("s3_secret_access_key").is_none(), "{without}");
    let root = bucket.pincite.data.path().join("s3.key");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs_err::metadata(&root).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(fs_err::read(root).unwrap().len(), 32);
    assert_eq!(bucket.pincite.run(&["key", "revoke", &key.id]).code, 0);
    assert_ne!(bucket.pincite.run(&["key", "s3", &key.id]).code, 0);
}

#[test]
fn an_address_that_others_reach_speaks_s3_only_behind_keys() {
    let pincite = Pincite::words_alone();
    let refused = pincite.run(&["serve", "--listen", "127.0.0.1:0", "--s3", "0.0.0.0:0"]);
    assert!(refused.code != 0 && refused.err.contains("no key was made"), "{}", refused.err);
}

/// rclone against the endpoint; `None`, with a word about it, where the machine has no rclone.
fn rclone(bucket: &Bucket, signing: &Signing, arguments: &[&str]) -> Option<Ran> {
    let mut command = Command::new("rclone");
    command
        .args(["--config", "/dev/null", "--retries", "1", "--low-level-retries", "1"])
        .args(arguments)
        // Its client cannot take one.
        .env_remove("AWS_CA_BUNDLE")
        .env("RCLONE_CONFIG_P_TYPE", "s3")
        .env("RCLONE_CONFIG_P_PROVIDER", "Other")
        .env("RCLONE_CONFIG_P_ENDPOINT", bucket.s3())
        .env("RCLONE_CONFIG_P_ACCESS_KEY_ID", &signing.id)
        .env("RCLONE_CONFIG_P_SECRET_ACCESS_KEY", &signing.secret);
    if Command::new("rclone").arg("version").output().is_err() {
        #[expect(clippy::print_stderr, reason = "what is not tested is said")]
        {
            eprintln!("SKIPPED: this machine has no rclone, so nothing is known of rclone and this server");
        }
        return None;
    }
    Some(Ran::of(&mut command))
}

#[test]
fn rclone_copies_a_folder_there_and_back_and_finds_no_file_corrupted() {
    let bucket = Bucket::new();
    let key = bucket.key(&ADMIN);
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs_err::create_dir_all(from.path().join("deep/er")).unwrap();
    for (path, size) in [("a.md", 10), ("deep/empty.txt", 0), ("deep/er/ünï côde.md", 1_000), ("large.bin", 12_000_000)]
    {
        fs_err::write(from.path().join(path), vec![b'x'; size]).unwrap();
    }
    let (source, target) = (from.path().to_str().unwrap(), to.path().to_str().unwrap());
    let run = |arguments: &[&str]| rclone(&bucket, &key, arguments);
    let copy = ["copy", "--s3-upload-cutoff", "5M", "--s3-chunk-size", "5M", source, "P:default"];
    let Some(copied) = run(&copy) else { return };
    assert_eq!(copied.code, 0, "{}", copied.err);
    let checked = run(&["check", "--download", source, "P:default"]).unwrap();
    assert!(checked.code == 0 && checked.err.contains("0 differences found"), "{}", checked.err);
    let back = run(&["copy", "P:default", target]).unwrap();
    assert_eq!(back.code, 0, "{}", back.err);
    let large = fs_err::read(to.path().join("large.bin")).unwrap();
    assert_eq!(large, vec![b'x'; 12_000_000]);
    let moved = run(&["moveto", "P:default/a.md", "P:default/b.md"]).unwrap();
    assert_eq!(moved.code, 0, "{}", moved.err);
    let listed = run(&["lsf", "-R", "--files-only", "P:default"]).unwrap();
    let mut names: Vec<&str> = listed.out.lines().collect();
    names.sort_unstable();
    assert_eq!(names, ["b.md", "deep/empty.txt", "deep/er/ünï côde.md", "large.bin"], "{}", listed.err);
    let gone = run(&["delete", "P:default"]).unwrap();
    assert_eq!(
        (gone.code, run(&["lsf", "-R", "--files-only", "P:default"]).unwrap().out.as_str()),
        (0, ""),
        "{}",
        gone.err
    );
}
