//! This process as the kernel sees it: its one lock, its memory, its time and that of its threads, its limits. What asks
//! for the lock or flushes may block, and is for the main thread.

#![expect(unsafe_code, reason = "getrusage, sysconf, syncfs and rlimits are libc's")]

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::limits::LOCK_WAIT_MS;

/// An exclusive lock that says "one daemon at a time". Let go on drop and when the process dies.
#[derive(Debug)]
pub struct LockFile {
    _file: File,
}

/// Takes the lock, creating the file where there is none, and writes this process's id into it. Tries again for about
/// a second: io_uring may hold a dead process's lock for a moment. The error names the process that has it.
pub fn lock_file(path: &Path) -> io::Result<LockFile> {
    let mut options = OpenOptions::new();
    let mut file = options.read(true).write(true).create(true).truncate(false).mode(0o640).open(path)?;
    wait_for_lock(&file, path, File::try_lock)?;
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())?;
    Ok(LockFile { _file: file })
}

/// Takes the lock together with others who only read: it keeps [`lock_file`] out. Changes nothing. `None` where there
/// is no such file, so that nobody holds it either.
pub fn share_lock_file(path: &Path) -> io::Result<Option<LockFile>> {
    let file = match File::open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        result => result?,
    };
    wait_for_lock(&file, path, File::try_lock_shared)?;
    Ok(Some(LockFile { _file: file }))
}

/// Tries for about a second. The error names the process that has the lock.
fn wait_for_lock(
    file: &File,
    path: &Path,
    try_lock: impl Fn(&File) -> Result<(), TryLockError>,
) -> io::Result<()> {
    let begin = Instant::now();
    loop {
        match try_lock(file) {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(e)) => return Err(e),
            Err(TryLockError::WouldBlock) if begin.elapsed() < Duration::from_millis(LOCK_WAIT_MS) => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                // Bounded, and whatever is in there: it is only shown.
                let _ = file.take(32).read_to_string(&mut owner);
                let owner: String = owner.chars().filter(char::is_ascii_digit).collect();
                let owner =
                    if owner.is_empty() { "another process".to_owned() } else { format!("process {owner}") };
                let text = format!("{} is locked by {owner}", path.display());
                return Err(io::Error::new(io::ErrorKind::WouldBlock, text));
            }
        }
    }
}

/// Flushes the whole volume that this directory is on, once for many files.
pub fn sync_volume(dir: &File) -> io::Result<()> {
    // SAFETY: takes a descriptor that is open as long as `dir` is, and no pointer.
    if unsafe { libc::syncfs(dir.as_raw_fd()) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Resident memory in bytes, 0 where /proc cannot be read.
#[must_use]
pub fn rss_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
    pages.unwrap_or(0).saturating_mul(page_bytes())
}

/// Bytes of a page of memory.
#[must_use]
pub fn page_bytes() -> u64 {
    // SAFETY: takes and returns a number.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(bytes).expect("every system has a page size")
}

/// Processor time this process has used, (user, system).
#[must_use]
pub fn cpu_time() -> (Duration, Duration) {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: room for the answer; zeros are a valid one, so a failure (there is none for RUSAGE_SELF) reads as zero.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    let duration = |time: libc::timeval| {
        let (seconds, micros) =
            (u64::try_from(time.tv_sec).unwrap_or(0), u64::try_from(time.tv_usec).unwrap_or(0));
        Duration::from_secs(seconds) + Duration::from_micros(micros)
    };
    (duration(usage.ru_utime), duration(usage.ru_stime))
}

/// The calling thread's number.
#[must_use]
pub fn thread_id() -> u32 {
    // SAFETY: takes nothing and cannot fail.
    u32::try_from(unsafe { libc::gettid() }).unwrap_or(0)
}

/// When a thread gets a processor that others want as well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Priority {
    /// A share of it, the smaller the nicer it is, 0 to 19 (setpriority(2)). A thread that wakes may have to wait for one of
    /// these, however nice, until that has had its slice: some milliseconds.
    Nice(i32),
    /// What is left over (SCHED_IDLE, sched(7)). Whoever else wakes has it at once.
    Idle,
}

