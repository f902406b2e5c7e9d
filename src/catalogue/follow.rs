//! Following the log: a task on one core reads what is new in each segment and hands it to the writing thread.
//!
//! The log is the queue. The catalogue keeps for each segment how far it was read, in the transaction that enters what was
//! read; there is no other state, and no second way for a change to come. Why that comes to what the index holds:
//!
//! - Of a record that stands in a segment at hand, [`Tail`] says what the index made of it. A name that is live is entered
//!   whichever copy of it is read, as often as it is. Whatever ends a name's life is a record of a higher number, a delete or a
//!   name that the index marks as one that replaced another, and is read before its effect on the index or after: both
//!   orders leave no row.
//! - What compaction removes before it was read is of no loss: what lived in it was copied, and the copy is read. Only
//!   deletes are left behind, once nothing needs them, and marks do not outlive a stop. So when a segment goes that was not
//!   read to its end, and after every start, the rows are compared with the index (a *sweep*) and those of names that are gone
//!   or were replaced are removed.
//! - A catalogue that is older than the log (a crash, a power cut) reads on from its older positions. One that is newer
//!   (its log was put back, or cut where nothing was flushed) is made anew: it has read numbers that the log will give again.
//!
//! When more is written than it can enter, the log is read later: nothing is held in memory but one round, no segment is
//! kept for it, and the lag says how far behind it is.

use std::cell::Cell;
use std::collections::HashSet;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Catalogue;
use super::lost::Lost;
use super::schema::Trouble;
use super::threads::Haste;
use super::write::{Applied, Begun, Positions, Round, Writer};
use crate::base::ids::{Lsn, SegmentId};
use crate::limits::{
    CATALOGUE_BUSY_TICK_MS, CATALOGUE_LATE_MS, CATALOGUE_QUIET_BYTES, CATALOGUE_RETRY_MS,
    CATALOGUE_ROUND_BYTES, CATALOGUE_STOP_MS, CATALOGUE_SWEEP_ROWS, CATALOGUE_TICK_MS,
    RECENT_TABLES_BYTES_MAX, TAIL_RECORDS_AT_ONCE,
};
use crate::runtime::buffer::Pool;
use crate::runtime::clock;
use crate::runtime::core::{spawn, yield_now};
use crate::runtime::sync::{Notify, within};
use crate::store::Store;
use crate::store::segment::Written;
use crate::store::tail::{Change, End, Tail, Taken};

/// The task. `Rc`: it stays on its core.
pub struct Follower {
    catalogue: Arc<Catalogue>,
    stopping: Cell<bool>,
    wake: Notify,
    stopped: Notify,
}

/// What it has of the log, in memory as on the disk.
struct State {
    tail: Tail,
    positions: Positions,
    is_complete: bool,
    /// What it had of the log at the start is known.
    has_begun: bool,
    /// Segments at hand that will not grow and were read to their end.
    finished: HashSet<SegmentId>,
    /// Segments that compaction had removed at the last look; `None` before the first.
    removed: Option<u64>,
    lost: Lost,
    /// Rows are to be compared with the index, from the first on.
    is_sweep_due: bool,
    /// Whether that is under way, and behind which number it goes on.
    sweep: Sweep,
    /// It was empty when all lower numbers had been settled: what they ended was never entered.
    empty_at: Lsn,
}

/// The comparison of all rows with the index.
#[derive(Clone, Copy)]
enum Sweep {
    None,
    /// The rows behind this number are next.
    Behind(i64),
}

impl State {
    /// What of a change is news to the catalogue: it need not look for what it never entered.
    fn left_of(&self, mut change: Change) -> Option<Change> {
        if let Change::Named { name, is_renewed, .. } = &mut change {
            *is_renewed &= name.lsn >= self.empty_at;
        }
        match change {
            Change::PathDeleted(_, lsn) | Change::ContentDeleted(_, lsn) if lsn < self.empty_at => None,
            change => Some(change),
        }
    }
}

impl Follower {
    /// Starts it.
    #[must_use]
    pub fn start(catalogue: &Arc<Catalogue>, store: &Arc<Store>, pool: &Pool) -> Rc<Follower> {
        let follower = Rc::new(Follower {
            catalogue: catalogue.clone(),
            stopping: Cell::new(false),
            wake: Notify::default(),
            stopped: Notify::default(),
        });
        spawn(follower.clone().run(Tail::new(store, pool)));
        follower
    }

