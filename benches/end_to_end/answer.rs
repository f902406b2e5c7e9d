//! An answer as it comes off a connection: head by `httparse`, body by Content-Length or chunks, piece by piece.
//!
//! Always true: an answer is done exactly at its last byte, and a byte after that is an error, as this client has
//! one request outstanding at a time.

use sha2::{Digest as _, Sha256};

/// What to do with the body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Keep {
    /// Count its bytes.
    Length,
    /// Count and hash them.
    Digest,
    /// Keep them.
    Bytes,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    Head,
    /// So many bytes are left, by Content-Length.
    Sized(u64),
    /// In a chunk-size line, with its value so far and whether its digits are over.
    ChunkSize(u64, bool),
    /// So many bytes of a chunk are left.
    Chunk(u64),
    /// Between a chunk and the next size line.
    ChunkEnd,
    /// In the trailers, so many bytes into the line.
    Trailers(usize),
    Done,
}

/// An answer, complete or on its way.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// What it says of durability (`Rhinobox-Durability`): `commit`, `os`, or nothing.
    pub(crate) durability: &'static str,
    /// Whether the connection ends behind it.
    pub(crate) closes: bool,
    /// The body's bytes so far.
    pub(crate) length: u64,
    /// The body, where it is kept.
    pub(crate) body: Vec<u8>,
    keep: Keep,
    digest: Sha256,
    head: Vec<u8>,
    part: Part,
}

impl Answer {
    pub(crate) fn new() -> Self {
        Self {
            status: 0,
            durability: "",
            closes: false,
            length: 0,
            body: Vec::new(),
            keep: Keep::Bytes,
            digest: Sha256::new(),
            head: Vec::new(),
            part: Part::Head,
        }
    }

    /// Makes ready for the next answer.
    pub(crate) fn expect(&mut self, keep: Keep) {
        self.status = 0;
        self.length = 0;
        self.body.clear();
        self.keep = keep;
        self.digest.reset();
        self.head.clear();
        self.part = Part::Head;
    }

    pub(crate) fn is_done(&self) -> bool {
        self.part == Part::Done
    }

    /// SHA-256 of the body, if it was asked for.
    pub(crate) fn digest(&mut self) -> [u8; 32] {
        self.digest.finalize_reset().into()
    }

    /// The start of the body as text, for messages.
    pub(crate) fn excerpt(&self) -> String {
        String::from_utf8_lossy(&self.body[..self.body.len().min(300)]).into_owned()
    }

    /// Takes what was received.
    ///
    /// # Errors
    /// In words, what is wrong with it.
    pub(crate) fn feed(&mut self, mut input: &[u8]) -> Result<(), String> {
        while !input.is_empty() {
            match self.part {
                Part::Head => match self.take_head(input)? {
                    Some(taken) => input = &input[taken..],
                    None => return Ok(()),
                },
                Part::Sized(left) | Part::Chunk(left) => {
                    let take = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                    self.take_body(&input[..take]);
                    input = &input[take..];
                    let left = left - take as u64;
                    self.part = match self.part {
                        Part::Sized(_) if left == 0 => Part::Done,
                        Part::Sized(_) => Part::Sized(left),
                        _ if left == 0 => Part::ChunkEnd,
                        _ => Part::Chunk(left),
                    };
                }
                Part::ChunkSize(size, over) => {
                    self.part = match (input[0], over) {
                        (b'\n', _) if size == 0 => Part::Trailers(0),
                        (b'\n', _) => Part::Chunk(size),
                        (byte, false) if byte.is_ascii_hexdigit() && size < 1 << 58 => {
                            let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
                            Part::ChunkSize(size * 16 + digit, false)
                        }
                        (b';' | b' ' | b'\t' | b'\r', _) | (_, true) => Part::ChunkSize(size, true),
                        (byte, false) => return Err(format!("byte {byte:#04x} in a chunk size")),
                    };
                    input = &input[1..];
                }
                Part::ChunkEnd => {
                    match input[0] {
                        b'\r' => {}
                        b'\n' => self.part = Part::ChunkSize(0, false),
                        byte => return Err(format!("byte {byte:#04x} behind a chunk")),
                    }
                    input = &input[1..];
                }
                Part::Trailers(column) => {
                    self.part = match input[0] {
                        b'\n' if column == 0 => Part::Done,
                        b'\n' => Part::Trailers(0),
                        b'\r' => Part::Trailers(column),
                        _ => Part::Trailers(column + 1),
                    };
                    input = &input[1..];
                }
                Part::Done => return Err(format!("{} bytes behind the answer", input.len())),
            }
        }
        Ok(())
    }

    /// Takes bytes of the head; how many, once it is complete.
    fn take_head(&mut self, input: &[u8]) -> Result<Option<usize>, String> {
        let before = self.head.len();
        let mut fields = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut fields);
        // Nearly always the head comes whole and is not copied.
        let bytes = if before == 0 {
            input
        } else {
            self.head.extend_from_slice(input);
            &self.head
        };
        let status = response.parse(bytes).map_err(|error| format!("a head that is not HTTP: {error}"))?;
        let httparse::Status::Complete(end) = status else {
            if before == 0 {
                self.head.extend_from_slice(input);
            }
            return Ok(None);
        };
        self.status = response.code.unwrap_or(0);
        if (100..200).contains(&self.status) {
            return Err(format!("status {}, which was not asked for", self.status));
        }
        let field = |name: &str| {
            response
                .headers
                .iter()
                .find(|field| field.name.eq_ignore_ascii_case(name))
                .map(|field| field.value)
        };
        self.durability = match field("rhinobox-durability") {
            Some(b"commit") => "commit",
            Some(b"os") => "os",
            _ => "",
        };
        self.closes = field("connection").is_some_and(|value| value.eq_ignore_ascii_case(b"close"));
        self.part = match (field("transfer-encoding"), field("content-length")) {
            (Some(coding), _) if coding.eq_ignore_ascii_case(b"chunked") => Part::ChunkSize(0, false),
            (None, Some(length)) => {
                let length = str::from_utf8(length).ok().and_then(|length| length.trim().parse().ok());
                match length.ok_or("a Content-Length that is no number")? {
                    0 => Part::Done,
                    length => Part::Sized(length),
                }
            }
            _ if self.status == 204 || self.status == 304 => Part::Done,
            _ => return Err("an answer of unknown length".into()),
        };
        Ok(Some(end - before))
    }

    fn take_body(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        match self.keep {
            Keep::Length => {}
            Keep::Digest => self.digest.update(bytes),
            Keep::Bytes => self.body.extend_from_slice(bytes),
        }
    }
}
