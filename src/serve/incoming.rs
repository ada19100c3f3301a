//! A body that is longer than one that is held in memory: read bit by bit, each bit with a deadline.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::http::StatusCode;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::error::ApiError;

/// Bytes that are handed on at once, about.
const PART_BYTES: usize = 256 * 1024;

/// A body while it comes.
pub(super) struct Incoming {
    body: Body,
    started: Instant,
    /// So much time for so many bytes, and as much again for as many more.
    timeout: Duration,
    bytes_in_time: usize,
    num_bytes: usize,
    /// Its part of what bodies take together.
    _room: OwnedSemaphorePermit,
}

impl Incoming {
    pub(super) fn new(body: Body, timeout: Duration, bytes_in_time: usize, room: OwnedSemaphorePermit) -> Self {
        let (started, bytes_in_time) = (Instant::now(), bytes_in_time.max(1));
        Self { body, started, timeout, bytes_in_time, num_bytes: 0, _room: room }
    }

    /// How long the body is at the least, as its sender says.
    pub(super) fn min_size(&self) -> u64 {
        self.body.size_hint().lower()
    }

    /// The next part of the body, `None` at its end.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, ApiError> {
        let mut part = Vec::new();
        while part.len() < PART_BYTES {
            let Some(bytes) = self.frame().await? else { break };
            part.extend_from_slice(&bytes);
        }
        Ok((!part.is_empty()).then_some(part))
    }

    async fn frame(&mut self) -> Result<Option<Bytes>, ApiError> {
        let num_times = u32::try_from(self.num_bytes / self.bytes_in_time).unwrap_or(u32::MAX).saturating_add(1);
        let deadline = self.started + self.timeout.saturating_mul(num_times);
        let frame = poll_fn(|context| Pin::new(&mut self.body).poll_frame(context));
        let frame = tokio::time::timeout_at(deadline, frame).await.map_err(|_| late())?;
        let Some(frame) = frame.transpose().map_err(|_| broken())? else { return Ok(None) };
        // What is no data, as what may stand after a body, says nothing here.
        let bytes = frame.into_data().unwrap_or_default();
        self.num_bytes += bytes.len();
        Ok(Some(bytes))
    }
}

pub(super) fn broken() -> ApiError {
    ApiError::new(
        StatusCode::BAD_REQUEST,
        "broken_body",
        "the request's body ended early or is not framed as HTTP has it",
        "send it again",
    )
}

pub(super) fn late() -> ApiError {
    ApiError::new(
        StatusCode::REQUEST_TIMEOUT,
        "body_timeout",
        "the request's body did not come in time",
        "send it in one go",
    )
}
