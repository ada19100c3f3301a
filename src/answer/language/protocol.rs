//! `OpenAI`'s chat completions as they go over the wire: the request, and the reply's stream of server-sent events.
//!
//! Servers differ: comments and event names, lines that end in CR and LF, a reply that is one JSON object because the
//! server does not stream, errors in the middle of a stream, no `[DONE]`.

use serde::{Deserialize, Serialize};

use super::prompt::Prompt;
use crate::config::Answer;

/// A longer line is no event of a chat, in bytes.
const MAX_LINE_BYTES: usize = 1024 * 1024;

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    messages: [Message<'a>; 2],
    stream: bool,
    temperature: f32,
    max_tokens: u32,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

/// The request's body.
pub(super) fn request(model: &str, settings: &Answer, prompt: &Prompt) -> String {
    let messages =
        [Message { role: "system", content: &prompt.rules }, Message { role: "user", content: &prompt.question }];
    let Answer { temperature, max_tokens, .. } = *settings;
    let request = Request { model, messages, stream: true, temperature, max_tokens };
    serde_json::to_string(&request).expect("strings and finite numbers are JSON")
}

/// What a reply tells, bit by bit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StreamPart {
    /// The next words.
    Text(String),
    /// The model has ended its answer; whether it had to, at the limit of tokens.
    Finished { at_limit: bool },
    /// The stream is over.
    Done,
}

/// Why a reply is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Malformed {
    /// It is not what the protocol has.
    Garbage,
    /// The server says that it failed.
    Error(String),
}

#[derive(Deserialize)]
struct Completion {
    #[serde(default)]
    choices: Vec<Choice>,
    error: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Choice {
    delta: Option<Words>,
    message: Option<Words>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Words {
    content: Option<String>,
}

/// What a server's error body says, where it says something: `{error: {message}}`, `{error: "…"}`, `{message}`, `{detail}`.
pub(super) fn error_message(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let error = body.get("error").unwrap_or(&body);
    message_of(error)
}

fn message_of(error: &serde_json::Value) -> Option<String> {
    let text = error.as_str().or_else(|| error.get("message")?.as_str()).or_else(|| error.get("detail")?.as_str());
    text.map(str::to_owned)
}

/// Reads a reply as its bytes come.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// The line that has not ended yet.
    line: Vec<u8>,
    /// The data of the event that has not ended yet.
    data: String,
    /// Whether the reply is one JSON object; not known before its first byte.
    is_json: Option<bool>,
}

impl Reader {
    /// Takes the next bytes, and returns what they complete.
    ///
    /// # Errors
    /// [`Malformed`] where they are not what the protocol has, or tell of a failure.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Vec<StreamPart>, Malformed> {
        let mut told = Vec::new();
        let mut bytes = bytes;
        if self.is_json.is_none() {
            // Blank lines and a byte order mark may come first.
            let Some(at) = bytes.iter().position(|byte| !byte.is_ascii_whitespace() && !b"\xef\xbb\xbf".contains(byte))
            else {
                return Ok(told);
            };
            bytes = &bytes[at..];
            self.is_json = Some(bytes[0] == b'{');
        }
        if self.is_json == Some(true) {
            self.line.extend_from_slice(bytes);
            return Ok(told);
        }
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.line.extend_from_slice(piece);
            if self.line.len() > MAX_LINE_BYTES {
                return Err(Malformed::Garbage);
            }
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                self.take_line(&line, &mut told)?;
            }
        }
        Ok(told)
    }

    /// Takes the end of the reply, and returns what it completes.
    ///
    /// # Errors
    /// As [`Reader::push`].
    pub(super) fn finish(mut self) -> Result<Vec<StreamPart>, Malformed> {
        let mut told = Vec::new();
        let rest = std::mem::take(&mut self.line);
        if self.is_json == Some(true) {
            take_completion(&rest, &mut told)?;
            return Ok(told);
        }
        if !rest.is_empty() {
            self.take_line(&rest, &mut told)?;
        }
        self.dispatch(&mut told)?;
        Ok(told)
    }

    fn take_line(&mut self, line: &[u8], told: &mut Vec<StreamPart>) -> Result<(), Malformed> {
        let line = std::str::from_utf8(line).map_err(|_| Malformed::Garbage)?.trim_end_matches(['\n', '\r']);
        if line.is_empty() {
            return self.dispatch(told);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        match field {
            "data" => {
                // Some servers leave out the blank line between two events.
                if !self.data.is_empty() && is_complete(&self.data) {
                    self.dispatch(told)?;
                }
                if !self.data.is_empty() {
                    self.data.push('\n');
                }
                self.data.push_str(value.strip_prefix(' ').unwrap_or(value));
                if self.data.len() > MAX_LINE_BYTES { Err(Malformed::Garbage) } else { Ok(()) }
            }
            // A line that begins with a colon is a comment.
            "" | "event" | "id" | "retry" => Ok(()),
            // llama.cpp tells of failures so.
            "error" => Err(Malformed::Error(error_message(value.as_bytes()).unwrap_or_default())),
            _ => Err(Malformed::Garbage),
        }
    }

    fn dispatch(&mut self, told: &mut Vec<StreamPart>) -> Result<(), Malformed> {
        let data = std::mem::take(&mut self.data);
        match data.trim() {
            "" => Ok(()),
            "[DONE]" => {
                told.push(StreamPart::Done);
                Ok(())
            }
            data => take_completion(data.as_bytes(), told),
        }
    }
}

