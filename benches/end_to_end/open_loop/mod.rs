//! An open loop: requests are sent when they are due, whatever became of those before, as by users who do not know of
//! each other (Schroeder, Wierman and Harchol-Balter, Open Versus Closed, 2006). A time counts from the moment a request
//! was due, so that none is left out because the client itself was late.
//!
//! Always: who has no answer within the patience has gone away, connection and all, as a browser's user would.

mod client;

use std::time::Duration;

use hdrhistogram::Histogram;

use self::client::Client;
use crate::Result;
use crate::daemon::Daemon;
use crate::load::Batch;
use crate::measure::Snapshot;

const LATENCY_NS_MAX: u64 = 120_000_000_000;

/// Offers requests and follows each to its end.
///
/// # Errors
/// If an answer is neither success nor 503, or the client runs out of what it needs.
pub(crate) fn offer(daemon: &Daemon, offer: Offer) -> Result<Outcome> {
    let outcome = Outcome {
        due: 0,
        stored: 0,
        shed: 0,
        late: 0,
        broken: 0,
        answered: 0,
        latency: Histogram::new_with_max(LATENCY_NS_MAX, 3)?,
        snapshots: Vec::new(),
    };
    Client::new(daemon, offer, outcome)?.run()
}

/// How the client connects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Connections {
    /// A request takes a connection that is open and idle, if there is one.
    Kept,
    /// A connection for each request.
    New,
}

/// When requests are due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Arrivals {
    /// At even distances.
    Constant,
    /// As of many independent users: distances are exponentially distributed.
    Poisson,
}

/// What is offered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offer {
    pub(crate) batch: Batch,
    pub(crate) connections: Connections,
    pub(crate) arrivals: Arrivals,
    /// At once, below what a process may open. What is due beyond them waits in the client, and that time counts.
    pub(crate) requests_max: usize,
    /// Requests a second.
    pub(crate) rate: f64,
    pub(crate) warm_up: Duration,
    pub(crate) time: Duration,
    pub(crate) patience: Duration,
    /// Of the arrivals, and of the contents: two offers to one daemon need two.
    pub(crate) seed: u64,
}

/// What became of the requests that were due in the measured time.
pub(crate) struct Outcome {
    pub(crate) due: u64,
    pub(crate) stored: u64,
    pub(crate) shed: u64,
    /// Without an answer within the patience.
    pub(crate) late: u64,
    /// Whose connection broke.
    pub(crate) broken: u64,
    /// Answers of success within the measured time, whenever they were due.
    pub(crate) answered: u64,
    /// Of those that were stored, nanoseconds.
    pub(crate) latency: Histogram<u64>,
    /// At the beginning and the end of the measured time.
    pub(crate) snapshots: Vec<Snapshot>,
}
