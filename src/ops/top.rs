//! `rhinobox top`: what a running daemon does, from its `/metrics`, interval by interval.
//!
//! Always: of what the daemon sends nothing but numbers reaches the terminal; the terminal is left as it was found, also
//! by Ctrl-C and on an error. A live view outlasts the daemon: while nothing answers it says so, and goes on asking.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use crate::client::{Client, ClientError, Server};
use crate::limits::{METRICS_BYTES_MAX, TOP_INTERVAL_MS_MAX, TOP_INTERVAL_MS_MIN};
use crate::ops::Failure;
use crate::ops::offline::is_closed_pipe;
use crate::runtime::{clock, signal, terminal};

mod rates;
mod sample;
mod view;

use rates::Rates;
use sample::Sample;

/// An interval as typed, in seconds.
///
/// # Errors
/// What it may be.
pub fn parse_interval(text: &str) -> Result<Duration, String> {
    let bounds = Duration::from_millis(TOP_INTERVAL_MS_MIN)..=Duration::from_millis(TOP_INTERVAL_MS_MAX);
    let interval = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    interval.filter(|interval| bounds.contains(interval)).ok_or_else(|| {
        format!("give seconds, {} to {}", bounds.start().as_secs_f64(), bounds.end().as_secs_f64())
    })
}

/// Shows what the daemon does, until it is told to stop; or once.
///
/// # Errors
/// In a sentence, that there is no daemon, or that it is something else. A live view only ends for the second.
pub fn run(client: &Client, once: bool, interval: Duration) -> Result<ExitCode, Failure> {
    let shown =
        if once || !io::stdout().is_terminal() { snapshot(client, interval) } else { live(client, interval) };
    match shown {
        Err(error) if !is_closed_pipe(&*error) => Err(error),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// One view, as plain lines.
fn snapshot(client: &Client, interval: Duration) -> Result<(), Failure> {
    let before = look(client)?;
    std::thread::sleep(interval);
    let after = look(client)?;
    let mut out = io::stdout().lock();
    for line in view::lines(client.server(), &Rates::between(&before, &after)) {
        writeln!(out, "{line}")?;
    }
    Ok(out.flush()?)
}

/// A view for every interval, in place of the last one.
fn live(client: &Client, interval: Duration) -> Result<(), Failure> {
    // What is no daemon is said before the screen changes.
    let (mut before, first) = match look(client) {
        Ok(sample) => (Some(sample), "the first interval is being measured ...".to_owned()),
        Err(error) if error.is_passing() => (None, format!("{error}; trying again ...")),
        Err(error) => return Err(error.into()),
    };
    signal::block();
    let screen = Screen::enter()?;
    signal::on_the_next(|_name| {
        // Whoever draws holds this lock: nothing is drawn on the screen that comes back.
        let mut out = io::stdout().lock();
        let _gone = out.write_all(Screen::LEAVE).and_then(|()| out.flush());
        std::process::exit(0);
    })?;
    screen.draw(&[format!("rhinobox {}", client.server()), first])?;
    loop {
        std::thread::sleep(interval);
        let lines = match look(client) {
            Ok(after) => {
                let before = before.replace(after.clone());
                view::lines(client.server(), &Rates::between(before.as_ref().unwrap_or(&after), &after))
            }
            Err(error) => {
                before = None;
                vec![format!("rhinobox {}", client.server()), format!("{error}; trying again ...")]
            }
        };
        screen.draw(&lines)?;
    }
}

fn look(client: &Client) -> Result<Sample, ClientError> {
    let page = client.metrics(METRICS_BYTES_MAX as u64)?;
    Sample::parse(&page, clock::now_ns()).ok_or_else(|| stranger(client.server()))
}

fn stranger(server: &Server) -> ClientError {
    ClientError::Stranger(format!(
        "what answers at {server} is no rhinobox: its page has none of the metrics"
    ))
}

/// The terminal's other screen. Dropping this brings back the first.
struct Screen;

impl Screen {
    /// The other screen, without a cursor.
    const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l";
    /// The cursor, and the first screen as it was.
    const LEAVE: &[u8] = b"\x1b[?25h\x1b[?1049l";

    fn enter() -> io::Result<Screen> {
        let screen = Screen;
        let mut out = io::stdout().lock();
        out.write_all(Screen::ENTER).and_then(|()| out.flush())?;
        Ok(screen)
    }

    /// In place of what is there: as much as the terminal has room for.
    fn draw(&self, lines: &[String]) -> io::Result<()> {
        let (columns, rows) = terminal::size().unwrap_or((80, 24));
        let mut frame = String::from("\x1b[H");
        for (at, line) in lines.iter().take(rows).enumerate() {
            frame.push_str(if at == 0 { "" } else { "\r\n" });
            frame.extend(line.chars().take(columns));
            // The rest of the line is cleared; in a full one the cursor still stands on its last character.
            frame.push_str(if line.chars().count() < columns { "\x1b[K" } else { "" });
        }
        frame.push_str("\x1b[J");
        let mut out = io::stdout().lock();
        out.write_all(frame.as_bytes())?;
        out.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let mut out = io::stdout().lock();
        // The terminal may be gone.
        let _gone = out.write_all(Screen::LEAVE).and_then(|()| out.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_seconds_within_bounds() {
        assert_eq!(parse_interval("0.1"), Ok(Duration::from_millis(100)));
        assert_eq!(parse_interval("3600"), Ok(Duration::from_secs(3_600)));
        for text in ["0.09", "3601", "-1", "", "1s", "inf", "NaN"] {
            let why = parse_interval(text).unwrap_err();
            assert_eq!(why, "give seconds, 0.1 to 3600", "{text}");
        }
    }
}