impl Priority {
    /// Gives it to the calling thread. Where the kernel refuses, nothing changes.
    pub fn take(self) {
        match self {
            Priority::Nice(nice) => {
                // SAFETY: takes numbers only; on Linux a thread's number stands for that thread alone.
                unsafe { libc::setpriority(libc::PRIO_PROCESS, thread_id(), nice) };
            }
            Priority::Idle => {
                let parameters = libc::sched_param { sched_priority: 0 };
                // SAFETY: 0 is the calling thread, and the parameters live until the call returns.
                unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const parameters) };
            }
        }
    }
}

/// Processor time that a thread of this process has used, (user, system), to a hundredth of a second; `None` where there
/// is no such thread or /proc cannot be read.
#[must_use]
pub fn thread_cpu_time(thread: u32) -> Option<(Duration, Duration)> {
    let stat = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat")).ok()?;
    let (user, system) = ticks_of(&stat)?;
    // SAFETY: takes and returns a number.
    let a_second =
        u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).ok().filter(|ticks| *ticks > 0)?;
    let duration = |ticks: u64| Duration::from_millis(ticks.saturating_mul(1_000) / a_second);
    Some((duration(user), duration(system)))
}

/// Fields 14 and 15 of a `stat` file (proc(5)). The second is the thread's name, in brackets, and may hold anything.
fn ticks_of(stat: &str) -> Option<(u64, u64)> {
    let (_, behind_the_name) = stat.rsplit_once(')')?;
    let mut fields = behind_the_name.split_ascii_whitespace().skip(11);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// The limit on open files.
pub fn nofile_limit() -> io::Result<u64> {
    read_nofile_limit().map(|limit| limit.rlim_cur)
}

fn read_nofile_limit() -> io::Result<libc::rlimit> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a live limit.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(limit)
}

/// Raises the limit on open files to the most this process may set; gives the limit that holds then.
pub fn raise_nofile_limit() -> io::Result<u64> {
    let mut limit = read_nofile_limit()?;
    if limit.rlim_cur < limit.rlim_max {
        limit.rlim_cur = limit.rlim_max;
        // SAFETY: as above.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(limit.rlim_cur)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_by_one_and_free_after_it() {
        let path = std::env::temp_dir().join(format!("rhinobox-lock-{}", std::process::id()));
        let held = lock_file(&path).unwrap();
        let refused = lock_file(&path).unwrap_err().to_string();
        assert!(refused.ends_with(&format!("is locked by process {}", std::process::id())), "{refused}");
        assert!(share_lock_file(&path).is_err());
        drop(held);
        drop(lock_file(&path).unwrap());
        let readers = [share_lock_file(&path).unwrap(), share_lock_file(&path).unwrap()];
        assert!(readers.iter().all(Option::is_some));
        assert!(lock_file(&path).is_err());
        std::fs::remove_file(&path).unwrap();
        assert!(share_lock_file(&path).unwrap().is_none());
        assert!(!path.exists());
    }

    #[test]
    fn a_thread_uses_time_of_its_own() {
        let stat = "7 (a) b) 1 2) S 1 2 3 4 5 6 7 8 9 10 41 42 15";
        assert_eq!(ticks_of(stat), Some((41, 42)));
        assert_eq!(ticks_of("7 (a) S 1 2"), None);
        let spent = || {
            let (user, system) = thread_cpu_time(thread_id()).unwrap();
            user + system
        };
        let (begin, before) = (Instant::now(), spent());
        while spent() <= before {
            assert!(begin.elapsed() < Duration::from_secs(60), "a thread that works uses time");
        }
        let idle = std::thread::spawn(|| thread_cpu_time(thread_id()).unwrap());
        assert_eq!(idle.join().unwrap(), (Duration::ZERO, Duration::ZERO));
        assert_eq!(thread_cpu_time(u32::MAX), None);
    }

    #[test]
    fn the_process_uses_memory_time_and_files() {
        assert!(rss_bytes() > 100_000);
        let (user, system) = cpu_time();
        assert!(user + system > Duration::ZERO);
        assert!(raise_nofile_limit().unwrap() >= 256);
    }
}
