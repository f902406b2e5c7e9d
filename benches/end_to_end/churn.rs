//! A store that is turned over: files are stored and others deleted at a steady rate, and a client beside them is timed.
//!
//! It is done with compaction and without, in turn, on a fresh store each time. What counts is how long the client
//! beside waits, and how much room the log takes of what lives in it: while it goes on, and after a clean stop.
//! Requests come when they are due, and a time counts from then.

use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use hdrhistogram::Histogram;

use crate::Result;
use crate::answer::Keep;
use crate::client::{Connection, drive, shown};
use crate::daemon::Daemon;
use crate::load::{Batch, Load};
use crate::measure::Snapshot;
use crate::metrics::Metrics;
use crate::support::machine::Machine;
use crate::support::random::Random;

/// Of each file.
const FILE_BYTES: usize = 10 << 10;
/// Files of a request that stores.
const FILES_PER_REQUEST: usize = 100;
/// Files of a request that fills the store beforehand.
const FILES_BEFORE: usize = 500;
/// Connections that delete, one file a request.
const DELETERS: u64 = 4;
/// The client beside stores one file so often.
const BESIDE_EVERY: Duration = Duration::from_millis(5);
const LATENCY_NS_MAX: u64 = 120_000_000_000;
/// The aims: room of what lives, and p99 with compaction of that without.
const SPACE_MAX: f64 = 1.3;
const P99_MAX: f64 = 1.2;

/// The flags of this measurement.
#[derive(Args, Debug)]
#[group(id = "churn_flags")]
pub(crate) struct Flags {
    /// Measures compaction, by storing and deleting at a steady rate, instead of the rows
    #[arg(long)]
    churn: bool,
    /// Files stored a second, and deleted
    #[arg(long, value_name = "FILES", default_value_t = 2_000)]
    churn_rate: u64,
    /// Files that are kept
    #[arg(long, value_name = "FILES", default_value_t = 100_000)]
    churn_keep: usize,
    /// Times it is done with compaction and without; medians are printed
    #[arg(long, value_name = "N", default_value_t = 3)]
    churn_repeat: u64,
    /// Only with compaction
    #[arg(long)]
    churn_only: bool,
}

impl Flags {
    /// Whether this is to be measured.
    pub(crate) fn is_asked_for(&self) -> bool {
        self.churn
    }
}

/// What a run came to.
#[derive(Clone, Copy, Debug)]
struct Run {
    stored: f64,
    deleted: f64,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    /// Bytes of the log of those that live, at the end of the time ...
    space: f64,
    /// ... at its greatest in the second half of it ...
    space_max: f64,
    /// ... and of the files after a clean stop.
    space_stopped: f64,
    copied_mb_s: f64,
    freed_mb_s: f64,
    daemon_cores: f64,
    client_cores: f64,
    idle_cores: f64,
}

struct Shared {
    /// Digests of what may be deleted.
    live: Mutex<Vec<String>>,
    stored: AtomicU64,
    deleted: AtomicU64,
    /// Files that the client beside has stored; they stay.
    beside: AtomicU64,
    over: AtomicBool,
    rate: u64,
    keep: usize,
}

/// Measures and prints.
///
/// # Errors
/// If the daemon fails, or an answer is not what it must be.
pub(crate) fn measure(
    flags: &Flags,
    program: &Path,
    arguments: &[String],
    (dir, seconds): (&Path, f64),
    machine: &Machine,
) -> Result<()> {
    println!(
        "Churn: {} files of 10 KB kept, {} a second stored, {FILES_PER_REQUEST} a request, and deleted, one a request",
        flags.churn_keep, flags.churn_rate
    );
    println!("  machine      {} x {}, {}", machine.cores, machine.processor, machine.kernel);
    println!("  disk         {} on {} ({})", machine.file_system, machine.device, machine.write_cache);
    println!("  load         {:.2} in the last minute", machine.load_average);
    println!(
        "  each run     {seconds} s; beside it a file of 10 KB every {BESIDE_EVERY:?}, which is timed\n"
    );
    println!(
        "           |   files a second    |    beside, ms         |   log, of what lives   |    MB a second    |       cores"
    );
    println!(
        "compaction |   stored    deleted |    p50    p99     max | at end   most  stopped |   copied    freed | daemon client  idle"
    );
    println!("{}", "-".repeat(130));
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..flags.churn_repeat.max(1) {
        for compacts in [false, true] {
            if flags.churn_only && !compacts {
                continue;
            }
            let mut arguments = arguments.to_vec();
            if !compacts {
                arguments.extend(["--compaction-mib-s".into(), "0".into()]);
            }
            let run = run(flags, program, &arguments, dir, Duration::try_from_secs_f64(seconds)?)?;
            run.print(if compacts { "yes" } else { "no" });
            if compacts { with.push(run) } else { without.push(run) }
        }
    }
    let median = |runs: &[Run], of: fn(&Run) -> f64| {
        let mut figures: Vec<f64> = runs.iter().map(of).collect();
        figures.sort_by(f64::total_cmp);
        figures.get(figures.len() / 2).copied()
    };
    let judge = |figure: f64, most: f64| if figure <= most { "PASS, at most" } else { "above" };
    println!("\nMedians");
    for (of, what) in
        [(Run::at_end as fn(&Run) -> f64, "while it goes on"), (Run::stopped, "after a clean stop")]
    {
        if let Some(space) = median(&with, of) {
            println!(
                "  the log takes {space:.2} x what lives in it {what}: {} {SPACE_MAX}",
                judge(space, SPACE_MAX)
            );
        }
    }
    if let Some((with, without)) = median(&with, |run| run.p99_ms).zip(median(&without, |run| run.p99_ms)) {
        let ratio = with / without;
        println!(
            "  p99 beside compaction is {with:.1} ms, {ratio:.2} x the {without:.1} ms without: {} {P99_MAX}",
            judge(ratio, P99_MAX)
        );
    }
    Ok(())
}

