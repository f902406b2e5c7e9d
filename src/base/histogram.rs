//! Histograms of durations: one thread writes, any other reads, nobody waits.
//!
//! The cells are those of an HDR histogram of two digits (Gil Tene, HdrHistogram): exact below 256 ns, above that 128 to
//! each doubling, so that a value is known to 0.8 %. The crate `hdrhistogram` has no histogram that can be read while
//! another thread writes to it without a lock or a channel; so a [`Recorder`] has its cells as atomic numbers, and what
//! is read of it, or of several, is the crate's: [`Durations`].
//!
//! Always: a recorder is written to by one thread. Recording allocates nothing and is two loads and two stores. A view
//! that is taken meanwhile holds whole records; it may miss the last of them.

use std::sync::atomic::{AtomicU64, Ordering};

use hdrhistogram::Histogram;

/// Cells to each doubling; a power of two.
const CELLS_PER_DOUBLING: usize = 128;
/// The longest duration that is told apart from longer ones: 18 minutes.
pub const DURATION_NS_MAX: u64 = (1 << 40) - 1;
const CELLS: usize = cell_of(DURATION_NS_MAX) + 1;

/// The cell of a duration of at most [`DURATION_NS_MAX`].
#[expect(clippy::cast_possible_truncation, reason = "a cell's number is below CELLS, and usize has 64 bits")]
const fn cell_of(nanoseconds: u64) -> usize {
    let doublings = match (nanoseconds / (2 * CELLS_PER_DOUBLING as u64)).checked_ilog2() {
        Some(doublings) => doublings as usize + 1,
        None => 0,
    };
    doublings * CELLS_PER_DOUBLING + (nanoseconds >> doublings) as usize
}

/// The least duration of a cell.
const fn least_of(cell: usize) -> u64 {
    let doublings = (cell / CELLS_PER_DOUBLING).saturating_sub(1);
    ((cell - doublings * CELLS_PER_DOUBLING) as u64) << doublings
}

/// Durations of one writer.
pub struct Recorder {
    cells: Box<[AtomicU64]>,
    sum_ns: AtomicU64,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").field("sum_ns", &self.sum_ns).finish_non_exhaustive()
    }
}

impl Default for Recorder {
    fn default() -> Recorder {
        Recorder { cells: (0..CELLS).map(|_| AtomicU64::new(0)).collect(), sum_ns: AtomicU64::new(0) }
    }
}

impl Recorder {
    /// Counts a duration. For its one writer only: of two at once one could be lost.
    pub fn record(&self, nanoseconds: u64) {
        let nanoseconds = nanoseconds.min(DURATION_NS_MAX);
        add(&self.sum_ns, nanoseconds);
        add(&self.cells[cell_of(nanoseconds)], 1);
    }
}

