//! A connection: its socket, what has been received and not yet read, and the loop of its requests.
//!
//! Always: one request is in work at a time, pipelined ones stay in the socket or in `input`; nobody's bytes are waited
//! for with a buffer in hand: an idle connection holds none, a slow head as much as came of it, counted; answers leave
//! in the order of their requests.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::Core;
use super::access::Noted;
use super::answer::Timing;
use super::body::Body;
use super::deadline::{Deadline, Waiting};
use super::dispatch;
use super::linger::Linger;
use crate::http::error::{Extra, HttpError, Status};
use crate::http::head::{Expect, Head, Method, Version};
use crate::http::response::{self, Persistence};
use crate::ingest::{Laps, Stage};
use crate::limits::{HEAD_BYTES_MAX, LINGER_PIECE_BYTES, RECEIVE_BYTES_MAX, RECEIVE_BYTES_MIN};
use crate::runtime::buffer::{Buffer, capacity_for};
use crate::runtime::clock;
use crate::runtime::net::{Socket, Stream};
use crate::runtime::sync::within;

/// The other side is gone, or was cut off: nothing can be answered any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gone;

impl From<io::Error> for Gone {
    fn from(_: io::Error) -> Gone {
        Gone
    }
}

/// Why a request is not answered with what it asked for.
#[derive(Debug)]
pub enum Trouble {
    /// It is answered with this instead.
    Refused(HttpError),
    /// Its answer had begun and has ended, though it is not whole.
    Ended,
    /// There is nobody to answer.
    Gone,
}

impl From<HttpError> for Trouble {
    fn from(error: HttpError) -> Trouble {
        Trouble::Refused(error)
    }
}

impl From<Gone> for Trouble {
    fn from(_: Gone) -> Trouble {
        Trouble::Gone
    }
}

/// A connection.
pub struct Conn {
    /// The core it belongs to.
    pub core: Rc<Core>,
    /// Received and not yet read.
    pub input: Bytes,
    stream: Stream,
    deadline: Rc<Deadline>,
    /// Where the time of the request in work goes.
    pub laps: Rc<Laps>,
    /// Whether it is an upload that was let in: of those the stages are kept.
    is_upload: bool,
    /// What the access log will say of the request in work.
    noted: Noted,
    /// Who is at the other end, where a log is kept of it.
    peer: Option<SocketAddr>,
    /// How much to receive next; grows while buffers come back full.
    receive_bytes: usize,
}

/// What follows a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Then {
    /// The next one.
    Next,
    /// The connection's end.
    Close,
    /// Its end, once the client has had time to read the answer: more than was read may be on its way.
    Linger,
}

/// Whether so few bytes are in it that who keeps them had better keep them elsewhere.
fn is_filled_badly(buffer: &Buffer) -> bool {
    buffer.len() < buffer.capacity() / 4
}

/// How long a client may still take to read an answer: some of it within the answer timeout, and what it was offered so far
/// at the least rate of a body, with that timeout to spare once. Who reads a byte now and then would have the answer's
/// place for ever.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pause_ns: u64,
    /// Bytes a second; 0 is any.
    rate: u64,
    /// What was offered of the answer.
    offered_bytes: u64,
    begun_ns: u64,
    moved_ns: u64,
}

impl Patience {
    /// So many more bytes are offered now.
    pub(super) fn offer(&mut self, bytes: usize) {
        self.offered_bytes += bytes as u64;
        self.renew();
    }

    /// The client took some of it.
    pub(super) fn renew(&mut self) {
        self.moved_ns = clock::now_ns();
    }

    /// How long it may take none of it.
    pub(super) fn pause_ns(&self) -> u64 {
        self.pause_ns
    }

    /// So long it was the daemon that made the client wait.
    pub(super) fn excuse(&mut self, ns: u64) {
        self.begun_ns += ns;
        self.moved_ns += ns;
    }

