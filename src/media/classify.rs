//! Decides what a file is from its first bytes, the type its sender declared, and its name, in this order:
//!
//! 1. a binary signature, refined by extension, else by declared type, where it names only a container
//!    (a zip called `a.docx`);
//! 2. an `svg` root element, unless the extension names another kind of text (a page that starts with a logo);
//! 3. a specific declared type: not `application/octet-stream`, not malformed, not MPEG-TS without its signature;
//! 4. the extension;
//! 5. a guess at text, or a signature of two bytes;
//! 6. `application/octet-stream`, `other/unknown`.
//!
//! So a guess never beats a known extension: a script with `#!`, a README that starts with `<p`.

use std::borrow::Cow;

use crate::limits::MIME_BYTES_MAX;
use crate::media::name;
use crate::media::sniff::{Signature, sniff};
use crate::media::table::{self, MediaType, Row};

/// What a file is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileType {
    /// `type/subtype`, lower-case, without parameters, at most [`MIME_BYTES_MAX`] bytes.
    pub mime: Cow<'static, str>,
    /// The folder.
    pub media_type: MediaType,
    /// The folder in the folder: `jpg`; `unknown` if the table has no row.
    pub kind: &'static str,
}

impl FileType {
    /// Bytes of which nothing is known.
    pub const UNKNOWN: FileType = FileType {
        mime: Cow::Borrowed("application/octet-stream"),
        media_type: MediaType::Other,
        kind: "unknown",
    };
}

impl From<&'static Row> for FileType {
    fn from(row: &'static Row) -> FileType {
        FileType { mime: Cow::Borrowed(row.mime), media_type: row.media_type, kind: row.kind }
    }
}

/// Decides what a file is. `first` is its first [`SNIFF_BYTES_MAX`](crate::limits::SNIFF_BYTES_MAX) bytes, or all
/// of it; `declared` the Content-Type of its sender; `name` its base name. Allocates only for a declared type
/// that is not in the table.
#[must_use]
pub fn classify(first: &[u8], declared: Option<&str>, name: &str) -> FileType {
    let by_name = table::by_extension(name::split(name).1);
    let guess = match sniff(first) {
        Signature::Binary(row) => return refined(row, by_name, declared).into(),
        Signature::Svg if by_name.is_none_or(yields_to_svg) => return (&table::SVG).into(),
        Signature::Svg => Some(&table::SVG),
        Signature::Weak(row) => Some(row),
        Signature::Text(guess) => guess,
        Signature::None => None,
    };
    if let Some(declared) = declared.and_then(specific) {
        match table::by_mime(declared.as_str()) {
            // Desktops map `.ts` to MPEG-TS, so browsers declare it for TypeScript.
            Some(row) if *row == table::MPEGTS => {}
            Some(row) => return row.into(),
            None => return unlisted(&declared),
        }
    }
    by_name.or(guess).map_or(FileType::UNKNOWN, FileType::from)
}

/// `row`, or the kind of file within such a container that the name or else the sender says it is.
fn refined(row: &'static Row, by_name: Option<&'static Row>, declared: Option<&str>) -> &'static Row {
    if let Some(named) = by_name.filter(|named| named.refines(row)) {
        return named;
    }
    if by_name == Some(row) {
        return row;
    }
    let declared = declared.and_then(specific).and_then(|mime| table::by_mime(mime.as_str()));
    declared.filter(|declared| declared.refines(row)).unwrap_or(row)
}

/// Whether a file with this extension and an `svg` root is an SVG: not if the extension names another kind of text.
fn yields_to_svg(row: &'static Row) -> bool {
    let text = matches!(row.media_type, MediaType::Code | MediaType::Documents | MediaType::Spreadsheets);
    !text || *row == table::XML || *row == table::TXT
}

