//! The body of a request: `Content-Length` or the chunked coding (RFC 9112 sections 6 and 7).
//!
//! A [`BodyReader`] takes from the input what belongs to the body and not a byte more: behind [`BodyEvent::End`]
//! the input begins with the next request. Chunk lines are read byte by byte, so where inputs are cut makes no
//! difference. Data are slices of the input.

use bytes::{Buf as _, Bytes};

use super::chars::{hex_digit, is_token_byte, is_value_byte};
use super::error::{HttpError, Status};
use super::fields::{Values, lines};
use super::head::BodyFraming;
use crate::limits::{CHUNK_LINE_BYTES_MAX, TRAILER_BYTES_MAX};

/// Digits of a chunk size. As many as a `u64` has.
const SIZE_DIGITS_MAX: u32 = 16;

/// What comes next of a body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BodyEvent {
    /// Some bytes of the content, at least one.
    Data(Bytes),
    /// The input is used up.
    NeedMore,
    /// The body is complete. Comes again on every later call.
    End,
}

/// Reads one body.
#[derive(Clone, Debug)]
pub struct BodyReader {
    state: State,
    received: u64,
    /// Field lines behind the last chunk, without the empty line.
    trailers: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// `Content-Length` bytes are owed.
    Length(u64),
    /// In the line in front of a chunk.
    Line(Line),
    /// Chunk bytes are owed.
    Chunk(u64),
    /// At the CR or LF behind a chunk.
    ChunkCr,
    ChunkLf,
    /// At the start of the trailer section.
    TrailerFirst,
    /// At the start of a later line of it, or within one.
    TrailerStart,
    Trailer,
    TrailerLf,
    /// At the LF of the empty line at the end.
    LastLf,
    Done,
    /// An error was found; it stays found.
    Failed,
}

/// Progress in a chunk line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Line {
    at: LineAt,
    /// The chunk's size as far as read.
    size: u64,
    digits: u32,
    /// Bytes of the line as far as read.
    bytes: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum LineAt {
    Size,
    /// Behind a `;`.
    ExtensionStart,
    ExtensionName,
    /// Behind a `=`.
    ValueStart,
    ValueToken,
    ValueQuoted,
    ValueEscape,
    ValueEnd,
    Lf,
}

const LINE: State = State::Line(Line { at: LineAt::Size, size: 0, digits: 0, bytes: 0 });

impl BodyReader {
    /// A reader of a body that is framed like this.
    #[must_use]
    pub fn new(framing: BodyFraming) -> BodyReader {
        let state = match framing {
            BodyFraming::None | BodyFraming::Length(0) => State::Done,
            BodyFraming::Length(length) => State::Length(length),
            BodyFraming::Chunked => LINE,
        };
        BodyReader { state, received: 0, trailers: Vec::new() }
    }

    /// Takes the next event's bytes off `input`.
    ///
    /// # Errors
    /// 400 for a malformed chunk or trailer, 431 for a chunk line or trailer section beyond its limit. Both
    /// close the connection, and every later call fails too.
    pub fn next(&mut self, input: &mut Bytes) -> Result<BodyEvent, HttpError> {
        let result = self.advance(input);
        if result.is_err() {
            self.state = State::Failed;
        }
        result
    }

    fn advance(&mut self, input: &mut Bytes) -> Result<BodyEvent, HttpError> {
        loop {
            match self.state {
                State::Done => return Ok(BodyEvent::End),
                State::Failed => return Err(HttpError::framing("the body was malformed")),
                _ if input.is_empty() => return Ok(BodyEvent::NeedMore),
                State::Length(owed) => {
                    let (data, owed) = self.take(input, owed);
                    self.state = if owed == 0 { State::Done } else { State::Length(owed) };
                    return Ok(BodyEvent::Data(data));
                }
                State::Chunk(owed) => {
                    let (data, owed) = self.take(input, owed);
                    self.state = if owed == 0 { State::ChunkCr } else { State::Chunk(owed) };
                    return Ok(BodyEvent::Data(data));
                }
                state => self.state = self.step(state, input.get_u8())?,
            }
        }
    }

    /// Takes up to `owed` bytes, and tells how many are still owed.
    fn take(&mut self, input: &mut Bytes, owed: u64) -> (Bytes, u64) {
        let count = usize::try_from(owed).map_or(input.len(), |owed| owed.min(input.len()));
        let data = input.split_to(count);
        self.received += count as u64;
        (data, owed - count as u64)
    }

    /// The state behind one byte of the coding.
    fn step(&mut self, state: State, byte: u8) -> Result<State, HttpError> {
        Ok(match (state, byte) {
            (State::Line(line), _) => line.step(byte)?,
            (State::ChunkCr, b'\r') => State::ChunkLf,
            (State::ChunkLf, b'\n') => LINE,
            (State::ChunkCr | State::ChunkLf, _) => return Err(malformed("a chunk is not followed by CRLF")),
            (State::TrailerFirst, b'\r') => State::LastLf,
            (State::LastLf, b'\n') => {
                self.check_trailers()?;
                State::Done
            }
            (State::TrailerStart, b'\r') => State::LastLf,
            (State::TrailerFirst | State::TrailerStart | State::Trailer, b'\n') | (State::LastLf, _) => {
                return Err(malformed("a line of the trailer section does not end in CRLF"));
            }
            (State::TrailerFirst | State::TrailerStart | State::Trailer | State::TrailerLf, _) => {
                self.keep_trailer(state, byte)?
            }
            (State::Length(_) | State::Chunk(_) | State::Done | State::Failed, _) => state,
        })
    }

