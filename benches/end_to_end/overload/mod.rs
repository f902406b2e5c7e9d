//! The daemon beyond its capacity: what is answered in time as more and more is offered.
//!
//! The store stands on a disk that is slow on purpose ([`slow_disk`]), so that neither the client nor a processor is the
//! limit. Requests come when they are due ([`crate::open_loop`]). The knee is the greatest load that is served whole and soon;
//! multiples of it are offered, each to a daemon of its own on a fresh disk. What counts is goodput: files answered with
//! success before their client went away.

mod slow_disk;

use std::path::Path;
use std::time::Duration;

use clap::Args;

use self::slow_disk::SlowDisk;
use crate::Result;
use crate::daemon::Daemon;
use crate::load::Batch;
use crate::open_loop::{Arrivals, Connections, Offer, Outcome, offer};
use crate::support::machine::Machine;

/// What every request carries.
const FILE: Batch = Batch { files: 1, bytes: 10 << 10 };
/// Requests at once; more than come before clients lose their patience.
const REQUESTS_MAX: usize = 12_000;
/// Multiples of the knee's load; the last one's goodput is held against the first one's.
const LOADS: [f64; 5] = [1.0, 0.5, 1.5, 2.0, 3.0];
/// The goodput at the greatest of them, as a share of the knee's.
const FLOOR: f64 = 0.90;
/// What a load must reach to be below the knee: so many stored of all that were due ...
const SERVED: f64 = 0.99;
/// ... and nearly all of them this soon.
const SOON_MS: f64 = 500.0;
/// Bytes that a file of 10 KB takes of the disk: its batch's blocks, and as many zeros of the next segment.
const BYTES_PER_FILE: f64 = 2.0 * 11_500.0;
/// Two loads are as good as one when their ratio is below this.
const KNEE_RATIO: f64 = 1.06;

/// The flags of this measurement.
#[derive(Args, Debug)]
#[group(id = "overload_flags")]
pub(crate) struct Flags {
    /// Measures overload on a slow disk instead of the rows; takes root, nbdkit and nbdfuse
    #[arg(long)]
    overload: bool,
    /// Bytes the slow disk takes in a second, in millions
    #[arg(long, value_name = "MB", default_value_t = 10)]
    overload_disk: u64,
    /// The knee in files a second; with keep-alive, then with new connections [default: it is looked for]
    #[arg(long, value_delimiter = ',', value_name = "FILES")]
    overload_knee: Vec<f64>,
    /// Times each load is offered; medians are printed
    #[arg(long, value_name = "N", default_value_t = 3)]
    overload_repeat: u64,
    /// Seconds after which a client goes away
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    overload_patience: f64,
}

impl Flags {
    /// Whether overload is to be measured.
    pub(crate) fn is_asked_for(&self) -> bool {
        self.overload
    }
}

/// What all steps have in common.
struct Plan<'a> {
    program: &'a Path,
    arguments: &'a [String],
    disk_bytes: u64,
    time: Duration,
    patience: Duration,
}

/// A step in figures.
#[derive(Clone, Copy, Debug)]
struct Step {
    offered: f64,
    goodput: f64,
    /// Of all that were due.
    stored: f64,
    shed: f64,
    late: f64,
    broken: f64,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    daemon_cores: f64,
    client_cores: f64,
    idle_cores: f64,
}

/// Measures the curve for both kinds of connections and prints it.
///
/// # Errors
/// If there is no slow disk, the daemon fails, or an answer is not what it must be.
pub(crate) fn measure(
    flags: &Flags,
    program: &Path,
    arguments: &[String],
    seconds: f64,
    machine: &Machine,
) -> Result<()> {
    let plan = Plan {
        program,
        arguments,
        disk_bytes: flags.overload_disk * 1_000_000,
        time: Duration::try_from_secs_f64(seconds)?,
        patience: Duration::try_from_secs_f64(flags.overload_patience)?,
    };
    println!(
        "Overload: 10 KB files, one a request, open loop, Poisson arrivals, clients wait {:?}",
        plan.patience
    );
    println!("  machine      {} x {}, {}", machine.cores, machine.processor, machine.kernel);
    println!("  load         {:.2} in the last minute", machine.load_average);
    println!(
        "  disk         {} MB/s (ext4, loop, nbdfuse, nbdkit memory with its rate filter)",
        flags.overload_disk
    );
    println!(
        "  each step    {seconds} s behind a warm-up of {:?}, a fresh disk and daemon; medians of {}",
        plan.warm_up(),
        flags.overload_repeat
    );
    for (at, connections) in [Connections::Kept, Connections::New].into_iter().enumerate() {
        let knee = match flags.overload_knee.get(at) {
            Some(knee) => *knee,
            None => plan.knee(connections)?,
        };
        plan.curve(connections, knee, flags.overload_repeat)?;
    }
    Ok(())
}

