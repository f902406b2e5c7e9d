//! Which disk operations fail, and how: a plan that a test hands to a [`SimDisk`](super::SimDisk).
//!
//! Operations are counted from 1 as they start, all together and by kind, so that a test can fail the first, the
//! second ... until a run passes without the plan having fired.

use std::collections::BTreeMap;
use std::io;

/// Kinds of disk operations. One `write_all_at` is one `Write` for each piece that the disk takes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Op {
    /// `Disk::open`, creating or not.
    Open,
    /// `Disk::list`.
    List,
    /// `Disk::create_dir`.
    CreateDir,
    /// `Disk::remove`.
    Remove,
    /// `Disk::rename`.
    Rename,
    /// `Disk::sync_dir`.
    SyncDir,
    /// `Disk::space`.
    Space,
    /// `Disk::direct_alignment`.
    Alignment,
    /// A read.
    Read,
    /// A write.
    Write,
    /// `File::sync_data` and `File::sync_all`.
    Sync,
    /// `File::set_len`.
    SetLen,
    /// `File::len`.
    Len,
    /// `File::allocate`.
    Allocate,
}

/// How an operation fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// EIO. A write that fails so has reached the disk not at all, in part or wholly.
    Eio,
    /// ENOSPC, with no effect.
    Enospc,
    /// EDQUOT, with no effect.
    Edquot,
    /// EROFS, with no effect.
    Erofs,
    /// EINTR, with no effect.
    Eintr,
    /// A read or write handles at most so many bytes (whole sectors of a direct handle, at least one unless 0 was
    /// asked for). Other kinds of operations go on unharmed, and the plan does not count as fired.
    Short(usize),
}

impl Failure {
    /// The error that the caller sees; `None` for a short count.
    #[must_use]
    pub fn error(self) -> Option<io::Error> {
        let code = match self {
            Failure::Eio => libc::EIO,
            Failure::Enospc => libc::ENOSPC,
            Failure::Edquot => libc::EDQUOT,
            Failure::Erofs => libc::EROFS,
            Failure::Eintr => libc::EINTR,
            Failure::Short(_) => return None,
        };
        Some(io::Error::from_raw_os_error(code))
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Failure::Eio => "EIO",
            Failure::Enospc => "ENOSPC",
            Failure::Edquot => "EDQUOT",
            Failure::Erofs => "EROFS",
            Failure::Eintr => "EINTR",
            Failure::Short(_) => "short count",
        }
    }
}

/// One rule of a plan: `Fault::nth(3, Failure::Eio).on(Op::Sync).forever()`.
#[derive(Clone, Debug)]
pub struct Fault {
    nth: u64,
    failure: Failure,
    kind: Option<Op>,
    below: String,
    forever: bool,
    matched: u64,
}

impl Fault {
    /// Fails the `nth` operation, counted from 1 among those that the rule speaks of, from when the plan was set.
    #[must_use]
    pub fn nth(nth: u64, failure: Failure) -> Fault {
        assert!(nth > 0, "operations are counted from 1");
        Fault { nth, failure, kind: None, below: String::new(), forever: false, matched: 0 }
    }

    /// Speaks only of operations of this kind.
    #[must_use]
    pub fn on(mut self, kind: Op) -> Fault {
        self.kind = Some(kind);
        self
    }

    /// Speaks only of operations on paths that begin so.
    #[must_use]
    pub fn below(mut self, prefix: &str) -> Fault {
        self.below = prefix.to_owned();
        self
    }

    /// Fails every one after it, too: a dead disk, a sticky flush error.
    #[must_use]
    pub fn forever(mut self) -> Fault {
        self.forever = true;
        self
    }
}

/// Rules; the first that applies to an operation decides.
#[derive(Clone, Default, Debug)]
pub struct FaultPlan {
    rules: Vec<Fault>,
}

impl FaultPlan {
    /// Nothing fails.
    #[must_use]
    pub fn none() -> FaultPlan {
        FaultPlan::default()
    }

    /// Adds a rule.
    #[must_use]
    pub fn and(mut self, rule: Fault) -> FaultPlan {
        self.rules.push(rule);
        self
    }

    /// The fate of an operation that starts now.
    fn decide(&mut self, kind: Op, path: &str) -> Option<Failure> {
        let mut decided = None;
        for rule in &mut self.rules {
            let short = matches!(rule.failure, Failure::Short(_));
            let speaks = rule.kind.is_none_or(|k| k == kind)
                && path.starts_with(&rule.below)
                && (!short || matches!(kind, Op::Read | Op::Write));
            if speaks {
                rule.matched += 1;
                let fires = rule.matched == rule.nth || (rule.forever && rule.matched > rule.nth);
                if fires && decided.is_none() {
                    decided = Some(rule.failure);
                }
            }
        }
        decided
    }
}

impl From<Fault> for FaultPlan {
    fn from(rule: Fault) -> FaultPlan {
        FaultPlan::none().and(rule)
    }
}

/// What a disk was asked to do.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Counters {
    /// Operations started.
    pub total: u64,
    /// Operations that the plan made fail or cut short.
    pub failed: u64,
    by_kind: BTreeMap<Op, u64>,
}

impl Counters {
    /// Operations of a kind.
    #[must_use]
    pub fn of(&self, kind: Op) -> u64 {
        self.by_kind.get(&kind).copied().unwrap_or(0)
    }
}

/// A disk's plan and what it counted.
#[derive(Clone, Default)]
pub(super) struct Faults {
    pub(super) plan: FaultPlan,
    pub(super) counters: Counters,
}

impl Faults {
    /// Counts an operation that starts now and says how it will fail.
    pub(super) fn begin(&mut self, kind: Op, path: &str) -> Option<Failure> {
        self.counters.total += 1;
        *self.counters.by_kind.entry(kind).or_default() += 1;
        let failure = self.plan.decide(kind, path);
        self.counters.failed += u64::from(failure.is_some());
        failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_fires_at_its_number_once_or_from_then_on() {
        let mut once = FaultPlan::from(Fault::nth(2, Failure::Eio).on(Op::Sync));
        let fates: Vec<bool> = (0..3).map(|_| once.decide(Op::Sync, "a").is_some()).collect();
        assert_eq!(fates, [false, true, false]);
        let mut forever = FaultPlan::from(Fault::nth(2, Failure::Eio).below("segments/").forever());
        let paths = ["segments/a", "blobs/b", "segments/a", "blobs/b", "segments/a"];
        let fates: Vec<bool> = paths.map(|p| forever.decide(Op::Write, p).is_some()).to_vec();
        assert_eq!(fates, [false, false, true, false, true]);
    }
}
