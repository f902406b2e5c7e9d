//! What a core has, and its life: take connections and slices from the inbox, watch deadlines, drain, stop.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::conn;
use super::deadline::Deadlines;
use super::{Shared, metrics};
use crate::catalogue::Follower;
use crate::http::error::Status;
use crate::ingest::{Deal, HashJob, Ingest, Offload, Slice};
use crate::limits::{CHECKPOINT_STOP_MS, DEADLINE_TICK_MS, SPACE_TICK_MS};
use crate::media::name::HASH_DIGITS;
use crate::runtime::buffer::Pool;
use crate::runtime::clock;
use crate::runtime::core::{CoreId, catch_panic, spawn};
use crate::runtime::net::Socket;
use crate::runtime::process;
use crate::runtime::sync::{Notify, Semaphore};
use crate::store::{Compactor, Lane, LaneStart, Scrubber, Store};
use crate::tokens::View;

/// What cores tell each other.
pub enum Message {
    /// A connection to serve.
    Connection(Socket),
    /// Files of another core's request.
    Slice(Slice),
    /// Part of a big file of another core to hash.
    Hash(HashJob),
    /// The store is open: this core writes this lane.
    /// The first core also compacts, with a lane of its own for the copies.
    Start(Arc<Store>, LaneStart, Option<LaneStart>),
    /// Finish and stop.
    Stop,
}

/// One core's own. `Rc`: it never leaves the core.
pub struct Core {
    /// Which core.
    pub id: CoreId,
    /// What the cores share.
    pub shared: Arc<Shared>,
    /// Who is let in, as this core knows it.
    pub view: View,
    /// Buffers.
    pub pool: Pool,
    /// Deadlines of the core's connections.
    pub deadlines: Deadlines,
    /// Bytes that requests may reserve to be received.
    pub receive_budget: Semaphore,
    /// Bytes that answers may reserve to be sent.
    pub send_budget: Semaphore,
    slice_budget: Semaphore,
    ingest: RefCell<Option<Ingest>>,
    compactor: RefCell<Option<Rc<Compactor>>>,
    scrubber: RefCell<Option<Rc<Scrubber>>>,
    follower: RefCell<Option<Rc<Follower>>>,
    date: RefCell<(i64, Rc<str>)>,
    stop: Notify,
    stopping: Cell<bool>,
}

/// How a core's memory is shared out: receiving, slices on their way, sending. In eighths.
const RECEIVE_EIGHTHS: usize = 4;
const SLICE_EIGHTHS: usize = 2;
const SEND_EIGHTHS: usize = 2;
const _: () = assert!(RECEIVE_EIGHTHS + SLICE_EIGHTHS + SEND_EIGHTHS == 8);

impl Core {
    /// A core without a store so far.
    #[must_use]
    pub fn new(id: CoreId, shared: Arc<Shared>) -> Rc<Core> {
        shared.metrics.note_thread(id.0, process::thread_id());
        let eighth = shared.settings.buffer_bytes / shared.inboxes.len() / 8;
        Rc::new(Core {
            id,
            view: View::of(&shared.gate),
            pool: Pool::new(SEND_EIGHTHS * eighth),
            deadlines: Deadlines::default(),
            receive_budget: Semaphore::new(RECEIVE_EIGHTHS * eighth),
            send_budget: Semaphore::new(SEND_EIGHTHS * eighth),
            slice_budget: Semaphore::new(SLICE_EIGHTHS * eighth),
            ingest: RefCell::new(None),
            compactor: RefCell::new(None),
            scrubber: RefCell::new(None),
            follower: RefCell::new(None),
            date: RefCell::new((i64::MIN, Rc::from(""))),
            stop: Notify::default(),
            stopping: Cell::new(false),
            shared,
        })
    }

    /// Lives until the daemon stops: everything answered is stored by then, and the lane is sealed.
    pub async fn run(self: Rc<Self>) {
        spawn(self.clone().take_messages());
        spawn(self.clone().watch_deadlines());
        self.stop.wait().await;
        self.drain().await;
        let scrubber = self.scrubber.borrow_mut().take();
        if let Some(scrubber) = scrubber {
            scrubber.stop().await;
        }
        let compactor = self.compactor.borrow_mut().take();
        if let Some(compactor) = compactor {
            compactor.stop().await;
        }
        let Some(ingest) = self.ingest() else { return };
        ingest.lane.stop().await;
        if self.id == CoreId(0) && self.all_lanes_are_closed(&ingest.store).await {
            let follower = self.follower.borrow_mut().take();
            if let Some(follower) = follower {
                follower.stop().await;
            }
            ingest.store.checkpoint_at_stop(&self.pool).await;
        }
    }

