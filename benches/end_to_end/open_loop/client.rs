//! The client of an open loop: places for requests, each used for one after the other, and one epoll over all of their
//! connections.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};

use super::{Arrivals, Connections, Offer, Outcome};
use crate::Result;
use crate::answer::Answer;
use crate::daemon::Daemon;
use crate::load::Load;
use crate::measure::Snapshot;
use crate::support::random::Random;

const RECEIVE_BYTES: usize = 64 * 1024;

/// A request's place, used for one after the other.
struct Slot {
    load: Load,
    answer: Answer,
    stream: Option<TcpStream>,
    sent: usize,
    /// When its request was due; `None` while it has none.
    due: Option<Instant>,
    /// Which of its requests that is.
    number: u64,
}

/// What a request came to.
enum End {
    Answered,
    Broken,
}

/// Sends what is due, over as many connections as that takes, on one thread.
pub(super) struct Client<'a> {
    daemon: &'a Daemon,
    offer: Offer,
    epoll: rustix::fd::OwnedFd,
    slots: Vec<Slot>,
    /// Without a request: those with an open connection, and those without.
    idle: Vec<usize>,
    free: Vec<usize>,
    /// In the order they were due: slot, its request's number, when the client goes away.
    waiting: VecDeque<(usize, u64, Instant)>,
    begun: Instant,
    outcome: Outcome,
    buffer: Vec<u8>,
}

impl<'a> Client<'a> {
    pub(super) fn new(daemon: &'a Daemon, offer: Offer, outcome: Outcome) -> Result<Self> {
        Ok(Self {
            daemon,
            offer,
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            slots: Vec::new(),
            idle: Vec::new(),
            free: Vec::new(),
            waiting: VecDeque::new(),
            begun: Instant::now(),
            outcome,
            buffer: vec![0; RECEIVE_BYTES],
        })
    }

