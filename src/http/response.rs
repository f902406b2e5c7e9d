//! Response heads and the framing of response bodies, appended to a buffer.
//!
//! No value can end its line: field values pass a filter that drops every byte but visible ASCII, space and
//! beyond-ASCII, so a name a client chose can never become a header of its own (RFC 9110 section 5.5).

use super::digest_field;
use super::error::{Extra, HttpError, Status};
use super::head::Version;
use super::json::{write_number, write_string};
use super::range::{ByteRange, write_content_range, write_unsatisfied};
use crate::base::digest::Digest;

/// The interim answer that asks for the body.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The end of a chunked body without trailers.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// How the connection goes on behind an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Persistence {
    /// Another request may come.
    KeepAlive,
    /// Nothing comes behind this answer.
    Close,
}

/// A response head in the making. [`end`](HeadWriter::end) finishes it.
#[must_use = "a head is finished by end()"]
pub struct HeadWriter<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> HeadWriter<'a> {
    /// Begins with the status line and Date. `date` is an IMF-fixdate
    /// ([`Wall::http_date`](crate::base::time::Wall::http_date)), which the caller renders once a second.
    pub fn begin(out: &'a mut Vec<u8>, status: Status, date: &str) -> HeadWriter<'a> {
        out.extend_from_slice(status.line());
        HeadWriter { out }.field("Date", date.as_bytes())
    }

    /// A field. What may not stand in a value is dropped from it.
    pub fn field(self, name: &'static str, value: &[u8]) -> HeadWriter<'a> {
        self.field_with(name, |out| write_value(out, value))
    }

    /// A field whose value is a number.
    pub fn number(self, name: &'static str, value: u64) -> HeadWriter<'a> {
        self.field_with(name, |out| write_number(out, value))
    }

    /// A field whose value `write` appends; it must append no line ends.
    fn field_with(self, name: &'static str, write: impl FnOnce(&mut Vec<u8>)) -> HeadWriter<'a> {
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b": ");
        write(self.out);
        self.out.extend_from_slice(b"\r\n");
        self
    }

    /// `Content-Length`.
    pub fn content_length(self, bytes: u64) -> HeadWriter<'a> {
        self.number("Content-Length", bytes)
    }

    /// `Transfer-Encoding: chunked`. Not for HTTP/1.0.
    pub fn chunked(self) -> HeadWriter<'a> {
        self.field("Transfer-Encoding", b"chunked")
    }

    /// `Content-Range` of a 206 with one range, or of a part.
    pub fn content_range(self, range: ByteRange, size: u64) -> HeadWriter<'a> {
        self.field_with("Content-Range", |out| write_content_range(out, range, size))
    }

    /// `Repr-Digest` (RFC 9530).
    pub fn repr_digest(self, digest: &Digest) -> HeadWriter<'a> {
        self.field_with("Repr-Digest", |out| digest_field::write(out, digest))
    }

    /// `ETag`, strong.
    pub fn entity_tag(self, digest: &Digest) -> HeadWriter<'a> {
        self.field_with("ETag", |out| out.extend_from_slice(&super::conditional::entity_tag(digest)))
    }

    /// `Content-Disposition` with the name to save under (RFC 6266, RFC 8187).
    pub fn disposition(self, disposition: Disposition, name: &str) -> HeadWriter<'a> {
        self.field_with("Content-Disposition", |out| write_disposition(out, disposition, name))
    }

    /// `Server-Timing` (W3C): names, which are tokens, and durations in nanoseconds. Without any there is no such field.
    pub fn server_timing(self, metrics: impl IntoIterator<Item = (&'static str, u64)>) -> HeadWriter<'a> {
        let mut separator = &b"Server-Timing: "[..];
        for (name, nanoseconds) in metrics {
            self.out.extend_from_slice(std::mem::replace(&mut separator, b", "));
            self.out.extend_from_slice(name.as_bytes());
            self.out.extend_from_slice(b";dur=");
            write_milliseconds(self.out, nanoseconds);
        }
        if separator == b", " {
            self.out.extend_from_slice(b"\r\n");
        }
        self
    }

    /// `Connection`, where the version does not say it already.
    pub fn connection(self, version: Version, persistence: Persistence) -> HeadWriter<'a> {
        match (version, persistence) {
            (Version::Http11, Persistence::KeepAlive) => self,
            (Version::Http10, Persistence::KeepAlive) => self.field("Connection", b"keep-alive"),
            (_, Persistence::Close) => self.field("Connection", b"close"),
        }
    }

    /// The field that goes with an error's status.
    pub fn extra(self, extra: &Extra) -> HeadWriter<'a> {
        match extra {
            Extra::None => self,
            Extra::Allow(methods) => self.field("Allow", methods.as_bytes()),
            Extra::RetryAfter(seconds) => self.number("Retry-After", u64::from(*seconds)),
            Extra::UnsatisfiedRange(size) => {
                self.field_with("Content-Range", |out| write_unsatisfied(out, *size))
            }
            Extra::Authenticate(challenges) => challenges
                .iter()
                .fold(self, |head, challenge| head.field("WWW-Authenticate", challenge.as_bytes())),
        }
    }

    /// The rest of a head in front of this JSON body.
    pub fn json(self, body: &[u8], (version, persistence): (Version, Persistence), extra: &Extra) {
        self.field("Content-Type", b"application/json")
            .field("X-Content-Type-Options", b"nosniff")
            .content_length(body.len() as u64)
            .connection(version, persistence)
            .extra(extra)
            .end();
    }

    /// The empty line behind the head.
    pub fn end(self) {
        self.out.extend_from_slice(b"\r\n");
    }
}

