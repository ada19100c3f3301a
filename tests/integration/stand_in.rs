//! A server that stands in for a language model's: it speaks `OpenAI`'s chat completions over loopback, and fails in every way
//! that real ones do. The official Python client reads it (`openai_client.py`), so it is known to speak the protocol.
//!
//! It never sleeps: where a real server would be slow, it holds the connection until the other side closes it.

use std::io::{BufRead as _, BufReader, Read as _, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use serde_json::{Value, json};

use crate::line::FOREVER;

/// No request of a test is longer.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// What the server does with a request.
#[derive(Debug, Clone)]
pub enum Behaviour {
    /// Streams this text in pieces of a few characters, as it should be.
    Answer(String),
    /// The same in one JSON object, although a stream was asked for.
    Whole(String),
    /// Streams as much as the limit of tokens lets it.
    AtLimit(String),
    /// Streams the text and the end of it, and no `[DONE]`.
    WithoutDone(String),
    /// Takes the request and says nothing.
    Silent,
    /// Streams this text and then nothing more.
    Stalled(String),
    /// Streams this text and closes the connection.
    Cut(String),
    /// Streams this text and then an error.
    Broken(String),
    /// A status with an error's body.
    Status(u16, &'static str),
    /// A redirection to another place.
    Redirect(String),
    /// Something else over HTTP.
    Garbage(&'static str),
    /// Something else than HTTP.
    NoHttp,
    /// The same words for ever.
    Endless(String),
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The first line.
    pub line: String,
    /// Header lines in lower case.
    pub headers: Vec<String>,
    /// The body.
    pub body: Value,
}

impl Asked {
    pub fn message(&self, index: usize) -> &str {
        self.body["messages"][index]["content"].as_str().unwrap()
    }

    /// The number of the passage that holds `words`.
    pub fn passage_with(&self, words: &str) -> usize {
        let before = self.message(1).split(words).next().unwrap();
        let tag = before.rsplit("<passage-").next().unwrap();
        tag.split('>').next().unwrap().rsplit(' ').next().unwrap().parse().unwrap()
    }
}

type Choose = dyn Fn(&Asked) -> Behaviour + Send + Sync;

/// The server; it stops when it is dropped.
pub struct StandIn {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    gone: Receiver<()>,
    accepting: Option<JoinHandle<()>>,
    stopping: Arc<Mutex<bool>>,
}

impl StandIn {
    /// A server that does what `choose` says of each request.
    pub fn new(choose: impl Fn(&Asked) -> Behaviour + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, stopping) = (Arc::<Mutex<Vec<Asked>>>::default(), Arc::new(Mutex::new(false)));
        let (gone_sender, gone) = channel();
        let choose: Arc<Choose> = Arc::new(choose);
        let (seen, stop) = (Arc::clone(&asked), Arc::clone(&stopping));
        let accept = move || {
            for stream in listener.incoming() {
                if *stop.lock().unwrap_or_else(PoisonError::into_inner) {
                    return;
                }
                let (Ok(stream), seen, choose, gone) =
                    (stream, Arc::clone(&seen), Arc::clone(&choose), gone_sender.clone())
                else {
                    continue;
                };
                // A client that goes away in the middle is a part of many tests.
                std::thread::spawn(move || drop(serve(stream, &seen, &*choose, &gone)));
            }
        };
        Self { address, asked, gone, accepting: Some(std::thread::spawn(accept)), stopping }
    }

    /// A server that does the same with each request.
    pub fn always(behaviour: Behaviour) -> Self {
        Self::new(move |_| behaviour.clone())
    }

    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// What was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until a client has closed a connection that the server held or was writing to.
    #[track_caller]
    pub fn wait_until_client_is_gone(&self) {
        self.gone.recv_timeout(FOREVER).expect("the client closes the connection");
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        *self.stopping.lock().unwrap_or_else(PoisonError::into_inner) = true;
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn read_request(stream: &TcpStream) -> std::io::Result<Option<Asked>> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let (mut headers, mut num_bytes) = (Vec::new(), 0);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let header = header.trim_end().to_owned();
        if header.is_empty() {
            break;
        }
        let (name, value) = header.split_once(':').unwrap_or((&header, ""));
        let name = name.to_ascii_lowercase();
        if name == "content-length" {
            num_bytes = value.trim().parse().unwrap_or(0);
        }
        headers.push(format!("{name}:{value}"));
    }
    let mut body = vec![0; num_bytes.min(MAX_BODY_BYTES)];
    reader.read_exact(&mut body)?;
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Ok(Some(Asked { line: line.trim_end().to_owned(), headers, body }))
}

fn serve(mut stream: TcpStream, seen: &Mutex<Vec<Asked>>, choose: &Choose, gone: &Sender<()>) -> std::io::Result<()> {
    let Some(asked) = read_request(&stream)? else { return Ok(()) };
    seen.lock().unwrap_or_else(PoisonError::into_inner).push(asked.clone());
    let model = asked.body["model"].clone();
    let streams = asked.body["stream"] == true;
    match choose(&asked) {
        Behaviour::Answer(text) if !streams => whole(&mut stream, &model, &text),
        Behaviour::Whole(text) => whole(&mut stream, &model, &text),
        Behaviour::Answer(text) => {
            let mut chunks = Chunks::begin(stream, &model)?;
            chunks.text(&text)?;
            chunks.finish("stop")?;
            chunks.done()?;
            chunks.end()
        }
        Behaviour::AtLimit(text) => {
            let mut chunks = Chunks::begin(stream, &model)?;
            chunks.text(&text)?;
            chunks.finish("length")?;
            chunks.done()?;
            chunks.end()
        }
        Behaviour::WithoutDone(text) => {
            let mut chunks = Chunks::begin(stream, &model)?;
            chunks.text(&text)?;
            chunks.finish("stop")?;
            chunks.end()
        }
        Behaviour::Silent => {
            let _gone = Gone(gone);
            hold(stream);
            Ok(())
        }
        Behaviour::Stalled(text) => {
            let _gone = Gone(gone);
            let mut chunks = Chunks::begin(stream, &model)?;
            chunks.text(&text)?;
            hold(chunks.stream);
            Ok(())
        }
        Behaviour::Cut(text) => Chunks::begin(stream, &model)?.text(&text),
        Behaviour::Broken(text) => {
            let mut chunks = Chunks::begin(stream, &model)?;
            chunks.text(&text)?;
            chunks.event(&json!({ "error": { "message": "CUDA out of memory", "type": "server_error" } }))?;
            chunks.end()
        }
        Behaviour::Status(status, message) => {
            let body =
                json!({ "error": { "message": message, "type": "error", "param": null, "code": null } }).to_string();
            reply(&mut stream, &format!("{status} Status"), "application/json", "", &body)
        }
        Behaviour::Redirect(to) => {
            reply(&mut stream, "307 Temporary Redirect", "text/plain", &format!("Location: {to}\r\n"), "elsewhere")
        }
        Behaviour::Garbage(body) => reply(&mut stream, "200 OK", "text/html", "", body),
        Behaviour::NoHttp => stream.write_all(b"220 mail.example ESMTP\r\n"),
        Behaviour::Endless(words) => {
            let _gone = Gone(gone);
            let mut chunks = Chunks::begin(stream, &model)?;
            loop {
                chunks.text(&words)?;
            }
        }
    }
}

/// Says when it is dropped that the client is gone: one may go before the first byte of a reply, and then the first write fails.
struct Gone<'a>(&'a Sender<()>);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

/// Waits until the client closes the connection.
fn hold(mut stream: TcpStream) {
    let mut byte = [0];
    // A reset is an end, too.
    let _ = stream.read(&mut byte);
}

fn reply(stream: &mut TcpStream, status: &str, media_type: &str, more: &str, body: &str) -> std::io::Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {length}\r\n{more}Connection: close\r\n\r\n{body}"
    )
}

