//! Time. Real on a core of the daemon, virtual on a simulated one.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use super::sim;
use crate::base::time::Wall;

/// Nanoseconds of a clock that never goes back; its zero means nothing.
#[must_use]
pub fn now_ns() -> u64 {
    static ZERO: OnceLock<Instant> = OnceLock::new();
    if sim::active() {
        return sim::now_ns();
    }
    u64::try_from(ZERO.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// The wall clock. May jump.
#[must_use]
pub fn wall() -> Wall {
    if sim::active() {
        return sim::wall();
    }
    let nanos = match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |n| -n),
    };
    Wall(nanos)
}

/// Waits; the daemon's timers have 1 ms resolution, rounded up. Owns no kernel I/O: it may be dropped.
pub async fn sleep(duration: Duration) {
    if sim::active() {
        sim::sleep(duration).await;
    } else {
        monoio::time::sleep(duration).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::core::tests::on_one_core;

    #[test]
    fn a_sleep_lasts_at_least_what_was_asked() {
        on_one_core(|| async {
            let before = now_ns();
            sleep(Duration::from_millis(20)).await;
            let took = now_ns() - before;
            assert!((20_000_000..1_000_000_000).contains(&took), "{took} ns");
        });
    }

    #[test]
    fn the_wall_clock_is_after_this_was_written() {
        assert!(wall().seconds() > 1_700_000_000);
    }
}
