//! How long a call takes: many calls for a while, several times over.

use std::hint::black_box;
use std::time::{Duration, Instant};

use clap::Args;

use super::Result;
use super::samples::Samples;

/// How long and how often something is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Of each repetition.
    pub(crate) time: Duration,
    pub(crate) repetitions: usize,
}

/// The flags of benches that repeat what they measure.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub(crate) struct EffortFlags {
    /// Time of each repetition of each measurement [default: said in the first line; longer with --full]
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<f64>,
    /// Repetitions; the median is told [default: said in the first line; more with --full]
    #[arg(long, value_name = "N")]
    repeat: Option<usize>,
}

impl EffortFlags {
    /// What is asked for, or else the bench's own seconds and repetitions.
    ///
    /// # Errors
    /// If the seconds are no time.
    pub(crate) fn or(&self, (seconds, repetitions): (f64, usize)) -> Result<Effort> {
        let time = Duration::try_from_secs_f64(self.seconds.unwrap_or(seconds))?;
        Ok(Effort { time, repetitions: self.repeat.unwrap_or(repetitions).max(1) })
    }
}

/// Nanoseconds of a call, by repetitions of as many calls as there is time for. What it gives
/// counts as used. One repetition more goes before, to warm up.
pub(crate) fn ns_per_call<T>(effort: Effort, mut call: impl FnMut() -> T) -> Samples {
    // The clock is read so seldom that reading it costs nothing.
    let calls_at_once = calls_of(Duration::from_micros(100), &mut call);
    let mut repetition = |_| {
        let (begun, mut calls) = (Instant::now(), 0);
        loop {
            (0..calls_at_once).for_each(|_| drop(black_box(call())));
            calls += calls_at_once;
            let took = begun.elapsed();
            if took >= effort.time {
                return took.as_nanos() as f64 / f64::from(calls);
            }
        }
    };
    repetition(0);
    Samples::of((0..effort.repetitions).map(repetition))
}

/// How many calls take at least so long.
fn calls_of<T>(time: Duration, call: &mut impl FnMut() -> T) -> u32 {
    let mut calls = 1;
    loop {
        let begun = Instant::now();
        (0..calls).for_each(|_| drop(black_box(call())));
        if begun.elapsed() >= time || calls >= 1 << 20 {
            return calls;
        }
        calls *= 2;
    }
}
