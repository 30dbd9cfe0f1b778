//! Cutting a stream of bytes into complete lines, whatever the size of the reads.

use bytes::{Bytes, BytesMut};

use super::LINE_CAP;

/// What a stream of bytes falls into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// One or more complete lines, newlines included.
    Lines(Bytes),
    /// Part of a line that is over the cap; `last` ends it (its newline included, if it came).
    Overlong { bytes: Bytes, last: bool },
    /// What stood after the last newline when the source ended.
    Unterminated(Bytes),
}

/// Keeps the partial line between reads. The same bytes give the same lines, however they were chunked.
#[derive(Debug)]
pub struct Splitter {
    buffer: BytesMut,
    /// How far the buffer is known to hold no newline.
    searched: usize,
    cap: usize,
    in_overlong: bool,
}

impl Default for Splitter {
    fn default() -> Self {
        Self::with_cap(LINE_CAP)
    }
}

impl Splitter {
    pub fn with_cap(cap: usize) -> Self {
        Self { buffer: BytesMut::new(), searched: 0, cap: cap.max(1), in_overlong: false }
    }

    /// Where the next read goes: append to it, then ask [`next_piece`](Self::next_piece) until there is none.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Bytes that wait for the rest of their line.
    pub fn pending(&self) -> usize {
        self.buffer.len()
    }

    pub fn next_piece(&mut self) -> Option<Piece> {
        if self.in_overlong {
            return self.continue_overlong();
        }
        let Some(last_newline) = memchr::memrchr(b'\n', &self.buffer[self.searched..]) else {
            self.searched = self.buffer.len();
            return (self.buffer.len() > self.cap).then(|| {
                self.in_overlong = true;
                self.take_overlong(self.buffer.len(), false)
            });
        };
        let end = self.searched + last_newline + 1;
        // Only a line that began in an earlier read, or a single huge read, can be over the cap.
        if end > self.cap
            && let Some(piece) = self.split_around_overlong(end)
        {
            return Some(piece);
        }
        Some(Piece::Lines(self.take(end)))
    }

    /// The rest, when the source has ended.
    pub fn finish(&mut self) -> Option<Piece> {
        let rest = self.take(self.buffer.len());
        if std::mem::take(&mut self.in_overlong) {
            return Some(Piece::Overlong { bytes: rest, last: true });
        }
        (!rest.is_empty()).then_some(Piece::Unterminated(rest))
    }

    fn take(&mut self, end: usize) -> Bytes {
        self.searched = 0;
        self.buffer.split_to(end).freeze()
    }

    fn take_overlong(&mut self, end: usize, last: bool) -> Piece {
        Piece::Overlong { bytes: self.take(end), last }
    }

    fn continue_overlong(&mut self) -> Option<Piece> {
        if let Some(newline) = memchr::memchr(b'\n', &self.buffer) {
            self.in_overlong = false;
            return Some(self.take_overlong(newline + 1, true));
        }
        (!self.buffer.is_empty()).then(|| self.take_overlong(self.buffer.len(), false))
    }

    /// The lines before the first one over the cap, or that line itself; `None` if there is no such line before `end`.
    fn split_around_overlong(&mut self, end: usize) -> Option<Piece> {
        let mut start = 0;
        for newline in memchr::memchr_iter(b'\n', &self.buffer[..end]) {
            if newline - start > self.cap {
                return Some(if start == 0 {
                    self.take_overlong(newline + 1, true)
                } else {
                    Piece::Lines(self.take(start))
                });
            }
            start = newline + 1;
        }
        None
    }
}
