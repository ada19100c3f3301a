//! A server as its user has it: the program itself in a process of its own, asked over loopback, each time anew.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::model::runtime_folder;

/// Nothing that is waited for takes as long.
const FOREVER: Duration = Duration::from_mins(10);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A running server. It is killed when it is dropped.
pub struct Server {
    process: Child,
    address: SocketAddr,
    said: Arc<Mutex<String>>,
}

/// What is pending of a workspace.
pub struct Standing {
    pub num_files: u64,
    pub num_ready: u64,
    pub num_pending: u64,
    pub num_chunks: u64,
    pub num_embedded: u64,
    pub has_model: bool,
}

impl Server {
    /// Starts `pincite serve` and waits until it listens. `with_model` says whether it may have a runtime for the model.
    pub fn start(data: &Path, folder: &Path, with_model: bool) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pincite"));
        command.env("PINCITE_LOG", "pincite=info,warn");
        command.arg("serve").arg(folder).args(["--listen", "127.0.0.1:0", "--data-dir"]).arg(data);
        if with_model {
            command.env("PINCITE_RUNTIME_DIR", runtime_folder());
        } else {
            command.env("PINCITE_RUNTIME_DIR", data.join("no-runtime")).env("PINCITE_OFFLINE", "1");
            command.env_remove("ORT_DYLIB_PATH");
        }
        let mut process = command.stderr(Stdio::piped()).spawn().expect("the program starts");
        let mut lines = BufReader::new(process.stderr.take().expect("it is piped")).lines().map_while(Result::ok);
        let address = lines.find_map(|line| line.strip_prefix("listening on http://")?.parse().ok());
        let said: Arc<Mutex<String>> = Arc::default();
        let keep = Arc::clone(&said);
        // Read to its end, so that the server never waits for somebody to listen.
        std::thread::spawn(move || {
            lines.for_each(|line| {
                let mut said = keep.lock().unwrap_or_else(PoisonError::into_inner);
                said.push_str(&line);
                said.push('\n');
            });
        });
        Self { process, address: address.expect("the server listens"), said }
    }

    /// Lets it stand still while `work` is done, as on a machine that is too busy to run it.
    pub fn held<T>(&self, work: impl FnOnce() -> T) -> T {
        let signal = |name: &str| {
            let status = Command::new("kill").args([name, &self.process.id().to_string()]).status();
            assert!(status.is_ok_and(|status| status.success()), "the server takes the signal {name}");
        };
        signal("-STOP");
        let result = work();
        signal("-CONT");
        result
    }

    /// How many lines of its log hold these words.
    pub fn num_said(&self, words: &str) -> usize {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.lines().filter(|line| line.contains(words)).count()
    }

    /// The status and the reply of one request about the default workspace.
    pub fn ask(&self, method: &str, path: &str, body: &[u8]) -> (u16, Value) {
        let mut stream = TcpStream::connect(self.address).expect("the server listens");
        stream.set_nodelay(true).expect("a socket");
        let mut request = format!(
            "{method} /v1/workspaces/default/{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        stream.write_all(&request).expect("the server reads");
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).expect("the server answers");
        let reply = String::from_utf8(reply).expect("UTF-8");
        let (head, body) = reply.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.get(9..12).and_then(|status| status.parse().ok()).expect("a status");
        (status, serde_json::from_str(body).expect("JSON"))
    }

    fn must(&self, method: &str, path: &str, body: &[u8]) -> Value {
        let (status, reply) = self.ask(method, path, body);
        assert!((200..300).contains(&status), "{method} {path}: {status} {reply}");
        reply
    }

    /// Writes a file, and returns the revision of the write.
    pub fn put(&self, path: &str, text: &str) -> u64 {
        self.must("PUT", &format!("files/{path}"), text.as_bytes())["revision"].as_u64().expect("a revision")
    }

    /// Sends events, again while too much is pending; returns how often it was told to wait.
    pub fn send_events(&self, events: &[Value]) -> usize {
        let body = json!({ "events": events }).to_string();
        let mut num_refused = 0;
        loop {
            match self.ask("POST", "events", body.as_bytes()) {
                (503, _) => num_refused += 1,
                (200, _) => return num_refused,
                (status, reply) => panic!("{status} {reply}"),
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// The hits of a search.
    pub fn search(&self, request: &Value) -> Vec<Value> {
        let mut reply = self.must("POST", "search", request.to_string().as_bytes());
        match reply["hits"].take() {
            Value::Array(hits) => hits,
            _ => panic!("a search without hits: {reply}"),
        }
    }

    /// All files: path, and the hash of what was read.
    pub fn files(&self) -> Vec<(String, String)> {
        const PAGE: usize = 10_000;
        let mut files = Vec::new();
        loop {
            let reply = self.must("GET", &format!("files?limit={PAGE}&offset={}", files.len()), b"");
            let page = reply["files"].as_array().expect("files");
            let text = |file: &Value, name: &str| file[name].as_str().unwrap_or_default().to_owned();
            files.extend(page.iter().map(|file| (text(file, "path"), text(file, "content_hash"))));
            if page.len() < PAGE {
                return files;
            }
        }
    }

    pub fn standing(&self) -> Standing {
        let status = self.must("GET", "status", b"");
        let number = |at: &str| status.pointer(at).and_then(Value::as_u64).expect("a number");
        Standing {
            num_files: number("/coverage/files"),
            num_ready: number("/coverage/ready"),
            num_pending: number("/coverage/pending"),
            num_chunks: number("/num_chunks"),
            num_embedded: number("/num_embedded"),
            has_model: status["model"]["runs"] == true,
        }
    }

    /// Waits until a workspace stands as is wanted.
    pub fn wait_until(&self, what: &str, wanted: impl Fn(&Standing) -> bool) -> Standing {
        let end = Instant::now() + FOREVER;
        loop {
            let standing = self.standing();
            if wanted(&standing) {
                return standing;
            }
            assert!(Instant::now() < end, "it never came that {what}");
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// The most memory that the server has had at a time, in megabytes.
    pub fn peak_memory_mb(&self) -> f64 {
        super::measure::peak_memory_mb_of(&self.process.id().to_string())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
