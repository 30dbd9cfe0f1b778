//! A body that is a stream of JSON values, one to a line.

use bytes::BytesMut;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;

use super::{Asked, RpcError};

/// A stream of JSON values. Dropping it closes the connection.
#[derive(Debug)]
pub struct Lines {
    asked: Asked,
    body: Incoming,
    buffer: BytesMut,
}

impl Lines {
    pub(super) fn new(asked: Asked, body: Incoming) -> Self {
        Self { asked, body, buffer: BytesMut::new() }
    }

    /// The next value; `None` when the node closed the stream in good order. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Option<Value>, RpcError> {
        loop {
            if let Some(value) = self.buffered()? {
                return Ok(Some(value));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        self.buffer.extend_from_slice(&bytes);
                    }
                }
                Some(Err(source)) => {
                    return Err(RpcError::Lost { asked: self.asked.clone(), source });
                }
                None => return Ok(None),
            }
        }
    }

    fn buffered(&mut self) -> Result<Option<Value>, RpcError> {
        while let Some(end) = memchr::memchr(b'\n', &self.buffer) {
            let line = self.buffer.split_to(end + 1);
            if line.trim_ascii().is_empty() {
                continue;
            }
            return serde_json::from_slice(&line)
                .map(Some)
                .map_err(|source| RpcError::NotJson { asked: self.asked.clone(), source });
        }
        Ok(None)
    }
}