    fn left(&self) -> Duration {
        let now_ns = clock::now_ns();
        let pause_ns = self.moved_ns.saturating_add(self.pause_ns).saturating_sub(now_ns);
        let offered_ns = self.offered_bytes.saturating_mul(1_000_000_000).checked_div(self.rate);
        let whole_ns = offered_ns.map_or(u64::MAX, |offered_ns| {
            self.begun_ns.saturating_add(self.pause_ns).saturating_add(offered_ns).saturating_sub(now_ns)
        });
        Duration::from_nanos(pause_ns.min(whole_ns))
    }
}

/// A request in work, counted while this lives, whatever ends it.
struct InWork(Rc<Core>);

impl InWork {
    fn new(core: &Rc<Core>) -> InWork {
        core.shared.metrics.begin_request(core.id.0);
        InWork(core.clone())
    }
}

impl Drop for InWork {
    fn drop(&mut self) {
        self.0.shared.metrics.end_request(self.0.id.0);
    }
}

/// Serves a connection until it ends.
pub async fn serve(core: Rc<Core>, socket: Socket) {
    let stream = match Stream::adopt(socket) {
        Ok(stream) => stream,
        Err(error) => return tracing::debug!(%error, "a connection could not be adopted"),
    };
    let deadline = core.deadlines.add(stream.breaker());
    let peer = core.shared.access_log().and_then(|_| stream.peer());
    let receive_bytes = RECEIVE_BYTES_MIN;
    let mut conn = Conn {
        core,
        input: Bytes::new(),
        stream,
        deadline,
        laps: Rc::default(),
        is_upload: false,
        noted: Noted::default(),
        peer,
        receive_bytes,
    };
    // The connection is over, whoever ended it.
    let Err(Gone) = conn.requests().await else { return };
}

impl Conn {
    async fn requests(&mut self) -> Result<(), Gone> {
        loop {
            self.noted.restart();
            let head = match self.read_head().await {
                Ok(Some(head)) => head,
                Ok(None) => return Ok(()),
                Err(Trouble::Gone) => return Err(Gone),
                Err(Trouble::Refused(error)) => {
                    self.laps.restart(clock::now_ns());
                    self.count_status(error.status);
                    let refused = self.refuse_unread(Version::Http11, &error).await;
                    self.log_access(None, 0);
                    refused?;
                    self.linger().await;
                    return Ok(());
                }
                Err(Trouble::Ended) => unreachable!("no answer has begun while a head is read"),
            };
            self.laps.restart(clock::now_ns());
            self.is_upload = false;
            let in_work = InWork::new(&self.core);
            let mut body = Body::new(&head);
            let then = self.request(&head, &mut body).await;
            drop(in_work);
            self.log_access(Some(&head), body.received());
            // What follows may take long: the head's buffer and the body's memory are somebody else's again.
            drop((head, body));
            let then = then?;
            self.record_request();
            match then {
                Then::Next => {}
                Then::Close => return Ok(()),
                Then::Linger => {
                    self.linger().await;
                    return Ok(());
                }
            }
        }
    }

    /// Counts the answer to the request in work.
    pub(super) fn count_status(&self, status: Status) {
        self.core.count_status(status);
        self.noted.set_status(status);
    }

    /// The request in work showed this token.
    pub(super) fn note_token(&self, name: &Arc<str>) {
        if self.core.shared.access_log().is_some() {
            self.noted.set_token(name);
        }
    }

    /// The request is over, answered or not; `None` for what never became one.
    fn log_access(&self, head: Option<&Head>, received_bytes: u64) {
        let Some(log) = self.core.shared.access_log() else { return };
        let times = (clock::wall(), self.laps.total_ns(clock::now_ns()));
        self.noted.with_entry(head, times, received_bytes, self.peer, |entry| log.note(entry));
    }

    /// The upload in work was let in.
    pub(super) fn begin_upload(&mut self) {
        self.is_upload = true;
        self.laps.lap(Stage::Admit, clock::now_ns());
    }

    /// What the upload in work may say of its time so far: nothing of what comes after `now_ns`, when its head is made.
    pub(super) fn upload_timing(&self, now_ns: u64) -> Option<Timing> {
        self.is_upload.then(|| Timing { spent_ns: self.laps.spent(), total_ns: self.laps.total_ns(now_ns) })
    }

