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
/// The start of a file that decides its type: 21 MPEG-TS packets, a tar header, the first entries of an office
/// file's zip, an SVG's licence comment. No more than what a body's first read brings.
pub const SNIFF_BYTES_MAX: usize = 4 * KIB;

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
/// Of the reason why a JSON body is refused: it repeats a member that is not known, however long that is.
pub const JSON_REASON_BYTES_MAX: usize = 256;
/// Hashes in one question of what is missing: as many as files in one request.
pub const DEDUP_HASHES_MAX: usize = PARTS_MAX;
/// A request for many names: as many as files in one request, each with a folder of some length.
pub const NAMES_BODY_BYTES_MAX: usize = 4 * MIB;
/// Names that are read up and committed together before others on the core go first.
pub const NAMES_AT_ONCE: usize = 512;
/// Records read before others on the core go first, where they may all be in the page cache: some tens of microseconds; ...
pub const READS_AT_ONCE: usize = 32;
/// ... or so many bytes of one.
pub const READ_BYTES_AT_ONCE: usize = 64 * KIB;
/// Hashes looked up before others on the core go first: some tens of microseconds.
pub const DEDUP_HASHES_AT_ONCE: usize = 256;
/// Ranges served as multipart/byteranges; with more the whole is sent.
pub const RANGES_MAX: usize = 16;

const _: () = assert!(PART_HEAD_BYTES_MAX >= 6 * FILE_NAME_BYTES_MAX);
const _: () = assert!(FIELD_BYTES_MAX >= 3 * COMMENT_BYTES_MAX);
const _: () = assert!(TARGET_BYTES_MAX < HEAD_BYTES_MAX);
const _: () = assert!(PARTS_MAX * 400 <= NAMES_BODY_BYTES_MAX && NAMES_AT_ONCE <= NAMES_PER_APPEND);
// A line for each hash, indented, fits.
const _: () = assert!(DEDUP_HASHES_MAX * (64 + 4 + 32) + 1_024 <= JSON_BODY_BYTES_MAX);

