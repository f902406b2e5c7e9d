//! The rows of the table: what each sends, over how many connections, and the store it needs beforehand.

use std::borrow::Cow;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::Result;
use crate::client::{Connection, drive};
use crate::download::Sample;
use crate::load::{Batch, Load, Stored};

/// A row of the table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// What `--rows` selects by, and the name of its files.
    pub(crate) id: Cow<'static, str>,
    pub(crate) title: Cow<'static, str>,
    pub(crate) connections: u32,
    shape: Shape,
}

#[derive(Clone, Copy, Debug)]
enum Shape {
    Post(Batch),
    Put(usize),
    /// What is sent is known.
    Again(Batch),
    /// From so many stored files.
    Get(Batch),
    /// About these contents and as many that are not stored.
    Dedup(Batch),
}

const TEN_KB: usize = 10 << 10;
const TWO_KB: usize = 2 << 10;
const ONE_MB: usize = 1 << 20;
const BIG: usize = 64 << 20;

const fn row(id: &'static str, title: &'static str, connections: u32, shape: Shape) -> Row {
    Row { id: Cow::Borrowed(id), title: Cow::Borrowed(title), connections, shape }
}

const fn batch(files: usize, bytes: usize) -> Batch {
    Batch { files, bytes }
}

/// All rows. Where the number of connections is not part of the question, it is the least that saturates two cores.
pub(crate) static ROWS: [Row; 12] = [
    row("10k-c1", "10 KB", 1, Shape::Post(batch(1, TEN_KB))),
    row("10k-c16", "10 KB", 16, Shape::Post(batch(1, TEN_KB))),
    row("10k-c64", "10 KB", 64, Shape::Post(batch(1, TEN_KB))),
    row("100x2k", "100 x 2 KB in one request", 8, Shape::Post(batch(100, TWO_KB))),
    row("1000x2k", "1,000 x 2 KB in one request", 6, Shape::Post(batch(1_000, TWO_KB))),
    row("1m", "1 MB", 4, Shape::Post(batch(1, ONE_MB))),
    row("64m-put", "64 MB, PUT", 1, Shape::Put(BIG)),
    row("64m-post", "64 MB, multipart", 1, Shape::Post(batch(1, BIG))),
    row("again", "1,000 x 10 KB, all known", 4, Shape::Again(batch(1_000, TEN_KB))),
    row("dedup", "10,000 hashes asked, half known", 1, Shape::Dedup(batch(5_000, TWO_KB))),
    row("get-10k", "GET 10 KB of 10,000", 16, Shape::Get(batch(10_000, TEN_KB))),
    row("get-64m", "GET 64 MB of 4", 1, Shape::Get(batch(4, BIG))),
];

/// What is sent before the measurement needs lanes of its own, so that contents stay unique.
const LANE_BEFORE: u64 = 1 << 32;

impl Row {
    /// A row that uploads unique files.
    pub(crate) fn post(id: String, title: String, connections: u32, batch: Batch) -> Self {
        Self { id: id.into(), title: title.into(), connections, shape: Shape::Post(batch) }
    }

    /// Connections with their loads, and how many files the store holds by then.
    ///
    /// # Errors
    /// If the store cannot be filled as the row needs it.
    pub(crate) fn lanes(&self, host: SocketAddr, connections: u32) -> Result<(Vec<(Connection, Load)>, u64)> {
        let lanes = |load: &dyn Fn(u64) -> Load| {
            (0..u64::from(connections))
                .map(|lane| Ok((Connection::open(host)?, load(lane))))
                .collect::<Result<_>>()
        };
        match self.shape {
            Shape::Post(batch) => Ok((lanes(&|lane| Load::post(host, lane, batch))?, 0)),
            Shape::Put(bytes) => Ok((lanes(&|lane| Load::put(host, lane, bytes))?, 0)),
            Shape::Again(batch) => {
                let mut lanes: Vec<(Connection, Load)> = lanes(&|lane| Load::post(host, lane, batch))?;
                for lane in &mut lanes {
                    drive(std::slice::from_mut(lane), |_, _| true)?;
                    lane.1.repeat();
                }
                Ok((lanes, u64::from(connections) * batch.files as u64))
            }
            Shape::Get(batch) => {
                let samples: Arc<[Sample]> = fill(host, batch)?.into();
                Ok((lanes(&|lane| Load::get(host, lane, samples.clone()))?, batch.files as u64))
            }
            Shape::Dedup(batch) => {
                let known: HashSet<String> = fill(host, batch)?
                    .into_iter()
                    .take(batch.files)
                    .map(|sample| sample.stored.hash)
                    .collect();
                let strange = (0..batch.files).map(|file| Stored::of(&file.to_le_bytes()).hash);
                let hashes: Vec<String> =
                    known.iter().cloned().zip(strange).flat_map(|(one, other)| [one, other]).collect();
                let load = |_lane| Load::dedup(host, &hashes, |hash| known.contains(hash));
                Ok((lanes(&load)?, known.len() as u64))
            }
        }
    }

    /// Whether it uploads.
    pub(crate) fn uploads(&self) -> bool {
        !matches!(self.shape, Shape::Get(_) | Shape::Dedup(_))
    }

    /// Bytes of each file.
    pub(crate) fn bytes_each(&self) -> usize {
        match self.shape {
            Shape::Post(batch) | Shape::Again(batch) | Shape::Get(batch) | Shape::Dedup(batch) => batch.bytes,
            Shape::Put(bytes) => bytes,
        }
    }
}

/// Stores files, a thousand a request as far as they are small.
///
/// # Errors
/// If the daemon does not take them.
pub(crate) fn fill(host: SocketAddr, wanted: Batch) -> Result<Vec<Sample>> {
    let files = wanted.files.min((ONE_MB * 10).div_ceil(wanted.bytes));
    let load = Load::post(host, LANE_BEFORE, Batch { files, ..wanted });
    let mut lane = [(Connection::open(host)?, load)];
    let mut samples = Vec::new();
    drive(&mut lane, |load, _| {
        samples.extend(load.stored().into_iter().map(Sample::by_hash));
        samples.len() >= wanted.files
    })?;
    Ok(samples)
}
