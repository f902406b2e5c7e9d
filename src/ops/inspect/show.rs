//! Headers and records as lines of text.
//!
//! Always: text from the log is quoted and escaped, so that it can neither start a line nor move the cursor; neither
//! nonce nor seeded checksums are shown.

use std::io::{self, Write};

use crate::store::format::attributes::Kind;
use crate::store::format::{Attributes, BatchHeader, Body, FormatError, Record, Seal, SegmentHeader};

/// A segment's header and seal.
pub(super) fn segment(out: &mut impl Write, header: &SegmentHeader, seal: Option<&Seal>) -> io::Result<()> {
    let SegmentHeader { segment, lane, created, size, first_batch, .. } = header;
    writeln!(
        out,
        "segment {segment}: lane {lane}, created {}, {size} bytes prepared, batches from {first_batch}",
        created.rfc3339()
    )?;
    if let Some(before) = &header.predecessor {
        let (segment, end, batch) = (before.segment, before.end, before.last_batch);
        writeln!(out, "  continues segment {segment}, which ends at byte {end} with batch {batch}")?;
    }
    if header.compatible != 0 {
        writeln!(out, "  compatible features {:#010x}", header.compatible)?;
    }
    match seal {
        Some(seal) => writeln!(
            out,
            "  sealed {}: ends at byte {} with batch {}, {} batches, {} records, lsn {} to {}",
            seal.sealed.rfc3339(),
            seal.end,
            seal.last_batch,
            seal.batches,
            seal.records,
            seal.least_lsn,
            seal.greatest_lsn
        ),
        None => writeln!(out, "  not sealed"),
    }
}

/// A batch's header.
pub(super) fn batch(out: &mut impl Write, header: &BatchHeader) -> io::Result<()> {
    let BatchHeader { seq, offset, batch_bytes, table_bytes, records, durable_through, .. } = header;
    writeln!(
        out,
        "  batch {seq} at byte {offset}: {records} records in {batch_bytes} bytes (table {table_bytes}), \
         durable through {durable_through}, lsn {} to {}, written {}",
        header.least_lsn,
        header.greatest_lsn,
        header.written.rfc3339()
    )
}

/// A record, whose entry of `len` bytes stands at `position`.
pub(super) fn record(
    out: &mut impl Write,
    position: u64,
    len: u32,
    record: Result<&Record<'_>, &FormatError>,
) -> io::Result<()> {
    let record = match record {
        Ok(record) => record,
        Err(error) => return writeln!(out, "    {position} +{len}: damaged record: {error}"),
    };
    write!(out, "    {position} +{len}: lsn {} {} ", record.lsn, record.time.rfc3339())?;
    match &record.body {
        Body::Put(put) => {
            // Without its checksum: with a known payload that would give away what the nonce seeds.
            writeln!(out, "put {} {} bytes, payload at {} of the batch", put.digest, put.len, put.offset)
        }
        Body::PutLarge(put) => {
            let chunks = put.chunk_crcs.len();
            writeln!(out, "put-large {} {} bytes, blob {}, {chunks} chunks", put.digest, put.len, put.blob)
        }
        Body::Name(name) => {
            write!(out, "name {} means {}", quoted(&name.path), name.digest)?;
            attributes(out, &name.attributes)
        }
        Body::DeleteContent(digest) => writeln!(out, "delete-content {digest}"),
        Body::DeleteName { path, .. } => writeln!(out, "delete-name {}", quoted(path)),
        Body::Attributes { path, attributes: all, .. } => {
            write!(out, "attributes of {}", quoted(path))?;
            attributes(out, all)
        }
        Body::RetireSegment(segment) => writeln!(out, "retire-segment {segment}"),
        Body::RetireBlob(blob) => writeln!(out, "retire-blob {blob}"),
        Body::Unknown(kind) => writeln!(out, "unknown kind {kind}, passed over"),
    }
}

fn attributes(out: &mut impl Write, attributes: &Attributes) -> io::Result<()> {
    for (number, value) in attributes.iter() {
        match label(number) {
            Some(label) => write!(out, " {label}={}", quoted(value))?,
            None => write!(out, " attribute-{number}={}", quoted(value))?,
        }
    }
    writeln!(out)
}

fn label(number: u16) -> Option<&'static str> {
    let labels = [
        (Kind::OriginalName, "original-name"),
        (Kind::Folder, "folder"),
        (Kind::Mime, "mime"),
        (Kind::Category, "category"),
        (Kind::Comment, "comment"),
        (Kind::Tag, "tag"),
    ];
    labels.into_iter().find(|(kind, _)| *kind as u16 == number).map(|(_, label)| label)
}

/// Text in quotes, with everything escaped that is not plainly visible; what is not UTF-8 as U+FFFD.
fn quoted(bytes: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(bytes))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::base::ids::Lsn;
    use crate::base::time::Wall;

    #[test]
    fn what_the_log_says_cannot_reach_the_terminal_raw() {
        let hostile = "a\u{1b}[2J\r\n\u{202e}b\u{0}\u{9b}\u{2028}\"\\";
        let mut attributes = Attributes::default();
        attributes.push(Kind::Comment, hostile.as_bytes());
        attributes.push(Kind::OriginalName, &[0xff, 0x1b]);
        let path = Cow::Borrowed(hostile.as_bytes());
        let body = Body::Attributes { namespace: 0, path, attributes };
        let mut line = Vec::new();
        record(&mut line, 16_512, 90, Ok(&Record { lsn: Lsn(7), time: Wall(0), body })).unwrap();
        let line = String::from_utf8(line).unwrap();
        assert!(line.ends_with('\n'));
        let escaped = r#""a\u{1b}[2J\r\n\u{202e}b\0\u{9b}\u{2028}\"\\""#;
        let start = "    16512 +90: lsn 7 1970-01-01T00:00:00Z attributes of";
        let name = "original-name=\"\u{fffd}\\u{1b}\"";
        assert_eq!(line.trim_end(), format!("{start} {escaped} comment={escaped} {name}"));
    }
}
