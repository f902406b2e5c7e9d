//! The one table from what went wrong to the status that tells the client.
//!
//! | error | status |
//! |---|---|
//! | the client's digest, name or size | 400, 413 |
//! | a name for what is not stored | 404 |
//! | no room on the volume | 507 |
//! | queue full, store behind, stopping, recovering | 503, Retry-After |
//! | a stored copy does not check, a core lost a file | 500 |

use crate::http::error::{Extra, HttpError, Status};
use crate::ingest::FileError;
use crate::store::{ReadError, Room, Store};

/// The status of a file's failure.
#[must_use]
pub fn status_of(error: &FileError) -> Status {
    match error {
        FileError::Mismatch { .. } | FileError::TooLong(_) | FileError::Nameless => Status::BadRequest,
        FileError::NotStored => Status::NotFound,
        FileError::TooLarge(_) => Status::ContentTooLarge,
        FileError::NoSpace => Status::InsufficientStorage,
        FileError::Overloaded | FileError::Unavailable | FileError::Stopping => Status::ServiceUnavailable,
        FileError::Lost | FileError::Unreadable => Status::InternalServerError,
    }
}

/// What goes with that status.
#[must_use]
pub fn extra_of(status: Status) -> Extra {
    match status {
        Status::ServiceUnavailable => Extra::RetryAfter(1),
        _ => Extra::None,
    }
}

/// A file's failure as the answer to the whole request.
#[must_use]
pub fn refusal(error: &FileError) -> HttpError {
    let status = status_of(error);
    HttpError::new(status, error.to_string()).with(extra_of(status))
}

/// A failed read as an answer. What exactly is damaged goes to the log, not to the client.
#[must_use]
pub fn unreadable(error: &ReadError) -> HttpError {
    let message = match error {
        ReadError::Damaged(_) => "stored copy is damaged",
        ReadError::Io(_) => "the disk could not be read",
    };
    HttpError::new(Status::InternalServerError, message)
}

/// 503 while there is no store yet, or no more.
#[must_use]
pub fn not_ready(draining: bool) -> HttpError {
    let message = if draining { "the daemon is stopping" } else { "the daemon is reading its store" };
    HttpError::new(Status::ServiceUnavailable, message).with(Extra::RetryAfter(1))
}

/// 507 if the volume has no room for a body of this length.
///
/// # Errors
/// That 507.
pub fn check_room(store: &Store, bytes: u64) -> Result<(), HttpError> {
    let message = match store.room_for(bytes) {
        Room::Enough => return Ok(()),
        Room::NoBytes(free) => format!(
            "the disk is full: {free} bytes are left for uploads and this one has {bytes}; nothing was lost"
        ),
        Room::NoInodes => "the disk is out of inodes; nothing was lost".to_owned(),
    };
    Err(HttpError::new(Status::InsufficientStorage, message))
}
