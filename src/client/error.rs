//! Why a request, or a command, came to nothing.

use std::fmt;
use std::io;
use std::time::Duration;

use super::show::text;

/// One sentence of it is what a person reads.
#[derive(Debug)]
pub enum ClientError {
    /// Nothing answers, or what answered is gone. That may change.
    Away(String),
    /// The daemon is busy, and says so.
    Busy {
        /// 503 or 429.
        status: u16,
        /// Its sentence.
        why: String,
        /// When to come again, where it says so.
        after: Option<Duration>,
    },
    /// The daemon does not do it.
    Refused {
        /// Any other status.
        status: u16,
        /// Its sentence.
        why: String,
    },
    /// Something else answers, or a daemon that is to be asked in another way.
    Stranger(String),
    /// This machine does not: a file, a folder.
    Here(String),
    /// Nobody reads what is written.
    Output(io::Error),
}

impl ClientError {
    /// Whether trying again may help.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, ClientError::Away(_) | ClientError::Busy { .. })
    }

    /// The status it was refused with.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            ClientError::Busy { status, .. } | ClientError::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::Busy { status, why, .. } | ClientError::Refused { status, why } => {
                write!(f, "the server says {status}: {}", text(why))
            }
            ClientError::Away(why) | ClientError::Stranger(why) | ClientError::Here(why) => f.write_str(why),
            ClientError::Output(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ClientError::Output(error) => Some(error),
            _ => None,
        }
    }
}
