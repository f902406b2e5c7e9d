//! One side of a row in one round: a server, warm-up, the disk left in peace, the measured time, what the disk still had
//! to do, and a check of what was stored.

use std::cell::Cell;
use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::Serialize;

use super::matrix::{Row, Sends, Side, Who};
use super::process::Process;
use super::work::{Put, Work};
use crate::Result;
use crate::answer::Keep;
use crate::client::{Connection, drive};
use crate::daemon::Daemon;
use crate::download::{Download, Sample};
use crate::load::{Batch, Load};
use crate::proc::{Processor, idle_and_stolen};
use crate::rows::fill;

/// Warm-up, as a share of the measured time, and at least.
const WARM_UP: f64 = 0.15;
const WARM_UP_MIN: Duration = Duration::from_millis(300);
/// A round ends early rather than fill the disk.
const STORED_BYTES_MAX: u64 = 20 << 30;
/// Folders with files up to this size stay until the run ends.
const KEPT_BYTES_MAX: usize = 64 << 10;
/// Longer than any answer is awaited.
const LATENCY_NS_MAX: u64 = 120_000_000_000;
/// Connections over which a peer is filled.
const FILL_CONNECTIONS: u64 = 4;

/// How rounds are done.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    /// The rhinobox program.
    pub(crate) daemon: &'a Path,
    /// Where each server gets a folder.
    pub(crate) dir: &'a Path,
    pub(crate) time: Duration,
    /// Folders of peers so far; each has a number.
    pub(crate) folders: Cell<u32>,
}

/// What a side came to in one round.
#[derive(Clone, Copy, Serialize, Debug)]
pub(crate) struct Window {
    pub(crate) seconds: f64,
    pub(crate) files: u64,
    pub(crate) files_per_second: f64,
    /// Content, in units of a million bytes.
    pub(crate) mb_per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// The server's, all its processes, microseconds.
    pub(crate) user_us_per_file: f64,
    pub(crate) system_us_per_file: f64,
    /// What a sync took right behind it ...
    pub(crate) sync_seconds: f64,
    /// ... and files a second if that counts.
    pub(crate) files_per_second_synced: f64,
    pub(crate) client_cores: f64,
    pub(crate) idle_cores: f64,
}

impl Window {
    pub(crate) fn us_per_file(&self) -> f64 {
        self.user_us_per_file + self.system_us_per_file
    }
}

enum Server {
    Rhinobox(Daemon),
    Peer(Process),
}

/// A server that is up, with what its side needs beforehand.
pub(crate) struct Standing {
    server: Server,
    /// What downloads are taken from; nothing where there are none.
    filled: Option<Arc<[Sample]>>,
    /// What upload answers must say of durability; nothing for a peer.
    durability: &'static str,
}

impl Standing {
    /// Starts a side's server on an empty folder, and fills it for downloads.
    ///
    /// # Errors
    /// If it does not start, or does not take the files.
    pub(crate) fn start(side: &Side<'_>, row: &Row, plan: &Plan<'_>) -> Result<Self> {
        match side.who {
            Who::Rhinobox(durability) => {
                let arguments = ["--durability".into(), durability.into()];
                let daemon = Daemon::start(plan.daemon, &plan.dir.join("rhinobox"), &arguments)?;
                let filled = match side.sends {
                    Sends::Get(files) => {
                        Some(fill(daemon.address, Batch { files, bytes: row.bytes })?.into())
                    }
                    _ => None,
                };
                Ok(Self { server: Server::Rhinobox(daemon), filled, durability })
            }
            Who::Peer(installed) => {
                let number = plan.folders.get();
                plan.folders.set(number + 1);
                let dir = plan.dir.join(format!("{}-{number}", installed.peer.id));
                let process = Process::start(installed.peer, installed.program, &dir)?;
                let filled = match side.sends {
                    Sends::Get(files) => Some(fill_peer(process.address, files, row.bytes)?.into()),
                    _ => None,
                };
                Ok(Self { server: Server::Peer(process), filled, durability: "" })
            }
        }
    }

    fn address(&self) -> SocketAddr {
        match &self.server {
            Server::Rhinobox(daemon) => daemon.address,
            Server::Peer(process) => process.address,
        }
    }

    fn processor(&self) -> Result<Processor> {
        match &self.server {
            Server::Rhinobox(daemon) => Processor::of_tree(daemon.pid()),
            Server::Peer(process) => Processor::of_tree(process.pid()),
        }
    }

    /// What the server said last, for a message.
    pub(crate) fn last_lines(&self) -> String {
        match &self.server {
            Server::Rhinobox(daemon) => daemon.last_lines(),
            Server::Peer(process) => process.last_lines(),
        }
    }

    /// Stops the server. Its folder is removed, but for a peer's that may be of many files: on ext4 whoever makes files
    /// soon after others were removed has to pass over each of their inodes, and the next round would pay for this one.
    ///
    /// # Errors
    /// If rhinobox does not stop as it should, or a folder cannot be removed.
    pub(crate) fn stop(self, row: &Row) -> Result<()> {
        match self.server {
            Server::Rhinobox(daemon) => daemon.stop(),
            Server::Peer(process) if row.bytes > KEPT_BYTES_MAX => process.remove(),
            Server::Peer(process) => {
                drop(process);
                Ok(())
            }
        }
    }

