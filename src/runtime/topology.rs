//! Which processors this process may use: affinity mask and cgroup CPU quota respected.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A processor of the machine, by the kernel's number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cpu(pub usize);

/// The processors to run on: all usable (affinity mask, then at most the cgroup's quota rounded up), or `wanted`
/// cores dealt over them round-robin (more than there are is allowed; they share).
pub fn cpus(wanted: Option<usize>) -> io::Result<Vec<Cpu>> {
    let allowed = core_affinity::get_core_ids().filter(|ids| !ids.is_empty());
    let allowed = allowed.ok_or_else(|| io::Error::other("cannot read this process's affinity mask"))?;
    let allowed: Vec<Cpu> = allowed.into_iter().map(|id| Cpu(id.id)).collect();
    choose(&allowed, quota(), wanted)
}

fn choose(allowed: &[Cpu], quota: Option<usize>, wanted: Option<usize>) -> io::Result<Vec<Cpu>> {
    let count = match wanted {
        Some(0) => return Err(io::Error::new(io::ErrorKind::InvalidInput, "at least one core is needed")),
        Some(n) => n,
        None => allowed.len().min(quota.unwrap_or(usize::MAX)),
    };
    Ok(allowed.iter().copied().cycle().take(count).collect())
}

/// The least CPU quota of this process's cgroup and those above it, in whole processors rounded up.
fn quota() -> Option<usize> {
    let mine = fs::read_to_string("/proc/self/cgroup").ok()?;
    mine.lines().flat_map(groups).filter_map(|group| group.quota()).min()
}

/// A directory that may hold a quota.
#[derive(PartialEq, Eq, Debug)]
enum Group {
    V1(PathBuf),
    V2(PathBuf),
}

impl Group {
    fn quota(&self) -> Option<usize> {
        match self {
            Group::V1(dir) => {
                let quota = fs::read_to_string(dir.join("cpu.cfs_quota_us")).ok()?;
                let period = fs::read_to_string(dir.join("cpu.cfs_period_us")).ok()?;
                processors(&quota, &period)
            }
            Group::V2(dir) => {
                let text = fs::read_to_string(dir.join("cpu.max")).ok()?;
                let (quota, period) = text.trim().split_once(' ')?;
                processors(quota, period)
            }
        }
    }
}

/// The directories that a line of /proc/self/cgroup (`0::/path` or `4:cpu,cpuacct:/path`) names, up to the root.
/// In a container the path may be the host's and not exist here; the root then is the container's own group.
fn groups(line: &str) -> Vec<Group> {
    let mut parts = line.splitn(3, ':');
    let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
        return Vec::new();
    };
    let v2 = controllers.is_empty();
    if !v2 && !controllers.split(',').any(|controller| controller == "cpu") {
        return Vec::new();
    }
    let above = Path::new(path.trim_start_matches('/')).ancestors();
    above
        .map(|path| {
            if v2 {
                Group::V2(Path::new("/sys/fs/cgroup").join(path))
            } else {
                Group::V1(Path::new("/sys/fs/cgroup/cpu").join(path))
            }
        })
        .collect()
}

/// Time a period in processors, rounded up. `max` (version 2) and -1 (version 1) mean no quota.
fn processors(quota: &str, period: &str) -> Option<usize> {
    let quota: usize = quota.trim().parse().ok()?;
    let period: usize = period.trim().parse().ok().filter(|period| *period > 0)?;
    Some(quota.div_ceil(period).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_processor_and_shares_them_when_more_cores_are_wanted() {
        let all = cpus(None).unwrap();
        assert!(!all.is_empty());
        let many = cpus(Some(1_000)).unwrap();
        assert_eq!(many.len(), 1_000);
        assert!(all.iter().all(|cpu| many.contains(cpu)));
    }

    #[test]
    fn a_quota_bounds_the_default_and_not_the_wish() {
        let allowed = [Cpu(2), Cpu(5), Cpu(7)];
        assert_eq!(choose(&allowed, None, None).unwrap(), allowed);
        assert_eq!(choose(&allowed, Some(2), None).unwrap(), [Cpu(2), Cpu(5)]);
        assert_eq!(choose(&allowed, Some(9), None).unwrap(), allowed);
        assert_eq!(choose(&allowed, Some(1), Some(4)).unwrap(), [Cpu(2), Cpu(5), Cpu(7), Cpu(2)]);
        assert!(choose(&allowed, None, Some(0)).is_err());
    }

    #[test]
    fn quotas_are_rounded_up_to_processors() {
        assert_eq!(processors("150000", "100000\n"), Some(2));
        assert_eq!(processors("50000", "100000"), Some(1));
        assert_eq!(processors("max", "100000"), None);
        assert_eq!(processors("-1", "100000"), None);
        assert_eq!(processors("1", "0"), None);
    }

    #[test]
    fn every_group_up_to_the_root_is_looked_at() {
        let v2 = |path: &str| Group::V2(PathBuf::from(path));
        assert_eq!(
            groups("0::/a/b"),
            [v2("/sys/fs/cgroup/a/b"), v2("/sys/fs/cgroup/a"), v2("/sys/fs/cgroup/")]
        );
        assert_eq!(groups("0::/"), [v2("/sys/fs/cgroup/")]);
        let v1 = groups("4:cpu,cpuacct:/x");
        assert_eq!(v1[0], Group::V1(PathBuf::from("/sys/fs/cgroup/cpu/x")));
        assert!(groups("3:cpuset:/x").is_empty());
        assert!(groups("nonsense").is_empty());
    }
}