    /// Catches up, for a while, and closes the catalogue. After the last write to the log.
    pub async fn stop(&self) {
        self.stopping.set(true);
        self.wake.notify();
        let mut stopped = std::pin::pin!(self.stopped.wait());
        // What its thread has begun may wait long for a processor.
        if within(Duration::from_millis(2 * CATALOGUE_STOP_MS), stopped.as_mut()).await.is_none() {
            tracing::warn!("the catalogue was not closed in time; the next start reads on where it had been");
        }
    }

    async fn run(self: Rc<Self>, tail: Tail) {
        let mut state = State {
            removed: None,
            lost: Lost::default(),
            tail,
            positions: Positions::new(),
            is_complete: false,
            has_begun: false,
            finished: HashSet::new(),
            is_sweep_due: false,
            sweep: Sweep::None,
            empty_at: Lsn(0),
        };
        let (mut is_open, mut last_ns) = (false, clock::now_ns());
        loop {
            let begun_ns = clock::now_ns();
            let since_ms = (begun_ns - std::mem::replace(&mut last_ns, begun_ns)) / 1_000_000;
            let until_ns = begun_ns + CATALOGUE_STOP_MS * 1_000_000;
            let is_last = self.stopping.get();
            let result = self.turn(&mut state, &mut is_open, is_last.then_some(until_ns)).await;
            if is_last {
                break;
            }
            let wait_ms = match result {
                Ok(bytes) => rest_ms(bytes, since_ms),
                Err(why) => {
                    tracing::warn!(%why, "the catalogue could not be brought up to date; it is tried again");
                    is_open = false;
                    CATALOGUE_RETRY_MS
                }
            };
            self.rest(wait_ms).await;
        }
        let _closed = self.catalogue.writer.run(Haste::Late, Writer::close).await;
        self.stopped.notify();
    }

    async fn rest(&self, ms: u64) {
        let mut wake = std::pin::pin!(self.wake.wait());
        within(Duration::from_millis(ms), wake.as_mut()).await;
    }

    /// Opens what is not open, makes anew what is damaged, enters what is new: of so many bytes of log records.
    async fn turn(
        &self,
        state: &mut State,
        is_open: &mut bool,
        until_ns: Option<u64>,
    ) -> Result<usize, Trouble> {
        let shared = &self.catalogue.shared;
        if !*is_open {
            match self.write(|writer, _| writer.open()).await {
                Ok(begun) => self.begin(state, begun).await?,
                Err(Trouble::Damaged(why)) => self.remake(state, &why).await?,
                Err(refused) => return Err(refused),
            }
            *is_open = true;
        }
        let damaged = shared.damaged.swap(0, Ordering::AcqRel);
        if damaged == shared.generation.load(Ordering::Acquire) {
            self.remake(state, "a list found it damaged").await?;
        }
        match self.catch_up(state, until_ns).await {
            Err(Trouble::Damaged(why)) => self.remake(state, &why).await.map(|()| 0),
            result => result,
        }
    }