    /// The request is answered.
    fn record_request(&self) {
        let now_ns = clock::now_ns();
        let (metrics, core) = (&self.core.shared.metrics, self.core.id.0);
        let total_ns = self.laps.total_ns(now_ns);
        metrics.record_request(core, total_ns);
        if self.is_upload {
            self.laps.lap(Stage::Answer, now_ns);
            metrics.record_upload(core, &self.laps.spent(), total_ns);
        }
    }

    /// The next request's head; `None` when the client has none and closes.
    async fn read_head(&mut self) -> Result<Option<Head>, Trouble> {
        let settings = &self.core.shared.settings;
        if self.input.is_empty() {
            self.deadline.set(Waiting::Idle, settings.idle_timeout);
            self.stream.readable().await.map_err(Gone::from)?;
        }
        self.deadline.set(Waiting::Bytes, settings.head_timeout);
        let mut memory = None;
        loop {
            if let Some((head, used)) = Head::parse(&self.input)? {
                let _head = self.input.split_to(used);
                self.deadline.clear();
                return Ok(Some(head));
            }
            if !self.input.is_empty() {
                // Not whole yet: from here on it is somebody's who may be slow.
                if memory.is_none() {
                    memory = self.core.receive_budget.try_acquire(HEAD_BYTES_MAX);
                    if memory.is_none() {
                        return Err(no_memory("requests").closing().into());
                    }
                }
                if self.stream.pending_bytes() == 0 {
                    self.input = Bytes::copy_from_slice(&self.input);
                    self.stream.readable().await.map_err(Gone::from)?;
                }
            }
            if self.receive_more(HEAD_BYTES_MAX).await? == 0 {
                if self.deadline.has_passed() {
                    let message = "the request head did not arrive in time";
                    return Err(HttpError::new(Status::RequestTimeout, message).closing().into());
                }
                return if self.input.is_empty() { Ok(None) } else { Err(Trouble::Gone) };
            }
        }
    }

    async fn request(&mut self, head: &Head, body: &mut Body) -> Result<Then, Gone> {
        let draining = self.core.shared.is_draining();
        // An answer to a GET does not wait for its body; whether one comes that was not asked for with 100
        // Continue is the client's choice (RFC 9110 section 10.1.1), so nothing can be read behind it.
        let unasked = head.expect == Expect::Continue && matches!(head.method, Method::Get | Method::Head);
        let keeps = head.keep_alive && !draining && !unasked;
        let persistence = if keeps { Persistence::KeepAlive } else { Persistence::Close };
        let outcome = dispatch::answer(self, head, body, persistence).await;
        match outcome {
            Ok(Persistence::Close) => Ok(if body.is_done() { Then::Close } else { Then::Linger }),
            Ok(Persistence::KeepAlive) if body.is_done() => Ok(Then::Next),
            // An endpoint that needs no body was sent one: passed over if it is short, else the connection ends.
            Ok(Persistence::KeepAlive) => match body.skip(self).await {
                Ok(()) => Ok(Then::Next),
                Err(Trouble::Gone) => Err(Gone),
                Err(Trouble::Refused(_) | Trouble::Ended) => Ok(Then::Linger),
            },
            Err(Trouble::Gone) => Err(Gone),
            Err(Trouble::Ended) => Ok(Then::Linger),
            Err(Trouble::Refused(mut error)) => {
                self.count_status(error.status);
                if error.status == Status::InternalServerError {
                    let id = self.noted.id();
                    tracing::warn!(request = format_args!("{id:016x}"), %error, "a request could not be answered as it should");
                    error = error.known_as(id);
                }
                let unread = !body.is_done();
                let persistence = if unread || error.close { Persistence::Close } else { persistence };
                let mut out = Vec::with_capacity(256);
                let with_body = head.method != Method::Head;
                let date = self.core.date();
                let timing = self.upload_timing(clock::now_ns());
                let metrics = timing.as_ref().map(Timing::metrics);
                response::write_error_timed(
                    &mut out,
                    &error,
                    &date,
                    (head.version, persistence),
                    with_body,
                    metrics,
                );
                self.send(vec![out.into()]).await?;
                Ok(match persistence {
                    _ if unread => Then::Linger,
                    Persistence::Close => Then::Close,
                    Persistence::KeepAlive => Then::Next,
                })
            }
        }
    }

