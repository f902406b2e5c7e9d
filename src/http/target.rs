//! Request targets (RFC 9112 section 3.2): their parts, hosts, and the percent signs in paths and queries
//! (RFC 3986 section 2.1, URL Standard).
//!
//! Splitting refuses what is malformed and decodes nothing; decoding happens once, where a part is used.

use std::borrow::Cow;

use super::chars::{decimal, hex_digit, is_token_byte};
use super::error::HttpError;

/// The parts of a request target (RFC 9112 section 3.2).
pub(super) struct Target<'a> {
    /// Host and port of an absolute target.
    pub(super) authority: Option<&'a [u8]>,
    /// Not empty.
    pub(super) path: Option<&'a [u8]>,
    /// Behind the first `?`.
    pub(super) query: Option<&'a [u8]>,
}

impl<'a> Target<'a> {
    /// Splits `target`, the target of a request with this method.
    pub(super) fn parse(method: &str, target: &'a [u8]) -> Result<Target<'a>, HttpError> {
        if memchr::memchr(b'#', target).is_some() {
            return Err(HttpError::framing("the request target has a fragment"));
        }
        let (authority, rest) = match target {
            [b'/', ..] => (None, target),
            b"*" if method == "OPTIONS" => (None, target),
            _ => {
                let rest =
                    strip_scheme(target).ok_or_else(|| HttpError::framing("malformed request target"))?;
                let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
                let (authority, rest) = rest.split_at(end);
                if !is_host(authority) {
                    return Err(HttpError::framing("malformed authority in the request target"));
                }
                (Some(authority), rest)
            }
        };
        let (path, query) = match memchr::memchr(b'?', rest) {
            Some(at) => (&rest[..at], Some(&rest[at + 1..])),
            None => (rest, None),
        };
        Ok(Target { authority, path: (!path.is_empty()).then_some(path), query })
    }
}

fn strip_scheme(target: &[u8]) -> Option<&[u8]> {
    ["http://", "https://"].iter().find_map(|scheme| {
        let (head, rest) = target.split_at_checked(scheme.len())?;
        head.eq_ignore_ascii_case(scheme.as_bytes()).then_some(rest)
    })
}

/// Whether `host` is `uri-host [":" port]`, not empty and without user information (RFC 3986 section 3.2).
pub(super) fn is_host(host: &[u8]) -> bool {
    let (name, port) = if host.first() == Some(&b'[') {
        let Some(end) = memchr::memchr(b']', host) else { return false };
        let literal = &host[1..end];
        let is_address =
            std::str::from_utf8(literal).is_ok_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok());
        if !is_address {
            return false;
        }
        (literal, &host[end + 1..])
    } else {
        let end = memchr::memchr(b':', host).unwrap_or(host.len());
        if !is_reg_name(&host[..end]) {
            return false;
        }
        host.split_at(end)
    };
    let port_holds = match port {
        [] | [b':'] => true,
        [b':', digits @ ..] => decimal(digits).is_some_and(|port| port <= 0xffff),
        _ => false,
    };
    !name.is_empty() && port_holds
}

/// Whether all is unreserved, a sub-delimiter, or a percent-encoded byte.
fn is_reg_name(mut name: &[u8]) -> bool {
    while let [byte, rest @ ..] = name {
        name = match (byte, rest) {
            (b'%', [high, low, rest @ ..]) if hex_digit(*high).is_some() && hex_digit(*low).is_some() => rest,
            (b'%', _) => return false,
            (b'(' | b')' | b',' | b';' | b'=', _) => rest,
            (b'#' | b'^' | b'`' | b'|', _) => return false,
            _ if is_token_byte(*byte) => rest,
            _ => return false,
        };
    }
    true
}

/// What to do with a percent sign that two hexadecimal digits do not follow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stray {
    Keep,
    Refuse,
}

