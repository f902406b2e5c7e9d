//! The body of the request in work: asked for with 100 Continue, within limits, not slower than it may be.

use std::time::Duration;

use bytes::Bytes;

use super::conn::{Conn, Trouble};
use crate::http::error::{Extra, HttpError, Status};
use crate::http::framing::{BodyEvent, BodyReader};
use crate::http::head::{BodyFraming, Expect, Head};
use crate::http::response;
use crate::limits::{
    DRAIN_BYTES_MAX, MEMORY_WAIT_MS, RECEIVE_BYTES_MAX, RECEIVE_BYTES_MIN, REQUEST_BYTES_MAX,
};
use crate::runtime::clock;
use crate::runtime::sync::Permit;

/// A body that is read piece by piece.
pub struct Body {
    reader: BodyReader,
    declared: Option<u64>,
    wants_continue: bool,
    started_ns: Option<u64>,
    /// What was reserved for it.
    memory: Option<Permit>,
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
            started_ns: None,
            memory: None,
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

    /// Reserves the memory that reading it takes. Waits for it holding nothing.
    ///
    /// # Errors
    /// 503 if there is none for a second.
    pub async fn reserve(&mut self, conn: &mut Conn) -> Result<(), Trouble> {
        if self.is_done() {
            return Ok(());
        }
        let most = REQUEST_BYTES_MAX as u64;
        let need = usize::try_from(self.declared.unwrap_or(most).min(most)).unwrap_or(REQUEST_BYTES_MAX);
        let need = need.max(RECEIVE_BYTES_MIN);
        let deadline_ns = clock::now_ns() + MEMORY_WAIT_MS * 1_000_000;
        loop {
            if let Some(permit) = conn.core.receive_budget.try_acquire(need) {
                self.memory = Some(permit);
                return Ok(());
            }
            if clock::now_ns() >= deadline_ns {
                let message = "too many uploads at once for the memory given to them; try again in a second";
                return Err(HttpError::new(Status::ServiceUnavailable, message)
                    .with(Extra::RetryAfter(1))
                    .into());
            }
            clock::sleep(Duration::from_millis(crate::limits::QUEUE_POLL_MS)).await;
        }
    }

    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// 400 for broken framing, 408 when it comes too slowly, 413 beyond the limit.
    pub async fn next(&mut self, conn: &mut Conn) -> Result<Option<Bytes>, Trouble> {
        loop {
            match self.reader.next(&mut conn.input)? {
                BodyEvent::Data(piece) => {
                    self.wants_continue = false;
                    let limit = conn.core.shared.settings.upload_bytes_max;
                    if self.reader.received() > limit {
                        return Err(too_large(limit).into());
                    }
                    return Ok(Some(piece));
                }
                BodyEvent::End => return Ok(None),
                BodyEvent::NeedMore => self.receive(conn).await?,
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
            if self.received() - before > DRAIN_BYTES_MAX {
                return Err(HttpError::bad_request("this resource takes no body").closing().into());
            }
        }
        Ok(())
    }

    async fn receive(&mut self, conn: &mut Conn) -> Result<(), Trouble> {
        if std::mem::take(&mut self.wants_continue) {
            conn.send(vec![Bytes::from_static(response::CONTINUE)]).await?;
        }
        let now_ns = clock::now_ns();
        let started_ns = *self.started_ns.get_or_insert(now_ns);
        conn.expect_bytes(self.time_left(conn, now_ns - started_ns));
        let most = self
            .reader
            .remaining()
            .map_or(RECEIVE_BYTES_MAX, |left| usize::try_from(left).unwrap_or(RECEIVE_BYTES_MAX));
        let count = conn.receive_more(most).await?;
        conn.expect_nothing();
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
    /// least rate, less what has passed.
    fn time_left(&self, conn: &Conn, elapsed_ns: u64) -> Duration {
        let settings = &conn.core.shared.settings;
        if settings.body_rate == 0 {
            return settings.idle_timeout;
        }
        let earned_ms = self.received().saturating_mul(1_000) / settings.body_rate as u64;
        let allowed = settings.body_timeout.saturating_add(Duration::from_millis(earned_ms));
        // However fast it was before, nobody may pause for longer than an idle connection.
        allowed.saturating_sub(Duration::from_nanos(elapsed_ns)).min(settings.idle_timeout)
    }
}

/// 413 with the limit.
#[must_use]
pub fn too_large(limit: u64) -> HttpError {
    let message = format!("the request body is larger than {limit} bytes, the limit (max_upload_mb)");
    HttpError::new(Status::ContentTooLarge, message).closing()
}
