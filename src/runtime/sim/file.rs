//! One simulated file: what reads see, what is durable, and the changes in between.
//!
//! Every change is applied to the live content and put at the end of `pending`, in the order in which reads saw
//! them, until a flush or a durable write takes it into the durable content. A sector or size made durable
//! supersedes what was pending for it before: later power cuts can bring back nothing older than what is durable.

use super::content::{Content, PAGE_SECTORS, Page, SECTOR, index};
use super::rng::Rng;

/// A change of the size.
#[derive(Clone, Copy, Debug)]
pub(super) enum Resize {
    /// To exactly this length.
    Set(u64),
    /// To at least this length.
    Grow(u64),
}

/// Whole sectors as they were just after a write.
#[derive(Clone, Debug)]
struct Sectors {
    first: u64,
    /// The pages that hold them.
    pages: Vec<Page>,
    /// For each sector whether it still awaits durability.
    awaiting: Vec<bool>,
}

impl Sectors {
    fn end(&self) -> u64 {
        self.first + self.awaiting.len() as u64
    }

    /// Puts the awaiting sectors that `chosen` picks into `content`.
    fn put(&self, content: &mut Content, mut chosen: impl FnMut() -> bool) {
        let first_page = index(self.first) / PAGE_SECTORS;
        for (n, page) in self.pages.iter().enumerate() {
            let page_start = ((first_page + n) * PAGE_SECTORS) as u64;
            let sectors = page_start.max(self.first)..(page_start + PAGE_SECTORS as u64).min(self.end());
            let picks = |sector: u64| self.awaiting[index(sector - self.first)];
            let mut picked = [false; PAGE_SECTORS];
            for sector in sectors {
                picked[index(sector - page_start)] = picks(sector) && chosen();
            }
            if picked == [true; PAGE_SECTORS] {
                content.put_page(first_page + n, page);
                continue;
            }
            for (within, _) in picked.iter().enumerate().filter(|(_, picked)| **picked) {
                content.put_sector(page_start + within as u64, page);
            }
        }
    }

    /// Sectors from `first` to before `end` no longer wait.
    fn supersede(&mut self, first: u64, end: u64) {
        let (first, end) = (first.max(self.first), end.min(self.end()));
        for sector in first..end {
            self.awaiting[index(sector - self.first)] = false;
        }
    }

    /// The sectors that `later` has brought no longer wait.
    fn supersede_by(&mut self, later: &Sectors) {
        for sector in self.first.max(later.first)..self.end().min(later.end()) {
            if later.awaiting[index(sector - later.first)] {
                self.awaiting[index(sector - self.first)] = false;
            }
        }
    }

    fn is_over(&self) -> bool {
        !self.awaiting.contains(&true)
    }
}

#[derive(Clone, Debug)]
enum What {
    Resize(Resize),
    Write(Sectors),
}

#[derive(Clone, Debug)]
struct Change {
    /// The operation that made it.
    op: u64,
    /// When that was done, in the volume's count; `None` while it is in flight.
    completed: Option<u64>,
    /// A flush that covered it failed: no later flush writes it (the kernel has marked it clean), though it may
    /// have reached the disk.
    forsaken: bool,
    what: What,
}

/// How a power cut treats what is pending.
#[derive(Clone, Copy)]
pub(super) enum Mood {
    LoseAll,
    KeepAll,
    Mix,
}

/// A file's two states.
#[derive(Clone, Default, Debug)]
pub(super) struct FileNode {
    pub(super) live: Content,
    pub(super) durable: Content,
    pending: Vec<Change>,
}

impl FileNode {
    /// A file that was there before the simulation began.
    pub(super) fn settled(content: Content) -> FileNode {
        FileNode { live: content.clone(), durable: content, pending: Vec::new() }
    }

    /// Applies a write to the live content.
    pub(super) fn write(&mut self, op: u64, offset: u64, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        let end = offset + data.len() as u64;
        if end > self.live.len() {
            self.push(op, What::Resize(Resize::Grow(end)));
        }
        self.live.write(offset, data);
        let sectors = offset / SECTOR as u64..end.div_ceil(SECTOR as u64);
        let written = Sectors {
            first: sectors.start,
            pages: self.live.share(sectors.clone()),
            awaiting: vec![true; index(sectors.end - sectors.start)],
        };
        self.push(op, What::Write(written));
    }

    /// Cuts or extends the live content.
    pub(super) fn set_len(&mut self, op: u64, len: u64) {
        self.live.set_len(len);
        self.push(op, What::Resize(Resize::Set(len)));
    }