/// Bytes of one batch: table, payloads, padding. Enough for the greatest append (the greatest inline file), small enough
/// that a flush is never waited for long.
pub const BATCH_BYTES_MAX: usize = 1_088 * KIB;
/// Records of one batch.
pub const BATCH_RECORDS_MAX: usize = 4_096;
/// Bytes of one append (a set of records that must share a batch), table and padding included.
pub const APPEND_BYTES_MAX: usize = BATCH_BYTES_MAX;
/// A checksum in a put-large record covers this much of a blob's file; ranges are verified by it.
pub const BLOB_CHUNK_BYTES: usize = 256 * KIB;
/// The largest file. Its chunk checksums must fit one append.
pub const FILE_BYTES_MAX: u64 = 32 * 1024 * MIB as u64;
/// At or below this a file is in memory before anything of it is written; above, it streams into its own file.
pub const INLINE_BYTES_MAX: usize = MIB;
/// And at most this share (1/n) of a segment, so that little is left over at its end.
pub const INLINE_SEGMENT_SHARE: u64 = 16;
/// And a buffer that it is read into takes at most this share of the buffers that a core has: a quarter of those for sending.
pub const INLINE_BUFFERS_SHARE: usize = 16;
/// Segment size where the volume is large.
pub const SEGMENT_BYTES_MAX: u64 = 64 * MIB as u64;
/// Segment size on the smallest volumes: still a few of the greatest batches.
pub const SEGMENT_BYTES_MIN: u64 = 4 * MIB as u64;
/// The part of each segment's end that only records which free space (delete, cut, retire) may use.
pub const SEGMENT_RESERVE_BYTES: u64 = 64 * KIB as u64;
/// A segment may take at most this share of its volume (1/n), so that small volumes hold several a core.
pub const SEGMENT_VOLUME_SHARE: u64 = 128;
/// Segments are compacted while all of them together take more than this share of what lives in them.
pub const SPACE_PERCENT_OF_LIVE: u64 = 110;
/// Compaction works at its full rate when all segments take this share of what lives, and slower below, down to
/// [`SPACE_PERCENT_OF_LIVE`].
pub const SPACE_PERCENT_FULL_RATE: u64 = 114;
/// Segments compacted before the deadest are chosen anew: one in so many of all ...
pub const COMPACTION_ROUND_SHARE: usize = 32;
/// ... and at least these.
pub const COMPACTION_ROUND_MIN: usize = 4;
/// How often work in the background that waits for its rate looks whether it is told to stop.
pub const PACE_TICK_MS: u64 = 100;
/// Work in the background makes up for this much of what it slept too long.
pub const PACE_SLACK_NS: u64 = 5_000_000;
/// A segment of which this much is dead, at least, is worth copying the rest.
pub const COMPACTION_GAIN_PERCENT: u64 = 10;
/// Bytes a second that compaction reads and writes, at most, unless the operator says otherwise: a part of what the
/// slowest NVMe drives do.
pub const COMPACTION_BYTES_PER_S: u64 = 192 * MIB as u64;
/// An append of copies has no more than this, or one record.
pub const COMPACTION_APPEND_BYTES: usize = 256 * KIB;
/// Records that compaction looks at before it lets others on its core go first: well below a tenth of a millisecond.
pub const COMPACTION_RECORDS_AT_ONCE: usize = 32;
/// When a segment that could not be read is tried again.
pub const COMPACTION_RETRY_MS: u64 = 60_000;
/// For each nanosecond that a look at the whole index takes, so many without one.
pub const COMPACTION_SURVEY_REST: u64 = 10;
/// After a look that found nothing to do, the time until the next, unless something was deleted: what is left then are
/// contents whose uploads broke off before they had a name.
pub const COMPACTION_REST_MS: u64 = 10_000;
/// The oldest segments are rewritten, so that deletes may be forgotten, while the records of these take one byte for so
/// many of what lives ...
pub const TOMBSTONES_SHARE: u64 = 16;
/// ... and at least this.
pub const TOMBSTONES_BYTES_MIN: u64 = KIB as u64;
/// How often a lane that hardly writes looks whether it is to begin a new segment.
pub const LANE_RENEW_TICK_MS: u64 = 1_000;
/// What waited to be freed and is freed before others on its core go first: about a tenth of a millisecond.
pub const GRAVES_AT_ONCE: usize = 256;
/// When a segment is emptied, what is active has this long to end, so that the segment is retired before the next one's
/// copies take room.
pub const COMPACTION_SETTLE_MS: u64 = 10;
/// How often compaction looks whether there is anything to free.
pub const COMPACTION_TICK_MS: u64 = 200;

/// How often scrubbing looks whether it is told to stop, or is due.
pub const SCRUB_TICK_MS: u64 = 100;
/// How often it notes how far it came.
pub const SCRUB_NOTE_MS: u64 = 60_000;

/// Shards of the index. Many times the cores, so that two rarely meet, and that a table of ten million files grows in
/// about a millisecond.
pub const INDEX_SHARDS: usize = 128;
/// Segment files held open for reading.
pub const OPEN_SEGMENTS_MAX: usize = 512;
/// Blob files held open for reading.
pub const OPEN_BLOBS_MAX: usize = 128;
/// Of the process's descriptors at most this share (1/n) is held open for readers of segments, and as much for readers
/// of blobs: where descriptors are few, connections and what is being written need them.
pub const OPEN_FILES_SHARE: usize = 16;

const _: () = assert!(APPEND_BYTES_MAX <= BATCH_BYTES_MAX);
const _: () = assert!(INLINE_BYTES_MAX + 64 * KIB <= APPEND_BYTES_MAX);
const _: () =
    assert!(FILE_BYTES_MAX / BLOB_CHUNK_BYTES as u64 * 4 + 64 * KIB as u64 <= APPEND_BYTES_MAX as u64);
const _: () = assert!(2 * BATCH_BYTES_MAX as u64 + SEGMENT_RESERVE_BYTES < SEGMENT_BYTES_MIN);
const _: () = assert!(COMPACTION_APPEND_BYTES <= APPEND_BYTES_MAX);
const _: () = assert!(BLOCK_BYTES.is_power_of_two() && BLOB_CHUNK_BYTES.is_multiple_of(BLOCK_BYTES));
/// Bytes of one write of a blob that arrives fast, some chunks: fewer writes cost fewer kicks of the device.
pub const BLOB_WRITE_BYTES: usize = MIB;
/// Bytes of one write of a blob that arrives slowly, or while memory is short.
pub const BLOB_WRITE_BYTES_MIN: usize = 16 * KIB;

