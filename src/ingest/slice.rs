//! A slice of a batch: some staged files that one core types, hashes, claims and commits together.

use smallvec::SmallVec;

use super::error::FileError;
use super::naming::{self, Named, Namings};
use super::queue::Admission;
use super::stages::{Stage, Trace};
use super::staging::{Declared, Staged};
use super::{Ingest, upload::Terms};
use crate::base::digest::{Digest, Hasher};
use crate::base::time::Wall;
use crate::limits::{APPEND_BYTES_MAX, LOOKUPS_AHEAD, SLICE_BYTES, SNIFF_BYTES_MAX};
use crate::media::classify::{FileType, classify};
use crate::runtime::clock;
use crate::runtime::core::yield_now;
use crate::runtime::sha256::digests_of_two;
use crate::runtime::sync::oneshot;
use crate::store::commit::{NewBody, NewRecord, Payload, Placed, Size};
use crate::store::index::{Claim, ClaimGuard, Location, Ticket};

/// Files for a core to store, and the place for its answer.
pub struct Slice {
    /// The files.
    pub files: Vec<Staged>,
    /// Their places in the queue.
    pub admission: Admission,
    /// With terms, the files are named at once, in the same batch.
    pub terms: Option<Terms>,
    /// Told the answers.
    pub reply: oneshot::Sender<Answers>,
}

/// What became of a slice.
#[derive(Debug)]
pub struct Answers {
    /// Of each file, in order.
    pub files: Vec<Result<Done, FileError>>,
    /// Where its time went.
    pub trace: Trace,
}

impl Slice {
    /// Bytes of its files.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.files.iter().map(|file| file.len).sum()
    }

    /// Stores the files and answers. What a core does with a slice it was dealt.
    pub async fn run(self, ingest: Ingest) {
        let mut trace = Trace::default();
        let files = store(&ingest, self.files, self.terms.as_ref(), &mut trace).await;
        drop(self.admission);
        self.reply.send(Answers { files, trace });
    }
}

/// A stored content with what its name will need.
#[derive(Clone, Debug)]
pub struct Stored {
    /// What the client said of it.
    pub declared: Declared,
    /// Its SHA-256.
    pub digest: Digest,
    /// Bytes.
    pub len: u64,
    /// What it is.
    pub file_type: FileType,
    /// It was stored before.
    pub duplicate: bool,
}

/// How far a file got.
#[derive(Clone, Debug)]
pub enum Done {
    /// Stored, without a name so far.
    Stored(Stored),
    /// Stored and named.
    Named(Named),
}

/// A file of the slice at work.
struct File {
    stored: Stored,
    payload: Payload,
    state: State,
}

enum State {
    /// Durable.
    Stored,
    /// Claimed; its put goes into the next append.
    Fresh(ClaimGuard),
    /// Somebody else (perhaps of this slice) is storing the same content.
    Waiting(Ticket),
    Failed(FileError),
}

/// Types, hashes, claims and commits `files`; names them too if there are terms. The answers are in order. The trace
/// begins with what it was before: the stage of hashing is this function's first.
pub async fn store(
    ingest: &Ingest,
    files: Vec<Staged>,
    terms: Option<&Terms>,
    trace: &mut Trace,
) -> Vec<Result<Done, FileError>> {
    // Also for a slice whose upload has broken off meanwhile.
    let _active = ingest.lane.enter();
    let time = clock::wall();
    let digests = digests_of(&files).await;
    let mut work = Vec::with_capacity(files.len());
    for (at, staged) in files.into_iter().enumerate() {
        let digest = digests[at];
        if let Some(ahead) = digests.get(at + LOOKUPS_AHEAD) {
            ingest.index.prefetch_content(ahead);
        }
        work.push(examine(ingest, staged, digest));
    }
    let mut answers: Vec<Option<Result<Named, FileError>>> = Vec::new();
    answers.resize_with(work.len(), || None);
    // A file that waits for another's flush holds its bytes and joins a later round; each round ends with
    // every claim of ours published or dropped, so no round waits for itself.
    loop {
        round(ingest, &mut work, &mut answers, (terms, time), trace).await;
        if !await_tickets(ingest, &mut work, trace).await {
            break;
        }
    }
    let done = work.into_iter().zip(answers).map(|(file, named)| match (file.state, named) {
        (State::Failed(error), _) => Err(error),
        (_, Some(named)) => named.map(Done::Named),
        (_, None) => Ok(Done::Stored(file.stored)),
    });
    done.collect()
}

/// The digests of all files. Of those that came in one piece, two neighbours are hashed at once; while one is hashed that is
/// larger than other slices are, others on this core go first now and then.
async fn digests_of(files: &[Staged]) -> SmallVec<[Digest; 1]> {
    let mut digests = SmallVec::with_capacity(files.len());
    let mut rest = files;
    while let [file, after @ ..] = rest {
        rest = after;
        if file.len > SLICE_BYTES {
            digests.push(digest_of_much(&file.payload).await);
            continue;
        }
        if let [next, after @ ..] = after
            && let ([one], [two]) = (&file.payload[..], &next.payload[..])
        {
            digests.extend(digests_of_two([one, two]));
            rest = after;
            continue;
        }
        let mut hasher = Hasher::new();
        file.payload.iter().for_each(|piece| hasher.update(piece));
        digests.push(hasher.finish());
    }
    digests
}

async fn digest_of_much(payload: &Payload) -> Digest {
    let mut hasher = Hasher::new();
    for (at, part) in payload.iter().flat_map(|piece| piece.chunks(SLICE_BYTES)).enumerate() {
        if at > 0 {
            yield_now().await;
        }
        hasher.update(part);
    }
    hasher.finish()
}

