//! The push parser: finds the delimiters, whichever way the body is cut into buffers.
//!
//! What always holds:
//! - Data are slices of what was pushed. Of a buffer's tail that may begin a delimiter only the length is
//!   kept ([`matched`](Multipart)): those bytes equal the delimiter's first, so should they turn out to be
//!   data, they are given out as a slice of the delimiter.
//! - Every byte is looked at a bounded number of times. A delimiter begins with CR and holds no other, so a
//!   failed match never has to be tried again from within itself.
//! - The events of a body do not depend on the cuts, save for where data is divided.

use bytes::{Buf as _, Bytes};
use memchr::memmem::Finder;

use super::boundary::Boundary;
use super::part::PartHead;
use crate::http::error::{HttpError, Status};
use crate::limits::PART_HEAD_BYTES_MAX;

/// What comes next of a multipart body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A part begins.
    PartBegin(PartHead),
    /// Some bytes of the part's content, at least one.
    Data(Bytes),
    /// The part is complete.
    PartEnd,
    /// What was pushed is used up.
    NeedMore,
    /// The closing boundary was read. Comes again on every later call; what follows is skipped.
    End,
}

/// Reads one multipart body.
#[derive(Clone, Debug)]
pub struct Multipart {
    /// `CR LF - - boundary -`; the last dash is of the closing delimiter.
    dashed: Bytes,
    /// Finds `CR LF - - boundary`.
    finder: Finder<'static>,
    /// What was pushed and not yet used.
    input: Bytes,
    state: State,
    /// Whether a part is open.
    in_part: bool,
    /// In [`State::Scan`]: bytes of the delimiter that were read already.
    matched: usize,
    /// How many of those were not read but granted: the CRLF in front of the first delimiter, and the one that
    /// an empty part shares with the end of its head.
    granted: usize,
    /// The start of a part's head that a buffer's end cut.
    carry: Vec<u8>,
    /// How often a byte was looked at or copied; each counts as often as that happens to it.
    #[cfg(test)]
    work: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Between delimiters: in the preamble or in a part.
    Scan,
    /// Behind a delimiter's boundary.
    Boundary,
    /// Behind one dash more.
    Dash,
    /// Behind a CR that follows the boundary.
    Cr,
    /// In the spaces behind a boundary.
    Padding,
    /// Behind the CR that follows them.
    PaddingCr,
    /// In a part's head.
    Head,
    /// Behind the closing delimiter.
    Closed,
    /// An error was found; it stays found.
    Failed,
}

impl Multipart {
    /// A parser that has seen nothing.
    #[must_use]
    pub fn new(boundary: &Boundary) -> Multipart {
        let dashed = [b"\r\n--", boundary.as_bytes(), b"-"].concat();
        Multipart {
            finder: Finder::new(&dashed[..dashed.len() - 1]).into_owned(),
            dashed: dashed.into(),
            input: Bytes::new(),
            state: State::Scan,
            in_part: false,
            matched: 2,
            granted: 2,
            carry: Vec::new(),
            #[cfg(test)]
            work: 0,
        }
    }

    /// Takes the next piece of the body. Meant to be called when [`next`](Multipart::next) said
    /// [`NeedMore`](Event::NeedMore); what is not used up by then is copied together with the new piece.
    pub fn push(&mut self, piece: Bytes) {
        self.count(if self.input.is_empty() { 0 } else { self.input.len() + piece.len() });
        self.input = if self.input.is_empty() { piece } else { [&self.input[..], &piece].concat().into() };
    }

