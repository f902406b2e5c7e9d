//! The executor of the simulation: many cores' tasks on the calling thread, in an order drawn from the seed.
//!
//! A step polls one ready task of any core that is not stalled, and takes a little virtual time. Timers that are
//! due fire before a step. When nothing is ready, time jumps to the next timer; when there is none, and the main
//! future is still pending, the run is deadlocked and panics with seed and trace.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use super::trace::What;
use super::world::{Died, Entered, Spawned, Watch, World};
use crate::runtime::core::CoreId;

/// Steps after which a run counts as a livelock, unless told otherwise.
const STEPS_MAX: u64 = 10_000_000;
/// The main future, as a task.
const MAIN: u64 = 0;

/// How a run ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome<T> {
    /// The main future is done.
    Done(T),
    /// The run was cut where it was told to be.
    Cut,
    /// The simulated process ended itself.
    Died(Died),
}

impl<T> Outcome<T> {
    /// What the main future gave; panics if the run ended otherwise.
    #[track_caller]
    pub fn done(self) -> T {
        match self {
            Outcome::Done(value) => value,
            Outcome::Cut => panic!("the run was cut"),
            Outcome::Died(died) => panic!("the process ended itself with code {}: {}", died.code, died.why),
        }
    }
}

/// What a run took.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Polls.
    pub steps: u64,
    /// Phases of disk operations: each starts, takes effect and completes.
    pub events: u64,
    /// Virtual time.
    pub virtual_ns: u64,
    /// Hash over every decision and every disk operation: equal for equal runs.
    pub trace_hash: u64,
}

/// A simulated machine.
pub struct Sim {
    seed: u64,
    cores: usize,
    steps_max: u64,
    stop_at_step: Option<u64>,
    stop_at_event: Option<u64>,
    stall_one_in: u64,
    stall_ns_max: u64,
    wall_jump_one_in: u64,
    first: Vec<Spawned>,
    watch: Option<Watch>,
    report: Report,
}

impl Sim {
    /// A machine of so many cores, all whose chance comes from `seed`.
    #[must_use]
    pub fn new(seed: u64, cores: usize) -> Sim {
        assert!(cores > 0, "a machine without cores");
        Sim {
            seed,
            cores,
            steps_max: STEPS_MAX,
            stop_at_step: None,
            stop_at_event: None,
            stall_one_in: 0,
            stall_ns_max: 0,
            wall_jump_one_in: 0,
            first: Vec::new(),
            watch: None,
            report: Report::default(),
        }
    }

    /// Before about one step in `one_in`, the core that was chosen stops for up to `ns_max` of virtual time.
    #[must_use]
    pub fn stalls(mut self, one_in: u64, ns_max: u64) -> Sim {
        (self.stall_one_in, self.stall_ns_max) = (one_in, ns_max);
        self
    }

    /// About one look at the wall clock in `one_in` finds that it has jumped.
    #[must_use]
    pub fn wall_jumps(mut self, one_in: u64) -> Sim {
        self.wall_jump_one_in = one_in;
        self
    }

    /// A run of more steps is a livelock and panics.
    #[must_use]
    pub fn steps_max(mut self, steps: u64) -> Sim {
        self.steps_max = steps;
        self
    }

    /// Cuts the run before step `step`, counted from 1.
    #[must_use]
    pub fn stop_at_step(mut self, step: u64) -> Sim {
        self.stop_at_step = Some(step);
        self
    }

    /// Cuts the run just before phase `event` of the disk's operations takes effect, counted from 1.
    #[must_use]
    pub fn stop_at_event(mut self, event: u64) -> Sim {
        self.stop_at_event = Some(event);
        self
    }

    /// Shows the next run's disk events to `watch`, each just before the phase takes effect: what a disk is then, and
    /// what was answered by then, is what a cut at that event would leave. One run shows as many moments as are wanted.
    #[must_use]
    pub fn watch_events(mut self, watch: impl FnMut(u64) + 'static) -> Sim {
        self.watch = Some(Box::new(watch));
        self
    }

    /// Adds a task that the next run starts on `core` beside its main future.
    pub fn on_core(&mut self, core: CoreId, task: impl Future<Output = ()> + 'static) {
        assert!(core.0 < self.cores, "core {} of {}", core.0, self.cores);
        self.first.push(Spawned { core, future: Box::pin(task) });
    }

    /// What the last run took.
    #[must_use]
    pub fn report(&self) -> Report {
        self.report
    }

