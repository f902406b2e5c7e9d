//! Starts and stops of the daemon, on a folder without and with a store.

use std::fs;
use std::path::Path;
use std::time::Instant;

use crate::support::daemon::Daemon;
use crate::support::samples::Samples;
use crate::{Result, Row};

/// From the start of the process until `/readyz` says 200, and from SIGTERM to the end of the process.
///
/// # Errors
/// If a daemon does not come up, or does not end with success.
pub(crate) fn measure(program: &Path, dir: &Path, repetitions: usize) -> Result<Vec<Row>> {
    let (mut makes, mut starts, mut stops) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..repetitions {
        fs::remove_dir_all(dir)?;
        fs::create_dir(dir)?;
        for starts in [&mut makes, &mut starts] {
            let begun = Instant::now();
            let daemon = Daemon::start(program, dir, &[])?;
            starts.push(begun.elapsed().as_secs_f64() * 1e3);
            let begun = Instant::now();
            daemon.stop()?;
            stops.push(begun.elapsed().as_secs_f64() * 1e3);
        }
    }
    Ok(vec![
        Row { what: "daemon: process to ready, an empty folder", ms: Samples::of(makes) },
        Row { what: "daemon: process to ready, a store without files", ms: Samples::of(starts) },
        Row { what: "daemon: SIGTERM to exit", ms: Samples::of(stops) },
    ])
}
