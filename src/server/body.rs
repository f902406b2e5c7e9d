//! The body of the request in work: asked for with 100 Continue, within limits, not slower than it may be.
//!
//! Always: what a request holds of its body, and because of it, is reserved before it is received. It begins with
//! [`BODY_BYTES_MIN`], which is enough for any body; what makes a brisk one cheap comes on top while there is memory, and
//! goes back while its client pauses. Nobody waits for memory while holding some, but for a second at most where what a
//! request names takes more than the least.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;

use super::conn::{Conn, Trouble, no_memory};
use super::error::refusal;
use crate::http::error::{HttpError, Status};
use crate::http::framing::{BodyEvent, BodyReader};
use crate::http::head::{BodyFraming, Expect, Head};
use crate::http::response;
use crate::ingest::{Stage, Upload};
use crate::limits::{
    BLOB_WRITE_BYTES, BODY_BYTES_MIN, BODY_REST_SHARE, BODY_STEPS, BRISK_BYTES, BRISK_NS, LENT_BYTES_MIN,
    MEMORY_WAIT_MS, PAUSE_LOOK_MS, PAUSE_MS, QUEUE_POLL_MS, RECEIVE_BYTES_MIN, SHORT_SHARE, SKIP_BYTES_MAX,
    SLOW_BYTES, SLOW_NS,
};
use crate::runtime::clock;
use crate::runtime::sync::{Permit, Semaphore, within};

/// The least that a receive, or a write of a blob, takes.
const SMALLEST: usize = BODY_STEPS[BODY_STEPS.len() - 1];

/// A body that is read piece by piece.
pub struct Body {
    reader: BodyReader,
    declared: Option<u64>,
    wants_continue: bool,
    /// How long the client's bytes were waited for. Time the daemon took itself is not held against the client.
    waited_ns: u64,
    /// What was reserved for it.
    memory: Option<Permit>,
    /// Memory of the last receive, and of all whose pieces may still be held.
    last_received: usize,
    pinned: usize,
    /// The upload's count of deals when `pinned` was last looked at.
    deals: usize,
    /// What the next receive may take.
    receive_most: usize,
    /// Whether it goes to memory of the upload's instead: [`BLOB_WRITE_BYTES`] of it.
    lent: bool,
    pace: Pace,
}

/// Whether a client sends faster than it would have to be waited for.
#[derive(Clone, Copy, Debug, Default)]
struct Pace {
    brisk: bool,
    bytes: u64,
    waited_ns: u64,
}

impl Pace {
    /// So many bytes came after so much waiting.
    fn note(&mut self, bytes: u64, waited_ns: u64) {
        self.bytes += bytes;
        self.waited_ns += waited_ns;
        let over = if self.brisk {
            let slow = self.waited_ns >= SLOW_NS;
            self.brisk = !(slow && self.bytes < SLOW_BYTES);
            slow || self.bytes >= SLOW_BYTES
        } else {
            let late = self.waited_ns > BRISK_NS;
            self.brisk = !late && self.bytes >= BRISK_BYTES;
            late || self.brisk
        };
        if over {
            (self.bytes, self.waited_ns) = (0, 0);
        }
    }
}

impl Body {
    /// The body of a request with this head, of which nothing is read yet.
    #[must_use]
    pub fn new(head: &Head) -> Body {
        let declared = match head.framing {
            BodyFraming::None => Some(0),
            BodyFraming::Length(length) => Some(length),
            BodyFraming::Chunked => None,
        };
        Body {
            reader: BodyReader::new(head.framing),
            declared,
            wants_continue: head.expect == Expect::Continue,
            waited_ns: 0,
            memory: None,
            last_received: 0,
            pinned: 0,
            deals: 0,
            receive_most: RECEIVE_BYTES_MIN,
            lent: false,
            pace: Pace::default(),
        }
    }

    /// Its length, where it was declared.
    #[must_use]
    pub fn declared(&self) -> Option<u64> {
        self.declared
    }

