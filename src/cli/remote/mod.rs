//! A server that is asked over REST, in place of a data folder of this machine.
//!
//! # Invariants
//! - The key goes to the host that `--url` names and to no other: encrypted, or to this machine itself. Redirects are not followed. It is
//!   in no log and no error.
//! - A reply is bounded in bytes and in time, and is written to a terminal only by [`plain`](super::plain).
//! - A request that changes something is sent once, unless it says itself what it expects there ([`Call::expects`]): sent again, it finds
//!   its own work done.
//!
//! # Not here
//! Which command asks for what: that is `cli/target/mod.rs`, where a new command begins.

mod address;
mod again;
mod args;
mod error;
mod events;

use std::io::{Read, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, EXPECT, LOCATION, RETRY_AFTER};
use ureq::http::{Method, Request, Response, StatusCode};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, SendBody};

use self::address::Address;
use self::again::Again;
pub(super) use self::again::{Backoff, random_share};
pub(super) use self::args::RemoteArgs;
use self::args::ServerKey;
pub(super) use self::error::RemoteError;
use self::error::short;
use self::events::Events;
use super::plain::plain;
use crate::error::{ErrorBody, ErrorReport};

/// How long to wait for a connection, with its handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a server may send nothing, where a call allows it no more.
const PATIENCE: Duration = Duration::from_mins(2);
/// The same for calls that wait for others: a deletion, an answer that a language model writes.
const LONG_PATIENCE: Duration = Duration::from_mins(10);
/// The longest time of a call, however much comes.
const LONGEST_CALL: Duration = Duration::from_hours(1);
/// The longest reply, in bytes.
const MAX_REPLY_BYTES: u64 = 256 * 1024 * 1024;
/// A body of more bytes waits until the server says that it wants it.
const ANNOUNCED_BYTES: u64 = 1024 * 1024;
/// Bytes that are read of a reply that is an error.
const MAX_ERROR_BYTES: u64 = 64 * 1024;

/// What stands in a segment of a path, or in a value of a query, as it is.
const AS_IT_IS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A server.
#[derive(Clone)]
pub(super) struct Remote {
    agent: Agent,
    address: Address,
    key: Option<ServerKey>,
}

/// One request of REST.
pub(super) struct Call {
    method: Method,
    path: String,
    query: String,
    headers: Vec<(&'static str, String)>,
    body: Option<Vec<u8>>,
    accept: &'static str,
    is_repeatable: bool,
    patience: Duration,
}

/// The bytes of a file that is sent.
pub(super) struct Content {
    pub bytes: Box<dyn Read>,
    pub size: u64,
}

/// Gives the bytes of a file from their beginning, for each time that they are sent.
pub(super) type Contents<'a> = &'a mut dyn FnMut() -> std::io::Result<Content>;

/// The bytes of a file that is received.
pub(super) struct Received {
    /// The header `ETag`, without its quotes.
    pub etag: String,
    /// Whether the bytes are the range that was asked for, and not all of the file.
    pub is_range: bool,
    pub bytes: Box<dyn Read>,
}

impl Call {
    /// A call that reads. It is repeated where a busy server refuses it.
    pub(super) fn get(path: &[&str]) -> Self {
        Self { is_repeatable: true, ..Self::new(Method::GET, path) }
    }

    /// A call that sends `body`. It counts as one that changes something: see [`Call::reads`].
    pub(super) fn post<T: Serialize>(path: &[&str], body: &T) -> Self {
        Self::new(Method::POST, path).with_body(body)
    }

    /// A call that changes a part of something.
    pub(super) fn patch<T: Serialize>(path: &[&str], body: &T) -> Self {
        Self::new(Method::PATCH, path).with_body(body)
    }

    /// A call that sends a file.
    pub(super) fn put(path: &[&str]) -> Self {
        Self::new(Method::PUT, path)
    }

    /// A call that asks whether a file is there.
    pub(super) fn head(path: &[&str]) -> Self {
        Self { is_repeatable: true, ..Self::new(Method::HEAD, path) }
    }

    /// A call that deletes something.
    pub(super) fn delete(path: &[&str]) -> Self {
        Self::new(Method::DELETE, path)
    }

