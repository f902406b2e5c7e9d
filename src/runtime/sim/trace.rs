//! What happened lately, for the one who has to understand a failing seed.
//!
//! The last [`KEPT`] entries are kept; a hash runs over all of them and over every decision of the scheduler, so
//! that two runs can be compared without keeping either.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use super::faults::Op;
use crate::runtime::core::CoreId;

/// Entries kept.
const KEPT: usize = 200;

/// One entry.
struct Entry {
    at_ns: u64,
    core: CoreId,
    what: What,
}

/// What an entry says.
pub(super) enum What {
    /// A disk operation reached a phase.
    Disk { op: Op, phase: Phase, path: Arc<str>, offset: u64, len: u64 },
    /// A disk operation was made to fail.
    Fault { op: Op, why: &'static str },
    /// A core will not be polled until then.
    Stall { core: CoreId, until_ns: u64 },
    /// Nothing was ready: time went on to the next event.
    Jump,
    /// Said by a test.
    Note(String),
}

/// Where a disk operation is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    Start,
    Apply,
    Complete,
}

/// The ring of entries and the hash over all.
pub(super) struct Trace {
    entries: VecDeque<Entry>,
    hash: u64,
}

impl Trace {
    pub(super) fn new() -> Trace {
        Trace { entries: VecDeque::with_capacity(KEPT), hash: 0xcbf2_9ce4_8422_2325 }
    }

    /// The hash over all that was pushed and mixed so far.
    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    /// Lets a decision count in the hash without an entry of its own.
    pub(super) fn mix(&mut self, value: u64) {
        self.hash = (self.hash ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }

    pub(super) fn push(&mut self, at_ns: u64, core: CoreId, what: What) {
        self.mix(at_ns);
        self.mix(core.0 as u64);
        match &what {
            What::Disk { op, phase, path, offset, len } => {
                self.mix(*op as u64);
                self.mix(*phase as u64);
                // An operation's later phases say nothing new, and there are many.
                if *phase == Phase::Start {
                    self.mix_bytes(path.as_bytes());
                    self.mix(*offset);
                    self.mix(*len);
                }
            }
            What::Fault { op, .. } => self.mix(0x100 + *op as u64),
            What::Stall { core, until_ns } => {
                self.mix(core.0 as u64);
                self.mix(*until_ns);
            }
            What::Jump => self.mix(0x200),
            What::Note(text) => self.mix_bytes(text.as_bytes()),
        }
        if self.entries.len() == KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back(Entry { at_ns, core, what });
    }

    fn mix_bytes(&mut self, bytes: &[u8]) {
        self.mix(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Entry { at_ns, core, what } in &self.entries {
            write!(f, "{:>14} ns  core {}  ", at_ns, core.0)?;
            match what {
                What::Disk { op, phase, path, offset, len } => {
                    writeln!(f, "{op:?} {phase:?} {path:?} offset {offset} len {len}")?;
                }
                What::Fault { op, why } => writeln!(f, "{op:?} made to fail: {why}")?,
                What::Stall { core, until_ns } => writeln!(f, "core {} stalls until {until_ns} ns", core.0)?,
                What::Jump => writeln!(f, "nothing ready, time jumps")?,
                What::Note(text) => writeln!(f, "{text}")?,
            }
        }
        Ok(())
    }
}
