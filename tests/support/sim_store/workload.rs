//! Lives drawn from a seed.

use std::collections::BTreeSet;

use bytes::Bytes;
use rhinobox::base::digest::Digest;
use rhinobox::limits::BLOB_CHUNK_BYTES;
use rhinobox::runtime::sim::{self, Rng};

use super::INLINE_BYTES_MAX;
use super::ledger::lock;
use super::machine::Machine;
use super::request::{Request, ToSend};

/// A workload drawn from a seed: who sends what, in which order.
pub(crate) struct Workload {
    pub(crate) cores: usize,
    pub(crate) requests: Vec<(usize, Request)>,
    /// Contents to delete when all is answered.
    pub(crate) deletes: usize,
    /// Ends with a clean stop.
    pub(crate) stops: bool,
    /// So many requests are under way at once.
    pub(crate) at_once: usize,
    /// So many names are amended meanwhile, one after the other.
    pub(crate) amendments: usize,
}

impl Workload {
    pub(crate) fn draw(seed: u64) -> Workload {
        let mut rng = Rng::new(seed ^ 0x5107_ed0f);
        let cores = 1 + rng.index(3);
        let contents: Vec<ToSend> =
            (0..4 + rng.index(12)).map(|_| ToSend::new("", content(&mut rng))).collect();
        let requests = (0..2 + rng.index(6))
            .map(|_| {
                let files = match rng.below(8) {
                    0 => 130 + rng.index(20),
                    1 | 2 => 8,
                    _ => 1 + rng.index(3),
                };
                let files = (0..files).map(|_| {
                    let which = rng.index(contents.len());
                    ToSend { name: format!("file-{}.bin", rng.below(4)), ..contents[which].clone() }
                });
                let request = Request {
                    files: files.collect(),
                    comment: if rng.one_in(3) { format!("take {}", rng.below(2)) } else { String::new() },
                    streamed: rng.one_in(3),
                    seed: rng.next_u64(),
                };
                (rng.index(cores), request)
            })
            .collect();
        let deletes = if rng.one_in(2) { rng.index(3) } else { 0 };
        let (stops, at_once) = (rng.one_in(4), 1 + rng.index(4));
        // Behind all that was drawn before there were any.
        let amendments = rng.index(3);
        Workload { cores, requests, deletes, stops, at_once, amendments }
    }

    /// Sends it all.
    pub(crate) async fn run(&self, machine: &Machine) {
        for (turn, together) in self.requests.chunks(self.at_once).enumerate() {
            let sent: Vec<_> = together
                .iter()
                .map(|(core, request)| machine.send(core % self.cores, request.clone()))
                .collect();
            for number in 0..self.amendments {
                // Those that were answered last; an upload of the same may be under way.
                let path = lock(&machine.ledger).answered.keys().rev().nth((turn + number) % 4).cloned();
                if let Some(path) = path {
                    machine.amend(number % self.cores, &path).await;
                }
            }
            for outcomes in sent {
                outcomes.await.expect("a core answers");
            }
        }
        let answered: BTreeSet<Digest> = lock(&machine.ledger).answered.values().copied().collect();
        for (turn, digest) in answered.into_iter().take(self.deletes).enumerate() {
            let _unanswered = machine.delete(turn % self.cores, digest).await;
        }
        if self.stops {
            machine.stop().await;
        }
    }

    /// A simulated machine for it: in some runs cores stall and the wall clock jumps.
    pub(crate) fn sim(&self, seed: u64) -> sim::Sim {
        let sim = sim::Sim::new(seed, self.cores).wall_jumps(if seed.is_multiple_of(5) { 10 } else { 0 });
        if seed % 4 == 1 { sim.stalls(200, 20_000_000) } else { sim }
    }
}

/// A content: most are small, some as large as stands in a segment, some blobs, a few of several chunks.
pub(crate) fn content(rng: &mut Rng) -> Bytes {
    let len = match rng.below(40) {
        0 => 0,
        1..=27 => 1 + rng.index(600),
        28..=33 => 1 + rng.index(INLINE_BYTES_MAX),
        34 => INLINE_BYTES_MAX,
        35..=38 => INLINE_BYTES_MAX + 1 + rng.index(8_000),
        _ => BLOB_CHUNK_BYTES - 2 + rng.index(5_000),
    };
    let mut bytes = vec![0; len];
    rng.fill(&mut bytes);
    bytes.into()
}
