//! The endpoint's side of the line: one request, its reply bit by bit, and every way in which that goes wrong.
//!
//! # Invariants
//! - A caller is never blocked longer than its deadline: the connection is driven by a thread of its own.
//! - When a [`Reply`] is dropped its connection is closed, whatever it waits for; the thread ends then.
//! - The key goes to the configured host alone: redirects are not followed. It is in no error.
//! - Nothing is asked twice: a question that failed is answered without the model at once.

use std::io::Read as _;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use ureq::http::StatusCode;
use ureq::{Agent, Body};

use super::protocol::error_message;
use crate::config::Answer;

/// How long to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The thread gives up so much later than who waits for it, so that it is always known which limit was reached.
const GRACE: Duration = Duration::from_secs(2);
/// The interval at which the caller is asked whether it still waits.
const PATIENCE: Duration = Duration::from_millis(100);
/// The longest reply, in bytes: an answer of the most tokens, each in an event of its own, is a tenth of it.
const MAX_REPLY_BYTES: usize = 32 * 1024 * 1024;
/// Bytes that are read of a reply that is an error.
const MAX_ERROR_BYTES: u64 = 16 * 1024;
/// What is repeated of a server's own words, in characters.
const MAX_MESSAGE_CHARS: usize = 200;

/// Why an endpoint gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// No connection, or one that broke before a reply.
    #[error("the endpoint cannot be reached: {0}")]
    Unreachable(String),
    /// A reply with a status that is an error.
    #[error("the endpoint replied with status {status}{}", said(.message.as_deref()))]
    Status {
        /// The status.
        status: u16,
        /// What the server says of it.
        message: Option<String>,
    },
    /// A failure in the middle of the answer.
    #[error("the endpoint failed while it answered{}", said(.0.as_deref()))]
    Failed(Option<String>),
    /// Nothing, or not all of it, came in time.
    #[error("the endpoint did not finish its answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The connection ended before the answer.
    #[error("the endpoint ended its answer in the middle")]
    CutOff,
    /// What came is not the protocol.
    #[error("the reply of the endpoint is not a chat completion")]
    Malformed,
    /// More came than an answer can be.
    #[error("the reply of the endpoint is longer than an answer can be")]
    TooLong,
}

fn said(message: Option<&str>) -> String {
    message.map(|message| format!(": {message}")).unwrap_or_default()
}

impl EndpointError {
    /// A word for the log: what the server said may repeat what it was asked.
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Status { .. } => "status",
            Self::Failed(_) => "failed",
            Self::TimedOut(_) => "timed_out",
            Self::CutOff => "cut_off",
            Self::Malformed => "malformed",
            Self::TooLong => "too_long",
        }
    }
}

/// A reply while it comes.
pub(super) struct Reply {
    pieces: Receiver<Result<Vec<u8>, EndpointError>>,
    agent: Agent,
    deadline: Instant,
    timeout: Duration,
}

/// What a look at a reply finds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// The next bytes.
    Bytes(Vec<u8>),
    /// Nothing yet.
    Nothing,
    /// The end.
    End,
}