    /// An answer to what never became a request.
    async fn refuse_unread(&mut self, version: Version, error: &HttpError) -> Result<(), Gone> {
        let mut out = Vec::with_capacity(256);
        response::write_error(&mut out, error, &self.core.date(), (version, Persistence::Close), true);
        self.send(vec![out.into()]).await
    }

    /// Half-closes, and passes over what is still on its way, within bounds, so that the client gets to see the answer
    /// instead of a reset.
    async fn linger(&mut self) {
        self.stream.finish();
        self.input = Bytes::new();
        let mut linger = Linger::begin(clock::now_ns());
        while let Some(left) = linger.left(clock::now_ns()) {
            self.deadline.set(Waiting::Rest, left);
            if self.stream.readable().await.is_err() {
                return;
            }
            match self.stream.try_discard(LINGER_PIECE_BYTES) {
                Ok(0) => return,
                Ok(count) => linger.note(count, clock::now_ns()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }

    /// Waits until so many bytes as [`Conn::wake_at`] was told, or the end, are there, holding no buffer.
    pub(super) async fn wait_for_bytes(&self) -> Result<(), Gone> {
        if self.stream.pending_bytes() < self.stream.low_water() {
            self.stream.readable().await?;
        }
        Ok(())
    }

    /// So many bytes are worth a wake.
    pub(super) fn wake_at(&self, bytes: usize) {
        self.stream.set_low_water(bytes);
    }

    /// What the next receive takes, if it may take `most`: a buffer as large as recent receives filled.
    pub(super) fn receive_capacity(&self, most: usize) -> usize {
        capacity_for(self.receive_bytes.min(most.max(RECEIVE_BYTES_MIN)))
    }

    /// Receives once, behind what is there. Gives the number of bytes, 0 at the client's end or when time is up.
    pub(super) async fn receive_more(&mut self, most: usize) -> Result<usize, Gone> {
        let (count, buffer) = self.receive(most).await?;
        self.input = buffer.freeze();
        Ok(count)
    }

    /// As [`Conn::receive_more`], and says how much memory the bytes hold: a buffer that they fill badly is exchanged
    /// for one that fits.
    pub(super) async fn receive_fitting(&mut self, most: usize) -> Result<(usize, usize), Gone> {
        let (count, buffer) = self.receive(most).await?;
        let capacity = buffer.capacity();
        if is_filled_badly(&buffer) {
            self.input = Bytes::copy_from_slice(buffer.as_slice());
            return Ok((count, buffer.len()));
        }
        self.input = buffer.freeze();
        Ok((count, capacity))
    }

    /// Receives once into `buffer`, behind what it begins with; nothing may be left of what was received before. Gives
    /// the number of bytes, as [`Conn::receive_more`] does, and all of the buffer, unless they fill it badly: then they are
    /// moved out of it.
    pub(super) async fn receive_into(&mut self, buffer: Buffer) -> Result<(usize, Option<Bytes>), Gone> {
        assert!(self.input.is_empty(), "what was received before is used up");
        let begun = buffer.len();
        let (result, buffer) = self.stream.recv(buffer).await;
        let count = result?;
        if is_filled_badly(&buffer) {
            self.input = Bytes::copy_from_slice(&buffer.as_slice()[begun..]);
            return Ok((count, None));
        }
        let whole = buffer.freeze();
        self.input = whole.slice(begun..);
        Ok((count, Some(whole)))
    }

    async fn receive(&mut self, most: usize) -> Result<(usize, Buffer), Gone> {
        let left = std::mem::take(&mut self.input);
        let mut buffer = self.core.pool.take(self.receive_capacity(most).max(left.len() + 1));
        buffer.extend_from_slice(&left);
        drop(left);
        let (result, buffer) = self.stream.recv(buffer).await;
        let count = result?;
        if buffer.len() == buffer.capacity() {
            self.receive_bytes = (4 * self.receive_bytes).min(RECEIVE_BYTES_MAX);
        } else if buffer.len() < buffer.capacity() / 8 {
            self.receive_bytes = (self.receive_bytes / 4).max(RECEIVE_BYTES_MIN);
        }
        Ok((count, buffer))
    }

    /// The client's bytes are waited for, for at most this long.
    pub(super) fn expect_bytes(&self, limit: Duration) {
        self.deadline.set(Waiting::Bytes, limit);
    }

    /// Nothing is waited for.
    pub(super) fn expect_nothing(&self) {
        self.deadline.clear();
    }

    /// Whether a deadline has passed.
    pub(super) fn is_late(&self) -> bool {
        self.deadline.has_passed()
    }

    /// Sends all of it.
    ///
    /// # Errors
    /// The client is gone, or did not read.
    pub async fn send(&mut self, pieces: Vec<Bytes>) -> Result<(), Gone> {
        let mut patience = self.patience();
        self.send_more(pieces, &mut patience).await
    }

    /// Sends all of it, behind what a client was offered of the same answer with the same patience.
    ///
    /// # Errors
    /// The client is gone, or did not read.
    pub(super) async fn send_more(
        &mut self,
        pieces: Vec<Bytes>,
        patience: &mut Patience,
    ) -> Result<(), Gone> {
        patience.offer(pieces.iter().map(Bytes::len).sum());
        let patience = Cell::new(*patience);
        let deadline = self.deadline.clone();
        deadline.set(Waiting::Reader, patience.get().left());
        let noted = &self.noted;
        let progress = |count| {
            noted.add_sent(count);
            let mut renewed = patience.get();
            renewed.renew();
            patience.set(renewed);
            deadline.set(Waiting::Reader, renewed.left());
        };
        let result = self.stream.send_all_telling(pieces, &progress).await;
        self.deadline.clear();
        Ok(result?)
    }

    /// How long a client may take to read the answer that begins now, of which nothing was offered yet.
    pub(super) fn patience(&self) -> Patience {
        let settings = &self.core.shared.settings;
        let now_ns = clock::now_ns();
        Patience {
            pause_ns: u64::try_from(settings.answer_timeout.as_nanos()).unwrap_or(u64::MAX),
            rate: settings.body_rate as u64,
            offered_bytes: 0,
            begun_ns: now_ns,
            moved_ns: now_ns,
        }
    }

    /// Sends what the kernel takes of two pieces without waiting, and says how much that was.
    ///
    /// # Errors
    /// The client is gone.
    pub(super) fn try_send_both(&mut self, first: &[u8], second: &[u8]) -> Result<usize, Gone> {
        let count = self.stream.try_send_both(first, second)?;
        self.noted.add_sent(count);
        Ok(count)
    }

    /// Waits until the client has read so much that something can be sent again. After `hold` it calls `let_go`: what
    /// waits longer than that holds no memory.
    ///
    /// # Errors
    /// The client is gone, or did not read in time.
    pub(super) async fn wait_for_reader(
        &mut self,
        patience: &Patience,
        hold: Duration,
        let_go: impl FnOnce(),
    ) -> Result<(), Gone> {
        self.deadline.set(Waiting::Reader, patience.left());
        {
            let mut writable = pin!(self.stream.writable());
            match within(hold, writable.as_mut()).await {
                Some(result) => result?,
                None => {
                    let_go();
                    writable.await?;
                }
            }
        }
        self.deadline.clear();
        if self.is_late() { Err(Gone) } else { Ok(()) }
    }

    /// Bytes that have arrived and were not received yet.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.stream.pending_bytes()
    }

    /// Sends what the kernel takes without waiting, and says how much that was.
    ///
    /// # Errors
    /// The client is gone.
    pub fn try_send(&mut self, bytes: &[u8]) -> Result<usize, Gone> {
        let count = self.stream.try_send(bytes)?;
        self.noted.add_sent(count);
        Ok(count)
    }
}

/// 503 for want of memory.
pub(super) fn no_memory(what: &str) -> HttpError {
    let message = format!("too many {what} at once for the memory given to them; try again in a second");
    HttpError::new(Status::ServiceUnavailable, message).with(Extra::RetryAfter(1))
}
