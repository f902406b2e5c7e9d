//! What was answered is there after the power failed, whole and listed once; what was not is absent or whole; what
//! was deleted is gone; nothing is called damaged.
//!
//! One life of a store gives many moments, each the disk as it was just before an operation took effect and what was
//! answered by then. From each some disks are drawn; after half of the moments life goes on on one of them,
//! and is cut again, three lives deep.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use rhinobox::base::digest::Digest;
use rhinobox::runtime::sim::{Rng, SimDisk};

use crate::sim_store::{Ledger, Shared, Workload, each_seed, recover_and_check, start};

/// Moments at which a first life is cut: of the making of its store, and of its use.
const MOMENTS: (usize, usize) = (2, 10);
/// As many of each life after a cut: of its recovery, and of its use.
const LATER_MOMENTS: (usize, usize) = (1, 4);
/// Disks drawn from each moment.
const DRAWS: u64 = 5;
/// Of those, how many the next process finds after a kill.
const KILLS: u64 = 1;

/// A place where life is cut.
struct Moment {
    seed: u64,
    disk: SimDisk,
    ledger: Shared,
}

/// Moments of one stage of a life, each as likely at one event as at any other, though nobody knows yet how many
/// events there will be: the n-th takes the place of what was chosen before with a chance of 1 in n.
struct Chosen {
    places: Vec<Option<Moment>>,
    events: u64,
    rng: Rng,
}

impl Chosen {
    fn new(places: usize, rng: Rng) -> Chosen {
        Chosen { places: (0..places).map(|_| None).collect(), events: 0, rng }
    }

    fn event(&mut self, disk: &SimDisk, ledger: &Shared) {
        self.events += 1;
        for place in &mut self.places {
            if self.rng.one_in(self.events) {
                let (disk, ledger) = (disk.snapshot(), Ledger::fork(ledger));
                *place = Some(Moment { seed: self.rng.next_u64(), disk, ledger });
            }
        }
    }
}

/// Lives a life on `disk`, to its end, and gives moments of its start and of its use.
fn live(seed: u64, disk: &SimDisk, ledger: &Shared, (starting, in_use): (usize, usize)) -> Vec<Moment> {
    let workload = Workload::draw(seed);
    let mut rng = Rng::new(seed);
    let stages = [starting, in_use].map(|places| Chosen::new(places, rng.fork()));
    let (stages, stage) = (Rc::new(RefCell::new(stages)), Rc::new(Cell::new(0)));
    let watch = {
        let (disk, ledger, stages, stage) = (disk.clone(), ledger.clone(), stages.clone(), stage.clone());
        move |_| stages.borrow_mut()[stage.get()].event(&disk, &ledger)
    };
    workload
        .sim(seed)
        .watch_events(watch)
        .run(|| async {
            let (machine, opened) = start(disk, workload.cores, ledger).await.expect("a store opens");
            assert!(opened.recovered.damage.is_empty(), "{:?}", opened.recovered.damage);
            stage.set(1);
            workload.run(&machine).await;
        })
        .done();
    let mut stages = stages.borrow_mut();
    let places = stages.iter_mut().flat_map(|stage| std::mem::take(&mut stage.places));
    places.flatten().collect()
}

/// What was seen in all lives together.
#[derive(Default)]
struct Tally {
    /// Every disk that was recovered and checked.
    images: Mutex<HashSet<Digest>>,
    checks: AtomicU64,
    moments: AtomicU64,
}

/// Checks disks drawn from one moment, no disk twice; after half of the moments life goes on, and is cut again.
fn check_moment(moment: &Moment, depth: u64, tally: &Tally) {
    let seed = moment.seed;
    let mut seen = HashSet::new();
    tally.moments.fetch_add(1, Ordering::Relaxed);
    for draw in 0..DRAWS {
        let drawn = seed.wrapping_mul(31).wrapping_add(draw);
        let after = if draw < KILLS { moment.disk.kill(drawn) } else { moment.disk.power_cut(drawn) };
        // After a kill more than one can see is still to be lost.
        if !seen.insert(after.image()) && draw >= KILLS {
            continue;
        }
        let ledger = Ledger::fork(&moment.ledger);
        let what = || format!("seed {seed}, draw {draw}, depth {depth}");
        let checked = |disk: &SimDisk| {
            tally.images.lock().unwrap_or_else(PoisonError::into_inner).insert(disk.image());
            tally.checks.fetch_add(1, Ordering::Relaxed);
            let found = recover_and_check(seed, disk, &ledger);
            found.unwrap_or_else(|why| panic!("{}: {why}", what())).view.hash
        };
        let served = checked(&after);
        // What recovery has served survives another cut, answered or not, be it after a kill.
        let again = after.power_cut(drawn.wrapping_add(1));
        if draw < 2 {
            assert_eq!(checked(&again), served, "{}: served, and gone after a power cut", what());
        }
        if depth < 2 && draw == KILLS && seed.is_multiple_of(2) {
            let again = again.power_cut(0);
            for moment in live(seed.wrapping_add(draw), &again, &Ledger::fork(&ledger), LATER_MOMENTS) {
                check_moment(&moment, depth + 1, tally);
            }
        }
    }
}

#[test]
fn acknowledged_files_survive_power_cuts() {
    let tally = Tally::default();
    let begun = Instant::now();
    each_seed(60, |seed| {
        for moment in live(seed, &SimDisk::new(), &Ledger::shared(), MOMENTS) {
            check_moment(&moment, 0, &tally);
        }
    });
    let different = tally.images.into_inner().unwrap_or_else(PoisonError::into_inner).len();
    let (checks, seconds) = (tally.checks.into_inner(), begun.elapsed().as_secs_f64());
    eprintln!(
        "{different} different disks after cuts at {} moments, each recovered and checked, in {seconds:.1} s: \
         {:.0} a minute ({checks} checks)",
        tally.moments.into_inner(),
        different as f64 * 60.0 / seconds
    );
}
