//! One row from start to end: a fresh daemon, warm-up, the measured time, a check of what was stored.

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::Result;
use crate::answer::Keep;
use crate::client::{Connection, drive, shown};
use crate::daemon::Daemon;
use crate::hgrm;
use crate::load::Load;
use crate::metrics::{Metrics, StageTime};
use crate::proc::{Processor, idle_and_stolen, resident_bytes};
use crate::rows::Row;

/// A row ends early rather than fill the disk: at so many bytes of content, or a third of what is free.
const STORED_BYTES_MAX: u64 = 20 << 30;
/// Longer than any answer is awaited.
const LATENCY_NS_MAX: u64 = 120_000_000_000;
/// Memory of the index for a stored file, where the daemon does not say.
const INDEX_BYTES_PER_FILE: u64 = 128;
const SAMPLE_EVERY: Duration = Duration::from_millis(100);

/// Phases of a row; it begins in none of them, warming up.
const MEASURE: u8 = 1;
const STOP: u8 = 2;

/// How to measure.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    /// Where daemons have their data.
    pub(crate) dir: PathBuf,
    /// Where histograms and plots go.
    pub(crate) figures: PathBuf,
    /// The rows asked for, by id; none is all.
    pub(crate) rows: Vec<String>,
    /// Whether parts are to take the time they like.
    pub(crate) full: bool,
    /// Of each row.
    pub(crate) time: Duration,
    /// In place of the row's own.
    pub(crate) connections: Option<u32>,
    pub(crate) threads: u32,
    pub(crate) client_core: Option<usize>,
}

impl Plan {
    /// For one of many short rows.
    pub(crate) fn brief(&self) -> Self {
        Self { time: self.time / 5, connections: None, ..self.clone() }
    }
}

/// Latencies of whole requests, milliseconds.
#[derive(Clone, Serialize, Debug)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p95: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
}

/// What a row came to.
#[derive(Clone, Serialize, Debug)]
pub(crate) struct Measured {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) connections: u32,
    pub(crate) file_bytes: usize,
    pub(crate) seconds: f64,
    pub(crate) requests: u64,
    pub(crate) files: u64,
    pub(crate) latency_ms: Latency,
    pub(crate) files_per_second: f64,
    /// Content, in units of a million bytes.
    pub(crate) mb_per_second: f64,
    /// The daemon's, microseconds.
    pub(crate) user_us_per_file: f64,
    pub(crate) system_us_per_file: f64,
    /// Shares of one core.
    pub(crate) daemon_cores: f64,
    pub(crate) client_cores: f64,
    pub(crate) idle_cores: f64,
    pub(crate) stolen_cores: f64,
    /// Neither the daemon's nor the client's: other programs, and what the kernel does for all.
    pub(crate) other_cores: f64,
    /// The daemon's resident memory at its highest, and its index's.
    pub(crate) resident_bytes: u64,
    pub(crate) index_bytes: u64,
    /// Whether the index's size is the daemon's own word, or reckoned.
    pub(crate) index_is_reported: bool,
    pub(crate) files_in_store: u64,
    pub(crate) uploads: bool,
    /// What upload answers said of durability; empty for nothing, and for downloads.
    pub(crate) durability: &'static str,
    /// Whether it ended before its time, as it had stored enough.
    pub(crate) ended_early: bool,
    /// Where the time of its uploads went, warm-up included, by the daemon's own word; empty for downloads.
    pub(crate) stages: Vec<StageTime>,
    /// Of whole requests, nanoseconds.
    #[serde(skip)]
    pub(crate) histogram: Histogram<u64>,
}

impl Measured {
    pub(crate) fn resident_without_index(&self) -> u64 {
        self.resident_bytes.saturating_sub(self.index_bytes)
    }
}

/// What the client's threads and the one that looks on share.
#[derive(Default)]
struct Shared {
    phase: AtomicU8,
    failed: AtomicBool,
    requests: AtomicU64,
    files: AtomicU64,
    bytes: AtomicU64,
    /// Since the start, warm-up included.
    stored_files: AtomicU64,
    stored_bytes: AtomicU64,
    stored_bytes_max: u64,
}

/// A moment, and what was used up to it.
pub(crate) struct Snapshot {
    pub(crate) at: Instant,
    pub(crate) daemon: Processor,
    pub(crate) client: Processor,
    pub(crate) idle: f64,
    stolen: f64,
}

