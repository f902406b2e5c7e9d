//! What a disk may hold where a record, a slot or a header is expected: decoded or an error, never a panic.
//!
//! Random bytes stop at the checksum, so each structure is tried twice: as it came, and with the checksum (and the
//! lengths it covers) made right, which is what a bug of the encoder or of an earlier build could leave. What was
//! decoded must encode into bytes that decode to the same. The first byte of an input chooses the structure.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rhinobox::base::crc::Seed;
use rhinobox::base::ids::{SegmentId, StoreId};
use rhinobox::limits::{BLOCK_BYTES, PATH_BYTES_MAX};
use rhinobox::store::dir::Identity;
use rhinobox::store::format::attributes::Attributes;
use rhinobox::store::format::batch::{BATCH_HEADER_BYTES, Slot};
use rhinobox::store::format::header::HEADER_BYTES;
use rhinobox::store::format::record::ENTRY_HEAD_BYTES;
use rhinobox::store::format::seal::SEAL_BYTES;
use rhinobox::store::format::{
    BatchHeader, Body, FIRST_BATCH_OFFSET, Record, SEAL_OFFSET, Seal, SegmentHeader,
};
use rhinobox::store::scan::FoundBatch;
use rhinobox_fuzz::Input;

const TAG: u64 = 0x0123_4567_89ab_cdef;
const STORE: StoreId = StoreId([7; 16]);
const SEGMENT: SegmentId = SegmentId(3);

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    match input.byte() % 7 {
        0 => record(input.0),
        1 => batch_header(input.0),
        2 => segment_header(input.0),
        3 => seal(input.0),
        4 => table(input.0),
        5 => attributes(input.0),
        _ => {
            let text = String::from_utf8_lossy(input.0);
            let identity = Identity::decode(&text);
            assert!(identity.is_err() || text.contains("crc32c"));
        }
    }
});

fn seed() -> Seed {
    Seed::new(b"a life")
}

fn record(bytes: &[u8]) {
    let position = FIRST_BATCH_OFFSET + 136;
    let _ = Record::decode(bytes, seed(), position);
    let mut entry = bytes.to_vec();
    if entry.len() < ENTRY_HEAD_BYTES {
        return;
    }
    let len = u32::try_from(entry.len()).expect("an input is short");
    entry[4..8].copy_from_slice(&len.to_le_bytes());
    let sum = seed().at(position).sum(&entry[4..]);
    entry[..4].copy_from_slice(&sum.to_le_bytes());
    let Ok(record) = Record::decode(&entry, seed(), position) else { return };
    let path_len = match &record.body {
        Body::Name(name) => name.path.len(),
        _ => 0,
    };
    // Of a kind that is unknown only the head is kept.
    if path_len > PATH_BYTES_MAX || matches!(record.body, Body::Unknown(_)) {
        return;
    }
    assert_eq!(record.body.entry_bytes(), entry.len());
    let mut again = vec![0; entry.len()];
    record.encode(&mut again, seed(), position);
    assert_eq!(Record::decode(&again, seed(), position).as_ref(), Ok(&record));
}

fn batch_header(bytes: &[u8]) {
    let _ = BatchHeader::decode(bytes, seed(), TAG, FIRST_BATCH_OFFSET);
    let Some(bytes) = bytes.get(..BATCH_HEADER_BYTES) else { return };
    let mut bytes = bytes.to_vec();
    bytes[..4].copy_from_slice(b"RBAT");
    bytes[8..16].copy_from_slice(&TAG.to_le_bytes());
    let sum = seed().at(FIRST_BATCH_OFFSET).sum(&bytes[..BATCH_HEADER_BYTES - 4]);
    bytes[BATCH_HEADER_BYTES - 4..].copy_from_slice(&sum.to_le_bytes());
    if let Ok(header) = BatchHeader::decode(&bytes, seed(), TAG, FIRST_BATCH_OFFSET) {
        assert_eq!(header.encode(seed(), TAG)[..], bytes);
        assert!(header.end() > FIRST_BATCH_OFFSET && header.end().is_multiple_of(BLOCK_BYTES as u64));
    }
}

fn segment_header(bytes: &[u8]) {
    let _ = SegmentHeader::decode(bytes, STORE, SEGMENT);
    let Some(bytes) = bytes.get(..HEADER_BYTES) else { return };
    let mut bytes = bytes.to_vec();
    bytes[..8].copy_from_slice(b"RHINOSEG");
    bytes[32..48].copy_from_slice(&STORE.0);
    bytes[64..68].copy_from_slice(&SEGMENT.0.to_le_bytes());
    let sum = Seed::new(&STORE.0).at(u64::from(SEGMENT.0)).sum(&bytes[..HEADER_BYTES - 4]);
    bytes[HEADER_BYTES - 4..].copy_from_slice(&sum.to_le_bytes());
    if let Ok(header) = SegmentHeader::decode(&bytes, STORE, SEGMENT) {
        assert_eq!(SegmentHeader::decode(&header.encode(), STORE, SEGMENT), Ok(header));
    }
}

fn seal(bytes: &[u8]) {
    let _ = Seal::decode(bytes, seed());
    let Some(bytes) = bytes.get(..SEAL_BYTES) else { return };
    let mut bytes = bytes.to_vec();
    bytes[..8].copy_from_slice(b"RHINOEND");
    let sum = seed().at(SEAL_OFFSET).sum(&bytes[..SEAL_BYTES - 4]);
    bytes[SEAL_BYTES - 4..].copy_from_slice(&sum.to_le_bytes());
    if let Ok(seal) = Seal::decode(&bytes, seed()) {
        assert_eq!(seal.encode(seed())[..], bytes);
    }
}

/// The bytes as the table of a batch whose header says that it has records, as a scan walks through it.
fn table(bytes: &[u8]) {
    let header_of = |records| BatchHeader {
        seq: rhinobox::base::ids::BatchSeq(1),
        durable_through: rhinobox::base::ids::BatchSeq(0),
        segment: SEGMENT,
        lane: rhinobox::base::ids::LaneId(0),
        offset: FIRST_BATCH_OFFSET,
        batch_bytes: 4096,
        table_bytes: 4096,
        records,
        least_lsn: rhinobox::base::ids::Lsn(1),
        greatest_lsn: rhinobox::base::ids::Lsn(1),
        written: rhinobox::base::time::Wall(0),
    };
    for records in [0, 1, 2, 300, 4096] {
        let batch = FoundBatch { header: header_of(records), table: bytes.to_vec() };
        let mut seen = 0;
        for (position, len, record) in batch.records(seed()) {
            seen += 1;
            if record.is_ok() {
                let end = position - FIRST_BATCH_OFFSET + u64::from(len);
                assert!(position >= FIRST_BATCH_OFFSET && end <= bytes.len() as u64);
            }
        }
        assert_eq!(seen, records);
        for index in [0, 1, records, u32::MAX / 8] {
            if let Ok(slot) = Slot::decode(bytes, index) {
                assert_eq!(slot.of(bytes).len(), slot.len as usize);
                assert!(slot.next_entry() >= slot.offset);
            }
        }
    }
}

fn attributes(bytes: &[u8]) {
    let Ok(attributes) = Attributes::from_bytes(bytes) else { return };
    assert_eq!(attributes.as_bytes(), bytes);
    let listed: usize = attributes.iter().map(|(_, value)| 4 + value.len()).sum();
    assert_eq!(listed, bytes.len());
}
