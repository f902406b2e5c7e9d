//! What can go wrong in the store, and whose fault it was. One enum for each thing that a caller does.

use std::io;

use crate::base::ids::{BlobId, SegmentId};
use crate::runtime::fatal;

/// Why records were not committed. Any other failure of a write or flush ends the process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CommitError {
    /// Disk, quota or inodes are full. Nothing that was answered is affected.
    NoSpace,
    /// No file could be opened, for want of descriptors or for another reason that is not space.
    Unavailable,
    /// The store is stopping.
    Stopped,
}

impl std::fmt::Display for CommitError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            CommitError::NoSpace => "the disk is full; nothing was lost, try again when there is space",
            CommitError::Unavailable => "no file could be opened for it; try again in a moment",
            CommitError::Stopped => "the daemon is stopping",
        })
    }
}

impl std::error::Error for CommitError {}

/// Why stored bytes cannot be had.
#[derive(Debug)]
pub enum ReadError {
    /// They do not check, or are not where the index says: in which segment or blob.
    Damaged(String),
    /// The disk refused.
    Io(io::Error),
}

impl ReadError {
    pub(super) fn in_segment(segment: SegmentId, offset: u64, what: impl std::fmt::Display) -> ReadError {
        ReadError::Damaged(format!("segment {segment} at byte {offset}: {what}"))
    }

    pub(super) fn in_blob(blob: BlobId, offset: u64, what: impl std::fmt::Display) -> ReadError {
        ReadError::Damaged(format!("blob {blob} at byte {offset}: {what}"))
    }
}

impl std::fmt::Display for ReadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ReadError::Damaged(place) => write!(f, "stored copy is damaged ({place})"),
            ReadError::Io(error) => write!(f, "the disk could not be read: {error}"),
        }
    }
}

impl std::error::Error for ReadError {}

impl From<io::Error> for ReadError {
    /// A file that is missing or too short is damage; all else is the disk's refusal.
    fn from(error: io::Error) -> ReadError {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof => ReadError::Damaged(error.to_string()),
            _ => ReadError::Io(error),
        }
    }
}

/// Why a store was not opened.
#[derive(Debug)]
pub enum OpenError {
    /// The directory is not ours, or of a version we do not know; in a sentence.
    Refused(String),
    /// The disk refused.
    Io {
        /// What was being done.
        doing: String,
        /// What came of it.
        error: io::Error,
    },
}

impl OpenError {
    /// A step of the start that the disk refused, for `map_err`.
    pub fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> OpenError {
        let doing = doing.into();
        move |error| OpenError::Io { doing, error }
    }
}

impl std::fmt::Display for OpenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            OpenError::Refused(why) => f.write_str(why),
            OpenError::Io { doing, error } => write!(f, "{doing}: {error}"),
        }
    }
}

impl std::error::Error for OpenError {}

/// What an errno of a batch's write or flush means.
///
/// | errno | |
/// |---|---|
/// | ENOSPC, EDQUOT, EFBIG, a write of nothing (as in front of a limit on the size of files) | the batch fails with `NoSpace`, its segment is sealed before it, the daemon serves on |
/// | EINTR, short counts | gone on with, below |
/// | all else (EIO, EROFS, ENODEV ...) | what reached the disk is unknown: the process ends |
#[must_use]
pub fn is_no_space(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge
            | io::ErrorKind::WriteZero
    )
}

/// Whether it is what a file system answers that has shut itself down or was made read-only: EIO, EROFS.
pub(super) fn has_given_up(error: &io::Error) -> bool {
    const EIO: i32 = 5;
    error.raw_os_error() == Some(EIO) || error.kind() == io::ErrorKind::ReadOnlyFilesystem
}

/// What a failed operation on the way to a commit comes to: `NoSpace`, or the end of the process, as
/// [`is_no_space`] has it.
pub(super) fn failed(doing: &str, error: &io::Error) -> CommitError {
    if is_no_space(error) {
        return CommitError::NoSpace;
    }
    fatal::exit(fatal::Exit::CommitFailed, &format!("could not {doing}: {error}"))
}
