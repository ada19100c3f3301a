//! Server-sent events, as an answer comes in.
//!
//! Source: WHATWG HTML, section 9.2.6, "Interpreting an event stream"; ids and retry times are passed over.

use std::io::{self, BufRead, BufReader, Read};

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    pub name: String,
    pub data: String,
}

/// The events of a stream, one after the other.
pub(super) struct Events<R> {
    reader: BufReader<io::Take<R>>,
}

impl<R: Read> Events<R> {
    /// Reads at most `most` bytes in all.
    pub(super) fn new(reader: R, most: u64) -> Self {
        Self { reader: BufReader::new(reader.take(most)) }
    }

    /// The next event; `None` at the end. An event that the end cuts off is none.
    pub(super) fn next(&mut self) -> io::Result<Option<Event>> {
        let (mut name, mut data) = (String::new(), None::<String>);
        let mut line = String::new();
        loop {
            line.clear();
            if self.reader.read_line(&mut line)? == 0 {
                return Ok(None);
            }
            let text = line.trim_end_matches(['\n', '\r']);
            if text.is_empty() {
                match data.take() {
                    Some(data) => return Ok(Some(Event { name, data })),
                    None => name.clear(),
                }
                continue;
            }
            let (field, value) = text.split_once(':').unwrap_or((text, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => value.clone_into(&mut name),
                "data" => match &mut data {
                    Some(data) => {
                        data.push('\n');
                        data.push_str(value);
                    }
                    None => data = Some(value.to_owned()),
                },
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(stream: &str, most: u64) -> Vec<(String, String)> {
        let mut events = Events::new(stream.as_bytes(), most);
        std::iter::from_fn(|| events.next().unwrap()).map(|event| (event.name, event.data)).collect()
    }

    #[test]
    fn events_are_read_with_comments_and_any_line_end_and_an_unfinished_one_is_none() {
        let stream = ":\n\nevent: sentence\ndata: {\"a\":\ndata:1}\n\n: alive\r\nevent: done\r\nid: 7\r\ndata: {}\r\n\r\nevent: done\ndata: cut";
        let expected = [("sentence", "{\"a\":\n1}"), ("done", "{}")];
        assert_eq!(all(stream, 1_000), expected.map(|(name, data)| (name.to_owned(), data.to_owned())));
        assert_eq!(all(stream, 40).len(), 1, "no more than the limit is read");
    }
}