    /// Runs something on a writing thread, which is told when to give it up: what waits for a processor that nobody wants may
    /// be late before it ends. The follower is the only one who asks, so there is always room.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Writer, Option<u64>) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, Trouble> {
        let (haste, until_ns) = match self.stopping.get() || self.catalogue.is_late() {
            true => (Haste::Late, None),
            false => (Haste::None, Some(clock::now_ns() + CATALOGUE_LATE_MS * 1_000_000)),
        };
        let full = |_| Trouble::Refused("its thread has too much to do".to_owned());
        self.catalogue.writer.run(haste, move |writer| work(writer, until_ns)).await.map_err(full)?
    }

    /// Goes on from what an opened catalogue says.
    async fn begin(&self, state: &mut State, begun: Begun) -> Result<(), Trouble> {
        let ends = state.tail.ends(|_| true);
        let is_ahead = |end: &End| {
            begun.positions.get(&end.segment).is_some_and(|read| read.last_batch > end.written.last_batch)
        };
        let is_newer = !state.has_begun && begun.greatest > state.tail.recovered();
        if is_newer || ends.iter().any(is_ahead) {
            return self.remake(state, "it has read what the log does not hold").await;
        }
        self.adopt(state, begun);
        Ok(())
    }

    fn adopt(&self, state: &mut State, begun: Begun) {
        self.catalogue.shared.is_complete.store(begun.is_complete, Ordering::Release);
        state.is_complete = begun.is_complete;
        state.has_begun = true;
        state.removed = None;
        // Without rows there is nothing to compare.
        state.is_sweep_due = !begun.positions.is_empty();
        state.sweep = Sweep::None;
        state.empty_at = if begun.positions.is_empty() { state.tail.settled() } else { Lsn(0) };
        state.finished.clear();
        state.positions = begun.positions;
    }

    async fn remake(&self, state: &mut State, why: &str) -> Result<(), Trouble> {
        tracing::warn!(why, "the catalogue is made anew from the log");
        self.catalogue.shared.is_complete.store(false, Ordering::Release);
        let begun = self.write(|writer, _| writer.remake()).await?;
        self.catalogue.shared.made.fetch_add(1, Ordering::Relaxed);
        self.adopt(state, begun);
        Ok(())
    }

    /// Enters all that the log holds now, and compares some rows; says how many bytes of log records that were.
    async fn catch_up(&self, state: &mut State, until_ns: Option<u64>) -> Result<usize, Trouble> {
        let is_over = || match until_ns {
            Some(until_ns) => clock::now_ns() > until_ns,
            None => self.stopping.get(),
        };
        // In this order: what has ended is in the list, and what is counted is not in it any more.
        let (now_ns, settled) = (clock::now_ns(), state.tail.settled());
        let removed = state.tail.removed_segments();
        let ends = state.tail.ends(|segment| !state.finished.contains(&segment));
        let mut round = Round::default();
        note_gone(state, removed, &mut round);
        let (mut bytes, mut all_bytes, mut is_early, mut failed) = (0, 0, false, None);
        for end in &ends {
            let mut from = state.positions.get(&end.segment).copied();
            while from.is_none_or(|from| from.last_batch < end.written.last_batch) {
                if is_over() {
                    return Ok(all_bytes);
                }
                let taken = match self.take(state, end, from, CATALOGUE_ROUND_BYTES - bytes).await {
                    Ok(Some(taken)) => taken,
                    // What lived in it was copied to where this look does not go.
                    Ok(None) => {
                        is_early = true;
                        break;
                    }
                    // What others say is entered all the same.
                    Err(error) => {
                        failed = Some(error);
                        break;
                    }
                };
                from = Some(taken.reached);
                bytes += taken.bytes;
                all_bytes += taken.bytes;
                round.add(end.segment, &taken, !state.lost.has_passed(end.segment));
                round.changes.extend(taken.changes.into_iter().filter_map(|change| state.left_of(change)));
                if bytes >= CATALOGUE_ROUND_BYTES {
                    if !self.enter(state, std::mem::take(&mut round), is_over).await? {
                        return Ok(all_bytes);
                    }
                    bytes = 0;
                }
                if taken.is_early {
                    is_early = true;
                    break;
                }
            }
        }
        let is_all = !is_early && failed.is_none();
        round.completes = is_all && !state.is_complete;
        let is_read_on = !round.reached.is_empty() || !round.passed.is_empty();
        let is_news = is_read_on || !round.gone.is_empty() || round.completes;
        if is_news && !self.enter(state, round, is_over).await? {
            return Ok(all_bytes);
        }
        let read = ends.iter().filter(|end| end.is_final && is_read(&state.positions, end));
        state.finished.extend(read.map(|end| end.segment));
        if let Some(error) = failed {
            return Err(error.into());
        }
        if is_all {
            self.note_followed(now_ns, settled);
            // At a stop it is left to the next start, which begins with it.
            if until_ns.is_none() {
                self.sweep(state, settled).await?;
            }
        }
        Ok(all_bytes)
    }

    /// Reads a segment on. What the disk has failed to read some times is passed over: until the next start names in it are
    /// not listed, and all others are.
    async fn take(
        &self,
        state: &mut State,
        end: &End,
        from: Option<Written>,
        bytes_max: usize,
    ) -> io::Result<Option<Taken>> {
        let (segment, unreadable) = (end.segment, state.lost.unreadable(end.segment));
        let result = state.tail.take(segment, from, end.written, bytes_max, unreadable).await;
        match &result {
            Ok(taken) => state.lost.note_read(segment, taken.as_ref().is_some_and(|taken| taken.has_passed)),
            Err(_) => state.lost.note_failed(segment),
        }
        result
    }

    fn note_followed(&self, now_ns: u64, settled: Lsn) {
        self.catalogue.shared.followed_ns.store(now_ns, Ordering::Relaxed);
        self.catalogue.shared.followed_lsn.store(settled.0, Ordering::Relaxed);
    }

    /// Enters a round; `false` if that was given up, and what of it is in will be entered again.
    async fn enter(
        &self,
        state: &mut State,
        round: Round,
        is_over: impl Fn() -> bool,
    ) -> Result<bool, Trouble> {
        let round = Arc::new(round);
        loop {
            let entered = round.clone();
            match self.write(move |writer, until_ns| writer.apply(&entered, until_ns)).await? {
                Applied::Wholly => break,
                Applied::InPart | Applied::GivenUp if is_over() => return Ok(false),
                Applied::InPart | Applied::GivenUp => {}
            }
        }
        let shared = &self.catalogue.shared;
        shared.changes.fetch_add(round.changes.len() as u64, Ordering::Relaxed);
        state.positions.extend(&round.reached);
        state.positions.extend(&round.passed);
        for id in &round.gone {
            state.positions.remove(id);
        }
        if round.completes {
            state.is_complete = true;
            shared.is_complete.store(true, Ordering::Release);
        }
        Ok(true)
    }

    /// Compares the next rows with the index, if that is due; all numbers below `followed` were read. On this core: the writing
    /// thread, which runs when nobody else does, never holds what cores wait for.
    async fn sweep(&self, state: &mut State, followed: Lsn) -> Result<(), Trouble> {
        if matches!(state.sweep, Sweep::None) && std::mem::take(&mut state.is_sweep_due) {
            state.sweep = Sweep::Behind(i64::MIN);
        }
        let Sweep::Behind(after) = state.sweep else { return Ok(()) };
        let rows = self.write(move |writer, _| writer.rows_after(after)).await?;
        let next = rows.last().filter(|_| rows.len() == CATALOGUE_SWEEP_ROWS).map(|last| last.added);
        let mut gone = Vec::new();
        for (number, row) in rows.into_iter().enumerate() {
            if number > 0 && number.is_multiple_of(TAIL_RECORDS_AT_ONCE) {
                yield_now().await;
            }
            match state.tail.store().index.name_lsn(row.key) {
                Some((shown, _)) if shown < row.lsn => {
                    return Err(Trouble::Damaged("it has what the log has not".to_owned()));
                }
                Some((shown, _)) if shown == row.lsn => {}
                // The newer name there is still to be read, and takes the place of this one.
                Some((shown, true)) if shown >= followed => {}
                _ => gone.push(row),
            }
        }
        if !gone.is_empty() {
            // Nobody else enters anything: the rows are those that were looked at. The catalogue is late by the time that this is
            // given up, and then the second try has no end.
            let gone = Arc::new(gone);
            loop {
                let gone = gone.clone();
                let removed = self.write(move |writer, until_ns| writer.remove(&gone, until_ns)).await?;
                if removed != Applied::GivenUp {
                    break;
                }
            }
        }
        state.sweep = next.map_or(Sweep::None, Sweep::Behind);
        Ok(())
    }
}

