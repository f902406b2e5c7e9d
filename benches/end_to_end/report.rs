//! What is printed: the machine, the table, the floors, the predecessor beside us; and the same as JSON.

use serde::Serialize;

use crate::measure::{Measured, Plan};
use crate::parts::{Case, OnCores, OnStore, Peak};
use crate::support::baseline::DiskWrite;
use crate::support::machine::Machine;
use crate::support::text::grouped;

/// A machine on which others take more than this is not measured, it is shared.
pub(crate) const OTHER_CORES_MAX: f64 = 0.3;

/// A least (or most) that a figure must reach.
#[derive(Clone, Serialize, Debug)]
pub(crate) struct Floor {
    pub(crate) what: String,
    pub(crate) wanted: String,
    pub(crate) measured: String,
    /// Above 1 is better than wanted.
    pub(crate) ratio: f64,
}

/// All of it.
#[derive(Clone, Serialize, Debug)]
pub(crate) struct Report {
    pub(crate) version: String,
    pub(crate) machine: Machine,
    pub(crate) daemon_start_lines: Vec<String>,
    pub(crate) seconds_per_row: f64,
    /// At the run's start and end.
    pub(crate) disk: [Vec<DiskWrite>; 2],
    pub(crate) sha256_mb_per_second: f64,
    pub(crate) rows: Vec<Measured>,
    pub(crate) floors: Vec<Floor>,
    pub(crate) open_loop: Vec<Case>,
    /// Of 10 KB, over more and more connections.
    pub(crate) connections: Vec<Measured>,
    /// Larger and larger files.
    pub(crate) sizes: Vec<Measured>,
    /// A batch on more and more of the daemon's cores.
    pub(crate) cores: Vec<OnCores>,
    /// Onto larger and larger stores.
    pub(crate) stores: Vec<OnStore>,
    pub(crate) memory: Vec<Peak>,
}

