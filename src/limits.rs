//! Every bound of the program, with its reason, and the relations between them.
//!
//! Sizes are bytes, times milliseconds, unless the name ends in something else.

use crate::base::units::{KIB, MIB};

/// Block size of the store: every batch starts and ends on one. The physical block of NVMe drives.
pub const BLOCK_BYTES: usize = 4 * KIB;

/// Files in one multipart request. A browser's folder drop fits; a bigger import sends several.
pub const PARTS_MAX: usize = 10_000;
/// A file's original name, UTF-8.
pub const FILE_NAME_BYTES_MAX: usize = 1_024;
/// A category.
pub const CATEGORY_BYTES_MAX: usize = 128;
/// A comment.
pub const COMMENT_BYTES_MAX: usize = 4_096;
/// The folder a browser sends in front of a name.
pub const FOLDER_BYTES_MAX: usize = 1_024;
/// A stored path: `storage/...`.
pub const PATH_BYTES_MAX: usize = 1_024;
/// One component of a stored path: what ext4 and XFS take when `export` writes it.
pub const PATH_COMPONENT_BYTES_MAX: usize = 255;
/// A media type, `type/subtype`.
pub const MIME_BYTES_MAX: usize = 127;

/// Request line and headers.
pub const HEAD_BYTES_MAX: usize = 16 * KIB;
/// Request target.
pub const TARGET_BYTES_MAX: usize = 8 * KIB;
/// Header fields of a request.
pub const HEADERS_MAX: usize = 64;
/// Headers of one multipart part. A 1 KiB name in its longest percent-encoded form, twice, and the rest.
pub const PART_HEAD_BYTES_MAX: usize = 8 * KIB;
/// A multipart boundary (RFC 2046 section 5.1.1).
pub const BOUNDARY_BYTES_MAX: usize = 70;
/// A line of chunk size and extensions.
pub const CHUNK_LINE_BYTES_MAX: usize = 256;
/// Trailer section of a chunked body.
pub const TRAILER_BYTES_MAX: usize = 8 * KIB;
/// A form field that is not a file (`category`, `comment`): the longest kind, percent signs and all.
pub const FIELD_BYTES_MAX: usize = 16 * KIB;
/// A JSON request body.
pub const JSON_BODY_BYTES_MAX: usize = MIB;
/// Ranges served as multipart/byteranges; with more the whole is sent.
pub const RANGES_MAX: usize = 16;

const _: () = assert!(PART_HEAD_BYTES_MAX >= 6 * FILE_NAME_BYTES_MAX);
const _: () = assert!(FIELD_BYTES_MAX >= 3 * COMMENT_BYTES_MAX);
const _: () = assert!(TARGET_BYTES_MAX < HEAD_BYTES_MAX);

/// Submission entries of a core's ring. More operations may be in flight than this: it bounds what is handed
/// to the kernel in one call, and a thousand covers every connection that wakes in one turn.
pub const RING_ENTRIES: u32 = 1_024;
/// Connections that wait in the kernel to be accepted; the acceptor is never away longer than a burst of this.
pub const ACCEPT_BACKLOG: i32 = 1_024;
/// Answers of several pieces up to this size are copied into one: cheaper than a vector.
pub const COALESCE_BYTES_MAX: usize = 4 * KIB;
/// Pieces of one vectored send: the kernel's own bound (UIO_MAXIOV).
pub const IOVECS_MAX: usize = 1_024;
/// Threads for what may block outside a ring (open, rename, directory flush). Two, so that one slow flush
/// does not hold up the next open.
pub const HELPER_THREADS: usize = 2;
/// Jobs waiting for a helper thread; who finds no room waits without blocking its core.
pub const HELPER_QUEUE_MAX: usize = 256;
/// One read or write of a file; the kernel's own bound is a page below 2 GiB.
pub const DISK_IO_BYTES_MAX: usize = 1_024 * MIB;
/// How long a start waits for the lock of the data directory: a ring may hold a dead process's lock for a moment.
pub const LOCK_WAIT_MS: u64 = 1_000;
