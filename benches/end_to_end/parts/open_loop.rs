//! An open loop at constant rates: what is answered how soon while the machine is as busy as one would let it be.
//!
//! A closed loop tells the greatest rate, and every client waits there until the one before it is answered, so that its
//! times leave out whoever would have come meanwhile. Here requests are due at shares of that rate, each counts from when
//! it was due, and the step counts at which 70 to 80 % of the machine's processor time are in use. If no step comes to
//! that, it is looked for between those below and above.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::Result;
use crate::daemon::Daemon;
use crate::hgrm;
use crate::load::Batch;
use crate::measure::{Plan, measure_on};
use crate::open_loop::{Arrivals, Connections, Offer, Outcome, offer};
use crate::plots;
use crate::report::{OTHER_CORES_MAX, Report};
use crate::rows::Row;
use crate::support::text::grouped;

/// The machine's share in use that is looked for.
const BUSY: std::ops::RangeInclusive<f64> = 0.70..=0.80;
const BUSY_AIM: f64 = 0.75;
/// Steps beyond the given ones until it is given up.
const SEARCHES_MAX: usize = 3;
/// Who has no answer by then has gone away.
const PATIENCE: Duration = Duration::from_secs(5);
/// A step that answers less than this of what was due is not sustained, and greater rates are left out.
const SUSTAINED: f64 = 0.99;
/// Lanes of the closed loop before it count from nought; the steps' seeds keep clear of them.
const SEED_FIRST: u64 = 1;

/// What is offered, and over how many connections its greatest rate is looked for.
struct Kind {
    id: &'static str,
    title: &'static str,
    batch: Batch,
    closed_connections: u32,
    /// Connections of the open loop, at most.
    requests_max: usize,
    /// Of the greatest rate.
    shares: &'static [f64],
    /// More of them, with `--full`.
    shares_full: &'static [f64],
}

const KINDS: [Kind; 2] = [
    Kind {
        id: "10k",
        title: "10 KB",
        batch: Batch { files: 1, bytes: 10 << 10 },
        closed_connections: 64,
        requests_max: 1_024,
        shares: &[0.1, 0.3, 0.5, 0.7, 0.8, 0.9],
        shares_full: &[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95],
    },
    Kind {
        id: "1000x2k",
        title: "1,000 x 2 KB in one request",
        batch: Batch { files: 1_000, bytes: 2 << 10 },
        closed_connections: 6,
        requests_max: 64,
        shares: &[0.5, 0.75],
        shares_full: &[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9],
    },
];

/// What one kind of request came to.
#[derive(Clone, Serialize, Debug)]
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) title: String,
    /// Requests a second, by the closed loop before the steps.
    pub(crate) greatest_rate: f64,
    /// By rate.
    pub(crate) steps: Vec<Step>,
    /// Which of the steps has the machine as busy as is looked for.
    pub(crate) at_busy: Option<usize>,
}

/// One rate.
#[derive(Clone, Serialize, Debug)]
pub(crate) struct Step {
    /// Requests a second that were due, and that were answered with success.
    pub(crate) offered: f64,
    pub(crate) achieved: f64,
    /// Files a second.
    pub(crate) files_per_second: f64,
    /// Of those that were due: stored at last.
    pub(crate) stored: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p999_ms: f64,
    pub(crate) max_ms: f64,
    pub(crate) daemon_cores: f64,
    pub(crate) client_cores: f64,
    /// Neither's: other programs, and what the kernel does for all.
    pub(crate) other_cores: f64,
    /// Of the machine's processor time, whoever used it.
    pub(crate) busy: f64,
    /// Nanoseconds.
    #[serde(skip)]
    pub(crate) histogram: Histogram<u64>,
}

/// Measures all kinds.
///
/// # Errors
/// If the daemon fails, or any answer is neither success nor 503.
pub(crate) fn measure(plan: &Plan, report: &mut Report) -> Result<()> {
    for kind in &KINDS {
        let daemon = Daemon::start(&plan.program, &plan.dir.join(kind.id), &plan.arguments)?;
        match kind.measure_on(&daemon, plan, report.machine.cores) {
            Ok(case) => report.open_loop.push(case),
            Err(error) => {
                return Err(format!("{}: {error}\nthe daemon said:\n{}", kind.id, daemon.last_lines()).into());
            }
        }
        daemon.stop()?;
    }
    draw(&report.open_loop)
}

fn draw(cases: &[Case]) -> Result<()> {
    for case in cases {
        let lines = case
            .steps
            .iter()
            .map(|step| {
                let label = format!("{}/s, {:.0} % busy", grouped(step.offered), 100.0 * step.busy);
                plots::quantiles(label, &step.histogram)
            })
            .collect();
        let title = format!("Latency at constant rates, from when a request was due: {}", case.title);
        plots::latency(&format!("latency-open-loop-{}", case.id), &title, lines)?;
    }
    Ok(())
}