const _: () = assert!(BLOB_WRITE_BYTES.is_multiple_of(BLOB_CHUNK_BYTES));
const _: () = assert!(BLOB_WRITE_BYTES_MIN.is_multiple_of(BLOCK_BYTES));
/// What fills the memory of a large write, whatever it begins with: less than a block.
pub const LENT_BYTES_MIN: usize = BLOB_WRITE_BYTES - BLOCK_BYTES;
/// Pieces of a big file that wait to be hashed elsewhere, however small they are: each holds a buffer.
pub const HASH_JOB_PIECES: usize = 64;
/// Bytes of a big file that another core hashes at a time, what one write brings: half a millisecond of work for a hop of
/// microseconds.
pub const HASH_JOB_BYTES: usize = LENT_BYTES_MIN;
/// Memory a fast big upload takes on top of what every request reserves: three large writes, and what two jobs of hashing
/// hold.
pub const FAST_UPLOAD_BYTES: usize = 5 * BLOB_WRITE_BYTES;
const _: () = assert!(3 * BLOB_WRITE_BYTES + 2 * HASH_JOB_BYTES <= FAST_UPLOAD_BYTES);
/// A big upload is fast while this many bytes ...
pub const FAST_LAP_BYTES: u64 = MIB as u64;
/// ... arrive in less than this many nanoseconds (20 MB/s).
pub const FAST_LAP_NS: u64 = 50_000_000;
/// Writes of one blob on their way to the disk while the next is filled.
pub const BLOB_WRITES_IN_FLIGHT: usize = 2;
/// Zeros written at a time when a segment is prepared: large enough to be cheap a byte, small enough
/// that a commit never waits long behind one.
pub const ZERO_WRITE_BYTES: usize = 256 * KIB;
/// Batches of a segment up to which size, on average, the lane's next one but one is filled with zeros. Where they are
/// larger, zeros cost the disk more than they save it.
pub const ZEROED_BATCH_BYTES_MAX: u64 = 128 * KIB as u64;
/// Files of retired segments kept to be used again: one for each of a few lanes.
pub const SPARE_SEGMENTS_MAX: usize = 4;
/// How often a full disk is asked again for the space of a segment.
pub const PROVISION_RETRY_MS: u64 = 500;
/// Read at a time by a scan.
pub const SCAN_WINDOW_BYTES: usize = 256 * KIB;
/// Tables of the last batches that are kept for who follows the log: a tenth of a second of 70,000 files a second, a third of
/// one of 20,000.
pub const RECENT_TABLES_BYTES_MAX: usize = 2 * MIB;
/// Read at a time by who follows the log closely: a batch's header and, of a few small files, its table.
pub const TAIL_WINDOW_BYTES: usize = 16 * KIB;
/// Records that who follows the log looks at before it lets others on its core go first.
pub const TAIL_RECORDS_AT_ONCE: usize = 32;
/// A page of a checkpoint: some thousand entries, so that one checksum guards what is read at once.
pub const CHECKPOINT_PAGE_BYTES: usize = 256 * KIB;
/// Bytes of a checkpoint written, or read, at a time.
pub const CHECKPOINT_IO_BYTES: usize = MIB;
const _: () = assert!(CHECKPOINT_PAGE_BYTES <= CHECKPOINT_IO_BYTES);
const _: () = assert!(
    CHECKPOINT_PAGE_BYTES.is_multiple_of(BLOCK_BYTES) && CHECKPOINT_IO_BYTES.is_multiple_of(BLOCK_BYTES)
);
/// How fast a checkpoint is written while the daemon serves.
pub const CHECKPOINT_BYTES_PER_S: u64 = 64 * MIB as u64;
/// A checkpoint is made when a start would read at least this many records ...
pub const CHECKPOINT_RECORDS_MIN: u64 = 128 * 1024;
/// ... and one for this many of the names stored: what is written of the index stays in proportion to what is stored.
pub const CHECKPOINT_NAMES_SHARE: u64 = 8;
/// From the end of one checkpoint to the next.
pub const CHECKPOINT_INTERVAL_MS: u64 = 60_000;
/// How long a checkpoint waits for those who have written to the log and not yet told the index. Then it is tried again.
pub const CHECKPOINT_WAIT_MS: u64 = 30_000;
/// How long a stop waits for the other cores before it makes a checkpoint.
pub const CHECKPOINT_STOP_MS: u64 = 5_000;
/// The FORMAT file.
pub const FORMAT_FILE_BYTES_MAX: usize = 4 * KIB;
/// Durable writes timed each way when the flush method is probed: a quartile that holds, in a few milliseconds.
pub const PROBE_WRITES: usize = 31;
/// Numbers left out after damage: the unreadable records may have had the latest.
pub const LSN_HEADROOM_AFTER_DAMAGE: u64 = 1 << 32;
/// Inodes that stay free on the volume, for segments, checkpoints and their temporary files.
pub const FREE_INODES_MIN: u64 = 16;

