//! From claimed contents to durable records: names are made, a batch is laid out, a batch is written and flushed.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hdrhistogram::Histogram;
use rhinobox::base::digest::Digest;
use rhinobox::base::ids::{BatchSeq, LaneId, SegmentId};
use rhinobox::base::time::Wall;
use rhinobox::ingest::Ingest;
use rhinobox::ingest::naming::{Namings, PendingName};
use rhinobox::ingest::slice::Stored;
use rhinobox::ingest::staging::Declared;
use rhinobox::ingest::upload::TermsBody;
use rhinobox::media::classify::classify;
use rhinobox::runtime::buffer::Pool;
use rhinobox::runtime::clock;
use rhinobox::runtime::sync::oneshot;
use rhinobox::store::Durability;
use rhinobox::store::commit::{Append, NewBody, NewRecord, Payload, Position, Size, encode};
use rhinobox::store::format::Nonce;
use rhinobox::store::index::{Claim, ClaimGuard, Location};
use serde::Serialize;

use crate::Result;
use crate::support::head::Head;
use crate::support::random::Random;
use crate::support::samples::Samples;
use crate::support::store::{POOL_BYTES, with_store};
use crate::support::table::Table;
use crate::support::text::{grouped, size, three_digits};
use crate::support::timing::{Effort, ns_per_call};

/// Files of a batch, and bytes of each.
const BATCHES: [(usize, usize); 4] = [(1, 10_240), (10, 10_240), (50, 10_240), (128, 2_048)];

/// Batches of one kind, one after the other.
#[derive(Clone, Serialize, Debug)]
pub(crate) struct Row {
    files: usize,
    file_bytes: usize,
    batch_bytes: usize,
    commits: u64,
    /// From the append to its answer, of all repetitions together.
    p50_us: f64,
    p99_us: f64,
    /// By repetition.
    files_per_second: Samples,
}

/// Files that are claimed and named, and nothing of them written.
struct Prepared {
    records: Vec<NewRecord>,
    claims: Vec<ClaimGuard>,
    names: Vec<PendingName>,
    file_bytes: usize,
}

/// Measures all on a store in the empty folder `dir`.
///
/// # Errors
/// If the store fails, or says of a record what is not so.
pub(crate) fn measure(effort: Effort, dir: &Path) -> Result<(Vec<crate::Row>, Vec<Row>)> {
    let pool = Pool::new(POOL_BYTES);
    with_store(dir, Durability::Commit, &pool, move |ingest| async move {
        let (mut rows, mut commits) = (Vec::new(), Vec::new());
        let files = Files::default();
        rows.push(naming(effort, &ingest, &files).await?);
        for (count, bytes) in BATCHES {
            rows.push(layout(effort, &ingest, files.prepare(&ingest, count, bytes).await?));
        }
        for (count, bytes) in BATCHES {
            commits.push(commit(effort, &ingest, &files, count, bytes).await?);
        }
        Ok((rows, commits))
    })
}

/// Makes contents, no two alike.
#[derive(Default)]
struct Files(std::cell::Cell<u64>);

impl Files {
    fn content(&self, bytes: usize) -> Bytes {
        let number = self.0.get();
        self.0.set(number + 1);
        let mut content = vec![0; bytes];
        Random(number << 20 | 1).fill(&mut content);
        content[..4].copy_from_slice(b"\xff\xd8\xff\xe0");
        content.into()
    }

    fn stored(&self, content: &[u8], digest: Digest) -> Stored {
        let name: Arc<str> = format!("image-{}.jpg", self.0.get()).into();
        let file_type = classify(content, None, &name);
        let declared = Declared { name, mime: None, digest: None, time: None };
        Stored { declared, digest, len: content.len() as u64, file_type, duplicate: false }
    }

    /// Does for `count` new files what a slice does before it appends.
    async fn prepare(&self, ingest: &Ingest, count: usize, bytes: usize) -> Result<Prepared> {
        let time = clock::wall();
        let (mut records, mut claims) = (Vec::new(), Vec::new());
        let (mut namings, terms) = (Namings::with_capacity(count), Arc::new(TermsBody::default()));
        for at in 0..count {
            let content = self.content(bytes);
            let digest = Digest::of(&content);
            let Claim::Fresh(guard) = ingest.index.claim(digest) else {
                return Err("a new content is known".into());
            };
            let stored = self.stored(&content, digest);
            let payload = Payload::from_iter([content]);
            let body = NewBody::Put { digest, payload, len: u32::try_from(bytes)? };
            records.push(NewRecord { lsn: guard.lsn(), time, body });
            claims.push(guard);
            if namings.add(ingest, at, &stored, &terms, time).await.is_some() {
                return Err("a new name is known, or refused".into());
            }
        }
        let (mut name_records, names) = namings.into_parts();
        records.append(&mut name_records);
        Ok(Prepared { records, claims, names, file_bytes: bytes })
    }
}