impl Kind {
    fn measure_on(&self, daemon: &Daemon, plan: &Plan, cores: usize) -> Result<Case> {
        let brief = plan.brief();
        let time = brief.time * 3 / 2;
        let id = format!("open-loop-{}", self.id);
        let closed =
            Row::post(format!("{id}-closed"), self.title.into(), self.closed_connections, self.batch);
        let closed = measure_on(daemon, &closed, &brief)?;
        let greatest_rate = closed.requests as f64 / closed.seconds;
        println!(
            "{}: {} requests/s in a closed loop of {} connections; steps of {:.1} s",
            self.title,
            grouped(greatest_rate),
            self.closed_connections,
            time.as_secs_f64()
        );
        print_head();
        let mut steps: Vec<Step> = Vec::new();
        let shares = if plan.full { self.shares_full } else { self.shares };
        let mut rates: Vec<f64> = shares.iter().rev().map(|share| share * greatest_rate).collect();
        let mut searches = 0;
        loop {
            let rate = match rates.pop() {
                Some(rate) => rate,
                None if searches < SEARCHES_MAX && nearest(&steps).is_none() => {
                    searches += 1;
                    between(&steps)
                }
                None => break,
            };
            let load = Offer {
                batch: self.batch,
                connections: Connections::Kept,
                arrivals: Arrivals::Constant,
                requests_max: self.requests_max,
                rate,
                warm_up: time / 8,
                time,
                patience: PATIENCE,
                seed: SEED_FIRST + steps.len() as u64,
            };
            let step = Step::of(&offer(daemon, load)?, load, cores);
            let share = rate / greatest_rate;
            let name = format!("{id}-at-{:.0}-percent.hgrm", 100.0 * share);
            hgrm::write(&plan.figures.join(name), &step.histogram)?;
            step.print(share);
            if !step.is_sustained() {
                rates.clear();
            }
            steps.push(step);
        }
        steps.sort_by(|one, other| one.offered.total_cmp(&other.offered));
        let at_busy = nearest(&steps);
        match at_busy.map(|at| &steps[at]) {
            Some(step) => println!(
                "  at 70 to 80 % of the machine ({:.0} %): {} requests/s, {} files/s, p99 {:.2} ms",
                100.0 * step.busy,
                grouped(step.achieved),
                grouped(step.files_per_second),
                step.p99_ms
            ),
            None => println!("  no step had the machine busy at 70 to 80 %"),
        }
        let other = steps.iter().map(|step| step.other_cores).fold(0.0, f64::max);
        if other > OTHER_CORES_MAX {
            println!(
                "  WARNING: others took up to {other:.2} cores during a step; then the share says little."
            );
        }
        Ok(Case { id: self.id.into(), title: self.title.into(), greatest_rate, steps, at_busy })
    }
}

/// The sustained step that is nearest to what is looked for, if one is near enough.
fn nearest(steps: &[Step]) -> Option<usize> {
    let off = |at: usize| (steps[at].busy - BUSY_AIM).abs();
    (0..steps.len())
        .filter(|at| BUSY.contains(&steps[*at].busy) && steps[*at].is_sustained())
        .min_by(|one, other| off(*one).total_cmp(&off(*other)))
}

/// A rate at which the machine is as busy as is looked for, going by its neighbours.
fn between(steps: &[Step]) -> f64 {
    let below =
        steps.iter().filter(|step| step.busy < BUSY_AIM).max_by(|a, b| a.offered.total_cmp(&b.offered));
    let above =
        steps.iter().filter(|step| step.busy >= BUSY_AIM).min_by(|a, b| a.offered.total_cmp(&b.offered));
    match (below, above) {
        (Some(below), Some(above)) => {
            let share = (BUSY_AIM - below.busy) / (above.busy - below.busy);
            below.offered + share * (above.offered - below.offered)
        }
        (Some(step), None) | (None, Some(step)) => step.offered * BUSY_AIM / step.busy,
        (None, None) => 1.0,
    }
}

impl Step {
    fn of(outcome: &Outcome, load: Offer, cores: usize) -> Self {
        let (before, after) = (&outcome.snapshots[0], &outcome.snapshots[1]);
        let seconds = (after.at - before.at).as_secs_f64();
        let ms = |quantile| outcome.latency.value_at_quantile(quantile) as f64 / 1e6;
        let cores = cores as f64;
        let daemon_cores = after.daemon.since(before.daemon).total() / seconds;
        let client_cores = after.client.since(before.client).total() / seconds;
        let busy_cores = cores - (after.idle - before.idle) / seconds;
        let achieved = outcome.answered as f64 / load.time.as_secs_f64();
        Self {
            offered: outcome.due as f64 / load.time.as_secs_f64(),
            achieved,
            files_per_second: achieved * load.batch.files as f64,
            stored: outcome.stored as f64 / outcome.due.max(1) as f64,
            p50_ms: ms(0.5),
            p99_ms: ms(0.99),
            p999_ms: ms(0.999),
            max_ms: outcome.latency.max() as f64 / 1e6,
            daemon_cores,
            client_cores,
            other_cores: (busy_cores - daemon_cores - client_cores).max(0.0),
            busy: busy_cores / cores,
            histogram: outcome.latency.clone(),
        }
    }

    fn is_sustained(&self) -> bool {
        self.achieved >= SUSTAINED * self.offered
    }

    fn print(&self, share: f64) {
        println!(
            "{share:>7.2} |{:>9} {:>9} {:>11} {:>7.2} |{:>8.3} {:>8.2} {:>8.2} {:>8.1} |{:>8.2} {:>7.2} {:>7.2} {:>7.1}",
            grouped(self.offered),
            grouped(self.achieved),
            grouped(self.files_per_second),
            100.0 * self.stored,
            self.p50_ms,
            self.p99_ms,
            self.p999_ms,
            self.max_ms,
            self.daemon_cores,
            self.client_cores,
            self.other_cores,
            100.0 * self.busy
        );
    }
}

fn print_head() {
    println!(
        "{:>7} |{:^40}|{:^36}|{:^23} {:>8}",
        "", "requests a second", "latency from due, ms", "cores", "machine"
    );
    println!(
        "{:>7} |{:>9} {:>9} {:>11} {:>8}|{:>8} {:>8} {:>8} {:>8} |{:>8} {:>7} {:>7} {:>7}",
        "share",
        "offered",
        "achieved",
        "files/s",
        "stored %",
        "p50",
        "p99",
        "p99.9",
        "max",
        "daemon",
        "client",
        "other",
        "busy %"
    );
    println!("{}", "-".repeat(122));
}
