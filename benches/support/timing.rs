//! How long a call takes: many calls for a while, several times over.

use std::hint::black_box;
use std::time::{Duration, Instant};

use super::samples::Samples;

/// How long and how often something is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Of each repetition.
    pub(crate) time: Duration,
    pub(crate) repetitions: usize,
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
    Samples::of((0..effort.repetitions.max(1)).map(repetition))
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
