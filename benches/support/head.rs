//! What every bench says first: on what it ran, and what that can do at best.

use std::time::Duration;

use serde::Serialize;

use super::baseline::{self, DiskWrite};
use super::machine::Machine;
use super::text::grouped;
use super::{Result, output};

/// Time for each of the machine's own figures.
const TIME: Duration = Duration::from_millis(300);

/// Machine, disk and their own figures, to be printed and to stand in the JSON.
#[derive(Clone, Serialize, Debug)]
pub(crate) struct Head {
    pub(crate) version: &'static str,
    pub(crate) machine: Machine,
    /// The disk's own durable write of 4 KiB.
    pub(crate) block_write: DiskWrite,
    pub(crate) sha256_mb_per_second: f64,
}

impl Head {
    /// Looks at the machine and measures what it can do, which takes about a second.
    ///
    /// # Errors
    /// If the disk refuses.
    pub(crate) fn look(dir: &output::DataDir) -> Result<Head> {
        let dir = dir.path();
        Ok(Head {
            version: env!("CARGO_PKG_VERSION"),
            machine: Machine::look(dir)?,
            block_write: baseline::block_write(dir, TIME)?,
            sha256_mb_per_second: baseline::sha256_rate(TIME) / 1e6,
        })
    }

    /// Prints it behind a line that says what is measured.
    pub(crate) fn print(&self, what: &str) {
        println!("rhinobox {}, {what}", self.version);
        self.machine.print();
        let DiskWrite { dsync_p50_us, dsync_p99_us, fdatasync_p50_us, fdatasync_p99_us, .. } =
            self.block_write;
        println!(
            "  durable 4 KiB O_DSYNC p50 {dsync_p50_us:.0} us, p99 {dsync_p99_us:.0} us; write + fdatasync p50 \
             {fdatasync_p50_us:.0} us, p99 {fdatasync_p99_us:.0} us"
        );
        println!("  SHA-256      {} MB/s on one core", grouped(self.sha256_mb_per_second));
        println!();
    }
}
