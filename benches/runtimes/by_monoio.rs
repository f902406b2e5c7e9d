//! As the daemon does it: pinned cores, each with a monoio executor, and the disk of `runtime::disk`.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, Mutex, mpsc};

use rhinobox::runtime::buffer::Pool;
use rhinobox::runtime::core::{CoreId, launch, spawn};
use rhinobox::runtime::disk::{Disk, File, Open};
use rhinobox::runtime::sync::Notify;
use rhinobox::runtime::topology;

use crate::Result;
use crate::support::baseline::Flush;
use crate::work::{Plan, Slot};

/// Shares the slots among as many cores as there are, or slots.
///
/// # Errors
/// If there is no io_uring, or the disk refuses.
pub(crate) fn run(plan: &Plan) -> Result<Vec<Slot>> {
    let mut cpus = topology::cpus(None)?;
    cpus.truncate(plan.in_flight);
    let shares = Arc::new(Mutex::new(deal(plan.slots()?, cpus.len())));
    let (sender, receiver) = mpsc::channel();
    let plan = plan.clone();
    let cores = launch(&cpus, move |core| {
        let (shares, sender, plan) = (shares.clone(), sender.clone(), plan.clone());
        async move {
            let share = take(&shares, core);
            // The receiver waits for every core.
            let _ = sender.send(work(&plan, share).await);
        }
    })?;
    cores.join();
    let mut slots = Vec::new();
    for share in receiver {
        slots.extend(share?);
    }
    Ok(slots)
}

fn deal(slots: Vec<Slot>, cores: usize) -> Vec<Vec<Slot>> {
    let mut shares: Vec<_> = (0..cores).map(|_| Vec::new()).collect();
    slots.into_iter().enumerate().for_each(|(at, slot)| shares[at % cores].push(slot));
    shares
}

fn take(shares: &Mutex<Vec<Vec<Slot>>>, core: CoreId) -> Vec<Slot> {
    shares.lock().map(|mut shares| std::mem::take(&mut shares[core.0])).unwrap_or_default()
}

async fn work(plan: &Plan, share: Vec<Slot>) -> Result<Vec<Slot>> {
    let (Some(dir), Some(name)) = (plan.path.parent(), plan.path.file_name().and_then(|name| name.to_str()))
    else {
        return Err("the file has no name".into());
    };
    let how = Open { write: true, direct: true, dsync: plan.flush == Flush::Dsync, ..Open::default() };
    let file = Disk::uring(Path::new(dir).to_path_buf()).open(name, how).await?;
    let (ended, wake, count) = (Rc::new(RefCell::new(Vec::new())), Notify::new(), share.len());
    for slot in share {
        let (plan, file, ended, wake) = (plan.clone(), file.clone(), ended.clone(), wake.clone());
        spawn(async move {
            let result = files(&plan, &file, slot).await;
            ended.borrow_mut().push(result);
            wake.notify();
        });
    }
    while ended.borrow().len() < count {
        wake.wait().await;
    }
    ended.take().into_iter().collect()
}

async fn files(plan: &Plan, file: &File, mut slot: Slot) -> Result<Slot> {
    let mut buffer = Pool::new(0).take(plan.bytes);
    buffer.set_len(plan.bytes);
    plan.noise(buffer.as_mut_slice());
    while let Some(offset) = slot.next(buffer.as_mut_slice()) {
        let (result, back) = file.write_all_at(buffer, 0..plan.bytes, offset).await;
        result?;
        buffer = back;
        if plan.flush == Flush::Fdatasync {
            file.sync_data().await?;
        }
        slot.done();
    }
    Ok(slot)
}