impl Run {
    fn at_end(&self) -> f64 {
        self.space
    }

    fn stopped(&self) -> f64 {
        self.space_stopped
    }

    fn print(&self, compacts: &str) {
        println!(
            "{compacts:>10} | {:>8.0}   {:>8.0} | {:>6.2} {:>6.1}  {:>6.1} | {:>6.2} {:>6.2}   {:>6.2} | {:>8.1} {:>8.1} |  {:>5.2}  {:>5.2} {:>5.2}",
            self.stored,
            self.deleted,
            self.p50_ms,
            self.p99_ms,
            self.max_ms,
            self.space,
            self.space_max,
            self.space_stopped,
            self.copied_mb_s,
            self.freed_mb_s,
            self.daemon_cores,
            self.client_cores,
            self.idle_cores
        );
    }
}

/// The log's bytes as of its metrics, of those that live.
fn space(reader: &mut Connection, daemon: &Daemon, shared: &Shared) -> Result<f64> {
    let log: f64 = Metrics::read(reader, daemon)?
        .get("rhinobox_segment_bytes")
        .ok_or("the daemon does not say how large its log is")?;
    Ok(log / shared.live_bytes()? as f64)
}

impl Shared {
    fn live_bytes(&self) -> Result<u64> {
        let live = self.live.lock().map_err(|_| "a client panicked")?.len() as u64;
        Ok((live + self.beside.load(Ordering::Relaxed)) * FILE_BYTES as u64)
    }
}

fn run(flags: &Flags, program: &Path, arguments: &[String], dir: &Path, time: Duration) -> Result<Run> {
    let mut daemon = Daemon::start(program, &dir.join("churn.data"), arguments)?;
    match run_on(&mut daemon, flags, time) {
        Ok(run) => Ok(run),
        Err(error) => Err(format!("{error}\nthe daemon said:\n{}", daemon.last_lines()).into()),
    }
}

fn run_on(daemon: &mut Daemon, flags: &Flags, time: Duration) -> Result<Run> {
    let mut live = Vec::with_capacity(2 * flags.churn_keep);
    let load = Load::post(daemon.address, 1 << 32, Batch { files: FILES_BEFORE, bytes: FILE_BYTES });
    drive(&mut [(Connection::open(daemon.address)?, load)], |load, _| {
        live.extend(load.stored().into_iter().map(|stored| stored.hash));
        live.len() >= flags.churn_keep
    })?;
    let shared = Shared {
        live: Mutex::new(live),
        stored: AtomicU64::new(0),
        deleted: AtomicU64::new(0),
        beside: AtomicU64::new(0),
        over: AtomicBool::new(false),
        rate: flags.churn_rate.max(1),
        keep: flags.churn_keep,
    };
    let mut reader = Connection::open(daemon.address)?;
    let (running, shared_ref) = (&*daemon, &shared);
    let (histogram, watched) = thread::scope(|scope| {
        let stores = scope.spawn(|| until_over(shared_ref, || store(running, shared_ref)));
        let deletes: Vec<_> = (0..DELETERS)
            .map(|lane| scope.spawn(move || until_over(shared_ref, || delete(running, shared_ref, lane))))
            .collect();
        let beside = scope.spawn(|| until_over(shared_ref, || beside(running, shared_ref)));
        let watched = watch(running, shared_ref, &mut reader, time);
        shared_ref.over.store(true, Ordering::Relaxed);
        let panicked = |_| "a client panicked";
        stores.join().map_err(panicked)??;
        for deletes in deletes {
            deletes.join().map_err(panicked)??;
        }
        let histogram = beside.join().map_err(panicked)??;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>((histogram, watched?))
    })?;
    let Watched { before, after, space, space_max, copied, freed } = watched;
    daemon.end()?;
    let mut files = 0;
    for entry in fs::read_dir(daemon.data_dir().join("segments"))? {
        files += entry?.metadata()?.len();
    }
    let seconds = (after.at - before.at).as_secs_f64();
    let ms = |nanoseconds: u64| nanoseconds as f64 / 1e6;
    Ok(Run {
        stored: shared.stored.load(Ordering::Relaxed) as f64 / seconds,
        deleted: shared.deleted.load(Ordering::Relaxed) as f64 / seconds,
        p50_ms: ms(histogram.value_at_quantile(0.5)),
        p99_ms: ms(histogram.value_at_quantile(0.99)),
        max_ms: ms(histogram.max()),
        space,
        space_max,
        space_stopped: files as f64 / shared.live_bytes()? as f64,
        copied_mb_s: copied / seconds / 1e6,
        freed_mb_s: freed / seconds / 1e6,
        daemon_cores: after.daemon.since(before.daemon).total() / seconds,
        client_cores: after.client.since(before.client).total() / seconds,
        idle_cores: (after.idle - before.idle) / seconds,
    })
}

