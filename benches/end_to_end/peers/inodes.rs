//! Inodes that ext4 holds back: it does not use a removed file's inode for a minute, or six while the disk has not heard of
//! the removal, and looks at each such inode whenever a file is made. A run that follows another one's removal would
//! measure that, and would measure it only of servers that keep a file for each file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::round::sync;
use crate::Result;

const HELD_BACK: Duration = Duration::from_secs(360);
/// What the mark says while a run makes files; its time is that of the run's end when it says nothing.
const RUNNING: &[u8] = b"running\n";

/// A mark beside the folder of data that tells of the last run.
pub(crate) struct Inodes {
    mark: PathBuf,
}

impl Inodes {
    /// Of runs in this folder.
    pub(crate) fn of(data: &Path) -> Self {
        Self { mark: data.with_file_name("peers.mark") }
    }

    /// Waits until the inodes of an earlier run may be used again, and marks the begin of this one. A trial does not wait,
    /// but says so.
    ///
    /// # Errors
    /// If the mark cannot be written.
    pub(crate) fn wait(&self, is_trial: bool) -> Result<()> {
        let left = HELD_BACK.saturating_sub(self.age());
        let seconds = left.as_secs();
        if is_trial && !left.is_zero() {
            println!(
                "  WARNING      files of an earlier run were removed lately; new ones cost more on ext4 for another {seconds} s"
            );
        } else if !left.is_zero() {
            println!("  waiting      {seconds} s, until ext4 uses the inodes of an earlier run again");
            thread::sleep(left);
        }
        Ok(fs::write(&self.mark, RUNNING)?)
    }

    /// Removes what this run made in its folder, and marks the time.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub(crate) fn release(&self, data: &Path) -> Result<()> {
        for entry in fs::read_dir(data)? {
            fs::remove_dir_all(entry?.path())?;
        }
        sync(data)?;
        Ok(fs::write(&self.mark, "")?)
    }

    /// How long ago the last run removed its files; nothing if it was cut short, as then they were removed just now.
    fn age(&self) -> Duration {
        match fs::read(&self.mark) {
            Ok(said) if said == RUNNING => Duration::ZERO,
            Ok(_) => fs::metadata(&self.mark)
                .and_then(|mark| mark.modified()?.elapsed().map_err(io::Error::other))
                .unwrap_or(Duration::ZERO),
            Err(_) => HELD_BACK,
        }
    }
}
