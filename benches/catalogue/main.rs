//! The catalogue on a store of many files, through the real daemon: how fast it is made from the log, what a page of a list
//! takes, and how far it is behind while files arrive at a fixed rate.
//!
//! `make bench-catalogue ARGS="--files 1000000"`. A page is timed from its request to the end of its answer, on a connection
//! of its own; an upload from when it was due, without a catalogue and with one; the lag is what `/metrics` says.

#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use serde::Serialize;

use crate::support::Result;
use crate::support::daemon::{Daemon, exchange, get};
use crate::support::generate::generate;
use crate::support::head::Head;
use crate::support::output::{DataDir, Flags, write_json};
use crate::support::table::Table;
use crate::support::text::grouped;

/// The command line.
#[derive(Parser, Debug)]
#[command(about = "Measures the catalogue of the rhinobox daemon.")]
struct Cli {
    /// Files in the store [default: 100000, with --full 1000000]
    #[arg(long)]
    files: Option<u64>,
    /// Files a second that arrive then
    #[arg(long, default_value_t = 10_000)]
    rate: u64,
    /// For so many seconds
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Pages of each kind
    #[arg(long, default_value_t = 200)]
    pages: usize,
    /// The program to measure [default: the one cargo built]
    #[arg(long, value_name = "FILE", default_value = env!("CARGO_BIN_EXE_rhinobox"), hide_default_value = true)]
    daemon: PathBuf,
    #[command(flatten)]
    flags: Flags,
}

/// Times that files arrive, without a catalogue and with it in turn.
const ROUNDS: u64 = 3;
/// Files of one request of those that arrive.
const BATCH: u64 = 100;
/// Words that names of the store have, each in half as many files as the one before.
const WORDS: [&str; 16] = [
    "amber", "birch", "cedar", "dune", "ember", "fjord", "grove", "heath", "inlet", "jetty", "karst",
    "larch", "moor", "north", "opal", "pine",
];
/// Lists of which pages are asked for.
const LISTS: [(&str, &str); 36] = [
    ("newest", ""),
    ("of one type", "type=documents"),
    ("of a folder", "category=documents/txt"),
    ("with a word that all have", "q=txt+"),
    ("with a word that the new ones have", "q=arrived+"),
    ("with two words, of one type", "q=arrived+txt+&type=documents"),
    ("with a word that none has", "q=nowhere+"),
    ("largest", "sort=largest"),
    ("by name", "sort=name"),
    ("of the last day", "since=2020-01-01"),
    ("of sizes that none has", "min_size=100000"),
    ("a beginning of one letter that all have", "q=t"),
    ("... that one in two has", "q=am"),
    ("... that one in 16 has", "q=e"),
    ("... that one in 128 has", "q=h"),
    ("... of a digit", "q=2"),
    ("a beginning of numbers that half have", "q=dsc0"),
    ("... that one in 1,000 has", "q=dsc0123"),
    ("two words, one in 16 and a beginning", "q=ember+ds"),
    ("... and none", "q=nowhere+d"),
    ("a word that all have, largest", "q=txt+&sort=largest"),
    ("... that one in 2 has", "q=amber+&sort=largest"),
    ("... that one in 32 has", "q=fjord+&sort=largest"),
    ("... that one in 64 has", "q=grove+&sort=largest"),
    ("... that one in 128 has", "q=heath+&sort=largest"),
    ("... that one in 256 has", "q=inlet+&sort=largest"),
    ("... that one in 1,024 has", "q=karst+&sort=largest"),
    ("a word that all have, by name", "q=txt+&sort=name"),
    ("... that one in 32 has", "q=fjord+&sort=name"),
    ("... that one in 128 has", "q=heath+&sort=name"),
    ("a beginning of one letter, largest", "q=d&sort=largest"),
    ("... that one in 64 has", "q=g&sort=largest"),
    ("... that one in 128 has", "q=h&sort=largest"),
    ("a beginning of one letter, by name", "q=d&sort=name"),
    ("... that one in 128 has", "q=h&sort=name"),
    ("of one type, smallest", "type=documents&sort=smallest"),
];