    /// Runs the future that `main` makes, on core 0, to its end or that of the simulated process; then drops all
    /// tasks. Panics, with seed and trace, on deadlock and livelock and when a rule of the machine was broken; a
    /// panic of a task goes on to the caller, after seed and trace were printed.
    pub fn run<F: Future>(&mut self, main: impl FnOnce() -> F) -> Outcome<F::Output> {
        let world = Rc::new(World::new(self.seed, self.cores, self.stop_at_event, self.wall_jump_one_in));
        *world.watch.borrow_mut() = self.watch.take();
        let entered = Entered::new(Rc::clone(&world));
        let mut run = Run {
            ready: Arc::new(Ready { cores: Mutex::new(vec![Vec::new(); self.cores]) }),
            tasks: BTreeMap::new(),
            next_task: MAIN + 1,
            stalled_until: vec![0; self.cores],
            world: Rc::clone(&world),
        };
        let result = catch_unwind(AssertUnwindSafe(|| {
            let mut main = Box::pin(main());
            let end = run.drive(self, main.as_mut());
            world.running.set(false);
            end
        }));
        world.running.set(false);
        let teardown = run.drop_tasks();
        drop(world.watch.take());
        self.report = Report {
            steps: world.steps.get(),
            events: world.events.get(),
            virtual_ns: world.now_ns.get(),
            trace_hash: world.trace.borrow().hash(),
        };
        drop(entered);
        let failed = match (result, teardown) {
            (Ok(Ok(outcome)), Ok(())) => return outcome,
            (Ok(Err(why)), _) => panic!("{}", failure(&world, &why)),
            (Ok(Ok(outcome)), Err(payload)) if payload.is::<Died>() => return outcome,
            (Ok(Ok(_)), Err(payload)) => payload,
            (Err(payload), _) => match world.died.borrow_mut().take() {
                Some(died) => return Outcome::Died(died),
                None => payload,
            },
        };
        eprintln!("{}", failure(&world, "a panic"));
        resume_unwind(failed)
    }
}

/// What to print about a run that failed.
fn failure(world: &World, why: &str) -> String {
    format!(
        "simulation failed: {why}\n  seed {}, step {}, disk event {}, {} ns\n{}",
        world.seed,
        world.steps.get(),
        world.events.get(),
        world.now_ns.get(),
        world.trace.borrow()
    )
}

/// The seeds of a randomised test: `0..count`, or the single one in the environment's `RHINOBOX_SEED`.
pub fn seeds(count: u64) -> impl Iterator<Item = u64> {
    let chosen: Option<u64> = std::env::var("RHINOBOX_SEED")
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("RHINOBOX_SEED is not a number: {text}")));
    match chosen {
        Some(seed) => seed..seed.saturating_add(1),
        None => 0..count,
    }
}

struct Task {
    core: CoreId,
    future: Pin<Box<dyn Future<Output = ()>>>,
    waker: Arc<TaskWaker>,
}

/// Tasks that were woken, by core.
struct Ready {
    cores: Mutex<Vec<Vec<u64>>>,
}

impl Ready {
    fn with<T>(&self, look: impl FnOnce(&mut Vec<Vec<u64>>) -> T) -> T {
        look(&mut self.cores.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct TaskWaker {
    ready: Arc<Ready>,
    task: u64,
    core: CoreId,
    queued: AtomicBool,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            self.ready.with(|cores| cores[self.core.0].push(self.task));
        }
    }
}

/// One run under way.
struct Run {
    world: Rc<World>,
    ready: Arc<Ready>,
    tasks: BTreeMap<u64, Task>,
    next_task: u64,
    stalled_until: Vec<u64>,
}

impl Run {
    fn drive<F: Future>(
        &mut self,
        sim: &mut Sim,
        mut main: Pin<&mut F>,
    ) -> Result<Outcome<F::Output>, String> {
        let world = Rc::clone(&self.world);
        let main_waker = self.waker(MAIN, CoreId(0));
        main_waker.wake_by_ref();
        for task in sim.first.drain(..) {
            self.admit(task);
        }
        loop {
            let spawned = world.spawned.take();
            spawned.into_iter().for_each(|task| self.admit(task));
            self.fire_timers();
            let step = world.steps.get() + 1;
            if sim.stop_at_step == Some(step) {
                return Ok(Outcome::Cut);
            }
            if step > sim.steps_max {
                return Err(format!("livelock: more than {} steps", sim.steps_max));
            }
            let Some(core) = self.choose_core(sim) else {
                if !self.jump() {
                    return Err(
                        "deadlock: nothing is ready, no timer runs, and the main future is pending".into()
                    );
                }
                continue;
            };
            let number = self.choose_task(core);
            world.steps.set(step);
            world.trace.borrow_mut().mix(number);
            world.core.set(CoreId(core));
            let mut done = None;
            if number == MAIN {
                main_waker.queued.store(false, Ordering::Relaxed);
                let waker = Waker::from(Arc::clone(&main_waker));
                if let Poll::Ready(value) = main.as_mut().poll(&mut Context::from_waker(&waker)) {
                    done = Some(value);
                }
            } else {
                self.poll_task(number);
            }
            world.now_ns.set(world.now_ns.get() + world.draw(|rng| rng.between(50, 2_000)));
            if let Some(why) = world.violation.borrow_mut().take() {
                return Err(why);
            }
            if let Some(died) = world.died.borrow_mut().take() {
                return Ok(Outcome::Died(died));
            }
            if world.cut.get() {
                return Ok(Outcome::Cut);
            }
            if let Some(value) = done {
                return Ok(Outcome::Done(value));
            }
        }
    }