/// Appends a whole answer with a JSON body. `with_body` is false for HEAD: the head is the same.
pub fn write_json(
    out: &mut Vec<u8>,
    status: Status,
    date: &str,
    (version, persistence): (Version, Persistence),
    extra: &Extra,
    body: &[u8],
    with_body: bool,
) {
    HeadWriter::begin(out, status, date).json(body, (version, persistence), extra);
    if with_body {
        out.extend_from_slice(body);
    }
}

/// Appends the whole answer for an error: `{"error": "…"}`.
pub fn write_error(
    out: &mut Vec<u8>,
    error: &HttpError,
    date: &str,
    (version, persistence): (Version, Persistence),
    with_body: bool,
) {
    let untimed = None::<std::iter::Empty<_>>;
    write_error_timed(out, error, date, (version, persistence), with_body, untimed);
}

/// As [`write_error`], for an upload that can say where its time went.
pub fn write_error_timed(
    out: &mut Vec<u8>,
    error: &HttpError,
    date: &str,
    (version, persistence): (Version, Persistence),
    with_body: bool,
    metrics: Option<impl Iterator<Item = (&'static str, u64)>>,
) {
    let persistence = if error.close { Persistence::Close } else { persistence };
    let body = error_body(&error.message);
    let mut head = HeadWriter::begin(out, error.status, date);
    if let Some(id) = error.id {
        head = head.field("Request-Id", format!("{id:016x}").as_bytes());
    }
    head.server_timing(metrics.into_iter().flatten()).json(&body, (version, persistence), &error.extra);
    if with_body {
        out.extend_from_slice(&body);
    }
}

/// Appends a duration in milliseconds, to the microsecond below.
pub fn write_milliseconds(out: &mut Vec<u8>, nanoseconds: u64) {
    let microseconds = nanoseconds / 1_000;
    write_number(out, microseconds / 1_000);
    let fraction = microseconds % 1_000;
    out.push(b'.');
    out.extend([100, 10, 1].map(|unit| b"0123456789"[(fraction / unit % 10) as usize]));
}

/// `{"error": "…"}`
#[must_use]
pub fn error_body(message: &str) -> Vec<u8> {
    let mut body = Vec::with_capacity(message.len() + 16);
    body.extend_from_slice(b"{\"error\":");
    write_string(&mut body, message);
    body.push(b'}');
    body
}

/// Appends the line in front of a chunk of `bytes` bytes, which must not be 0: that ends the body. Behind the
/// chunk comes CRLF.
pub fn write_chunk_line(out: &mut Vec<u8>, bytes: usize) {
    debug_assert!(bytes > 0, "an empty chunk ends the body");
    let digits = (usize::BITS - bytes.leading_zeros()).div_ceil(4);
    for at in (0..digits).rev() {
        out.push(b"0123456789abcdef"[bytes >> (4 * at) & 15]);
    }
    out.extend_from_slice(b"\r\n");
}

/// What stands around the data of a chunk at most: 16 digits and two line ends.
const CHUNK_FRAME_BYTES_MAX: usize = 20;

/// Appends `data` as a chunk; nothing for no data.
pub fn write_chunk(out: &mut Vec<u8>, data: &[u8]) {
    if !data.is_empty() {
        out.reserve(data.len() + CHUNK_FRAME_BYTES_MAX);
        write_chunk_line(out, data.len());
        out.extend_from_slice(data);
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends the head of a part of `multipart/byteranges` (RFC 9110 section 14.6), delimiter included; the bytes of
/// `range` come behind it. `boundary` must not occur in the content: 16 random bytes in hexadecimal do not.
pub fn write_range_head(out: &mut Vec<u8>, boundary: &str, content_type: &str, range: ByteRange, size: u64) {
    out.extend_from_slice(b"\r\n--");
    out.extend_from_slice(boundary.as_bytes());
    out.extend_from_slice(b"\r\n");
    HeadWriter { out }.field("Content-Type", content_type.as_bytes()).content_range(range, size).end();
}

/// Appends the closing delimiter of `multipart/byteranges`.
pub fn write_range_end(out: &mut Vec<u8>, boundary: &str) {
    out.extend_from_slice(b"\r\n--");
    out.extend_from_slice(boundary.as_bytes());
    out.extend_from_slice(b"--\r\n");
}

/// Whether a browser may show a content or has to save it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Disposition {
    /// Show.
    Inline,
    /// Save.
    Attachment,
}

/// Appends the bytes of `value` that may stand in a field value.
fn write_value(out: &mut Vec<u8>, value: &[u8]) {
    if value.iter().all(|&byte| is_safe_byte(byte)) {
        out.extend_from_slice(value);
    } else {
        out.extend(value.iter().copied().filter(|&byte| is_safe_byte(byte)));
    }
}

const fn is_safe_byte(byte: u8) -> bool {
    byte >= b' ' && byte != 0x7f
}

/// `attachment; filename="ascii"; filename*=UTF-8''percent-encoded` (RFC 6266 section 4.3, appendix D): the second
/// form only when the first cannot say it.
fn write_disposition(out: &mut Vec<u8>, disposition: Disposition, name: &str) {
    out.extend_from_slice(match disposition {
        Disposition::Inline => b"inline; filename=\"",
        Disposition::Attachment => b"attachment; filename=\"",
    });
    // A percent sign in the plain form is decoded by some browsers and by others not.
    let is_plain = |c: char| matches!(c, ' '..='~') && !matches!(c, '"' | '\\' | '%');
    for c in name.chars() {
        out.push(u8::try_from(c).ok().filter(|_| is_plain(c)).unwrap_or(b'_'));
    }
    out.push(b'"');
    if !name.chars().all(is_plain) {
        out.extend_from_slice(b"; filename*=UTF-8''");
        for &byte in name.as_bytes() {
            if is_attr_byte(byte) {
                out.push(byte);
            } else {
                let digit = |nibble: u8| b"0123456789ABCDEF"[usize::from(nibble)];
                out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
            }
        }
    }
}

/// `attr-char` of RFC 8187 section 3.2.1.
const fn is_attr_byte(byte: u8) -> bool {
    super::chars::is_token_byte(byte) && !matches!(byte, b'*' | b'\'' | b'%')
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_head_is_written_in_order() {
        let head = text(|out| {
            HeadWriter::begin(out, Status::PartialContent, DATE)
                .content_length(5)
                .content_range(ByteRange { start: 0, end: 5 }, 10)
                .connection(Version::Http10, Persistence::KeepAlive)
                .end();
        });
        let expected = "HTTP/1.1 206 Partial Content\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 5\r\n\
                        Content-Range: bytes 0-4/10\r\nConnection: keep-alive\r\n\r\n";
        assert_eq!(head, expected);
    }

    #[test]
    fn no_value_can_end_its_line() {
        let every_byte: Vec<u8> = (0..=255).collect();
        let mut out = Vec::new();
        HeadWriter::begin(&mut out, Status::Ok, DATE)
            .field("X", b"a\r\nSet-Cookie: b\0\x7f")
            .field("Y", &every_byte)
            .disposition(Disposition::Inline, &(0..0x300).filter_map(char::from_u32).collect::<String>())
            .end();
        let mut fields = [httparse::EMPTY_HEADER; 8];
        let mut response = httparse::Response::new(&mut fields);
        assert_eq!(response.parse(&out), Ok(httparse::Status::Complete(out.len())));
        let names: Vec<_> = response.headers.iter().map(|field| field.name).collect();
        assert_eq!(names, ["Date", "X", "Y", "Content-Disposition"]);
        assert_eq!(response.headers[1].value, b"aSet-Cookie: b");
    }

    #[test]
    fn errors_are_json_and_close_where_they_must() {
        let error = HttpError::framing("bad \"thing\"").with(Extra::Allow("GET"));
        let keep = (Version::Http11, Persistence::KeepAlive);
        let answer = text(|out| write_error(out, &error, DATE, keep, true));
        assert!(answer.contains("\r\nConnection: close\r\nAllow: GET\r\n"), "{answer}");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let json: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(json["error"], "bad \"thing\"");
        assert!(answer.contains(&format!("Content-Length: {}\r\n", body.len())));
        let head = text(|out| write_error(out, &error, DATE, keep, false));
        assert_eq!(head, answer.strip_suffix(body).unwrap());
    }

    #[test]
    fn timings_are_milliseconds_to_the_microsecond_below() {
        let field = |metrics: &[(&'static str, u64)]| {
            text(|out| HeadWriter { out }.server_timing(metrics.iter().copied()).end())
        };
        let metrics = [("recv", 0), ("hash", 1_999), ("write", 12_034_567), ("total", u64::MAX)];
        let expected = "Server-Timing: recv;dur=0.000, hash;dur=0.001, write;dur=12.034, total;dur=18446744073709.551\r\n\r\n";
        assert_eq!(field(&metrics), expected);
        assert_eq!(field(&[]), "\r\n");
    }

    #[test]
    fn names_are_quoted_or_encoded() {
        let disposition = |name| text(|out| write_disposition(out, Disposition::Attachment, name));
        assert_eq!(disposition("a b.jpg"), "attachment; filename=\"a b.jpg\"");
        assert_eq!(
            disposition("ä\"%.jpg"),
            "attachment; filename=\"___.jpg\"; filename*=UTF-8''%C3%A4%22%25.jpg"
        );
        assert_eq!(disposition("a\r\nb"), "attachment; filename=\"a__b\"; filename*=UTF-8''a%0D%0Ab");
    }

    #[test]
    fn several_ranges_are_parts() {
        let body = text(|out| {
            write_range_head(out, "b", "text/plain", ByteRange { start: 1, end: 3 }, 9);
            out.extend_from_slice(b"xy");
            write_range_end(out, "b");
        });
        let expected =
            "\r\n--b\r\nContent-Type: text/plain\r\nContent-Range: bytes 1-2/9\r\n\r\nxy\r\n--b--\r\n";
        assert_eq!(body, expected);
    }

    #[test]
    fn chunks_have_their_size_in_front() {
        for (bytes, line) in [
            (1, "1\r\n"),
            (15, "f\r\n"),
            (16, "10\r\n"),
            (0x1_0000, "10000\r\n"),
            (usize::MAX, "ffffffffffffffff\r\n"),
        ] {
            assert_eq!(text(|out| write_chunk_line(out, bytes)), line);
        }
        assert_eq!(text(|out| write_chunk(out, b"abc")), "3\r\nabc\r\n");
        assert_eq!(text(|out| write_chunk(out, b"")), "");
    }
}
