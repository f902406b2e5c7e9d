//! What lies on the disk: files of big contents, bytes of segments, damage, small volumes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The files of big contents.
pub(crate) fn blobs(data: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for directory in fs::read_dir(data.join("blobs")).expect("a store has a folder of blobs").flatten() {
        for file in fs::read_dir(directory.path()).expect("blobs lie in folders").flatten() {
            found.push(file.path());
        }
    }
    found
}

/// The segment that holds `bytes`, and where.
pub(crate) fn find_in_segments(data: &Path, bytes: &[u8]) -> (PathBuf, usize) {
    for entry in fs::read_dir(data.join("segments")).expect("a store has segments").flatten() {
        let all = fs::read(entry.path()).expect("a segment can be read");
        if let Some(at) = memchr::memmem::find(&all, bytes) {
            return (entry.path(), at);
        }
    }
    panic!("no segment holds these bytes");
}

/// Flips a bit.
pub(crate) fn flip(path: &Path, at: usize) {
    use std::os::unix::fs::FileExt as _;
    let file = fs::OpenOptions::new().read(true).write(true).open(path).expect("the file opens");
    let mut byte = [0];
    file.read_exact_at(&mut byte, at as u64).expect("the byte is there");
    byte[0] ^= 1;
    file.write_all_at(&byte, at as u64).expect("the byte is written");
    file.sync_all().expect("the file is flushed");
}

/// A small ext4 on a loop device; unmounted when dropped.
pub(crate) struct SmallVolume {
    mounted: PathBuf,
}

impl SmallVolume {
    /// `None`, said in words, where this process may not mount.
    pub(crate) fn new(folder: &Path, mib: u64, options: &[&str]) -> Option<SmallVolume> {
        let (image, mounted) = (folder.join("image"), folder.join("volume"));
        fs::create_dir_all(&mounted).expect("the mount point is made");
        let file = fs::File::create(&image).expect("the image is made");
        file.set_len(mib << 20).expect("the image has its size");
        let made = Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).args(options).arg(&image).output();
        let mount = |_| Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&mounted).output();
        match made.and_then(mount) {
            Ok(output) if output.status.success() => Some(SmallVolume { mounted }),
            Ok(output) => {
                println!(
                    "skipped: no volume can be mounted here: {}",
                    String::from_utf8_lossy(&output.stderr)
                );
                None
            }
            Err(error) => {
                println!("skipped: no volume can be mounted here: {error}");
                None
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.mounted
    }

    /// Lets nothing be written until what is given is dropped; who writes waits. `None`, said in words, where it
    /// cannot be done.
    pub(crate) fn freeze(&self) -> Option<Frozen> {
        let output = Command::new("fsfreeze").arg("-f").arg(&self.mounted).output();
        match output {
            Ok(output) if output.status.success() => Some(Frozen(self.mounted.clone())),
            failed => {
                println!("skipped: the volume cannot be frozen: {failed:?}");
                None
            }
        }
    }
}

/// A volume that nothing can be written to.
pub(crate) struct Frozen(PathBuf);

impl Drop for Frozen {
    fn drop(&mut self) {
        let thawed = Command::new("fsfreeze").arg("-u").arg(&self.0).output();
        if !thawed.is_ok_and(|output| output.status.success()) {
            eprintln!("{} stays frozen", self.0.display());
        }
    }
}

impl Drop for SmallVolume {
    fn drop(&mut self) {
        // Of a daemon that was killed the ring may hold files for a moment.
        for _ in 0..100 {
            match Command::new("umount").arg(&self.mounted).output() {
                Ok(output) if output.status.success() => return,
                _ => std::thread::sleep(std::time::Duration::from_millis(50)),
            }
        }
        eprintln!("{} stays mounted", self.mounted.display());
    }
}
