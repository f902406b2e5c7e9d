//! Character classes and small scanners of the HTTP grammar (RFC 9110 section 5.6).

/// Whether `byte` may stand in a token (RFC 9110 section 5.6.2).
#[must_use]
pub const fn is_token_byte(byte: u8) -> bool {
    matches!(byte,
        b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z')
}

/// Whether `bytes` are a token: at least one token byte and nothing else.
#[must_use]
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&byte| is_token_byte(byte))
}

/// Whether `byte` may stand in a field value: visible ASCII, space, tab, or beyond ASCII (RFC 9110 section 5.5).
#[must_use]
pub const fn is_value_byte(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// Whether `byte` is optional whitespace: space or tab.
#[must_use]
pub const fn is_ows(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// `bytes` without spaces and tabs at its ends.
#[must_use]
pub fn trim_ows(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes
        && is_ows(*first)
    {
        bytes = rest;
    }
    while let [rest @ .., last] = bytes
        && is_ows(*last)
    {
        bytes = rest;
    }
    bytes
}

/// The members of a comma-separated list of tokens, trimmed; empty members are skipped (RFC 9110 section
/// 5.6.1.2). Not for lists whose members may be quoted.
pub fn list(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|&byte| byte == b',').map(trim_ows).filter(|member| !member.is_empty())
}

/// The value of a hexadecimal digit of either case.
#[must_use]
pub const fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// Reads one or more decimal digits and nothing else. Without signs, spaces or overflow.
#[must_use]
pub fn decimal(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() {
        return None;
    }
    bytes.iter().try_fold(0u64, |number, &byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// The first index in `bytes` of an `LF` that no `CR` precedes.
#[must_use]
pub fn bare_lf(bytes: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'\n', bytes).find(|&at| at == 0 || bytes[at - 1] != b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_takes_digits_alone() {
        assert_eq!(decimal(b"0"), Some(0));
        assert_eq!(decimal(b"007"), Some(7));
        assert_eq!(decimal(b"18446744073709551615"), Some(u64::MAX));
        for text in ["", "18446744073709551616", "+1", "-1", "1 ", " 1", "1,1", "0x1", "1e3", "١"] {
            assert_eq!(decimal(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn lists_skip_empty_members() {
        let members: Vec<&[u8]> = list(b", a ,\tb,, c").collect();
        assert_eq!(members, [b"a", b"b", b"c"]);
    }

    #[test]
    fn bare_line_feeds_are_found() {
        assert_eq!(bare_lf(b"a\r\nb\r\n"), None);
        assert_eq!(bare_lf(b"\nb"), Some(0));
        assert_eq!(bare_lf(b"a\r\nb\nc"), Some(4));
    }
}