    fn new(method: Method, path: &[&str]) -> Self {
        let path: String = path.iter().flat_map(|part| ["/".to_owned(), encoded(part)]).collect();
        Self {
            method,
            path: format!("/v1{path}"),
            query: String::new(),
            headers: Vec::new(),
            body: None,
            accept: "application/json",
            is_repeatable: false,
            patience: PATIENCE,
        }
    }

    fn with_body<T: Serialize>(self, body: &T) -> Self {
        Self { body: Some(serde_json::to_vec(body).expect("requests hold nothing that JSON cannot")), ..self }
    }

    /// Adds a parameter; one that is a list comes once for each value.
    pub(super) fn with(mut self, name: &str, values: impl IntoIterator<Item = impl ToString>) -> Self {
        for value in values {
            self.query.push(if self.query.is_empty() { '?' } else { '&' });
            self.query.push_str(name);
            self.query.push('=');
            self.query.push_str(&encoded(&value.to_string()));
        }
        self
    }

    /// Adds a header.
    pub(super) fn under(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Adds a condition on what is there, so that the call may be repeated although it changes something.
    pub(super) fn expects(self, name: &'static str, value: impl Into<String>) -> Self {
        Self { is_repeatable: true, ..self.under(name, value) }
    }

    /// Says that the call changes nothing, although it sends something.
    pub(super) fn reads(self) -> Self {
        Self { is_repeatable: true, ..self }
    }

    /// Lets the server wait so long before it begins.
    pub(super) fn waits(self, wait_ms: u64) -> Self {
        Self { patience: self.patience + Duration::from_millis(wait_ms), ..self }
    }

    /// Lets the server take as long as work for others takes.
    pub(super) fn takes_long(self) -> Self {
        Self { patience: LONG_PATIENCE, ..self }
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, AS_IT_IS).to_string()
}

/// Whether a reader of events wants more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// The next event.
    GoOn,
    /// Nobody reads any more.
    Enough,
}

impl Remote {
    /// The server that the arguments name, where they name one. Nothing is sent yet.
    ///
    /// # Errors
    /// When the URL is none, a file cannot be read, or the key would go unencrypted to another machine.
    pub(super) fn of(args: &RemoteArgs) -> Result<Option<Self>, RemoteError> {
        let Some(url) = args.url.as_deref().filter(|url| !url.trim().is_empty()) else { return Ok(None) };
        let (address, key) = (Address::parse(url)?, args.key()?);
        if key.is_some() {
            address.check_for_key()?;
        }
        let mut config = Agent::config_builder()
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(LONGEST_CALL))
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(concat!("pincite/", env!("CARGO_PKG_VERSION")));
        if address.is_loopback() {
            config = config.proxy(None);
        }
        if let Some(file) = &args.ca_file {
            config = config.tls_config(TlsConfig::builder().root_certs(certificates(file)?).build());
        }
        Ok(Some(Self { agent: Agent::new_with_config(config.build()), address, key }))
    }

    /// Sends a call, and reads its reply.
    ///
    /// # Errors
    /// [`RemoteError`]: the server cannot be reached, refuses, or does not reply as pincite does.
    pub(super) fn call<T: DeserializeOwned>(&self, call: &Call) -> Result<T, RemoteError> {
        self.read(call, self.send(call, None)?)
    }

    /// Sends a file, and reads the reply.
    ///
    /// # Errors
    /// As [`Remote::call`].
    pub(super) fn upload<T: DeserializeOwned>(&self, call: &Call, contents: Contents<'_>) -> Result<T, RemoteError> {
        self.read(call, self.send(call, Some(contents))?)
    }

