//! JSON strings, appended to a buffer (RFC 8259 section 7).

/// Appends `text` between quotes, escaped.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    write_escaped(out, text);
    out.push(b'"');
}

/// Appends `text`, escaped, without quotes around it. What would move a terminal that the answer is shown on, or turn the
/// order of what is read there, is escaped too: to a parser it is the same string.
pub fn write_escaped(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    // Nearly every text is clean; without an early exit this becomes vector code.
    if !bytes.iter().fold(false, |found, &byte| found | may_need_escape(byte)) {
        out.extend_from_slice(bytes);
        return;
    }
    let mut clean = 0;
    for (at, char) in text.char_indices() {
        if !needs_escape(char) {
            continue;
        }
        out.extend_from_slice(&bytes[clean..at]);
        clean = at + char.len_utf8();
        match char {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            _ => {
                let code = u32::from(char);
                assert!(code <= 0xffff, "all that need it are of the first plane");
                out.extend_from_slice(b"\\u");
                out.extend([12, 8, 4, 0].map(|shift| b"0123456789abcdef"[(code >> shift & 15) as usize]));
            }
        }
    }
    out.extend_from_slice(&bytes[clean..]);
}

/// What RFC 8259 wants escaped; DEL and the C1 controls, which terminals obey; and Unicode's of lines and of direction.
const fn needs_escape(char: char) -> bool {
    matches!(char,
        '\0'..='\x1f' | '"' | '\\' | '\u{7f}'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether a character that begins with this byte may need to be escaped.
const fn may_need_escape(byte: u8) -> bool {
    byte < b' ' || matches!(byte, b'"' | b'\\' | 0x7f | 0xc2 | 0xd8 | 0xe2)
}

/// Appends a decimal number.
pub fn write_number(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0; 20];
    let (mut at, mut rest) = (digits.len(), number);
    loop {
        at -= 1;
        digits[at] = b"0123456789"[usize::try_from(rest % 10).unwrap_or(0)];
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serde_json_reads_back_every_character() {
        let mut text: String = (0..0x3000).filter_map(char::from_u32).collect();
        text.push_str("\u{2028}\u{2029}\u{feff}\u{fffd}\u{1f98f}\u{10ffff}\"\\/");
        let mut out = Vec::new();
        write_string(&mut out, &text);
        assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        write_string(&mut out, "");
        assert!(out.ends_with(b"\"\""));
    }

    #[test]
    fn no_answer_carries_what_moves_a_terminal() {
        for char in (0..=0x10_ffff).filter_map(char::from_u32) {
            let mut out = Vec::new();
            write_string(&mut out, &format!("a{char}b"));
            let written = std::str::from_utf8(&out).unwrap();
            let moves = char.is_control() || "\u{61c}\u{200e}\u{200f}".contains(char);
            let turns =
                ('\u{2028}'..='\u{202e}').contains(&char) || ('\u{2066}'..='\u{2069}').contains(&char);
            assert_eq!(!written.contains(char), moves || turns, "{char:?}: {written}");
            if !matches!(char, '"' | '\\') {
                assert_eq!(written.contains('\\'), moves || turns, "{char:?}: {written}");
            }
            assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), format!("a{char}b"));
        }
        let mut out = Vec::new();
        write_string(&mut out, "\u{7f}\u{85}\u{9b}31m\u{202e}gpj.exe\u{61c}\u{2069}\u{e9}\u{2030}");
        assert_eq!(out, "\"\\u007f\\u0085\\u009b31m\\u202egpj.exe\\u061c\\u2069\u{e9}\u{2030}\"".as_bytes());
    }

    #[test]
    fn numbers_are_as_displayed() {
        for number in [0, 1, 9, 10, 12_345, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            write_number(&mut out, number);
            assert_eq!(out, number.to_string().as_bytes());
        }
    }
}
