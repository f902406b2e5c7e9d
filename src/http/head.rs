//! The request head: request line and fields, and what they decide (RFC 9112 sections 2 to 7 and 9).
//!
//! A [`Head`] that exists is well formed: lines ended in CRLF, names are tokens, at most one framing was
//! declared, and HTTP/1.1 named exactly one host. Anything doubtful is an error that closes the connection:
//! a parser in front of this one may have read it otherwise, and what follows could be a smuggled request.
//! The bytes are kept as one slice of the input; fields are spans into it. Offsets fit 16 bits.

use std::mem::MaybeUninit;

use bytes::Bytes;
use smallvec::SmallVec;

use super::chars::{bare_lf, decimal, list};
use super::error::{HttpError, Status};
use super::target::{Target, is_host};
use crate::limits::{HEAD_BYTES_MAX, HEADERS_MAX, TARGET_BYTES_MAX};

const _: () = assert!(HEAD_BYTES_MAX <= 0xffff);

/// A request method. Case matters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Method {
    /// GET
    Get,
    /// HEAD
    Head,
    /// POST
    Post,
    /// PUT
    Put,
    /// DELETE
    Delete,
    /// PATCH
    Patch,
    /// OPTIONS
    Options,
    /// Any other token. No resource here knows it.
    Other,
}

impl Method {
    fn from_token(token: &str) -> Method {
        match token {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            "POST" => Method::Post,
            "PUT" => Method::Put,
            "DELETE" => Method::Delete,
            "PATCH" => Method::Patch,
            "OPTIONS" => Method::Options,
            _ => Method::Other,
        }
    }

    /// Whether it only asks (RFC 9110 section 9.2.1). Unknown methods are taken to change something.
    #[must_use]
    pub fn is_safe(self) -> bool {
        matches!(self, Method::Get | Method::Head | Method::Options)
    }
}

/// The protocol version of a request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Version {
    /// HTTP/1.0: no chunked coding, no 100, closes unless asked not to.
    Http10,
    /// HTTP/1.1
    Http11,
}

/// How long the body of a request is (RFC 9112 section 6).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BodyFraming {
    /// There is no body.
    None,
    /// `Content-Length`, in bytes. May be 0.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

/// What the client waits for before it sends the body.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Expect {
    /// Nothing.
    None,
    /// `100 Continue`. Only of an HTTP/1.1 request with a body.
    Continue,
}

/// A range of the head's bytes.
#[derive(Clone, Copy, Default, Debug)]
struct Span {
    start: u16,
    len: u16,
}

impl Span {
    /// Where `part`, a slice of `whole`, lies in it.
    fn of(whole: &[u8], part: &[u8]) -> Span {
        if part.is_empty() {
            return Span::default();
        }
        let start = part.as_ptr().addr() - whole.as_ptr().addr();
        Span { start: small(start), len: small(part.len()) }
    }

    fn get(self, bytes: &[u8]) -> &[u8] {
        &bytes[usize::from(self.start)..][..usize::from(self.len)]
    }
}

fn small(n: usize) -> u16 {
    u16::try_from(n).expect("a head is no longer than HEAD_BYTES_MAX")
}

#[derive(Clone, Copy, Debug)]
struct Field {
    name: Span,
    value: Span,
}

/// A well-formed request head. Keeps the buffer it was read from alive.
#[derive(Clone, Debug)]
pub struct Head {
    bytes: Bytes,
    fields: SmallVec<[Field; 20]>,
    path: Span,
    query: Option<Span>,
    host: Option<Span>,
    /// The method.
    pub method: Method,
    /// The protocol version.
    pub version: Version,
    /// How long the body is.
    pub framing: BodyFraming,
    /// What the client waits for.
    pub expect: Expect,
    /// Whether the client means to go on using the connection (RFC 9112 section 9.3).
    pub keep_alive: bool,
}