    /// Sends a call whose reply is a file. With [`Call::head`] there are no bytes.
    ///
    /// # Errors
    /// As [`Remote::call`]; where the reply breaks off, the bytes end with an error.
    pub(super) fn download(&self, call: Call) -> Result<Received, RemoteError> {
        let response = self.send(&Call { accept: "application/octet-stream", ..call }, None)?;
        let etag = response.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).unwrap_or_default();
        let etag = etag.trim_matches('"').to_owned();
        let is_range = response.status() == StatusCode::PARTIAL_CONTENT;
        Ok(Received { etag, is_range, bytes: Box::new(response.into_body().into_reader()) })
    }

    fn read<T: DeserializeOwned>(&self, call: &Call, response: Response<Body>) -> Result<T, RemoteError> {
        let mut bytes = Vec::new();
        let mut body = response.into_body();
        body.as_reader()
            .take(MAX_REPLY_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| RemoteError::of_body(&self.address, error, call.patience))?;
        if bytes.len() as u64 > MAX_REPLY_BYTES {
            return Err(RemoteError::foreign(&self.address, "it is too long"));
        }
        serde_json::from_slice(&bytes).map_err(|error| self.unread(&error))
    }

    /// Sends a call, hears the events of its reply, and reads the event `done` as the reply.
    ///
    /// # Errors
    /// As [`Remote::call`]; and [`std::io::ErrorKind::BrokenPipe`] where `hear` has enough.
    pub(super) fn hear<T: DeserializeOwned>(
        &self,
        call: Call,
        hear: &mut dyn FnMut(&str, &str) -> anyhow::Result<Heard>,
    ) -> anyhow::Result<T> {
        let call = Call { accept: "text/event-stream", ..call };
        let mut body = self.send(&call, None)?.into_body();
        let mut events = Events::new(body.as_reader(), MAX_REPLY_BYTES);
        loop {
            let next = events.next().map_err(|error| RemoteError::of_body(&self.address, error, call.patience))?;
            let Some(event) = next else {
                return Err(RemoteError::foreign(&self.address, "it ends in the middle").into());
            };
            match event.name.as_str() {
                "done" => return serde_json::from_str(&event.data).map_err(|error| self.unread(&error).into()),
                "error" => {
                    let ErrorBody { error } = serde_json::from_str(&event.data).map_err(|error| self.unread(&error))?;
                    return Err(RemoteError::Refused { status: None, report: error }.into());
                }
                name => {
                    if hear(name, &event.data)? == Heard::Enough {
                        return Err(std::io::Error::from(std::io::ErrorKind::BrokenPipe).into());
                    }
                }
            }
        }
    }

    /// Reads a part of an event.
    ///
    /// # Errors
    /// [`RemoteError::Foreign`].
    pub(super) fn parse<T: DeserializeOwned>(&self, data: &str) -> Result<T, RemoteError> {
        serde_json::from_str(data).map_err(|error| self.unread(&error))
    }

    /// Sends a call until it is taken, as long as it may be repeated.
    fn send(&self, call: &Call, mut contents: Option<Contents<'_>>) -> Result<Response<Body>, RemoteError> {
        let mut again = Again::new();
        loop {
            let content = contents.as_mut().map(|open| open()).transpose();
            let response = self.send_once(call, content.map_err(RemoteError::Content)?)?;
            let status = response.status();
            if status.is_success() {
                return Ok(response);
            }
            let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
            if status.is_redirection() {
                let to = short(&header(LOCATION).unwrap_or_default());
                return Err(RemoteError::Redirected { address: self.address.shown().to_owned(), to });
            }
            let retry_after = again::retry_after(header(RETRY_AFTER).as_deref());
            let report = self.report(response);
            let pause = again.pause(status, &report.code, retry_after).filter(|_| call.is_repeatable);
            let Some(pause) = pause else { return Err(RemoteError::Refused { status: Some(status), report }) };
            let note = format!("note: {}; asking again in {:.1} s", report.message, pause.as_secs_f64());
            // Where nobody reads notes, the request is repeated all the same.
            let _ = writeln!(std::io::stderr(), "{}", plain(&note));
            std::thread::sleep(pause);
        }
    }

    fn send_once(&self, call: &Call, content: Option<Content>) -> Result<Response<Body>, RemoteError> {
        let url = self.address.route(&format!("{}{}", call.path, call.query));
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(url)
            .header("Accept", call.accept)
            // A reply is bounded by the bytes that come.
            .header("Accept-Encoding", "identity");
        if let Some(key) = &self.key {
            request = request.header("Authorization", format!("Bearer {}", key.reveal()));
        }
        for (name, value) in &call.headers {
            request = request.header(*name, value.as_bytes());
        }
        if call.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let invalid = |_| RemoteError::Address { reason: "no request can be made of it" };
        if let Some(Content { mut bytes, size }) = content {
            request = request.header(CONTENT_TYPE, "application/octet-stream").header(CONTENT_LENGTH, size);
            if size > ANNOUNCED_BYTES {
                request = request.header(EXPECT, "100-continue");
            }
            let mut failure = None;
            let mut noting = Noting { bytes: &mut *bytes, failure: &mut failure };
            let body = SendBody::from_reader(&mut noting);
            let sent = self.run(request.body(body).map_err(invalid)?, call.patience);
            if let Some(error) = failure {
                return Err(RemoteError::Content(error));
            }
            return sent.map_err(|error| RemoteError::of(&self.address, error, call.patience));
        }
        let sent = match &call.body {
            Some(body) => self.run(request.body(body).map_err(invalid)?, call.patience),
            None => self.run(request.body(()).map_err(invalid)?, call.patience),
        };
        sent.map_err(|error| RemoteError::of(&self.address, error, call.patience))
    }

    fn run<B: ureq::AsSendBody>(&self, request: Request<B>, patience: Duration) -> Result<Response<Body>, ureq::Error> {
        self.agent.run(self.agent.configure_request(request).timeout_per_read(Some(patience)).build())
    }

    /// A reply of another form than pincite's.
    pub(super) fn foreign(&self, reason: &str) -> RemoteError {
        RemoteError::foreign(&self.address, reason)
    }

    /// The server's address, for a person.
    pub(super) fn shown(&self) -> &str {
        self.address.shown()
    }

    /// What became of a reply whose bytes broke off.
    pub(super) fn broken(&self, error: std::io::Error) -> RemoteError {
        RemoteError::of_body(&self.address, error, PATIENCE)
    }

    /// What a reply that is an error says, in pincite's form or in none.
    fn report(&self, response: Response<Body>) -> ErrorReport {
        let status = response.status();
        let mut bytes = Vec::new();
        // What comes of it is enough.
        let _ = response.into_body().as_reader().take(MAX_ERROR_BYTES).read_to_end(&mut bytes);
        match serde_json::from_slice(&bytes) {
            Ok(ErrorBody { error }) => error,
            Err(_) => ErrorReport::new(
                "http_status",
                format!(
                    "{} replied with status {}, and not in the words of pincite",
                    self.address.shown(),
                    status.as_u16()
                ),
                "check the URL: another program, or a proxy in front of the server, may answer there",
            ),
        }
    }

    fn unread(&self, error: &serde_json::Error) -> RemoteError {
        RemoteError::foreign(&self.address, short(&error.to_string()))
    }
}

