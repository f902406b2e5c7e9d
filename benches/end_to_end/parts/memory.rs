//! The most memory a fresh daemon ever takes: for a batch in one request, for many such at once, and for many
//! connections. It is the kernel's own high-water mark, so that nothing shorter than a sample is missed.

use std::fs::File;

use serde::Serialize;

use crate::Result;
use crate::client::{Connection, drive};
use crate::daemon::Daemon;
use crate::load::{Batch, Load};
use crate::measure::{Plan, verify};
use crate::metrics::Metrics;
use crate::proc::{resident_bytes, resident_bytes_max};
use crate::report::Report;
use crate::support::text::grouped;

/// What is sent, over how many connections.
struct Kind {
    id: &'static str,
    title: &'static str,
    connections: u32,
    batch: Batch,
}

const BYTES: usize = 10 << 10;
const KINDS: [Kind; 3] = [
    Kind {
        id: "batch",
        title: "1,000 x 10 KB in one request",
        connections: 1,
        batch: Batch { files: 1_000, bytes: BYTES },
    },
    Kind {
        id: "batches",
        title: "16 x (1,000 x 10 KB) at once",
        connections: 16,
        batch: Batch { files: 1_000, bytes: BYTES },
    },
    Kind {
        id: "connections",
        title: "1,000 connections, 10 KB each",
        connections: 1_000,
        batch: Batch { files: 1, bytes: BYTES },
    },
];
/// Requests of each connection; as many with `--full`.
const ROUNDS: u32 = 1;
const ROUNDS_FULL: u32 = 20;

/// What one kind took.
#[derive(Clone, Serialize, Debug)]
pub(crate) struct Peak {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) connections: u32,
    pub(crate) files: u64,
    /// Resident before the first request.
    pub(crate) before_bytes: u64,
    /// The most that was ever resident, index included.
    pub(crate) peak_bytes: u64,
    /// Of the index at the end, by the daemon's own word.
    pub(crate) index_bytes: u64,
}

/// Measures each kind on a daemon of its own.
///
/// # Errors
/// If the daemon fails, or any answer is not what it must be.
pub(crate) fn measure(plan: &Plan, report: &mut Report) -> Result<()> {
    let rounds = if plan.full { ROUNDS_FULL } else { ROUNDS };
    println!("{rounds} of each connection");
    println!("{:<32}{:>8} |{:^33}", "", "", "resident, MB");
    println!("{:<32}{:>8} |{:>10}{:>10}{:>13}", "sent", "files", "before", "at most", "less index");
    println!("{}", "-".repeat(75));
    for kind in &KINDS {
        let daemon = Daemon::start(&plan.program, &plan.dir.join(kind.id), &plan.arguments)?;
        match kind.measure_on(&daemon, rounds) {
            Ok(peak) => {
                peak.print();
                report.memory.push(peak);
            }
            Err(error) => {
                return Err(
                    format!("{}: {error}\nthe daemon said:\n{}", kind.title, daemon.last_lines()).into()
                );
            }
        }
        daemon.stop()?;
        rustix::fs::syncfs(File::open(&plan.dir)?)?;
    }
    Ok(())
}

impl Kind {
    fn measure_on(&self, daemon: &Daemon, rounds: u32) -> Result<Peak> {
        let before_bytes = resident_bytes(daemon.pid())?;
        let mut lanes = (0..self.connections)
            .map(|lane| {
                let load = Load::post(daemon.address, lane.into(), self.batch);
                Ok((Connection::open(daemon.address)?, load))
            })
            .collect::<Result<Vec<_>>>()?;
        let mut files = 0;
        for _ in 0..rounds {
            // It is over with the first answer, and who waits for one then is waited for.
            drive(&mut lanes, |load, _| {
                files += load.files;
                true
            })?;
        }
        let peak_bytes = resident_bytes_max(daemon.pid())?;
        let mut reader = Connection::open(daemon.address)?;
        for (connection, load) in &mut lanes {
            verify(connection, load, &mut reader, daemon)?;
        }
        let metrics = Metrics::read(&mut reader, daemon)?;
        let figure = |name| {
            let value = metrics.get::<u64>(name);
            value.ok_or_else(|| format!("the daemon's metrics have no {name}"))
        };
        let names = figure("rhinobox_names")?;
        if names != files {
            return Err(format!("{names} names, {files} files were stored").into());
        }
        let index_bytes = figure("rhinobox_index_bytes")?;
        let (id, title, connections) = (self.id, self.title, self.connections);
        Ok(Peak { id, title, connections, files, before_bytes, peak_bytes, index_bytes })
    }
}

impl Peak {
    fn print(&self) {
        let mb = |bytes: u64| bytes as f64 / 1e6;
        println!(
            "{:<32}{:>8} |{:>10.1}{:>10.1}{:>13.1}",
            self.title,
            grouped(self.files as f64),
            mb(self.before_bytes),
            mb(self.peak_bytes),
            mb(self.peak_bytes.saturating_sub(self.index_bytes))
        );
    }
}
