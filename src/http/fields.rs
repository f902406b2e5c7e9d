//! Field lines outside the request head: those of multipart parts and of trailers.
//!
//! A block is read whole or refused whole; names are tokens, lines end in CRLF, nothing is folded.

use super::chars::{is_token, is_value_byte, trim_ows};
use super::error::HttpError;

/// What a value may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Values {
    /// What RFC 9110 section 5.5 allows.
    Strict,
    /// Control bytes too, save NUL and line ends: browsers send the names of files as they are.
    Lenient,
}

/// The field lines of `block`, each `name: value CRLF`, up to the end or to an empty line. Values come
/// trimmed. The first malformed line ends the iteration with an error that names `place`.
pub fn lines<'a>(
    block: &'a [u8],
    values: Values,
    place: &'static str,
) -> impl Iterator<Item = Result<(&'a [u8], &'a [u8]), HttpError>> {
    let mut rest = block;
    std::iter::from_fn(move || {
        if rest.is_empty() || rest.starts_with(b"\r\n") {
            return None;
        }
        let line = split_line(rest).and_then(|(line, after)| Some((split_field(line, values)?, after)));
        let Some((field, after)) = line else {
            rest = &[];
            return Some(Err(HttpError::bad_request(format!("malformed field line in {place}"))));
        };
        rest = after;
        Some(Ok(field))
    })
}

/// A line, without its CRLF, and what follows it.
fn split_line(block: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(b'\n', block)?;
    Some((block[..at].strip_suffix(b"\r")?, &block[at + 1..]))
}

fn split_field(line: &[u8], values: Values) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', line)?;
    let (name, value) = (&line[..colon], trim_ows(&line[colon + 1..]));
    let allowed = |&byte: &u8| match values {
        Values::Strict => is_value_byte(byte),
        Values::Lenient => !matches!(byte, 0 | b'\r'),
    };
    (is_token(name) && value.iter().all(allowed)).then_some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Fields<'a> = Vec<(&'a [u8], &'a [u8])>;

    fn all(block: &[u8], values: Values) -> Result<Fields<'_>, HttpError> {
        lines(block, values, "a test").collect()
    }

    #[test]
    fn values_are_trimmed_and_the_empty_line_ends_the_block() {
        let fields = all(b"A: 1 \r\nb-c:\t2\r\nd:\r\n\r\nrest", Values::Strict).unwrap();
        assert_eq!(fields, [(&b"A"[..], &b"1"[..]), (b"b-c", b"2"), (b"d", b"")]);
        assert_eq!(all(b"\r\n", Values::Strict).unwrap(), []);
        assert_eq!(all(b"", Values::Strict).unwrap(), []);
    }

    #[test]
    fn malformed_lines_are_refused() {
        let rows: &[&[u8]] = &[
            b"a\r\n",
            b": 1\r\n",
            b"a : 1\r\n",
            b" a: 1\r\n",
            b"a: 1\n",
            b"a: 1\r\n b\r\n",
            b"a: 1\r\r\n",
            b"a: \0\r\n",
            b"a: 1",
            b"a: 1\rb: 2\r\n",
            b"a(: 1\r\n",
            b"\xc3\xa4: 1\r\n",
        ];
        for row in rows {
            for values in [Values::Strict, Values::Lenient] {
                assert!(all(row, values).is_err(), "{:?} {values:?}", row.escape_ascii().to_string());
            }
        }
        assert!(all(b"a: \x01\r\n", Values::Strict).is_err());
        assert!(all(b"a: \x01\r\n", Values::Lenient).is_ok());
    }
}
