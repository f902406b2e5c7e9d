//! tokio-uring: a thread for each core, pinned as the daemon pins its own, with rings of the same size and flags.

use std::io;
use std::rc::Rc;
use std::thread;

use io_uring::IoUring;
use rhinobox::limits::RING_ENTRIES;
use rhinobox::runtime::topology;
use tokio_uring::buf::BoundedBuf as _;
use tokio_uring::fs::File;

use crate::Result;
use crate::support::baseline::{ALIGNMENT, Flush, open_direct};
use crate::work::{Plan, Slot};

/// Shares the slots among as many threads as there are cores, or slots.
///
/// # Errors
/// If there is no io_uring, or the disk refuses.
pub(crate) fn run(plan: &Plan) -> Result<Vec<Slot>> {
    let mut cpus = topology::cpus(None)?;
    cpus.truncate(plan.in_flight);
    let mut shares: Vec<_> = cpus.iter().map(|_| Vec::new()).collect();
    let cores = cpus.len();
    plan.slots()?.into_iter().enumerate().for_each(|(at, slot)| shares[at % cores].push(slot));
    thread::scope(|scope| {
        let threads: Vec<_> = cpus
            .into_iter()
            .zip(shares)
            .map(|(cpu, share)| {
                scope.spawn(move || {
                    // Where it cannot be pinned it runs unpinned, as a core does.
                    core_affinity::set_for_current(core_affinity::CoreId { id: cpu.0 });
                    tokio_uring::builder()
                        .entries(RING_ENTRIES)
                        .uring_builder(&flags())
                        .start(work(plan.clone(), share))
                })
            })
            .collect();
        let mut slots = Vec::new();
        for thread in threads {
            slots.extend(thread.join().map_err(|_| "a thread of tokio-uring panicked")??);
        }
        Ok(slots)
    })
}

/// The flags of the daemon's rings, where the kernel knows them.
fn flags() -> io_uring::Builder {
    let mut flags = IoUring::builder();
    flags.setup_coop_taskrun().setup_single_issuer().setup_submit_all();
    match flags.build(8) {
        Ok(_) => flags,
        Err(_) => IoUring::builder(),
    }
}

async fn work(plan: Plan, share: Vec<Slot>) -> Result<Vec<Slot>> {
    let file = Rc::new(File::from_std(open_direct(&plan.path, plan.flush)?));
    let tasks: Vec<_> =
        share.into_iter().map(|slot| tokio_uring::spawn(files(plan.clone(), file.clone(), slot))).collect();
    let mut slots = Vec::new();
    for task in tasks {
        slots.push(task.await??);
    }
    Ok(slots)
}

async fn files(plan: Plan, file: Rc<File>, mut slot: Slot) -> Result<Slot> {
    let mut memory = vec![0; plan.bytes + ALIGNMENT];
    // Stays where it is while the vector is not grown.
    let start = memory.as_ptr().align_offset(ALIGNMENT);
    let content = start..start + plan.bytes;
    plan.noise(&mut memory[content.clone()]);
    while let Some(offset) = slot.next(&mut memory[content.clone()]) {
        let (result, back) = write_all(&file, memory, content.clone(), offset).await;
        result?;
        memory = back;
        if plan.flush == Flush::Fdatasync {
            file.sync_data().await?;
        }
        slot.done();
    }
    Ok(slot)
}

async fn write_all(
    file: &File,
    memory: Vec<u8>,
    content: std::ops::Range<usize>,
    offset: u64,
) -> (io::Result<()>, Vec<u8>) {
    let (result, slice) = file.write_all_at(memory.slice(content), offset).await;
    (result, slice.into_inner())
}
