//! How the cores get to see a change of the tokens: one task reads the file when it has changed, the others see a number.
//!
//! Always: a core takes no lock for a request unless there was a change; a change is in force on every core with its next
//! request, on connections that are open as on new ones.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::file::{self, Stamp};
use super::set::{Access, TokenSet};
use crate::limits::TOKENS_TICK_MS;
use crate::runtime::{clock, helper};

/// Who is let in, for all cores.
#[derive(Debug)]
pub struct Gate {
    /// Grows with every change.
    version: AtomicU64,
    access: Mutex<Arc<Access>>,
}

impl Gate {
    /// With this access to begin with.
    #[must_use]
    pub fn new(access: Access) -> Gate {
        Gate { version: AtomicU64::new(1), access: Mutex::new(Arc::new(access)) }
    }

    /// The access now.
    #[must_use]
    pub fn access(&self) -> Arc<Access> {
        self.access.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From the next request on, this is who is let in.
    pub fn change(&self, access: Access) {
        let mut current = self.access.lock().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(access.succeed(&current));
        self.version.fetch_add(1, Ordering::Release);
    }
}

/// One core's view of the gate.
#[derive(Debug)]
pub struct View {
    seen: Cell<u64>,
    access: RefCell<Arc<Access>>,
}

impl View {
    /// What the gate has now.
    #[must_use]
    pub fn of(gate: &Gate) -> View {
        // 0 is no version: the first look takes what is there then.
        View { seen: Cell::new(0), access: RefCell::new(gate.access()) }
    }

    /// Looks at who is let in now.
    pub fn with<T>(&self, gate: &Gate, look: impl FnOnce(&Access) -> T) -> T {
        let version = gate.version.load(Ordering::Acquire);
        if self.seen.replace(version) != version {
            *self.access.borrow_mut() = gate.access();
        }
        look(&self.access.borrow())
    }
}

/// The file of tokens as it was last read.
#[derive(Debug)]
pub struct Watched {
    path: PathBuf,
    stamp: Option<Stamp>,
    /// It could not be read the last time.
    is_closed: bool,
}

impl Watched {
    /// Reads the file for the first time: with no file, everybody is let in.
    ///
    /// # Errors
    /// Why it cannot be read, in words.
    pub fn open(path: PathBuf) -> Result<(Watched, Access), String> {
        let stamp = file::stamp(&path)?;
        let access = match stamp {
            None => Access::Open,
            Some(_) => Access::Tokens(TokenSet::new(&file::read(&path)?)),
        };
        Ok((Watched { path, stamp, is_closed: false }, access))
    }

    /// The access behind a change; `None` where there was none. Blocks.
    fn look(&mut self) -> Option<Access> {
        let stamp = match file::stamp(&self.path) {
            // A file that is gone must not open what it closed.
            Ok(None) if self.stamp.is_none() => return None,
            Ok(None) => Err("the file is gone".to_owned()),
            Ok(Some(stamp)) if self.stamp == Some(stamp) && !self.is_closed => return None,
            Ok(Some(stamp)) => Ok(stamp),
            Err(why) => Err(why),
        };
        // Read behind the stamp: what changes in between is seen as a change the next time.
        let read = stamp.and_then(|stamp| {
            self.stamp = Some(stamp);
            file::read(&self.path)
        });
        self.is_closed = read.is_err();
        Some(match read {
            Ok(records) => Access::Tokens(TokenSet::new(&records)),
            Err(why) => Access::Closed(why),
        })
    }
}

/// Looks at the file again and again, on a helper thread, and changes the gate with it. Lives as long as the core.
pub async fn watch(gate: Arc<Gate>, mut watched: Watched) {
    loop {
        clock::sleep(Duration::from_millis(TOKENS_TICK_MS)).await;
        let changed;
        (watched, changed) = helper::run(move || {
            let changed = watched.look();
            (watched, changed)
        })
        .await;
        let Some(access) = changed else { continue };
        match (&access, &*gate.access()) {
            (Access::Closed(why), Access::Closed(before)) if why == before => continue,
            (Access::Closed(why), _) => {
                tracing::error!(
                    file = %watched.path.display(), why,
                    "the tokens cannot be read: nobody is let in until they can"
                );
            }
            (Access::Tokens(set), _) => tracing::info!(tokens = set.len(), "the tokens were read again"),
            (Access::Open, _) => {}
        }
        gate.change(access);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::{Denied, Need, Scope, file, secret};

    #[test]
    fn a_view_sees_a_change_with_the_next_look() {
        let gate = Gate::new(Access::Open);
        let view = View::of(&gate);
        let is_open = || view.with(&gate, |access| matches!(access, Access::Open));
        assert!(is_open());
        gate.change(Access::Tokens(TokenSet::default()));
        assert!(!is_open());
    }

    #[test]
    fn what_happens_to_the_file_opens_nothing() {
        let dir = std::env::temp_dir().join(format!("rhinobox-tokens-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = file::path(&dir);
        let (mut watched, access) = Watched::open(path.clone()).unwrap();
        assert!(matches!(access, Access::Open));
        assert!(watched.look().is_none());
        let new = file::Record {
            name: "a".to_owned(),
            sha256: secret::hash(b"1"),
            scopes: vec![Scope::Read],
            created_unix_s: 0,
            expires_unix_s: None,
            requests_per_s: None,
        };
        file::change(&dir, |records| {
            records.push(new.clone());
            Ok(())
        })
        .unwrap();
        let admits =
            |access: Option<Access>| access.expect("a change").admit(Some(b"1"), Need::AnyToken).map(|_| ());
        assert_eq!(admits(watched.look()), Ok(()));
        assert!(watched.look().is_none());
        file::change(&dir, |records| {
            records.clear();
            Ok(())
        })
        .unwrap();
        assert_eq!(admits(watched.look()), Err(Denied::Unknown));
        let kept = std::fs::read(&path).unwrap();
        std::fs::write(&path, &kept[..kept.len() / 2]).unwrap();
        assert_eq!(admits(watched.look()), Err(Denied::Closed));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(admits(watched.look()), Err(Denied::Closed));
        assert_eq!(admits(watched.look()), Err(Denied::Closed), "it is asked again until it can be read");
        std::fs::write(&path, &kept).unwrap();
        assert_eq!(admits(watched.look()), Err(Denied::Unknown));
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