/// Not a read-modify-write, which would lock the bus: nobody else writes.
fn add(number: &AtomicU64, more: u64) {
    number.store(number.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
}

/// What recorders held at a moment.
#[derive(Clone, Debug)]
pub struct Durations {
    histogram: Histogram<u64>,
    sum_ns: u64,
}

impl Default for Durations {
    fn default() -> Durations {
        let histogram = Histogram::new_with_bounds(1, DURATION_NS_MAX, 2).expect("the bounds are valid");
        Durations { histogram, sum_ns: 0 }
    }
}

impl Durations {
    /// All that these recorders hold now.
    pub fn of<'a>(recorders: impl IntoIterator<Item = &'a Recorder>) -> Durations {
        let mut all = Durations::default();
        for recorder in recorders {
            all.sum_ns = all.sum_ns.wrapping_add(recorder.sum_ns.load(Ordering::Relaxed));
            for (cell, count) in recorder.cells.iter().enumerate() {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    all.histogram.saturating_record_n(least_of(cell), count);
                }
            }
        }
        all
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// All together, in nanoseconds.
    #[must_use]
    pub fn sum_ns(&self) -> u64 {
        self.sum_ns
    }

    /// The duration, in nanoseconds, that this share of all (0 to 1) does not exceed; 0 where there is none.
    #[must_use]
    pub fn quantile_ns(&self, share: f64) -> u64 {
        self.histogram.value_at_quantile(share)
    }

    /// How many do not exceed each of these bounds (nanoseconds, ascending), as far as they are told apart: what is above
    /// a bound by less than 0.8 % may count as not above it.
    #[must_use]
    pub fn at_most(&self, bounds_ns: &[u64]) -> Vec<u64> {
        let mut counts = Vec::with_capacity(bounds_ns.len());
        let mut below = 0;
        let mut steps = self.histogram.iter_recorded().peekable();
        for bound_ns in bounds_ns {
            let within = |value: u64| self.histogram.lowest_equivalent(value) <= *bound_ns;
            while let Some(step) = steps.next_if(|step| within(step.value_iterated_to())) {
                below += step.count_at_value();
            }
            counts.push(below);
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use super::*;

    /// Durations of every size, also at the borders of cells.
    fn samples() -> Vec<u64> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut samples: Vec<u64> = (0..2_000).collect();
        for bits in 8..40 {
            samples.extend([(1 << bits) - 1, 1 << bits, (1 << bits) + 1]);
            for _ in 0..200 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                samples.push(state >> (64 - bits));
            }
        }
        samples
    }

    #[test]
    fn the_cells_are_those_of_the_crate() {
        let histogram = Durations::default().histogram;
        for value in samples() {
            let cell = cell_of(value);
            assert_eq!(least_of(cell), histogram.lowest_equivalent(value), "{value} ns");
            assert_eq!(least_of(cell + 1), histogram.next_non_equivalent(value), "{value} ns");
        }
        assert_eq!(cell_of(DURATION_NS_MAX), CELLS - 1);
        assert!(least_of(CELLS - 1) < DURATION_NS_MAX);
    }

    #[test]
    fn a_view_of_several_recorders_is_that_of_all_values_together() {
        let recorders: Vec<Recorder> = (0..3).map(|_| Recorder::default()).collect();
        let mut whole = Durations::default().histogram;
        let samples = samples();
        for (at, value) in samples.iter().enumerate() {
            recorders[at % 3].record(*value);
            whole.record(*value).unwrap();
        }
        let view = Durations::of(&recorders);
        assert_eq!(view.count(), samples.len() as u64);
        assert_eq!(view.sum_ns(), samples.iter().sum::<u64>());
        for share in [0.0, 0.25, 0.5, 0.95, 0.99, 0.999, 1.0] {
            assert_eq!(view.quantile_ns(share), whole.value_at_quantile(share), "{share}");
        }
    }

    #[test]
    fn counts_up_to_a_bound_are_exact_but_for_the_cell_it_stands_in() {
        let recorder = Recorder::default();
        let samples = samples();
        samples.iter().for_each(|value| recorder.record(*value));
        let bounds = [0, 1, 255, 256, 50_000, 1_000_000, 10_000_000_000, DURATION_NS_MAX];
        let counts = Durations::of([&recorder]).at_most(&bounds);
        for (bound, count) in bounds.into_iter().zip(counts) {
            let up_to = |most: u64| samples.iter().filter(|value| **value <= most).count() as u64;
            assert!(count >= up_to(bound), "nothing within {bound} is left out: {count}");
            assert!(count <= up_to(bound + bound / 128), "little beyond {bound} counts: {count}");
        }
    }

    #[test]
    fn nothing_recorded_is_zero_and_what_is_too_long_counts_as_the_longest() {
        let recorder = Recorder::default();
        let none = Durations::of([&recorder]);
        assert_eq!((none.count(), none.quantile_ns(0.99), none.at_most(&[1])), (0, 0, vec![0]));
        recorder.record(u64::MAX);
        let one = Durations::of([&recorder]);
        assert_eq!((one.count(), one.sum_ns()), (1, DURATION_NS_MAX));
        assert_eq!(one.quantile_ns(0.5), DURATION_NS_MAX);
    }

    #[test]
    fn what_is_read_while_it_is_written_never_goes_back() {
        let recorder = Arc::new(Recorder::default());
        let done = Arc::new(AtomicBool::new(false));
        let writer = {
            let (recorder, done) = (recorder.clone(), done.clone());
            std::thread::spawn(move || {
                (0..200_000_u64).for_each(|value| recorder.record(value));
                done.store(true, Ordering::Release);
            })
        };
        let mut before = vec![0; 3];
        while !done.load(Ordering::Acquire) {
            let now = Durations::of([&*recorder]).at_most(&[1_000, 100_000, DURATION_NS_MAX]);
            assert!(before.iter().zip(&now).all(|(before, now)| before <= now), "{before:?} {now:?}");
            assert!(now.is_sorted(), "{now:?}");
            before = now;
        }
        writer.join().unwrap();
        assert_eq!(Durations::of([&*recorder]).count(), 200_000);
    }
}