impl Reply {
    /// Sends `body` to the endpoint.
    pub(super) fn to(base_url: &str, settings: &Answer, body: String) -> Result<Self, EndpointError> {
        let timeout = settings.timeout();
        let is_loopback = ["://127.", "://localhost", "://[::1]"].iter().any(|host| base_url.contains(host));
        let mut config = Agent::config_builder()
            .timeout_global(Some(timeout + GRACE))
            .timeout_connect(Some(CONNECT_TIMEOUT.min(timeout)))
            .max_redirects(0)
            .http_status_as_error(false)
            .max_idle_connections(0)
            .user_agent(concat!("pincite/", env!("CARGO_PKG_VERSION")));
        if is_loopback {
            config = config.proxy(None);
        }
        let agent = Agent::new_with_config(config.build());
        let mut request = agent
            .post(format!("{}/chat/completions", base_url.trim_end_matches('/')))
            .header("Content-Type", "application/json")
            .header("Accept", "text/event-stream, application/json")
            .header("Accept-Encoding", "identity");
        if let Some(key) = &settings.api_key {
            request = request.header("Authorization", format!("Bearer {}", key.reveal()));
        }
        let key = settings.api_key.clone();
        let (sender, pieces) = sync_channel(16);
        let work = move || {
            let hidden = |message: String| match &key {
                Some(key) => message.replace(key.reveal(), "…"),
                None => message,
            };
            // A receiver that is gone needs no further piece.
            let _ = match request.send(body) {
                Ok(response) => transfer(response, &sender, &hidden),
                Err(error) => sender.send(Err(failure(&error, timeout))),
            };
        };
        let thread = std::thread::Builder::new().name("language-model".to_owned()).spawn(work);
        thread.map_err(|error| EndpointError::Unreachable(error.to_string()))?;
        Ok(Self { pieces, agent, deadline: Instant::now() + timeout, timeout })
    }

    /// Waits a moment for more.
    pub(super) fn look(&self) -> Result<Look, EndpointError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        // One that never stops is not waited for either.
        if left.is_zero() {
            return Err(EndpointError::TimedOut(self.timeout));
        }
        match self.pieces.recv_timeout(left.min(PATIENCE)) {
            Ok(piece) => Ok(Look::Bytes(piece?)),
            Err(RecvTimeoutError::Disconnected) => Ok(Look::End),
            Err(RecvTimeoutError::Timeout) if Instant::now() >= self.deadline => {
                Err(EndpointError::TimedOut(self.timeout))
            }
            Err(RecvTimeoutError::Timeout) => Ok(Look::Nothing),
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        // Wakes the thread from whatever it waits for.
        self.agent.clone().shutdown();
    }
}

type Sent = Result<(), std::sync::mpsc::SendError<Result<Vec<u8>, EndpointError>>>;

/// Hands a response on as it comes.
fn transfer(
    response: ureq::http::Response<Body>,
    sender: &SyncSender<Result<Vec<u8>, EndpointError>>,
    hidden: &dyn Fn(String) -> String,
) -> Sent {
    let status = response.status();
    let mut body = response.into_body();
    if status != StatusCode::OK {
        let mut start = Vec::new();
        // What comes of it is enough.
        let _ = body.as_reader().take(MAX_ERROR_BYTES).read_to_end(&mut start);
        let message = if status.is_redirection() {
            Some("it redirects, and `answer.base_url` is to name the place itself".to_owned())
        } else {
            error_message(&start).map(|message| short(&hidden(message)))
        };
        return sender.send(Err(EndpointError::Status { status: status.as_u16(), message }));
    }
    let mut reader = body.as_reader();
    let (mut buffer, mut num_bytes) = (vec![0; 16 * 1024], 0);
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => {
                num_bytes += read;
                if num_bytes > MAX_REPLY_BYTES {
                    return sender.send(Err(EndpointError::TooLong));
                }
                sender.send(Ok(buffer[..read].to_vec()))?;
            }
            // The deadline is kept by who waits.
            Err(_) => return sender.send(Err(EndpointError::CutOff)),
        }
    }
}

fn failure(error: &ureq::Error, timeout: Duration) -> EndpointError {
    match error {
        ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
            EndpointError::Unreachable("it does not take the connection in time".to_owned())
        }
        ureq::Error::Timeout(_) => EndpointError::TimedOut(timeout),
        ureq::Error::Protocol(_) | ureq::Error::LargeResponseHeader(..) => EndpointError::Malformed,
        ureq::Error::Io(error) => EndpointError::Unreachable(error.to_string()),
        error => EndpointError::Unreachable(error.to_string()),
    }
}

/// One line of a server's message, cut.
pub(super) fn short(message: &str) -> String {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_MESSAGE_CHARS) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}
