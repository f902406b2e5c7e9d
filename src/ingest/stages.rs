//! Where an upload's time goes.
//!
//! An upload is at every moment in exactly one [`Stage`], the one that its answer waits for. [`Laps`] is the clock of a
//! request: whoever comes to a border between two stages says which one has ended, and when. A slice keeps a [`Trace`] of
//! its own, wherever it runs, and the request takes from it what fell into the time that it waited for the slice.
//!
//! Always: the stages of a request add up to the time from its head to the last border; so none of them is longer than
//! the request. Work that went on beside another stage (hashing a batch's first files while the last ones arrive) made
//! nobody wait and is not counted. Times are nanoseconds of [`clock::now_ns`](crate::runtime::clock::now_ns), which all
//! cores share; nothing here reads it, allocates or locks.

use std::cell::Cell;

use crate::limits::TRACE_LAPS_MAX;
use crate::store::lane::Committed;

/// A part of an upload's time. What each one means to an operator stands in docs/OPERATING.md as well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// From the request's head until the upload is let in: checks of the head, waiting for memory and a place in the
    /// queue. Not the head's own arrival.
    Admit,
    /// Waiting for the body's bytes and for the memory to hold them, and receiving them from the kernel. Not what came in
    /// one piece with the head.
    Recv,
    /// Reading the form, collecting its files, cutting them into slices; and for a big file creating its blob.
    Parse,
    /// SHA-256 and typing, looking contents up, making names and records; and where another core does that, waiting for
    /// its turn there.
    Hash,
    /// Waiting for another upload that is storing the same content at this moment.
    Claim,
    /// From handing records to the core's committer until the write of their batch begins: the batch before, a new
    /// segment if one is due, laying the batch out.
    Queue,
    /// Write and flush of that batch; of a big file all that its blob makes it wait for: copying, checksums, writes, flush.
    Write,
    /// From there to the end of the answer: waking up, entering the index, making the answer, and the client reading it.
    Answer,
}

impl Stage {
    /// All, in the order a small upload passes them.
    pub const ALL: [Stage; 8] = [
        Stage::Admit,
        Stage::Recv,
        Stage::Parse,
        Stage::Hash,
        Stage::Claim,
        Stage::Queue,
        Stage::Write,
        Stage::Answer,
    ];

    /// Its name in metrics and headers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Stage::Admit => "admit",
            Stage::Recv => "recv",
            Stage::Parse => "parse",
            Stage::Hash => "hash",
            Stage::Claim => "claim",
            Stage::Queue => "queue",
            Stage::Write => "write",
            Stage::Answer => "answer",
        }
    }
}

/// How long each stage took, by its number in [`Stage::ALL`].
pub type Spent = [u64; Stage::ALL.len()];

/// The clock of one request. On the core of its connection.
#[derive(Debug, Default)]
pub struct Laps {
    spent_ns: [Cell<u64>; Stage::ALL.len()],
    begun_ns: Cell<u64>,
    last_ns: Cell<u64>,
}

impl Laps {
    /// A request begins.
    pub fn restart(&self, now_ns: u64) {
        self.spent_ns.iter().for_each(|spent| spent.set(0));
        self.begun_ns.set(now_ns);
        self.last_ns.set(now_ns);
    }

    /// All time since the last border was spent in this stage. A moment that is past already changes nothing.
    pub fn lap(&self, stage: Stage, now_ns: u64) {
        let spent = &self.spent_ns[stage as usize];
        spent.set(spent.get() + now_ns.saturating_sub(self.last_ns.get()));
        self.last_ns.set(self.last_ns.get().max(now_ns));
    }

    /// Since the last border a slice was waited for: that time was spent in whatever the slice was in.
    pub fn absorb(&self, trace: &Trace) {
        trace.laps[..trace.len].iter().for_each(|(stage, end_ns)| self.lap(*stage, *end_ns));
    }

    /// The last border.
    #[must_use]
    pub fn last_ns(&self) -> u64 {
        self.last_ns.get()
    }

    /// What the stages took up to the last border.
    #[must_use]
    pub fn spent(&self) -> Spent {
        std::array::from_fn(|stage| self.spent_ns[stage].get())
    }

    /// The time from the request's head until `now_ns`.
    #[must_use]
    pub fn total_ns(&self, now_ns: u64) -> u64 {
        now_ns.saturating_sub(self.begun_ns.get())
    }
}

/// When a slice left which stage. Goes home with the slice's answer.
#[derive(Clone, Copy, Debug)]
pub struct Trace {
    laps: [(Stage, u64); TRACE_LAPS_MAX],
    len: usize,
}

