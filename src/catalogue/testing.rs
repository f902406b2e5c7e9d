//! What tests of the catalogue share.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;

use super::schema;
use super::write::Writer;
use crate::base::ids::StoreId;

/// Whose all these catalogues are.
pub(super) const STORE: StoreId = StoreId([7; 16]);

/// A folder of a test's own, removed with all that is in it.
pub(super) struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _best_effort = std::fs::remove_dir_all(&self.0);
    }
}

impl Scratch {
    /// `called` differs among tests.
    pub(super) fn new(called: &str) -> Scratch {
        let folder = std::env::temp_dir().join(format!("rhinobox-catalogue-{called}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Scratch(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Who writes an empty catalogue here.
    pub(super) fn writer(&self) -> Writer {
        let mut writer = Writer::new(self.0.join(schema::FILE), STORE, 1 << 20, Arc::default());
        writer.open().unwrap();
        writer
    }

    /// To read what was written.
    pub(super) fn connection(&self) -> Connection {
        schema::open_to_read(&self.0.join(schema::FILE), STORE).unwrap()
    }
}
