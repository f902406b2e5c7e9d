//! How far a run is, on a terminal: a bar, its rate, and the time that is left. Elsewhere nothing.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::client::walk::{Step, Walk};
use crate::client::{ClientError, show};
use crate::runtime::{signal, terminal};

/// See the module.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    files: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
}

/// What is shown on a terminal of at least so many columns: a line that is wrapped could not be taken back.
const TEMPLATES: [(usize, &str); 3] = [
    (90, "{wide_bar} {binary_bytes} of {binary_total_bytes}, {files}, {binary_bytes_per_sec}, {eta} left"),
    (72, "{binary_bytes} of {binary_total_bytes}, {files}, {binary_bytes_per_sec}, {eta} left"),
    (0, "{percent}%, {files}"),
];
/// Of a terminal that does not say how many it has.
const COLUMNS_USUAL: usize = 80;

impl Progress {
    /// Begins to show it if there is a terminal, and to count what there is to do.
    pub(super) fn start(paths: &[PathBuf]) -> Progress {
        let over = Arc::new(AtomicBool::new(false));
        let files = Arc::new(AtomicU64::new(0));
        let none = Progress { bar: None, files: files.clone(), over: over.clone() };
        if !io::stderr().is_terminal() {
            return none;
        }
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden());
        let columns = terminal::size().map_or(COLUMNS_USUAL, |(columns, _)| columns);
        let template = TEMPLATES.iter().find(|(least, _)| *least <= columns).map_or("", |(_, text)| *text);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.with_key(
                "files",
                move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
                    let count = files.load(Ordering::Relaxed);
                    // There is nobody to tell.
                    let _unwritten = write!(out, "{count} {}", if count == 1 { "file" } else { "files" });
                },
            ));
        }
        take_away_on_a_signal(&bar);
        bar.enable_steady_tick(Duration::from_millis(250));
        let (counting, paths) = (bar.clone(), paths.to_vec());
        // It ends by itself, or with the process: nobody waits for it.
        std::thread::spawn(move || {
            for step in Walk::new(paths) {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                if let Step::File(found) = step
                    && let Ok(metadata) = found.path.metadata()
                {
                    counting.inc_length(metadata.len());
                    // Of nothing all is done: it is not shown before there is something.
                    if counting.is_hidden() && !over.load(Ordering::Relaxed) {
                        counting.set_draw_target(ProgressDrawTarget::stderr());
                    }
                }
            }
        });
        Progress { bar: Some(bar), ..none }
    }

    /// So many bytes of a file that is on its way were sent.
    pub(super) fn moved(&self, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.inc(bytes);
        }
    }

    /// They were sent in vain.
    pub(super) fn take_back(&self, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.dec(bytes);
        }
    }

    /// A file is done, of which so many bytes were not counted yet.
    pub(super) fn done(&self, bytes: u64) {
        self.files.fetch_add(1, Ordering::Relaxed);
        if let Some(bar) = &self.bar {
            bar.inc(bytes);
        }
    }

    /// Writes something else without the bar in its way.
    pub(super) fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Says on the terminal why something is tried again: a bar that stands still does not.
    pub(super) fn teller(&self) -> impl Fn(&ClientError) + Send + Sync + 'static {
        let bar = self.bar.clone();
        move |error| {
            if let Some(bar) = &bar {
                bar.suspend(|| show::note(&format!("rhinobox: {error}; trying again ...")));
            }
        }
    }

    /// Takes it away.
    pub(super) fn finish(&self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Ctrl-C takes the bar away before it ends the run, so that the next line stands on its own.
fn take_away_on_a_signal(bar: &ProgressBar) {
    signal::block();
    let bar = bar.clone();
    let waiting = signal::on_the_next(move |name| {
        bar.finish_and_clear();
        show::note("rhinobox: stopped; what was sent is stored, and the same command sends the rest");
        // As a shell says it of who was ended by the signal.
        std::process::exit(if name == "SIGINT" { 130 } else { 143 });
    });
    waiting.expect("a run that can start threads to send with can start one more");
}