/// Uploads admitted, and files of them that cores are storing, over all cores: the predecessor's queue, kept.
pub const QUEUE_FILES_MAX: usize = 10_000;
/// How long an upload waits for its place in the queue before it is told 503.
pub const QUEUE_WAIT_MS: u64 = 1_000;
/// An upload is told 503 at once while more waits for its core's lane than the lane will write in this time. No longer
/// than the second after which the client is told to come again; long enough for some full batches on the slowest disks.
pub const STORE_WAIT_MS: u64 = 1_000;
/// It is told the same while a batch has been on its way for longer than this: the disk has stalled. Longer than the
/// second or two for which a disk hesitates when much is written to it at once.
pub const STALL_MS: u64 = 3_000;
/// How often it looks.
pub const QUEUE_POLL_MS: u64 = 5;
/// Pieces of a staged file before it is gathered into one buffer.
pub const STAGED_PIECES_MAX: usize = 8;
/// A slice of a batch is given to a core when it has this many files ...
pub const SLICE_FILES: usize = 128;
/// ... or this many bytes: work enough that the hop costs little beside it.
pub const SLICE_BYTES: usize = 256 * KIB;
/// Borders between stages that a slice remembers for its request: three rounds of hashing, committing and waiting for others.
pub const TRACE_LAPS_MAX: usize = 12;
/// Names given before others on the core go first: some hundred microseconds.
pub const BOUND_AT_ONCE: usize = 128;
/// Bytes of one request's slices on their way at once.
pub const WINDOW_BYTES_MAX: usize = 2 * MIB;
/// Name records in one append.
pub const NAMES_PER_APPEND: usize = 1_024;

const _: () = assert!(SLICE_FILES < QUEUE_FILES_MAX);
// A file that is larger is a slice of its own.
const _: () = assert!(2 * SLICE_BYTES + SLICE_FILES * 256 <= APPEND_BYTES_MAX);
/// Lookups in the index whose memory is called for before it is their turn.
pub const LOOKUPS_AHEAD: usize = 4;
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
/// Buffers that an offline command keeps for its next reads.
pub const OFFLINE_BUFFER_BYTES: usize = 4 * MIB;
/// Files that `import` has in work at once: they share flushes ...
pub const IMPORT_AT_ONCE: usize = 16;
/// ... and this memory, besides a read for each, and the smallest writes of a blob or a file that is stored in a segment.
pub const IMPORT_BUFFER_BYTES: usize = 16 * MIB;
/// Files that the predecessor's index does not name, which `import` lists one by one.
pub const IMPORT_STRAYS_LISTED_MAX: u64 = 1_000;
/// Findings that `verify` lists one by one; of more it only says how many.
pub const FINDINGS_MAX: usize = 10_000;
/// How long a start waits for the lock of the data directory: a ring may hold a dead process's lock for a moment.
pub const LOCK_WAIT_MS: u64 = 1_000;