impl Snapshot {
    /// Now.
    ///
    /// # Errors
    /// If /proc cannot be read.
    pub(crate) fn take(daemon: &Daemon) -> Result<Self> {
        let (idle, stolen) = idle_and_stolen()?;
        let (daemon, client) = (Processor::of(daemon.pid())?, Processor::of(std::process::id())?);
        Ok(Self { at: Instant::now(), daemon, client, idle, stolen })
    }
}

/// Measures a row on a daemon of its own.
///
/// # Errors
/// If the daemon fails, or any answer is not what it must be.
pub(crate) fn measure(row: &Row, plan: &Plan) -> Result<(Measured, Vec<String>)> {
    let daemon = Daemon::start(&plan.program, &plan.dir.join(row.id.as_ref()), &plan.arguments)?;
    let start_lines = daemon.start_lines.clone();
    match measure_on(&daemon, row, plan) {
        Ok(measured) => {
            daemon.stop()?;
            // What removing the folder left to the file system is not to be the next row's burden.
            rustix::fs::syncfs(File::open(&plan.dir)?)?;
            Ok((measured, start_lines))
        }
        Err(error) => Err(format!("{}: {error}\nthe daemon said:\n{}", row.id, daemon.last_lines()).into()),
    }
}

/// Measures a row on a running daemon.
///
/// # Errors
/// If any answer is not what it must be.
pub(crate) fn measure_on(daemon: &Daemon, row: &Row, plan: &Plan) -> Result<Measured> {
    let connections = plan.connections.unwrap_or(row.connections);
    let (mut lanes, stored_before) = row.lanes(daemon.address, connections)?;
    let share = lanes.len().div_ceil(usize::try_from(plan.threads.max(1))?);
    let free = rustix::fs::statvfs(&plan.dir)?;
    let free = free.f_bavail * free.f_frsize;
    let shared = Shared { stored_bytes_max: STORED_BYTES_MAX.min(free / 3), ..Shared::default() };

    let (before, after, resident, histogram) = thread::scope(|scope| {
        let shared = &shared;
        let clients: Vec<_> = lanes
            .chunks_mut(share)
            .map(|lanes| scope.spawn(|| client(lanes, shared, plan.client_core)))
            .collect();
        let watched = watch(daemon, shared, plan.time);
        shared.phase.store(STOP, Ordering::Relaxed);
        let mut histogram = Histogram::new_with_max(LATENCY_NS_MAX, 3)?;
        for client in clients {
            histogram.add(client.join().map_err(|_| "the client panicked")??)?;
        }
        let (before, after, resident) = watched?;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>((before, after, resident, histogram))
    })?;

    let durability = lanes.first().map_or("", |(connection, _)| connection.answer.durability);
    let mut reader = Connection::open(daemon.address)?;
    for (connection, load) in &mut lanes {
        verify(connection, load, &mut reader, daemon)?;
    }
    let files_in_store = stored_before + shared.stored_files.load(Ordering::Relaxed);
    let metrics = Metrics::read(&mut reader, daemon)?;
    let reported = metrics.get("rhinobox_index_bytes");
    hgrm::write(&plan.figures.join(row.id.as_ref()).with_extension("hgrm"), &histogram)?;

    let seconds = (after.at - before.at).as_secs_f64();
    let files = shared.files.load(Ordering::Relaxed);
    let used = after.daemon.since(before.daemon);
    let ms = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e6;
    let daemon_cores = used.total() / seconds;
    let client_cores = after.client.since(before.client).total() / seconds;
    let idle_cores = (after.idle - before.idle) / seconds;
    let stolen_cores = (after.stolen - before.stolen) / seconds;
    let all_cores = thread::available_parallelism()?.get() as f64;
    Ok(Measured {
        id: row.id.to_string(),
        title: row.title.to_string(),
        connections,
        file_bytes: row.bytes_each(),
        seconds,
        requests: shared.requests.load(Ordering::Relaxed),
        files,
        latency_ms: Latency {
            p50: ms(0.5),
            p90: ms(0.9),
            p95: ms(0.95),
            p99: ms(0.99),
            p999: ms(0.999),
            max: histogram.max() as f64 / 1e6,
        },
        files_per_second: files as f64 / seconds,
        mb_per_second: shared.bytes.load(Ordering::Relaxed) as f64 / seconds / 1e6,
        user_us_per_file: used.user * 1e6 / files.max(1) as f64,
        system_us_per_file: used.system * 1e6 / files.max(1) as f64,
        daemon_cores,
        client_cores,
        idle_cores,
        stolen_cores,
        other_cores: (all_cores - daemon_cores - client_cores - idle_cores - stolen_cores).max(0.0),
        resident_bytes: resident,
        index_bytes: reported.unwrap_or(files_in_store * INDEX_BYTES_PER_FILE),
        index_is_reported: reported.is_some(),
        files_in_store,
        uploads: row.uploads(),
        durability,
        ended_early: seconds < plan.time.as_secs_f64() * 0.95,
        // Those of a download's row are of the uploads that made its store.
        stages: if row.uploads() { metrics.stages() } else { Vec::new() },
        histogram,
    })
}

