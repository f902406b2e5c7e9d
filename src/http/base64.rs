//! Base64 (RFC 4648 section 4), as digests and Basic credentials are written.

/// The characters, by value.
pub(super) const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Reads base64 into the start of `bytes`, with or without padding, canonical bits only, and gives what was read. `None`
/// for what is no base64, and for more than there is room.
#[must_use]
pub fn decode<'a>(text: &[u8], bytes: &'a mut [u8]) -> Option<&'a [u8]> {
    let padding = text.iter().rev().take(2).take_while(|&&character| character == b'=').count();
    if padding > 0 && !text.len().is_multiple_of(4) {
        return None;
    }
    let text = &text[..text.len() - padding];
    let (mut bits, mut count, mut at) = (0u32, 0, 0);
    for &character in text {
        bits = bits << 6 | u32::from(sextet(character)?);
        count += 6;
        if count >= 8 {
            count -= 8;
            // The top of `bits` is what was taken already.
            *bytes.get_mut(at)? = u8::try_from(bits >> count & 0xff).ok()?;
            at += 1;
        }
    }
    // Six bits left over are a character too many, others must be the padding's zeros.
    (count < 6 && bits & ((1 << count) - 1) == 0).then_some(&bytes[..at])
}

fn sextet(character: u8) -> Option<u8> {
    match character {
        b'A'..=b'Z' => Some(character - b'A'),
        b'a'..=b'z' => Some(character - b'a' + 26),
        b'0'..=b'9' => Some(character - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_4648_are_read() {
        for (text, plain) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
            ("Zm9vYmE", "fooba"),
            ("Zm9vYmFy", "foobar"),
        ] {
            assert_eq!(decode(text.as_bytes(), &mut [0; 6]), Some(plain.as_bytes()), "{text}");
        }
    }

    #[test]
    fn what_is_none_and_what_is_too_long_is_refused() {
        for text in ["Z", "Zh==", "Zm9=v", "Zg===", "Zg=", "====", "=", "Zm 9", "Zm9-", "Zm9v\n", "\u{e4}A=="]
        {
            assert_eq!(decode(text.as_bytes(), &mut [0; 16]), None, "{text:?}");
        }
        assert_eq!(decode(b"Zm9v", &mut [0; 2]), None);
    }
}
