//! The daemon as a process on a folder, and single requests to it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::Result;

/// The command that serves `dir` on a free port of the loopback, with the defaults, whatever the shell has set.
pub(crate) fn serve(program: &Path, dir: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg("serve").args(["--addr", "127.0.0.1:0", "--data-dir"]).arg(dir);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"RHINOBOX_"))
    {
        command.env_remove(name);
    }
    command
}

/// A daemon at work; killed if dropped. Its folder stays.
pub(crate) struct Daemon {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Daemon {
    /// Starts it on `dir`, which may hold a store, and waits until `/readyz` says 200.
    ///
    /// # Errors
    /// If it cannot be started, ends, or is not ready when it says that it listens.
    pub(crate) fn start(program: &Path, dir: &Path, arguments: &[&str]) -> Result<Daemon> {
        let mut command = serve(program, dir);
        let child = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut daemon = Daemon { child, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        let pipe = daemon.child.stdout.take().ok_or("no pipe")?;
        for line in BufReader::new(pipe).lines() {
            if let Some(address) = line?.strip_prefix("listening on http://") {
                daemon.address = address.parse()?;
                if get(daemon.address, "/readyz")?.0 != 200 {
                    return Err("it listens and is not ready".into());
                }
                return Ok(daemon);
            }
        }
        Err("the daemon ended before it was ready".into())
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Stops it by SIGTERM and waits for its end.
    ///
    /// # Errors
    /// If it does not end with success.
    pub(crate) fn stop(mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(format!("the daemon ended with {status}").into()) }
    }

    /// Kills it, as a crash would, and waits for its end.
    ///
    /// # Errors
    /// If it is no longer there.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            let _gone_already = self.child.kill();
            let _gone_already = self.child.wait();
        }
    }
}

/// Status and body of a GET whose content is text.
///
/// # Errors
/// If there is no whole answer.
pub(crate) fn get(address: SocketAddr, path: &str) -> Result<(u16, String)> {
    exchange(
        address,
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes(),
    )
}

/// Status and body of the answer to a request that closes its connection; the content is text.
///
/// # Errors
/// If there is no whole answer.
pub(crate) fn exchange(address: SocketAddr, request: &[u8]) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    stream.write_all(request)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.get(9..12).ok_or("no answer")?.parse()?;
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
    Ok((status, body.ok_or("an answer without an end of its head")?))
}
