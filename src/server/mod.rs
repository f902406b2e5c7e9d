//! Endpoints: where the wire ([`crate::http`]) and the store meet.
//!
//! A connection belongs to one core for its life ([`conn`]). [`dispatch`] finds the endpoint; [`upload`], [`put`],
//! [`download`], [`names`], [`many_names`], [`dedup`], [`files`], [`amend`], [`mod@delete`] and [`health`] answer; [`page`] is what people see.
//! [`access`] keeps a line of each request. [`admit`] keeps uploads out that the store cannot take in time. [`error`] is the one table from errors to statuses.

pub mod accept;
pub mod access;
pub mod admit;
pub mod amend;
pub mod answer;
mod authorize;
pub mod body;
pub mod conn;
pub mod core;
pub mod deadline;
pub mod dedup;
pub mod delete;
mod described;
pub mod dispatch;
pub mod download;
pub mod error;
pub mod files;
pub mod health;
mod json_body;
mod linger;
pub mod many_names;
pub mod metrics;
pub mod names;
pub mod ndjson;
pub mod openapi;
pub mod page;
mod parts;
pub mod put;
pub mod stats;
#[cfg(test)]
mod testing;
pub mod upload;

pub use core::{Core, Message};
pub use metrics::Metrics;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::catalogue::Catalogue;
use crate::http::origin::Hosts;
use crate::ingest::Queue;
use crate::runtime::inbox::Inbox;
use crate::store::{Durability, ScrubPace};
use crate::tokens::Gate;
use access::AccessLog;

/// What the cores share besides the store.
pub struct Shared {
    /// What the operator chose.
    pub settings: ServerSettings,
    /// Who may ask.
    pub hosts: Hosts,
    /// Who of them is let in.
    pub gate: Arc<Gate>,
    /// One for each core.
    pub inboxes: Vec<Inbox<Message>>,
    /// Files admitted and not yet stored.
    pub queue: Arc<Queue>,
    /// Counts and times.
    pub metrics: Metrics,
    /// Set before the first core is ready, unless there is to be none.
    catalogue: OnceLock<Arc<Catalogue>>,
    /// Set before the cores start, if there is to be one.
    access_log: OnceLock<AccessLog>,
    draining: AtomicBool,
    ready_cores: AtomicUsize,
}

/// The settings that endpoints need.
#[derive(Clone, Copy, Debug)]
pub struct ServerSettings {
    /// The largest request body.
    pub upload_bytes_max: u64,
    /// See [`Durability`].
    pub durability: Durability,
    /// Memory for receiving, slices and sending, of all cores.
    pub buffer_bytes: usize,
    /// What a client has for a head.
    pub head_timeout: Duration,
    /// The grace before a body must keep its rate.
    pub body_timeout: Duration,
    /// The minimum rate of a body, bytes a second; 0: none.
    pub body_rate: usize,
    /// How long an idle connection is kept.
    pub idle_timeout: Duration,
    /// How long a client may leave an answer unread.
    pub answer_timeout: Duration,
    /// How everything stored is read again, if at all.
    pub scrub: Option<ScrubPace>,
    /// What requests in work get when the daemon is told to stop.
    pub stop_timeout: Duration,
}

impl Shared {
    /// The state before the first core is ready.
    #[must_use]
    pub fn new(settings: ServerSettings, hosts: Hosts, gate: Arc<Gate>, cores: usize) -> Arc<Shared> {
        Arc::new(Shared {
            settings,
            hosts,
            gate,
            inboxes: (0..cores).map(|_| Inbox::new(crate::limits::INBOX_MESSAGES_MAX)).collect(),
            queue: Arc::new(Queue::default()),
            metrics: Metrics::new(cores),
            catalogue: OnceLock::new(),
            access_log: OnceLock::new(),
            draining: AtomicBool::new(false),
            ready_cores: AtomicUsize::new(0),
        })
    }

    /// Sets the catalogue, once.
    pub fn set_catalogue(&self, catalogue: Arc<Catalogue>) {
        let _first = self.catalogue.set(catalogue);
    }

    /// The catalogue; `None` before the store is open, and where there is to be none.
    #[must_use]
    pub fn catalogue(&self) -> Option<&Arc<Catalogue>> {
        self.catalogue.get()
    }

    /// Sets the access log, once.
    pub fn set_access_log(&self, log: AccessLog) {
        let _first = self.access_log.set(log);
    }

    /// The access log, where one is kept.
    #[must_use]
    pub fn access_log(&self) -> Option<&AccessLog> {
        self.access_log.get()
    }

    /// Whether the daemon is on its way out.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Whether every core has its lane.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ready_cores.load(Ordering::Relaxed) == self.inboxes.len() && !self.is_draining()
    }

    /// One more core has its lane; whether it was the last.
    pub fn note_ready_core(&self) -> bool {
        self.ready_cores.fetch_add(1, Ordering::Relaxed) + 1 == self.inboxes.len()
    }

    /// Tells every core to finish and stop. May be called from any thread.
    pub fn stop(&self) {
        self.draining.store(true, Ordering::Relaxed);
        for inbox in &self.inboxes {
            // A full inbox: the core looks at the flag at its next deadline tick anyway.
            let _full = inbox.push(Message::Stop);
        }
    }
}