/// A name: its path and attributes, and the wish to bind it.
async fn naming(effort: Effort, ingest: &Ingest, files: &Files) -> Result<crate::Row> {
    /// Names that are made before the clock is read, and then forgotten.
    const NAMES: usize = 1_000;
    let (time, terms) = (clock::wall(), Arc::new(TermsBody::default()));
    let content = files.content(2_048);
    let stored: Vec<Stored> = (0..NAMES)
        .map(|_| {
            files.0.set(files.0.get() + 1);
            let mut digest = [0; 32];
            Random(files.0.get() << 20 | 1).fill(&mut digest);
            files.stored(&content, Digest(digest))
        })
        .collect();
    let mut samples = Vec::new();
    for _ in 0..effort.repetitions.max(1) {
        let (mut names, mut ns) = (0, 0);
        while u128::from(ns) < effort.time.as_nanos() {
            let begun = Instant::now();
            let mut namings = Namings::with_capacity(NAMES);
            for (at, stored) in stored.iter().enumerate() {
                if namings.add(ingest, at, stored, &terms, time).await.is_some() {
                    return Err("a new name is known, or refused".into());
                }
            }
            ns += u64::try_from(begun.elapsed().as_nanos())?;
            names += NAMES;
            drop(black_box(namings));
        }
        samples.push(ns as f64 / names as f64);
    }
    let case = "path, attributes, bind".to_owned();
    Ok(crate::Row { stage: "name", case, ns_per_file: Samples::of(samples), file_bytes: None })
}

/// The layout of a batch: header, table, payloads, checksums.
fn layout(effort: Effort, ingest: &Ingest, prepared: Prepared) -> crate::Row {
    let Prepared { records, claims, names, file_bytes } = prepared;
    let files = claims.len();
    let batch_bytes = Size::of_all(&records).batch_bytes();
    let segment = SegmentId(1);
    let nonce = Nonce(*b"stages of upload");
    let position = Position {
        segment,
        lane: LaneId(0),
        offset: 1 << 20,
        seq: BatchSeq(2),
        durable_through: BatchSeq(1),
        seed: nonce.seed(segment),
        tag: nonce.tag(),
    };
    let (done, _nobody_waits) = oneshot::channel();
    let appends = [Append { records, frees_space: false, done, active: None }];
    let mut buffer = ingest.pool.take(batch_bytes);
    let time = Wall(0);
    let batch = ns_per_call(effort, || encode(&mut buffer, position, time, black_box(&appends)));
    // Neither is published: claims and names are given up.
    drop((claims, names));
    crate::Row {
        stage: "batch layout",
        case: format!("{files} x {}", size(file_bytes)),
        ns_per_file: batch.map(|ns| ns / files as f64),
        file_bytes: Some(file_bytes),
    }
}

/// Batches through the lane, each durable before the next; what comes before and after is not timed.
async fn commit(effort: Effort, ingest: &Ingest, files: &Files, count: usize, bytes: usize) -> Result<Row> {
    let mut histogram = Histogram::<u64>::new(3)?;
    let mut samples = Vec::new();
    let mut batch_bytes = 0;
    for _ in 0..effort.repetitions.max(1) {
        let (mut ns, mut commits) = (0, 0);
        // A disk's figures need more time than a processor's.
        while u128::from(ns) < 3 * effort.time.as_nanos() {
            let Prepared { records, claims, names, .. } = files.prepare(ingest, count, bytes).await?;
            batch_bytes = Size::of_all(&records).batch_bytes();
            let begun = Instant::now();
            let placed = ingest.lane.append(records).await?;
            let took = u64::try_from(begun.elapsed().as_nanos())?;
            if placed.len() != 2 * count {
                return Err(format!("{} records of {} have a place", placed.len(), 2 * count).into());
            }
            histogram.record(took)?;
            ns += took;
            commits += 1;
            for (claim, placed) in claims.into_iter().zip(&placed) {
                let location = Location::Inline {
                    segment: placed.record.segment,
                    offset: placed.payload_offset,
                    len: u32::try_from(bytes)?,
                    crc: placed.payload_crc,
                };
                if claim.publish(location).is_some() {
                    return Err("a new content has replaced a blob".into());
                }
            }
            names
                .into_iter()
                .zip(&placed[count..])
                .for_each(|(name, placed)| drop(name.publish(placed.record)));
        }
        samples.push((commits * count) as f64 * 1e9 / ns as f64);
    }
    let us = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
    Ok(Row {
        files: count,
        file_bytes: bytes,
        batch_bytes,
        commits: histogram.len(),
        p50_us: us(0.5),
        p99_us: us(0.99),
        files_per_second: Samples::of(samples),
    })
}

/// Prints them against the disk's own write of a block.
pub(crate) fn print(rows: &[Row], head: &Head) {
    println!("Commits one after the other, durable, on one core; the disk's own 4 KiB is in the head");
    let columns = ["files", "batch", "commits", "p50 us", "p99 us", "x 4 KiB", "files/s", "spread", "MB/s"];
    let mut table = Table::new(1, columns);
    for row in rows {
        let block_us = head.block_write.dsync_p50_us.min(head.block_write.fdatasync_p50_us);
        table.row([
            format!("{} x {}", row.files, size(row.file_bytes)),
            size(row.batch_bytes),
            grouped(row.commits as f64),
            grouped(row.p50_us),
            grouped(row.p99_us),
            three_digits(row.p50_us / block_us),
            grouped(row.files_per_second.median),
            row.files_per_second.plus_minus(),
            grouped(row.files_per_second.median * row.file_bytes as f64 / 1e6),
        ]);
    }
    table.print();
}