    /// To the end of the last request.
    pub(super) fn run(mut self) -> Result<Outcome> {
        // The kernel wakes a thread up to 50 us late unless it is told otherwise, and that would count as latency.
        rustix::thread::set_current_timer_slack(NonZeroU64::new(1))?;
        let mut random = Random(self.offer.seed | 1);
        let (start, end) = self.window();
        let mut due = self.begun;
        let mut events = Vec::with_capacity(1_024);
        while due < end || !self.waiting.is_empty() {
            let now = Instant::now();
            let snapshots = self.outcome.snapshots.len();
            if (snapshots == 0 && now >= start) || (snapshots == 1 && now >= end) {
                self.outcome.snapshots.push(Snapshot::take(self.daemon)?);
            }
            while due <= now && due < end && self.launch(due)? {
                due += match self.offer.arrivals {
                    Arrivals::Constant => Duration::from_secs_f64(1.0 / self.offer.rate),
                    Arrivals::Poisson => pause(&mut random, self.offer.rate),
                };
            }
            self.give_up(now)?;
            let gives_up = self.waiting.front().map(|(_, _, at)| *at);
            let next = Some(due).filter(|due| *due < end && (*due > now || self.has_room()));
            let wake = [next, gives_up].into_iter().flatten().min();
            let wait = wake.map_or(Duration::ZERO, |wake| wake.saturating_duration_since(Instant::now()));
            let wait =
                Timespec { tv_sec: wait.as_secs().cast_signed(), tv_nsec: i64::from(wait.subsec_nanos()) };
            events.clear();
            match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&wait)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                self.advance(usize::try_from(event.data.u64())?)?;
            }
        }
        while self.outcome.snapshots.len() < 2 {
            self.outcome.snapshots.push(Snapshot::take(self.daemon)?);
        }
        Ok(self.outcome)
    }

    fn window(&self) -> (Instant, Instant) {
        let start = self.begun + self.offer.warm_up;
        (start, start + self.offer.time)
    }

    fn is_measured(&self, at: Instant) -> bool {
        let (start, end) = self.window();
        start <= at && at < end
    }

    /// Whether a request more may be sent.
    fn has_room(&self) -> bool {
        self.slots.len() < self.offer.requests_max || !self.idle.is_empty() || !self.free.is_empty()
    }

    /// Sends a request that is due; false if there is no room for it yet.
    fn launch(&mut self, due: Instant) -> Result<bool> {
        let open = loop {
            // The daemon may have closed an idle connection meanwhile.
            match self.idle.pop() {
                Some(at) if self.slots[at].stream.is_none() => self.free.push(at),
                other => break other,
            }
        };
        let at = match open.or_else(|| self.free.pop()) {
            Some(at) => at,
            None if self.slots.len() < self.offer.requests_max => {
                let at = self.slots.len();
                let lane = self.offer.seed << 32 | at as u64;
                let load = Load::post(self.daemon.address, lane, self.offer.batch);
                let answer = Answer::new();
                self.slots.push(Slot { load, answer, stream: None, sent: 0, due: None, number: 0 });
                at
            }
            None => return Ok(false),
        };
        let slot = &mut self.slots[at];
        if slot.stream.is_none() {
            slot.stream = Some(begin_to_connect(self.daemon.address, &self.epoll, at)?);
        }
        let keep = slot.load.prepare();
        slot.answer.expect(keep);
        slot.sent = 0;
        slot.due = Some(due);
        slot.number += 1;
        self.waiting.push_back((at, slot.number, due + self.offer.patience));
        self.outcome.due += u64::from(self.is_measured(due));
        self.advance(at)?;
        Ok(true)
    }

    /// Goes as far with a request as the kernel lets it.
    fn advance(&mut self, at: usize) -> Result<()> {
        let slot = &mut self.slots[at];
        let Some(stream) = &mut slot.stream else { return Ok(()) };
        let Some(due) = slot.due else {
            // Idle: there is nothing to receive but the end.
            if !matches!(stream.read(&mut self.buffer), Err(error) if would_block(&error)) {
                slot.stream = None;
            }
            return Ok(());
        };
        let request = slot.load.request();
        let mut broken = false;
        while slot.sent < request.len() && !broken {
            match stream.write(&request[slot.sent..]) {
                Ok(count) => slot.sent += count,
                Err(error) if would_block(&error) || error.kind() == io::ErrorKind::NotConnected => break,
                // An answer may have come before.
                Err(_) => broken = true,
            }
        }
        let end = loop {
            match stream.read(&mut self.buffer) {
                Ok(0) => break Some(End::Broken),
                Ok(count) => {
                    slot.answer.feed(&self.buffer[..count])?;
                    if slot.answer.is_done() {
                        break Some(End::Answered);
                    }
                }
                Err(error) if would_block(&error) || error.kind() == io::ErrorKind::NotConnected => {
                    break broken.then_some(End::Broken);
                }
                Err(_) => break Some(End::Broken),
            }
        };
        match end {
            Some(end) => self.end(at, due, &end),
            None => Ok(()),
        }
    }

    /// A request has come to its end.
    fn end(&mut self, at: usize, due: Instant, end: &End) -> Result<()> {
        let now = Instant::now();
        let measured = u64::from(self.is_measured(due));
        let answered = u64::from(self.is_measured(now));
        let slot = &mut self.slots[at];
        slot.due = None;
        let whole = slot.sent == slot.load.request().len();
        match (end, slot.answer.status) {
            (End::Broken, _) => self.outcome.broken += measured,
            (End::Answered, 503) => self.outcome.shed += measured,
            (End::Answered, _) => {
                slot.load.check(&mut slot.answer)?;
                self.outcome.stored += measured;
                self.outcome.answered += answered;
                if measured > 0 {
                    let took = u64::try_from((now - due).as_nanos()).unwrap_or(u64::MAX);
                    self.outcome.latency.saturating_record(took);
                }
            }
        }
        let keeps = self.offer.connections == Connections::Kept && whole && !slot.answer.closes;
        if matches!(end, End::Answered) && keeps {
            self.idle.push(at);
        } else {
            slot.stream = None;
            self.free.push(at);
        }
        // Those in front whose request is over are waited for no longer.
        while let Some((at, number, _)) = self.waiting.front() {
            let slot = &self.slots[*at];
            if slot.number == *number && slot.due.is_some() {
                break;
            }
            self.waiting.pop_front();
        }
        Ok(())
    }

    /// Goes away from what was waited for long enough.
    fn give_up(&mut self, now: Instant) -> Result<()> {
        while let Some((at, number, _)) = self.waiting.front().copied().filter(|(_, _, until)| *until <= now)
        {
            self.waiting.pop_front();
            let slot = &mut self.slots[at];
            if slot.number != number {
                continue;
            }
            if let Some(due) = slot.due.take() {
                slot.stream = None;
                self.free.push(at);
                self.outcome.late += u64::from(self.is_measured(due));
            }
        }
        Ok(())
    }
}

/// Until the next request of many independent users.
fn pause(random: &mut Random, rate: f64) -> Duration {
    let uniform = ((random.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    Duration::from_secs_f64(-uniform.ln() / rate)
}

fn would_block(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// A connection on its way. A blocking one would hold up everything that is due while the daemon does not accept.
fn begin_to_connect(address: SocketAddr, epoll: &rustix::fd::OwnedFd, at: usize) -> Result<TcpStream> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    match connect(&socket, &address) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
        Err(error) => return Err(format!("cannot connect: {error}").into()),
    }
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    let flags =
        epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::RDHUP | epoll::EventFlags::ET;
    epoll::add(epoll, &stream, epoll::EventData::new_u64(at as u64), flags)?;
    Ok(stream)
}
