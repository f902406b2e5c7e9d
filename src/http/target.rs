//! Percent signs in targets: paths and query parameters (RFC 3986 section 2.1, URL Standard).

use std::borrow::Cow;

use super::chars::hex_digit;

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
