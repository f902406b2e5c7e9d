//! What is written for people: on a terminal, by programs that write there in turn, or as JSON.
//!
//! Always: nothing that a server or a file's name says moves a terminal or turns the order of what is read.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;

use serde::Serialize;

use super::ClientError;

/// What terminals obey, and what Unicode has for lines and direction, or for nothing to be seen.
fn moves(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// A text with such characters as `\u{202e}`.
pub(super) fn text(raw: &str) -> Cow<'_, str> {
    if !raw.chars().any(moves) {
        return Cow::Borrowed(raw);
    }
    let mut safe = String::with_capacity(raw.len() + 16);
    for char in raw.chars() {
        if moves(char) {
            // Writing to a string cannot fail.
            let _infallible = write!(safe, "{}", char.escape_unicode());
        } else {
            safe.push(char);
        }
    }
    Cow::Owned(safe)
}

/// A path likewise; what is no UTF-8 in it is U+FFFD.
pub(super) fn path(path: &Path) -> String {
    text(&path.to_string_lossy()).into_owned()
}

/// A size that a person reads, in binary units.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1_024 {
        return format!("{bytes} B");
    }
    let power = usize::try_from(bytes.ilog2() / 10).unwrap_or(1).min(UNITS.len());
    let tenths = (u128::from(bytes) * 10) >> (10 * power);
    match tenths {
        0..100 => format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[power - 1]),
        _ => format!("{} {}", tenths / 10, UNITS[power - 1]),
    }
}

/// JSON, in which those characters are escaped: they can only stand in strings.
///
/// # Errors
/// Where the value cannot be JSON.
pub(super) fn json(value: &impl Serialize) -> Result<String, ClientError> {
    let raw =
        serde_json::to_string_pretty(value).map_err(|error| ClientError::Output(io::Error::other(error)))?;
    let mut safe = String::with_capacity(raw.len());
    for char in raw.chars() {
        if moves(char) && char != '\n' {
            for unit in char.encode_utf16(&mut [0; 2]) {
                let _infallible = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(char);
        }
    }
    Ok(safe)
}

/// A line on standard output.
///
/// # Errors
/// Nobody reads it.
pub(super) fn line(text: &str) -> Result<(), ClientError> {
    writeln!(io::stdout().lock(), "{text}").map_err(ClientError::Output)
}

/// A line on standard error. Nothing is left to do if that is closed.
pub(super) fn note(text: &str) {
    let _closed = writeln!(io::stderr().lock(), "{text}");
}

/// Columns as wide as what stands in them; the last as it is.
pub(super) fn table(rows: &[Vec<String>]) -> Result<(), ClientError> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let mut shown = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _infallible = write!(shown, "{cell:<width$}  ");
        }
        line(shown.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_a_terminal_is_left() {
        let hostile =
            "\u{1b}[2J\u{9b}31m\u{7f}\r\n\u{202e}gpj.exe\u{2066}\u{200b}\u{feff}\u{e0041}ok \u{e9}\u{65e5}";
        let safe = text(hostile);
        assert!(!safe.chars().any(moves), "{safe}");
        assert!(safe.contains("\\u{1b}[2J") && safe.ends_with("ok \u{e9}\u{65e5}"), "{safe}");
        let written = json(&vec![hostile]).unwrap();
        assert!(!written.chars().any(|char| moves(char) && char != '\n'), "{written}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&written).unwrap(), [hostile]);
    }

    #[test]
    fn sizes_have_two_or_three_digits() {
        for (bytes, expected) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1.0 KiB"),
            (10_240, "10 KiB"),
            (1_048_575, "1023 KiB"),
            (1_048_576, "1.0 MiB"),
            (5 << 40, "5.0 TiB"),
            (u64::MAX, "15 EiB"),
        ] {
            assert_eq!(size(bytes), expected);
        }
    }
}