/// Cores that a daemon can be told to run on.
pub const CORES_MAX: usize = 256;
/// Messages in a core's inbox. A message is a connection or a slice; a full inbox makes the sender keep it.
pub const INBOX_MESSAGES_MAX: usize = 1_024;
/// Connections of one core. Each costs a few KiB and a descriptor.
pub const CONNECTIONS_PER_CORE_MAX: usize = 8_192;
/// Descriptors of the process itself: rings, inboxes, the log, the listener, the segments being written and prepared.
pub const DESCRIPTORS_OF_THE_PROCESS: usize = 64;
/// The first receive of a request: a small upload, head and all, in one.
pub const RECEIVE_BYTES_MIN: usize = 16 * KIB;
/// The receive of a long body. Above it a byte gets no cheaper.
pub const RECEIVE_BYTES_MAX: usize = 256 * KIB;
/// Memory a request reserves before its body is read: a receive, the smallest writes of a blob (one filled, one on its
/// way), and what is known of a few files. Any body can be stored with it, however slowly it comes.
pub const BODY_BYTES_MIN: usize = 64 * KIB;
/// What a receive may take, and a write of a blob, while a body is brisk: the first for which there is memory.
pub const BODY_STEPS: [usize; 3] = [RECEIVE_BYTES_MAX, 64 * KIB, BLOB_WRITE_BYTES_MIN];
/// The part (1/n) of the memory for receiving that bodies do not grow into: there, others begin.
pub const BODY_REST_SHARE: usize = 4;
/// A body is brisk when so many bytes came ...
pub const BRISK_BYTES: u64 = 16 * KIB as u64;
/// ... in at most so much waiting for them: 1 MiB a second.
pub const BRISK_NS: u64 = 15_625_000;
/// It is slow again when it was waited for this long ...
pub const SLOW_NS: u64 = 250_000_000;
/// ... for fewer bytes than this.
pub const SLOW_BYTES: u64 = 256 * KIB as u64;
/// How long a body's next bytes are waited for before it gives back what it has beyond need ...
pub const PAUSE_MS: u64 = 50;
/// ... and how often it looks again whether memory is short, while it has more than the least.
pub const PAUSE_LOOK_MS: u64 = 250;
/// Memory for receiving is short when no more than this part (1/n) of it is free: then who pauses keeps the least.
pub const SHORT_SHARE: usize = 2;
/// Memory that is counted for each file of a request until it is answered, beside its name: its record, and its share
/// of the answer.
pub const FILE_NOTE_BYTES: usize = 640;
/// How long an answer waits for its reader with its bytes in memory. Then it lets go of them, and reads them again when
/// there is room for them in the socket.
pub const READER_HOLD_MS: u64 = 50;
/// How often an answer that let go of its bytes looks whether there is memory for them again.
pub const READER_POLL_MS: u64 = 20;
/// Bytes of an answer that the kernel keeps beyond what the reader's window has room for. There is room for more once half
/// of them are gone: for a whole chunk of a big content.
pub const UNSENT_BYTES_MAX: usize = 2 * BLOB_CHUNK_BYTES;
/// How long a request waits for its memory before it is told 503.
pub const MEMORY_WAIT_MS: u64 = 1_000;
/// Bytes of a body that nobody asked for, passed over behind an answer so that the connection can be kept.
pub const SKIP_BYTES_MAX: u64 = 4 * MIB as u64;
/// Behind an early refusal, what the client still sends is passed over so that it sees the answer: for so long while it
/// goes on sending ...
pub const LINGER_MS_MAX: u64 = 30_000;
/// ... for so long while it sends nothing and does not close ...
pub const LINGER_IDLE_MS: u64 = 5_000;
/// ... and up to so many bytes. They cost no memory, and little else: the kernel throws them away.
pub const LINGER_BYTES_MAX: u64 = 1_024 * MIB as u64;
/// Thrown away in one call.
pub const LINGER_PIECE_BYTES: usize = MIB;
/// How long it may last when the daemon stops.
pub const LINGER_STOP_MS: u64 = 1_000;
/// How often deadlines are looked at: well below the shortest.
pub const DEADLINE_TICK_MS: u64 = 100;
/// A body up to this is sent in one piece with its head; a longer one is not copied for that.
pub const ANSWER_JOINED_BYTES_MAX: usize = 4 * KIB;
/// Pieces in which a long answer is made and sent.
pub const ANSWER_PIECE_BYTES: usize = 64 * KIB;
/// Files whose records are sent as one answer of known length; with more it is made as it is sent.
pub const ANSWER_FILES_AT_ONCE: usize = 256;
/// Bytes of NDJSON lines that wait for a client that does not read. Beyond, it is cut off.
pub const LINES_BYTES_MAX: usize = 8 * MIB;
/// How often the volume's space is looked at.
pub const SPACE_TICK_MS: u64 = 500;
/// How long the acceptor rests after an error that is not the client's (descriptors used up).
pub const ACCEPT_BACKOFF_MS: u64 = 50;

