//! A peer as a process: its configuration filled in, started in a folder of its own, ready once it has stored a file,
//! stopped at the end with all that it has started.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::peer::Peer;
use crate::Result;
use crate::answer::Keep;
use crate::client::Connection;
use crate::proc::tree;

const READY_WITHIN: Duration = Duration::from_secs(60);
const ASK_EVERY: Duration = Duration::from_millis(50);
/// Ports a configuration may ask for: `@PORT@`, then `@PORT1@` and so on.
const PORTS: usize = 6;

/// What an orderly stop gets before it is cut short.
const STOPPED_WITHIN: Duration = Duration::from_millis(500);

/// A running peer; stopped when dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
    dir: PathBuf,
}

impl Process {
    /// Starts a peer on a new folder and waits until it stores.
    ///
    /// # Errors
    /// If it cannot be started, or does not store in time.
    pub(crate) fn start(peer: &Peer, program: &Path, dir: &Path) -> Result<Self> {
        fs::create_dir(dir)?;
        fs::create_dir(dir.join("files"))?;
        let dir = dir.canonicalize()?;
        let ports = free_ports()?;
        for (name, template) in peer.configuration {
            fs::write(dir.join(name), fill_in(template, &dir, &ports)?)?;
        }
        let log = File::create(dir.join("log"))?;
        let child = Command::new(program)
            .args(peer.arguments)
            .current_dir(&dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", program.display()))?;
        let mut process = Self { child, address: SocketAddr::from(([127, 0, 0, 1], ports[0])), dir };
        process.await_ready().map_err(|error| format!("{error}; it said:\n{}", process.last_lines()))?;
        Ok(process)
    }

    fn await_ready(&mut self) -> Result<()> {
        let request =
            format!("PUT /ready/0.jpg HTTP/1.1\r\nHost: {}\r\nContent-Length: 5\r\n\r\nready", self.address);
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("it ended with {status}").into());
            }
            // What goes wrong before it is ready is no fault.
            if let Ok(mut connection) = Connection::open(self.address)
                && connection.ask(request.as_bytes(), Keep::Bytes).is_ok_and(|answer| answer.status == 201)
            {
                return Ok(());
            }
            if begun.elapsed() > READY_WITHIN {
                return Err(format!("it stored nothing within {READY_WITHIN:?}").into());
            }
            thread::sleep(ASK_EVERY);
        }
    }

    /// Its first process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it said last, for a message.
    pub(crate) fn last_lines(&self) -> String {
        let log = fs::read(self.dir.join("log")).unwrap_or_default();
        let lines: Vec<_> = log.split(|byte| *byte == b'\n').map(String::from_utf8_lossy).collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Process {
    /// Stops it and removes its folder.
    ///
    /// # Errors
    /// If the folder cannot be removed.
    pub(crate) fn remove(self) -> Result<()> {
        let dir = self.dir.clone();
        drop(self);
        // Killed children may be at work for a moment, and make files.
        let asked = Instant::now();
        loop {
            match fs::remove_dir_all(&dir) {
                Err(error) if asked.elapsed() > STOPPED_WITHIN => return Err(error.into()),
                Err(_) => thread::sleep(ASK_EVERY),
                Ok(()) => return Ok(()),
            }
        }
    }
}

impl Drop for Process {
    /// By SIGTERM, so that a first process ends its children; but what was stored is of no use to anybody, and an orderly
    /// stop takes some peers many seconds, so soon by SIGKILL.
    fn drop(&mut self) {
        let tree = tree(self.pid()).unwrap_or_default();
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let asked = Instant::now();
        while asked.elapsed() < STOPPED_WITHIN {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
        let killed = matches!(self.child.try_wait(), Ok(None)) && self.child.kill().is_ok();
        let _ = self.child.wait();
        for pid in tree.keys().filter(|pid| killed && **pid != self.child.id()) {
            if let Some(pid) = i32::try_from(*pid).ok().and_then(Pid::from_raw) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

/// Ports that nobody listens on. Somebody may come first; then the peer does not start, and the run ends.
fn free_ports() -> Result<[u16; PORTS]> {
    // All are held at once, so that they differ.
    let mut listeners = Vec::new();
    let mut ports = [0; PORTS];
    for port in &mut ports {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        *port = listener.local_addr()?.port();
        listeners.push(listener);
    }
    Ok(ports)
}

fn fill_in(template: &str, dir: &Path, ports: &[u16; PORTS]) -> Result<String> {
    let dir = dir.to_str().ok_or("the folder's name is not UTF-8")?;
    let mut text = template.replace("@DIR@", dir).replace("@PORT@", &ports[0].to_string());
    for (at, port) in ports.iter().enumerate().skip(1) {
        text = text.replace(&format!("@PORT{at}@"), &port.to_string());
    }
    Ok(text)
}
