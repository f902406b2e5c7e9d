//! Who may still use what the index said a moment ago: epoch-based reclamation (Fraser, Practical lock-freedom, 2004,
//! section 5.2.3) with LSNs as epochs.
//!
//! Whoever looks something up in the index and goes on to use it (a place, that a content is stored) holds an
//! [`Active`] meanwhile. Whoever frees something first takes it out of the index, then draws a number, and waits
//! until the oldest of the active began after that.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::ids::Lsn;

type Began = Mutex<BTreeMap<Lsn, usize>>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics under it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All who are active, over all cores.
#[derive(Default)]
pub(super) struct Epochs {
    cores: Mutex<Vec<Arc<Began>>>,
}

impl Epochs {
    /// A core's own list, so that cores do not meet.
    pub(super) fn join(&self) -> Entrance {
        let began = Arc::new(Began::default());
        lock(&self.cores).push(began.clone());
        Entrance(began)
    }

    /// When the one who is active longest began.
    pub(super) fn oldest(&self) -> Option<Lsn> {
        lock(&self.cores)
            .iter()
            .filter_map(|core| lock(core).first_key_value().map(|(began, _)| *began))
            .min()
    }

    /// Whether everyone who is active began after `number` was drawn.
    pub(super) fn have_passed(&self, number: Lsn) -> bool {
        self.oldest().is_none_or(|began| began > number)
    }
}

/// Where a core's requests enter.
pub(super) struct Entrance(Arc<Began>);

impl Entrance {
    /// Active from now on; `now` is the next number that will be drawn.
    pub(super) fn enter(&self, now: Lsn) -> Active {
        *lock(&self.0).entry(now).or_default() += 1;
        Active { core: self.0.clone(), began: now }
    }
}

/// While this lives, nothing is freed that the index showed since it was made.
#[must_use]
pub struct Active {
    core: Arc<Began>,
    began: Lsn,
}

impl Drop for Active {
    fn drop(&mut self) {
        let mut began = lock(&self.core);
        if let Some(count) = began.get_mut(&self.began) {
            *count -= 1;
            if *count == 0 {
                began.remove(&self.began);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_passes_when_all_who_began_before_it_have_ended() {
        let epochs = Epochs::default();
        let (one, other) = (epochs.join(), epochs.join());
        assert!(epochs.have_passed(Lsn(5)));
        let early = one.enter(Lsn(5));
        let also = one.enter(Lsn(5));
        let late = other.enter(Lsn(6));
        assert!(!epochs.have_passed(Lsn(5)));
        assert!(epochs.have_passed(Lsn(4)));
        drop(early);
        assert!(!epochs.have_passed(Lsn(5)));
        drop(also);
        assert!(epochs.have_passed(Lsn(5)) && !epochs.have_passed(Lsn(6)));
        drop(late);
        assert!(epochs.have_passed(Lsn(6)));
    }
}