struct Watched {
    before: Snapshot,
    after: Snapshot,
    space: f64,
    space_max: f64,
    copied: f64,
    freed: f64,
}

fn watch(daemon: &Daemon, shared: &Shared, reader: &mut Connection, time: Duration) -> Result<Watched> {
    let before = Snapshot::take(daemon)?;
    let begun = Instant::now();
    let mut spaces = VecDeque::new();
    while begun.elapsed() < time && !shared.over.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_secs(1).min(time.saturating_sub(begun.elapsed())));
        spaces.push_back(space(reader, daemon, shared)?);
    }
    let after = Snapshot::take(daemon)?;
    let metrics = Metrics::read(reader, daemon)?;
    let counter = |name| metrics.get::<f64>(name).unwrap_or_default();
    let copied = counter("rhinobox_compaction_copied_bytes_total");
    let freed = counter("rhinobox_compaction_freed_bytes_total");
    let space = spaces.back().copied().unwrap_or_default();
    let space_max = spaces.iter().skip(spaces.len() / 2).copied().fold(0.0, f64::max);
    Ok(Watched { before, after, space, space_max, copied, freed })
}

/// If one fails, all end.
fn until_over<T>(shared: &Shared, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let done = work();
    if done.is_err() {
        shared.over.store(true, Ordering::Relaxed);
    }
    done
}

/// Does something each time it is due, from now on, until all is over. It is told when it was due.
fn when_due(shared: &Shared, every: Duration, mut work: impl FnMut(Instant) -> Result<()>) -> Result<()> {
    let mut due = Instant::now();
    while !shared.over.load(Ordering::Relaxed) {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        work(due)?;
        due += every;
    }
    Ok(())
}

fn store(daemon: &Daemon, shared: &Shared) -> Result<()> {
    let mut connection = Connection::open(daemon.address)?;
    let mut load = Load::post(daemon.address, 1, Batch { files: FILES_PER_REQUEST, bytes: FILE_BYTES });
    let every = Duration::from_nanos(1_000_000_000 * FILES_PER_REQUEST as u64 / shared.rate);
    when_due(shared, every, |_| {
        let keep = load.prepare();
        let answer = connection.ask(load.request(), keep)?;
        load.check(answer)?;
        shared.stored.fetch_add(load.files, Ordering::Relaxed);
        let stored = load.stored().into_iter().map(|stored| stored.hash);
        shared.live.lock().map_err(|_| "a client panicked")?.extend(stored);
        Ok(())
    })
}

fn delete(daemon: &Daemon, shared: &Shared, lane: u64) -> Result<()> {
    let mut connection = Connection::open(daemon.address)?;
    let mut random = Random(0x5851_f42d_4c95_7f2d ^ (lane << 8));
    let every = Duration::from_nanos(1_000_000_000 * DELETERS / shared.rate);
    when_due(shared, every, |_| {
        let hash = {
            let mut live = shared.live.lock().map_err(|_| "a client panicked")?;
            if live.len() <= shared.keep {
                return Ok(());
            }
            let at = random.below(live.len());
            live.swap_remove(at)
        };
        let request = format!("DELETE /files/{hash} HTTP/1.1\r\nHost: {}\r\n{}\r\n", daemon.address, shown());
        let answer = connection.ask(request.as_bytes(), Keep::Bytes)?;
        if answer.status != 204 {
            return Err(format!("{} for a delete: {}", answer.status, answer.excerpt()).into());
        }
        shared.deleted.fetch_add(1, Ordering::Relaxed);
        Ok(())
    })
}

fn beside(daemon: &Daemon, shared: &Shared) -> Result<Histogram<u64>> {
    let mut histogram = Histogram::new_with_max(LATENCY_NS_MAX, 3)?;
    let mut connection = Connection::open(daemon.address)?;
    let mut load = Load::put(daemon.address, 2, FILE_BYTES);
    when_due(shared, BESIDE_EVERY, |due| {
        let keep = load.prepare();
        let answer = connection.ask(load.request(), keep)?;
        load.check(answer)?;
        shared.beside.fetch_add(1, Ordering::Relaxed);
        histogram.saturating_record(u64::try_from(due.elapsed().as_nanos()).unwrap_or(u64::MAX));
        Ok(())
    })?;
    Ok(histogram)
}