/// Segments that are gone need no position any more. If one was not read to its end, or was never seen, its deletes may
/// have gone with it. `removed` were removed by compaction.
fn note_gone(state: &mut State, removed: u64, round: &mut Round) {
    if state.removed == Some(removed) {
        return;
    }
    round.gone = state.tail.gone(state.positions.keys().copied().chain(state.lost.segments()));
    let read = round.gone.iter().filter(|id| state.finished.remove(id)).count() as u64;
    if state.removed.is_some_and(|before| removed - before > read) {
        state.is_sweep_due = true;
    }
    state.removed = Some(removed);
    let gone: HashSet<SegmentId> = round.gone.iter().copied().collect();
    state.lost.retain(|id| !gone.contains(&id));
}

/// How long to rest behind a turn that read so many bytes, of what was written in so many milliseconds. Much is better entered
/// in fewer, larger rounds, which change fewer pages, but no more than is kept in memory.
fn rest_ms(bytes: usize, since_ms: u64) -> u64 {
    if bytes < CATALOGUE_QUIET_BYTES {
        return CATALOGUE_TICK_MS;
    }
    let ms = since_ms * (RECENT_TABLES_BYTES_MAX / 2) as u64 / bytes as u64;
    ms.clamp(CATALOGUE_TICK_MS, CATALOGUE_BUSY_TICK_MS)
}

/// Whether all of a segment was read.
fn is_read(positions: &Positions, end: &End) -> bool {
    positions.get(&end.segment).is_some_and(|read| read.last_batch >= end.written.last_batch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_are_short_while_little_comes_and_no_longer_than_memory_lasts() {
        assert_eq!(rest_ms(0, 100), CATALOGUE_TICK_MS);
        assert_eq!(rest_ms(CATALOGUE_QUIET_BYTES - 1, 0), CATALOGUE_TICK_MS);
        let half = RECENT_TABLES_BYTES_MAX / 2;
        assert_eq!(rest_ms(half / 10, 100), CATALOGUE_BUSY_TICK_MS);
        assert_eq!(rest_ms(half, 200), 200, "as much again will have come by then");
        assert_eq!(rest_ms(10 * half, 200), CATALOGUE_TICK_MS);
    }
}