fn whole(stream: &mut TcpStream, model: &Value, text: &str) -> std::io::Result<()> {
    let message = json!({ "role": "assistant", "content": text });
    let choice = json!({ "index": 0, "message": message, "finish_reason": "stop" });
    let body =
        json!({ "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": model, "choices": [choice] });
    reply(stream, "200 OK", "application/json", "", &body.to_string())
}

/// A stream of events, in HTTP's chunks that end where it happens.
struct Chunks {
    stream: TcpStream,
    model: Value,
}

impl Chunks {
    fn begin(mut stream: TcpStream, model: &Value) -> std::io::Result<Self> {
        stream.write_all(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\
              Connection: close\r\n\r\n",
        )?;
        let mut chunks = Self { stream, model: model.clone() };
        chunks.bytes(b": keep-alive\n\n")?;
        chunks.choice(&json!({ "role": "assistant", "content": "" }), &Value::Null)?;
        Ok(chunks)
    }

    fn bytes(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
        chunk.extend_from_slice(bytes);
        chunk.extend_from_slice(b"\r\n");
        self.stream.write_all(&chunk)
    }

    fn event(&mut self, data: &Value) -> std::io::Result<()> {
        let event = format!("data: {data}\n\n");
        // A reader must not count on events and chunks being the same.
        let (start, end) = event.as_bytes().split_at(event.len() / 2);
        self.bytes(start)?;
        self.bytes(end)
    }

    fn choice(&mut self, delta: &Value, finish_reason: &Value) -> std::io::Result<()> {
        let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish_reason });
        self.event(&json!({
            "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": self.model, "choices": [choice],
        }))
    }

    fn text(&mut self, text: &str) -> std::io::Result<()> {
        let letters: Vec<char> = text.chars().collect();
        for piece in letters.chunks(7) {
            self.choice(&json!({ "content": piece.iter().collect::<String>() }), &Value::Null)?;
        }
        Ok(())
    }

    fn finish(&mut self, reason: &str) -> std::io::Result<()> {
        self.choice(&json!({}), &json!(reason))
    }

    fn done(&mut self) -> std::io::Result<()> {
        self.bytes(b"data: [DONE]\n\n")
    }

    fn end(mut self) -> std::io::Result<()> {
        self.stream.write_all(b"0\r\n\r\n")
    }
}
