//! A disk loses everything that was not flushed: what was answered is there, byte-exact and listed once; what was not is
//! absent or whole; nothing is damaged. Here an answer before its flush shows, and so does a flush that was forgotten.

use std::path::Path;

use crate::cuts::{Power, VOLUME_MIB, lose_nothing};
use crate::support::volume::FileSystem;
use crate::volatile_disk::VolatileDisk;

impl Power for VolatileDisk {
    fn path(&self) -> &Path {
        VolatileDisk::path(self)
    }

    fn cut(&mut self) {
        VolatileDisk::cut(self);
    }

    fn restore(&mut self) {
        VolatileDisk::restore(self).expect("it comes back");
    }
}

#[test]
fn cuts_of_a_volatile_disk_with_ext4_lose_nothing() {
    lose_nothing("cuts of a volatile disk with ext4", |folder| {
        VolatileDisk::new(folder.path(), FileSystem::Ext4, VOLUME_MIB)
    });
}

#[test]
fn cuts_of_a_volatile_disk_with_xfs_lose_nothing() {
    lose_nothing("cuts of a volatile disk with XFS", |folder| {
        VolatileDisk::new(folder.path(), FileSystem::Xfs, VOLUME_MIB)
    });
}