impl Head {
    /// Reads the head that `input` begins with, and tells how many bytes it took; `None` when it is not all
    /// there. Read anew from the start when more has arrived.
    ///
    /// # Errors
    /// 400 for what is malformed or doubtful, 414 and 431 beyond the limits, 417 for an expectation other than
    /// `100-continue`, 505 for other versions. All close the connection.
    pub fn parse(input: &Bytes) -> Result<Option<(Head, usize)>, HttpError> {
        let skipped = match &input[..] {
            [b'\r'] | [] => return Ok(None),
            // A robust server ignores one empty line in front (RFC 9112 section 2.2).
            [b'\r', b'\n', ..] => 2,
            _ => 0,
        };
        let text = &input[skipped..];
        if matches!(text, [b'\r' | b'\n', ..]) {
            return Err(HttpError::framing("empty line where a request should begin"));
        }
        let mut fields = [const { MaybeUninit::uninit() }; HEADERS_MAX];
        let mut request = httparse::Request::new(&mut []);
        let status = httparse::ParserConfig::default()
            .parse_request_with_uninit_headers(&mut request, text, &mut fields)
            .map_err(|error| refusal(error, text))?;
        let target_bytes = request.path.map_or(0, str::len);
        if target_bytes > TARGET_BYTES_MAX {
            return Err(target_too_long());
        }
        let httparse::Status::Complete(consumed) = status else {
            return match (text.len() > HEAD_BYTES_MAX, request.path) {
                // The longest method anyone uses leaves the rest to the target.
                (_, None) if text.len() > TARGET_BYTES_MAX + 32 => Err(target_too_long()),
                (true, _) => Err(head_too_long()),
                (false, _) => Ok(None),
            };
        };
        if consumed > HEAD_BYTES_MAX {
            return Err(head_too_long());
        }
        let text = &text[..consumed];
        if bare_lf(text).is_some() {
            return Err(HttpError::framing("a line of the request head does not end in CRLF"));
        }
        let version = if request.version == Some(1) { Version::Http11 } else { Version::Http10 };
        let method = request.method.unwrap_or_default();
        let target = Target::parse(method, request.path.unwrap_or_default().as_bytes())?;
        let known = Known::scan(request.headers)?;
        let host = known.host(version)?;
        let framing = known.framing(version)?;
        let head = Head {
            fields: request
                .headers
                .iter()
                .map(|field| Field {
                    name: Span::of(text, field.name.as_bytes()),
                    value: Span::of(text, field.value),
                })
                .collect(),
            path: target.path.map_or(Span::default(), |path| Span::of(text, path)),
            query: target.query.map(|query| Span::of(text, query)),
            host: target.authority.or(host).map(|host| Span::of(text, host)),
            method: Method::from_token(method),
            version,
            framing,
            expect: known.expect(version, framing)?,
            keep_alive: known.keep_alive(version),
            bytes: input.slice(skipped..skipped + consumed),
        };
        Ok(Some((head, skipped + consumed)))
    }

    /// The method as it was sent: a token, however long.
    #[must_use]
    pub fn method_as_sent(&self) -> &[u8] {
        self.bytes.split(|byte| *byte == b' ').next().unwrap_or_default()
    }

    /// The path of the target as sent, percent signs and all. Begins with `/`; is `*` of `OPTIONS *`.
    #[must_use]
    pub fn path(&self) -> &[u8] {
        match self.path.get(&self.bytes) {
            // `http://host` asks for `/` (RFC 9112 section 3.2.2).
            [] => b"/",
            path => path,
        }
    }

    /// What follows the first `?` of the target, as sent.
    #[must_use]
    pub fn query(&self) -> Option<&[u8]> {
        self.query.map(|query| query.get(&self.bytes))
    }

    /// The host asked for, with the port if one was named: the authority of an absolute target, else the Host
    /// field. Well formed, never empty; absent only of HTTP/1.0.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.host.and_then(|host| std::str::from_utf8(host.get(&self.bytes)).ok())
    }

    /// The value of the first field called `name` (given in any case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.all(name).next()
    }

    /// The values of all fields called `name`, in order. Together they are one list (RFC 9110 section 5.3).
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.iter()
            .filter(move |(field, _)| field.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// All fields, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields.iter().map(|field| (field.name.get(&self.bytes), field.value.get(&self.bytes)))
    }
}

fn target_too_long() -> HttpError {
    let message = format!("the request target is longer than {TARGET_BYTES_MAX} bytes");
    HttpError::new(Status::UriTooLong, message).closing()
}

fn head_too_long() -> HttpError {
    let message = format!("the request head is longer than {HEAD_BYTES_MAX} bytes");
    HttpError::new(Status::RequestHeaderFieldsTooLarge, message).closing()
}

/// What httparse's error means for the client.
fn refusal(error: httparse::Error, text: &[u8]) -> HttpError {
    use httparse::Error;
    match error {
        Error::TooManyHeaders => {
            let message = format!("the request has more than {HEADERS_MAX} header fields");
            HttpError::new(Status::RequestHeaderFieldsTooLarge, message).closing()
        }
        Error::Version if names_other_version(text) => {
            HttpError::new(Status::HttpVersionNotSupported, "only HTTP/1.0 and HTTP/1.1 are spoken here")
                .closing()
        }
        Error::HeaderName => HttpError::framing("malformed header field name"),
        Error::HeaderValue => HttpError::framing("malformed header field value"),
        Error::NewLine => HttpError::framing("a line of the request head does not end in CRLF"),
        _ => HttpError::framing("malformed request line"),
    }
}

