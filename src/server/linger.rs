//! The end of a connection behind an answer that its client may not have read: what is still on its way is passed over,
//! so that the client sees the answer and not a reset (RFC 9112 section 9.6).
//!
//! Always: it ends by its bounds, whatever the client does; it holds no buffer, and nothing of the request is left by
//! then: no memory, no place in a queue. A stop of the daemon hardly waits for it.

use std::time::Duration;

use crate::limits::{LINGER_BYTES_MAX, LINGER_IDLE_MS, LINGER_MS_MAX};

/// How far one has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Linger {
    begun_ns: u64,
    /// When the last bytes came.
    moved_ns: u64,
    passed: u64,
}

impl Linger {
    /// One that begins now.
    pub(super) fn begin(now_ns: u64) -> Linger {
        Linger { begun_ns: now_ns, moved_ns: now_ns, passed: 0 }
    }

    /// So many bytes were passed over.
    pub(super) fn note(&mut self, bytes: usize, now_ns: u64) {
        self.passed += bytes as u64;
        self.moved_ns = now_ns;
    }

    /// How long the next bytes, or the client's end, may still take; `None` when it is over.
    pub(super) fn left(&self, now_ns: u64) -> Option<Duration> {
        let until_ns =
            (self.begun_ns + LINGER_MS_MAX * 1_000_000).min(self.moved_ns + LINGER_IDLE_MS * 1_000_000);
        let left_ns = until_ns.saturating_sub(now_ns);
        (left_ns > 0 && self.passed < LINGER_BYTES_MAX).then(|| Duration::from_nanos(left_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    const BEGUN_NS: u64 = 7_000 * MS;

    #[test]
    fn a_silent_client_is_given_the_idle_time_and_no_more() {
        let linger = Linger::begin(BEGUN_NS);
        assert_eq!(linger.left(BEGUN_NS), Some(Duration::from_millis(LINGER_IDLE_MS)));
        assert_eq!(linger.left(BEGUN_NS + LINGER_IDLE_MS * MS - 1), Some(Duration::from_nanos(1)));
        assert_eq!(linger.left(BEGUN_NS + LINGER_IDLE_MS * MS), None);
    }

    #[test]
    fn a_client_that_goes_on_sending_is_given_the_whole_time_and_no_more() {
        let mut linger = Linger::begin(BEGUN_NS);
        let mut now_ns = BEGUN_NS;
        while let Some(left) = linger.left(now_ns) {
            assert!(left <= Duration::from_millis(LINGER_IDLE_MS));
            now_ns += 100 * MS;
            linger.note(1, now_ns);
        }
        assert_eq!(now_ns, BEGUN_NS + LINGER_MS_MAX * MS);
    }

    #[test]
    fn a_body_is_passed_over_up_to_the_bound_on_its_bytes() {
        let mut linger = Linger::begin(BEGUN_NS);
        let piece = 1 << 20;
        for at in 0..LINGER_BYTES_MAX >> 20 {
            assert!(linger.left(BEGUN_NS + at).is_some(), "{at} MiB");
            linger.note(piece, BEGUN_NS + at);
        }
        assert_eq!(linger.left(BEGUN_NS), None);
    }
}
