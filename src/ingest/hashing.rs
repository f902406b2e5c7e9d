//! The SHA-256 of a big file as it passes: on the connection's core, or, while another core is idle, there.
//! Hashing is half of what a byte of an upload costs; done elsewhere, receiving and writing go on meanwhile.
//!
//! Always: one place at a time has the state, so pieces are hashed in order; at most [`HASH_JOB_BYTES`] and a piece are away
//! and as many waiting, and none when the file no longer arrives fast.

use std::rc::Rc;

use bytes::Bytes;

use super::FileError;
use crate::base::digest::{Digest, Hasher};
use crate::limits::{HASH_JOB_BYTES, HASH_JOB_PIECES};
use crate::runtime::sync::oneshot;

/// Pieces for another core to hash, and the place for the state it ends with.
pub struct HashJob {
    hasher: Box<Hasher>,
    pieces: Vec<Bytes>,
    reply: oneshot::Sender<Box<Hasher>>,
}

impl HashJob {
    /// Hashes the pieces and answers. What a core does with a job it was given.
    pub fn run(mut self) {
        self.pieces.iter().for_each(|piece| self.hasher.update(piece));
        drop(self.pieces);
        self.reply.send(self.hasher);
    }
}

/// Gives a job to a core that has nothing else to do. Hands it back if there is none.
pub type Offload = Rc<dyn Fn(HashJob) -> Result<(), HashJob>>;

/// A hash in the making.
pub struct StreamHasher {
    state: State,
    waiting: Vec<Bytes>,
    waiting_bytes: usize,
}

enum State {
    Here(Box<Hasher>),
    Away(oneshot::Receiver<Box<Hasher>>),
}

impl StreamHasher {
    /// One that has seen nothing.
    #[must_use]
    pub fn new() -> StreamHasher {
        StreamHasher { state: State::Here(Box::default()), waiting: Vec::new(), waiting_bytes: 0 }
    }

    /// Takes in the next piece. With `offload` it may be hashed elsewhere and later.
    ///
    /// # Errors
    /// `Lost` if the core that had the state gave no answer.
    pub async fn update(&mut self, piece: &Bytes, offload: Option<&Offload>) -> Result<(), FileError> {
        if offload.is_none() {
            if !self.waiting.is_empty() || matches!(self.state, State::Away(_)) {
                // Slow from now on: nothing waits, since every piece that does holds a buffer.
                self.work_off(None).await?;
            }
            if let State::Here(hasher) = &mut self.state {
                hasher.update(piece);
                return Ok(());
            }
        }
        self.waiting.push(piece.clone());
        self.waiting_bytes += piece.len();
        if self.waiting_bytes >= HASH_JOB_BYTES || self.waiting.len() >= HASH_JOB_PIECES {
            self.work_off(offload).await?;
        }
        Ok(())
    }

    /// The digest of all pieces.
    ///
    /// # Errors
    /// As [`StreamHasher::update`].
    pub async fn finish(mut self) -> Result<Digest, FileError> {
        self.work_off(None).await?;
        Ok(self.come_home().await?.finish())
    }

    /// Has the waiting pieces hashed, elsewhere if a core is idle, else here.
    async fn work_off(&mut self, offload: Option<&Offload>) -> Result<(), FileError> {
        let mut hasher = self.come_home().await?;
        let pieces = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        let Some(offload) = offload else {
            pieces.iter().for_each(|piece| hasher.update(piece));
            self.state = State::Here(hasher);
            return Ok(());
        };
        let (reply, receiver) = oneshot::channel();
        if let Err(job) = offload(HashJob { hasher, pieces, reply }) {
            job.run();
        }
        self.state = State::Away(receiver);
        Ok(())
    }

    /// The state, once no other core has it.
    async fn come_home(&mut self) -> Result<Box<Hasher>, FileError> {
        match std::mem::replace(&mut self.state, State::Here(Box::default())) {
            State::Here(hasher) => Ok(hasher),
            State::Away(receiver) => receiver.await.ok_or(FileError::Lost),
        }
    }
}

impl Default for StreamHasher {
    fn default() -> Self {
        StreamHasher::new()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::runtime::sim::Sim;

    fn pieces() -> Vec<Bytes> {
        (0..40_u8).map(|n| Bytes::from(vec![n; 100_000 + usize::from(n)])).collect()
    }

    fn digest_with(offload: impl Fn(usize) -> Option<Offload> + 'static) -> Digest {
        let digest = async move {
            let mut hasher = StreamHasher::new();
            for (at, piece) in pieces().iter().enumerate() {
                hasher.update(piece, offload(at).as_ref()).await.unwrap();
            }
            hasher.finish().await.unwrap()
        };
        Sim::new(1, 1).run(|| digest).done()
    }

    #[test]
    fn the_digest_is_the_same_wherever_pieces_are_hashed() {
        let whole: Vec<u8> = pieces().concat();
        let done: Offload = Rc::new(|job: HashJob| {
            job.run();
            Ok(())
        });
        let refused: Offload = Rc::new(Err);
        let (some_done, some_refused) = (done.clone(), refused.clone());
        assert_eq!(digest_with(|_| None), Digest::of(&whole));
        assert_eq!(digest_with(move |_| Some(done.clone())), Digest::of(&whole));
        assert_eq!(digest_with(move |_| Some(refused.clone())), Digest::of(&whole));
        // The choice changes in mid-file.
        let mixed = digest_with(move |at| match at / 7 % 3 {
            0 => None,
            1 => Some(some_done.clone()),
            _ => Some(some_refused.clone()),
        });
        assert_eq!(mixed, Digest::of(&whole));
    }

    #[test]
    fn a_job_that_is_lost_fails_the_file_and_hangs_nobody() {
        let dropped: Offload = Rc::new(|job: HashJob| {
            drop(job);
            Ok(())
        });
        let jobs = RefCell::new(0);
        let lost = async {
            let mut hasher = StreamHasher::new();
            for piece in pieces() {
                if hasher.update(&piece, Some(&dropped)).await.is_err() {
                    *jobs.borrow_mut() += 1;
                    return;
                }
            }
        };
        Sim::new(1, 1).run(|| lost).done();
        assert_eq!(*jobs.borrow(), 1);
    }
}
