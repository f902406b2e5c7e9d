//! What happened between two pages: rates, and quantiles of that time alone.
//!
//! Always: a counter that went back was begun anew (the daemon was started again), and counts from there, as Prometheus
//! has it. No number here is negative, whatever the pages say.

use super::sample::{Counters, Sample, StageSample};

/// One interval.
#[derive(Clone, Debug)]
pub(super) struct Rates {
    /// How long it was; 0 before the first.
    pub(super) seconds: f64,
    /// What happened in it.
    pub(super) delta: Counters,
    /// By the numbers of stages, the whole last.
    pub(super) stages: Vec<Stage>,
    /// By the numbers of cores, shares of one processor.
    pub(super) cores: Vec<Load>,
    /// How it stands now.
    pub(super) now: Sample,
}

/// A stage in an interval.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stage {
    pub(super) p50: Quantile,
    pub(super) p99: Quantile,
    /// Of all uploads of the interval, in seconds; `None` without any.
    pub(super) mean_s: Option<f64>,
    pub(super) sum_s: f64,
}

/// A core in an interval.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) user: f64,
    pub(super) system: f64,
}

/// As much of a quantile as buckets tell, in seconds.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Quantile {
    /// There was nothing.
    None,
    /// In the first bucket, which ends here.
    Below(f64),
    /// About so much.
    About(f64),
    /// Beyond the last bucket that ends, which it does here.
    Above(f64),
}

impl Rates {
    /// Between two pages of one daemon.
    pub(super) fn between(before: &Sample, after: &Sample) -> Rates {
        let seconds = after.at_ns.saturating_sub(before.at_ns) as f64 / 1e9;
        let grown = |count: fn(&Counters) -> f64| grown(count(&before.counters), count(&after.counters));
        let stages = after.stages.iter().enumerate();
        let cores = after.cores.iter().enumerate();
        Rates {
            seconds,
            delta: Counters {
                stored_files: grown(|of| of.stored_files),
                duplicate_files: grown(|of| of.duplicate_files),
                failed_files: grown(|of| of.failed_files),
                stored_bytes: grown(|of| of.stored_bytes),
                saved_bytes: grown(|of| of.saved_bytes),
                answers: grown(|of| of.answers),
                errors: grown(|of| of.errors),
                shed: grown(|of| of.shed),
            },
            stages: stages.map(|(number, after)| stage(before.stages.get(number), after)).collect(),
            cores: cores
                .map(|(number, after)| {
                    let before = before.cores.get(number).copied().unwrap_or_default();
                    let share = |before, after| ratio(self::grown(before, after), seconds);
                    Load {
                        user: share(before.user_s, after.user_s),
                        system: share(before.system_s, after.system_s),
                    }
                })
                .collect(),
            now: after.clone(),
        }
    }

    /// So much a second.
    pub(super) fn rate(&self, count: f64) -> f64 {
        ratio(count, self.seconds)
    }
}

/// A part of something; none of nothing.
pub(super) fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

fn grown(before: f64, after: f64) -> f64 {
    let grown = if after < before { after } else { after - before };
    grown.max(0.0)
}

fn stage(before: Option<&StageSample>, after: &StageSample) -> Stage {
    let nothing = StageSample::default();
    let before = before.unwrap_or(&nothing);
    let buckets = grown_buckets(before, after);
    let count = buckets.last().map_or(0.0, |(_, count)| *count);
    let sum_s = grown(before.sum_s, after.sum_s);
    Stage {
        p50: quantile(&buckets, 0.5),
        p99: quantile(&buckets, 0.99),
        mean_s: (count > 0.0).then(|| sum_s / count),
        sum_s,
    }
}

/// What each bucket took in meanwhile, still cumulative. Where the bounds are others, or counts went back, all of it is new.
fn grown_buckets(before: &StageSample, after: &StageSample) -> Vec<(f64, f64)> {
    let pairs = before.buckets.iter().zip(&after.buckets);
    let continues = before.buckets.len() == after.buckets.len()
        && pairs.clone().all(|(old, new)| old.0 == new.0 && old.1 <= new.1);
    if continues { pairs.map(|(old, new)| (new.0, new.1 - old.1)).collect() } else { after.buckets.clone() }
}

