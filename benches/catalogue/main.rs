//! The catalogue on a store of many files, through the real daemon: how fast it is made from the log, what a page of a list
//! takes, and how far it is behind while files arrive at a fixed rate.
//!
//! `make bench-catalogue ARGS="--files 1000000"`. A page is timed from its request to the end of its answer on one
//! connection for each; the lag is what `/metrics` says. The order is fixed, nothing is repeated and dropped.

#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;

use crate::support::Result;
use crate::support::daemon::{Daemon, exchange, get};
use crate::support::generate::generate;

/// The command line.
#[derive(Parser, Debug)]
#[command(about = "Measures the catalogue of the rhinobox daemon.")]
struct Cli {
    /// Files in the store
    #[arg(long, default_value_t = 100_000)]
    files: u64,
    /// Files a second that arrive then
    #[arg(long, default_value_t = 10_000)]
    rate: u64,
    /// For so many seconds
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Pages of each kind
    #[arg(long, default_value_t = 200)]
    pages: usize,
    /// One million files
    #[arg(long)]
    full: bool,
    /// Folder for data, on the disk to be measured [default: bench in cargo's target folder]
    #[arg(long, env = "RHINOBOX_BENCH_DIR", value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The program to measure [default: the one cargo built]
    #[arg(long, value_name = "FILE", default_value = env!("CARGO_BIN_EXE_rhinobox"), hide_default_value = true)]
    daemon: PathBuf,
    /// cargo bench says so
    #[arg(long, hide = true)]
    bench: bool,
}

/// Files of one request of those that arrive.
const BATCH: u64 = 500;

fn main() -> ExitCode {
    support::exit("catalogue", run(&Cli::parse()))
}

fn run(cli: &Cli) -> Result<()> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap_or(Path::new("."));
    let dir = cli.dir.clone().unwrap_or_else(|| target.join("bench")).join("catalogue");
    if dir.exists() {
        fs::remove_dir_all(&dir)?;
    }
    fs::create_dir_all(&dir)?;
    let outcome = measure(cli, &dir);
    fs::remove_dir_all(&dir)?;
    outcome
}

fn measure(cli: &Cli, dir: &Path) -> Result<()> {
    let files = if cli.full { 1_000_000 } else { cli.files };
    generate(dir, files, 64)?;
    let begun = Instant::now();
    let daemon = Daemon::start(&cli.daemon, dir, &[])?;
    while get(daemon.address, "/files?limit=1")?.0 != 200 {
        thread::sleep(Duration::from_millis(20));
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!("made from the log of {files} files in {seconds:.1} s, {:.0} a second", files as f64 / seconds);
    let bytes = fs::metadata(dir.join("catalogue.sqlite"))?.len();
    println!("its file has {:.0} bytes for each", bytes as f64 / files as f64);
    arrive(cli, daemon.address)?;
    println!("{:<56} {:>9} {:>9} {:>9}", "a page of 100", "p50, ms", "p99, ms", "most, ms");
    for (what, query) in [
        ("newest", ""),
        ("of one type", "type=documents"),
        ("of a folder", "category=documents/txt"),
        ("with a word that all have", "q=txt"),
        ("with a word that the new ones have", "q=arrived"),
        ("with two words, of one type", "q=arrived+txt&type=documents"),
        ("with a word that none has", "q=nowhere"),
        ("largest", "sort=largest"),
        ("by name", "sort=name"),
        ("of the last day", "since=2020-01-01"),
        ("of sizes that none has", "min_size=100000"),
    ] {
        pages(cli, daemon.address, what, query)?;
    }
    daemon.stop()
}

/// Pages of a list, one after the other as their cursors lead, and from the start again behind the last.
fn pages(cli: &Cli, address: SocketAddr, what: &str, query: &str) -> Result<()> {
    let mut times = Vec::with_capacity(cli.pages);
    let mut cursor = String::new();
    for _ in 0..cli.pages {
        let begun = Instant::now();
        let (status, body) = get(address, &format!("/files?limit=100&{query}&cursor={cursor}"))?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
        if status != 200 {
            return Err(format!("{query}: {status} {body}").into());
        }
        let next = body.rsplit_once("\"next_cursor\":").map_or("null", |(_, next)| next);
        cursor = next.trim_matches(['"', '}', ' ']).to_owned();
        if cursor == "null" {
            cursor.clear();
        }
    }
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    println!("{what:<56} {:>9.2} {:>9.2} {:>9.2}", at(50), at(99), at(100));
    Ok(())
}

/// Files arrive at the rate, in forms of [`BATCH`]; the lag is looked at meanwhile.
fn arrive(cli: &Cli, address: SocketAddr) -> Result<()> {
    let sender = {
        let (rate, seconds) = (cli.rate, cli.seconds);
        thread::spawn(move || -> std::result::Result<f64, String> {
            let begun = Instant::now();
            for batch in 0..rate * seconds / BATCH {
                let due = Duration::from_secs_f64((batch * BATCH) as f64 / rate as f64);
                thread::sleep(due.saturating_sub(begun.elapsed()));
                let (status, body) =
                    exchange(address, &form(address, batch)).map_err(|error| error.to_string())?;
                if status != 200 {
                    return Err(format!("{status} {body}"));
                }
            }
            Ok(begun.elapsed().as_secs_f64())
        })
    };
    let mut lags = Vec::new();
    while !sender.is_finished() {
        lags.push(lag(address)?);
        thread::sleep(Duration::from_millis(50));
    }
    let took = sender.join().map_err(|_| "the sender panicked")??;
    let begun = Instant::now();
    while lag(address)? > 0.2 {
        thread::sleep(Duration::from_millis(10));
    }
    let caught_up = begun.elapsed().as_secs_f64();
    lags.sort_by(f64::total_cmp);
    let at = |percent: usize| lags[(lags.len() - 1) * percent / 100];
    println!(
        "{:.0} files/s arrive for {took:.1} s: behind by {:.2} s (p50), {:.2} s (p99), {:.2} s (most); {caught_up:.2} s to catch up",
        (cli.rate * cli.seconds) as f64 / took,
        at(50),
        at(99),
        at(100)
    );
    Ok(())
}

fn lag(address: SocketAddr) -> Result<f64> {
    let (_, page) = get(address, "/metrics")?;
    let line = page.lines().find_map(|line| line.strip_prefix("rhinobox_catalogue_lag_seconds "));
    Ok(line.ok_or("no lag in /metrics")?.parse()?)
}

fn form(address: SocketAddr, batch: u64) -> Vec<u8> {
    let mut body = Vec::new();
    for number in batch * BATCH..(batch + 1) * BATCH {
        body.extend_from_slice(
            format!(
                "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"arrived {number}.txt\"\r\n\r\narrived {number}\r\n"
            )
            .as_bytes(),
        );
    }
    body.extend_from_slice(b"--b--\r\n");
    let mut request = format!(
        "POST /ingest/media HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(&body);
    request
}
