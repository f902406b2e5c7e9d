//! Who is storing what right now: of all who bring a content one stores it, and the others wait for that.

use super::Claimed;
use super::entry::{Content, Location};
use crate::base::digest::Digest;
use crate::base::ids::{BlobId, Lsn};
use crate::runtime::sync::oneshot;
use crate::store::index::Handle;

/// The answer to a claim.
pub enum Claim {
    /// Nobody has it: store it and [`ClaimGuard::publish`]. An entry known to be damaged is claimed like this.
    Fresh(ClaimGuard),
    /// It is stored, and durable.
    Stored(Content),
    /// Another upload is storing it: await the ticket, then claim again.
    Pending(Ticket),
}

/// Ends when the claim it waits for has ended, one way or the other.
pub struct Ticket(oneshot::Receiver<()>);

impl Ticket {
    /// Waits for the end of the other's claim.
    pub async fn ended(self) {
        // Nothing is ever sent: the other side is dropped.
        let _nothing: Option<()> = self.0.await;
    }
}

/// The right to store a digest, and the duty to tell the waiters. Dropped for whatever reason before
/// it is published, it fails: the next waiter, who still holds its bytes, claims again and stores them.
pub struct ClaimGuard {
    index: Handle,
    digest: Digest,
    lsn: Lsn,
    released: bool,
}

impl ClaimGuard {
    /// The number drawn for the put.
    #[must_use]
    pub fn lsn(&self) -> Lsn {
        self.lsn
    }

    /// What is claimed.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Begins to load what publishing will look at first.
    pub fn prefetch(&self) {
        self.index.contents.prefetch(&self.digest);
    }

    /// The put is flushed: enters it and wakes the waiters. Gives the blob that it has replaced, which is garbage now.
    #[must_use]
    pub fn publish(mut self, location: Location) -> Option<BlobId> {
        self.released = true;
        let (waiters, replaced) = self.index.contents.put(self.digest, self.lsn, location, true);
        // Woken outside the lock: each will take it.
        drop(waiters);
        replaced
    }
}

impl Drop for ClaimGuard {
    fn drop(&mut self) {
        if self.released {
            return;
        }
        let hash = self.index.contents.hash(&self.digest);
        let waiters = self.index.contents.shard(&self.digest).release(hash, &self.digest);
        // Woken outside the lock: each will take it.
        drop(waiters);
    }
}

pub(in crate::store::index) fn claim(index: &Handle, digest: Digest) -> Claim {
    let contents = &index.contents;
    let hash = contents.hash(&digest);
    let mut shard = contents.shard(&digest);
    if let Some(entry) = shard.find(hash, &digest)
        && !entry.is_damaged()
        && !entry.is_dying()
    {
        return Claim::Stored(shard.content(entry));
    }
    if let Some(claimed) = shard.claims.find_mut(hash, |claimed| claimed.digest == digest) {
        let (sender, receiver) = oneshot::channel();
        claimed.waiters.push(sender);
        return Claim::Pending(Ticket(receiver));
    }
    let claimed = Claimed { digest, waiters: Vec::new() };
    shard.claims.insert_unique(hash, claimed, |claimed| contents.hash(&claimed.digest));
    let lsn = index.draw_lsn();
    drop(shard);
    Claim::Fresh(ClaimGuard { index: index.clone(), digest, lsn, released: false })
}