    /// Whether all of it was read.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.reader.is_done()
    }

    /// Bytes read so far.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.reader.received()
    }

    /// Trailer fields of this name.
    pub fn trailers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.reader.trailers(name)
    }

    /// Reserves the memory that reading it takes at least. Waits for it holding nothing.
    ///
    /// # Errors
    /// 503 if there is none for a second.
    pub async fn reserve(&mut self, conn: &mut Conn) -> Result<(), Trouble> {
        if self.is_done() {
            return Ok(());
        }
        // What came with the head is in one buffer already.
        self.last_received = if conn.input.is_empty() { 0 } else { RECEIVE_BYTES_MIN };
        self.pinned = self.last_received;
        let is_here = self.declared.is_some_and(|length| length <= conn.input.len() as u64);
        let need = if is_here { RECEIVE_BYTES_MIN } else { BODY_BYTES_MIN };
        let mut deadline_ns = None;
        loop {
            if let Some(permit) = conn.core.receive_budget.try_acquire(need) {
                self.memory = Some(permit);
                return Ok(());
            }
            let now_ns = clock::now_ns();
            if now_ns >= *deadline_ns.get_or_insert(now_ns + MEMORY_WAIT_MS * 1_000_000) {
                return Err(no_memory("uploads").into());
            }
            clock::sleep(Duration::from_millis(QUEUE_POLL_MS)).await;
        }
    }

    /// Makes sure of the memory for the next receive: what `upload` holds, what is held `beside` it, and what comes on top.
    /// If there is none, the upload is made smaller. All that was given out is used up by now.
    async fn make_room(
        &mut self,
        conn: &Conn,
        mut upload: Option<&mut Upload>,
        beside: usize,
    ) -> Result<(), Trouble> {
        let mut rest = conn.core.receive_budget.total() / BODY_REST_SHARE;
        let mut deadline_ns = None;
        loop {
            self.recount(upload.as_deref());
            let held = |receive, write| {
                beside + upload.as_ref().map_or(0, |upload| upload.held_bytes(receive, write))
            };
            let lends = self.may_lend(upload.as_deref());
            if let Some(write) = self.fit(conn, rest, lends, held) {
                if let Some(upload) = &mut upload {
                    upload.set_write_bytes(write);
                }
                return Ok(());
            }
            if let Some(upload) = &mut upload {
                upload.set_write_bytes(SMALLEST);
                if upload.relieve().await.map_err(|error| refusal(&error))? {
                    continue;
                }
            }
            // It cannot be made smaller: now it may have of what is kept for others, once there is some.
            if std::mem::take(&mut rest) > 0 {
                continue;
            }
            if self.is_alone(conn) {
                return Ok(());
            }
            let now_ns = clock::now_ns();
            if now_ns >= *deadline_ns.get_or_insert(now_ns + MEMORY_WAIT_MS * 1_000_000) {
                return Err(no_memory("uploads").closing().into());
            }
            clock::sleep(Duration::from_millis(QUEUE_POLL_MS)).await;
        }
    }

    /// Looks at what of the received may still be held by the upload. To be called when all that was given out is used
    /// up.
    fn recount(&mut self, upload: Option<&Upload>) {
        if let Some(upload) = upload
            && upload.deals() != self.deals
        {
            // What it holds now came with the last receive.
            self.deals = upload.deals();
            self.pinned = self.pinned.min(self.last_received);
        }
        if !upload.is_some_and(Upload::keeps_pieces) {
            self.pinned = 0;
        }
    }

    /// The client pauses: what is reserved and not held goes back, and where memory is short so does what is held beyond
    /// the least. Whether there may be more to give back later.
    async fn give_back(
        &mut self,
        budget: &Semaphore,
        mut upload: Option<&mut Upload>,
        beside: usize,
    ) -> Result<bool, Trouble> {
        let Some(memory) = &self.memory else { return Ok(false) };
        if memory.held() <= BODY_BYTES_MIN {
            return Ok(false);
        }
        let is_short = budget.available() <= budget.total() / SHORT_SHARE;
        let mut relieved = false;
        if let Some(upload) = &mut upload
            && is_short
        {
            upload.set_write_bytes(SMALLEST);
            relieved = upload.relieve().await.map_err(|error| refusal(&error))?;
        }
        self.recount(upload.as_deref());
        let held = upload.as_ref().map_or(0, |upload| upload.held_bytes(0, SMALLEST));
        let need = (self.pinned + beside + held).max(BODY_BYTES_MIN);
        if let Some(memory) = &mut self.memory {
            memory.shrink(need);
        }
        Ok(need > BODY_BYTES_MIN && (relieved || !is_short))
    }

    /// Whether there is memory for `more` bytes on top of what is reserved. Not for receiving: for answers.
    pub fn try_reserve_more(&mut self, conn: &Conn, more: usize) -> bool {
        let Some(memory) = &mut self.memory else { return true };
        let all = memory.held() + more;
        memory.try_grow(all, 0) || self.is_alone(conn)
    }

    /// Whether nobody else has any of the memory: then waiting for others would not help.
    fn is_alone(&self, conn: &Conn) -> bool {
        let budget = &conn.core.receive_budget;
        self.memory.as_ref().is_some_and(|memory| memory.held() + budget.available() >= budget.total())
    }

    /// Whether the upload may lend the memory for the next receive: all that fills it belongs to the body.
    fn may_lend(&self, upload: Option<&Upload>) -> bool {
        self.pace.brisk
            && upload.is_some_and(Upload::lends)
            && self.reader.remaining().is_some_and(|left| left >= BLOB_WRITE_BYTES as u64)
    }

    /// Reserves memory for the next receive, if that leaves `rest` to others; gives the size of writes that there is memory
    /// for, too. `lends` says whether the upload would lend what to receive into, `held` what is held beside what was
    /// received, for a receive and a write of these sizes.
    fn fit(
        &mut self,
        conn: &Conn,
        rest: usize,
        lends: bool,
        held: impl Fn(usize, usize) -> usize,
    ) -> Option<usize> {
        let memory = self.memory.as_mut()?;
        let [write, ..] = BODY_STEPS;
        self.lent = lends && memory.try_grow(self.pinned + BLOB_WRITE_BYTES + held(0, write), rest);
        if self.lent {
            return Some(write);
        }
        let left =
            self.reader.remaining().map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX));
        let steps = if self.pace.brisk { &BODY_STEPS[..] } else { &[SMALLEST][..] };
        for step in steps {
            let receive = conn.receive_capacity(left.min(*step));
            let need = self.pinned + receive + held(receive, *step);
            if memory.try_grow(need, rest) {
                if !self.pace.brisk {
                    memory.shrink(need.max(BODY_BYTES_MIN));
                }
                self.receive_most = receive;
                return Some(*step);
            }
        }
        None
    }

    /// The next bytes, where nobody keeps them; `None` at the end.
    ///
    /// # Errors
    /// As [`Body::next_for`].
    pub async fn next(&mut self, conn: &mut Conn) -> Result<Option<Bytes>, Trouble> {
        self.next_for(conn, None, 0).await
    }

    /// The next bytes, for an upload, and with so much memory held beside it; `None` at the end. To be called when all
    /// that was given out is used up. None at all, for an upload, where only framing has come: its client may pause there.
    ///
    /// # Errors
    /// 400 for broken framing, 408 when it comes too slowly, 413 beyond the limit; 503 if there is no memory even once
    /// the upload was made smaller, and what making it smaller gave.
    pub async fn next_for(
        &mut self,
        conn: &mut Conn,
        mut upload: Option<&mut Upload>,
        beside: usize,
    ) -> Result<Option<Bytes>, Trouble> {
        let mut has_received = false;
        loop {
            match self.reader.next(&mut conn.input)? {
                BodyEvent::NeedMore if has_received && upload.is_some() => return Ok(Some(Bytes::new())),
                BodyEvent::Data(piece) => {
                    self.wants_continue = false;
                    let limit = conn.core.shared.settings.upload_bytes_max;
                    if self.reader.received() > limit {
                        return Err(too_large(limit).into());
                    }
                    return Ok(Some(piece));
                }
                BodyEvent::End => return Ok(None),
                BodyEvent::NeedMore => {
                    let waited_ns = self.wait(conn, upload.as_deref_mut(), beside).await?;
                    if self.memory.is_some() {
                        self.make_room(conn, upload.as_deref_mut(), beside).await?;
                    }
                    self.receive(conn, upload.as_deref_mut(), waited_ns).await?;
                    has_received = true;
                }
            }
        }
    }

    /// Passes over a short rest.
    ///
    /// # Errors
    /// `Refused` if the rest is not short: the connection must close.
    pub async fn skip(&mut self, conn: &mut Conn) -> Result<(), Trouble> {
        let before = self.received();
        while self.next(conn).await?.is_some() {
            if self.received() - before > SKIP_BYTES_MAX {
                return Err(HttpError::bad_request("this resource takes no body").closing().into());
            }
        }
        Ok(())
    }

    /// Waits for the client's bytes, or its end. Gives the nanoseconds that took.
    async fn wait(
        &mut self,
        conn: &mut Conn,
        mut upload: Option<&mut Upload>,
        beside: usize,
    ) -> Result<u64, Trouble> {
        if std::mem::take(&mut self.wants_continue) {
            conn.send(vec![Bytes::from_static(response::CONTINUE)]).await?;
        }
        // What fills a large write is worth a wake; while the client pauses, any byte is.
        conn.wake_at(if self.may_lend(upload.as_deref()) { LENT_BYTES_MIN } else { 1 });
        // It owns kernel I/O: whatever happens meanwhile, it is waited for to its end.
        let mut bytes = pin!(conn.wait_for_bytes());
        let mut given_back = Ok(true);
        let mut limit = Duration::from_millis(PAUSE_MS);
        let mut all_ns = 0;
        loop {
            conn.expect_bytes(self.time_left(conn));
            let before_ns = clock::now_ns();
            conn.laps.lap(Stage::Parse, before_ns);
            let arrived = match given_back {
                Ok(true) => within(limit, bytes.as_mut()).await,
                _ => Some(bytes.as_mut().await),
            };
            let after_ns = clock::now_ns();
            conn.laps.lap(Stage::Recv, after_ns);
            let waited_ns = after_ns - before_ns;
            all_ns += waited_ns;
            self.waited_ns += waited_ns;
            conn.expect_nothing();
            conn.wake_at(1);
            if let Some(arrived) = arrived {
                arrived?;
                given_back?;
                return Ok(all_ns);
            }
            given_back = self.give_back(&conn.core.receive_budget, upload.as_deref_mut(), beside).await;
            limit = Duration::from_millis(PAUSE_LOOK_MS);
        }
    }

    async fn receive(
        &mut self,
        conn: &mut Conn,
        upload: Option<&mut Upload>,
        waited_ns: u64,
    ) -> Result<(), Trouble> {
        let (count, memory) = match upload {
            Some(upload) if std::mem::take(&mut self.lent) => receive_lent(conn, upload).await?,
            _ => conn.receive_fitting(self.receive_most).await?,
        };
        conn.laps.lap(Stage::Recv, clock::now_ns());
        self.pace.note(count as u64, waited_ns);
        self.last_received = memory;
        self.pinned += memory;
        if count > 0 {
            return Ok(());
        }
        if conn.is_late() {
            let rate = conn.core.shared.settings.body_rate;
            let message = format!("the request body came at less than {rate} bytes a second");
            return Err(HttpError::new(Status::RequestTimeout, message).closing().into());
        }
        Err(Trouble::Gone)
    }

    /// How long the next bytes may take: the grace, and for every byte that came the time it may take at the
    /// least rate, less what was waited.
    fn time_left(&self, conn: &Conn) -> Duration {
        let settings = &conn.core.shared.settings;
        if settings.body_rate == 0 {
            return settings.idle_timeout;
        }
        let earned_ms = self.received().saturating_mul(1_000) / settings.body_rate as u64;
        let allowed = settings.body_timeout.saturating_add(Duration::from_millis(earned_ms));
        // However fast it was before, nobody may pause for longer than an idle connection.
        allowed.saturating_sub(Duration::from_nanos(self.waited_ns)).min(settings.idle_timeout)
    }
}