impl Default for Trace {
    fn default() -> Trace {
        Trace { laps: [(Stage::Hash, 0); TRACE_LAPS_MAX], len: 0 }
    }
}

impl Trace {
    /// A stage ends. The first one began when the slice was made. Of more laps than there is room for (rounds of a slice
    /// whose contents many others are storing) the oldest is forgotten; should it be asked for, the next one has its time.
    pub fn lap(&mut self, stage: Stage, now_ns: u64) {
        if self.len == TRACE_LAPS_MAX {
            self.laps.copy_within(1.., 0);
            self.len -= 1;
        }
        self.laps[self.len] = (stage, now_ns);
        self.len += 1;
    }

    /// What was handed to the committer at the last border is durable.
    pub fn committed(&mut self, committed: &Committed) {
        self.lap(Stage::Queue, committed.begun_ns);
        self.lap(Stage::Write, committed.flushed_ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(laps: &Laps) -> Vec<(&'static str, u64)> {
        let spent = laps.spent();
        Stage::ALL
            .iter()
            .map(|stage| (stage.as_str(), spent[*stage as usize]))
            .filter(|(_, ns)| *ns > 0)
            .collect()
    }

    fn committed(begun_ns: u64, flushed_ns: u64) -> Committed {
        Committed { places: Vec::new(), begun_ns, flushed_ns }
    }

    #[test]
    fn stages_stand_at_their_numbers() {
        for (number, stage) in Stage::ALL.into_iter().enumerate() {
            assert_eq!(stage as usize, number);
        }
    }

    #[test]
    fn the_stages_of_a_request_add_up_to_its_time() {
        let laps = Laps::default();
        laps.restart(1_000);
        laps.lap(Stage::Admit, 1_010);
        laps.lap(Stage::Parse, 1_030);
        let mut own = Trace::default();
        own.lap(Stage::Hash, 1_060);
        own.committed(&committed(1_100, 1_180));
        laps.absorb(&own);
        laps.lap(Stage::Answer, 1_200);
        let expected =
            [("admit", 10), ("parse", 20), ("hash", 30), ("queue", 40), ("write", 80), ("answer", 20)];
        assert_eq!(spent(&laps), expected);
        assert_eq!(laps.spent().iter().sum::<u64>(), laps.total_ns(1_200));
        laps.restart(5_000);
        assert_eq!((spent(&laps), laps.total_ns(5_007)), (vec![], 7));
    }

    #[test]
    fn of_a_slice_only_what_was_waited_for_counts() {
        let laps = Laps::default();
        laps.restart(0);
        // Hashed while the body arrived, waiting for the disk when it was whole.
        let mut hidden = Trace::default();
        hidden.lap(Stage::Hash, 40);
        hidden.committed(&committed(90, 150));
        laps.lap(Stage::Recv, 100);
        laps.absorb(&hidden);
        // One that began later than the wait for it: its core was busy.
        let mut late = Trace::default();
        late.lap(Stage::Hash, 180);
        late.committed(&committed(190, 200));
        laps.absorb(&late);
        // And one that had ended before.
        let mut past = Trace::default();
        past.lap(Stage::Hash, 60);
        past.committed(&committed(70, 199));
        laps.absorb(&past);
        assert_eq!(spent(&laps), [("recv", 100), ("hash", 30), ("queue", 10), ("write", 60)]);
        assert_eq!(laps.spent().iter().sum::<u64>(), laps.total_ns(200));
    }

    #[test]
    fn a_commit_of_nothing_takes_no_time() {
        let laps = Laps::default();
        laps.restart(100);
        let mut trace = Trace::default();
        trace.lap(Stage::Hash, 120);
        trace.committed(&Committed::default());
        laps.absorb(&trace);
        assert_eq!(spent(&laps), [("hash", 20)]);
    }

    #[test]
    fn of_too_many_rounds_the_last_ones_are_kept_and_no_time_is_lost() {
        let laps = Laps::default();
        laps.restart(0);
        let mut trace = Trace::default();
        let rounds = 10 * TRACE_LAPS_MAX as u64;
        (1..=rounds).for_each(|round| {
            trace.lap(Stage::Claim, 10 * round - 5);
            trace.lap(Stage::Write, 10 * round);
        });
        laps.absorb(&trace);
        assert_eq!(laps.spent().iter().sum::<u64>(), 10 * rounds);
        assert_eq!(laps.spent()[Stage::Write as usize], 5 * TRACE_LAPS_MAX as u64 / 2);
    }
}