const _: () = assert!(RECEIVE_BYTES_MIN >= HEAD_BYTES_MAX);
const _: () = assert!(LINGER_IDLE_MS < LINGER_MS_MAX && SKIP_BYTES_MAX < LINGER_BYTES_MAX);
const _: () = assert!(
    RECEIVE_BYTES_MIN + 2 * BLOB_WRITE_BYTES_MIN + FILE_NOTE_BYTES + 2 * FILE_NAME_BYTES_MAX
        <= BODY_BYTES_MIN
);
/// Form fields of a request that are not files.
pub const FIELDS_MAX: usize = 64;
/// Bounds of the buckets in which `/metrics` counts the stages of uploads, in microseconds: from what a receive takes to what
/// no client waits for, five to each tenfold.
pub const STAGE_BOUNDS_US: [u64; 31] = [
    10, 20, 30, 50, 70, 100, 200, 300, 500, 700, 1_000, 2_000, 3_000, 5_000, 7_000, 10_000, 20_000, 30_000,
    50_000, 70_000, 100_000, 200_000, 300_000, 500_000, 700_000, 1_000_000, 2_000_000, 3_000_000, 5_000_000,
    7_000_000, 10_000_000,
];
/// Damaged contents, and damaged places of the log, that `/stats` lists.
pub const DAMAGE_LISTED_MAX: usize = 1_000;
/// Names that one answer about a content lists ...
pub const META_NAMES_MAX: usize = 1_000;
/// ... and none more once it is longer than this. `names_total` says how many there are.
pub const META_BYTES_MAX: usize = MIB;
/// How often the catalogue looks whether the log has grown: a list is behind by this, and by what the change takes; ...
pub const CATALOGUE_TICK_MS: u64 = 100;
/// ... at least so often while much is written, ...
pub const CATALOGUE_BUSY_TICK_MS: u64 = 300;
/// ... which is that it reads more than this of log records at a look: some two hundred names.
pub const CATALOGUE_QUIET_BYTES: usize = 64 * KIB;
/// Bytes of log records that are entered in the catalogue in one transaction, some thousand names: enough that its own
/// cost is spread, so little that it takes tens of milliseconds.
pub const CATALOGUE_ROUND_BYTES: usize = 2 * MIB;
/// Names of the catalogue that are compared with the index in one go, or read to be removed.
pub const CATALOGUE_SWEEP_ROWS: usize = 4_096;
/// When a catalogue that could not be written to is tried again.
pub const CATALOGUE_RETRY_MS: u64 = 2_000;
/// How often in a row the disk may fail to read a place of the log before that is passed over.
pub const CATALOGUE_READ_TRIES: u32 = 5;
/// Rows that a transaction removes at most, as far as a round ends names: of one content there may be very many.
pub const CATALOGUE_REMOVED_ROWS: usize = 32 * 1_024;
/// How many times its size the journal may have while lists are read, before it waits for them to end and begins again. Above
/// what a round writes.
pub const CATALOGUE_JOURNAL_TIMES: u64 = 64;
/// How long a stop lets the catalogue catch up; what is left is read from the log by the next start.
pub const CATALOGUE_STOP_MS: u64 = 2_000;
/// Memory of the catalogue for pages of its file: of the thread that writes it ...
pub const CATALOGUE_WRITER_CACHE_BYTES: usize = 16 * MIB;
/// ... and of each that reads it. The kernel's page cache has the rest.
pub const CATALOGUE_READER_CACHE_BYTES: usize = 4 * MIB;
/// Memory of the catalogue beside those pages: rounds on their way, pages of lists, what SQLite needs.
pub const CATALOGUE_REST_BYTES: usize = 16 * MIB;
/// Threads that answer lists. Two, so that one that takes long does not hold up all others.
pub const CATALOGUE_READERS: usize = 2;
/// All memory of the catalogue.
pub const CATALOGUE_BYTES: usize = RECENT_TABLES_BYTES_MAX
    + CATALOGUE_WRITER_CACHE_BYTES
    + CATALOGUE_READERS * CATALOGUE_READER_CACHE_BYTES
    + CATALOGUE_REST_BYTES;