/// A media type whose folder follows from its first half.
fn unlisted(mime: &Mime) -> FileType {
    let media_type = match mime.as_str().split('/').next() {
        Some("image") => MediaType::Images,
        Some("video") => MediaType::Videos,
        Some("audio") => MediaType::Audio,
        Some("text") => MediaType::Documents,
        _ => MediaType::Other,
    };
    FileType { mime: Cow::Owned(mime.as_str().to_owned()), media_type, kind: "unknown" }
}

/// A media type in lower case, on the stack.
struct Mime {
    bytes: [u8; MIME_BYTES_MAX],
    len: usize,
}

impl Mime {
    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len]).expect("tokens are ASCII")
    }
}

/// The `type/subtype` of a Content-Type (RFC 9110 section 8.3.1) if it is well-formed and says something.
fn specific(declared: &str) -> Option<Mime> {
    let essence = declared.split(';').next().unwrap_or_default().trim_matches([' ', '\t']);
    let (main, sub) = essence.split_once('/')?;
    let is_token = |text: &str| !text.is_empty() && text.bytes().all(is_token_byte);
    if essence.len() > MIME_BYTES_MAX || !is_token(main) || !is_token(sub) {
        return None;
    }
    let mut mime = Mime { bytes: [0; MIME_BYTES_MAX], len: essence.len() };
    mime.bytes[..essence.len()].copy_from_slice(essence.as_bytes());
    mime.bytes.make_ascii_lowercase();
    let vague = ["application/octet-stream", "binary/octet-stream", "application/x-download", "*/*"];
    (!vague.contains(&mime.as_str())).then_some(mime)
}

