//! A store whose segments hold anything: it opens or says why not, and never serves what was not stored.
//!
//! The store is the committed folder of version 1 that died in the middle, put on the simulated disk; an input is a
//! list of changes to its segment files. Bytes may be written anywhere, raw, or into a header, a batch's header, an
//! entry or a seal with the checksum made right; files may be cut, grown, replaced, mixed, or new.
//!
//! What must hold of every input: nothing panics and no process ends itself; a store that is refused was not changed;
//! a store that opens opens again and then holds the same; and where no checksum was forged, every content that can
//! be read is one that was stored.

#![no_main]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use rhinobox::base::digest::Digest;
use rhinobox::base::ids::{BlobId, SegmentId, StoreId};
use rhinobox::runtime::buffer::Pool;
use rhinobox::runtime::disk::Disk;
use rhinobox::runtime::sim::{Sim, SimDisk};
use rhinobox::store::format::batch::{BATCH_HEADER_BYTES, Slot};
use rhinobox::store::format::header::HEADER_BYTES;
use rhinobox::store::format::seal::SEAL_BYTES;
use rhinobox::store::format::{
    BatchHeader, FIRST_BATCH_OFFSET, HEADER_COPY_OFFSET, Nonce, SEAL_OFFSET, SegmentHeader,
};
use rhinobox::store::index::Location;
use rhinobox::store::{CheckpointPace, Choices, Durability, OpenError, Store, blob, segment};
use rhinobox_fuzz::Input;

macro_rules! golden {
    ($($path:literal),* $(,)?) => {
        [$(($path, include_bytes!(concat!("../../tests/golden/v1/unclean/", $path)).as_slice())),*]
    };
}

const FILES: [(&str, &[u8]); 7] = golden![
    "FORMAT",
    "segments/00000001.seg",
    "segments/00000002.seg",
    "segments/00000003.seg",
    "segments/00000004.seg",
    "blobs/00/0000000100000000",
    "blobs/05/0000000900000005",
];
/// Changes of one input.
const CHANGES_MAX: usize = 8;
/// The greatest length that a changed file takes.
const FILE_BYTES_MAX: usize = 128 * 1024;

/// The store as it was, and whatever it ever held.
struct Base {
    disk: SimDisk,
    store: StoreId,
    contents: BTreeSet<Digest>,
}

static BASE: LazyLock<Base> = LazyLock::new(|| {
    let disk = SimDisk::new();
    for (path, bytes) in FILES {
        disk.put(path, bytes).expect("an empty disk takes it");
    }
    let made = disk.clone();
    Sim::new(1, 1)
        .run(|| async move {
            for directory in (0..=0xff).map(|number| blob::directory(BlobId(number))) {
                made.create_dir(&directory).await.expect("it is made");
            }
            for directory in ["index", "state", "blobs"] {
                made.create_dir(directory).await.expect("it is made");
            }
        })
        .done();
    let (view, store) = open(&disk.kill(1)).expect("the committed folder opens");
    assert!(view.contents.len() > 3 && view.unreadable == 0, "{view:?}");
    let mut contents = view.contents;
    // With the record of its delete a deleted content comes back: it was stored once.
    for id in 1..=4 {
        let without = disk.kill(1);
        let path = segment::path(SegmentId(id));
        without.zero(&path, 0..FILE_BYTES_MAX as u64).expect("it is there");
        contents.extend(open(&without).expect("it opens without a segment").0.contents);
    }
    Base { disk, store, contents }
});

/// What a store serves.
#[derive(PartialEq, Eq, Debug, Default)]
struct View {
    contents: BTreeSet<Digest>,
    names: BTreeMap<String, Digest>,
    unreadable: usize,
}

fuzz_target!(|data: &[u8]| {
    let base = &*BASE;
    let disk = base.disk.kill(1);
    let forged = change(&disk, base.store, Input(data));
    let before = segments(&disk);
    let view = match open(&disk) {
        Ok((view, _)) => view,
        Err(OpenError::Refused(why)) => {
            assert!(segments(&disk) == before, "it was changed, and then refused: {why}");
            return;
        }
        Err(error) => panic!("nothing failed on this disk, and: {error}"),
    };
    if !forged {
        assert!(view.contents.is_subset(&base.contents), "{view:?}");
    }
    let after = disk.kill(2);
    let (again, _) = open(&after).expect("what opened opens again");
    assert_eq!(again, view, "the second recovery differs");
});