fn is_complete(data: &str) -> bool {
    data.trim() == "[DONE]" || serde_json::from_str::<serde::de::IgnoredAny>(data).is_ok()
}

fn take_completion(json: &[u8], told: &mut Vec<StreamPart>) -> Result<(), Malformed> {
    let completion: Completion = serde_json::from_slice(json).map_err(|_| Malformed::Garbage)?;
    if let Some(error) = completion.error.filter(|error| !error.is_null()) {
        return Err(Malformed::Error(message_of(&error).unwrap_or_default()));
    }
    // Events without choices tell of usage.
    let Some(choice) = completion.choices.into_iter().next() else { return Ok(()) };
    if let Some(text) = choice.delta.or(choice.message).and_then(|words| words.content).filter(|text| !text.is_empty())
    {
        told.push(StreamPart::Text(text));
    }
    if let Some(reason) = choice.finish_reason {
        told.push(StreamPart::Finished { at_limit: reason == "length" });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&[u8]]) -> Result<Vec<StreamPart>, Malformed> {
        let (mut reader, mut told) = (Reader::default(), Vec::new());
        for piece in pieces {
            told.extend(reader.push(piece)?);
        }
        told.extend(reader.finish()?);
        Ok(told)
    }

    fn text(text: &str) -> StreamPart {
        StreamPart::Text(text.to_owned())
    }

    const STREAM: &str = ": a comment\r\nevent: message\r\ndata: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\r\n\r\n\
        data: {\"choices\":[{\"delta\":{\"content\":\"Grüße \"},\"finish_reason\":null}]}\r\n\r\n\
        data:{\"choices\":[{\"delta\":{\"content\":\"aus 京\"}}]}\r\n\r\n\
        data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\r\n\r\n\
        data: {\"choices\":[],\"usage\":{\"total_tokens\":7}}\r\n\r\ndata: [DONE]\r\n\r\n";

    #[test]
    fn one_json_object_instead_of_a_stream_is_a_reply() {
        let whole = br#" {"choices":[{"message":{"content":"All of it."},"finish_reason":"length"}]}"#;
        assert_eq!(
            read(&[&whole[..20], &whole[20..]]).unwrap(),
            [text("All of it."), StreamPart::Finished { at_limit: true }]
        );
    }

    #[test]
    fn errors_are_told_wherever_they_come() {
        for stream in [
            "data: {\"error\":{\"message\":\"out of memory\"}}\n\n",
            "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"error\":\"out of memory\"}\n\n",
            "{\"error\":{\"message\":\"out of memory\",\"code\":500}}",
            "error: {\"message\":\"out of memory\"}\n\n",
        ] {
            assert_eq!(read(&[stream.as_bytes()]), Err(Malformed::Error("out of memory".to_owned())), "{stream}");
        }
        for garbage in ["<html><body>Hello</body></html>\n", "data: {\"choices\":\n\n", "{\"choices\":", "data: hi\n\n"]
        {
            assert_eq!(read(&[garbage.as_bytes()]), Err(Malformed::Garbage), "{garbage}");
        }
        assert_eq!(read(&[b"data: \xff\xfe\n\n"]), Err(Malformed::Garbage));
        assert_eq!(read(&[b"data: ", &vec![b'x'; MAX_LINE_BYTES + 1]]), Err(Malformed::Garbage));
    }

    #[test]
    fn events_need_no_blank_line_between_them_and_no_end() {
        let stream = b"data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\ndata: {\"choices\":[{\"delta\":{\"content\":\"b\"}}]}\ndata: [DONE]";
        assert_eq!(read(&[stream]).unwrap(), [text("a"), text("b"), StreamPart::Done]);
    }

    proptest::proptest! {
        #[test]
        fn it_does_not_matter_where_the_network_cuts(mut cuts in proptest::collection::vec(0..STREAM.len(), 0..8)) {
            cuts.extend([0, STREAM.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &STREAM.as_bytes()[pair[0]..pair[1]]).collect();
            let wanted = [text("Grüße "), text("aus 京"), StreamPart::Finished { at_limit: false }, StreamPart::Done];
            proptest::prop_assert_eq!(read(&pieces).unwrap(), wanted);
        }
    }
}
