//! What stands around a content's bytes in an answer: its head, and with several ranges what separates them
//! (`multipart/byteranges`, RFC 9110 section 14.6).
//!
//! Always: the length that the head declares is that of all that is sent behind it.

use bytes::Bytes;

use super::conn::Conn;
use crate::http::error::Status;
use crate::http::head::Head;
use crate::http::range::{ByteRange, RangeList};
use crate::http::response::{self, Disposition, HeadWriter, Persistence};
use crate::media::inline::presentation;
use crate::runtime;
use crate::store::format::attributes::Kind;
use crate::store::read::StoredName;

/// An answer but for its content.
pub(super) struct Parts {
    /// What comes first, up to the first range's bytes.
    pub(super) head: Bytes,
    /// In the order they are sent.
    pub(super) ranges: RangeList,
    /// What stands behind each range's bytes but the last's.
    pub(super) between: Vec<Bytes>,
    /// What stands behind the last's.
    pub(super) end: Bytes,
}

impl Parts {
    /// The answer with these ranges of a content of `size` bytes, or with all of it.
    pub(super) fn new(
        conn: &Conn,
        head: &Head,
        persistence: Persistence,
        (status, ranges, size): (Status, &RangeList, u64),
        name: &StoredName,
    ) -> Parts {
        let mime = name.attributes.text(Kind::Mime);
        let shown = presentation(&mime);
        let disposition = if shown.inline { Disposition::Inline } else { Disposition::Attachment };
        let original = name.attributes.text(Kind::OriginalName);
        let separated = Separated::new(shown.content_type, ranges, size);
        let content_type = separated.content_type.as_deref().unwrap_or(shown.content_type);
        let mut out = Vec::with_capacity(1024);
        let writer = HeadWriter::begin(&mut out, status, &conn.core.date())
            .field("Content-Type", content_type.as_bytes())
            .content_length(separated.length)
            .entity_tag(&name.digest)
            .repr_digest(&name.digest)
            .field("Last-Modified", name.time.http_date().to_string().as_bytes())
            .field("Accept-Ranges", b"bytes")
            .field("Cache-Control", b"private, no-cache")
            .disposition(disposition, &original)
            .field("X-Content-Type-Options", b"nosniff")
            .field("Content-Security-Policy", b"sandbox; default-src 'none'")
            .field("Cross-Origin-Resource-Policy", b"same-origin")
            .connection(head.version, persistence);
        let writer = match ranges[..] {
            [only] if status == Status::PartialContent => writer.content_range(only, size),
            _ => writer,
        };
        writer.end();
        let Separated { first, between, end, .. } = separated;
        out.extend_from_slice(&first);
        Parts { head: out.into(), ranges: ranges.clone(), between, end }
    }
}

/// What separates ranges; nothing for one.
struct Separated {
    /// Of the whole, if it is not the content's own.
    content_type: Option<String>,
    /// Of the body.
    length: u64,
    first: Vec<u8>,
    between: Vec<Bytes>,
    end: Bytes,
}

impl Separated {
    fn new(content_type: &str, ranges: &[ByteRange], size: u64) -> Separated {
        let mut length = ranges.iter().map(|range| range.end - range.start).sum();
        if ranges.len() == 1 {
            return Separated {
                content_type: None,
                length,
                first: Vec::new(),
                between: Vec::new(),
                end: Bytes::new(),
            };
        }
        // No content holds what nobody knows before.
        let boundary = format!("{:032x}", u128::from_le_bytes(runtime::random()));
        let mut heads = ranges.iter().map(|range| {
            let mut head = Vec::with_capacity(160);
            response::write_range_head(&mut head, &boundary, content_type, *range, size);
            head
        });
        let first = heads.next().unwrap_or_default();
        let between: Vec<Bytes> = heads.map(Bytes::from).collect();
        let mut end = Vec::with_capacity(64);
        response::write_range_end(&mut end, &boundary);
        length += (first.len() + between.iter().map(Bytes::len).sum::<usize>() + end.len()) as u64;
        let content_type = Some(format!("multipart/byteranges; boundary={boundary}"));
        Separated { content_type, length, first, between, end: end.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_is_that_of_all_parts_and_what_separates_them() {
        let ranges = [(0, 5), (90, 100), (3, 4)].map(|(start, end)| ByteRange { start, end });
        let one = Separated::new("text/plain", &ranges[..1], 100);
        assert_eq!((one.length, one.first.len(), one.end.len(), one.content_type), (5, 0, 0, None));
        let three = Separated::new("text/plain", &ranges, 100);
        let around =
            three.first.len() + three.between.iter().map(Bytes::len).sum::<usize>() + three.end.len();
        assert_eq!(three.length, (around + 5 + 10 + 1) as u64);
        assert_eq!(three.between.len(), 2);
        assert!(three.between[0].ends_with(b"Content-Range: bytes 90-99/100\r\n\r\n"));
    }
}
