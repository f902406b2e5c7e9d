//! Where a bench's data lie and where its figures go: `bench/` in cargo's target folder, unless told otherwise.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::Result;

/// The flags that all benches understand.
#[derive(Args, Clone, Debug)]
#[group(id = "common_flags")]
pub(crate) struct Flags {
    /// Folder for data, on the disk to be measured [default: bench in cargo's target folder]
    #[arg(long, env = "RHINOBOX_BENCH_DIR", value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Measures longer and more often
    #[arg(long)]
    pub(crate) full: bool,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// Cargo gives a bench a folder of its own in target/tmp; figures go beside it.
pub(crate) fn figures_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench")
}

/// Where a figure goes that is called `name`; its folder is there then.
///
/// # Errors
/// If the folder cannot be made.
pub(crate) fn figure(name: &str) -> Result<PathBuf> {
    let path = figures_dir().join(name);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    Ok(path)
}

/// A bench's own folder for data, empty; removed when dropped. One run has it at a time.
pub(crate) struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Makes it, in `dir` or where figures go. What an interrupted run left is removed, but not under a run that goes on.
    ///
    /// # Errors
    /// If another run has it, or it cannot be made.
    pub(crate) fn make(bench: &str, dir: Option<&Path>) -> Result<DataDir> {
        let dir = dir.map_or_else(figures_dir, Path::to_path_buf);
        fs::create_dir_all(&dir)?;
        let lock = File::create(dir.join(format!("{bench}.lock")))?;
        lock.try_lock().map_err(|error| format!("another run uses {}: {error}", dir.display()))?;
        let path = dir.join(format!("{bench}.data"));
        if path.exists() {
            fs::remove_dir_all(&path)?;
        }
        fs::create_dir(&path)?;
        Ok(DataDir { path, _lock: lock })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// An empty folder in it.
    ///
    /// # Errors
    /// If it cannot be made.
    pub(crate) fn fresh(&self, name: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        if path.exists() {
            fs::remove_dir_all(&path)?;
        }
        fs::create_dir(&path)?;
        Ok(path)
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        // The next run removes what stays.
        let _tried = fs::remove_dir_all(&self.path);
    }
}

/// Writes a bench's figures as JSON and says where they are.
///
/// # Errors
/// If they cannot be written.
pub(crate) fn write_json(bench: &str, figures: &impl Serialize) -> Result<()> {
    write_json_to(&figure(&format!("{bench}.json"))?, figures)
}

/// As [`write_json`], to a file of any name.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn write_json_to(path: &Path, figures: &impl Serialize) -> Result<()> {
    fs::write(path, serde_json::to_vec_pretty(figures)?)?;
    println!("\nThe same as JSON: {}", path.display());
    Ok(())
}
