//! Every structure of the format with fixed numbers, and the bytes that are committed for it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::borrow::Cow;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use bytes::Bytes;
use rhinobox::base::crc::Seed;
use rhinobox::base::digest::Digest;
use rhinobox::base::ids::{BatchSeq, BlobId, LaneId, Lsn, SegmentId, StoreId};
use rhinobox::base::time::Wall;
use rhinobox::limits::BLOB_CHUNK_BYTES;
use rhinobox::runtime::buffer::Pool;
use rhinobox::runtime::sync::oneshot;
use rhinobox::store::FlushMethod;
use rhinobox::store::Identity;
use rhinobox::store::commit::{self, Append, NewBody, NewRecord, Payload, Position};
use rhinobox::store::format::attributes::Kind;
use rhinobox::store::format::header::Predecessor;
use rhinobox::store::format::{
    Attributes, BatchHeader, Body, FIRST_BATCH_OFFSET, NameBody, Nonce, PutLargeBody, Record, Seal,
    SegmentHeader,
};
use rhinobox::store::scan::FoundBatch;

const STORE: StoreId = StoreId(*b"golden store id.");
const NONCE: Nonce = Nonce(*b"golden nonce....");
const SEGMENT: SegmentId = SegmentId(0x0a0b_0c0d);
const LANE: LaneId = LaneId(3);
const TIME: Wall = Wall(1_763_202_600_123_456_789);
const PAYLOAD: &[u8] = b"thirteen byte";
pub(crate) const PATH: &str = "storage/documents/txt/2025/0123456789ab_notes.txt";
/// Where the lone entries stand.
const POSITION: u64 = 0x0001_2340;

pub(crate) fn seed() -> Seed {
    NONCE.seed(SEGMENT)
}

fn identity() -> Identity {
    Identity { store: STORE, flush: FlushMethod::Dsync }
}

fn header() -> SegmentHeader {
    SegmentHeader {
        store: STORE,
        segment: SEGMENT,
        lane: LANE,
        nonce: NONCE,
        created: TIME,
        size: 0x0400_0000,
        first_batch: BatchSeq(42),
        predecessor: Some(Predecessor { segment: SegmentId(7), end: 0x0003_f000, last_batch: BatchSeq(41) }),
        compatible: 5,
        read_compatible: 0,
        incompatible: 0,
    }
}

fn seal() -> Seal {
    Seal {
        end: 0x0001_5000,
        last_batch: BatchSeq(43),
        batches: 2,
        records: 9,
        least_lsn: Lsn(100),
        greatest_lsn: Lsn(108),
        sealed: TIME,
    }
}

pub(crate) fn attributes() -> Attributes {
    let mut attributes = Attributes::default();
    attributes.push(Kind::OriginalName, "N\u{f6}tes.TXT".as_bytes());
    attributes.push(Kind::Folder, b"from/home");
    attributes.push(Kind::Mime, b"text/plain");
    attributes.push(Kind::Category, b"2025");
    attributes.push(Kind::Comment, b"a comment");
    attributes.push(Kind::Tag, b"key\0value");
    attributes
}

fn digest() -> Digest {
    Digest::of(PAYLOAD)
}

