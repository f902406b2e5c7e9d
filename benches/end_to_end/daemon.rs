//! The daemon as a process: started on a fresh data folder, heard, stopped by SIGTERM, its folder removed.

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Result;
use crate::support::daemon::serve;

const READY_WITHIN: Duration = Duration::from_secs(60);
const STOPPED_WITHIN: Duration = Duration::from_secs(60);
/// What it said last is shown when it fails.
const LINES_KEPT: usize = 200;

/// A running daemon; killed if dropped.
pub(crate) struct Daemon {
    child: Child,
    pub(crate) address: SocketAddr,
    data_dir: PathBuf,
    lines: Arc<Mutex<VecDeque<String>>>,
    /// What it said until it was ready.
    pub(crate) start_lines: Vec<String>,
}

impl Daemon {
    /// Starts the program on an empty folder and waits until it listens.
    ///
    /// # Errors
    /// If it cannot be started, or says nothing of listening in time.
    pub(crate) fn start(program: &Path, data_dir: &Path, arguments: &[String]) -> Result<Self> {
        if data_dir.exists() {
            fs::remove_dir_all(data_dir)?;
        }
        Self::start_on(program, data_dir, arguments)
    }

    /// Starts it on the store that is there.
    ///
    /// # Errors
    /// As [`Daemon::start`].
    pub(crate) fn start_on(program: &Path, data_dir: &Path, arguments: &[String]) -> Result<Self> {
        let mut command = serve(program, data_dir);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child =
            command.spawn().map_err(|error| format!("cannot start {}: {error}", program.display()))?;
        let lines = Arc::new(Mutex::new(VecDeque::new()));
        let (ready, listening) = mpsc::channel();
        if let Some(pipe) = child.stdout.take() {
            follow(pipe, lines.clone(), Some(ready));
        }
        if let Some(pipe) = child.stderr.take() {
            follow(pipe, lines.clone(), None);
        }
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut daemon =
            Self { child, address, data_dir: data_dir.to_path_buf(), lines, start_lines: Vec::new() };
        daemon.address = listening
            .recv_timeout(READY_WITHIN)
            .map_err(|_| format!("the daemon did not come up; it said:\n{}", daemon.last_lines()))?;
        // Standard error has its own thread; what was written before is read by then.
        thread::sleep(Duration::from_millis(20));
        daemon.start_lines = daemon.said();
        Ok(daemon)
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it said last, for a message.
    pub(crate) fn last_lines(&self) -> String {
        let lines = self.said();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    fn said(&self) -> Vec<String> {
        self.lines.lock().map(|lines| lines.iter().cloned().collect()).unwrap_or_default()
    }

    /// Stops it by SIGTERM and removes its folder.
    ///
    /// # Errors
    /// If it does not stop in time, or not with success.
    pub(crate) fn stop(mut self) -> Result<()> {
        self.end()
    }

    /// Its folder; it is there until this is dropped.
    pub(crate) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Stops it by SIGTERM. Its folder stays.
    ///
    /// # Errors
    /// If it does not stop in time, or not with success.
    pub(crate) fn end(&mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let asked = Instant::now();
        let status = loop {
            match self.child.try_wait()? {
                Some(status) => break status,
                None if asked.elapsed() > STOPPED_WITHIN => {
                    return Err(format!("the daemon did not stop within {STOPPED_WITHIN:?}").into());
                }
                None => thread::sleep(Duration::from_millis(10)),
            }
        };
        if !status.success() {
            return Err(format!("the daemon ended with {status}; it said:\n{}", self.last_lines()).into());
        }
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        let _ = fs::remove_dir_all(&self.data_dir);
    }
}

fn follow(
    pipe: impl Read + Send + 'static,
    lines: Arc<Mutex<VecDeque<String>>>,
    mut ready: Option<mpsc::Sender<SocketAddr>>,
) {
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines() {
            let Ok(line) = line else { return };
            let address = line.split_once("listening on http://").and_then(|(_, address)| {
                address
                    .split(|char: char| !(char.is_ascii_digit() || ".:".contains(char)))
                    .next()?
                    .parse()
                    .ok()
            });
            if let Ok(mut lines) = lines.lock() {
                if lines.len() == LINES_KEPT {
                    lines.pop_front();
                }
                lines.push_back(line);
            }
            if let Some(address) = address
                && let Some(ready) = ready.take()
            {
                let _ = ready.send(address);
            }
        }
    });
}
