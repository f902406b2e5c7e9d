//! Deadlines of connections. A pending operation is never dropped: when its time is up the socket is shut down,
//! in the direction that it waits for, and the operation ends by itself.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

use crate::limits::LINGER_STOP_MS;
use crate::runtime::clock;
use crate::runtime::net::Breaker;

/// What a connection is waiting for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Waiting {
    /// Nothing that has a deadline.
    Nothing,
    /// The first byte of a request.
    Idle,
    /// The client's bytes.
    Bytes,
    /// The client to read.
    Reader,
    /// What comes behind the last answer, to be passed over.
    Rest,
}

/// One connection's deadline.
pub struct Deadline {
    breaker: Breaker,
    waiting: Cell<Waiting>,
    /// Since when it waits for that, with whatever limits.
    since_ns: Cell<u64>,
    at_ns: Cell<u64>,
    passed: Cell<bool>,
}

impl Deadline {
    /// From now on the connection waits for `what`, for at most this long.
    pub fn set(&self, what: Waiting, limit: Duration) {
        let now_ns = clock::now_ns();
        if self.waiting.replace(what) != what {
            self.since_ns.set(now_ns);
        }
        self.at_ns.set(now_ns.saturating_add(u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX)));
    }

    /// It waits for nothing.
    pub fn clear(&self) {
        self.waiting.set(Waiting::Nothing);
    }

    /// Whether a deadline passed and the socket was shut down for it.
    #[must_use]
    pub fn has_passed(&self) -> bool {
        self.passed.get()
    }

    fn check(&self, now_ns: u64, draining: bool) {
        let late = now_ns >= self.at_ns.get();
        match self.waiting.get() {
            Waiting::Idle if late || draining => self.breaker.cut(),
            Waiting::Rest
                if late || draining && now_ns >= self.since_ns.get() + LINGER_STOP_MS * 1_000_000 =>
            {
                self.breaker.cut();
            }
            Waiting::Bytes if late => {
                // The answer, a 408, can still be sent.
                self.passed.set(true);
                self.breaker.stop_receiving();
            }
            Waiting::Reader if late => {
                self.passed.set(true);
                self.breaker.cut();
            }
            _ => {}
        }
    }
}

/// The deadlines of a core's connections.
#[derive(Default)]
pub struct Deadlines {
    all: RefCell<Vec<Weak<Deadline>>>,
}

impl Deadlines {
    /// A deadline for a new connection, not set.
    #[must_use]
    pub fn add(&self, breaker: Breaker) -> Rc<Deadline> {
        let deadline = Rc::new(Deadline {
            breaker,
            waiting: Cell::new(Waiting::Nothing),
            since_ns: Cell::new(0),
            at_ns: Cell::new(u64::MAX),
            passed: Cell::new(false),
        });
        self.all.borrow_mut().push(Rc::downgrade(&deadline));
        deadline
    }

    /// Acts on all that have passed; when the daemon is draining, also on connections without a request.
    pub fn tick(&self, draining: bool) {
        let now = clock::now_ns();
        self.all.borrow_mut().retain(|deadline| match deadline.upgrade() {
            Some(deadline) => {
                deadline.check(now, draining);
                true
            }
            None => false,
        });
    }

    /// Cuts every connection, whatever it does.
    pub fn cut_all(&self) {
        self.all.borrow().iter().filter_map(Weak::upgrade).for_each(|deadline| deadline.breaker.cut());
    }
}