/// A quantile of cumulative buckets, between two bounds by a straight line.
fn quantile(buckets: &[(f64, f64)], share: f64) -> Quantile {
    let count = buckets.last().map_or(0.0, |(_, count)| *count);
    if count <= 0.0 {
        return Quantile::None;
    }
    let rank = share * count;
    let Some(at) = buckets.iter().position(|(_, up_to)| *up_to >= rank) else { return Quantile::None };
    let (bound, up_to) = buckets[at];
    match at.checked_sub(1).map(|before| buckets[before]) {
        None if bound.is_finite() => Quantile::Below(bound),
        None => Quantile::None,
        Some((lower, _)) if bound.is_infinite() => Quantile::Above(lower),
        Some((lower, below)) => Quantile::About(lower + (bound - lower) * ratio(rank - below, up_to - below)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::top::sample::CoreSample;

    fn buckets(counts: [f64; 4]) -> StageSample {
        let bounds = [0.001, 0.002, 0.01, f64::INFINITY];
        StageSample { buckets: bounds.into_iter().zip(counts).collect(), sum_s: 0.0 }
    }

    #[test]
    fn quantiles_are_those_of_the_interval_and_not_of_all_time() {
        // A thousand quick ones before; then a hundred of which nine in ten take 1 to 2 ms and the rest up to 10 ms.
        let before = buckets([1_000.0; 4]);
        let after = buckets([1_000.0, 1_090.0, 1_100.0, 1_100.0]);
        let stage = stage(Some(&before), &after);
        let Quantile::About(p50) = stage.p50 else { panic!("{stage:?}") };
        assert!((p50 - (0.001 + 0.001 * 50.0 / 90.0)).abs() < 1e-9, "{p50}");
        let Quantile::About(p99) = stage.p99 else { panic!("{stage:?}") };
        assert!((p99 - (0.002 + 0.008 * 9.0 / 10.0)).abs() < 1e-9, "{p99}");
    }

    #[test]
    fn what_buckets_do_not_tell_is_not_made_up() {
        assert_eq!(quantile(&grown_buckets(&buckets([5.0; 4]), &buckets([5.0; 4])), 0.5), Quantile::None);
        assert_eq!(quantile(&buckets([9.0; 4]).buckets, 0.99), Quantile::Below(0.001));
        assert_eq!(quantile(&buckets([0.0, 0.0, 0.0, 9.0]).buckets, 0.5), Quantile::Above(0.01));
        assert_eq!(quantile(&[], 0.5), Quantile::None);
        assert_eq!(quantile(&[(f64::INFINITY, 3.0)], 0.5), Quantile::None);
        // Counts that do not ascend are no daemon's; whatever they give, it is a number.
        assert!(
            matches!(quantile(&buckets([4.0, 2.0, 9.0, 9.0]).buckets, 0.5), Quantile::About(at) if at.is_finite())
        );
    }

    #[test]
    fn a_daemon_that_was_started_again_counts_from_its_start() {
        let sample = |stored_files, answers, at_ns| {
            let counters = Counters { stored_files, answers, ..Counters::default() };
            Sample { counters, at_ns, ..Sample::default() }
        };
        let (before, after) = (sample(100.0, 7.0, 0), sample(30.0, 9.0, 2_000_000_000));
        let rates = Rates::between(&before, &after);
        assert_eq!((rates.delta.stored_files, rates.rate(rates.delta.stored_files)), (30.0, 15.0));
        assert_eq!(rates.delta.answers, 2.0);
        let restarted = grown_buckets(&buckets([50.0; 4]), &buckets([1.0, 2.0, 2.0, 2.0]));
        assert_eq!(quantile(&restarted, 0.4), Quantile::Below(0.001));
        assert_eq!(restarted[3].1, 2.0);
    }

    #[test]
    fn before_the_first_interval_nothing_has_a_rate() {
        let core = CoreSample { user_s: 5.0, ..CoreSample::default() };
        let counters = Counters { stored_files: 9.0, ..Counters::default() };
        let sample = Sample { counters, cores: vec![core], ..Sample::default() };
        let rates = Rates::between(&sample, &sample);
        assert_eq!((rates.rate(rates.delta.stored_files), rates.cores[0].user), (0.0, 0.0));
    }
}
