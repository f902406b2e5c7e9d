//! The index with more and more in it: lookups, claims, entries of contents and of names.

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use rhinobox::base::digest::Digest;
use rhinobox::base::ids::SegmentId;
use rhinobox::store::index::{Bind, Claim, Index, Location, PathKey, Place};

use crate::support::plot::{Axis, Line, Plot};
use crate::support::random::Random;
use crate::support::samples::Samples;
use crate::support::text::grouped;
use crate::support::timing::{Effort, ns_per_call};
use crate::{Result, Row};

const STAGE: &str = "index";
const OPERATIONS: [&str; 5] = [
    "lookup, there",
    "lookup, not there",
    "claim, known",
    "claim and publish, new",
    "bind and publish a name",
];
/// Entries at which it is measured; the last only where there is time.
const ENTRIES: [usize; 5] = [1_000, 10_000, 100_000, 1_000_000, 10_000_000];
/// What is timed of the entries while they are made: the last one in so many, with the table's growth among them.
const TIMED_SHARE: usize = 10;

/// Measures it.
///
/// # Errors
/// If the index says of any content what is not so.
pub(crate) fn measure(effort: Effort, full: bool) -> Result<Vec<Row>> {
    let counts = if full { &ENTRIES[..] } else { &ENTRIES[..ENTRIES.len() - 1] };
    let mut rows = Vec::new();
    for &entries in counts {
        let mut puts = Vec::new();
        let mut names = Vec::new();
        // The greatest takes seconds to make, and its figures hardly differ.
        let repetitions = if entries > 1_000_000 { 1 } else { effort.repetitions.max(1) };
        let mut index = Index::new();
        for repetition in 0..repetitions {
            index = Index::new();
            let digests = digests(entries, repetition as u64);
            puts.push(enter_contents(&index, &digests)?);
            names.push(enter_names(&index, &digests)?);
        }
        if index.usage().contents != entries as u64 || index.usage().names != entries as u64 {
            return Err(format!("{entries} contents with a name each are {:?}", index.usage()).into());
        }
        let known = digests(entries, repetitions as u64 - 1);
        let unknown = digests(entries, u64::from(u32::MAX));
        let mut next = cycle(&known);
        let there = ns_per_call(effort, || assert!(black_box(index.content(next())).is_some()));
        let mut next = cycle(&unknown);
        let absent = ns_per_call(effort, || assert!(black_box(index.content(next())).is_none()));
        let (handle, mut next) = (index.handle(), cycle(&known));
        let claim = ns_per_call(effort, || assert!(matches!(handle.claim(*next()), Claim::Stored(_))));
        for (operation, ns) in
            OPERATIONS.into_iter().zip([there, absent, claim, Samples::of(puts), Samples::of(names)])
        {
            let case = format!("{operation}, {} entries", grouped(entries as f64));
            rows.push(Row { stage: STAGE, case, ns_per_file: ns, file_bytes: None });
        }
    }
    Ok(rows)
}

/// Digests without contents: as scattered as real ones, and without the hashing.
fn digests(count: usize, seed: u64) -> Vec<Digest> {
    let mut random = Random((seed + 1) << 20 | 1);
    (0..count)
        .map(|_| {
            let mut bytes = [0; 32];
            random.fill(&mut bytes);
            Digest(bytes)
        })
        .collect()
}

fn cycle<'a>(digests: &'a [Digest]) -> impl FnMut() -> &'a Digest {
    let mut at = 0;
    move || {
        at = if at + 1 == digests.len() { 0 } else { at + 1 };
        &digests[at]
    }
}

/// Claims and publishes all; nanoseconds for each of the last.
fn enter_contents(index: &Arc<Index>, digests: &[Digest]) -> Result<f64> {
    let handle = index.handle();
    timed_at_the_end(digests, |at, digest| {
        let Claim::Fresh(guard) = handle.claim(*digest) else { return Err("a new content is known".into()) };
        let location = Location::Inline { segment: SegmentId(1), offset: at, len: 2_048, crc: at };
        match guard.publish(location) {
            None => Ok(()),
            Some(_) => Err("a new content has replaced a blob".into()),
        }
    })
}

/// Gives each a name; nanoseconds for each of the last.
fn enter_names(index: &Arc<Index>, digests: &[Digest]) -> Result<f64> {
    let (handle, mut path) = (index.handle(), String::new());
    timed_at_the_end(digests, |at, digest| {
        path.clear();
        write!(path, "storage/images/jpg/{at:016x}-image.jpg")?;
        let fingerprint = handle.fingerprint(digest, path.as_bytes());
        let Bind::Write(guard) = handle.bind(PathKey::new(0, path.as_bytes()), *digest, fingerprint) else {
            return Err("a new name is known".into());
        };
        guard.publish(Place { segment: SegmentId(1), offset: at });
        Ok(())
    })
}

fn timed_at_the_end(digests: &[Digest], mut enter: impl FnMut(u32, &Digest) -> Result<()>) -> Result<f64> {
    let timed_from = digests.len() - digests.len() / TIMED_SHARE;
    let mut begun = Instant::now();
    for (at, digest) in digests.iter().enumerate() {
        if at == timed_from {
            begun = Instant::now();
        }
        enter(u32::try_from(at)?, digest)?;
    }
    Ok(begun.elapsed().as_nanos() as f64 / (digests.len() - timed_from) as f64)
}

/// Draws how operations slow down as the index outgrows the processor's caches.
///
/// # Errors
/// If the picture cannot be written.
pub(crate) fn draw(rows: &[Row]) -> Result<()> {
    let line = |operation: &str| Line {
        label: operation.to_owned(),
        points: ENTRIES
            .into_iter()
            .filter_map(|entries| {
                let case = format!("{operation}, {} entries", grouped(entries as f64));
                let row = rows.iter().find(|row| row.stage == STAGE && row.case == case)?;
                Some((entries as f64, row.ns_per_file.median))
            })
            .collect(),
    };
    let plot = Plot {
        title: "The index: time of an operation".to_owned(),
        x: Axis::logarithmic("entries"),
        y: Axis::linear("ns"),
        lines: OPERATIONS.into_iter().map(line).collect(),
    };
    plot.write("stages-index")
}