/// A batch as the committer encodes it: put, name, put-large, delete-content.
fn batch() -> Vec<u8> {
    let put = NewBody::Put {
        digest: digest(),
        payload: Payload::from_iter([Bytes::from_static(&PAYLOAD[..5]), Bytes::from_static(&PAYLOAD[5..])]),
        len: u32::try_from(PAYLOAD.len()).unwrap(),
    };
    let name = NewBody::Name { digest: digest(), path: PATH.into(), attributes: attributes() };
    let large = NewBody::PutLarge {
        digest: Digest::of(b"large"),
        len: BLOB_CHUNK_BYTES as u64 + 1,
        blob: BlobId(0x0a0b_0c0d_0000_0002),
        chunk_crcs: vec![0x1111_2222, 0x3333_4444],
    };
    let delete = NewBody::DeleteContent(Digest::of(b"deleted"));
    let record = |(body, lsn)| NewRecord { lsn: Lsn(lsn), time: TIME, body };
    let append = |bodies: Vec<NewBody>, from: u64| Append {
        records: bodies.into_iter().zip(from..).map(record).collect(),
        frees_space: false,
        done: oneshot::channel().0,
        active: None,
    };
    let appends = [append(vec![put, name], 100), append(vec![large, delete], 102)];
    let at = Position {
        segment: SEGMENT,
        lane: LANE,
        offset: FIRST_BATCH_OFFSET,
        seq: BatchSeq(42),
        durable_through: BatchSeq(41),
        seed: seed(),
        tag: NONCE.tag(),
    };
    let mut buffer = Pool::new(0).take(4096);
    let placed = commit::encode(&mut buffer, at, TIME, &appends);
    assert_eq!(placed.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
    buffer.as_slice().to_vec()
}

/// Records that stand alone, by the name of their golden file.
fn lone_records() -> Vec<(&'static str, Record<'static>)> {
    let path = || Cow::Borrowed(PATH.as_bytes());
    let bodies = [
        ("delete-name", Body::DeleteName { namespace: 0, path: path() }),
        ("attributes", Body::Attributes { namespace: 0, path: path(), attributes: attributes() }),
        ("retire-segment", Body::RetireSegment(SegmentId(7))),
        ("retire-blob", Body::RetireBlob(BlobId(0x0102_0304_0506_0708))),
        ("unknown", Body::Unknown(200)),
    ];
    let record = |((name, body), lsn)| (name, Record { lsn: Lsn(lsn), time: TIME, body });
    bodies.into_iter().zip(104..).map(record).collect()
}

fn entry(record: &Record<'_>) -> Vec<u8> {
    let mut bytes = vec![0xaa; record.body.entry_bytes()];
    record.encode(&mut bytes, seed(), POSITION);
    bytes
}

fn all() -> Vec<(&'static str, Vec<u8>)> {
    let mut all = vec![
        ("format-file", identity().encode().into_bytes()),
        ("segment-header", header().encode().to_vec()),
        ("seal", seal().encode(seed()).to_vec()),
        ("batch", batch()),
    ];
    all.extend(lone_records().iter().map(|(name, record)| (*name, entry(record))));
    all
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/format/{name}.hex"))
}

/// The committed bytes of a structure.
pub(crate) fn golden(name: &str) -> Vec<u8> {
    let text = fs::read_to_string(file(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut bytes = Vec::new();
    for line in text.lines() {
        let (offset, row) = line.split_once(": ").expect("each line is an offset and bytes");
        assert_eq!(usize::from_str_radix(offset, 16), Ok(bytes.len()), "{name}: lines in order");
        bytes.extend(row.split(' ').map(|byte| u8::from_str_radix(byte, 16).expect("two digits a byte")));
    }
    bytes
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (number, row) in bytes.chunks(16).enumerate() {
        write!(text, "{:04x}:", number * 16).unwrap();
        row.iter().for_each(|byte| write!(text, " {byte:02x}").unwrap());
        text.push('\n');
    }
    text
}

#[test]
fn encoders_write_the_committed_bytes() {
    for (name, bytes) in all() {
        assert_eq!(hex(&bytes), hex(&golden(name)), "{name}");
    }
}

#[test]
fn decoders_read_the_committed_bytes() {
    let text = String::from_utf8(golden("format-file")).unwrap();
    assert_eq!(Identity::decode(&text), Ok(identity()));
    assert_eq!(SegmentHeader::decode(&golden("segment-header"), STORE, SEGMENT), Ok(header()));
    assert_eq!(Seal::decode(&golden("seal"), seed()), Ok(seal()));
    for (name, record) in lone_records() {
        assert_eq!(Record::decode(&golden(name), seed(), POSITION), Ok(record), "{name}");
    }
}

#[test]
fn the_committed_batch_reads_as_what_was_written() {
    let bytes = golden("batch");
    let header = BatchHeader::decode(&bytes, seed(), NONCE.tag(), FIRST_BATCH_OFFSET).unwrap();
    assert_eq!((header.seq, header.durable_through), (BatchSeq(42), BatchSeq(41)));
    assert_eq!((header.segment, header.lane, header.records), (SEGMENT, LANE, 4));
    assert_eq!((header.least_lsn, header.greatest_lsn, header.written), (Lsn(100), Lsn(103), TIME));
    assert_eq!((header.batch_bytes as usize, header.end()), (bytes.len(), FIRST_BATCH_OFFSET + 4096));
    let table = bytes[..header.table_bytes as usize].to_vec();
    let found = FoundBatch { header, table };
    let records: Vec<_> = found.records(seed()).map(|(_, _, record)| record.unwrap()).collect();
    assert_eq!(records.iter().map(|record| record.lsn.0).collect::<Vec<_>>(), [100, 101, 102, 103]);
    let Body::Put(put) = records[0].body else { panic!("a put comes first") };
    assert_eq!((put.digest, put.len as usize), (digest(), PAYLOAD.len()));
    let payload = &bytes[put.offset as usize..][..PAYLOAD.len()];
    assert_eq!(payload, PAYLOAD);
    assert_eq!(put.crc, seed().at(FIRST_BATCH_OFFSET + u64::from(put.offset)).sum(payload));
    let name = NameBody {
        namespace: 0,
        digest: digest(),
        path: Cow::Borrowed(PATH.as_bytes()),
        attributes: Cow::Owned(attributes()),
    };
    assert_eq!(records[1].body, Body::Name(name));
    let large = PutLargeBody {
        digest: Digest::of(b"large"),
        len: BLOB_CHUNK_BYTES as u64 + 1,
        blob: BlobId(0x0a0b_0c0d_0000_0002),
        chunk_crcs: Cow::Owned(vec![0x1111_2222, 0x3333_4444]),
    };
    assert_eq!(records[2].body, Body::PutLarge(large));
    assert_eq!(records[3].body, Body::DeleteContent(Digest::of(b"deleted")));
}

/// Writes the golden files: `cargo test --test format_golden -- --ignored write_the_structures`.
#[test]
#[ignore = "writes the golden files; only for a new version of the format"]
fn write_the_structures() {
    for (name, bytes) in all() {
        fs::write(file(name), hex(&bytes)).unwrap();
    }
}