    /// The next event.
    ///
    /// # Errors
    /// 400 for a malformed boundary line or part head, 415 for an encoded part, 431 for a part head beyond
    /// its limit. Every later call fails too.
    #[expect(
        clippy::should_implement_trait,
        reason = "NeedMore is not the end, and an error is: no iterator"
    )]
    pub fn next(&mut self) -> Result<Event, HttpError> {
        let result = self.advance();
        if result.is_err() {
            self.state = State::Failed;
        }
        result
    }

    /// To be asked when the body has ended and [`next`](Multipart::next) says [`NeedMore`](Event::NeedMore) or
    /// [`End`](Event::End).
    ///
    /// # Errors
    /// 400 when the closing boundary is missing.
    pub fn finish(&self) -> Result<(), HttpError> {
        match self.state {
            State::Closed => Ok(()),
            _ => Err(HttpError::bad_request("the multipart body ends before its closing boundary")),
        }
    }

    fn advance(&mut self) -> Result<Event, HttpError> {
        loop {
            let event = match self.state {
                State::Closed => {
                    self.input.clear();
                    return Ok(Event::End);
                }
                State::Failed => return Err(HttpError::bad_request("the multipart body was malformed")),
                _ if self.input.is_empty() => return Ok(Event::NeedMore),
                State::Scan if self.matched > 0 => self.resume(),
                State::Scan => self.scan(),
                State::Head => self.head()?,
                state => self.behind_boundary(state, self.input[0])?,
            };
            if let Some(event) = event {
                return Ok(event);
            }
        }
    }

    /// Looks for the delimiter in the input.
    fn scan(&mut self) -> Option<Event> {
        let found = self.finder.find(&self.input);
        self.count(found.map_or(self.input.len(), |at| at + self.delimiter_len()));
        let data = if let Some(at) = found {
            let data = self.input.split_to(at);
            self.input.advance(self.delimiter_len());
            self.state = State::Boundary;
            data
        } else {
            let held = self.held_tail();
            self.count(self.delimiter_len());
            let data = self.input.split_to(self.input.len() - held);
            self.input.clear();
            self.matched = held;
            data
        };
        self.data(data)
    }

    /// How many bytes at the input's end may begin a delimiter. Only the last CR can.
    fn held_tail(&self) -> usize {
        let window = self.input.len().min(self.delimiter_len() - 1);
        let tail = &self.input[self.input.len() - window..];
        match memchr::memrchr(b'\r', tail) {
            Some(at) if self.dashed.starts_with(&tail[at..]) => tail.len() - at,
            _ => 0,
        }
    }

    /// Goes on with a delimiter whose first bytes are read.
    fn resume(&mut self) -> Option<Event> {
        let wanted = &self.dashed[self.matched..self.delimiter_len()];
        let same = wanted.iter().zip(&self.input[..]).take_while(|(a, b)| a == b).count();
        let complete = same == wanted.len();
        self.count(same + 1);
        self.input.advance(same);
        self.matched += same;
        if complete {
            self.matched = 0;
            self.state = State::Boundary;
            None
        } else if self.input.is_empty() {
            None
        } else {
            let matched = std::mem::take(&mut self.matched);
            self.release(matched)
        }
    }

    /// Reads the byte that decides whether a boundary was a delimiter, and which.
    fn behind_boundary(&mut self, state: State, byte: u8) -> Result<Option<Event>, HttpError> {
        self.count(1);
        let (state, event) = match (state, byte) {
            (State::Boundary, b'-') => (State::Dash, None),
            (State::Boundary, b'\r') => (State::Cr, None),
            (State::Boundary | State::Padding, b' ' | b'\t') => (State::Padding, None),
            (State::Padding, b'\r') => (State::PaddingCr, None),
            (State::Dash, b'-') => (State::Closed, self.end_part()),
            (State::Cr | State::PaddingCr, b'\n') => (State::Head, self.end_part()),
            (State::Padding | State::PaddingCr, _) => {
                return Err(HttpError::bad_request("malformed line behind a multipart boundary"));
            }
            // Bytes that go on where a boundary ended: a longer word, not a delimiter. The byte is read again.
            (state, _) => {
                let dash = usize::from(state == State::Dash);
                self.state = State::Scan;
                // The CR may begin a delimiter itself.
                self.matched = usize::from(state == State::Cr);
                return Ok(self.release(self.delimiter_len() + dash));
            }
        };
        self.input.advance(1);
        self.state = state;
        Ok(event)
    }

    /// Gives out the delimiter's first `len` bytes, as they turned out to be data.
    fn release(&mut self, len: usize) -> Option<Event> {
        let from = std::mem::take(&mut self.granted);
        let data = self.dashed.slice(from..len);
        self.data(data)
    }

    fn data(&self, data: Bytes) -> Option<Event> {
        (self.in_part && !data.is_empty()).then_some(Event::Data(data))
    }

    fn end_part(&mut self) -> Option<Event> {
        self.granted = 0;
        std::mem::take(&mut self.in_part).then_some(Event::PartEnd)
    }

    /// Reads a part's head, if it is all there.
    fn head(&mut self) -> Result<Option<Event>, HttpError> {
        let block = if self.carry.is_empty()
            && let Some(end) = head_end(&self.input, 0)
        {
            self.input.split_to(end)
        } else {
            let known = self.carry.len();
            let room = (PART_HEAD_BYTES_MAX + 1).saturating_sub(known);
            self.count(2 * room.min(self.input.len()) + 4);
            self.carry.extend_from_slice(&self.input[..room.min(self.input.len())]);
            let Some(end) = head_end(&self.carry, known) else {
                self.input.advance(self.carry.len() - known);
                return if self.carry.len() > PART_HEAD_BYTES_MAX { Err(too_long()) } else { Ok(None) };
            };
            self.carry.truncate(end);
            self.input.advance(end - known);
            Bytes::from(std::mem::take(&mut self.carry))
        };
        if block.len() > PART_HEAD_BYTES_MAX {
            return Err(too_long());
        }
        self.count(2 * block.len());
        let head = PartHead::parse(&block)?;
        self.state = State::Scan;
        self.in_part = true;
        // RFC 2046 lets a part without content share the empty line's CRLF with the delimiter.
        (self.matched, self.granted) = (2, 2);
        Ok(Some(Event::PartBegin(head)))
    }

    fn delimiter_len(&self) -> usize {
        self.dashed.len() - 1
    }

    /// So many bytes are looked at or copied. Tests hold that against the body's length.
    fn count(&mut self, bytes: usize) {
        #[cfg(test)]
        {
            self.work += bytes;
        }
        #[cfg(not(test))]
        let _ = bytes;
    }
}

fn too_long() -> HttpError {
    let message = format!("the head of a part is longer than {PART_HEAD_BYTES_MAX} bytes");
    HttpError::new(Status::RequestHeaderFieldsTooLarge, message)
}

/// The end of the head that `bytes` begin with; none was found in the first `known` bytes.
fn head_end(bytes: &[u8], known: usize) -> Option<usize> {
    if bytes.starts_with(b"\r\n") {
        return Some(2);
    }
    let from = known.saturating_sub(3);
    // No head is longer than the limit: what lies beyond is data.
    let to = bytes.len().min(PART_HEAD_BYTES_MAX + 1);
    let mut rest = from;
    while let Some(at) = memchr::memchr(b'\n', &bytes[rest..to]) {
        let end = rest + at + 1;
        if bytes[..end].ends_with(b"\r\n\r\n") {
            return Some(end);
        }
        rest = end;
    }
    None
}

#[cfg(test)]
#[path = "parser_tests.rs"]
mod tests;
