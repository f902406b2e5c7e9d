//! Cores: pinned threads with one executor each.
//!
//! What always holds: a core's ring is built and used by its own thread only; a panic that no task has caught ends
//! the process; an executor is never torn down, as the kernel may still own buffers of operations under way.

use std::any::Any;
use std::cell::{Cell, OnceCell};
use std::future::Future;
use std::io;
use std::io::Write;
use std::mem::ManuallyDrop;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::mpsc;
use std::task::{Context, Poll};
use std::thread::JoinHandle;

use io_uring::{IoUring, Probe, opcode};
use monoio::time::TimeDriver;
use monoio::{IoUringDriver, RuntimeBuilder};

use super::fatal::{self, Exit};
use super::topology::Cpu;
use super::{helper, sim};
use crate::limits::RING_ENTRIES;

/// A core's index, 0 to n - 1 (not the processor's number).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CoreId(pub usize);

thread_local! {
    static CURRENT: Cell<Option<CoreId>> = const { Cell::new(None) };
    static YIELDING: OnceCell<Rc<AlwaysReadable>> = const { OnceCell::new() };
}

/// The core this code runs on. Panics on a thread that is none.
#[must_use]
pub fn current() -> CoreId {
    if sim::active() {
        return sim::current();
    }
    CURRENT.get().expect("this thread is a core")
}

/// Starts a task on this core.
pub fn spawn(task: impl Future<Output = ()> + 'static) {
    if sim::active() {
        sim::spawn(task);
    } else {
        // The handle may go: the task runs on without it.
        drop(monoio::spawn(task));
    }
}

/// A socket with a byte that is never read, and the end it came from.
struct AlwaysReadable {
    socket: monoio::net::UnixStream,
    _peer: UnixStream,
}

impl AlwaysReadable {
    fn new() -> io::Result<AlwaysReadable> {
        let (socket, mut peer) = UnixStream::pair()?;
        peer.write_all(&[0])?;
        Ok(AlwaysReadable { socket: monoio::net::UnixStream::from_std(socket)?, _peer: peer })
    }
}

/// Lets other tasks and the ring's completions go first.
///
/// Awaits a poll of a socket that is always readable: a task that only woke itself would go to the front of
/// monoio's queue, and while that queue is not empty the ring is never waited on.
pub async fn yield_now() {
    if sim::active() {
        return sim::yield_now().await;
    }
    let yielding = YIELDING.with(|y| y.get().map(Rc::clone)).expect("a core makes its own before main");
    // A failed poll has been to the ring as well, which is all that is wanted.
    let _ = yielding.socket.readable(false).await;
}

/// `future`'s result, or what it said when it panicked. The future is dropped before this returns.
pub async fn catch_panic<F: Future>(future: F) -> Result<F::Output, String> {
    CatchPanic { future: Some(Box::pin(future)) }.await
}

struct CatchPanic<F> {
    future: Option<Pin<Box<F>>>,
}

impl<F: Future> Future for CatchPanic<F> {
    type Output = Result<F::Output, String>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let future = self.future.as_mut().expect("not polled after it is ready");
        let end = match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(output)) => Ok(output),
            Err(panic) => Err(panic_text(&*panic)),
        };
        let future = self.future.take();
        match catch_unwind(AssertUnwindSafe(|| drop(future))) {
            Ok(()) => Poll::Ready(end),
            Err(panic) => Poll::Ready(end.and_then(|_| Err(panic_text(&*panic)))),
        }
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "a panic without words".to_owned(),
    }
}

type Executor = monoio::Runtime<TimeDriver<IoUringDriver>>;

/// The ring flags in order of preference. COOP_TASKRUN saves interrupts between processors, SINGLE_ISSUER locks,
/// SUBMIT_ALL goes on behind an operation that fails at once. Kernels before 6.0 refuse them.
/// Never DEFER_TASKRUN: monoio submits without asking for completions after a wake from another core.
fn executor() -> io::Result<Executor> {
    let mut flags = IoUring::builder();
    flags.setup_coop_taskrun().setup_single_issuer().setup_submit_all();
    let build = |flags| {
        let builder = RuntimeBuilder::<IoUringDriver>::new().with_entries(RING_ENTRIES);
        builder.uring_builder(flags).enable_timer().build()
    };
    match build(flags) {
        Err(e) if e.raw_os_error() == Some(libc::EINVAL) => build(IoUring::builder()),
        result => result,
    }
}

