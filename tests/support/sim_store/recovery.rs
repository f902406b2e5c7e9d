//! What recovery makes of a disk, held against the ledger.

use std::collections::BTreeSet;
use std::sync::Arc;

use rhinobox::runtime::buffer::Pool;
use rhinobox::runtime::disk::Disk;
use rhinobox::runtime::sim::{self, SimDisk};
use rhinobox::store::{OpenError, Opened, Store};

use super::ledger::{AllSent, Shared, lock};
use super::view::{View, look_at_all};
use super::{CHECKPOINT, choices};

/// What recovery makes of a disk: its view, and what it reports.
pub(crate) struct Recovery {
    pub(crate) view: View,
    pub(crate) opened: Opened,
    pub(crate) events: u64,
}

/// Recovers the store on `disk` and reads all of it.
pub(crate) fn recover(seed: u64, disk: &SimDisk) -> Result<Recovery, String> {
    recover_knowing(seed, disk, &AllSent::new())
}

thread_local! {
    /// Buffers of recoveries: to make and clear them anew for each of thousands costs more than to recover.
    static POOL: Pool = Pool::new(8 << 20);
}

fn recover_knowing(seed: u64, disk: &SimDisk, sent: &AllSent) -> Result<Recovery, String> {
    let mut machine = sim::Sim::new(seed, 1);
    let before = disk.counters().total;
    let (view, opened, events) = machine
        .run(|| async {
            let pool = POOL.with(Pool::clone);
            let (store, opened) = Store::open(Disk::sim(disk.clone()), &pool, choices()).await?;
            // One task, one operation after the other, each of three phases.
            let events = 3 * (disk.counters().total - before);
            Ok::<_, OpenError>((look_at_all(&store, &pool, sent).await, opened, events))
        })
        .done()
        .map_err(|error| format!("the store did not open: {error}"))?;
    Ok(Recovery { view, opened, events })
}

/// As [`recover`], and once more from the log alone if there is a checkpoint: both come to the same.
pub(crate) fn recover_both_ways(seed: u64, disk: &SimDisk) -> Result<Recovery, String> {
    recover_both_ways_knowing(seed, disk, &AllSent::new())
}

fn recover_both_ways_knowing(seed: u64, disk: &SimDisk, sent: &AllSent) -> Result<Recovery, String> {
    if disk.contents(CHECKPOINT).is_err() {
        return recover_knowing(seed, disk, sent);
    }
    let other = disk.kill(seed);
    other.overwrite(CHECKPOINT, 0, &[0; 64]).expect("it is there");
    let (with, without) = (recover_knowing(seed, disk, sent)?, recover_knowing(seed, &other, sent)?);
    if without.opened.recovered.checkpoint.is_some() {
        return Err("a checkpoint without a head was used".to_owned());
    }
    let parts = |view: &View| (view.hash, view.nameless, view.blobs.clone(), view.problems.clone());
    if parts(&with.view) != parts(&without.view) {
        let (with, without) = (&with.view.files, &without.view.files);
        let odd = with.iter().filter(|(path, file)| without.get(*path) != Some(file));
        let odd = odd.chain(without.iter().filter(|(path, _)| !with.contains_key(*path)));
        return Err(format!(
            "with the checkpoint {} files, from the log alone {}; they differ in {:?}",
            with.len(),
            without.len(),
            odd.collect::<Vec<_>>()
        ));
    }
    Ok(with)
}

/// Recovers after a mere cut or kill, holds the result against the ledger, and gives it.
pub(crate) fn recover_and_check(seed: u64, disk: &SimDisk, ledger: &Shared) -> Result<Recovery, String> {
    let sent = Arc::clone(&lock(ledger).sent);
    let recovery = if seed.is_multiple_of(3) {
        recover_both_ways_knowing(seed, disk, &sent)?
    } else {
        recover_knowing(seed, disk, &sent)?
    };
    if let Some(damage) = recovery.opened.recovered.damage.first() {
        return Err(format!("damage without damage: {damage}"));
    }
    lock(ledger).check(&recovery.view)?;
    if recovery.view.nameless > 0 {
        return Err(format!("{} contents without a name were kept", recovery.view.nameless));
    }
    let blobs: BTreeSet<String> = disk
        .files()
        .into_iter()
        .filter_map(|(path, _)| path.starts_with("blobs/").then(|| path[path.len() - 16..].to_owned()))
        .collect();
    if blobs != recovery.view.blobs {
        return Err(format!("blobs on disk: {blobs:?}, named: {:?}", recovery.view.blobs));
    }
    Ok(recovery)
}
