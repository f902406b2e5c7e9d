//! What the first bytes of a file say about it.
//!
//! Three steps, cheapest first: the signatures of what people upload, told apart by their first byte; whether
//! the bytes are text, which needs no signature and must not be taken for one (`BM`, `MZ` and `%PDF` occur in
//! prose and in source code); and for the rest, the `infer` crate's list.
//!
//! Always true: an answer depends on at most [`SNIFF_BYTES_MAX`] bytes, and nothing is allocated.

use memchr::memmem;

use crate::limits::SNIFF_BYTES_MAX;
use crate::media::table::{self, Row};

/// What the first bytes say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signature {
    /// A binary signature: it decides.
    Binary(&'static Row),
    /// A signature of two bytes, as one binary file in 10,000 has by chance: it decides where nothing else does.
    Weak(&'static Row),
    /// Text whose root element is `svg`.
    Svg,
    /// Text, and what it looks like, if anything.
    Text(Option<&'static Row>),
    /// Bytes without a meaning known here, or no bytes.
    None,
}

/// Reads the signature off the first bytes of a file: its first [`SNIFF_BYTES_MAX`] or, if it is shorter, all of it.
#[must_use]
pub fn sniff(first: &[u8]) -> Signature {
    let first = &first[..first.len().min(SNIFF_BYTES_MAX)];
    if let Some(row) = common(first) {
        return Signature::Binary(row);
    }
    if is_text(first) {
        return text(first);
    }
    if is_transport_stream(first) {
        return Signature::Binary(&table::MPEGTS);
    }
    let Some(found) = infer::get(first) else { return Signature::None };
    let Some(row) = table::by_extension(found.extension()) else { return Signature::None };
    if WEAK.contains(&row) { Signature::Weak(row) } else { Signature::Binary(row) }
}

/// Kinds that `infer` knows by two bytes.
static WEAK: [&Row; 6] =
    [&table::OBJ, &table::LLVM, &table::DER, &table::COMPRESS, &table::CPIO, &table::AAC];

/// The kinds that make up nearly all uploads, each by a signature too long to occur in text by chance.
fn common(first: &[u8]) -> Option<&'static Row> {
    let is = |magic: &[u8]| first.starts_with(magic);
    let at = |offset: usize, magic: &[u8]| first.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    let row: &'static Row = match *first.first()? {
        0xff if is(&[0xff, 0xd8, 0xff]) => &table::JPG,
        0xff if matches!(first.get(1)?, 0xfa | 0xfb | 0xf2 | 0xf3) => &table::MP3,
        0xff if is(&[0xff, 0x0a]) => &table::JXL,
        0x89 if is(b"\x89PNG") => &table::PNG,
        b'G' if is(b"GIF87a") || is(b"GIF89a") => &table::GIF,
        b'R' if is(b"RIFF") && at(8, b"WEBP") => &table::WEBP,
        b'R' if is(b"RIFF") && at(8, b"WAVE") => &table::WAV,
        b'R' if is(b"RIFF") && at(8, b"AVI ") => &table::AVI,
        b'R' if is(b"RF64") && at(8, b"WAVE") => &table::WAV,
        b'R' if is(b"Rar!\x1a\x07") => &table::RAR,
        b'%' if is(b"%PDF-") => &table::PDF,
        b'%' if is(b"%!PS-Adobe") => &table::PS,
        b'{' if is(b"{\\rtf") => &table::RTF,
        b'P' if is(b"PK\x03\x04") => zip(first),
        b'I' if is(b"ID3") && *first.get(3)? < 0x10 => &table::MP3,
        b'I' if is(b"IIRO") || is(b"IIRS") => &table::ORF,
        b'I' if is(b"IIU\0") => &table::RW2,
        b'M' if is(b"MMOR") => &table::ORF,
        b'I' | b'M' if is(b"II*\0") || is(b"MM\0*") => tiff(first),
        b'F' if is(b"FUJIFILMCCD-RAW") => &table::RAF,
        b'F' if is(b"FOVb") => &table::X3F,
        b'f' if is(b"fLaC") => &table::FLAC,
        b'O' if is(b"OggS") => ogg(first),
        0x1a if is(b"\x1a\x45\xdf\xa3") => matroska(first),
        0x1f if is(b"\x1f\x8b\x08") => &table::GZ,
        b'7' if is(b"7z\xbc\xaf\x27\x1c") => &table::SEVENZ,
        0x28 if is(b"\x28\xb5\x2f\xfd") => &table::ZST,
        0xd0 if is(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") => &table::OLE,
        0x30 if is(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11") => asf(first),
        b'B' if is(b"BZh") && at(4, b"1AY&SY") => &table::BZ2,
        b'w' if is(b"wOF2") => &table::WOFF2,
        b'w' if is(b"wOFF") => &table::WOFF,
        b'!' if is(b"!<arch>\ndebian-binary") => &table::DEB,
        b'!' if is(b"!<arch>\n") => &table::AR,
        b'#' if is(b"#!AMR") => &table::AMR,
        b'S' if is(b"SQLite format 3\0") => &table::SQLITE,
        b'F' if is(b"FORM") && (at(8, b"AIFF") || at(8, b"AIFC")) => &table::AIFF,
        b'g' if is(b"gimp xcf ") => &table::XCF,
        b'q' if is(b"qoif") => &table::QOI,
        b'v' if is(b"v/1\x01") => &table::EXR,
        b'c' if is(b"caff\0\x01") => &table::CAF,
        b'.' if is(b".snd\0") => &table::AU,
        b'.' if is(b".RMF\0") => &table::RMVB,
        0x00 if is(b"\0\0\x01\xba") || is(b"\0\0\x01\xb3") => &table::MPG,
        0x00 if is(b"\0\0\0\x0cJXL \r\n\x87\n") => &table::JXL,
        _ if at(4, b"ftyp") => iso_media(first)?,
        _ if at(257, b"ustar") => &table::TAR,
        _ => return None,
    };
    Some(row)
}

/// The inside of a zip, as far as its first entries name it.
fn zip(first: &[u8]) -> &'static Row {
    // Formats that put their media type first do so uncompressed: the name and the type at fixed places.
    const MIMETYPE: &[u8] = b"mimetype";
    const KINDS: [(&[u8], &Row); 6] = [
        (b"application/epub+zip", &table::EPUB),
        (b"application/vnd.oasis.opendocument.text", &table::ODT),
        (b"application/vnd.oasis.opendocument.spreadsheet", &table::ODS),
        (b"application/vnd.oasis.opendocument.presentation", &table::ODP),
        (b"application/vnd.oasis.opendocument.graphics", &table::ODG),
        (b"image/openraster", &table::ORA),
    ];
    let name = first.get(30..).unwrap_or_default();
    if let Some(mime) = name.strip_prefix(MIMETYPE) {
        return KINDS.iter().find(|(magic, _)| mime.starts_with(magic)).map_or(&table::ZIP, |(_, row)| row);
    }
    if name.starts_with(b"META-INF/MANIFEST.MF") || name.starts_with(b"META-INF/\xfe\xca") {
        return &table::JAR;
    }
    if name.starts_with(b"AndroidManifest.xml") {
        return &table::APK;
    }
    // Office files start with one of these and have their folder among the first entries.
    let office =
        [&b"[Content_Types].xml"[..], b"_rels/", b"docProps", b"word/", b"xl/", b"ppt/", b"customXml/"];
    if office.iter().any(|start| name.starts_with(start)) {
        let mut rest = first;
        while let Some(next) = memmem::find(rest, b"PK\x03\x04") {
            rest = &rest[next + 4..];
            let name = rest.get(26..).unwrap_or_default();
            for (folder, row) in
                [(&b"word/"[..], &table::DOCX), (b"xl/", &table::XLSX), (b"ppt/", &table::PPTX)]
            {
                if name.starts_with(folder) {
                    return row;
                }
            }
        }
    }
    &table::ZIP
}

fn tiff(first: &[u8]) -> &'static Row {
    if first.get(8..10) == Some(b"CR") { &table::CR2 } else { &table::TIFF }
}

