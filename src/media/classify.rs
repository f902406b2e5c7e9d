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
