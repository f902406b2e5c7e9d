//! `rhinobox rm`: deletes names by path, and contents with all their names by hash.

use std::time::Duration;

use super::http::Content;
use super::retry::Retry;
use super::what::What;
use super::{Client, ClientError, Outcome, show};

/// Deletes them, one after the other. What is not there is told of, and the rest goes on.
///
/// # Errors
/// The first that could not be deleted.
pub fn run(client: &Client, all: &[What], patience: Duration) -> Result<Outcome, ClientError> {
    let retry = Retry::new(patience);
    let mut outcome = Outcome::Done;
    for what in all {
        let target = what.target();
        let mut tries = 0;
        let removed = retry.run(|| {
            tries += 1;
            client.ask("DELETE", &target, &[], Content::Nothing, &[404])
        });
        match removed?.status() {
            // The answer to the first may have been lost on its way.
            404 if tries > 1 => {}
            404 => {
                show::note(&format!("rhinobox: nothing is stored at {}", show::text(&target)));
                outcome = Outcome::NotFound;
            }
            _ => {}
        }
    }
    Ok(outcome)
}
