//! `rhinobox export`: writes what a data folder holds as plain files.

use std::path::Path;

use crate::ops::Failure;

/// Writes what a data folder holds as plain files.
///
/// # Errors
/// In one sentence, why it could not.
pub fn run(dir: &Path, to: &Path) -> Result<(), Failure> {
    Err(format!("exporting {} to {} is not part of this build", dir.display(), to.display()).into())
}
