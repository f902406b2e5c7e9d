//! The simulated machine: cores, clock and disk on one thread, all chance from one seed.
//!
//! The rest of [`runtime`](super) asks [`active`] and goes here instead of to the kernel; what is written on top of
//! it runs unchanged. A [`Sim`] is one run of one process on a machine with many cores: it polls any ready task
//! next, lets disk operations take any time and end in any order, and can cut the run anywhere. A [`SimDisk`]
//! outlives the run, and says what the next process finds after a kill or a power cut.
//!
//! Always: a run depends on nothing but the code and the seed. No address, hash order or real clock enters into a
//! decision, so a failing seed replays exactly; [`Report::trace_hash`] shows it. A run that fails prints seed and
//! trace.
//!
//! The shape of a crash test:
//!
//! ```
//! use std::time::Duration;
//! use rhinobox::runtime::sim::{self, Outcome, Sim, SimDisk};
//! use rhinobox::runtime::core::CoreId;
//!
//! for seed in sim::seeds(10) {
//!     let disk = SimDisk::new();
//!     let mut sim = Sim::new(seed, 2).stalls(100, 5_000_000).stop_at_event(20 + seed);
//!     let other = disk.clone();
//!     sim.on_core(CoreId(1), async move { other.create_dir("segments").await.unwrap() });
//!     let end = sim.run(|| async {
//!         loop {
//!             disk.sync_dir("").await.unwrap();
//!         }
//!     });
//!     assert_eq!(end, Outcome::<()>::Cut);
//!     // Many cuts can be drawn from one moment; each is a disk of its own for the next run.
//!     for cut in 0..10 {
//!         let after = disk.power_cut(cut);
//!         Sim::new(seed, 1).run(|| async { after.list("").await.unwrap() }).done();
//!     }
//! }
//! ```
//!
//! To try every place: run once without a cut, read [`Report::events`] from [`Sim::report`], then
//! [`Sim::stop_at_event`] for each number up to it. To fail every operation: [`SimDisk::set_faults`] with
//! [`Fault::nth`] of 1, 2, 3 ... until [`Counters::failed`] stays zero.

mod content;
pub mod disk;
mod faults;
mod file;
mod rng;
mod scheduler;
mod trace;
mod volume;
mod world;

#[cfg(test)]
mod disk_tests;
#[cfg(test)]
mod scheduler_tests;

pub use disk::{Latency, SimDisk, SimFile};
pub use faults::{Counters, Failure, Fault, FaultPlan, Op};
pub use rng::Rng;
pub use scheduler::{Outcome, Report, Sim, seeds};
pub use world::{
    Died, active, current, cut, died, helper_delay, note, now_ns, random_u64, sleep, spawn, spawn_on, wall,
    yield_now,
};