/// Decodes each `%xx` of a path once. `None` for a percent sign without two digits.
#[must_use]
pub fn decode_path(path: &[u8]) -> Option<Cow<'_, [u8]>> {
    decode(path, false, Stray::Refuse)
}

/// The value of the first query parameter called `name`: `+` is a space, invalid UTF-8 becomes U+FFFD, a
/// percent sign without two digits stays. A parameter without `=` is empty.
#[must_use]
pub fn parameter<'a>(query: Option<&'a [u8]>, name: &str) -> Option<Cow<'a, str>> {
    query?.split(|&byte| byte == b'&').find_map(|pair| {
        let (key, value) = match memchr::memchr(b'=', pair) {
            Some(at) => (&pair[..at], &pair[at + 1..]),
            None => (pair, &b""[..]),
        };
        (*decode_form(key) == *name).then(|| decode_form(value))
    })
}

/// The names of all query parameters, decoded as by [`parameter`]; none for an empty one.
pub fn parameter_names(query: Option<&[u8]>) -> impl Iterator<Item = Cow<'_, str>> {
    let pairs = query.into_iter().flat_map(|query| query.split(|&byte| byte == b'&'));
    let names = pairs.map(|pair| &pair[..memchr::memchr(b'=', pair).unwrap_or(pair.len())]);
    names.filter(|name| !name.is_empty()).map(decode_form)
}

fn decode_form(text: &[u8]) -> Cow<'_, str> {
    lossy(decode(text, true, Stray::Keep).unwrap_or(Cow::Borrowed(text)))
}

/// The text of `bytes`, U+FFFD where they are not UTF-8.
#[must_use]
pub fn lossy(bytes: Cow<'_, [u8]>) -> Cow<'_, str> {
    match bytes {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => Cow::Owned(match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        }),
    }
}

fn decode(text: &[u8], plus_is_space: bool, stray: Stray) -> Option<Cow<'_, [u8]>> {
    if !text.iter().any(|&byte| byte == b'%' || (plus_is_space && byte == b'+')) {
        return Some(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        rest = after;
        decoded.push(match (byte, escaped(after)) {
            (b'%', Some(value)) => {
                rest = &after[2..];
                value
            }
            (b'%', None) if stray == Stray::Refuse => return None,
            (b'+', _) if plus_is_space => b' ',
            _ => *byte,
        });
    }
    Some(Cow::Owned(decoded))
}

/// The value of the two hexadecimal digits that `text` begins with.
pub(crate) fn escaped(text: &[u8]) -> Option<u8> {
    match text {
        [high, low, ..] => Some(hex_digit(*high)? << 4 | hex_digit(*low)?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded_once_and_plus_stays() {
        for (path, decoded) in [
            ("/a%20b", "/a b"),
            ("/a+b", "/a+b"),
            ("/%2525", "/%25"),
            ("/%c3%A4", "/ä"),
            ("", ""),
            ("/a", "/a"),
        ] {
            assert_eq!(decode_path(path.as_bytes()).as_deref(), Some(decoded.as_bytes()), "{path}");
        }
        for path in ["%", "/%2", "/%zz", "/%2g", "/%%20"] {
            assert_eq!(decode_path(path.as_bytes()), None, "{path}");
        }
    }

    #[test]
    fn the_first_of_repeated_parameters_wins() {
        let query = Some(&b"a=1&category=Holiday+2025%2F&category=x&empty&b=%zz&c%61t=y&bad=%ff"[..]);
        let get = |name| parameter(query, name).map(Cow::into_owned);
        assert_eq!(get("category").as_deref(), Some("Holiday 2025/"));
        assert_eq!(get("empty").as_deref(), Some(""));
        assert_eq!(get("b").as_deref(), Some("%zz"));
        assert_eq!(get("cat").as_deref(), Some("y"));
        assert_eq!(get("bad").as_deref(), Some("\u{fffd}"));
        assert_eq!(get("none"), None);
        assert_eq!(parameter(None, "a"), None);
    }
}
