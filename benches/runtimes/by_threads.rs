//! Plain threads, one for each content under way: pwrite(2), and the kernel decides who runs where.

use std::os::unix::fs::FileExt as _;
use std::thread;

use crate::Result;
use crate::support::baseline::{ALIGNMENT, Flush, open_direct};
use crate::work::{Plan, Slot};

/// Gives each slot a thread.
///
/// # Errors
/// If the disk refuses.
pub(crate) fn run(plan: &Plan) -> Result<Vec<Slot>> {
    thread::scope(|scope| {
        let threads: Vec<_> =
            plan.slots()?.into_iter().map(|slot| scope.spawn(move || files(plan, slot))).collect();
        threads.into_iter().map(|thread| thread.join().map_err(|_| "a thread panicked")?).collect()
    })
}

fn files(plan: &Plan, mut slot: Slot) -> Result<Slot> {
    let file = open_direct(&plan.path, plan.flush)?;
    let mut memory = vec![0; plan.bytes + ALIGNMENT];
    let start = memory.as_ptr().align_offset(ALIGNMENT);
    let content = &mut memory[start..start + plan.bytes];
    plan.noise(content);
    while let Some(offset) = slot.next(content) {
        file.write_all_at(content, offset)?;
        if plan.flush == Flush::Fdatasync {
            file.sync_data()?;
        }
        slot.done();
    }
    Ok(slot)
}
