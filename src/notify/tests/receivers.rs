//! Receivers on loopback that answer in any way, and names that lead to them.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::notify::connect::Names;

/// Every name is loopback.
#[derive(Debug)]
pub(super) struct Loopback;

impl Names for Loopback {
    fn look_up(&self, _: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))])
    }
}

/// How a receiver answers.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    /// With a status and a body.
    With(u16, String),
    /// With these bytes, and then the connection ends.
    Raw(String),
    /// Elsewhere.
    Redirect(String, u16),
    /// Never.
    Hang,
    /// With the end of the connection.
    Close,
    /// With a header that comes byte by byte, for ever.
    Drip,
    /// With 500 to one of so many, and with 200 to the others.
    FailsOneIn(usize),
}

impl Answer {
    pub(super) fn with(status: u16, body: &str) -> Self {
        Self::With(status, body.to_owned())
    }
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub line: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
    /// Whether it was answered with 200.
    pub was_taken: bool,
}

impl Message {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

#[derive(Default)]
struct State {
    got: Mutex<Vec<Message>>,
    answer: Mutex<Option<Answer>>,
    now: AtomicUsize,
    most: AtomicUsize,
    num_connections: AtomicUsize,
    is_over: AtomicBool,
}

/// A server on loopback that keeps what it gets.
pub(super) struct Receiver {
    address: SocketAddr,
    state: Arc<State>,
}

impl Receiver {
    pub(super) fn that(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state: Arc<State> = Arc::default();
        *state.answer.lock() = Some(answer);
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.is_over.load(Ordering::Acquire) {
                    return;
                }
                let (Ok(stream), state) = (stream, Arc::clone(&shared)) else { return };
                state.num_connections.fetch_add(1, Ordering::Relaxed);
                std::thread::spawn(move || serve(stream, &state));
            }
        });
        Self { address, state }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The URL with a name in place of the address.
    pub(super) fn url_at(&self, host: &str, path: &str) -> String {
        format!("http://{host}:{}{path}", self.address.port())
    }

    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    /// What came, in its order.
    pub(super) fn got(&self) -> Vec<Message> {
        self.state.got.lock().clone()
    }

    pub(super) fn answers(&self, answer: Answer) {
        *self.state.answer.lock() = Some(answer);
    }

    pub(super) fn most_at_once(&self) -> usize {
        self.state.most.load(Ordering::Relaxed)
    }

    pub(super) fn num_connections(&self) -> usize {
        self.state.num_connections.load(Ordering::Relaxed)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::Release);
        drop(TcpStream::connect(self.address));
    }
}

fn serve(stream: TcpStream, state: &State) {
    let now = state.now.fetch_add(1, Ordering::Relaxed) + 1;
    state.most.fetch_max(now, Ordering::Relaxed);
    // A client that hangs up is one of the things that happen.
    let _ = answer(stream, state);
    state.now.fetch_sub(1, Ordering::Relaxed);
}

fn answer(mut stream: TcpStream, state: &State) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut line, mut headers) = (String::new(), BTreeMap::new());
    reader.read_line(&mut line)?;
    loop {
        let mut header = String::new();
        // A process that ends in the middle has sent no message.
        if reader.read_line(&mut header)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length: usize = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let answer = state.answer.lock().clone();
    let mut got = state.got.lock();
    let answer = match answer {
        Some(Answer::FailsOneIn(num)) if got.len() % num == num / 2 => Answer::with(500, "now and then"),
        Some(Answer::FailsOneIn(_)) | None => Answer::with(200, ""),
        Some(answer) => answer,
    };
    let was_taken = matches!(answer, Answer::With(200, _));
    let (line, body) = (line.trim_end().to_owned(), String::from_utf8_lossy(&body).into_owned());
    got.push(Message { line, headers, body, was_taken });
    drop(got);
    match answer {
        Answer::With(status, body) => {
            write!(stream, "HTTP/1.1 {status} Status\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        }
        Answer::Redirect(to, status) => {
            write!(stream, "HTTP/1.1 {status} Moved\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n")
        }
        Answer::Raw(bytes) => stream.write_all(bytes.as_bytes()),
        Answer::Close | Answer::FailsOneIn(_) => Ok(()),
        // Until the other side hangs up.
        Answer::Hang => reader.read(&mut [0]).map(drop),
        Answer::Drip => {
            write!(stream, "HTTP/1.1 200 OK\r\nX: ")?;
            loop {
                stream.write_all(b"x")?;
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        }
    }
}