/// Bytes that are sent, and why they ended too early: the file's own fault is none of the connection.
struct Noting<'a> {
    bytes: &'a mut dyn Read,
    failure: &'a mut Option<std::io::Error>,
}

impl Read for Noting<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.bytes.read(buffer).map_err(|error| {
            let kind = error.kind();
            *self.failure = Some(error);
            kind.into()
        })
    }
}

/// The certificates of a PEM file.
fn certificates(file: &Path) -> Result<RootCerts, RemoteError> {
    let refused = |reason: String| RemoteError::CaFile { reason };
    let pem = fs_err::read(file).map_err(|error| refused(error.to_string()))?;
    let mut found = Vec::new();
    for item in parse_pem(&pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => found.push(certificate),
            Ok(_) => {}
            Err(error) => return Err(refused(short(&error.to_string()))),
        }
    }
    if found.is_empty() {
        return Err(refused(format!("`{}` holds no certificate in PEM", file.display())));
    }
    Ok(RootCerts::Specific(Arc::new(found)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_encoded_in_a_url() {
        let call = Call::get(&["workspaces", "a", "files", "notes/ü 1?.md"])
            .with("path", ["a&b=*.md", "ü"])
            .with("limit", [3])
            .with("since", None::<String>);
        assert_eq!(call.path, "/v1/workspaces/a/files/notes%2F%C3%BC%201%3F.md");
        assert_eq!(call.query, "?path=a%26b%3D%2A.md&path=%C3%BC&limit=3");
    }
}