/// Receives once into memory of the upload's. Gives the number of bytes, and how much memory they hold.
async fn receive_lent(conn: &mut Conn, upload: &mut Upload) -> Result<(usize, usize), Trouble> {
    let Some(buffer) = upload.lend().await.map_err(|error| refusal(&error))? else {
        return Ok(conn.receive_fitting(RECEIVE_BYTES_MIN).await?);
    };
    // It may have waited for writes.
    conn.laps.lap(Stage::Write, clock::now_ns());
    match conn.receive_into(buffer).await? {
        (count, Some(whole)) => {
            upload.take_back(whole);
            Ok((count, BLOB_WRITE_BYTES))
        }
        (count, None) => Ok((count, count)),
    }
}

/// 413 with the limit.
#[must_use]
pub fn too_large(limit: u64) -> HttpError {
    let message = format!("the request body is larger than {limit} bytes, the limit (max_upload_mb)");
    HttpError::new(Status::ContentTooLarge, message).closing()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn a_body_is_brisk_by_its_bytes_and_slow_by_its_pauses() {
        let mut pace = Pace::default();
        (0..1_000).for_each(|_| pace.note(1, 0));
        assert!(!pace.brisk, "a thousand bytes say nothing");
        pace.note(BRISK_BYTES, MS);
        assert!(pace.brisk);
        // A long round trip between two windows is no reason to change.
        (0..20).for_each(|_| pace.note(128 << 10, 100 * MS));
        assert!(pace.brisk);
        pace.note(1, 300 * MS);
        assert!(!pace.brisk, "one long pause is");
        // A trickle never is, however long it lasts.
        for _ in 0..10_000 {
            pace.note(100, 10 * MS);
            assert!(!pace.brisk);
        }
        pace.note(BRISK_BYTES, 0);
        assert!(pace.brisk, "the first burst behind it is");
    }
}