    /// Takes room in the live content, extending it.
    pub(super) fn allocate(&mut self, op: u64, len: u64, junk: Option<&mut Rng>) {
        let had = self.live.len();
        let with_junk = junk.is_some();
        self.live.allocate(len, junk);
        if len <= had {
            return;
        }
        self.push(op, What::Resize(Resize::Grow(len)));
        if with_junk {
            let first = had / SECTOR as u64;
            let end = len.div_ceil(SECTOR as u64);
            let pages = self.live.share(first..end);
            self.push(op, What::Write(Sectors { first, pages, awaiting: vec![true; index(end - first)] }));
        }
    }

    fn push(&mut self, op: u64, what: What) {
        self.pending.push(Change { op, completed: None, forsaken: false, what });
    }

    /// The operation is done, as number `now` of the volume.
    pub(super) fn complete(&mut self, op: u64, now: u64) {
        self.pending
            .iter_mut()
            .filter(|change| change.op == op)
            .for_each(|change| change.completed = Some(now));
    }

    /// The bytes of a write become durable: its own sectors, and as much of the earlier size changes as reading them
    /// back needs.
    pub(super) fn make_write_durable(&mut self, op: u64) {
        let Some(last) = self.pending.iter().rposition(|change| change.op == op) else { return };
        let What::Write(sectors) = &self.pending[last].what else { return };
        let end = sectors.end() * SECTOR as u64;
        let sizes_needed = end.min(self.live.len()) > self.durable.len()
            || self.pending[..last].iter().any(|change| matches!(change.what, What::Resize(Resize::Set(_))));
        self.make_durable(|position, change| {
            change.op == op || (sizes_needed && position < last && matches!(change.what, What::Resize(_)))
        });
    }

    /// A flush that began at `began` has succeeded: what was done by then is durable.
    pub(super) fn sync(&mut self, began: u64) {
        self.make_durable(|_, change| !change.forsaken && change.completed.is_some_and(|at| at <= began));
    }

    /// A flush that began at `began` has failed.
    pub(super) fn forsake(&mut self, began: u64) {
        for change in &mut self.pending {
            change.forsaken |= change.completed.is_some_and(|at| at <= began);
        }
    }

    /// Takes the chosen changes into the durable content, in their order.
    fn make_durable(&mut self, chosen: impl Fn(usize, &Change) -> bool) {
        let mut left: Vec<Change> = Vec::new();
        for (position, change) in std::mem::take(&mut self.pending).into_iter().enumerate() {
            if !chosen(position, &change) {
                left.push(change);
                continue;
            }
            match change.what {
                What::Resize(Resize::Grow(len)) => self.durable.grow(len),
                What::Resize(Resize::Set(len)) => {
                    self.durable.set_len(len);
                    left.retain_mut(|earlier| match &mut earlier.what {
                        What::Resize(_) => false,
                        What::Write(sectors) => {
                            sectors.supersede(len.div_ceil(SECTOR as u64), u64::MAX);
                            !sectors.is_over()
                        }
                    });
                }
                What::Write(written) => {
                    written.put(&mut self.durable, || true);
                    left.retain_mut(|earlier| match &mut earlier.what {
                        What::Resize(_) => true,
                        What::Write(sectors) => {
                            sectors.supersede_by(&written);
                            !sectors.is_over()
                        }
                    });
                }
            }
        }
        self.durable.trim();
        self.pending = left;
    }

    /// The process is gone; what it had in flight will not be told apart from what was done.
    pub(super) fn orphan(&mut self, now: u64) {
        for change in &mut self.pending {
            change.completed.get_or_insert(now);
        }
    }

    /// What is found after a power cut.
    pub(super) fn after_power_cut(&self, rng: &mut Rng, mood: Mood) -> Content {
        let mut content = self.durable.clone();
        for change in &self.pending {
            let fate = match mood {
                Mood::LoseAll => 0,
                Mood::KeepAll => 1,
                Mood::Mix => rng.below(4),
            };
            match &change.what {
                _ if fate == 0 => {}
                What::Resize(Resize::Grow(len)) => content.grow(*len),
                What::Resize(Resize::Set(len)) => content.set_len(*len),
                What::Write(sectors) => match fate {
                    1 => sectors.put(&mut content, || true),
                    2 => {
                        let mut left = rng.index(sectors.awaiting.len() + 1);
                        sectors.put(&mut content, || {
                            let kept = left > 0;
                            left = left.saturating_sub(1);
                            kept
                        });
                    }
                    _ => sectors.put(&mut content, || rng.one_in(2)),
                },
            }
        }
        content.trim();
        content
    }

    /// Changes the bytes on the medium and in the cache alike, behind everyone's back.
    pub(super) fn corrupt(&mut self, change: impl Fn(&mut Content)) {
        change(&mut self.live);
        change(&mut self.durable);
    }

    /// Whether all is durable.
    pub(super) fn is_settled(&self) -> bool {
        self.pending.is_empty()
    }
}