    fn waker(&self, task: u64, core: CoreId) -> Arc<TaskWaker> {
        Arc::new(TaskWaker { ready: Arc::clone(&self.ready), task, core, queued: AtomicBool::new(false) })
    }

    fn admit(&mut self, Spawned { core, future }: Spawned) {
        let number = self.next_task;
        self.next_task += 1;
        let waker = self.waker(number, core);
        waker.wake_by_ref();
        self.tasks.insert(number, Task { core, future, waker });
    }

    fn fire_timers(&mut self) {
        let now = self.world.now_ns.get();
        loop {
            let mut timers = self.world.timers.borrow_mut();
            match timers.first_entry() {
                Some(first) if first.key().0 <= now => {
                    let waker = first.remove();
                    drop(timers);
                    waker.wake();
                }
                _ => return,
            }
        }
    }

    /// A core that has a ready task and is not stalled, in proportion to its ready tasks.
    fn choose_core(&mut self, sim: &Sim) -> Option<usize> {
        let now = self.world.now_ns.get();
        loop {
            let core = self.ready.with(|cores| {
                let stalled = &self.stalled_until;
                let free = |core: usize| if stalled[core] > now { 0 } else { cores[core].len() };
                let total: usize = (0..cores.len()).map(free).sum();
                let mut left = self.world.draw(|rng| (total > 0).then(|| rng.index(total)))?;
                (0..cores.len()).find(|core| {
                    let here = left < free(*core);
                    left = left.wrapping_sub(free(*core));
                    here
                })
            })?;
            if !self.world.draw(|rng| rng.one_in(sim.stall_one_in)) {
                return Some(core);
            }
            let until_ns = now + 1 + self.world.draw(|rng| rng.below(sim.stall_ns_max.max(1)));
            self.stalled_until[core] = until_ns;
            self.world.record(What::Stall { core: CoreId(core), until_ns });
        }
    }

    fn choose_task(&self, core: usize) -> u64 {
        self.ready.with(|cores| {
            let chosen = self.world.draw(|rng| rng.index(cores[core].len()));
            cores[core].swap_remove(chosen)
        })
    }

    fn poll_task(&mut self, number: u64) {
        // A wake-up may come after the task's end.
        let Some(task) = self.tasks.get_mut(&number) else { return };
        task.waker.queued.store(false, Ordering::Relaxed);
        let waker = Waker::from(Arc::clone(&task.waker));
        if task.future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            let ended = self.tasks.remove(&number);
            drop(ended);
        }
    }

    /// Lets time go on to the next thing that can happen; false if there is none.
    fn jump(&mut self) -> bool {
        let timer = self.world.timers.borrow().first_key_value().map(|(key, _)| key.0);
        let stall_end = self.ready.with(|cores| {
            let held = cores.iter().zip(&self.stalled_until).filter(|(ready, _)| !ready.is_empty());
            held.map(|(_, until)| *until).min()
        });
        let Some(next) = timer.into_iter().chain(stall_end).min() else { return false };
        self.world.now_ns.set(next.max(self.world.now_ns.get()));
        self.world.record(What::Jump);
        true
    }

    /// Drops every task. Goes on after one that panics while it is dropped, and gives the first such panic.
    fn drop_tasks(&mut self) -> std::thread::Result<()> {
        let mut result = Ok(());
        let spawned = self.world.spawned.take().into_iter().map(|task| (task.core, task.future));
        let tasks = std::mem::take(&mut self.tasks).into_values().map(|task| (task.core, task.future));
        for (core, future) in tasks.chain(spawned) {
            self.world.core.set(core);
            let dropped = catch_unwind(AssertUnwindSafe(|| drop(future)));
            result = result.and(dropped);
        }
        result
    }
}