/// Whether the request line is well formed and names some other `HTTP/d.d`.
fn names_other_version(text: &[u8]) -> bool {
    let line = text.split(|&byte| byte == b'\r' || byte == b'\n').next().unwrap_or_default();
    let mut words = line.split(|&byte| byte == b' ');
    let (_method, target, version, end) = (words.next(), words.next(), words.next(), words.next());
    let is_other = match version {
        Some(b"HTTP/1.0" | b"HTTP/1.1") => false,
        Some([b'H', b'T', b'T', b'P', b'/', major, b'.', minor]) => {
            major.is_ascii_digit() && minor.is_ascii_digit()
        }
        _ => false,
    };
    is_other && target.is_some_and(|target| !target.is_empty()) && end.is_none()
}

/// The fields that frame a message or steer the connection.
#[derive(Default)]
struct Known<'a> {
    host: Option<&'a [u8]>,
    content_length: Option<&'a [u8]>,
    transfer_encoding: Option<&'a [u8]>,
    /// Some expectation, and whether there is one besides `100-continue`.
    expect: Option<bool>,
    close: bool,
    keep: bool,
}

impl<'a> Known<'a> {
    fn scan(fields: &[httparse::Header<'a>]) -> Result<Known<'a>, HttpError> {
        let mut known = Known::default();
        for field in fields {
            let is = |name: &str| field.name.eq_ignore_ascii_case(name);
            match field.name.len() {
                4 if is("host") => once(&mut known.host, field.value, "Host")?,
                6 if is("expect") => {
                    let other = !field.value.eq_ignore_ascii_case(b"100-continue");
                    known.expect = Some(known.expect.unwrap_or(false) | other);
                }
                10 if is("connection") => {
                    for option in list(field.value) {
                        known.close |= option.eq_ignore_ascii_case(b"close");
                        known.keep |= option.eq_ignore_ascii_case(b"keep-alive");
                    }
                }
                14 if is("content-length") => {
                    once(&mut known.content_length, field.value, "Content-Length")?;
                }
                17 if is("transfer-encoding") => {
                    once(&mut known.transfer_encoding, field.value, "Transfer-Encoding")?;
                }
                _ => {}
            }
        }
        Ok(known)
    }

    fn host(&self, version: Version) -> Result<Option<&'a [u8]>, HttpError> {
        match self.host {
            Some(host) if is_host(host) => Ok(Some(host)),
            Some(_) => Err(HttpError::framing("malformed Host field")),
            None if version == Version::Http11 => Err(HttpError::framing("the Host field is missing")),
            None => Ok(None),
        }
    }

    fn framing(&self, version: Version) -> Result<BodyFraming, HttpError> {
        match (self.content_length, self.transfer_encoding) {
            (None, None) => Ok(BodyFraming::None),
            (Some(_), Some(_)) => Err(HttpError::framing("both Content-Length and Transfer-Encoding")),
            (Some(length), None) => decimal(length)
                .map(BodyFraming::Length)
                .ok_or_else(|| HttpError::framing("malformed Content-Length")),
            (None, Some(_)) if version == Version::Http10 => {
                Err(HttpError::framing("Transfer-Encoding in an HTTP/1.0 request"))
            }
            (None, Some(coding)) if coding.eq_ignore_ascii_case(b"chunked") => Ok(BodyFraming::Chunked),
            (None, Some(_)) => Err(HttpError::framing("the only Transfer-Encoding taken is chunked")),
        }
    }

    fn expect(&self, version: Version, framing: BodyFraming) -> Result<Expect, HttpError> {
        let has_body = !matches!(framing, BodyFraming::None | BodyFraming::Length(0));
        match self.expect {
            Some(true) => {
                let message = "the only expectation met is 100-continue";
                Err(HttpError::new(Status::ExpectationFailed, message).closing())
            }
            Some(false) if version == Version::Http11 && has_body => Ok(Expect::Continue),
            // HTTP/1.0 never gets a 100 (RFC 9110 section 10.1.1).
            _ => Ok(Expect::None),
        }
    }

    fn keep_alive(&self, version: Version) -> bool {
        !self.close && (version == Version::Http11 || self.keep)
    }
}

fn once<'a>(slot: &mut Option<&'a [u8]>, value: &'a [u8], name: &str) -> Result<(), HttpError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(HttpError::framing(format!("more than one {name} field"))),
    }
}

#[cfg(test)]
#[path = "head_tests.rs"]
mod tests;
