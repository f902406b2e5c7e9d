//! `rhinobox export`: writes everything that has a name as plain files, under their stored paths.
//!
//! Always: no byte is written that was not verified, except of a file that is removed again; no path of the log is
//! trusted; what is at the target already is not touched; success is said only after the volume is flushed.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use crate::base::digest::Digest;
use crate::ops::offline::{self, Failed, READ, damage_only};
use crate::ops::{DAMAGED, Failure};
use crate::runtime::buffer::Pool;
use crate::runtime::process;
use crate::store::index::{Content, Place};
use crate::store::read::StoredName;
use crate::store::{Store, recovery};

mod plain;
mod target;

/// Writes what a data folder holds as plain files below `to`. Status 3 where damage was found; the rest is written.
///
/// # Errors
/// In one sentence, why it could not.
pub fn run(dir: &Path, to: &Path) -> Result<ExitCode, Failure> {
    target::check(dir, to)?;
    let target = to.to_owned();
    let done = offline::on_store(dir, move |store, pool| export(store, pool, target.clone()))?;
    let Done { files, bytes, damaged } = &done;
    let mut out = io::stdout().lock();
    // Nothing is left to do if standard output is closed: the files are there, and the status says the rest.
    let _ = writeln!(out, "exported {files} files with {bytes} bytes to {}", to.display());
    if *damaged == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    let _ = writeln!(out, "damage: {damaged} findings; what they concern was left out");
    Ok(ExitCode::from(DAMAGED))
}

/// What was done.
#[derive(Default)]
struct Done {
    files: u64,
    bytes: u64,
    damaged: u64,
}

impl Done {
    fn damage(&mut self, what: std::fmt::Arguments<'_>) {
        self.damaged += 1;
        // Nothing is left to do if standard error is closed: the status says it too.
        let _ = writeln!(io::stderr(), "damage: {what}");
    }
}

async fn export(store: Arc<Store>, pool: Pool, to: PathBuf) -> Result<Done, Failed> {
    let heads = recovery::read_heads(&store, &pool, READ).await?;
    let loaded = recovery::load(&store, &pool, &heads, None, async |_, _| Ok(())).await?;
    let mut done = Done::default();
    for damage in &loaded.report.damage {
        done.damage(format_args!("{damage}"));
    }
    // Made only now: a folder that is no store leaves nothing behind.
    fs::create_dir_all(&to).map_err(|error| format!("cannot make {}: {error}", to.display()))?;
    let mut contents = Vec::new();
    store.index.for_each_content(|digest, content| contents.push((*digest, content)));
    // In the order of their digests, so that two exports of a store do the same.
    contents.sort_unstable_by_key(|(digest, _)| *digest);
    for (digest, content) in contents {
        for place in store.index.names(&digest) {
            export_name(&store, &pool, &to, &digest, content, place, &mut done).await?;
        }
    }
    let volume = File::open(&to).and_then(|dir| process::sync_volume(&dir));
    volume.map_err(|error| format!("cannot flush {}: {error}", to.display()))?;
    Ok(done)
}

async fn export_name(
    store: &Store,
    pool: &Pool,
    to: &Path,
    digest: &Digest,
    content: Content,
    place: Place,
    done: &mut Done,
) -> Result<(), Failed> {
    let name = match damage_only(store.read_name(pool, place).await)? {
        Ok(name) => name,
        Err(why) => {
            done.damage(format_args!("a name of content {digest} cannot be read: {why}"));
            return Ok(());
        }
    };
    if !target::is_safe(&name.path) {
        done.damage(format_args!("{:?} is no path of ours", name.path));
        return Ok(());
    }
    let path = to.join(&name.path);
    match write(store, pool, digest, content, &name, &path).await? {
        Ok(bytes) => {
            done.files += 1;
            done.bytes += bytes;
        }
        Err(why) => done.damage(format_args!("{}: {why}", name.path)),
    }
    Ok(())
}

/// Writes one file, or gives why its content cannot be had; then nothing of it stays.
async fn write(
    store: &Store,
    pool: &Pool,
    digest: &Digest,
    content: Content,
    name: &StoredName,
    path: &Path,
) -> Result<Result<u64, String>, Failed> {
    let cannot = |error: io::Error| -> Failed { format!("cannot write {}: {error}", path.display()).into() };
    let mut file = plain::create(path).map_err(cannot)?;
    match plain::copy(store, pool, digest, content, &mut file, &cannot).await? {
        Ok(bytes) => {
            plain::set_time(&file, name.time).map_err(cannot)?;
            Ok(Ok(bytes))
        }
        Err(why) => {
            drop(file);
            fs::remove_file(path).map_err(cannot)?;
            Ok(Err(why))
        }
    }
}
