//! What the kernel says of processes and of the machine: processor time and memory, read from /proc.

use std::collections::HashMap;
use std::fs;

use crate::Result;

/// Processor time in seconds.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Processor {
    pub(crate) user: f64,
    pub(crate) system: f64,
}

impl Processor {
    /// Of a process and all its threads, kernel workers of its rings included.
    ///
    /// # Errors
    /// If there is no such process.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let stat = Stat::of(pid).ok_or_else(|| format!("process {pid} is gone"))?;
        Ok(Self { user: seconds(stat.user), system: seconds(stat.system) })
    }

    /// Of a process and all that descends from it, ended ones included.
    ///
    /// # Errors
    /// If there is no such process, or /proc cannot be read.
    pub(crate) fn of_tree(root: u32) -> Result<Self> {
        let tree = tree(root)?;
        let sum = |ticks: fn(&Stat) -> u64| seconds(tree.values().map(ticks).sum());
        Ok(Self {
            user: sum(|stat| stat.user + stat.ended_user),
            system: sum(|stat| stat.system + stat.ended_system),
        })
    }

    pub(crate) fn since(self, before: Self) -> Self {
        Self { user: self.user - before.user, system: self.system - before.system }
    }

    pub(crate) fn total(self) -> f64 {
        self.user + self.system
    }
}

/// Seconds that the machine's cores were idle, and that its host took from them, since it started.
///
/// # Errors
/// If /proc/stat cannot be read.
pub(crate) fn idle_and_stolen() -> Result<(f64, f64)> {
    let stat = fs::read_to_string("/proc/stat")?;
    let fields: Vec<u64> =
        stat.lines().next().unwrap_or_default().split_whitespace().skip(1).flat_map(str::parse).collect();
    let field = |number: usize| fields.get(number).copied().unwrap_or(0);
    Ok((seconds(field(3) + field(4)), seconds(field(7))))
}

fn seconds(ticks: u64) -> f64 {
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}

/// Resident memory of a process, bytes.
///
/// # Errors
/// If there is no such process.
pub(crate) fn resident_bytes(pid: u32) -> Result<u64> {
    status_bytes(pid, "VmRSS:")
}

/// The most that was ever resident of it, bytes.
///
/// # Errors
/// If there is no such process.
pub(crate) fn resident_bytes_max(pid: u32) -> Result<u64> {
    status_bytes(pid, "VmHWM:")
}

fn status_bytes(pid: u32, name: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024)
}

/// Of one process: its parent, its ticks, and those of ended children that it waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stat {
    parent: u32,
    user: u64,
    system: u64,
    ended_user: u64,
    ended_system: u64,
}

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name, in parentheses, may hold spaces; behind it stands field 3.
        let fields: Vec<_> = stat.rsplit_once(") ")?.1.split(' ').collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            parent: u32::try_from(field(4)?).ok()?,
            user: field(14)?,
            system: field(15)?,
            ended_user: field(16)?,
            ended_system: field(17)?,
        })
    }
}

/// A process and what descends from it.
///
/// # Errors
/// If there is no such process, or /proc cannot be read.
pub(crate) fn tree(root: u32) -> Result<HashMap<u32, Stat>> {
    let mut others: HashMap<u32, Stat> = HashMap::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        if let Some(pid) = name.to_str().and_then(|name| name.parse().ok())
            && let Some(stat) = Stat::of(pid)
        {
            others.insert(pid, stat);
        }
    }
    let stat = others.remove(&root).ok_or_else(|| format!("process {root} is gone"))?;
    let mut tree = HashMap::from([(root, stat)]);
    loop {
        let children: Vec<u32> =
            others.iter().filter(|(_, stat)| tree.contains_key(&stat.parent)).map(|(pid, _)| *pid).collect();
        if children.is_empty() {
            return Ok(tree);
        }
        for pid in children {
            if let Some(stat) = others.remove(&pid) {
                tree.insert(pid, stat);
            }
        }
    }
}