impl Plan<'_> {
    fn warm_up(&self) -> Duration {
        // By then a queue that grows is as long as clients are patient.
        self.patience
    }

    /// The greatest load that is served whole and soon.
    fn knee(&self, connections: Connections) -> Result<f64> {
        let (mut below, mut above) = (None, None);
        let mut rate = self.disk_bytes as f64 / BYTES_PER_FILE;
        loop {
            let step = self.step(connections, rate, 1)?;
            let served = step.stored >= SERVED && step.p99_ms <= SOON_MS;
            println!(
                "  looking for the knee: {:>7.0}/s offered, {:>5.1} % stored, p99 {:>6.0} ms: {}",
                step.offered,
                100.0 * step.stored,
                step.p99_ms,
                if served { "served" } else { "beyond" }
            );
            if served {
                below = Some(rate)
            } else {
                above = Some(rate)
            }
            rate = match (below, above) {
                (Some(below), Some(above)) if above / below < KNEE_RATIO => return Ok(below),
                (Some(below), Some(above)) => f64::sqrt(below * above),
                (Some(below), None) => below * 1.25,
                (None, _) if rate < 1.0 => return Err("no load is served".into()),
                (None, _) => rate / 1.25,
            };
        }
    }

    fn curve(&self, connections: Connections, knee: f64, repeat: u64) -> Result<()> {
        let mut steps = LOADS.map(|_| Vec::new());
        // In turn, so that what else the machine does meets all of them.
        for seed in 1..=repeat.max(1) {
            for (load, steps) in LOADS.iter().zip(&mut steps) {
                steps.push(self.step(connections, load * knee, seed)?);
            }
        }
        let mut medians: Vec<(f64, Step)> =
            LOADS.into_iter().zip(steps.iter().map(|steps| median(steps))).collect();
        let (at_knee, at_most) = (medians[0].1, medians[LOADS.len() - 1].1);
        medians.sort_by(|one, other| one.0.total_cmp(&other.0));
        println!(
            "\n{}; the knee is at {knee:.0} files/s",
            match connections {
                Connections::Kept => "Connections are kept and used again",
                Connections::New => "A connection for each request",
            }
        );
        println!(
            "       |    files a second    |     % of the requests     |  latency of 200, ms   |       cores         "
        );
        println!(
            "  load |  offered     goodput |   200    503   late broken|    p50     p99     max| daemon client  idle "
        );
        println!("{}", "-".repeat(113));
        for (load, step) in &medians {
            println!(
                "{load:>5.1}x | {:>8.0}    {:>8.0} | {:>5.1}  {:>5.1}  {:>5.1}  {:>5.1}| {:>6.0}  {:>6.0}  {:>6.0}|  {:>5.2}  {:>5.2} {:>5.2}",
                step.offered,
                step.goodput,
                100.0 * step.stored,
                100.0 * step.shed,
                100.0 * step.late,
                100.0 * step.broken,
                step.p50_ms,
                step.p99_ms,
                step.max_ms,
                step.daemon_cores,
                step.client_cores,
                step.idle_cores
            );
        }
        let ratio = at_most.goodput / at_knee.goodput;
        println!(
            "goodput at {:.0} x the knee's load is {ratio:.2} of the knee's: {} {FLOOR:.2}",
            LOADS[LOADS.len() - 1],
            if ratio >= FLOOR { "PASS, at least" } else { "below" }
        );
        let all = |steps: &[Step]| {
            let goodputs: Vec<String> = steps.iter().map(|step| format!("{:.0}", step.goodput)).collect();
            goodputs.join(", ")
        };
        println!("  each time: {} at the knee, {} there", all(&steps[0]), all(&steps[LOADS.len() - 1]));
        Ok(())
    }

    /// Offers one load to a daemon of its own on a fresh disk.
    fn step(&self, connections: Connections, rate: f64, seed: u64) -> Result<Step> {
        // A socket's path must be short, which a folder of cargo's may not be.
        let dir = std::env::temp_dir().join(format!("rhinobox-overload-{}", std::process::id()));
        let disk = SlowDisk::new(&dir, self.disk_bytes)?;
        let daemon = Daemon::start(self.program, &disk.path().join("data"), self.arguments)?;
        let (warm_up, time, patience) = (self.warm_up(), self.time, self.patience);
        let arrivals = Arrivals::Poisson;
        let requests_max = REQUESTS_MAX;
        let load =
            Offer { batch: FILE, connections, arrivals, requests_max, rate, warm_up, time, patience, seed };
        match offer(&daemon, load) {
            Ok(outcome) => {
                daemon.stop()?;
                Ok(Step::of(&outcome, time))
            }
            Err(error) => Err(format!("{error}\nthe daemon said:\n{}", daemon.last_lines()).into()),
        }
    }
}

impl Step {
    fn of(outcome: &Outcome, time: Duration) -> Self {
        let (before, after) = (&outcome.snapshots[0], &outcome.snapshots[1]);
        let seconds = (after.at - before.at).as_secs_f64();
        let time = time.as_secs_f64();
        let share = |count: u64| count as f64 / outcome.due.max(1) as f64;
        let ms = |nanoseconds: u64| nanoseconds as f64 / 1e6;
        Self {
            offered: outcome.due as f64 / time,
            goodput: outcome.answered as f64 / time,
            stored: share(outcome.stored),
            shed: share(outcome.shed),
            late: share(outcome.late),
            broken: share(outcome.broken),
            p50_ms: ms(outcome.latency.value_at_quantile(0.5)),
            p99_ms: ms(outcome.latency.value_at_quantile(0.99)),
            max_ms: ms(outcome.latency.max()),
            daemon_cores: after.daemon.since(before.daemon).total() / seconds,
            client_cores: after.client.since(before.client).total() / seconds,
            idle_cores: (after.idle - before.idle) / seconds,
        }
    }
}

/// Each figure's median, by itself.
fn median(steps: &[Step]) -> Step {
    let of = |figure: fn(&Step) -> f64| {
        let mut figures: Vec<f64> = steps.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    };
    Step {
        offered: of(|step| step.offered),
        goodput: of(|step| step.goodput),
        stored: of(|step| step.stored),
        shed: of(|step| step.shed),
        late: of(|step| step.late),
        broken: of(|step| step.broken),
        p50_ms: of(|step| step.p50_ms),
        p99_ms: of(|step| step.p99_ms),
        max_ms: of(|step| step.max_ms),
        daemon_cores: of(|step| step.daemon_cores),
        client_cores: of(|step| step.client_cores),
        idle_cores: of(|step| step.idle_cores),
    }
}