/// The codec's name opens the first packet, behind a page header of 27 bytes and one segment.
fn ogg(first: &[u8]) -> &'static Row {
    match first.get(28..).unwrap_or_default() {
        [b'O', b'p', b'u', b's', b'H', b'e', b'a', b'd', ..] => &table::OPUS,
        [0x80, b't', b'h', b'e', b'o', b'r', b'a', ..] | [b'f', b'i', b's', b'h', b'e', b'a', b'd', ..] => {
            &table::OGV
        }
        [b'S', b'p', b'e', b'e', b'x', b' ', ..] => &table::SPX,
        _ => &table::OGG,
    }
}

/// EBML says which of the two it is in its DocType element (0x4282), among the first few elements.
fn matroska(first: &[u8]) -> &'static Row {
    let head = &first[..first.len().min(256)];
    let webm = memmem::find(head, b"\x42\x82").and_then(|at| head.get(at + 3..));
    if webm.is_some_and(|doc_type| doc_type.starts_with(b"webm")) { &table::WEBM } else { &table::MKV }
}

/// ASF holds sound or pictures; a video stream's type says so in one of the first headers.
fn asf(first: &[u8]) -> &'static Row {
    const AUDIO: &[u8] = b"\x40\x9e\x69\xf8\x4d\x5b\xcf\x11\xa8\xfd\x00\x80\x5f\x5c\x44\x2b";
    const VIDEO: &[u8] = b"\xc0\xef\x19\xbc\x4d\x5b\xcf\x11\xa8\xfd\x00\x80\x5f\x5c\x44\x2b";
    if memmem::find(first, VIDEO).is_some() {
        &table::WMV
    } else if memmem::find(first, AUDIO).is_some() {
        &table::WMA
    } else {
        &table::ASF
    }
}