/// Half of all are called as cameras call them, the others by a word; all are of different sizes, and no order follows from
/// another.
fn described(n: u64) -> (String, usize) {
    let mixed = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = mixed ^ mixed >> 29;
    let word = WORDS[usize::try_from(mixed.trailing_zeros()).unwrap_or(WORDS.len()).min(WORDS.len() - 1)];
    let name = if mixed >> 40 & 1 == 0 {
        format!("{word} dsc{:07}.txt", n)
    } else {
        format!("{word} {}.txt", mixed >> 44)
    };
    (name, 64 + usize::try_from(mixed >> 50 & 63).unwrap_or_default())
}

/// Of many times.
#[derive(Clone, Copy, Serialize, Debug)]
struct Quantiles {
    p50: f64,
    p99: f64,
    most: f64,
}

impl Quantiles {
    /// Not of none.
    fn of(mut values: Vec<f64>) -> Quantiles {
        values.sort_by(f64::total_cmp);
        let at = |percent: usize| values[(values.len() - 1) * percent / 100];
        Quantiles { p50: at(50), p99: at(99), most: at(100) }
    }

    fn cells(&self) -> [String; 3] {
        [self.p50, self.p99, self.most].map(|value| format!("{value:.2}"))
    }
}

/// Files that arrived at a rate.
#[derive(Serialize)]
struct Arrival {
    catalogue: &'static str,
    files_per_second: f64,
    /// Of a request, from when it was due.
    upload_ms: Quantiles,
    /// How far the catalogue was behind, and how long it took then to catch up.
    lag_s: Option<(Quantiles, f64)>,
}

#[derive(Serialize)]
struct List {
    what: &'static str,
    query: &'static str,
    page_ms: Quantiles,
}

#[derive(Serialize)]
struct Report {
    head: Head,
    files: u64,
    made_per_second: f64,
    bytes_per_file: f64,
    arrivals: Vec<Arrival>,
    lists: Vec<List>,
}

fn main() -> ExitCode {
    support::exit("catalogue", run(&Cli::parse()))
}

fn run(cli: &Cli) -> Result<()> {
    let dir = DataDir::make("catalogue", cli.flags.dir.as_deref())?;
    let head = Head::look(&dir)?;
    let files = cli.files.unwrap_or(if cli.flags.full { 1_000_000 } else { 100_000 });
    head.print(&format!("its catalogue, on a store of {} files", grouped(files as f64)));
    let store = dir.fresh("store")?;
    generate(&store, files, Arc::new(described))?;

    let begun = Instant::now();
    let made = Daemon::start(&cli.daemon, &store, &[])?;
    while get(made.address, "/files?limit=1")?.0 != 200 {
        thread::sleep(Duration::from_millis(20));
    }
    let made_per_second = files as f64 / begun.elapsed().as_secs_f64();
    let bytes_per_file = size_of_catalogue(&store)? / files as f64;
    made.stop()?;
    // Else the kernel would write what is left of all that half a minute later, while files arrive.
    rustix::fs::syncfs(fs::File::open(&store)?)?;
    let rate = grouped(made_per_second);
    println!("made from the log: {rate} names a second, {bytes_per_file:.0} bytes for each\n");

    let mut arrivals = Vec::new();
    for round in 0..ROUNDS {
        for catalogue in ["off", "on"] {
            let daemon = Daemon::start(&cli.daemon, &store, &["--catalogue", catalogue])?;
            catch_up(daemon.address)?;
            arrivals.push(arrive(cli, daemon.address, catalogue, round)?);
            daemon.stop()?;
        }
    }
    print_arrivals(&arrivals);

    let daemon = Daemon::start(&cli.daemon, &store, &[])?;
    catch_up(daemon.address)?;
    let lists = LISTS.iter().map(|(what, query)| pages(cli, daemon.address, what, query));
    let lists = lists.collect::<Result<Vec<_>>>()?;
    let mut table = Table::new(1, ["a page of 100", "p50, ms", "p99, ms", "most, ms"]);
    for list in &lists {
        let [p50, p99, most] = list.page_ms.cells();
        table.row([list.what.to_owned(), p50, p99, most]);
    }
    table.print();
    daemon.stop()?;
    write_json("catalogue", &Report { head, files, made_per_second, bytes_per_file, arrivals, lists })
}