    fn keep_trailer(&mut self, state: State, byte: u8) -> Result<State, HttpError> {
        if self.trailers.len() >= TRAILER_BYTES_MAX {
            let message = format!("the trailer section is longer than {TRAILER_BYTES_MAX} bytes");
            return Err(HttpError::new(Status::RequestHeaderFieldsTooLarge, message).closing());
        }
        self.trailers.push(byte);
        match (state, byte) {
            (State::TrailerLf, b'\n') => Ok(State::TrailerStart),
            (State::TrailerLf, _) => Err(malformed("a line of the trailer section does not end in CRLF")),
            (_, b'\r') => Ok(State::TrailerLf),
            _ => Ok(State::Trailer),
        }
    }

    fn check_trailers(&self) -> Result<(), HttpError> {
        for field in lines(&self.trailers, Values::Strict, "the trailer section") {
            let (name, _) = field.map_err(HttpError::closing)?;
            if let Some(name) = FORBIDDEN_TRAILERS.iter().find(|f| name.eq_ignore_ascii_case(f.as_bytes())) {
                return Err(HttpError::framing(format!("the field {name} in a trailer")));
            }
        }
        Ok(())
    }

    /// The value of the first trailer field called `name`. Meaningful after [`BodyEvent::End`].
    #[must_use]
    pub fn trailer(&self, name: &str) -> Option<&[u8]> {
        self.trailers(name).next()
    }

    /// The values of all trailer fields called `name`. Meaningful after [`BodyEvent::End`].
    pub fn trailers<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        lines(&self.trailers, Values::Strict, "the trailer section")
            .map_while(Result::ok)
            .filter(move |(field, _)| field.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// Content bytes still owed; unknown of a chunked body until its end.
    #[must_use]
    pub fn remaining(&self) -> Option<u64> {
        match self.state {
            State::Length(owed) => Some(owed),
            State::Done => Some(0),
            _ => None,
        }
    }

    /// Content bytes given out so far.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Whether the whole body was read.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }
}

/// Fields that must not come behind a body: those that frame, route or steer (RFC 9110 section 6.5.1).
const FORBIDDEN_TRAILERS: [&str; 22] = [
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "expect",
    "host",
    "if-match",
    "if-none-match",
    "keep-alive",
    "max-forwards",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

impl Line {
    /// `chunk-size [chunk-ext] CRLF` (RFC 9112 section 7.1), without whitespace behind the size: a line that
    /// two parsers may read in two ways is refused.
    fn step(mut self, byte: u8) -> Result<State, HttpError> {
        self.bytes += 1;
        if self.bytes > CHUNK_LINE_BYTES_MAX {
            let message =
                format!("a chunk's size and extensions are longer than {CHUNK_LINE_BYTES_MAX} bytes");
            return Err(HttpError::new(Status::RequestHeaderFieldsTooLarge, message).closing());
        }
        self.at = match (self.at, byte) {
            (LineAt::Size, b';') if self.digits > 0 => LineAt::ExtensionStart,
            (LineAt::Size, b'\r') if self.digits > 0 => LineAt::Lf,
            (LineAt::Size, _) => {
                let digit = hex_digit(byte).filter(|_| self.digits < SIZE_DIGITS_MAX);
                let digit = digit.ok_or_else(|| malformed("malformed chunk size"))?;
                self.size = self.size << 4 | u64::from(digit);
                self.digits += 1;
                LineAt::Size
            }
            (LineAt::Lf, b'\n') => {
                return Ok(if self.size == 0 { State::TrailerFirst } else { State::Chunk(self.size) });
            }
            (LineAt::ExtensionStart, b' ' | b'\t') => LineAt::ExtensionStart,
            (LineAt::ExtensionStart | LineAt::ExtensionName, _) if is_token_byte(byte) => {
                LineAt::ExtensionName
            }
            (LineAt::ExtensionName, b'=') => LineAt::ValueStart,
            (LineAt::ValueStart, b'"') => LineAt::ValueQuoted,
            (LineAt::ValueStart | LineAt::ValueToken, _) if is_token_byte(byte) => LineAt::ValueToken,
            (LineAt::ValueQuoted, b'"') => LineAt::ValueEnd,
            (LineAt::ValueQuoted, b'\\') => LineAt::ValueEscape,
            (LineAt::ValueQuoted | LineAt::ValueEscape, _) if is_value_byte(byte) => LineAt::ValueQuoted,
            (LineAt::ExtensionName | LineAt::ValueToken | LineAt::ValueEnd, b';') => LineAt::ExtensionStart,
            (LineAt::ExtensionName | LineAt::ValueToken | LineAt::ValueEnd, b'\r') => LineAt::Lf,
            (LineAt::Lf, _) => return Err(malformed("a chunk's line does not end in CRLF")),
            _ => return Err(malformed("malformed chunk extension")),
        };
        Ok(State::Line(self))
    }
}

fn malformed(message: &'static str) -> HttpError {
    HttpError::framing(message)
}

#[cfg(test)]
#[path = "framing_tests.rs"]
mod tests;