    /// Waits, for a while, until no core writes any more.
    async fn all_lanes_are_closed(&self, store: &Store) -> bool {
        let until_ns = clock::now_ns() + CHECKPOINT_STOP_MS * 1_000_000;
        while store.open_lanes() > 0 {
            if clock::now_ns() > until_ns {
                return false;
            }
            clock::sleep(Duration::from_millis(2)).await;
        }
        true
    }

    /// What an upload needs; `None` while the store is being recovered.
    #[must_use]
    pub fn ingest(&self) -> Option<Ingest> {
        self.ingest.borrow().clone()
    }

    /// Now, as HTTP has it; made once a second.
    #[must_use]
    pub fn date(&self) -> Rc<str> {
        let wall = clock::wall();
        let mut date = self.date.borrow_mut();
        if date.0 != wall.seconds() {
            *date = (wall.seconds(), Rc::from(wall.http_date().to_string()));
        }
        date.1.clone()
    }

    /// Counts an answer.
    pub fn count_status(&self, status: Status) {
        self.shared.metrics.count_status(status);
    }

    async fn take_messages(self: Rc<Self>) {
        loop {
            match self.shared.inboxes[self.id.0].next().await {
                Message::Connection(socket) => spawn(self.clone().serve(socket)),
                Message::Slice(slice) => match self.ingest() {
                    Some(ingest) => spawn(slice.run(ingest)),
                    // Dropping it tells the sender. It only sends once all cores have started.
                    None => tracing::error!("a slice came to a core without a store"),
                },
                Message::Hash(job) => job.run(),
                Message::Start(store, lane, compaction) => self.start(&store, lane, compaction),
                Message::Stop => self.stop(),
            }
        }
    }

    fn start(self: &Rc<Self>, store: &Arc<Store>, start: LaneStart, compaction: Option<LaneStart>) {
        let lane = Lane::start(store, &self.pool, start);
        self.shared.metrics.note_lane(self.id.0, lane.stats());
        if let Some(start) = compaction {
            self.compactor.replace(Some(Compactor::start(store, &self.pool, &lane, start)));
            let catalogue = self.shared.catalogue();
            self.follower.replace(catalogue.map(|catalogue| Follower::start(catalogue, store, &self.pool)));
            let scrub = self.shared.settings.scrub;
            self.scrubber.replace(scrub.map(|pace| Scrubber::start(store, &self.pool, &lane, pace)));
        }
        *self.ingest.borrow_mut() = Some(Ingest {
            store: store.clone(),
            index: store.index.handle(),
            lane,
            pool: self.pool.clone(),
            queue: self.shared.queue.clone(),
            budget: self.slice_budget.clone(),
            deal: self.dealer(),
            offload: self.offloader(),
            path_digits: HASH_DIGITS,
        });
        if self.id == CoreId(0) {
            spawn(watch_space(self.shared.clone(), store.clone()));
        }
        self.shared.note_ready_core();
    }

    /// Deals slices over all cores in turn; what falls to this one is handed back, as is what finds no room.
    fn dealer(&self) -> Deal {
        let (shared, own) = (self.shared.clone(), self.id.0);
        let last = Cell::new(own);
        Rc::new(move |slice| {
            let next = (last.get() + 1) % shared.inboxes.len();
            last.set(next);
            if next == own {
                return Err(slice);
            }
            shared.inboxes[next].push(Message::Slice(slice)).map_err(|message| match message {
                Message::Slice(slice) => slice,
                _ => unreachable_message(),
            })
        })
    }