/// Lists that wait for one of them; with more the client is told 503.
pub const CATALOGUE_WAITING_MAX: usize = 64;
/// How long a list may take before it is given up with 503.
pub const CATALOGUE_QUERY_MS: u64 = 1_000;
/// The threads that answer lists, and the one that writes what is late, get less of the processors than the cores
/// (setpriority(2)).
pub const CATALOGUE_NICE: i32 = 10;
/// Up to this far behind, the catalogue has only what others leave of the processors.
pub const CATALOGUE_LATE_MS: u64 = 5_000;
/// Bytes of the catalogue's journal before it is written to the catalogue itself: what is written and flushed in one go,
/// while commits wait behind it. On the smallest volumes less.
pub const CATALOGUE_JOURNAL_BYTES: u64 = 512 * KIB as u64;
/// Where so few files are of the times or sizes that are asked for, they are looked at and sorted; where more are, the list
/// is read in its order and the condition is met soon.
pub const CATALOGUE_FEW: usize = 2_000;
/// Files that a list with words passes by in its order before FTS5 is asked which there are, ...
pub const CATALOGUE_WALK_ROWS: usize = 1_000;
/// ... or so many for each of a page, whichever is more: some milliseconds.
pub const CATALOGUE_WALK_SHARE: usize = 10;
/// Once it is known which files have the words, the list is read along its index, past all others, as far as several times the
/// files that hold a page if they are spread evenly. Where they are not, they are gathered and sorted.
pub const CATALOGUE_DESERT_TIMES: usize = 4;
/// Places that a list in the order of size or name holds, of all parts, though one of each, ...
pub const CATALOGUE_PLACES_MAX: usize = 4_096;
/// ... and reads of one part at a time, at most.
pub const CATALOGUE_PART_PLACES_MAX: usize = 128;
const _: () =
    assert!(CATALOGUE_READERS * CATALOGUE_PLACES_MAX * FILE_NAME_BYTES_MAX * 2 <= CATALOGUE_REST_BYTES);
/// Places of an index that are passed by in the time that one row is looked up.
pub const CATALOGUE_ROW_PLACES: usize = 12;
/// Files whose numbers are held for that by a thread that reads: 2 MiB.
pub const CATALOGUE_FOUND_MAX: usize = 256 * 1_024;
const _: () = assert!(CATALOGUE_READERS * CATALOGUE_FOUND_MAX * size_of::<i64>() * 2 <= CATALOGUE_REST_BYTES);
/// A page of a list ends, be it short, with the file that brings the attributes in it over so many bytes: an answer is
/// made in memory.
pub const LIST_BYTES_MAX: usize = MIB;
/// Files that a page of a list has at most ...
pub const LIST_FILES_MAX: usize = 1_000;
/// ... and unless it says otherwise.
pub const LIST_FILES_USUAL: usize = 100;
/// Text that files are searched for, in bytes ...
pub const SEARCH_BYTES_MAX: usize = 1_024;
/// ... and in words.
pub const SEARCH_WORDS_MAX: usize = 32;
/// How often a change of a name looks whether another change, or a delete, that came first is over.
pub const AMEND_POLL_MS: u64 = 1;
/// Tags of a name ...
pub const TAGS_MAX: usize = 64;
/// ... and the bytes of each, key and value together.
pub const TAG_BYTES_MAX: usize = 256;
/// A page of `/metrics` that `rhinobox top` reads: ten times that of a daemon with as many cores as there may be.
pub const METRICS_BYTES_MAX: usize = 4 * MIB;
/// How long `rhinobox top` waits for such a page, connecting included.
pub const TOP_ANSWER_MS: u64 = 3_000;
/// From one look of `rhinobox top` to the next, at least: quicker ones would show their own load ...
pub const TOP_INTERVAL_MS_MIN: u64 = 100;
/// ... and at most.
pub const TOP_INTERVAL_MS_MAX: u64 = 3_600_000;
/// How long a start waits for its address: a ring may hold a dead process's socket for a moment.
pub const ADDRESS_WAIT_MS: u64 = 2_000;
/// The page and all its parts together: they are in the program, and a browser gets them before it shows anything.
pub const PAGE_BYTES_MAX: usize = 150 * 1_000;
/// How long `rhinobox put` and its like wait for a connection ...
pub const CLIENT_CONNECT_MS: u64 = 10_000;
/// ... and for the next byte either way: longer than a disk stalls, and than a batch waits for its turn.
pub const CLIENT_STALL_MS: u64 = 120_000;
/// A token: several times what any issuer makes.
pub const CLIENT_TOKEN_BYTES_MAX: usize = 4 * KIB;
/// The body of an error.
pub const CLIENT_ERROR_BYTES_MAX: u64 = 64 * KIB as u64;
/// Any other answer that is read whole: that of an upload of ten thousand files with the longest comments.
pub const CLIENT_ANSWER_BYTES_MAX: u64 = 128 * MIB as u64;
/// The first pause before trying again; each is twice the last ...
pub const CLIENT_PAUSE_MS_MIN: u64 = 100;
/// ... up to this.
pub const CLIENT_PAUSE_MS_MAX: u64 = 5_000;
/// Tries at a server that never answered.
pub const CLIENT_FIRST_TRIES: u32 = 4;
/// How long a request that does not succeed is tried again, unless told otherwise.
pub const CLIENT_PATIENCE_S: u64 = 60;
/// Requests at once, unless told otherwise: two for each core of a small machine, so that reading goes on while another
/// waits for its flush ...
pub const CLIENT_JOBS: usize = 4;
/// ... and at most.
pub const CLIENT_JOBS_MAX: usize = 64;
/// A file up to this is read into memory and sent with others.
pub const CLIENT_SMALL_BYTES_MAX: usize = MIB;
/// Files that one question and one form are about ...
pub const CLIENT_LOT_FILES: usize = 1_024;
/// ... and their bytes: what a connection moves in some milliseconds, and far below what a daemon takes.
pub const CLIENT_LOT_BYTES: usize = 8 * MIB;
/// Files taken from the folders that are walked at a time.
pub const CLIENT_TAKE_FILES: usize = 128;
/// Files of a page that `rhinobox ls` asks for.
pub const CLIENT_PAGE_FILES: u64 = 500;
/// Read of a big file at a time.
pub const CLIENT_READ_BYTES: usize = 256 * KIB;
/// How often a download that breaks off goes on from where it was without a byte in between.
pub const CLIENT_RESUMES_MAX: u32 = 8;