    fn lanes(&self, side: &Side<'_>, row: &Row) -> Result<Vec<(Connection, Work)>> {
        let (host, bytes) = (self.address(), row.bytes);
        (0..u64::from(side.connections))
            .map(|lane| {
                let work = match (side.sends, &self.filled) {
                    (Sends::Put, _) => match self.server {
                        Server::Rhinobox(_) => Work::Rhinobox(Load::put(host, lane, bytes)),
                        Server::Peer(_) => Work::Put(Put::new(host, lane, bytes)),
                    },
                    (Sends::Batch(files) | Sends::Known(files), _) => {
                        Work::Rhinobox(Load::post(host, lane, Batch { files, bytes }))
                    }
                    (Sends::Get(_), Some(samples)) => Work::Get(Download::new(host, lane, samples.clone())),
                    (Sends::Get(_), None) => return Err("nothing was stored to be read".into()),
                };
                Ok((Connection::open(host)?, work))
            })
            .collect()
    }

    /// Warms up, measures, and reads back what was sent last.
    ///
    /// # Errors
    /// If any answer is not what it must be.
    pub(crate) fn measure(&self, side: &Side<'_>, row: &Row, plan: &Plan<'_>) -> Result<Window> {
        let mut lanes = self.lanes(side, row)?;
        if matches!(side.sends, Sends::Known(_)) {
            for lane in &mut lanes {
                drive(std::slice::from_mut(lane), |_, _| true)?;
                if let Work::Rhinobox(load) = &mut lane.1 {
                    load.repeat();
                }
            }
        }
        let (begun, warm_up) = (Instant::now(), plan.time.mul_f64(WARM_UP).max(WARM_UP_MIN));
        drive(&mut lanes, |_, _| begun.elapsed() >= warm_up)?;
        // What was written so far, by whomever, is not written during the time that is measured.
        sync(plan.dir)?;
        let window = self.window(&mut lanes, plan)?;
        self.read_back(&lanes)?;
        Ok(window)
    }

    fn window(&self, lanes: &mut [(Connection, Work)], plan: &Plan<'_>) -> Result<Window> {
        let free = rustix::fs::statvfs(plan.dir)?;
        let bytes_max = STORED_BYTES_MAX.min(free.f_bavail * free.f_frsize / 3);
        let mut histogram = Histogram::<u64>::new_with_max(LATENCY_NS_MAX, 3)?;
        let (mut files, mut bytes) = (0, 0);
        let (server, client) = (self.processor()?, Processor::of(std::process::id())?);
        let (idle, _) = idle_and_stolen()?;
        let begun = Instant::now();
        drive(lanes, |work, took| {
            histogram.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
            files += work.files();
            bytes += work.bytes();
            begun.elapsed() >= plan.time || bytes >= bytes_max
        })?;
        let seconds = begun.elapsed().as_secs_f64();
        let (server, client) =
            (self.processor()?.since(server), Processor::of(std::process::id())?.since(client));
        let idle = idle_and_stolen()?.0 - idle;
        let begun = Instant::now();
        sync(plan.dir)?;
        let sync_seconds = begun.elapsed().as_secs_f64();
        let ms = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e6;
        Ok(Window {
            seconds,
            files,
            files_per_second: files as f64 / seconds,
            mb_per_second: bytes as f64 / seconds / 1e6,
            p50_ms: ms(0.5),
            p99_ms: ms(0.99),
            user_us_per_file: server.user * 1e6 / files as f64,
            system_us_per_file: server.system * 1e6 / files as f64,
            sync_seconds,
            files_per_second_synced: files as f64 / (seconds + sync_seconds),
            client_cores: client.total() / seconds,
            idle_cores: idle / seconds,
        })
    }

    /// Reads what each connection sent last, and compares.
    fn read_back(&self, lanes: &[(Connection, Work)]) -> Result<()> {
        let mut reader = Connection::open(self.address())?;
        for (connection, work) in lanes {
            let said = connection.answer.durability;
            if matches!(work, Work::Rhinobox(load) if load.stores()) && said != self.durability {
                return Err(format!("answers say durability {said:?} for {:?}", self.durability).into());
            }
            for Sample { path, stored } in work.samples() {
                let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address());
                let answer = reader.ask(request.as_bytes(), Keep::Digest)?;
                if answer.status != 200 || !stored.is_whole(answer) {
                    return Err(format!("{path} reads back otherwise: status {}", answer.status).into());
                }
            }
        }
        Ok(())
    }
}

/// Writes out what the file system of a folder still has in memory.
///
/// # Errors
/// If the disk does not take it.
pub(crate) fn sync(dir: &Path) -> Result<()> {
    Ok(rustix::fs::syncfs(File::open(dir)?)?)
}

/// Stores files in a peer.
fn fill_peer(host: SocketAddr, files: usize, bytes: usize) -> Result<Vec<Sample>> {
    let mut lanes = (0..FILL_CONNECTIONS)
        .map(|lane| Ok((Connection::open(host)?, Work::Put(Put::new(host, lane, bytes)))))
        .collect::<Result<Vec<_>>>()?;
    let mut samples = Vec::with_capacity(files);
    drive(&mut lanes, |work, _| {
        samples.extend(work.samples());
        samples.len() >= files
    })?;
    samples.truncate(files);
    Ok(samples)
}
