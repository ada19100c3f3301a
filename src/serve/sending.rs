//! The bytes of a file piece by piece, as fast as their client takes them.

use std::io::{self, Read};

use axum::body::Bytes;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// Bytes that are read at once.
const PIECE: usize = 64 * 1024;
/// Pieces that may wait for a slow client.
const NUM_WAITING: usize = 1;

/// The next `left` bytes of a file. Where it has fewer, the stream ends with an error.
pub(super) fn pieces(mut bytes: Box<dyn Read + Send>, mut left: u64) -> ReceiverStream<io::Result<Bytes>> {
    let (pieces, coming) = mpsc::channel::<io::Result<Bytes>>(NUM_WAITING);
    tokio::spawn(async move {
        // A file that grows meanwhile is cut where it ended.
        while left > 0 {
            // A thread is taken for each piece alone: clients that wait with theirs would take all threads from the others.
            let Ok(place) = pieces.reserve().await else { return };
            let read = move || (read_piece(&mut *bytes, left), bytes);
            let Ok((piece, rest)) = tokio::task::spawn_blocking(read).await else { return };
            bytes = rest;
            left -= piece.as_ref().map_or(left, |piece| piece.len() as u64);
            place.send(piece);
        }
    });
    ReceiverStream::new(coming)
}

/// The next bytes of a file that has so many left.
fn read_piece(bytes: &mut dyn Read, left: u64) -> io::Result<Bytes> {
    let mut piece = vec![0; PIECE.min(usize::try_from(left).unwrap_or(PIECE))];
    let num = bytes.read(&mut piece)?;
    if num == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    piece.truncate(num);
    Ok(piece.into())
}
