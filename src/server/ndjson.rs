//! An upload's answer as lines (NDJSON): one for each file as its commit lands, while the body is still arriving.
//!
//! Always: a client that does not read never stops its own body being read; its lines wait here, bounded. On
//! abort there is no last line and no final chunk.

use std::sync::Arc;

use bytes::Bytes;

use super::answer::{self, Timing, write_failure, write_record};
use super::conn::{Conn, Gone, Trouble};
use super::error::status_of;
use crate::http::error::Status;
use crate::http::head::Version;
use crate::http::json::write_number;
use crate::http::response::{self, Persistence};
use crate::ingest::Stage;
use crate::ingest::upload::{Outcome, Upload};
use crate::limits::LINES_BYTES_MAX;
use crate::runtime::clock;

/// The lines of an answer.
pub struct Lines {
    version: Version,
    persistence: Persistence,
    begun: bool,
    told: usize,
    stored: usize,
    /// Made, ...
    waiting: Vec<u8>,
    /// ... and taken by the kernel of it.
    sent: usize,
}

impl Lines {
    /// No line so far. HTTP/1.0 has no chunks: there the end of the connection ends the answer.
    #[must_use]
    pub fn new(version: Version, persistence: Persistence) -> Lines {
        let persistence = if version == Version::Http10 { Persistence::Close } else { persistence };
        Lines { version, persistence, begun: false, told: 0, stored: 0, waiting: Vec::new(), sent: 0 }
    }

    /// Files that have a line.
    #[must_use]
    pub fn told(&self) -> usize {
        self.told
    }

    /// Memory of the lines that wait.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.waiting.capacity()
    }

    /// Makes the lines of what is settled, and sends what the client takes without waiting.
    ///
    /// # Errors
    /// The client is gone, or reads so little that its lines outgrew their bound.
    pub fn tell(&mut self, conn: &mut Conn, upload: &mut Upload, names: &[Arc<str>]) -> Result<(), Gone> {
        self.begin(conn);
        for (index, outcome) in upload.settled() {
            self.line(index, &outcome, names);
        }
        if self.waiting.len() - self.sent > LINES_BYTES_MAX {
            return Err(Gone);
        }
        self.sent += conn.try_send(&self.waiting[self.sent..])?;
        // Not for every few bytes that a slow reader takes.
        if 2 * self.sent >= self.waiting.len() {
            self.waiting.drain(..self.sent);
            self.sent = 0;
        }
        Ok(())
    }

    /// Sends the lines of the remaining files, then the last line.
    ///
    /// # Errors
    /// The client is gone.
    pub async fn finish(
        mut self,
        conn: &mut Conn,
        outcomes: Vec<Outcome>,
        told: usize,
        names: &[Arc<str>],
    ) -> Result<Persistence, Trouble> {
        self.begin(conn);
        for (index, outcome) in outcomes.iter().enumerate().skip(told) {
            self.line(index, outcome, names);
        }
        let failed = outcomes.len() - self.stored;
        let mut last = Vec::with_capacity(320);
        last.extend_from_slice(b"{\"done\":true,\"stored\":");
        write_number(&mut last, self.stored as u64);
        last.extend_from_slice(b",\"failed\":");
        write_number(&mut last, failed as u64);
        last.extend_from_slice(b",\"timing\":{");
        let timing = conn.upload_timing(clock::now_ns());
        for (at, (name, ns)) in timing.iter().flat_map(Timing::metrics).enumerate() {
            last.extend_from_slice(if at == 0 { b"\"" } else { b",\"" });
            last.extend_from_slice(name.as_bytes());
            last.extend_from_slice(b"_ms\":");
            response::write_milliseconds(&mut last, ns);
        }
        last.extend_from_slice(b"}}\n");
        self.push(&last);
        if self.version == Version::Http11 {
            self.waiting.extend_from_slice(response::LAST_CHUNK);
        }
        conn.send(vec![Bytes::from(self.waiting).slice(self.sent..)]).await?;
        Ok(self.persistence)
    }

    /// The request broke. If the answer has begun, its status can no longer say so: the lines so far are sent and the
    /// connection ends without a last line.
    pub async fn abort(self, conn: &mut Conn, trouble: Trouble) -> Trouble {
        let Trouble::Refused(error) = trouble else { return trouble };
        if !self.begun {
            return Trouble::Refused(error);
        }
        tracing::warn!(%error, "an upload broke after its answer in lines had begun");
        match conn.send(vec![Bytes::from(self.waiting).slice(self.sent..)]).await {
            Ok(()) => Trouble::Ended,
            Err(Gone) => Trouble::Gone,
        }
    }

    fn begin(&mut self, conn: &Conn) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        conn.count_status(Status::Ok);
        // The head leaves while the body arrives: of the stages only the first is over by then. The last line has all.
        let admitted = conn.laps.spent()[Stage::Admit as usize];
        let writer = answer::begin_stored(&mut self.waiting, conn, Status::Ok)
            .server_timing([(Stage::Admit.as_str(), admitted)])
            .field("Content-Type", b"application/x-ndjson");
        let writer = if self.version == Version::Http11 { writer.chunked() } else { writer };
        writer.connection(self.version, self.persistence).end();
    }

    fn line(&mut self, index: usize, outcome: &Outcome, names: &[Arc<str>]) {
        let mut line = Vec::with_capacity(512);
        match outcome {
            Ok(named) => {
                line.extend_from_slice(b"{\"index\":");
                write_number(&mut line, index as u64);
                line.extend_from_slice(b",\"status\":200,");
                write_record(&mut line, named);
                self.stored += 1;
            }
            Err(error) => {
                let name = names.get(index).map_or("", |name| name);
                write_failure(&mut line, index, name, &error.to_string());
                line.extend_from_slice(b",\"status\":");
                write_number(&mut line, u64::from(status_of(error).code()));
            }
        }
        line.extend_from_slice(b"}\n");
        self.told += 1;
        self.push(&line);
    }

    fn push(&mut self, line: &[u8]) {
        match self.version {
            Version::Http11 => response::write_chunk(&mut self.waiting, line),
            Version::Http10 => self.waiting.extend_from_slice(line),
        }
    }
}