fn segments(disk: &SimDisk) -> Vec<(String, Vec<u8>)> {
    let files = disk.files().into_iter().filter(|(path, _)| path.starts_with(segment::DIRECTORY));
    files.map(|(path, _)| (path.clone(), disk.contents(&path).expect("it is there"))).collect()
}

/// Opens the store and reads all that it serves.
fn open(disk: &SimDisk) -> Result<(View, StoreId), OpenError> {
    let disk = disk.clone();
    let choices = Choices {
        durability: Durability::Commit,
        segment_bytes: Some(192 * 1024),
        inline_bytes_max: 6 * 1024,
        checkpoint: CheckpointPace::default(),
        compaction_bytes_per_s: rhinobox::limits::COMPACTION_BYTES_PER_S,
    };
    Sim::new(3, 1)
        .run(|| async move {
            let pool = Pool::new(8 << 20);
            let (store, _) = Store::open(Disk::sim(disk), &pool, choices).await?;
            Ok((look(&store, &pool).await, store.id))
        })
        .done()
}

async fn look(store: &Store, pool: &Pool) -> View {
    let mut view = View::default();
    let mut contents = Vec::new();
    store.index.for_each_content(|digest, content| contents.push((*digest, content)));
    for (digest, content) in contents {
        match read(store, pool, content.location).await {
            // What its checksum vouches for and its digest does not is told apart by the caller.
            Some(bytes) => drop(view.contents.insert(Digest::of(&bytes))),
            None => view.unreadable += 1,
        }
        for place in store.index.names(&digest) {
            match store.read_name(pool, place).await {
                Ok(name) => drop(view.names.insert(name.path, name.digest)),
                Err(_) => view.unreadable += 1,
            }
        }
    }
    view
}

async fn read(store: &Store, pool: &Pool, location: Location) -> Option<Vec<u8>> {
    match location {
        Location::Inline { .. } => Some(store.read_inline(pool, location).await.ok()?.to_vec()),
        Location::Large { record, entry_len, .. } => {
            let large = store.read_large(pool, record, entry_len).await.ok()?;
            let file = store.open_large(&large).await.ok()?;
            let mut bytes = Vec::new();
            for index in 0..large.chunk_crcs.len() {
                bytes.extend_from_slice(&store.read_chunk(pool, &file, &large, index).await.ok()?);
            }
            Some(bytes)
        }
    }
}

/// Makes the changes that `input` lists, and says whether a checksum was made right.
fn change(disk: &SimDisk, store: StoreId, mut input: Input<'_>) -> bool {
    let mut forged = false;
    for _ in 0..CHANGES_MAX {
        if input.0.is_empty() {
            break;
        }
        let kind = input.byte() % 9;
        // The fifth is a file of its own.
        let id = SegmentId(1 + u32::from(input.byte() % 5));
        let path = segment::path(id);
        let mut bytes = disk.contents(&path).unwrap_or_default();
        let at = input.number();
        let len = usize::from(input.byte());
        let new = input.bytes(len);
        let nonce = header_of(&bytes, store, id).map(|header| header.nonce);
        match (kind, nonce) {
            (0, _) => put_at(&mut bytes, at, new),
            (1, _) => put_at(&mut bytes, at % usize_of(FIRST_BATCH_OFFSET), new),
            (2, _) => bytes = new.repeat(1 + at % 64),
            (3, _) => bytes.resize(at % FILE_BYTES_MAX, new.first().copied().unwrap_or(0)),
            (4, _) => {
                let other = SegmentId(1 + u32::try_from(at % 5).expect("below 5"));
                let other = disk.contents(&segment::path(other)).unwrap_or_default();
                let from = (at / 5 * 512).min(other.len());
                put_at(&mut bytes, from, &other[from..(from + 4096).min(other.len())]);
            }
            (5, _) => {
                forge_header(&mut bytes, store, id, at, new);
                forged = true;
            }
            (6, Some(nonce)) => {
                forge_batch(&mut bytes, nonce, id, at, new);
                forged = true;
            }
            (7, Some(nonce)) => {
                forge_entry(&mut bytes, nonce, id, at, new);
                forged = true;
            }
            (8, Some(nonce)) => {
                let seal = usize_of(SEAL_OFFSET);
                // An earlier change may have cut the file in front of it.
                bytes.resize(bytes.len().max(seal + SEAL_BYTES), 0);
                put_at(&mut bytes, seal + at % SEAL_BYTES, new);
                put_at(&mut bytes, seal, b"RHINOEND");
                let sum = nonce.seed(id).at(SEAL_OFFSET).sum(&bytes[seal..seal + SEAL_BYTES - 4]);
                put_at(&mut bytes, seal + SEAL_BYTES - 4, &sum.to_le_bytes());
                forged = true;
            }
            _ => {}
        }
        bytes.truncate(FILE_BYTES_MAX);
        disk.put(&path, &bytes).expect("the disk has room");
    }
    forged
}

