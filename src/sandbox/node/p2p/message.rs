//! What stand-in nodes say to each other, and how it is cut into frames: four bytes of length, then JSON.

use std::io;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::sandbox::hash::{BlockHash, ChainId, PeerId};
use crate::sandbox::node::store::BlockText;

/// A frame between connected peers holds at most this; a block with its operations is far smaller.
pub const MAX_FRAME: usize = 16 << 20;
/// Strangers get less.
pub const MAX_HANDSHAKE_FRAME: usize = 4096;

/// The first thing each side says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    pub peer_id: PeerId,
    pub chain_name: String,
    pub chain_id: ChainId,
    /// Where it listens, so that a point can be known by one address whoever dialled.
    pub port: u16,
    pub private: bool,
}

/// The second thing each side says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Accepted,
    Refused { reason: String },
}

/// What connected peers say.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// A header: the sender's head.
    Head {
        header: String,
    },
    /// Asks for the blocks up to `target` above the first of these that the other side knows.
    GetBranch {
        target: BlockHash,
        locator: Vec<BlockHash>,
    },
    Block(BlockText),
    Operations {
        operations: Vec<String>,
    },
}

/// Why a frame could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("the connection failed")]
    Io(#[from] io::Error),
    #[error("a frame of {length} bytes is longer than {max}")]
    TooLong { length: usize, max: usize },
    #[error("a frame is no message")]
    Malformed(#[from] serde_json::Error),
}

pub async fn read<T: for<'de> Deserialize<'de>>(
    stream: &mut (impl AsyncRead + Unpin),
    max: usize,
) -> Result<T, FrameError> {
    let length = usize::try_from(stream.read_u32().await?).unwrap_or(usize::MAX);
    if length > max {
        return Err(FrameError::TooLong { length, max });
    }
    let mut frame = vec![0; length];
    stream.read_exact(&mut frame).await?;
    Ok(serde_json::from_slice(&frame)?)
}

pub async fn write<T: Serialize>(
    stream: &mut (impl AsyncWrite + Unpin),
    message: &T,
) -> Result<(), FrameError> {
    let json = serde_json::to_vec(message)?;
    let length = u32::try_from(json.len())
        .map_err(|_| FrameError::TooLong { length: json.len(), max: MAX_FRAME })?;
    let mut frame = Vec::with_capacity(4 + json.len());
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(&json);
    stream.write_all(&frame).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_message_is_read_as_it_was_written_and_garbage_is_an_error() {
        let mut bytes = Vec::new();
        let verdict = Verdict::Refused { reason: "because".into() };
        write(&mut bytes, &verdict).await.unwrap();
        let read_back: Verdict = read(&mut bytes.as_slice(), MAX_FRAME).await.unwrap();
        assert_eq!(read_back, verdict);
        for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0, 0, 0, 2, b'{', b'x'], &[0, 0], &[]] {
            let mut bytes = garbage;
            assert!(read::<Verdict>(&mut bytes, MAX_HANDSHAKE_FRAME).await.is_err());
        }
    }
}
