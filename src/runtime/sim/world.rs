//! The simulated machine as the code that runs on it sees it: clock, timers, the core it stands on, chance, and the
//! ways a simulated process ends. One world belongs to one run; a thread-local leads to it.
//!
//! Time goes on only in the scheduler: a little with every poll, and to the next timer when nothing is ready.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::faults::Op;
use super::rng::Rng;
use super::trace::{Phase, Trace, What};
use crate::base::time::Wall;
use crate::runtime::core::CoreId;

/// The resolution of `sleep`: that of the daemon's timers.
const TICK_NS: u64 = 1_000_000;
/// Where the virtual wall clock begins: 2026-01-01T00:00:00Z.
const WALL_START_NS: i64 = 1_767_225_600_000_000_000;

thread_local! {
    static WORLD: RefCell<Option<Rc<World>>> = const { RefCell::new(None) };
}

/// How the simulated process ended itself: the panic payload of [`died`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Died {
    /// The exit code.
    pub code: i32,
    /// The reason that was given.
    pub why: String,
}

/// Told the number of each disk event, just before the phase takes effect.
pub(super) type Watch = Box<dyn FnMut(u64)>;

/// A task as it was spawned, on its way to the scheduler.
pub(super) struct Spawned {
    pub(super) core: CoreId,
    pub(super) future: Pin<Box<dyn Future<Output = ()>>>,
}

pub(super) struct World {
    pub(super) seed: u64,
    pub(super) cores: usize,
    pub(super) now_ns: Cell<u64>,
    pub(super) core: Cell<CoreId>,
    pub(super) steps: Cell<u64>,
    pub(super) events: Cell<u64>,
    pub(super) stop_at_event: Option<u64>,
    pub(super) watch: RefCell<Option<Watch>>,
    pub(super) wall_jump_one_in: u64,
    /// False once the run has ended and its tasks are being dropped.
    pub(super) running: Cell<bool>,
    pub(super) cut: Cell<bool>,
    pub(super) died: RefCell<Option<Died>>,
    /// A rule of the machine that the code under test broke.
    pub(super) violation: RefCell<Option<String>>,
    pub(super) spawned: RefCell<Vec<Spawned>>,
    pub(super) timers: RefCell<BTreeMap<(u64, u64), Waker>>,
    pub(super) trace: RefCell<Trace>,
    /// Chance of the machine: scheduling, latencies.
    pub(super) rng: RefCell<Rng>,
    /// Chance of the program, `random_u64`.
    program_rng: RefCell<Rng>,
    wall_offset_ns: Cell<i64>,
    timers_made: Cell<u64>,
}

impl World {
    pub(super) fn new(seed: u64, cores: usize, stop_at_event: Option<u64>, wall_jump_one_in: u64) -> World {
        let mut rng = Rng::new(seed);
        let program_rng = rng.fork();
        World {
            seed,
            cores,
            now_ns: Cell::new(0),
            core: Cell::new(CoreId(0)),
            steps: Cell::new(0),
            events: Cell::new(0),
            stop_at_event,
            watch: RefCell::new(None),
            wall_jump_one_in,
            running: Cell::new(true),
            cut: Cell::new(false),
            died: RefCell::new(None),
            violation: RefCell::new(None),
            spawned: RefCell::new(Vec::new()),
            timers: RefCell::new(BTreeMap::new()),
            trace: RefCell::new(Trace::new()),
            rng: RefCell::new(rng),
            program_rng: RefCell::new(program_rng),
            wall_offset_ns: Cell::new(WALL_START_NS),
            timers_made: Cell::new(0),
        }
    }

    pub(super) fn record(&self, what: What) {
        self.trace.borrow_mut().push(self.now_ns.get(), self.core.get(), what);
    }

    /// Draws from the machine's chance.
    pub(super) fn draw<T>(&self, from: impl FnOnce(&mut Rng) -> T) -> T {
        from(&mut self.rng.borrow_mut())
    }

    /// A phase of a disk operation is reached. Where the run is to be cut at this event, it never returns, and the
    /// phase has no effect.
    pub(super) async fn event(&self, op: Op, phase: Phase, path: &Arc<str>, offset: u64, len: u64) {
        self.events.set(self.events.get() + 1);
        self.record(What::Disk { op, phase, path: Arc::clone(path), offset, len });
        if let Some(watch) = &mut *self.watch.borrow_mut() {
            watch(self.events.get());
        }
        if self.stop_at_event == Some(self.events.get()) {
            self.cut.set(true);
        }
        if self.cut.get() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits exactly so long.
    pub(super) async fn delay(self: &Rc<Self>, ns: u64) {
        self.wait_until(self.now_ns.get().saturating_add(ns)).await;
    }

    pub(super) fn wait_until(self: &Rc<Self>, deadline_ns: u64) -> impl Future<Output = ()> + use<> {
        Timer { world: Rc::clone(self), deadline_ns, key: None }
    }
}

/// Waits for a moment of virtual time. Leaves no trace when dropped.
struct Timer {
    world: Rc<World>,
    deadline_ns: u64,
    key: Option<(u64, u64)>,
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.world.now_ns.get() >= self.deadline_ns {
            return Poll::Ready(());
        }
        let key = self.key.unwrap_or_else(|| {
            let number = self.world.timers_made.get();
            self.world.timers_made.set(number + 1);
            (self.deadline_ns, number)
        });
        self.world.timers.borrow_mut().insert(key, cx.waker().clone());
        self.key = Some(key);
        Poll::Pending
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            let forgotten = self.world.timers.borrow_mut().remove(&key);
            drop(forgotten);
        }
    }
}

