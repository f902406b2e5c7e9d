//! What can be told of a text: that it is one, that it is an SVG, and a guess at its language.
//!
//! Always true: only an `svg` root element is a finding; all else is [`Signature::Text`], a guess that a known
//! extension outweighs.

use memchr::memmem;

use crate::media::sniff::Signature;
use crate::media::table::{self, Row};

/// Bytes looked at to tell text from other things.
const TEXT_BYTES: usize = 512;

/// Whether these bytes are text: none of the control characters that text has no use for (WHATWG MIME Sniffing
/// section 3, "binary data byte"), or a UTF-16 byte order mark.
pub(super) fn is_text(first: &[u8]) -> bool {
    if first.is_empty() {
        return false;
    }
    if first.starts_with(b"\xff\xfe") || first.starts_with(b"\xfe\xff") {
        return true;
    }
    let is_control = |byte: u8| byte < 0x20 && !matches!(byte, b'\t' | b'\n' | 0x0c | b'\r' | 0x1b);
    // A fold within each chunk rather than `any`: without an early exit it runs on vectors.
    let mut chunks = first[..first.len().min(TEXT_BYTES)].chunks(64);
    !chunks.any(|chunk| chunk.iter().fold(false, |seen, byte| seen | is_control(*byte)))
}

/// What a text looks like from its start.
pub(super) fn look(first: &[u8]) -> Signature {
    let body = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first).trim_ascii_start();
    match body {
        [b'<', ..] if has_svg_root(body) => Signature::Svg,
        [b'<', ..] if infer::text::is_xml(body) => Signature::Text(Some(&table::XML)),
        [b'<', ..] if infer::text::is_html(body) => Signature::Text(Some(&table::HTML)),
        [b'#', b'!', rest @ ..] => Signature::Text(interpreter(rest)),
        [b'-', ..] if infer::app::is_pem(body) => Signature::Text(Some(&table::PEM)),
        _ => Signature::Text(None),
    }
}

/// Whether the first element is `svg`, in any namespace prefix, behind declarations, comments and a doctype.
fn has_svg_root(mut rest: &[u8]) -> bool {
    let after = |rest: &'_ [u8], end: &[u8]| memmem::find(rest, end).map(|at| at + end.len());
    loop {
        rest = rest.trim_ascii_start();
        let next = match rest {
            [b'<', b'?', ..] => after(rest, b"?>"),
            [b'<', b'!', b'-', b'-', ..] => after(rest, b"-->"),
            [b'<', b'!', ..] => doctype_end(rest),
            [b'<', name @ ..] => {
                let end = name.iter().position(|b| !is_name_byte(*b)).unwrap_or(name.len());
                let local = name[..end].rsplit(|b| *b == b':').next();
                return local == Some(b"svg") && end < name.len();
            }
            _ => None,
        };
        let Some(next) = next else { return false };
        rest = &rest[next..];
    }
}

/// The end of a doctype: its first `>` outside of quotes and of the internal subset.
fn doctype_end(rest: &[u8]) -> Option<usize> {
    let (mut quote, mut depth) = (None, 0_usize);
    for (at, &byte) in rest.iter().enumerate() {
        match (quote, byte) {
            (Some(open), _) if open == byte => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'[') => depth += 1,
            (None, b']') => depth = depth.saturating_sub(1),
            (None, b'>') if depth == 0 => return Some(at + 1),
            (None, _) => {}
        }
    }
    None
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'_' | b'-' | b'.') || byte >= 0x80
}

/// The language that a `#!` line names.
fn interpreter(line: &[u8]) -> Option<&'static Row> {
    let line = line.split(|b| matches!(b, b'\n' | b'\r')).next()?;
    let mut words = line.split(|b| matches!(b, b' ' | b'\t')).filter(|word| !word.is_empty());
    let mut program = words.next()?.rsplit(|b| *b == b'/').next()?;
    if program == b"env" {
        program = words.find(|word| word[0] != b'-')?;
    }
    Some(match program {
        _ if program.starts_with(b"python") => &table::PY,
        _ if program.starts_with(b"perl") => &table::PL,
        b"node" | b"deno" | b"bun" => &table::JS,
        b"ruby" => &table::RB,
        b"php" => &table::PHP,
        b"lua" => &table::LUA,
        b"Rscript" => &table::R,
        _ => &table::SH,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn svg_is_known_by_its_root_element() {
        for text in [
            "<svg xmlns='http://www.w3.org/2000/svg'/>",
            "<svg>",
            "<svg\n>",
            "\u{feff}<?xml version='1.0'?>\n<svg/>",
            "\n  <?xml version='1.0'?><!-- a > b --><!-- <p> -->\n<!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.1//EN' 'x>y'>\n<svg >",
            "<!DOCTYPE svg [ <!ENTITY a '<b>'> ]><svg/>",
            "<svg:svg xmlns:svg='http://www.w3.org/2000/svg'>",
        ] {
            assert_eq!(look(text.as_bytes()), Signature::Svg, "{text}");
        }
        for (text, guess) in [
            ("<?xml version='1.0'?><gpx><svg/></gpx>", Some("xml")),
            ("<!-- <svg> --><p>", Some("html")),
            ("<svgs>", None),
            ("<svg", None),
            ("<!-- <svg>", Some("html")),
            ("<p align=center><svg/>", Some("html")),
            ("<!DOCTYPE html><svg>", Some("svg?")),
            ("#!/usr/bin/env -S python3 -u\n", Some("py")),
            ("#! /bin/sh -e\n", Some("sh")),
            ("#!", None),
            ("-----BEGIN CERTIFICATE-----\n", Some("pem")),
        ] {
            let found = match look(text.as_bytes()) {
                Signature::Text(row) => row.map(|row| row.kind),
                Signature::Svg => Some("svg?"),
                other => panic!("{text}: {other:?}"),
            };
            assert_eq!(found, guess, "{text}");
        }
    }
}