/// ISO base media (ISO/IEC 14496-12 section 4.3): a `ftyp` box with the major brand and compatible ones.
fn iso_media(first: &[u8]) -> Option<&'static Row> {
    let major: &[u8; 4] = first.get(8..)?.first_chunk()?;
    let length = first.first_chunk().map_or(0, |size| u32::from_be_bytes(*size));
    let end = usize::try_from(length).unwrap_or(usize::MAX).min(first.len());
    let compatible = |brand: &[u8; 4]| first.get(16..end).unwrap_or_default().as_chunks().0.contains(brand);
    Some(match major {
        b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" => &table::HEIC,
        b"avif" | b"avis" => &table::AVIF,
        b"mif1" | b"msf1" if compatible(b"avif") || compatible(b"avis") => &table::AVIF,
        b"mif1" | b"msf1" if compatible(b"heic") || compatible(b"heix") => &table::HEIC,
        b"mif1" | b"msf1" => &table::HEIF,
        b"jxl " => &table::JXL,
        b"jp2 " | b"jpx " => &table::JP2,
        b"crx " => &table::CR3,
        b"qt  " => &table::MOV,
        b"M4A " => &table::M4A,
        b"M4B " | b"M4P " => &table::M4B,
        b"M4V " | b"M4VH" | b"M4VP" => &table::M4V,
        [b'3', b'g', b'2', _] => &table::THREEG2,
        [b'3', b'g', _, _] => &table::THREEGP,
        _ => &table::MP4,
    })
}

/// MPEG-TS (ISO/IEC 13818-1 section 2.4.3.2): packets of 188 bytes, each with 0x47 in front; on Blu-ray and
/// camcorders four more bytes stand before each.
fn is_transport_stream(first: &[u8]) -> bool {
    let synced = |start: usize, step: usize| {
        first.len() > start + step && first[start..].iter().step_by(step).all(|byte| *byte == 0x47)
    };
    synced(0, 188) || synced(4, 192)
}

/// Bytes looked at to tell text from other things.
const TEXT_BYTES: usize = 512;

/// Whether these bytes are text: none of the control characters that text has no use for (WHATWG MIME Sniffing
/// section 3, "binary data byte"), or a UTF-16 byte order mark.
fn is_text(first: &[u8]) -> bool {
    if first.is_empty() {
        return false;
    }
    if first.starts_with(b"\xff\xfe") || first.starts_with(b"\xfe\xff") {
        return true;
    }
    // A fold rather than `any`: without an early exit it runs on vectors.
    let controls = first[..first.len().min(TEXT_BYTES)].chunks(64).map(|chunk| {
        chunk.iter().fold(false, |seen, &byte| {
            seen | (byte < 0x20 && !matches!(byte, b'\t' | b'\n' | 0x0c | b'\r' | 0x1b))
        })
    });
    !controls.into_iter().any(|seen| seen)
}

fn text(first: &[u8]) -> Signature {
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
