//! How often a token may ask: the generic cell rate algorithm, one number for each token, shared by all cores.

use std::sync::atomic::{AtomicU64, Ordering};

/// What is left unused of a second may be used up at once.
const BURST_NS: u64 = 1_000_000_000;

/// Counts the requests of one token.
#[derive(Debug)]
pub struct Meter {
    /// Of each request, in nanoseconds.
    cost_ns: u64,
    /// When all that was let in will have been paid for.
    paid_ns: AtomicU64,
}

impl Meter {
    /// For so many requests a second, at least one.
    #[must_use]
    pub fn new(requests_per_s: u32) -> Meter {
        let cost_ns = BURST_NS / u64::from(requests_per_s.max(1));
        Meter { cost_ns, paid_ns: AtomicU64::new(0) }
    }

    /// Takes one request into account, at this time of a clock that never goes back.
    ///
    /// # Errors
    /// In how many nanoseconds the next one is let in.
    pub fn take(&self, now_ns: u64) -> Result<(), u64> {
        let after = |paid_ns: u64| {
            let paid_ns = paid_ns.max(now_ns) + self.cost_ns;
            (paid_ns - now_ns <= BURST_NS).then_some(paid_ns)
        };
        let taken = self.paid_ns.fetch_update(Ordering::Relaxed, Ordering::Relaxed, after);
        taken.map(|_| ()).map_err(|paid_ns| (paid_ns + self.cost_ns).saturating_sub(now_ns + BURST_NS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_of_requests_at_once_and_then_its_rate() {
        let meter = Meter::new(10);
        let begin_ns = 5_000_000_000;
        assert_eq!((0..20).filter(|_| meter.take(begin_ns).is_ok()).count(), 10);
        let wait_ns = meter.take(begin_ns).unwrap_err();
        assert_eq!(wait_ns, 100_000_000);
        assert!(meter.take(begin_ns + wait_ns - 1).is_err());
        assert!(meter.take(begin_ns + wait_ns).is_ok());
        assert!(meter.take(begin_ns + wait_ns).is_err());
        assert_eq!((0..20).filter(|_| meter.take(begin_ns + 60_000_000_000).is_ok()).count(), 10);
    }

    #[test]
    fn the_slowest_and_the_fastest_meter_let_somebody_in() {
        assert!(Meter::new(1).take(0).is_ok());
        assert!(Meter::new(u32::MAX).take(0).is_ok());
    }
}
