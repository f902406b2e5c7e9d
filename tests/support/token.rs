//! Tokens, made as an operator makes them.

use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use super::client::Client;
use super::daemon::{Daemon, Setup};

/// A change of the tokens is in force within a second; a busy machine may take this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs `rhinobox token` on the folder of a setup.
pub(crate) fn token_command(setup: &Setup, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rhinobox"));
    command.arg("token").args(arguments).arg("--data-dir").arg(setup.data()).env_remove("RHINOBOX_DATA_DIR");
    command.output().expect("it runs")
}

/// Makes a token with these scopes, and more that `--` can say.
#[track_caller]
pub(crate) fn create_token(setup: &Setup, name: &str, scopes: &str, more: &[&str]) -> String {
    let made = token_command(setup, &[&["create", name, "--scope", scopes], more].concat());
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    String::from_utf8(made.stdout).expect("a token is text").trim_end().to_owned()
}

#[track_caller]
pub(crate) fn revoke_token(setup: &Setup, name: &str) {
    let revoked = token_command(setup, &["revoke", name]);
    assert!(revoked.status.success(), "{}", String::from_utf8_lossy(&revoked.stderr));
}

/// The value of an Authorization field.
pub(crate) fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// Waits until a request with this Authorization field (none, if empty) has this status, on connections of its own.
#[track_caller]
pub(crate) fn wait_for_status(daemon: &Daemon, target: &str, authorization: &str, status: u16) {
    wait_until(status, || status_of(&mut daemon.connect(), target, authorization));
}

/// The same on one connection, which must be kept.
#[track_caller]
pub(crate) fn wait_for_status_on(client: &mut Client, target: &str, authorization: &str, status: u16) {
    wait_until(status, || status_of(client, target, authorization));
}

#[track_caller]
fn wait_until(status: u16, mut ask: impl FnMut() -> u16) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let seen = ask();
        if seen == status {
            return;
        }
        assert!(Instant::now() < deadline, "the status is {seen} and not {status}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn status_of(client: &mut Client, target: &str, authorization: &str) -> u16 {
    let fields = [("Authorization", authorization)];
    client.ask("GET", target, if authorization.is_empty() { &[] } else { &fields }, b"").status
}
