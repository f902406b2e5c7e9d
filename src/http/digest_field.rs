//! `Content-Digest` and `Repr-Digest` (RFC 9530): the SHA-256 in a dictionary of digests.
//!
//! Algorithms other than `sha-256` are skipped, whatever their values; a `sha-256` that cannot be read is an
//! error, because its sender meant it to be checked.

use super::base64::{self, ALPHABET};
use super::chars::trim_ows;
use super::error::HttpError;
use crate::base::digest::Digest;

/// Characters of 32 bytes in base64, padding included.
pub const BASE64_BYTES: usize = 44;

/// The SHA-256 named by a digest field, given the values of all its lines; of repeats the last (RFC 9651
/// section 4.2.2).
///
/// # Errors
/// 400 for a `sha-256` that is not 32 bytes of base64 between colons.
pub fn sha256<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Result<Option<Digest>, HttpError> {
    let mut found = None;
    for value in values {
        let mut rest = value;
        while !rest.is_empty() {
            let (member, after) = split_member(rest);
            rest = after;
            let (key, item) = match memchr::memchr(b'=', member) {
                Some(at) => (&member[..at], &member[at + 1..]),
                None => (member, &b""[..]),
            };
            if trim_ows(key).eq_ignore_ascii_case(b"sha-256") {
                found = Some(byte_sequence(item).ok_or_else(malformed)?);
            }
        }
    }
    Ok(found)
}

fn malformed() -> HttpError {
    HttpError::bad_request("malformed sha-256 digest: it is written sha-256=:<44 base64 characters>:")
}

/// The first member of a dictionary, and what follows its comma. Commas in strings do not count.
fn split_member(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (mut quoted, mut escaped) = (false, false);
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => return (trim_ows(&bytes[..at]), &bytes[at + 1..]),
            _ => {}
        }
    }
    (trim_ows(bytes), &[])
}

/// `:base64:`, perhaps with parameters behind it.
fn byte_sequence(item: &[u8]) -> Option<Digest> {
    let item = item.strip_prefix(b":")?;
    let end = memchr::memchr(b':', item)?;
    let parameters = trim_ows(&item[end + 1..]);
    if !(parameters.is_empty() || parameters.starts_with(b";")) {
        return None;
    }
    decode(&item[..end]).map(Digest)
}

/// Reads 32 bytes of base64 (RFC 4648 section 4), with or without padding, canonical bits only.
#[must_use]
pub fn decode(text: &[u8]) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    (base64::decode(text, &mut bytes)?.len() == 32).then_some(bytes)
}

/// 32 bytes as base64 with padding (RFC 4648 section 4).
#[must_use]
pub fn encode(bytes: &[u8; 32]) -> [u8; BASE64_BYTES] {
    let mut text = [b'='; BASE64_BYTES];
    for (four, three) in text.chunks_exact_mut(4).zip(bytes.chunks(3)) {
        let byte = |at: usize| usize::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for (at, character) in four.iter_mut().enumerate().take(three.len() + 1) {
            *character = ALPHABET[bits >> (18 - 6 * at) & 63];
        }
    }
    text
}

/// Appends `sha-256=:…:`, the value of a `Repr-Digest` or `Content-Digest`.
pub fn write(out: &mut Vec<u8>, digest: &Digest) {
    out.extend_from_slice(b"sha-256=:");
    out.extend_from_slice(&encode(&digest.0));
    out.push(b':');
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 9530 appendix D: the digest of {"hello": "world"} and a line feed.
    const RFC: &str = "RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=";

    #[test]
    fn reads_and_writes_the_example_of_rfc_9530() {
        let digest = Digest::of(b"{\"hello\": \"world\"}\n");
        assert_eq!(encode(&digest.0), RFC.as_bytes());
        assert_eq!(sha256([format!("sha-256=:{RFC}:").as_bytes()]), Ok(Some(digest)));
        let mut out = Vec::new();
        write(&mut out, &digest);
        assert_eq!(out, format!("sha-256=:{RFC}:").as_bytes());
    }

    #[test]
    fn every_bit_survives_base64() {
        for bit in 0..256 {
            let mut bytes = [0u8; 32];
            bytes[bit / 8] = 1 << (bit % 8);
            assert_eq!(decode(&encode(&bytes)), Some(bytes), "bit {bit}");
        }
    }

    #[test]
    fn other_algorithms_and_parameters_are_skipped() {
        let digest = Digest::of(b"{\"hello\": \"world\"}\n");
        for value in [
            format!("sha-512=:AAAA:, sha-256=:{RFC}:"),
            format!("sha-256=:{RFC}:;q=1, md5=whatever"),
            format!("x=\"a,sha-256=\\\",b\",sha-256=:{RFC}:"),
            format!("SHA-256=:{RFC}:"),
            format!("sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:, sha-256=:{RFC}:"),
            format!(",,sha-256=:{}:", &RFC[..43]),
        ] {
            assert_eq!(sha256([value.as_bytes()]), Ok(Some(digest)), "{value}");
        }
        assert_eq!(sha256([&b"md5=:AA:"[..], format!("sha-256=:{RFC}:").as_bytes()]), Ok(Some(digest)));
        assert_eq!(sha256([&b""[..]]), Ok(None));
        assert_eq!(sha256([&b"sha-512=:AAAA:, unixsum=5"[..]]), Ok(None));
    }

    #[test]
    fn a_malformed_sha256_is_an_error() {
        for value in [
            "sha-256",
            "sha-256=",
            "sha-256=::",
            "sha-256=:AAAA:",
            &format!("sha-256={RFC}"),
            &format!("sha-256=:{RFC}"),
            &format!("sha-256=:{RFC}=:"),
            &format!("sha-256=:A{RFC}:"),
            &format!("sha-256=:{RFC}:x"),
            &format!("sha-256=:{}*=:", &RFC[..42]),
            &format!("sha-256=:{}h=:", &RFC[..42]),
            "sha-256=\"x\"",
        ] {
            assert!(sha256([value.as_bytes()]).is_err(), "{value}");
        }
    }
}
