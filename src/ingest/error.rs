//! Why a file was not stored.

use crate::base::digest::Digest;
use crate::media::name::TooLong;
use crate::store::CommitError;

/// Why a file was not stored. Nothing of it is left behind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FileError {
    /// It does not hash to what the client said.
    Mismatch {
        /// What the client said.
        expected: Digest,
        /// What arrived.
        found: Digest,
    },
    /// Its name, or what else goes into its path, is too long.
    TooLong(TooLong),
    /// It has no name.
    Nameless,
    /// Only a name was sent, and there is no content for it, or none that is whole.
    NotStored,
    /// The stored copy could not be read.
    Unreadable,
    /// It is larger than any file may be: bytes.
    TooLarge(u64),
    /// Disk or inodes are full.
    NoSpace,
    /// The queue was full for too long, or the store is behind.
    Overloaded,
    /// No file could be opened for it.
    Unavailable,
    /// The daemon is stopping.
    Stopping,
    /// The core that had it gave no answer. Our fault.
    Lost,
}

impl std::fmt::Display for FileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FileError::Mismatch { expected, found } => {
                write!(f, "the content hashes to {found}, not to {expected} as was declared")
            }
            FileError::TooLong(too_long) => write!(f, "{too_long}"),
            FileError::Nameless => f.write_str("the name is empty"),
            FileError::NotStored => f.write_str("nothing whole is stored under this hash: send the content"),
            FileError::Unreadable => f.write_str("the stored copy cannot be read"),
            FileError::TooLarge(limit) => {
                write!(f, "the file is larger than {limit} bytes, the most a file may have")
            }
            FileError::NoSpace => {
                f.write_str("the disk is full; nothing was lost, try again when there is space")
            }
            FileError::Overloaded => {
                f.write_str("too many files are waiting to be stored; try again in a second")
            }
            FileError::Unavailable => f.write_str("no file could be opened for it; try again in a moment"),
            FileError::Stopping => f.write_str("the daemon is stopping; try again in a moment"),
            FileError::Lost => f.write_str("the file was lost inside the daemon; send it again"),
        }
    }
}

impl std::error::Error for FileError {}

impl From<CommitError> for FileError {
    fn from(error: CommitError) -> FileError {
        match error {
            CommitError::NoSpace => FileError::NoSpace,
            CommitError::Unavailable => FileError::Unavailable,
            CommitError::Stopped => FileError::Stopping,
        }
    }
}

impl From<TooLong> for FileError {
    fn from(error: TooLong) -> FileError {
        FileError::TooLong(error)
    }
}
