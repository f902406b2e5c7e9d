//! Answers: heads that all share, and the JSON of stored files.

use std::io::Write as _;
use std::sync::Arc;

use bytes::Bytes;

use super::conn::{Conn, Trouble, no_memory};
use super::error::{extra_of, status_of};
use crate::http::error::{Extra, HttpError, Status};
use crate::http::head::{Head, Method, Version};
use crate::http::json::{write_number, write_string};
use crate::http::response::{self, HeadWriter, Persistence};
use crate::ingest::Stage;
use crate::ingest::naming::Named;
use crate::ingest::stages::Spent;
use crate::ingest::upload::Outcome;
use crate::limits::{ANSWER_FILES_AT_ONCE, ANSWER_JOINED_BYTES_MAX, ANSWER_PIECE_BYTES, FILE_NAME_BYTES_MAX};
use crate::runtime::clock;

/// Sends a whole JSON answer.
///
/// # Errors
/// The client is gone.
pub async fn json(
    conn: &mut Conn,
    head: &Head,
    persistence: Persistence,
    status: Status,
    body: impl Into<Bytes>,
) -> Result<Persistence, Trouble> {
    let body = body.into();
    let wire = (head.version, persistence);
    let (has_body, joined) = (head.method != Method::Head, body.len() <= ANSWER_JOINED_BYTES_MAX);
    let mut out = Vec::with_capacity(256 + if joined { body.len() } else { 0 });
    let date = conn.core.date();
    response::write_json(&mut out, status, &date, wire, &Extra::None, &body, has_body && joined);
    let mut pieces = vec![Bytes::from(out)];
    if has_body && !joined {
        pieces.push(body);
    }
    conn.count_status(status);
    conn.send(pieces).await?;
    Ok(persistence)
}

/// As [`json`], for a body that may be long: while it is sent it counts among what downloads may take.
///
/// # Errors
/// 503 if there is no memory for it; the client is gone.
pub async fn long_json(
    conn: &mut Conn,
    head: &Head,
    persistence: Persistence,
    body: Vec<u8>,
) -> Result<Persistence, Trouble> {
    let memory = conn.core.send_budget.try_acquire(body.len().min(conn.core.send_budget.total()));
    let Some(_memory) = memory else { return Err(no_memory("lists").into()) };
    json(conn, head, persistence, Status::Ok, body).await
}

/// What an upload's answer says of its time, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// What each stage took.
    pub spent_ns: Spent,
    /// The time from the request's head until this was made.
    pub total_ns: u64,
}

impl Timing {
    /// Names and nanoseconds, the total last. All but the stage of answering: what is sent cannot say how long its own
    /// sending will take.
    pub fn metrics(&self) -> impl Iterator<Item = (&'static str, u64)> + Clone + '_ {
        let stages = Stage::ALL.iter().filter(|stage| **stage != Stage::Answer);
        let stages = stages.map(|stage| (stage.as_str(), self.spent_ns[*stage as usize]));
        stages.chain([("total", self.total_ns)])
    }
}

/// Begins the head of an upload's answer, with what is known of its time now.
pub fn begin_upload<'a>(out: &'a mut Vec<u8>, conn: &Conn, status: Status) -> HeadWriter<'a> {
    let writer = begin_stored(out, conn, status);
    match conn.upload_timing(clock::now_ns()) {
        Some(timing) => writer.server_timing(timing.metrics()),
        None => writer,
    }
}

/// As [`begin_upload`], without a word on time.
pub fn begin_stored<'a>(out: &'a mut Vec<u8>, conn: &Conn, status: Status) -> HeadWriter<'a> {
    let durability = conn.core.shared.settings.durability.as_str();
    HeadWriter::begin(out, status, &conn.core.date())
        .field("X-Content-Type-Options", b"nosniff")
        .field("Rhinobox-Durability", durability.as_bytes())
}

/// The answer to an upload of one file, or to a further name: its record, and where it is.
///
/// # Errors
/// The client is gone.
pub async fn record(
    conn: &mut Conn,
    head: &Head,
    persistence: Persistence,
    status: Status,
    named: &Named,
) -> Result<Persistence, Trouble> {
    let mut record = Vec::with_capacity(512);
    record.push(b'{');
    write_record(&mut record, named);
    record.push(b'}');
    let mut out = Vec::with_capacity(512 + record.len());
    begin_upload(&mut out, conn, status)
        .field("Content-Type", b"application/json")
        .field("Location", format!("/{}", named.path).as_bytes())
        .content_length(record.len() as u64)
        .connection(head.version, persistence)
        .end();
    out.extend_from_slice(&record);
    conn.count_status(status);
    conn.send(vec![out.into()]).await?;
    Ok(persistence)
}

