//! What can be wrong with a request, and the statuses that say so.
//!
//! A layer above that meets a failure of its own makes an [`HttpError`] of it too: one type, one rendering.

use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroU64;

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = $code:literal $reason:literal,)*) => {
        /// A status this server answers with (RFC 9110 section 15).
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u16)]
        pub enum Status {
            $($(#[$doc])* $name = $code,)*
        }

        impl Status {
            /// All of them, by code.
            pub const ALL: &'static [Status] = &[$(Status::$name,)*];

            /// The status line, with its line end.
            pub(crate) fn line(self) -> &'static [u8] {
                match self {
                    $(Status::$name => concat!("HTTP/1.1 ", $code, " ", $reason, "\r\n").as_bytes(),)*
                }
            }

            /// The reason phrase.
            #[must_use]
            pub fn reason(self) -> &'static str {
                match self {
                    $(Status::$name => $reason,)*
                }
            }
        }
    };
}

statuses! {
    /// Go on and send the body.
    Continue = 100 "Continue",
    /// Here it is, or: it was there already.
    Ok = 200 "OK",
    /// Stored, and new.
    Created = 201 "Created",
    /// Done, nothing to say.
    NoContent = 204 "No Content",
    /// Some ranges of it.
    PartialContent = 206 "Partial Content",
    /// An answer per file (RFC 4918).
    MultiStatus = 207 "Multi-Status",
    /// The client's copy is good.
    NotModified = 304 "Not Modified",
    /// Malformed.
    BadRequest = 400 "Bad Request",
    /// No token.
    Unauthorized = 401 "Unauthorized",
    /// Not with this token, or not from this site.
    Forbidden = 403 "Forbidden",
    /// No such thing.
    NotFound = 404 "Not Found",
    /// Not with this method; `Allow` says with which.
    MethodNotAllowed = 405 "Method Not Allowed",
    /// Head or body came too slowly.
    RequestTimeout = 408 "Request Timeout",
    /// A condition of the request does not hold.
    PreconditionFailed = 412 "Precondition Failed",
    /// The body, or the count of its parts, is over the limit.
    ContentTooLarge = 413 "Content Too Large",
    /// The target is over the limit.
    UriTooLong = 414 "URI Too Long",
    /// A type or coding of the body that is not taken.
    UnsupportedMediaType = 415 "Unsupported Media Type",
    /// No byte of the content is in the ranges asked for.
    RangeNotSatisfiable = 416 "Range Not Satisfiable",
    /// An expectation other than `100-continue`.
    ExpectationFailed = 417 "Expectation Failed",
    /// The Host is not one of ours.
    MisdirectedRequest = 421 "Misdirected Request",
    /// A token's rate is used up.
    TooManyRequests = 429 "Too Many Requests",
    /// Head or part head over the limit.
    RequestHeaderFieldsTooLarge = 431 "Request Header Fields Too Large",
    /// Our fault.
    InternalServerError = 500 "Internal Server Error",
    /// An endpoint of the predecessor.
    NotImplemented = 501 "Not Implemented",
    /// Later.
    ServiceUnavailable = 503 "Service Unavailable",
    /// Neither HTTP/1.0 nor HTTP/1.1.
    HttpVersionNotSupported = 505 "HTTP Version Not Supported",
    /// Out of disk space or inodes.
    InsufficientStorage = 507 "Insufficient Storage",
}

impl Status {
    /// The three digits.
    #[must_use]
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// Whether an answer of this status never has a body (RFC 9112 section 6.3).
    #[must_use]
    pub fn is_bodiless(self) -> bool {
        matches!(self, Status::Continue | Status::NoContent | Status::NotModified)
    }
}

/// The field an error's answer carries besides the common ones.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Extra {
    /// No such field.
    #[default]
    None,
    /// `Allow`: the methods the resource knows.
    Allow(&'static str),
    /// `Retry-After`, in seconds.
    RetryAfter(u32),
    /// `Content-Range: bytes */n`: the size that all ranges missed.
    UnsatisfiedRange(u64),
    /// `WWW-Authenticate`: the challenges, a field each.
    Authenticate(&'static [&'static str]),
}

/// Why a request is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HttpError {
    /// The status of the answer.
    pub status: Status,
    /// One sentence for the client: what was wrong and, where useful, the limit.
    pub message: Cow<'static, str>,
    /// Where the next request would begin is no longer certain: the connection must close behind the answer.
    pub close: bool,
    /// A field that goes with the status.
    pub extra: Extra,
    /// By which the log's line about it is found, where there is one. In `Request-Id`.
    pub id: Option<NonZeroU64>,
}

impl HttpError {
    /// A refusal that leaves the connection usable.
    #[must_use]
    pub fn new(status: Status, message: impl Into<Cow<'static, str>>) -> HttpError {
        HttpError { status, message: message.into(), close: false, extra: Extra::None, id: None }
    }

    /// A 400 that leaves the connection usable.
    #[must_use]
    pub fn bad_request(message: impl Into<Cow<'static, str>>) -> HttpError {
        HttpError::new(Status::BadRequest, message)
    }

    /// A 404.
    #[must_use]
    pub fn not_found(message: impl Into<Cow<'static, str>>) -> HttpError {
        HttpError::new(Status::NotFound, message)
    }

    /// A 400 about the framing: the connection must close.
    #[must_use]
    pub fn framing(message: impl Into<Cow<'static, str>>) -> HttpError {
        HttpError::bad_request(message).closing()
    }

    /// The same, and the connection must close.
    #[must_use]
    pub fn closing(self) -> HttpError {
        HttpError { close: true, ..self }
    }

    /// The same, to be found in the log by this number.
    #[must_use]
    pub fn known_as(self, id: NonZeroU64) -> HttpError {
        HttpError { id: Some(id), ..self }
    }

    /// The same with a field that goes with the status.
    #[must_use]
    pub fn with(self, extra: Extra) -> HttpError {
        HttpError { extra, ..self }
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status.code(), self.status.reason(), self.message)
    }
}

impl std::error::Error for HttpError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_in_order_and_their_lines_agree_with_their_codes() {
        assert!(Status::ALL.windows(2).all(|pair| pair[0].code() < pair[1].code()));
        for status in Status::ALL {
            let line = format!("HTTP/1.1 {} {}\r\n", status.code(), status.reason());
            assert_eq!(status.line(), line.as_bytes());
        }
    }

    #[test]
    fn errors_stay_small_enough_to_return_by_value() {
        assert!(size_of::<HttpError>() <= 64, "{}", size_of::<HttpError>());
    }
}