/// Whether io_uring can be had and does what is needed; the error says why not.
fn probe() -> io::Result<()> {
    let say = |e: io::Error| {
        let why = match e.raw_os_error() {
            Some(libc::ENOSYS) => "this kernel has none, or a seccomp profile hides it".to_owned(),
            Some(libc::EPERM | libc::EACCES) => {
                let path = "/proc/sys/kernel/io_uring_disabled";
                let disabled = std::fs::read_to_string(path).unwrap_or_default();
                match disabled.trim() {
                    "" | "0" => "a seccomp profile or security module forbids it".to_owned(),
                    value => format!("sysctl kernel.io_uring_disabled is {value}"),
                }
            }
            Some(libc::ENOMEM) => format!("{e}; the locked-memory limit (ulimit -l) may be too low"),
            _ => e.to_string(),
        };
        io::Error::new(e.kind(), format!("io_uring is not available: {why}"))
    };
    let ring = IoUring::new(8).map_err(say)?;
    let mut probe = Probe::new();
    ring.submitter().register_probe(&mut probe).map_err(say)?;
    let needed = [
        ("read", opcode::Read::CODE),
        ("write", opcode::Write::CODE),
        ("fsync", opcode::Fsync::CODE),
        ("accept", opcode::Accept::CODE),
        ("recv", opcode::Recv::CODE),
        ("send", opcode::Send::CODE),
        ("writev", opcode::Writev::CODE),
        ("poll", opcode::PollAdd::CODE),
        ("close", opcode::Close::CODE),
    ];
    let missing = needed.iter().find(|(_, code)| !probe.is_supported(*code)).map(|(name, _)| *name);
    let params = ring.params();
    let missing = missing.or((!params.is_feature_nodrop()).then_some("completions that are never dropped"));
    match missing {
        Some(what) => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            format!("io_uring is not available: this kernel's is too old, it lacks {what}"),
        )),
        None => Ok(()),
    }
}

/// Starts one pinned thread a processor of `cpus`, each running `main(CoreId)` on its own executor, once all of
/// them are ready. `Err` where io_uring is not available, with a sentence that says so; no `main` has run then.
pub fn launch<F, Fut>(cpus: &[Cpu], main: F) -> io::Result<Cores>
where
    F: Fn(CoreId) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = ()> + 'static,
{
    probe()?;
    helper::start()?;
    let (ready, readiness) = mpsc::channel();
    let mut starts = Vec::with_capacity(cpus.len());
    let mut threads = Vec::with_capacity(cpus.len());
    for (index, cpu) in cpus.iter().copied().enumerate() {
        let (start, started) = mpsc::channel::<()>();
        let (ready, main) = (ready.clone(), main.clone());
        let thread = std::thread::Builder::new().name(format!("core-{index}"));
        threads.push(thread.spawn(move || run_core(CoreId(index), cpu, &ready, &started, main))?);
        starts.push(start);
    }
    drop(ready);
    for _ in cpus {
        // Returning early drops `starts`, and with it every thread that waits for its start.
        readiness
            .recv()
            .unwrap_or_else(|_| Err(io::Error::other("a core's thread ended before it was ready")))?;
    }
    for start in starts {
        // A thread that is gone has ended the process.
        let _ = start.send(());
    }
    Ok(Cores { threads })
}

/// The life of a core's thread.
fn run_core<F, Fut>(
    core: CoreId,
    cpu: Cpu,
    ready: &mpsc::Sender<io::Result<()>>,
    started: &mpsc::Receiver<()>,
    main: F,
) where
    F: Fn(CoreId) -> Fut,
    Fut: Future<Output = ()> + 'static,
{
    CURRENT.set(Some(core));
    if !core_affinity::set_for_current(core_affinity::CoreId { id: cpu.0 }) {
        tracing::warn!(core = core.0, cpu = cpu.0, "cannot pin the core to its processor; it runs unpinned");
    }
    let mut executor = match executor() {
        // Never dropped: that would free buffers of operations the kernel still works on.
        Ok(executor) => ManuallyDrop::new(executor),
        Err(e) => {
            let text = format!("core {} has no io_uring: {e}", core.0);
            let _ = ready.send(Err(io::Error::new(e.kind(), text)));
            return;
        }
    };
    let _ = ready.send(Ok(()));
    if started.recv().is_err() {
        return;
    }
    let end = catch_unwind(AssertUnwindSafe(|| {
        executor.block_on(async {
            let yielding = AlwaysReadable::new().expect("a pair of sockets for yielding can be had");
            YIELDING.with(|y| y.set(Rc::new(yielding)).ok());
            main(core).await;
            // What `main` dropped last is closed through the ring, which nobody submits after this.
            yield_now().await;
        });
    }));
    if let Err(panic) = end {
        fatal::exit(Exit::Panicked, &format!("core {} panicked: {}", core.0, panic_text(&*panic)));
    }
}