/// The answer to an upload: every file, in the order sent. `names` are the files' names as sent, for those
/// that failed.
///
/// # Errors
/// The client is gone.
pub async fn outcomes(
    conn: &mut Conn,
    head: &Head,
    persistence: Persistence,
    outcomes: Vec<Outcome>,
    names: &[Arc<str>],
) -> Result<Persistence, Trouble> {
    let first_failure = outcomes.iter().find_map(|outcome| outcome.as_ref().err());
    let lenient = head.all("prefer").any(|value| memchr::memmem::find(value, b"handling=lenient").is_some());
    let status = match first_failure {
        None => Status::Ok,
        Some(_) if lenient => Status::MultiStatus,
        Some(error) => status_of(error),
    };
    conn.count_status(status);
    let mut body = Body { out: Vec::with_capacity(body_bytes(outcomes.len())), begun: false };
    body.begin(&outcomes, names);
    let extra = if lenient { Extra::None } else { extra_of(status) };
    if outcomes.len() <= ANSWER_FILES_AT_ONCE || head.version == Version::Http10 {
        outcomes.iter().flatten().for_each(|named| body.record(named));
        body.end();
        let mut out = Vec::with_capacity(512);
        begin_upload(&mut out, conn, status)
            .field("Content-Type", b"application/json")
            .content_length(body.out.len() as u64)
            .connection(head.version, persistence)
            .extra(&extra)
            .end();
        conn.send(vec![out.into(), body.out.into()]).await?;
        return Ok(persistence);
    }
    let mut out = Vec::with_capacity(512);
    begin_upload(&mut out, conn, status)
        .field("Content-Type", b"application/json")
        .chunked()
        .connection(head.version, persistence)
        .extra(&extra)
        .end();
    let mut patience = conn.patience();
    for named in outcomes.iter().flatten() {
        body.record(named);
        if body.out.len() >= ANSWER_PIECE_BYTES {
            response::write_chunk(&mut out, &body.out);
            body.out.clear();
            conn.send_more(vec![std::mem::take(&mut out).into()], &mut patience).await?;
        }
    }
    body.end();
    response::write_chunk(&mut out, &body.out);
    out.extend_from_slice(response::LAST_CHUNK);
    conn.send_more(vec![out.into()], &mut patience).await?;
    Ok(persistence)
}

/// Room for the records of so many files, up to a piece.
fn body_bytes(files: usize) -> usize {
    (64 + 448 * files).min(ANSWER_PIECE_BYTES + 8 * 1024)
}

/// The JSON of an upload's answer in the making.
struct Body {
    out: Vec<u8>,
    begun: bool,
}

impl Body {
    /// Everything in front of the stored files.
    fn begin(&mut self, outcomes: &[Outcome], names: &[Arc<str>]) {
        let mut failures = outcomes
            .iter()
            .enumerate()
            .filter_map(|(index, outcome)| outcome.as_ref().err().map(|error| (index, error)));
        self.out.push(b'{');
        if let Some((_, first)) = failures.clone().next() {
            self.out.extend_from_slice(b"\"error\":");
            write_string(&mut self.out, &first.to_string());
            self.out.extend_from_slice(b",\"errors\":[");
            let mut comma = false;
            failures.by_ref().for_each(|(index, error)| {
                if std::mem::replace(&mut comma, true) {
                    self.out.push(b',');
                }
                let name = names.get(index).map_or("", |name| name);
                write_failure(&mut self.out, index, name, &error.to_string());
                self.out.extend_from_slice(b",\"status\":");
                write_number(&mut self.out, u64::from(status_of(error).code()));
                self.out.push(b'}');
            });
            self.out.extend_from_slice(b"],");
        }
        self.out.extend_from_slice(b"\"stored\":[");
    }

    fn record(&mut self, named: &Named) {
        if std::mem::replace(&mut self.begun, true) {
            self.out.push(b',');
        }
        self.out.push(b'{');
        write_record(&mut self.out, named);
        self.out.push(b'}');
    }

    fn end(&mut self) {
        self.out.extend_from_slice(b"]}");
    }
}

/// The fields of a file that was not stored, without the closing brace.
pub fn write_failure(out: &mut Vec<u8>, index: usize, name: &str, error: &str) {
    out.extend_from_slice(b"{\"index\":");
    write_number(out, index as u64);
    out.extend_from_slice(b",\"original_name\":");
    let name = crate::ingest::naming::base_name(name);
    // One that is too long is why it failed.
    write_string(out, &name[..name.floor_char_boundary(FILE_NAME_BYTES_MAX)]);
    out.extend_from_slice(b",\"error\":");
    write_string(out, error);
}

/// The fields of a stored file, without the braces.
pub fn write_record(out: &mut Vec<u8>, named: &Named) {
    out.extend_from_slice(b"\"path\":");
    write_string(out, &named.path);
    out.extend_from_slice(b",\"hash\":\"");
    out.extend_from_slice(named.digest.hex().as_str().as_bytes());
    out.extend_from_slice(b"\",\"size\":");
    write_number(out, named.len);
    out.extend_from_slice(b",\"mime_type\":");
    write_string(out, &named.mime);
    out.extend_from_slice(b",\"media_type\":\"");
    out.extend_from_slice(named.media_type.as_str().as_bytes());
    out.extend_from_slice(b"\",\"category\":");
    write_string(out, named.category());
    out.extend_from_slice(b",\"original_name\":");
    write_string(out, named.original_name());
    if !named.folder.is_empty() {
        out.extend_from_slice(b",\"folder\":");
        write_string(out, &named.folder);
    }
    out.extend_from_slice(b",\"comment\":");
    write_string(out, &named.comment);
    // Writing to a vector cannot fail.
    let _infallible = write!(out, ",\"uploaded_at\":\"{}\"", named.time.rfc3339());
    if named.duplicate {
        out.extend_from_slice(b",\"duplicate\":true");
    }
}

/// Counts the files of an upload.
pub fn count(conn: &Conn, outcomes: &[Outcome]) {
    let metrics = &conn.core.shared.metrics;
    for outcome in outcomes {
        match outcome {
            Ok(named) => metrics.count_file(named.len, named.duplicate),
            Err(_) => metrics.count_failed_file(),
        }
    }
}

/// 415 for a body in a coding.
///
/// # Errors
/// That 415.
pub fn refuse_coding(head: &Head) -> Result<(), HttpError> {
    let coded = head.all("content-encoding").any(|coding| !coding.eq_ignore_ascii_case(b"identity"));
    if coded {
        let message = "a Content-Encoding is not taken here: send the file as it is";
        return Err(HttpError::new(Status::UnsupportedMediaType, message));
    }
    Ok(())
}