/// Bytes of its file and of its journal.
fn size_of_catalogue(store: &Path) -> Result<f64> {
    let journal = fs::metadata(store.join("catalogue.sqlite-wal")).map_or(0, |file| file.len());
    Ok((fs::metadata(store.join("catalogue.sqlite"))?.len() + journal) as f64)
}

fn print_arrivals(arrivals: &[Arrival]) {
    let mut table = Table::new(
        1,
        [
            "catalogue",
            "files/s",
            "a request: p50, ms",
            "p99, ms",
            "most, ms",
            "behind: p50, s",
            "p99, s",
            "most, s",
            "caught up, s",
        ],
    );
    for arrival in arrivals {
        let [p50, p99, most] = arrival.upload_ms.cells();
        let lag = arrival.lag_s.map(|(lag, caught_up_s)| (lag.cells(), format!("{caught_up_s:.2}")));
        let ([behind, behind_99, behind_most], caught_up) = lag.unwrap_or_default();
        let rate = grouped(arrival.files_per_second);
        table.row([
            arrival.catalogue.to_owned(),
            rate,
            p50,
            p99,
            most,
            behind,
            behind_99,
            behind_most,
            caught_up,
        ]);
    }
    table.print();
}

/// Pages of a list, one after the other as their cursors lead, and from the start again behind the last.
fn pages(cli: &Cli, address: SocketAddr, what: &'static str, query: &'static str) -> Result<List> {
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
    Ok(List { what, query, page_ms: Quantiles::of(times) })
}

/// Files arrive at the rate, in forms of [`BATCH`]; how far the catalogue is behind is looked at meanwhile.
fn arrive(cli: &Cli, address: SocketAddr, catalogue: &'static str, round: u64) -> Result<Arrival> {
    let (rate, seconds) = (cli.rate, cli.seconds);
    let sender = thread::spawn(move || -> std::result::Result<(f64, Vec<f64>), String> {
        let (begun, mut times) = (Instant::now(), Vec::new());
        for batch in 0..rate * seconds / BATCH {
            let due = Duration::from_secs_f64((batch * BATCH) as f64 / rate as f64);
            thread::sleep(due.saturating_sub(begun.elapsed()));
            let request = form(address, (catalogue, round), batch);
            let (status, body) = exchange(address, &request).map_err(|error| error.to_string())?;
            if status != 200 {
                return Err(format!("{status} {body}"));
            }
            times.push((begun.elapsed().saturating_sub(due)).as_secs_f64() * 1e3);
        }
        Ok((begun.elapsed().as_secs_f64(), times))
    });
    let mut lags = Vec::new();
    while !sender.is_finished() {
        lags.extend(metric(address, "rhinobox_catalogue_lag_seconds")?);
        thread::sleep(Duration::from_millis(50));
    }
    let (took, times) = sender.join().map_err(|_| "the sender panicked")??;
    let caught_up_s = catch_up(address)?;
    let lag_s = (!lags.is_empty()).then(|| (Quantiles::of(lags), caught_up_s));
    let files_per_second = (rate * seconds) as f64 / took;
    Ok(Arrival { catalogue, files_per_second, upload_ms: Quantiles::of(times), lag_s })
}

/// Waits until the catalogue, if there is one, has all that is stored; for how many seconds.
fn catch_up(address: SocketAddr) -> Result<f64> {
    let begun = Instant::now();
    while metric(address, "rhinobox_catalogue_lag_records")?.is_some_and(|behind| behind > 0.0) {
        thread::sleep(Duration::from_millis(10));
    }
    Ok(begun.elapsed().as_secs_f64())
}

/// A gauge; `None` without a catalogue.
fn metric(address: SocketAddr, name: &str) -> Result<Option<f64>> {
    let (_, page) = get(address, "/metrics")?;
    let values = page.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    Ok(values.map(str::parse).next().transpose()?)
}

/// Small texts, whose names have a word of their own.
fn form(address: SocketAddr, (catalogue, round): (&str, u64), batch: u64) -> Vec<u8> {
    let mut body = Vec::new();
    for number in batch * BATCH..(batch + 1) * BATCH {
        body.extend_from_slice(
            format!(
                "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"arrived {number}.txt\"\r\n\r\narrived {catalogue} {round} {number}\r\n"
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
