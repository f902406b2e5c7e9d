//! The executor: time, choice, and the ways a run ends.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use super::*;
use crate::runtime::core::CoreId;

#[test]
fn timers_fire_in_the_order_of_their_deadlines() {
    let fired = Rc::new(RefCell::new(Vec::new()));
    Sim::new(1, 2)
        .run(|| async {
            for ms in [30_u64, 10, 20] {
                let fired = Rc::clone(&fired);
                spawn_on(CoreId(1), async move {
                    sleep(Duration::from_millis(ms)).await;
                    fired.borrow_mut().push((ms, current(), now_ns() / 1_000_000 >= ms));
                });
            }
            sleep(Duration::from_secs(3600)).await;
        })
        .done();
    let expected = [10, 20, 30].map(|ms| (ms, CoreId(1), true));
    assert_eq!(*fired.borrow(), expected);
}

#[test]
fn any_order_of_ready_tasks_comes_up() {
    let orders: BTreeSet<Vec<usize>> = (0..200)
        .map(|seed| {
            let order = Rc::new(RefCell::new(Vec::new()));
            let mut sim = Sim::new(seed, 3);
            for core in 0..3 {
                let order = Rc::clone(&order);
                sim.on_core(CoreId(core), async move { order.borrow_mut().push(core) });
            }
            sim.run(|| sleep(Duration::from_millis(1))).done();
            order.take()
        })
        .collect();
    assert_eq!(orders.len(), 6);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_deadlock_is_found() {
    Sim::new(1, 1).run(std::future::pending::<()>).done();
}

#[test]
#[should_panic(expected = "livelock")]
fn a_livelock_is_found() {
    let mut sim = Sim::new(1, 1).steps_max(1_000);
    sim.run(|| async {
        loop {
            yield_now().await;
        }
    })
    .done()
}

#[test]
fn a_stalled_core_stands_still_while_others_go_on() {
    let most_ahead = (0..50)
        .map(|seed| {
            let steps = Rc::new([Cell::new(0_i32), Cell::new(0)]);
            let apart = Rc::new(Cell::new(0));
            let mut sim = Sim::new(seed, 2).stalls(50, 200_000);
            for core in 0..2 {
                let (steps, apart) = (Rc::clone(&steps), Rc::clone(&apart));
                sim.on_core(CoreId(core), async move {
                    for _ in 0..300 {
                        yield_now().await;
                        steps[core].set(steps[core].get() + 1);
                        apart.set(apart.get().max((steps[0].get() - steps[1].get()).abs()));
                    }
                });
            }
            sim.run(|| sleep(Duration::from_secs(1))).done();
            assert_eq!((steps[0].get(), steps[1].get()), (300, 300));
            apart.get()
        })
        .max();
    assert!(most_ahead > Some(80), "{most_ahead:?}");
}

#[test]
fn the_process_can_end_itself_even_where_panics_are_caught() {
    let mut sim = Sim::new(1, 1);
    sim.on_core(CoreId(0), async {
        _ = std::panic::catch_unwind(|| -> () { died(70, "flush failed") });
    });
    let end = sim.run(std::future::pending::<()>);
    assert_eq!(end, Outcome::Died(Died { code: 70, why: "flush failed".to_owned() }));
    let end = Sim::new(1, 1).run(|| async { died(71, "at once") });
    assert_eq!(end, Outcome::<()>::Died(Died { code: 71, why: "at once".to_owned() }));
    assert!(!active(), "the thread is free again");
}

#[test]
#[should_panic(expected = "of the test itself")]
fn other_panics_go_on_to_the_caller() {
    Sim::new(1, 1).run(|| async { panic!("of the test itself") }).done()
}

#[test]
fn a_cut_drops_every_task_within_the_simulation() {
    struct Witness(Rc<Cell<u32>>);
    impl Drop for Witness {
        fn drop(&mut self) {
            assert!(active());
            spawn(async { unreachable!("nothing runs after the cut") });
            self.0.set(self.0.get() + 1);
        }
    }
    let dropped = Rc::new(Cell::new(0));
    let (first, second) = (Witness(Rc::clone(&dropped)), Witness(Rc::clone(&dropped)));
    let end = Sim::new(1, 1).stop_at_step(5).run(|| async move {
        spawn(async move {
            let _witness = first;
            std::future::pending::<()>().await;
        });
        let _witness = second;
        loop {
            yield_now().await;
        }
    });
    assert_eq!((end, dropped.get()), (Outcome::<()>::Cut, 2));
    assert_eq!(Sim::new(1, 1).run(cut), Outcome::Cut);
}

#[test]
fn the_wall_clock_goes_on_and_may_jump() {
    let spread = |one_in| {
        let run = || async {
            let before = wall().0;
            sleep(Duration::from_secs(10)).await;
            wall().0 - before
        };
        Sim::new(1, 1).wall_jumps(one_in).run(run).done()
    };
    assert!((10_000_000_000..10_010_000_000).contains(&spread(0)));
    assert!(!(0..20_000_000_000).contains(&spread(1)));
}
