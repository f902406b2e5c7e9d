//! A file system is shut down in mid-work, its journal unflushed, as by a power cut: what was answered is there,
//! byte-exact and listed once; what was not is absent or whole; nothing is damaged.
//!
//! Direct writes into blocks that were written before have reached the image by then, flushed or not. What this cuts is
//! everything else: names of files, their lengths, blocks that were new, the order of all that.

use std::path::Path;

use crate::cuts::{Power, VOLUME_MIB, lose_nothing};
use crate::support::volume::{FileSystem, Volume};

impl Power for Volume {
    fn path(&self) -> &Path {
        Volume::path(self)
    }

    fn cut(&mut self) {
        Volume::cut(self);
    }

    fn restore(&mut self) {
        self.unmount().and_then(|()| self.mount()).expect("it comes back");
    }
}

#[test]
fn cuts_of_an_ext4_lose_nothing() {
    lose_nothing("cuts of an ext4", |folder| Volume::new(folder.path(), FileSystem::Ext4, VOLUME_MIB, &[]));
}

#[test]
fn cuts_of_an_xfs_lose_nothing() {
    lose_nothing("cuts of an XFS", |folder| Volume::new(folder.path(), FileSystem::Xfs, VOLUME_MIB, &[]));
}
