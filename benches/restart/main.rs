//! How long a start takes: a store of many small files is made in the process, by the code the daemon stores with, and
//! then the daemon is started on it, as an operator would, after a clean stop, after kill -9, and without its checkpoint.
//!
//! `make bench-restart ARGS="--files 10000000"`. Ready is when `/readyz` says 200, counted from the start of the process.
//! Each start is checked: the store has as many names as were made, and some files read back right.

#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use rhinobox::base::digest::Digest;

use crate::support::Result;
use crate::support::daemon::{Daemon, exchange, get};
use crate::support::generate::{alike, content, generate};
use crate::support::output::DataDir;
use crate::support::samples::Samples;

/// The command line.
#[derive(Parser, Debug)]
#[command(about = "Measures how long the rhinobox daemon takes to start on a store of many files.")]
struct Cli {
    /// Files in the store
    #[arg(long, default_value_t = 1_000_000)]
    files: u64,
    /// Bytes of each
    #[arg(long, default_value_t = 64)]
    bytes: usize,
    /// Folder for data, on the disk to be measured [default: bench in cargo's target folder]
    #[arg(long, env = "RHINOBOX_BENCH_DIR", value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The program to measure [default: the one cargo built]
    #[arg(long, value_name = "FILE", default_value = env!("CARGO_BIN_EXE_rhinobox"), hide_default_value = true)]
    daemon: PathBuf,
    /// Starts of each kind; the median is told
    #[arg(long, default_value_t = 3)]
    repeat: usize,
    /// cargo bench says so
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    support::exit("restart", run(&Cli::parse()))
}

fn run(cli: &Cli) -> Result<()> {
    let dir = DataDir::make("restart", cli.dir.as_deref())?;
    measure(cli, dir.path())
}

fn measure(cli: &Cli, dir: &Path) -> Result<()> {
    let begun = Instant::now();
    generate(dir, cli.files, alike(cli.bytes))?;
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "made {} files of {} bytes in {seconds:.1} s, {:.0} a second",
        cli.files,
        cli.bytes,
        cli.files as f64 / seconds
    );
    println!(
        "the folder takes {:.2} GB, its checkpoint {:.3} GB",
        size_of(dir)? as f64 / 1e9,
        checkpoint_bytes(dir) as f64 / 1e9
    );
    println!(
        "{:<58} {:>9} {:>9} {:>12} {:>14}",
        "start", "ready, s", "stop, s", "resident, MB", "index, B/file"
    );
    let kinds: [(&str, Before, End); 4] = [
        ("after a clean stop", Before::Nothing, End::Kill),
        ("after kill -9, nothing stored since the checkpoint", Before::Nothing, End::KillAfterUploads),
        ("after kill -9, 20,000 files stored since the checkpoint", Before::Nothing, End::Stop),
        ("without a checkpoint: the whole log is read", Before::RemoveCheckpoint, End::Stop),
    ];
    let mut rows: Vec<Vec<Start>> = kinds.iter().map(|_| Vec::new()).collect();
    let mut files = cli.files;
    for turn in 0..cli.repeat.max(1) {
        for (row, (_, before, end)) in rows.iter_mut().zip(&kinds) {
            if matches!(before, Before::RemoveCheckpoint) {
                fs::remove_file(dir.join("index/checkpoint"))?;
            }
            let start = Start::measure(cli, dir, files, *end, turn as u64)?;
            files += start.uploaded;
            row.push(start);
        }
    }
    for ((what, ..), starts) in kinds.iter().zip(&rows) {
        let median = |of: fn(&Start) -> f64| Samples::of(starts.iter().map(of)).median;
        let stops: Vec<f64> = starts.iter().filter_map(|start| start.stop_s).collect();
        let stop = if stops.is_empty() { "-".into() } else { format!("{:.2}", Samples::of(stops).median) };
        println!(
            "{what:<58} {:>9.2} {stop:>9} {:>12.0} {:>14.1}",
            median(|start| start.ready_s),
            median(|start| start.resident_mb),
            median(|start| start.index_bytes_per_file),
        );
    }
    Ok(())
}

/// What is done before a start.
#[derive(Clone, Copy)]
enum Before {
    Nothing,
    RemoveCheckpoint,
}

/// How the daemon of a start ends.
#[derive(Clone, Copy)]
enum End {
    Kill,
    KillAfterUploads,
    Stop,
}

/// A start, measured.
struct Start {
    ready_s: f64,
    /// `None` if it was killed.
    stop_s: Option<f64>,
    resident_mb: f64,
    index_bytes_per_file: f64,
    uploaded: u64,
}

impl Start {
    fn measure(cli: &Cli, dir: &Path, files: u64, end: End, turn: u64) -> Result<Start> {
        let begun = Instant::now();
        let daemon = Daemon::start(&cli.daemon, dir, &["--scrub-days", "0"])?;
        let ready_s = begun.elapsed().as_secs_f64();
        let metrics = get(daemon.address, "/metrics")?.1;
        let metric = |name: &str| -> Result<f64> {
            let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            Ok(line.ok_or_else(|| format!("/metrics has no {name}"))?.parse()?)
        };
        let names = metric("rhinobox_names")?;
        if names != files as f64 {
            return Err(format!("{names} names after the start, {files} were stored").into());
        }
        for n in (0..20).map(|n| n * (cli.files / 20) + turn) {
            let content = content(n, cli.bytes);
            let (status, body) =
                get(daemon.address, &format!("/files/{}", Digest::of(&content).hex().as_str()))?;
            if status != 200 || body.as_bytes() != content {
                return Err(format!("file {n} came back with {status} and {} bytes", body.len()).into());
            }
        }
        let mut start = Start {
            ready_s,
            stop_s: None,
            resident_mb: resident_bytes(daemon.pid())? / 1e6,
            index_bytes_per_file: metric("rhinobox_index_bytes")? / names,
            uploaded: 0,
        };
        match end {
            End::Kill => daemon.kill()?,
            End::KillAfterUploads => {
                start.uploaded = 20_000;
                for n in 0..start.uploaded / 1_000 {
                    upload(daemon.address, (turn * 1_000 + n) * 1_000 + (1 << 40), cli.bytes)?;
                }
                daemon.kill()?;
            }
            End::Stop => {
                let begun = Instant::now();
                daemon.stop()?;
                start.stop_s = Some(begun.elapsed().as_secs_f64());
            }
        }
        Ok(start)
    }
}

/// Uploads a thousand files in one request.
fn upload(address: SocketAddr, first: u64, bytes: usize) -> Result<()> {
    let mut body = Vec::new();
    for n in first..first + 1_000 {
        write!(body, "--limit\r\nContent-Disposition: form-data; name=\"f\"; filename=\"{n}.txt\"\r\n\r\n")?;
        body.extend_from_slice(&content(n, bytes));
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--limit--\r\n");
    let mut request = format!(
        "POST /ingest/media HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\
         Content-Type: multipart/form-data; boundary=limit\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.append(&mut body);
    match exchange(address, &request)? {
        (200, _) => Ok(()),
        (status, body) => Err(format!("an upload was answered {status}: {body}").into()),
    }
}

fn size_of(dir: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { size_of(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}

fn checkpoint_bytes(dir: &Path) -> u64 {
    fs::metadata(dir.join("index/checkpoint")).map_or(0, |metadata| metadata.len())
}

fn resident_bytes(pid: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes * 1024.0)
}