const _: () = assert!(CLIENT_LOT_FILES <= PARTS_MAX && CLIENT_LOT_FILES <= DEDUP_HASHES_MAX);
const _: () = assert!(CLIENT_LOT_FILES * 2 * (FILE_NAME_BYTES_MAX + 512) <= NAMES_BODY_BYTES_MAX);

/// A token as a client shows it; ours have 73 bytes. Hashing one costs no more than that.
pub const TOKEN_BYTES_MAX: usize = 96;
/// User and password of Basic credentials.
pub const BASIC_BYTES_MAX: usize = 256;
/// The name of a token.
pub const TOKEN_NAME_BYTES_MAX: usize = 64;
/// Tokens of a daemon. Every one is looked at with each request: so many hashes fit a core's first cache.
pub const TOKENS_MAX: usize = 512;
/// The file that keeps them.
pub const TOKEN_FILE_BYTES_MAX: u64 = MIB as u64;
/// How often the daemon looks whether it has changed: a revoked token is refused within a second.
pub const TOKENS_TICK_MS: u64 = 250;

const _: () = assert!(TOKENS_MAX as u64 * 1_024 <= TOKEN_FILE_BYTES_MAX);
const _: () = assert!(TOKEN_BYTES_MAX < BASIC_BYTES_MAX && TOKENS_TICK_MS < 1_000);

/// Lines of the access log that wait to be written: a second of a busy daemon, 2 MiB as they are and some 15 MiB at worst,
/// on top of the memory that a start tells.
pub const ACCESS_LINES_MAX: usize = 8_192;
/// What a line of it says of a target: paths that are stored are shorter.
pub const ACCESS_TARGET_BYTES_MAX: usize = 512;
/// And of a method, of which any token is one.
pub const ACCESS_METHOD_BYTES_MAX: usize = 16;
/// What is written of waiting lines at once: a pipe's usual room.
pub const LINES_BATCH_BYTES: usize = 64 * KIB;
/// How long lines are gathered before they are written: no reader notices, and far fewer come meanwhile than may wait.
pub const LINES_GATHER_MS: u64 = 10;
/// How often it is told that lines were dropped.
pub const LINES_LOST_TELL_MS: u64 = 1_000;
/// How long a stop waits for the last lines to be written.
pub const LINES_STOP_MS: u64 = 1_000;