/// The running cores.
pub struct Cores {
    threads: Vec<JoinHandle<()>>,
}

impl Cores {
    /// Waits until every core's `main` has returned. Tasks that still run on a core then stop where they are: exit
    /// the process. A core that panicked ends the process (see `fatal`).
    pub fn join(self) {
        for thread in self.threads {
            if let Err(panic) = thread.join() {
                fatal::exit(Exit::Panicked, &format!("a core's thread panicked: {}", panic_text(&*panic)));
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::runtime::topology;
    use std::cell::RefCell;
    use std::sync::{Arc, Mutex};
    use std::time::{Duration, Instant};

    /// Runs `main` on `n` real cores to its end; a panic in it is the test's.
    pub(crate) fn on_cores<F, Fut>(n: usize, main: F)
    where
        F: Fn(CoreId) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = ()> + 'static,
    {
        let failed = Arc::new(Mutex::new(None));
        let failure = Arc::clone(&failed);
        let cpus = topology::cpus(Some(n)).unwrap();
        let cores = launch(&cpus, move |core| {
            let (main, failure) = (main.clone(), Arc::clone(&failure));
            async move {
                if let Err(text) = catch_panic(main(core)).await {
                    *failure.lock().unwrap() = Some(text);
                }
            }
        });
        cores.unwrap().join();
        if let Some(text) = failed.lock().unwrap().take() {
            panic!("on a core: {text}");
        }
    }

    pub(crate) fn on_one_core<F, Fut>(main: F)
    where
        F: Fn() -> Fut + Clone + Send + 'static,
        Fut: Future<Output = ()> + 'static,
    {
        on_cores(1, move |_| main());
    }

    #[test]
    fn every_core_knows_its_number() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let seeing = Arc::clone(&seen);
        on_cores(3, move |core| {
            let seen = Arc::clone(&seeing);
            async move {
                assert_eq!(current(), core);
                seen.lock().unwrap().push(core.0);
            }
        });
        let mut seen = seen.lock().unwrap().clone();
        seen.sort_unstable();
        assert_eq!(seen, [0, 1, 2]);
    }

    #[test]
    fn yielding_lets_tasks_timers_and_wakes_from_elsewhere_run() {
        on_one_core(|| async {
            let log = Rc::new(RefCell::new(Vec::new()));
            for _ in 0..2 {
                // Two that yield all the time: the queue is never empty for long.
                let log = Rc::clone(&log);
                spawn(async move {
                    while log.borrow().len() < 3 {
                        yield_now().await;
                    }
                });
            }
            let (a, b, c) = (Rc::clone(&log), Rc::clone(&log), Rc::clone(&log));
            spawn(async move { a.borrow_mut().push("task") });
            spawn(async move {
                monoio::time::sleep(Duration::from_millis(5)).await;
                b.borrow_mut().push("timer");
            });
            let (sender, receiver) = crate::runtime::sync::oneshot::channel();
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(2));
                sender.send(());
            });
            spawn(async move {
                receiver.await;
                c.borrow_mut().push("wake");
            });
            let begin = Instant::now();
            while log.borrow().len() < 3 {
                assert!(begin.elapsed() < Duration::from_secs(5), "only {:?} ran", log.borrow());
                yield_now().await;
            }
        });
    }

    #[test]
    fn a_panic_is_caught_with_its_words_and_the_core_goes_on() {
        on_one_core(|| async {
            let held = Rc::new(());
            let inside = Rc::clone(&held);
            let end = catch_panic(async move {
                yield_now().await;
                let _inside = inside;
                let nothing: Vec<u8> = Vec::new();
                assert!(!nothing.is_empty(), "nothing is {}", "empty");
            });
            assert_eq!(end.await, Err("nothing is empty".to_owned()));
            assert_eq!(Rc::strong_count(&held), 1, "the future is gone");
            assert_eq!(catch_panic(async { 4 }).await, Ok(4));
        });
    }
}
