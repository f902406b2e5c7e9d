//! The machine and the disk a bench ran on, as the kernel names them.

use std::fs;
use std::path::Path;

use serde::Serialize;

use super::Result;
use super::text::grouped;

/// Where and on what was measured.
#[derive(Clone, Serialize, Debug)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory_bytes: u64,
    pub(crate) kernel: String,
    pub(crate) folder: String,
    pub(crate) file_system: String,
    pub(crate) device: String,
    /// Of the last minute, at the start.
    pub(crate) load_average: f64,
    /// The device's write cache as the kernel sees it, and whether it takes FUA.
    pub(crate) write_cache: String,
}

impl Machine {
    /// Looks at the machine and the folder.
    ///
    /// # Errors
    /// If /proc cannot be read.
    pub(crate) fn look(dir: &Path) -> Result<Self> {
        let (file_system, device) = file_system(dir)?;
        let read =
            |path: &str| fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default();
        let (cpuinfo, meminfo) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
        let after = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let mut processor = after(&cpuinfo, "model name").unwrap_or_else(|| "unknown".into());
        if after(&cpuinfo, "flags").is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor")) {
            processor.push_str(", virtual");
        }
        let memory = after(&meminfo, "MemTotal").unwrap_or_default();
        let queue = write_cache(dir);
        Ok(Self {
            processor,
            cores: std::thread::available_parallelism()?.get(),
            memory_bytes: memory.trim_end_matches(" kB").parse::<u64>().unwrap_or(0) * 1024,
            kernel: format!("{} {}", read("/proc/sys/kernel/ostype"), read("/proc/sys/kernel/osrelease")),
            folder: dir.display().to_string(),
            file_system,
            device,
            load_average: read("/proc/loadavg")
                .split(' ')
                .next()
                .and_then(|load| load.parse().ok())
                .unwrap_or(0.0),
            write_cache: queue.unwrap_or_else(|| "unknown".into()),
        })
    }

    /// A line each for the machine, the kernel and the disk, and a warning where there is none.
    pub(crate) fn print(&self) {
        println!(
            "  machine      {}, {} cores, {} MB, load average {}",
            self.processor,
            self.cores,
            grouped(self.memory_bytes as f64 / 1e6),
            self.load_average
        );
        println!("  kernel       {}", self.kernel);
        println!(
            "  disk         {} on {} (write cache: {}), {}",
            self.file_system, self.device, self.write_cache, self.folder
        );
        if ["tmpfs", "ramfs"].contains(&self.file_system.as_str()) {
            println!("  WARNING      this is no disk; set RHINOBOX_BENCH_DIR to a folder on one");
        }
    }
}

fn write_cache(dir: &Path) -> Option<String> {
    use std::os::linux::fs::MetadataExt as _;
    let device = fs::metadata(dir).ok()?.st_dev();
    let node = format!("/sys/dev/block/{}:{}", libc::major(device), libc::minor(device));
    // A partition's queue is its disk's.
    let queue = [format!("{node}/queue"), format!("{node}/../queue")]
        .into_iter()
        .find(|at| Path::new(at).is_dir())?;
    let read = |name: &str| fs::read_to_string(format!("{queue}/{name}")).ok();
    let fua = if read("fua")?.trim() == "1" { "FUA" } else { "no FUA" };
    Some(format!("{}, {fua}", read("write_cache")?.trim()))
}

/// The file system under a folder, as the kernel names it: kind, device.
fn file_system(dir: &Path) -> Result<(String, String)> {
    let dir = dir.canonicalize()?;
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ');
            let (device, at, kind) = (fields.next()?, fields.next()?, fields.next()?);
            dir.starts_with(at).then(|| (at.len(), (kind.to_owned(), device.to_owned())))
        })
        // Of two mounts at one place the later is seen.
        .max_by_key(|(length, _)| *length)
        .map(|(_, found)| found)
        .ok_or_else(|| "no file system under the folder".into())
}
