//! The Authorization field: the token that a request shows (RFC 6750 section 2.1, RFC 7617).
//!
//! A token comes as `Bearer TOKEN`, or as the password of `Basic`, whatever the user: so that `curl -u :TOKEN` and browsers
//! can send one. It is taken from nowhere else: what stands in a target is kept in histories and logs.

use smallvec::SmallVec;

use super::base64;
use super::chars::{is_ows, trim_ows};
use super::head::Head;
use crate::limits::{BASIC_BYTES_MAX, TOKEN_BYTES_MAX};

/// A token as shown. Not more than [`TOKEN_BYTES_MAX`] bytes, and perhaps nobody's.
pub type Shown = SmallVec<[u8; TOKEN_BYTES_MAX]>;

/// Why a field shows no token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unread {
    /// There are several: who stands in front may have read another one.
    Several,
    /// Neither Bearer nor Basic.
    Scheme,
    /// One of the two, and not as it is written.
    Malformed,
}

/// The token of a request; `None` if it shows none.
///
/// # Errors
/// Why there is a field and no token in it.
pub fn token(head: &Head) -> Result<Option<Shown>, Unread> {
    let mut fields = head.all("authorization");
    let Some(value) = fields.next() else { return Ok(None) };
    if fields.next().is_some() {
        return Err(Unread::Several);
    }
    let at = value.iter().position(|&byte| is_ows(byte)).unwrap_or(value.len());
    let (scheme, credentials) = (&value[..at], trim_ows(&value[at..]));
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return bearer(credentials).map(Some).ok_or(Unread::Malformed);
    }
    if scheme.eq_ignore_ascii_case(b"basic") {
        return password(credentials).map(Some).ok_or(Unread::Malformed);
    }
    Err(Unread::Scheme)
}

fn bearer(credentials: &[u8]) -> Option<Shown> {
    let fits = (1..=TOKEN_BYTES_MAX).contains(&credentials.len());
    (fits && credentials.iter().all(u8::is_ascii_graphic)).then(|| credentials.into())
}

fn password(credentials: &[u8]) -> Option<Shown> {
    let mut bytes = [0; BASIC_BYTES_MAX];
    let pair = base64::decode(credentials, &mut bytes)?;
    // A user has no colon, a password may have some.
    bearer(&pair[memchr::memchr(b':', pair)? + 1..])
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn read(fields: &str) -> Result<Option<String>, Unread> {
        let text = format!("GET / HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
        let (head, _) = Head::parse(&Bytes::from(text)).unwrap().unwrap();
        token(&head).map(|shown| shown.map(|shown| String::from_utf8(shown.to_vec()).unwrap()))
    }

    #[test]
    fn both_schemes_show_a_token() {
        for fields in [
            "Authorization: Bearer abc\r\n",
            "AUTHORIZATION: bearer   abc \r\n",
            "authorization: Basic OmFiYw==\r\n",
            "Authorization: BASIC dXNlcjphYmM=\r\n",
            "Authorization: Basic dXNlcjphYmM\r\n",
        ] {
            assert_eq!(read(fields), Ok(Some("abc".to_owned())), "{fields}");
        }
        assert_eq!(read(""), Ok(None));
        assert_eq!(read("Authorization: Basic dTphOmI=\r\n"), Ok(Some("a:b".to_owned())));
    }

    #[test]
    fn what_shows_none_is_told_apart() {
        let long = "a".repeat(TOKEN_BYTES_MAX + 1);
        for (fields, why) in [
            ("Authorization: Bearer a\r\nAuthorization: Bearer a\r\n", Unread::Several),
            ("Authorization: Digest a\r\n", Unread::Scheme),
            ("Authorization: \r\n", Unread::Scheme),
            ("Authorization: abc\r\n", Unread::Scheme),
            ("Authorization: Bearer\r\n", Unread::Malformed),
            ("Authorization: Bearer a b\r\n", Unread::Malformed),
            ("Authorization: Bearer \u{e4}\r\n", Unread::Malformed),
            ("Authorization: Basic\r\n", Unread::Malformed),
            ("Authorization: Basic !\r\n", Unread::Malformed),
            ("Authorization: Basic YWJj\r\n", Unread::Malformed),
            ("Authorization: Basic dXNlcjo=\r\n", Unread::Malformed),
            (&format!("Authorization: Bearer {long}\r\n"), Unread::Malformed),
            (&format!("Authorization: Basic {long}{long}{long}{long}{long}\r\n"), Unread::Malformed),
        ] {
            assert_eq!(read(fields), Err(why), "{fields}");
        }
    }
}