fn examine(ingest: &Ingest, staged: Staged, digest: Digest) -> File {
    let Staged { declared, payload, len } = staged;
    let file_type = type_of(&payload, &declared);
    let state = match declared.digest {
        Some(expected) if expected != digest => {
            State::Failed(FileError::Mismatch { expected, found: digest })
        }
        _ => claim(ingest, digest),
    };
    let duplicate = matches!(state, State::Stored);
    let stored = Stored { declared, digest, len: len as u64, file_type, duplicate };
    File { stored, payload, state }
}

/// The type, from the first bytes; gathered only if the first piece is short of what the sniffer wants.
fn type_of(payload: &Payload, declared: &Declared) -> FileType {
    let first = payload.first().map(|piece| &piece[..]).unwrap_or_default();
    let mime = declared.mime.as_deref();
    let name = naming::base_name(&declared.name);
    if first.len() >= SNIFF_BYTES_MAX || payload.len() <= 1 {
        return classify(&first[..first.len().min(SNIFF_BYTES_MAX)], mime, name);
    }
    let gathered: Vec<u8> =
        payload.iter().flat_map(|piece| piece.iter().copied()).take(SNIFF_BYTES_MAX).collect();
    classify(&gathered, mime, name)
}

fn claim(ingest: &Ingest, digest: Digest) -> State {
    match ingest.index.claim(digest) {
        Claim::Fresh(guard) => State::Fresh(guard),
        Claim::Stored(_) => State::Stored,
        Claim::Pending(ticket) => State::Waiting(ticket),
    }
}

/// Commits the puts of all claimed files, and, with terms, the names of all files that do not wait.
async fn round(
    ingest: &Ingest,
    work: &mut [File],
    answers: &mut [Option<Result<Named, FileError>>],
    (terms, time): (Option<&Terms>, Wall),
    trace: &mut Trace,
) {
    let mut records = Vec::with_capacity(2 * work.len());
    let mut guards = Vec::with_capacity(work.len());
    for (index, file) in work.iter_mut().enumerate() {
        if !matches!(file.state, State::Fresh(_)) {
            continue;
        }
        let State::Fresh(guard) = std::mem::replace(&mut file.state, State::Stored) else { continue };
        let len = u32::try_from(file.stored.len).expect("staged files are bounded by inline_max");
        let payload = file.payload.clone();
        let body = NewBody::Put { digest: file.stored.digest, payload, len };
        records.push(NewRecord { lsn: guard.lsn(), time, body });
        guards.push((index, guard));
    }
    let mut namings = terms.map_or_else(Namings::default, |_| Namings::with_capacity(work.len()));
    if let Some(terms) = terms {
        for (index, file) in work.iter().enumerate() {
            if matches!(file.state, State::Stored) && answers[index].is_none() {
                answers[index] = namings.add(ingest, index, &file.stored, terms, time).await;
            }
        }
    }
    // One batch for both where it holds them. If not (a long comment, repeated in many names), names come after.
    let together = Size::of_all(&records).plus(namings.size()).batch_bytes() <= APPEND_BYTES_MAX;
    let (later, now) = if together { (Namings::default(), namings) } else { (namings, Namings::default()) };
    let (mut name_records, names) = now.into_parts();
    let puts = records.len();
    records.append(&mut name_records);
    trace.lap(Stage::Hash, clock::now_ns());
    match ingest.lane.submit(records).outcome().await {
        Ok(committed) => {
            trace.committed(&committed);
            let placed = committed.places;
            let mut placing = guards.into_iter();
            for placed in &placed[..puts] {
                let Some((index, guard)) = placing.next() else { break };
                if let Some((_, ahead)) = placing.as_slice().get(LOOKUPS_AHEAD) {
                    ahead.prefetch();
                }
                if let Some(replaced) = guard.publish(inline(placed, work[index].stored.len)) {
                    ingest.store.discard_blob(replaced);
                }
            }
            for (name, placed) in names.into_iter().zip(&placed[puts..]) {
                let (index, named) = name.publish(placed.record);
                answers[index] = Some(Ok(named));
            }
            for (index, outcome) in later.commit(ingest, trace).await {
                answers[index] = Some(outcome);
            }
        }
        Err(error) => {
            for (index, _guard) in guards {
                work[index].state = State::Failed(error.into());
            }
            let names = names.into_iter().chain(later.into_parts().1);
            names.for_each(|name| answers[name.index()] = Some(Err(error.into())));
        }
    }
}

/// Where an inline put ended up.
fn inline(placed: &Placed, len: u64) -> Location {
    let len = u32::try_from(len).expect("staged files are bounded by inline_max");
    Location::Inline {
        segment: placed.record.segment,
        offset: placed.payload_offset,
        len,
        crc: placed.payload_crc,
    }
}

/// Waits for the claims that files wait for, and claims again: now the content is stored, or ours to store.
/// Whether there is anything for another round.
async fn await_tickets(ingest: &Ingest, work: &mut [File], trace: &mut Trace) -> bool {
    let mut any = false;
    for file in work.iter_mut() {
        if !matches!(file.state, State::Waiting(_)) {
            continue;
        }
        if !std::mem::replace(&mut any, true) {
            // Up to here it was this slice's own records that were entered into the index.
            trace.lap(Stage::Answer, clock::now_ns());
        }
        if let State::Waiting(ticket) = std::mem::replace(&mut file.state, State::Stored) {
            ticket.ended().await;
            trace.lap(Stage::Claim, clock::now_ns());
        }
        file.state = claim(ingest, file.stored.digest);
        file.stored.duplicate = matches!(file.state, State::Stored);
        if matches!(file.state, State::Fresh(_)) {
            // Ours now: commit it before waiting for another, who may be waiting for us.
            break;
        }
    }
    any
}
