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
use crate::media::text;

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
    if text::is_text(first) {
        return text::look(first);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(first: &[u8]) -> Option<&'static str> {
        match sniff(first) {
            Signature::Binary(row) => Some(row.kind),
            _ => None,
        }
    }

    fn ftyp(brands: &[&[u8; 4]]) -> Vec<u8> {
        let mut file = u32::try_from(12 + 4 * brands.len()).unwrap().to_be_bytes().to_vec();
        file.extend_from_slice(b"ftyp");
        file.extend_from_slice(brands[0]);
        file.extend_from_slice(&[0; 4]);
        brands[1..].iter().for_each(|brand| file.extend_from_slice(*brand));
        file
    }

    /// A zip of empty entries with these names, the first of them with `content`.
    fn zip(names: &[&str], content: &[u8]) -> Vec<u8> {
        let mut file = Vec::new();
        for (index, name) in names.iter().enumerate() {
            file.extend_from_slice(b"PK\x03\x04");
            file.extend_from_slice(&[0; 22]);
            file.push(u8::try_from(name.len()).unwrap());
            file.extend_from_slice(&[0; 3]);
            file.extend_from_slice(name.as_bytes());
            file.extend_from_slice(if index == 0 { content } else { b"" });
        }
        file
    }

    fn ogg(packet: &[u8]) -> Vec<u8> {
        let mut file = b"OggS\0\x02".to_vec();
        file.resize(28, 0);
        file.extend_from_slice(packet);
        file
    }

    fn matroska(doc_type: &str) -> Vec<u8> {
        let mut file = b"\x1a\x45\xdf\xa3\x93\x42\x82".to_vec();
        file.push(0x80 | u8::try_from(doc_type.len()).unwrap());
        file.extend_from_slice(doc_type.as_bytes());
        file
    }

    fn at(offset: usize, magic: &[u8]) -> Vec<u8> {
        let mut file = vec![0; offset];
        file.extend_from_slice(magic);
        file.resize(file.len() + 300, 0);
        file
    }

    #[test]
    fn real_signatures_are_known() {
        let asf = |stream: &[u8]| {
            [b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\0\xaa\0\x62\xce\x6c", stream].concat()
        };
        let video = b"\xc0\xef\x19\xbc\x4d\x5b\xcf\x11\xa8\xfd\x00\x80\x5f\x5c\x44\x2b";
        let audio = b"\x40\x9e\x69\xf8\x4d\x5b\xcf\x11\xa8\xfd\x00\x80\x5f\x5c\x44\x2b";
        let cases: &[(&str, Vec<u8>)] = &[
            ("jpg", b"\xff\xd8\xff\xe0\0\x10JFIF".to_vec()),
            ("jpg", b"\xff\xd8\xff".to_vec()),
            ("png", b"\x89PNG\r\n\x1a\n".to_vec()),
            ("gif", b"GIF89a".to_vec()),
            ("gif", b"GIF87a\x01\0".to_vec()),
            ("webp", b"RIFF\x24\0\0\0WEBPVP8 ".to_vec()),
            ("bmp", b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0".to_vec()),
            ("ico", b"\0\0\x01\0\x01\0".to_vec()),
            ("tiff", b"II*\0\x08\0\0\0\x0e\0".to_vec()),
            ("tiff", b"MM\0*\0\0\0\x08".to_vec()),
            ("cr2", b"II*\0\x10\0\0\0CR\x02\0".to_vec()),
            ("cr3", ftyp(&[b"crx ", b"isom"])),
            ("raf", b"FUJIFILMCCD-RAW 0201".to_vec()),
            ("orf", b"IIRO\x08\0\0\0".to_vec()),
            ("rw2", b"IIU\0\x18\0\0\0".to_vec()),
            ("psd", b"8BPS\0\x01".to_vec()),
            ("heic", ftyp(&[b"heic", b"mif1"])),
            ("heic", ftyp(&[b"mif1", b"mif1", b"heic"])),
            ("heif", ftyp(&[b"mif1", b"mif1"])),
            ("avif", ftyp(&[b"avif", b"mif1"])),
            ("avif", ftyp(&[b"mif1", b"avif"])),
            ("jxl", b"\xff\x0a\xfa\x1f".to_vec()),
            ("jxl", b"\0\0\0\x0cJXL \r\n\x87\n".to_vec()),
            ("jp2", b"\0\0\0\x0cjP  \r\n\x87\n\0".to_vec()),
            ("mp4", ftyp(&[b"isom", b"mp41"])),
            ("mp4", ftyp(&[b"mp42"])),
            ("m4v", ftyp(&[b"M4V ", b"isom"])),
            ("mov", ftyp(&[b"qt  "])),
            ("3gp", ftyp(&[b"3gp5"])),
            ("m4a", ftyp(&[b"M4A ", b"isom"])),
            ("avi", b"RIFF\0\0\0\0AVI LIST".to_vec()),
            ("mkv", matroska("matroska")),
            ("webm", matroska("webm")),
            ("flv", b"FLV\x01\x05\0\0\0\x09".to_vec()),
            ("wmv", asf(video)),
            ("wma", asf(audio)),
            ("asf", asf(b"")),
            ("mpg", b"\0\0\x01\xba\x44".to_vec()),
            ("mp3", b"ID3\x04\0\0\0\0\0\0".to_vec()),
            ("mp3", b"\xff\xfb\x90\x64".to_vec()),
            ("wav", b"RIFF\x24\0\0\0WAVEfmt ".to_vec()),
            ("flac", b"fLaC\0\0\0\x22".to_vec()),
            ("ogg", ogg(b"\x01vorbis")),
            ("ogg", b"OggS".to_vec()),
            ("opus", ogg(b"OpusHead")),
            ("ogv", ogg(b"\x80theora")),
            ("spx", ogg(b"Speex   ")),
            ("aiff", b"FORM\0\0\0\0AIFFCOMM".to_vec()),
            ("midi", b"MThd\0\0\0\x06".to_vec()),
            ("amr", b"#!AMR\n\x3c\x91".to_vec()),
            ("pdf", b"%PDF-1.7\n%\xe2\xe3".to_vec()),
            ("rtf", b"{\\rtf1\\ansi}".to_vec()),
            ("mobi", at(60, b"BOOKMOBI")),
            ("epub", zip(&["mimetype"], b"application/epub+zip")),
            ("odt", zip(&["mimetype"], b"application/vnd.oasis.opendocument.text")),
            ("ods", zip(&["mimetype"], b"application/vnd.oasis.opendocument.spreadsheet")),
            ("docx", zip(&["[Content_Types].xml", "_rels/.rels", "word/document.xml"], b"")),
            ("xlsx", zip(&["[Content_Types].xml", "_rels/.rels", "xl/workbook.xml"], b"")),
            ("pptx", zip(&["[Content_Types].xml", "docProps/app.xml", "ppt/presentation.xml"], b"")),
            ("docx", zip(&["word/document.xml"], b"")),
            ("jar", zip(&["META-INF/MANIFEST.MF"], b"")),
            ("apk", zip(&["AndroidManifest.xml"], b"")),
            ("zip", zip(&["a.txt", "word/b.txt"], b"")),
            ("zip", b"PK\x05\x06\0\0".to_vec()),
            ("tar", at(257, b"ustar\x0000")),
            ("gz", b"\x1f\x8b\x08\0\0".to_vec()),
            ("bz2", b"BZh91AY&SY\0".to_vec()),
            ("xz", b"\xfd7zXZ\0\0".to_vec()),
            ("zst", b"\x28\xb5\x2f\xfd\0".to_vec()),
            ("7z", b"7z\xbc\xaf\x27\x1c\0\x04".to_vec()),
            ("rar", b"Rar!\x1a\x07\x01\0".to_vec()),
            ("deb", b"!<arch>\ndebian-binary   ".to_vec()),
            ("ole", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0".to_vec()),
            ("sqlite", b"SQLite format 3\0".to_vec()),
            ("exe", b"MZ\x90\0\x03\0".to_vec()),
            ("elf", at(0, b"\x7fELF\x02\x01\x01")),
            ("wasm", b"\0asm\x01\0\0\0".to_vec()),
            ("woff2", b"wOF2\0\x01\0\0".to_vec()),
            ("ttf", b"\0\x01\0\0\0\x0f".to_vec()),
        ];
        for (expected, file) in cases {
            assert_eq!(kind(file), Some(*expected), "{}", file.escape_ascii());
        }
    }

    #[test]
    fn every_kind_that_infer_can_name_in_binary_has_a_row() {
        // By extension, as infer 0.22 gives it.
        for extension in "wasm elf exe dll class bc mach dex dey der obj qcow2 epub mobi jpg jp2 png gif webp cr2 tif bmp \
            jxr psd ico heif avif jxl ora djvu dwg mp4 m4v mkv webm mov avi wmv mpg flv midi mp3 m4a opus ogg flac \
            wav amr aac aiff dsf ape woff woff2 ttf otf doc docx xls xlsx ppt pptx odt ods odp zip tar par2 rar gz \
            bz2 bz3 7z xz pdf swf rtf eot ps sqlite nes crx cab deb ar Z lz rpm dcm zst lz4 msi cpio"
            .split_whitespace()
        {
            assert!(table::by_extension(extension).is_some(), "{extension}");
        }
    }

    #[test]
    fn transport_streams_have_every_sync_byte() {
        let mut stream: Vec<u8> = (0..188 * 30).map(|at| if at % 188 == 0 { 0x47 } else { 0 }).collect();
        assert_eq!(kind(&stream), Some("ts"));
        assert_eq!(kind(&stream[..189]), Some("ts"));
        assert_eq!(kind(&stream[..188]), None, "one sync byte is not a pattern");
        stream[188 * 7] = 0x46;
        assert_eq!(kind(&stream), None);
        let blu_ray: Vec<u8> = (0..192 * 30).map(|at| if at % 192 == 4 { 0x47 } else { 0 }).collect();
        assert_eq!(kind(&blu_ray), Some("ts"));
    }

    #[test]
    fn prose_and_code_are_not_taken_for_binaries() {
        for text in [
            "BMW is a maker of cars",
            "MZ, the initials",
            "BCC: everyone",
            "GIF is pronounced as it is",
            "PK: primary key",
            "if data.startswith(b\"%PDF-\"):\n    pass",
            "SQLite is a database",
            "BZh is a prefix",
            "CWS",
            "G".repeat(400).as_str(),
            "caf\u{e9} cr\u{e8}me",
        ] {
            assert_eq!(sniff(text.as_bytes()), Signature::Text(None), "{text}");
        }
        assert_eq!(sniff(b"\xff\xfeh\0i\0"), Signature::Text(None), "UTF-16");
        assert_eq!(sniff(b""), Signature::None);
        assert_eq!(sniff(b"\x01\x02\x03\x04\x05"), Signature::None);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_have_an_answer(first in proptest::collection::vec(0_u8..=255, 0..600), start in 0_usize..12) {
            let starts: [&[u8]; 12] = [b"", b"PK\x03\x04", b"OggS", b"\x1a\x45\xdf\xa3", b"\0\0\0\x20ftyp", b"<", b"<!", b"#!",
                b"II*\0", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"\x50\x2a\x4d\x18", b"ID3"];
            let file = [starts[start], &first].concat();
            for end in 0..=file.len().min(64) {
                std::hint::black_box(sniff(&file[..end]));
            }
            std::hint::black_box(sniff(&file));
        }
    }
}