impl Report {
    /// Of nothing yet.
    pub(crate) fn new(machine: Machine, plan: &Plan) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").into(),
            machine,
            daemon_start_lines: Vec::new(),
            seconds_per_row: plan.time.as_secs_f64(),
            disk: [Vec::new(), Vec::new()],
            sha256_mb_per_second: 0.0,
            rows: Vec::new(),
            floors: Vec::new(),
            open_loop: Vec::new(),
            connections: Vec::new(),
            sizes: Vec::new(),
            cores: Vec::new(),
            stores: Vec::new(),
            memory: Vec::new(),
        }
    }

    fn row(&self, id: &str) -> Option<&Measured> {
        self.rows.iter().find(|row| row.id == id)
    }

    /// The disk's own durable 4 KiB write, microseconds: the better of both measurements' medians.
    fn disk_block_us(&self) -> Option<f64> {
        self.disk.iter().filter_map(|sizes| sizes.first()).map(|size| size.dsync_p50_us).reduce(f64::min)
    }

    /// Holds the rows against the floors.
    pub(crate) fn check(&mut self) {
        let mut floors = Vec::new();
        let at_least = |what: &str, wanted: f64, measured: f64, unit: &str| Floor {
            what: what.into(),
            wanted: format!(">= {} {unit}", grouped(wanted)),
            measured: format!("{} {unit}", grouped(measured)),
            ratio: measured / wanted,
        };
        for (id, wanted) in [("1000x2k", 250_000.0), ("10k-c16", 25_000.0)] {
            if let Some(row) = self.row(id) {
                let what = format!("{}, {} connections", row.title, row.connections);
                floors.push(at_least(&what, wanted, row.files_per_second, "files/s"));
            }
        }
        if let (Some(row), Some(block_us)) = (self.row("10k-c1"), self.disk_block_us()) {
            let (most, is) = (2.0 * block_us / 1e3, row.latency_ms.p50);
            floors.push(Floor {
                what: "10 KB, 1 connection, p50, against the disk's durable 4 KiB write".into(),
                wanted: format!("<= 2 x {:.3} ms", block_us / 1e3),
                measured: format!("{is:.3} ms, {:.2} x", 2.0 * is / most),
                ratio: most / is,
            });
        }
        for id in ["64m-put", "64m-post"] {
            if let Some(row) = self.row(id) {
                let what = format!("{}, against SHA-256 on one core", row.title);
                floors.push(at_least(&what, 0.55 * self.sha256_mb_per_second, row.mb_per_second, "MB/s"));
            }
        }
        if let Some(row) = self.rows.iter().max_by_key(|row| row.resident_without_index()) {
            let is = row.resident_without_index() as f64 / 1e6;
            floors.push(Floor {
                what: format!("memory without the index, greatest of all rows ({})", row.id),
                wanted: "< 100 MB".into(),
                measured: format!("{is:.1} MB"),
                ratio: 100.0 / is,
            });
        }
        self.floors = floors;
    }

    /// The head, before any part is measured.
    pub(crate) fn print_head(&self) {
        println!("rhinobox {}, end to end: over loopback, durable", self.version);
        self.machine.print();
    }

    /// What one core and the rows' time are, before the table of rows.
    pub(crate) fn print_rates(&self) {
        println!("  each row     {} s, behind a tenth of that as warm-up", self.seconds_per_row);
        println!("  SHA-256      {} MB/s on one core", grouped(self.sha256_mb_per_second));
    }

    /// What the daemon said of itself.
    pub(crate) fn print_start_lines(lines: &[String]) {
        for (at, line) in lines.iter().enumerate() {
            println!("  {:<12} {line}", if at == 0 { "daemon" } else { "" });
        }
        println!();
    }

    /// The table's head.
    pub(crate) fn print_table_head() {
        println!(
            "{:<29}{:>5} |{:^53}|{:>11}{:>9} |{:^24}|{:^30}|{:^15}",
            "", "", "latency of a request, ms", "", "", "daemon us per file", "cores", "daemon MB"
        );
        println!(
            "{:<29}{:>5} |{:>9}{:>9}{:>9}{:>9}{:>9}{:>8}|{:>11}{:>9} |{:>8}{:>8}{:>8}|{:>8}{:>8}{:>7}{:>7}|{:>7}{:>8}",
            "sent",
            "conns",
            "p50",
            "p90",
            "p95",
            "p99",
            "p99.9",
            "max",
            "files/s",
            "MB/s",
            "user",
            "system",
            "sum",
            "daemon",
            "client",
            "other",
            "idle",
            "all",
            "-index"
        );
        println!("{}", "-".repeat(174));
    }

    /// A row of the table.
    pub(crate) fn print_row(row: &Measured) {
        let Latency6 { p50, p90, p95, p99, p999, max } = Latency6::of(row);
        println!(
            "{:<29}{:>5} |{p50:>9}{p90:>9}{p95:>9}{p99:>9}{p999:>9}{max:>8}|{:>11}{:>9} |{:>8}{:>8}{:>8}|{:>8.2}{:>8.2}{:>7.2}{:>7.2}|{:>7.1}{:>8.1}",
            row.title,
            row.connections,
            grouped(row.files_per_second),
            grouped(row.mb_per_second),
            short(row.user_us_per_file),
            short(row.system_us_per_file),
            short(row.user_us_per_file + row.system_us_per_file),
            row.daemon_cores,
            row.client_cores,
            row.other_cores,
            row.idle_cores,
            row.resident_bytes as f64 / 1e6,
            row.resident_without_index() as f64 / 1e6,
        );
    }

    /// What follows the table of rows.
    pub(crate) fn print_floors(&self) {
        let stolen = self.rows.iter().map(|row| row.stolen_cores).fold(0.0, f64::max);
        if stolen > 0.02 {
            println!("The machine's host took up to {stolen:.2} cores during a row.");
        }
        let other = self.rows.iter().map(|row| row.other_cores).fold(0.0, f64::max);
        if other > OTHER_CORES_MAX {
            println!(
                "WARNING: others took up to {other:.2} cores during a row; figures and floors mean little then."
            );
        }
        for row in &self.rows {
            if row.ended_early {
                let stored = grouped(row.files_in_store as f64 * row.file_bytes as f64 / 1e6);
                println!("{}: ended after {:.1} s, at {stored} MB stored.", row.id, row.seconds);
            }
            if row.uploads && row.durability != "commit" {
                println!("{}: WARNING: the answers did not say that they were durable.", row.id);
            }
        }
        println!(
            "\nThe disk's own durable writes into written zeros, O_DIRECT, p50 and p99 in ms, before and after the rows"
        );
        println!("{:>14} |{:^38}|{:^38}", "bytes", "O_DSYNC", "write + fdatasync");
        let [before, after] = &self.disk;
        for (before, after) in before.iter().zip(after) {
            let pair = |p50: f64, p99: f64| format!("{:>8.3} {:>8.3}", p50 / 1e3, p99 / 1e3);
            println!(
                "{:>14} |{} {}   |{} {}",
                grouped(before.bytes as f64),
                pair(before.dsync_p50_us, before.dsync_p99_us),
                pair(after.dsync_p50_us, after.dsync_p99_us),
                pair(before.fdatasync_p50_us, before.fdatasync_p99_us),
                pair(after.fdatasync_p50_us, after.fdatasync_p99_us),
            );
        }
        if !self.floors.is_empty() {
            println!("\nFloors");
            for floor in &self.floors {
                let verdict = if floor.ratio >= 1.0 { "PASS" } else { "below" };
                println!(
                    "  {verdict:<6}{:>6.2} x   {:<68} {:<20} {}",
                    floor.ratio, floor.what, floor.wanted, floor.measured
                );
            }
        }
    }

    /// The predecessor's targets and its best, beside ours. It answered before anything was durable.
    pub(crate) fn print_predecessor(&self) {
        let ms = |id: &str, of: fn(&Measured) -> f64| {
            self.row(id).map_or_else(|| "-".into(), |row| format!("{:.2} ms", of(row)))
        };
        let memory = self.memory.iter().find(|peak| peak.connections == 1);
        let lines = [
            ("one file, p50", "< 10 ms", "0.43 ms", ms("10k-c1", |row| row.latency_ms.p50)),
            ("one file, p99", "< 50 ms", "about 1 ms", ms("10k-c1", |row| row.latency_ms.p99)),
            ("100 files in a request", "< 500 ms", "14-20 ms", ms("100x2k", |row| row.latency_ms.p50)),
            ("1,000 files in a request", "< 3 s", "150 ms", ms("1000x2k", |row| row.latency_ms.p50)),
            (
                "files a second",
                "1,000/s",
                "6,000/s",
                self.row("1000x2k")
                    .map_or_else(|| "-".into(), |row| format!("{}/s", grouped(row.files_per_second))),
            ),
            (
                "memory for 1,000 files",
                "< 100 MB",
                "1.1 GB",
                memory.map_or_else(|| "-".into(), |peak| format!("{:.1} MB", peak.peak_bytes as f64 / 1e6)),
            ),
        ];
        if self.rows.is_empty() {
            return;
        }
        println!("\nThe predecessor, which answered before anything was durable, beside this run");
        println!("  {:<28}{:>10}{:>14}{:>18}", "", "its target", "its best", "this, durable");
        for (what, target, best, ours) in lines {
            println!("  {what:<28}{target:>10}{best:>14}{ours:>18}");
        }
        println!(
            "  Batches are of 2 KB files under the table's load (all connections at once); memory is the peak of a fresh daemon, index included."
        );
    }
}

/// Latencies in as many digits as they deserve.
struct Latency6 {
    p50: String,
    p90: String,
    p95: String,
    p99: String,
    p999: String,
    max: String,
}

impl Latency6 {
    fn of(row: &Measured) -> Self {
        let latency = &row.latency_ms;
        let [p50, p90, p95, p99, p999, max] =
            [latency.p50, latency.p90, latency.p95, latency.p99, latency.p999, latency.max].map(|ms| {
                if ms < 10.0 {
                    format!("{ms:.3}")
                } else if ms < 100.0 {
                    format!("{ms:.2}")
                } else {
                    format!("{ms:.1}")
                }
            });
        Self { p50, p90, p95, p99, p999, max }
    }
}

fn short(us: f64) -> String {
    match us {
        ..100.0 => format!("{us:.1}"),
        ..10_000.0 => grouped(us),
        _ => format!("{:.1}ms", us / 1e3),
    }
}
