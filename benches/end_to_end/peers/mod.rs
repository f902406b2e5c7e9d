//! rhinobox beside what users would pick instead: nginx's WebDAV, dufs, SeaweedFS.
//!
//! One client sends the same files to each of them in turn, round after round, and what was measured in one round is
//! compared. Which rows there are, and who takes part, is in [`matrix`]; one measurement is in [`round`]; the figures go
//! to the terminal, to a file of JSON and, for a whole run, to a document ([`document`]).

mod document;
mod inodes;
mod matrix;
mod peer;
mod process;
mod round;
mod summary;
mod work;

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use clap::Args;

use self::inodes::Inodes;
use self::matrix::{ROWS, Row, Sends, Side};
use self::peer::{Installed, PEERS, Version};
use self::round::{Plan, Standing, Window, sync};
use self::summary::{Compared, Outcome, aims};
use crate::support::machine::Machine;
use crate::support::output;
use crate::{Result, known};

/// The flags of this measurement.
#[derive(Args, Debug)]
#[group(skip)]
pub(crate) struct Flags {
    /// Measures rhinobox beside nginx, dufs and SeaweedFS instead of the rows; scripts/setup-peers.sh installs them
    #[arg(long)]
    peers: bool,
    /// Times each side of a row is measured; medians are printed
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    peers_rounds: u32,
    /// Measured time of each side in each round
    #[arg(long, value_name = "SECONDS", default_value_t = 3.0)]
    peers_seconds: f64,
    /// Rows to measure, by id [default: all]
    #[arg(long, value_delimiter = ',', value_name = "IDS")]
    peers_rows: Vec<String>,
    /// Peers to measure: nginx, dufs, seaweedfs [default: all that are installed]
    #[arg(long, value_delimiter = ',', value_name = "IDS")]
    peers_only: Vec<String>,
    /// Folder of scripts/setup-peers.sh [default: peers-tools in cargo's target folder]
    #[arg(long, value_name = "DIR")]
    peers_tools: Option<PathBuf>,
    /// A document to be written anew by a run of all rows and all peers
    #[arg(long, value_name = "FILE")]
    peers_document: Option<PathBuf>,
}

impl Flags {
    /// Whether this is to be measured.
    pub(crate) fn is_asked_for(&self) -> bool {
        self.peers
    }

    fn rows(&self) -> Result<Vec<&'static Row>> {
        known("row", &self.peers_rows, ROWS.iter().map(|row| row.id))?;
        let wanted = |row: &&Row| self.peers_rows.is_empty() || self.peers_rows.iter().any(|id| id == row.id);
        static ALL: [Row; ROWS.len()] = ROWS;
        Ok(ALL.iter().filter(wanted).collect())
    }

    /// Peers that are asked for and installed, with their programs; and those that are not installed.
    fn programs(&self, tools: &Path) -> Result<Vec<(&'static peer::Peer, PathBuf)>> {
        known("peer", &self.peers_only, PEERS.iter().map(|peer| peer.id))?;
        let mut programs = Vec::new();
        for peer in &PEERS {
            let named = self.peers_only.iter().any(|id| id == peer.id);
            if !named && !self.peers_only.is_empty() {
                continue;
            }
            match peer.find(tools) {
                Some(program) => programs.push((peer, program)),
                None if named => {
                    return Err(format!("{} is not in {}/bin", peer.name, tools.display()).into());
                }
                None => println!("  {:<12} not installed, not measured", peer.name),
            }
        }
        Ok(programs)
    }
}