/// A client thread: drives its connections until told to stop; latencies in nanoseconds.
fn client(lanes: &mut [(Connection, Load)], shared: &Shared, core: Option<usize>) -> Result<Histogram<u64>> {
    if let Some(id) = core
        && !core_affinity::set_for_current(core_affinity::CoreId { id })
    {
        return Err(format!("cannot pin the client to core {id}").into());
    }
    let mut histogram = Histogram::new_with_max(LATENCY_NS_MAX, 3)?;
    let driven = drive(lanes, |load, took| {
        if load.stores() {
            shared.stored_files.fetch_add(load.files, Ordering::Relaxed);
            shared.stored_bytes.fetch_add(load.bytes, Ordering::Relaxed);
        }
        match shared.phase.load(Ordering::Relaxed) {
            MEASURE => {
                histogram.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
                shared.requests.fetch_add(1, Ordering::Relaxed);
                shared.files.fetch_add(load.files, Ordering::Relaxed);
                shared.bytes.fetch_add(load.bytes, Ordering::Relaxed);
                false
            }
            phase => phase == STOP,
        }
    });
    if driven.is_err() {
        shared.failed.store(true, Ordering::Relaxed);
    }
    driven.map(|()| histogram)
}

/// Leads through warm-up (a tenth of the time) and measurement; what was used before and after, and the most memory.
fn watch(daemon: &Daemon, shared: &Shared, time: Duration) -> Result<(Snapshot, Snapshot, u64)> {
    let mut resident = resident_bytes(daemon.pid())?;
    let mut wait = |time: Duration| {
        let begun = Instant::now();
        while begun.elapsed() < time
            && !shared.failed.load(Ordering::Relaxed)
            && shared.stored_bytes.load(Ordering::Relaxed) < shared.stored_bytes_max
        {
            thread::sleep(SAMPLE_EVERY.min(time.saturating_sub(begun.elapsed())));
            resident = resident.max(resident_bytes(daemon.pid())?);
        }
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    };
    wait(time / 10)?;
    let before = Snapshot::take(daemon)?;
    shared.phase.store(MEASURE, Ordering::Relaxed);
    wait(time)?;
    shared.phase.store(STOP, Ordering::Relaxed);
    let after = Snapshot::take(daemon)?;
    Ok((before, after, resident))
}

/// Reads back what a lane sent last: its first file, one in the middle and its last. Who only asked has sent none.
///
/// # Errors
/// If a byte is otherwise, or the answer did not name it.
pub(crate) fn verify(
    connection: &mut Connection,
    load: &Load,
    reader: &mut Connection,
    daemon: &Daemon,
) -> Result<()> {
    let stored = load.stored();
    let Some(last) = stored.len().checked_sub(1) else { return Ok(()) };
    for at in [0, stored.len() / 2, last] {
        let stored = &stored[at];
        let said = &connection.answer.body;
        if !said.is_empty() && memchr::memmem::find(said, stored.hash.as_bytes()).is_none() {
            return Err(
                format!("{} is not in the answer: {}", stored.hash, connection.answer.excerpt()).into()
            );
        }
        let request =
            format!("GET /files/{} HTTP/1.1\r\nHost: {}\r\n{}\r\n", stored.hash, daemon.address, shown());
        let answer = reader.ask(request.as_bytes(), Keep::Digest)?;
        if answer.status != 200 || !stored.is_whole(answer) {
            return Err(format!("{} reads back otherwise: status {}", stored.hash, answer.status).into());
        }
    }
    Ok(())
}