    /// Gives hashing to the next core that has no request in work and no message waiting.
    fn offloader(&self) -> Offload {
        let (shared, own) = (self.shared.clone(), self.id.0);
        Rc::new(move |job| {
            let cores = shared.inboxes.len();
            let idle = (1..cores)
                .map(|step| (own + step) % cores)
                .find(|core| !shared.metrics.is_busy(*core) && shared.inboxes[*core].is_empty());
            let Some(idle) = idle else { return Err(job) };
            shared.inboxes[idle].push(Message::Hash(job)).map_err(|message| match message {
                Message::Hash(job) => job,
                _ => unreachable_message(),
            })
        })
    }

    async fn serve(self: Rc<Self>, socket: Socket) {
        let connection = conn::serve(self.clone(), socket);
        self.isolate(connection).await;
    }

    /// Runs a connection. Should it panic, it ends, with all that it holds, and nothing else does.
    async fn isolate(&self, connection: impl Future<Output = ()>) {
        let _counted = metrics::Counted::new(&self.shared);
        if let Err(panic) = catch_panic(connection).await {
            self.shared.metrics.count_panic();
            tracing::error!(
                panic,
                "a connection's task panicked; the connection is closed, the daemon goes on"
            );
        }
    }

    async fn watch_deadlines(self: Rc<Self>) {
        loop {
            clock::sleep(Duration::from_millis(DEADLINE_TICK_MS)).await;
            let draining = self.shared.is_draining();
            self.deadlines.tick(draining);
            if draining {
                self.stop();
            }
        }
    }

    fn stop(&self) {
        if !self.stopping.replace(true) {
            self.stop.notify();
        }
    }

    /// Waits until no core has a connection any more: another core's request may have slices here.
    async fn drain(&self) {
        let settings = &self.shared.settings;
        self.deadlines.tick(true);
        let until_ns = clock::now_ns() + u64::try_from(settings.stop_timeout.as_nanos()).unwrap_or(u64::MAX);
        while self.shared.metrics.connections() > 0 && clock::now_ns() < until_ns {
            clock::sleep(Duration::from_millis(10)).await;
        }
        self.deadlines.cut_all();
        // What was cut ends at once, but for commits on their way.
        let until_ns = clock::now_ns() + 1_000_000_000;
        while self.shared.metrics.connections() > 0 && clock::now_ns() < until_ns {
            clock::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn unreachable_message() -> ! {
    unreachable!("an inbox hands back what was pushed")
}

/// Keeps the view of the volume's space fresh.
async fn watch_space(shared: Arc<Shared>, store: Arc<Store>) {
    while !shared.is_draining() {
        clock::sleep(Duration::from_millis(SPACE_TICK_MS)).await;
        store.refresh_space().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::core::yield_now;
    use crate::runtime::sim::Sim;
    use crate::runtime::sync::oneshot;
    use crate::server::testing::shared;

    fn core() -> Rc<Core> {
        Core::new(CoreId(0), shared(1))
    }

    /// A connection in mid-request: it holds memory, is counted, and goes on in small steps. In its turn it panics.
    async fn connection(core: Rc<Core>, panics: bool) {
        let _memory = core.receive_budget.try_acquire(10_000).unwrap();
        for step in 0..10 {
            yield_now().await;
            assert!(!(panics && step == 5), "a poisonous request");
        }
    }

    #[test]
    fn a_handler_that_panics_takes_its_own_connection_and_no_other() {
        let work = async {
            let core = core();
            let whole = core.receive_budget.available();
            let mut ended = Vec::new();
            for number in 0..9 {
                let (sender, receiver) = oneshot::channel();
                let core = core.clone();
                spawn(async move {
                    core.isolate(async {
                        connection(core.clone(), number % 3 == 1).await;
                        sender.send(number);
                    })
                    .await;
                });
                ended.push(receiver);
            }
            let mut whole_ones = Vec::new();
            for ended in ended {
                whole_ones.extend(ended.await);
            }
            assert_eq!(whole_ones, [0, 2, 3, 5, 6, 8], "the others come to their end");
            // The last task is about to end.
            while core.shared.metrics.connections() > 0 {
                yield_now().await;
            }
            assert_eq!(core.receive_budget.available(), whole, "what a panic held is given back");
            let page = metrics::render(&core.shared, None, &metrics::View::take(&core.shared).await);
            assert!(page.contains("rhinobox_panics_total 3\n"), "{page}");
        };
        Sim::new(11, 1).run(|| work).done();
    }
}