/// Measures all rows in turn, prints them, and writes the file of JSON and the document.
///
/// # Errors
/// If there is no peer, a server fails, or an answer is not what it must be.
pub(crate) fn measure(flags: &Flags, daemon: &Path, data: &Path, machine: Machine) -> Result<()> {
    let tools = flags
        .peers_tools
        .clone()
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("peers-tools"));
    let rows = flags.rows()?;
    println!(
        "rhinobox beside others: {} rounds, in turn, {} s each; folder {}",
        flags.peers_rounds, flags.peers_seconds, machine.folder
    );
    let programs = flags.programs(&tools)?;
    if programs.is_empty() {
        return Err("no peer is installed; scripts/setup-peers.sh does it".into());
    }
    let peers: Vec<_> = programs.iter().map(|(peer, program)| Installed { peer, program }).collect();
    let mut versions = vec![Version { name: "rhinobox".into(), version: env!("CARGO_PKG_VERSION").into() }];
    for installed in &peers {
        versions.push(installed.peer.version(installed.program)?);
    }
    document::print_head(&machine, &versions);

    let inodes = Inodes::of(data);
    inodes.wait(flags.peers_rounds < document::ROUNDS_MIN)?;
    let dir = data.canonicalize()?;
    let time = Duration::try_from_secs_f64(flags.peers_seconds)?;
    let plan = Plan { daemon, dir: &dir, time, folders: Cell::new(0) };
    let compared = compare_all(&rows, &peers, &plan, flags.peers_rounds);
    inodes.release(&dir)?;
    let rows = compared?;

    let whole = rows.len() == ROWS.len() && peers.len() == PEERS.len();
    let outcome = Outcome {
        date: today()?,
        machine,
        versions,
        rounds: flags.peers_rounds,
        seconds: flags.peers_seconds,
        aims: aims(&rows),
        rows,
    };
    document::print_rest(&outcome);
    output::write_json("peers", &outcome)?;
    match &flags.peers_document {
        Some(document) if whole => {
            fs::write(document, document::markdown(&outcome))?;
            println!("The same as a document: {}", document.display());
        }
        Some(document) => println!("{} is left as it is: this was a part.", document.display()),
        None => {}
    }
    Ok(())
}

fn compare_all(
    rows: &[&'static Row],
    peers: &[Installed<'_>],
    plan: &Plan<'_>,
    rounds: u32,
) -> Result<Vec<Compared>> {
    let mut compared = Vec::new();
    for row in rows {
        let sides = row.sides(peers);
        let windows = if sides.iter().any(|side| matches!(side.sends, Sends::Get(_))) {
            reading(row, &sides, plan, rounds)?
        } else {
            storing(row, &sides, plan, rounds)?
        };
        let row = Compared::of(row, sides, windows);
        document::print_row(&row);
        compared.push(row);
    }
    Ok(compared)
}

/// The sides of a round in their order: each round begins with the next one.
fn in_turn(sides: usize, round: u32) -> impl Iterator<Item = usize> {
    let first = round as usize % sides;
    (first..sides).chain(0..first)
}

/// A server on a new folder each time.
fn storing(row: &Row, sides: &[Side<'_>], plan: &Plan<'_>, rounds: u32) -> Result<Vec<Vec<Window>>> {
    let mut windows = vec![Vec::new(); sides.len()];
    for round in 0..rounds {
        for at in in_turn(sides.len(), round) {
            let side = &sides[at];
            let standing = Standing::start(side, row, plan).map_err(|error| of_whom(side, row, &*error))?;
            windows[at].push(measure_on(&standing, side, row, plan)?);
            standing.stop(row)?;
            // What removing leaves to the file system is not to be the next one's burden.
            sync(plan.dir)?;
        }
    }
    Ok(windows)
}

/// One server for all rounds, as reading changes nothing; all are up at once, and idle but one.
fn reading(row: &Row, sides: &[Side<'_>], plan: &Plan<'_>, rounds: u32) -> Result<Vec<Vec<Window>>> {
    let mut standing = Vec::new();
    for side in sides {
        standing.push(Standing::start(side, row, plan).map_err(|error| of_whom(side, row, &*error))?);
    }
    let mut windows = vec![Vec::new(); sides.len()];
    for round in 0..rounds {
        for at in in_turn(sides.len(), round) {
            windows[at].push(measure_on(&standing[at], &sides[at], row, plan)?);
        }
    }
    for standing in standing {
        standing.stop(row)?;
    }
    sync(plan.dir)?;
    Ok(windows)
}

fn measure_on(standing: &Standing, side: &Side<'_>, row: &Row, plan: &Plan<'_>) -> Result<Window> {
    standing.measure(side, row, plan).map_err(|error| {
        format!("{}\nit said:\n{}", of_whom(side, row, &*error), standing.last_lines()).into()
    })
}

fn of_whom(side: &Side<'_>, row: &Row, error: &(dyn std::error::Error + Send + Sync)) -> String {
    format!("{}, {}: {error}", row.id, side.name)
}

fn today() -> Result<String> {
    let output = Command::new("date").args(["-u", "+%-d %B %Y"]).env("LC_ALL", "C").output()?;
    Ok(String::from_utf8(output.stdout)?.trim().into())
}
