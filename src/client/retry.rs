//! Trying again what may pass: with growing pauses, for a bounded time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::ClientError;
use crate::limits::{CLIENT_FIRST_TRIES, CLIENT_PAUSE_MS_MAX, CLIENT_PAUSE_MS_MIN};
use crate::runtime;
use crate::runtime::clock;

type Tell = Box<dyn Fn(&ClientError) + Send + Sync>;

/// How long a request that does not succeed is tried again. Shared by all requests of a command.
pub(super) struct Retry {
    patience: Duration,
    /// Told why something is tried again, once until something succeeds.
    tell: Option<Tell>,
    told: AtomicBool,
    /// The server has answered: it is there, and will be back.
    answered: AtomicBool,
}

impl Retry {
    pub(super) fn new(patience: Duration) -> Retry {
        Retry { patience, tell: None, told: AtomicBool::new(false), answered: AtomicBool::new(false) }
    }

    /// Also tells somebody who waits.
    pub(super) fn telling(mut self, tell: impl Fn(&ClientError) + Send + Sync + 'static) -> Retry {
        self.tell = Some(Box::new(tell));
        self
    }

    /// Does it until it succeeds, fails for good, or patience is at its end.
    ///
    /// # Errors
    /// The last one.
    pub(super) fn run<T>(
        &self,
        mut attempt: impl FnMut() -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let begun_ns = clock::now_ns();
        for tries in 1.. {
            let error = match attempt() {
                Ok(done) => {
                    self.answered.store(true, Ordering::Relaxed);
                    self.told.store(false, Ordering::Relaxed);
                    return Ok(done);
                }
                Err(error) => error,
            };
            if error.status().is_some() {
                self.answered.store(true, Ordering::Relaxed);
            }
            let pause = pause(tries, &error);
            let spent = Duration::from_nanos(clock::now_ns() - begun_ns);
            // Who mistypes an address is told soon.
            let hopeless = tries >= CLIENT_FIRST_TRIES && !self.answered.load(Ordering::Relaxed);
            if !error.is_passing() || hopeless || spent + pause > self.patience {
                return Err(error);
            }
            // What is over with the first pause is not worth a line.
            if tries > 1
                && let Some(tell) = &self.tell
                && !self.told.swap(true, Ordering::Relaxed)
            {
                tell(&error);
            }
            std::thread::sleep(pause);
        }
        unreachable!("there is no last number")
    }

    /// How long it goes on.
    pub(super) fn patience(&self) -> Duration {
        self.patience
    }
}

/// The pause behind this many tries: what the server asks for, or twice the last, and up to half more, so that many clients
/// do not come back at once.
pub(super) fn pause(tries: u32, error: &ClientError) -> Duration {
    let doubled = CLIENT_PAUSE_MS_MIN.saturating_mul(1 << (tries - 1).min(16)).min(CLIENT_PAUSE_MS_MAX);
    let asked = match error {
        ClientError::Busy { after: Some(after), .. } => {
            u64::try_from(after.as_millis()).unwrap_or(u64::MAX).min(CLIENT_PAUSE_MS_MAX)
        }
        _ => 0,
    };
    let least = doubled.max(asked);
    let [random, ..] = runtime::random();
    Duration::from_millis(least + least * u64::from(random) / 512)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away() -> ClientError {
        ClientError::Away("gone".to_owned())
    }

    #[test]
    fn pauses_grow_to_a_bound_and_are_never_shorter_than_asked() {
        for tries in 1..40 {
            let pause = pause(tries, &away()).as_millis();
            assert!(pause <= u128::from(CLIENT_PAUSE_MS_MAX) * 3 / 2);
            assert!(
                pause >= u128::from((CLIENT_PAUSE_MS_MIN << (tries - 1).min(10)).min(CLIENT_PAUSE_MS_MAX))
            );
        }
        let busy = ClientError::Busy { status: 503, why: String::new(), after: Some(Duration::from_secs(2)) };
        assert!(pause(1, &busy) >= Duration::from_secs(2));
    }

    #[test]
    fn what_passes_is_tried_again_and_what_does_not_is_not() {
        let retry = Retry::new(Duration::from_secs(60));
        let mut left = 2;
        let done = retry.run(|| {
            left -= 1;
            if left > 0 { Err(away()) } else { Ok(7) }
        });
        assert_eq!(done.unwrap(), 7);
        let mut tries = 0;
        let refused = retry.run(|| {
            tries += 1;
            Err::<(), _>(ClientError::Refused { status: 400, why: String::new() })
        });
        assert!(refused.is_err() && tries == 1);
    }

    #[test]
    fn nobody_who_never_answered_is_waited_for_long() {
        let retry = Retry::new(Duration::from_secs(3_600));
        let mut tries = 0;
        let failed = retry.run(|| {
            tries += 1;
            Err::<(), _>(away())
        });
        assert!(failed.is_err());
        assert_eq!(tries, CLIENT_FIRST_TRIES);
    }
}