fn usize_of(offset: u64) -> usize {
    usize::try_from(offset).expect("a small offset")
}

/// Writes within the file and a little beyond it.
fn put_at(bytes: &mut Vec<u8>, at: usize, new: &[u8]) {
    let end = at + new.len();
    if end > bytes.len() {
        bytes.resize(end, 0);
    }
    bytes[at..end].copy_from_slice(new);
}

fn header_of(bytes: &[u8], store: StoreId, id: SegmentId) -> Option<SegmentHeader> {
    let at = |offset: usize| SegmentHeader::decode(bytes.get(offset..)?, store, id).ok();
    at(0).or_else(|| at(usize_of(HEADER_COPY_OFFSET)))
}

/// Changes the header, and gives both copies the checksum that fits.
fn forge_header(bytes: &mut Vec<u8>, store: StoreId, id: SegmentId, at: usize, new: &[u8]) {
    let mut header = bytes.get(..HEADER_BYTES).map_or_else(|| vec![0; HEADER_BYTES], <[u8]>::to_vec);
    let at = at % HEADER_BYTES;
    let len = new.len().min(HEADER_BYTES - at);
    header[at..at + len].copy_from_slice(&new[..len]);
    let sum = rhinobox::base::crc::Seed::new(&store.0).at(u64::from(id.0)).sum(&header[..HEADER_BYTES - 4]);
    header[HEADER_BYTES - 4..].copy_from_slice(&sum.to_le_bytes());
    put_at(bytes, 0, &header);
    put_at(bytes, usize_of(HEADER_COPY_OFFSET), &header);
}

/// Where batches begin, and their headers.
fn batches(bytes: &[u8], nonce: Nonce, id: SegmentId) -> Vec<(usize, BatchHeader)> {
    let first = usize_of(FIRST_BATCH_OFFSET);
    let places = (first..bytes.len()).step_by(4096);
    places
        .filter_map(|at| {
            let header = BatchHeader::decode(&bytes[at..], nonce.seed(id), nonce.tag(), at as u64).ok()?;
            Some((at, header))
        })
        .collect()
}

/// Changes a batch's header, and gives it the tag and the checksum that fit.
fn forge_batch(bytes: &mut Vec<u8>, nonce: Nonce, id: SegmentId, place: usize, new: &[u8]) {
    let found = batches(bytes, nonce, id);
    let block = usize_of(FIRST_BATCH_OFFSET) + place % 8 * 4096;
    let start = found.get(place % 16).map_or(block, |(at, _)| *at);
    let at = place / 16 % BATCH_HEADER_BYTES;
    let len = new.len().min(BATCH_HEADER_BYTES - at);
    put_at(bytes, start + at, &new[..len]);
    put_at(bytes, start, b"RBAT");
    put_at(bytes, start + 8, &nonce.tag().to_le_bytes());
    if bytes.len() < start + BATCH_HEADER_BYTES {
        bytes.resize(start + BATCH_HEADER_BYTES, 0);
    }
    let sum = nonce.seed(id).at(start as u64).sum(&bytes[start..start + BATCH_HEADER_BYTES - 4]);
    put_at(bytes, start + BATCH_HEADER_BYTES - 4, &sum.to_le_bytes());
}

/// Changes an entry of a batch, and gives it the checksum that fits.
fn forge_entry(bytes: &mut Vec<u8>, nonce: Nonce, id: SegmentId, place: usize, new: &[u8]) {
    let found = batches(bytes, nonce, id);
    let Some((start, header)) = found.get(place % found.len().max(1)) else { return };
    let Some(index) = u32::try_from(place / 16).ok().and_then(|place| place.checked_rem(header.records))
    else {
        return;
    };
    let Ok(slot) = Slot::decode(&bytes[*start..], index) else { return };
    let (entry, len) = (start + slot.offset as usize, slot.len as usize);
    if entry + len > bytes.len() || len < 32 {
        return;
    }
    let at = 8 + place / 64 % (len - 8);
    let new_len = new.len().min(len - at);
    put_at(bytes, entry + at, &new[..new_len]);
    let sum = nonce.seed(id).at(entry as u64).sum(&bytes[entry + 4..entry + len]);
    put_at(bytes, entry, &sum.to_le_bytes());
}
