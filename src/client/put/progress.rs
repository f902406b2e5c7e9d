//! How far a run is, on a terminal: a bar, its rate, and the time that is left. Elsewhere nothing.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::client::walk::{Step, Walk};

/// See the module.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    files: AtomicU64,
    over: Arc<AtomicBool>,
}

impl Progress {
    /// Begins to show it if there is a terminal, and to count what there is to do.
    pub(super) fn start(paths: &[PathBuf]) -> Progress {
        let over = Arc::new(AtomicBool::new(false));
        let none = Progress { bar: None, files: AtomicU64::new(0), over: over.clone() };
        if !io::stderr().is_terminal() {
            return none;
        }
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        let template = "{wide_bar} {binary_bytes} of {binary_total_bytes}, {msg} files, {binary_bytes_per_sec}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
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
        if let Some(bar) = &self.bar {
            let files = self.files.fetch_add(1, Ordering::Relaxed) + 1;
            bar.inc(bytes);
            if files.is_multiple_of(64) {
                bar.set_message(files.to_string());
            }
        }
    }

    /// Writes something else without the bar in its way.
    pub(super) fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
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