/// `tchar` of RFC 9110 section 5.6.2, without `*`: a pattern is no type.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x10JFIF";
    const ZIP: &[u8] = b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x05\0\0\0a.txt";
    const OLE: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0";
    const TIFF: &[u8] = b"II*\0\x08\0\0\0\x0e\0";
    const MP4: &[u8] = b"\0\0\0\x14ftypisom\0\0\0\0isom";
    const NOISE: &[u8] = b"\x01\x02\x03\x04\x05\x06";

    #[track_caller]
    fn is(first: &[u8], declared: &str, name: &str, mime: &str, folder: &str) {
        let declared = (!declared.is_empty()).then_some(declared);
        let found = classify(first, declared, name);
        let (media, kind) = (found.media_type.as_str(), found.kind);
        assert_eq!(
            (&*found.mime, &*format!("{media}/{kind}")),
            (mime, folder),
            "{name} declared as {declared:?}"
        );
    }

    #[test]
    fn a_binary_signature_wins() {
        is(JPEG, "", "a.jpg", "image/jpeg", "images/jpg");
        is(JPEG, "", "a.jpeg", "image/jpeg", "images/jpg");
        is(JPEG, "image/png", "a.png", "image/jpeg", "images/jpg");
        is(JPEG, "text/html", "a.html", "image/jpeg", "images/jpg");
        is(JPEG, "", "", "image/jpeg", "images/jpg");
        is(b"%PDF-1.7", "text/plain", "a.txt", "application/pdf", "documents/pdf");
    }

    #[test]
    fn a_guess_at_text_never_beats_a_known_extension() {
        is(b"#!/bin/sh\n", "", "tool.py", "text/x-python", "code/py");
        is(b"<p align=center>", "", "README.md", "text/markdown", "documents/md");
        is(b"<?xml version='1.0'?><!-- x --><svg/>", "", "a.svg", "image/svg+xml", "images/svg");
        is(b"<html>", "", "a.txt", "text/plain", "documents/txt");
        is(b"<svg/><script>", "", "page.html", "text/html", "code/html");
        is(b"<svg/>", "", "icon.tsx", "text/tsx", "code/tsx");
        // Without a known extension it is better than nothing.
        is(b"#!/usr/bin/env python3\n", "", "tool", "text/x-python", "code/py");
        is(b"<html> ", "", "page", "text/html", "code/html");
        is(b"<html> ", "text/x-template", "page", "text/x-template", "documents/unknown");
        // An SVG is more than a guess.
        is(b"<svg xmlns=''/>", "text/xml", "a.xml", "image/svg+xml", "images/svg");
        is(b"<svg xmlns=''/>", "", "a", "image/svg+xml", "images/svg");
        is(b"<svg xmlns=''/>", "image/png", "a.png", "image/svg+xml", "images/svg");
        is(b"not one", "", "a.svg", "image/svg+xml", "images/svg");
    }

    #[test]
    fn a_specific_declared_type_comes_before_the_extension() {
        is(b"a,b", "text/csv", "a.txt", "text/csv", "spreadsheets/csv");
        is(b"a,b", "Text/CSV; charset=utf-8", "a", "text/csv", "spreadsheets/csv");
        is(NOISE, "image/heic", "a.bin", "image/heic", "images/heic");
        is(NOISE, "video/x-new", "a.new", "video/x-new", "videos/unknown");
        is(NOISE, "application/x-new", "a.new", "application/x-new", "other/unknown");
    }

    #[test]
    fn a_vague_or_malformed_declared_type_is_not_there() {
        let long = format!("text/{}", "x".repeat(MIME_BYTES_MAX));
        for declared in [
            "application/octet-stream",
            "Application/Octet-Stream; x=y",
            "text",
            "text/",
            "/csv",
            "text/c sv",
            "text/csv/x",
            "text/\u{e9}",
            "text/a\r\nb",
            "*/*",
            "text/*",
            ";",
            &long,
        ] {
            is(b"a,b", declared, "a.md", "text/markdown", "documents/md");
        }
    }

    #[test]
    fn else_the_extension_else_unknown() {
        is(b"fn main() {}", "", "main.RS", "text/x-rust", "code/rs");
        is(b"", "", "empty.mp3", "audio/mpeg", "audio/mp3");
        is(b"", "", "empty", "application/octet-stream", "other/unknown");
        is(b"plain words", "", "notes", "application/octet-stream", "other/unknown");
        is(NOISE, "", "a.xyz", "application/octet-stream", "other/unknown");
        is(b"export", "", ".bashrc", "application/octet-stream", "other/unknown");
    }

    #[test]
    fn aliases_are_folded() {
        for (alias, mime, folder) in [
            ("audio/x-wav", "audio/wav", "audio/wav"),
            ("audio/x-flac", "audio/flac", "audio/flac"),
            ("application/rtf", "text/rtf", "documents/rtf"),
            ("image/jpg", "image/jpeg", "images/jpg"),
            ("image/pjpeg", "image/jpeg", "images/jpg"),
            ("application/x-zip-compressed", "application/zip", "archives/zip"),
            ("audio/x-m4a", "audio/mp4", "audio/m4a"),
            ("application/x-gzip", "application/gzip", "archives/gz"),
            ("application/javascript", "text/javascript", "code/js"),
            ("text/xml", "application/xml", "code/xml"),
            ("image/x-icon", "image/vnd.microsoft.icon", "images/ico"),
        ] {
            is(NOISE, alias, "", mime, folder);
        }
        is(b"RIFF\0\0\0\0WAVEfmt ", "", "", "audio/wav", "audio/wav");
        is(b"fLaC\0\0\0\x22", "", "", "audio/flac", "audio/flac");
        is(b"{\\rtf1}", "", "", "text/rtf", "documents/rtf");
    }

    #[test]
    fn ts_is_video_only_with_sync_bytes() {
        let stream: Vec<u8> = (0..188 * 4).map(|at| if at % 188 == 0 { 0x47 } else { 0 }).collect();
        is(&stream, "", "a.ts", "video/mp2t", "videos/ts");
        is(&stream, "text/plain", "a", "video/mp2t", "videos/ts");
        is(b"const a: number = 1;", "", "a.ts", "text/x-typescript", "code/ts");
        is(b"const a: number = 1;", "video/mp2t", "a.ts", "text/x-typescript", "code/ts");
        is(b"GGG", "video/mp2t", "a", "application/octet-stream", "other/unknown");
    }

    #[test]
    fn a_container_is_what_its_name_or_sender_says_if_that_is_one_of_its_kind() {
        is(ZIP, "", "a.zip", "application/zip", "archives/zip");
        is(ZIP, "", "a.DOCX", table::DOCX.mime, "documents/docx");
        is(ZIP, "", "a.epub", "application/epub+zip", "documents/epub");
        is(ZIP, "", "a.jpg", "application/zip", "archives/zip");
        is(ZIP, "application/vnd.android.package-archive", "a", table::APK.mime, "archives/apk");
        is(ZIP, table::XLSX.mime, "a.zip", "application/zip", "archives/zip");
        is(ZIP, "application/x-zip-compressed", "a.pptx", table::PPTX.mime, "presentations/pptx");
        is(OLE, "", "a.doc", "application/msword", "documents/doc");
        is(OLE, "", "a.xls", "application/vnd.ms-excel", "spreadsheets/xls");
        is(OLE, "", "a.ppt", "application/vnd.ms-powerpoint", "presentations/ppt");
        is(OLE, "application/msword", "a", "application/msword", "documents/doc");
        is(OLE, "", "a", "application/x-ole-storage", "other/ole");
        is(TIFF, "", "a.tif", "image/tiff", "images/tiff");
        is(TIFF, "", "a.NEF", "image/x-nikon-nef", "images/nef");
        is(TIFF, "", "a.dng", "image/x-adobe-dng", "images/dng");
        is(TIFF, "", "a.arw", "image/x-sony-arw", "images/arw");
        is(MP4, "", "a.mp4", "video/mp4", "videos/mp4");
        is(MP4, "", "a.m4a", "audio/mp4", "audio/m4a");
        is(MP4, "audio/mp4", "a", "audio/mp4", "audio/m4a");
    }

    #[test]
    fn a_signature_of_two_bytes_decides_only_where_nothing_else_does() {
        is(b"0\x82\x03\x01", "", "a.dcm", "application/dicom", "other/dcm");
        is(b"0\x82\x03\x01", "", "a.der", "application/x-x509-ca-cert", "other/der");
        is(b"0\x82\x03\x01", "", "a", "application/x-x509-ca-cert", "other/der");
    }

    /// Prints what classification costs: `cargo test --lib cost_of_classify -- --ignored --nocapture`.
    #[test]
    #[ignore = "a measurement"]
    fn cost_of_classify() {
        let text = b"fn main() { println!(\"hello\"); }\n".repeat(200);
        let noise: Vec<u8> =
            (0..4096_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24).to_le_bytes()[0]).collect();
        let cases: [(&str, &[u8], Option<&str>, &str); 7] = [
            ("jpeg", JPEG, Some("image/jpeg"), "IMG_2041.JPG"),
            ("mp4", MP4, Some("video/mp4"), "film.mp4"),
            ("source", &text, Some("text/rust"), "main.rs"),
            ("text, octet-stream", &text, Some("application/octet-stream"), "main.rs"),
            ("unlisted type", &text, Some("text/x-unheard-of"), "main.xyz"),
            ("noise", &noise, None, "a.bin"),
            ("zip", ZIP, None, "a.docx"),
        ];
        for (what, first, declared, name) in cases {
            const ROUNDS: u32 = 1_000_000;
            let start = std::time::Instant::now();
            for _ in 0..ROUNDS {
                std::hint::black_box(classify(std::hint::black_box(first), declared, name));
            }
            let classified = start.elapsed() / ROUNDS;
            let file_type = classify(first, declared, name);
            let digest = crate::base::digest::Digest::of(b"");
            let (start, mut path) = (std::time::Instant::now(), String::with_capacity(512));
            for _ in 0..ROUNDS {
                name::stored_path(
                    &mut path,
                    &file_type,
                    "holiday 2025",
                    &digest,
                    12,
                    std::hint::black_box(name),
                )
                .unwrap();
            }
            println!("{what}: classify {classified:?}, path {:?}", start.elapsed() / ROUNDS);
        }
    }
}
