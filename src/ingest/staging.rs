//! A small file in memory, on its way to be stored.

use std::sync::Arc;

use bytes::Bytes;

use crate::base::digest::Digest;
use crate::base::time::Wall;
use crate::limits::STAGED_PIECES_MAX;
use crate::runtime::buffer::{Buffer, Pool, capacity_for};
use crate::store::commit::Payload;

/// What a client says of a file before its first byte.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Declared {
    /// The name as it was sent, folder and all.
    pub name: Arc<str>,
    /// Its Content-Type.
    pub mime: Option<String>,
    /// What it must hash to.
    pub digest: Option<Digest>,
    /// When it was uploaded, if that was not now. No request can say so: only what is taken over from elsewhere has it.
    pub time: Option<Wall>,
}

/// A whole file in memory.
#[derive(Debug)]
pub struct Staged {
    /// What the client said.
    pub declared: Declared,
    /// The bytes, in the pieces they arrived in.
    pub payload: Payload,
    /// How many.
    pub len: usize,
}

/// A file whose bytes are arriving.
#[derive(Default)]
pub struct Staging {
    pieces: Payload,
    len: usize,
    /// A file that trickles in small pieces is gathered here, so that it does not pin a receive buffer for each.
    gathered: Option<Buffer>,
}

impl Staging {
    /// Bytes so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none has arrived.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether it holds pieces of what was received, and not a copy.
    #[must_use]
    pub fn keeps_pieces(&self) -> bool {
        !self.pieces.is_empty()
    }

    /// Memory that its copy takes, or may take once `more` bytes have come.
    #[must_use]
    pub fn copied_bytes(&self, more: usize) -> usize {
        match &self.gathered {
            Some(buffer) if self.len + more <= buffer.capacity() => buffer.capacity(),
            None if self.is_empty() => 0,
            _ => capacity_for(self.len + more),
        }
    }

    /// Takes in the next piece. The whole is at most `capacity` bytes, which the caller checks.
    pub fn push(&mut self, piece: Bytes, pool: &Pool, capacity: usize) {
        self.len += piece.len();
        assert!(self.len <= capacity, "the caller moves a larger file to a blob");
        match &mut self.gathered {
            Some(buffer) => {
                if self.len > buffer.capacity() {
                    let mut larger = pool.take(self.len);
                    larger.extend_from_slice(buffer.as_slice());
                    *buffer = larger;
                }
                buffer.extend_from_slice(&piece);
            }
            None => {
                self.pieces.push(piece);
                if self.pieces.len() > STAGED_PIECES_MAX {
                    let mut buffer = pool.take(self.len);
                    self.pieces.drain(..).for_each(|piece| buffer.extend_from_slice(&piece));
                    self.gathered = Some(buffer);
                }
            }
        }
    }

    /// The bytes.
    #[must_use]
    pub fn finish(self) -> Payload {
        match self.gathered {
            Some(buffer) => Payload::from_iter([buffer.freeze()]),
            None => self.pieces,
        }
    }
}