/// Makes `world` the one of this thread until the guard is dropped.
pub(super) struct Entered;

impl Entered {
    pub(super) fn new(world: Rc<World>) -> Entered {
        WORLD.with_borrow_mut(|current| {
            assert!(current.is_none(), "a simulation is running on this thread already");
            *current = Some(world);
        });
        Entered
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        WORLD.with_borrow_mut(Option::take);
    }
}

/// The world of this thread.
pub(super) fn world() -> Rc<World> {
    WORLD.with_borrow(|current| {
        Rc::clone(
            current.as_ref().expect("this works only inside of Sim::run; no simulation is running here"),
        )
    })
}

/// Whether this thread stands in a simulation.
#[must_use]
pub fn active() -> bool {
    WORLD.try_with(|current| current.borrow().is_some()).unwrap_or(false)
}

/// Virtual nanoseconds since the run began.
#[must_use]
pub fn now_ns() -> u64 {
    world().now_ns.get()
}

/// The virtual wall clock: goes with the virtual time, and jumps by up to a day either way if the simulation was
/// told so.
#[must_use]
pub fn wall() -> Wall {
    const DAY_NS: u64 = 86_400_000_000_000;
    let world = world();
    if world.draw(|rng| rng.one_in(world.wall_jump_one_in)) {
        let jump =
            i64::try_from(world.draw(|rng| rng.below(2 * DAY_NS))).expect("two days fit") - DAY_NS as i64;
        world.wall_offset_ns.set(world.wall_offset_ns.get().saturating_add(jump));
    }
    let elapsed = i64::try_from(world.now_ns.get()).unwrap_or(i64::MAX);
    Wall(world.wall_offset_ns.get().saturating_add(elapsed))
}

/// Waits, in virtual time, with the daemon's resolution of 1 ms, rounded up.
pub async fn sleep(duration: Duration) {
    let world = world();
    let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let deadline = world.now_ns.get().saturating_add(ns);
    world.wait_until(deadline.checked_next_multiple_of(TICK_NS).unwrap_or(u64::MAX)).await;
}

/// The core that the running task belongs to.
#[must_use]
pub fn current() -> CoreId {
    world().core.get()
}

/// Starts a task on the current core.
pub fn spawn(task: impl Future<Output = ()> + 'static) {
    spawn_on(current(), task);
}

/// Starts a task on any core, as the launch of a core does. After the end of the run the task is dropped.
pub fn spawn_on(core: CoreId, task: impl Future<Output = ()> + 'static) {
    let world = world();
    assert!(core.0 < world.cores, "core {} of {}", core.0, world.cores);
    if world.running.get() {
        world.spawned.borrow_mut().push(Spawned { core, future: Box::pin(task) });
    }
}

/// Lets others go first.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Waits as long as a helper thread might take: some microseconds, now and then milliseconds.
pub async fn helper_delay() {
    let world = world();
    let ns =
        world.draw(|rng| if rng.one_in(20) { rng.below(5_000_000) } else { rng.between(1_000, 200_000) });
    world.delay(ns).await;
}

/// Ends the simulated process, as `exit(2)` would: the run ends with `Outcome::Died`, whether or not the panic that
/// unwinds the task is caught. Nothing of the process runs any more but destructors.
///
/// Not to be called from a destructor that may run while unwinding: that would be a second panic.
pub fn died(code: i32, why: &str) -> ! {
    let end = Died { code, why: why.to_owned() };
    let world = world();
    world.record(What::Note(format!("process ends with code {code}: {why}")));
    world.died.borrow_mut().get_or_insert_with(|| end.clone());
    // Without the panic hook: this is no failure of the test.
    std::panic::resume_unwind(Box::new(end))
}

/// 64 random bits of the seed, for nonces and ids of the program under test.
#[must_use]
pub fn random_u64() -> u64 {
    world().program_rng.borrow_mut().next_u64()
}

/// Cuts the run here: the task that calls it never goes on, and nothing else is polled.
pub async fn cut() {
    world().cut.set(true);
    std::future::pending().await
}

/// Puts a line of the test's own into the trace.
pub fn note(text: impl Into<String>) {
    world().record(What::Note(text.into()));
}

/// The kernel owns the buffer of an operation until it is done: dropping the future before that, while the
/// process lives, would be a use after free in the daemon, and fails the run here.
pub(super) struct KernelOwned {
    world: Rc<World>,
    op: Op,
    done: bool,
}

impl KernelOwned {
    pub(super) fn new(world: &Rc<World>, op: Op) -> KernelOwned {
        KernelOwned { world: Rc::clone(world), op, done: false }
    }

    pub(super) fn done(mut self) {
        self.done = true;
    }
}

impl Drop for KernelOwned {
    fn drop(&mut self) {
        if !self.done && self.world.running.get() && !std::thread::panicking() {
            let text =
                format!("a future that owns kernel I/O ({:?}) was dropped before it was done", self.op);
            self.world.violation.borrow_mut().get_or_insert(text);
        }
    }
}
