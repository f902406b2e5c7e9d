//! `rhinobox serve`: serves until told to stop.

use crate::ops::Failure;
use crate::ops::config::Settings;

/// Serves until told to stop.
///
/// # Errors
/// In one sentence, why it could not.
pub fn run(settings: Settings) -> Result<(), Failure> {
    Err(format!("serving {} on {} is not part of this build", settings.data_dir.display(), settings.addr)
        .into())
}
