//! A request's files, in the order they arrive.

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;

use super::large::LargeUpload;
use super::naming::{Named, Namings};
use super::slice::{self, Answers, Done, Slice};
use super::stages::{Laps, Stage, Trace};
use super::staging::{Declared, Staged, Staging};
use super::{FileError, Ingest};
use crate::limits::{
    BLOB_CHUNK_BYTES, BOUND_AT_ONCE, FILE_NOTE_BYTES, SLICE_BYTES, SLICE_FILES, WINDOW_BYTES_MAX,
};
use crate::media::name::Sent;
use crate::runtime::buffer::Buffer;
use crate::runtime::clock;
use crate::runtime::core::{spawn, yield_now};
use crate::runtime::sync::{Permit, oneshot};
use crate::store::Active;
use crate::store::blob::BlobWriter;

/// What applies to all files of a request.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TermsBody {
    /// The category as it was sent; may be empty.
    pub category: String,
    /// The comment; may be empty.
    pub comment: String,
}

/// Shared by the slices of a request.
pub type Terms = Arc<TermsBody>;

/// When files get their names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Mode {
    /// When the request is complete: category and comment may come last, and what breaks off names nothing.
    AtEnd,
    /// As they are stored, with these terms: for an answer that streams.
    AsStored(Terms),
}

/// A file's outcome, in the order sent.
pub type Outcome = Result<Named, FileError>;

/// An upload in progress.
pub struct Upload {
    ingest: Ingest,
    mode: Mode,
    /// The request's clock.
    laps: Rc<Laps>,
    /// The file whose bytes are arriving.
    current: Option<Current>,
    /// Whole small files that no core was given yet, and their numbers.
    staged: Vec<Staged>,
    staged_numbers: Vec<usize>,
    staged_bytes: usize,
    /// Of them, copies that were made because they came in many pieces: the memory of those.
    staged_copies: usize,
    /// Slices that a core has.
    dealt: VecDeque<Dealt>,
    dealt_bytes: usize,
    /// What is known of each file so far.
    files: Vec<Option<Result<Done, FileError>>>,
    /// Files whose outcome [`Upload::settled`] has given.
    told: usize,
    /// From the first claim of a content to the last name, what was found stays. Not sooner: who sends slowly must not
    /// hold up what frees space.
    active: Option<Active>,
    /// Memory of what is known of the files.
    note_bytes: usize,
    /// How often the staged files were given away, and with them all pieces of what was received.
    deals: usize,
    /// Pieces in which big files are written.
    write_bytes: usize,
}

struct Current {
    number: usize,
    declared: Declared,
    /// `None` once the file has failed: the rest of its bytes is passed over.
    sink: Option<Sink>,
}

enum Sink {
    Small(Staging),
    Large(Box<LargeUpload>),
}

struct Dealt {
    numbers: Vec<usize>,
    bytes: usize,
    answer: oneshot::Receiver<Answers>,
    _memory: Permit,
}

impl Upload {
    /// An upload without files, whose stages nobody wants to know.
    #[must_use]
    pub fn new(ingest: &Ingest, mode: Mode) -> Upload {
        Upload::timed(ingest, mode, Rc::default())
    }

    /// An upload without files, and the clock of its request.
    #[must_use]
    pub fn timed(ingest: &Ingest, mode: Mode, laps: Rc<Laps>) -> Upload {
        Upload {
            ingest: ingest.clone(),
            mode,
            laps,
            current: None,
            staged: Vec::new(),
            staged_numbers: Vec::new(),
            staged_bytes: 0,
            staged_copies: 0,
            dealt: VecDeque::new(),
            dealt_bytes: 0,
            files: Vec::new(),
            told: 0,
            active: None,
            note_bytes: 0,
            deals: 0,
            write_bytes: BLOB_CHUNK_BYTES,
        }
    }

    /// From now on big files that do not arrive fast are written in pieces of this size: one of the pool's classes.
    pub fn set_write_bytes(&mut self, bytes: usize) {
        self.write_bytes = bytes;
    }

    /// A content is claimed next.
    fn begin_claims(&mut self) {
        self.active.get_or_insert_with(|| self.ingest.lane.enter());
    }

    /// Whether it holds pieces of what was received.
    #[must_use]
    pub fn keeps_pieces(&self) -> bool {
        !self.staged.is_empty() || self.current_keeps_pieces()
    }

    fn current_keeps_pieces(&self) -> bool {
        matches!(self.sink(), Some(Sink::Small(staging)) if staging.keeps_pieces())
    }

    /// How often all pieces were given away: those held now arrived later.
    #[must_use]
    pub fn deals(&self) -> usize {
        self.deals
    }

    /// Memory it takes beside pieces of what was received, once `more` bytes have come, when big files are written in
    /// pieces of `write_bytes`.
    #[must_use]
    pub fn held_bytes(&self, more: usize, write_bytes: usize) -> usize {
        let inline_max = self.ingest.store.options.inline_bytes_max;
        let current = match self.sink() {
            Some(Sink::Small(staging)) if staging.len() + more > inline_max => {
                staging.copied_bytes(0) + BlobWriter::memory_at(write_bytes)
            }
            Some(Sink::Small(staging)) => staging.copied_bytes(more),
            Some(Sink::Large(large)) => large.held_bytes(write_bytes),
            None => 0,
        };
        self.note_bytes + self.staged_copies + current
    }

    /// Memory is short: stores the whole files now, moves the one that is arriving to a blob, and takes from that what
    /// only a fast one needs. Whether there was anything to be done.
    ///
    /// # Errors
    /// As [`Upload::begin`].
    pub async fn relieve(&mut self) -> Result<bool, FileError> {
        let any = !self.staged.is_empty();
        self.settle().await;
        let spills = matches!(
            self.sink(),
            Some(Sink::Small(staging)) if !staging.is_empty()
        );
        if spills {
            self.spill().await?;
        }
        let write_bytes = self.write_bytes;
        let narrowed = match self.current.as_mut().and_then(|current| current.sink.as_mut()) {
            Some(Sink::Large(large)) => large.relieve(write_bytes).await?,
            _ => false,
        };
        Ok(any || spills || narrowed)
    }

    /// Moves the file that is arriving from memory to a blob.
    async fn spill(&mut self) -> Result<(), FileError> {
        let Some(current) = &mut self.current else { return Ok(()) };
        if let Some(Sink::Small(staging)) = current.sink.take() {
            let mut large = LargeUpload::start(&self.ingest, None).await?;
            large.push_all(staging.finish(), self.write_bytes, &self.laps).await?;
            current.sink = Some(Sink::Large(Box::new(large)));
        }
        Ok(())
    }

    /// The next file begins. `expected` is its length where the client declared one.
    ///
    /// # Errors
    /// `NoSpace`, which ends the request: no later file would fare better. What is wrong with this file alone becomes
    /// its outcome.
    pub async fn begin(&mut self, declared: Declared, expected: Option<u64>) -> Result<(), FileError> {
        assert!(self.current.is_none(), "one file at a time");
        if self.staged_bytes >= SLICE_BYTES {
            self.deal_staged().await;
        }
        let number = self.files.len();
        self.files.push(None);
        self.note_bytes += FILE_NOTE_BYTES + 2 * declared.name.len();
        if let Err(too_long) = Sent::parse(&declared.name) {
            self.files[number] = Some(Err(too_long.into()));
            self.current = Some(Current { number, declared, sink: None });
            return Ok(());
        }
        let inline_max = self.ingest.store.options.inline_bytes_max as u64;
        let sink = match expected {
            Some(len) if len > inline_max => {
                Sink::Large(Box::new(LargeUpload::start(&self.ingest, expected).await?))
            }
            _ => Sink::Small(Staging::default()),
        };
        self.current = Some(Current { number, declared, sink: Some(sink) });
        Ok(())
    }

    /// Whether the file's next bytes are best received into memory of the upload's own, [`Upload::lend`]: it is big, and
    /// arrives fast.
    #[must_use]
    pub fn lends(&self) -> bool {
        matches!(self.sink(), Some(Sink::Large(large)) if large.lends())
    }

    /// Memory for a large write, to receive the file's next bytes into, behind what it begins with: they are written from
    /// there, uncopied. Then it goes to [`Upload::take_back`], and the bytes to [`Upload::data`]. `None` where no big file
    /// is arriving.
    ///
    /// # Errors
    /// As [`Upload::begin`].
    pub async fn lend(&mut self) -> Result<Option<Buffer>, FileError> {
        match self.current.as_mut().and_then(|current| current.sink.as_mut()) {
            Some(Sink::Large(large)) => Ok(Some(large.lend().await?)),
            _ => Ok(None),
        }
    }

    /// What was lent has been received into.
    pub fn take_back(&mut self, lent: Bytes) {
        if let Some(Sink::Large(large)) = self.current.as_mut().and_then(|current| current.sink.as_mut()) {
            large.take_back(lent);
        }
    }

    fn sink(&self) -> Option<&Sink> {
        self.current.as_ref().and_then(|current| current.sink.as_ref())
    }

    /// The next bytes of the file.
    ///
    /// # Errors
    /// As [`Upload::begin`].
    pub async fn data(&mut self, piece: Bytes) -> Result<(), FileError> {
        let Some(current) = &self.current else { return Ok(()) };
        let inline_max = self.ingest.store.options.inline_bytes_max;
        let outgrown = match &current.sink {
            Some(Sink::Small(staging)) => staging.len() + piece.len() > inline_max,
            _ => false,
        };
        if outgrown {
            self.spill().await?;
        }
        let Some(current) = &mut self.current else { return Ok(()) };
        match &mut current.sink {
            Some(Sink::Small(staging)) => staging.push(piece, &self.ingest.pool, inline_max),
            Some(Sink::Large(large)) => match large.push(&piece, self.write_bytes, &self.laps).await {
                Ok(()) => {}
                Err(error @ FileError::TooLarge(_)) => {
                    current.sink = None;
                    self.files[current.number] = Some(Err(error));
                }
                Err(error) => return Err(error),
            },
            None => {}
        }
        Ok(())
    }

    /// The file is whole. `digest` is what it must hash to, if that was said only behind it.
    ///
    /// # Errors
    /// As [`Upload::begin`].
    pub async fn end(&mut self, digest: Option<crate::base::digest::Digest>) -> Result<(), FileError> {
        // While it still counts as what is arriving: pieces of it stay here.
        if matches!(self.sink(), Some(Sink::Small(staging)) if staging.len() > SLICE_BYTES) {
            // It is a slice of its own.
            self.deal_staged().await;
        }
        let Some(Current { number, mut declared, sink }) = self.current.take() else { return Ok(()) };
        declared.digest = declared.digest.or(digest);
        match sink {
            Some(Sink::Small(staging)) => {
                let len = staging.len();
                if !staging.keeps_pieces() {
                    self.staged_copies += staging.copied_bytes(0);
                }
                self.staged.push(Staged { declared, payload: staging.finish(), len });
                self.staged_numbers.push(number);
                self.staged_bytes += len;
                // One by itself waits until another comes: where none does, it is stored and named in one batch.
                let is_alone = self.staged.len() == 1;
                if self.staged.len() >= SLICE_FILES || self.staged_bytes >= SLICE_BYTES && !is_alone {
                    self.deal_staged().await;
                }
            }
            Some(Sink::Large(large)) => {
                self.begin_claims();
                match large.finish(&self.ingest, declared, &self.laps).await {
                    Err(error @ (FileError::NoSpace | FileError::Stopping)) => return Err(error),
                    Ok(stored) => self.files[number] = Some(self.name_large(stored).await),
                    Err(error) => self.files[number] = Some(Err(error)),
                }
            }
            None => {}
        }
        Ok(())
    }

    /// Stores every whole file now, however few there are, and waits for that.
    pub async fn settle(&mut self) {
        self.deal_staged().await;
        while !self.dealt.is_empty() {
            self.laps.lap(Stage::Parse, clock::now_ns());
            self.await_oldest().await;
        }
    }

    /// Takes in the answers of cores that have finished, without waiting.
    fn harvest(&mut self) {
        while let Some(answers) = self.dealt.front_mut().and_then(|dealt| dealt.answer.try_take()) {
            let Some(dealt) = self.dealt.pop_front() else { return };
            self.dealt_bytes -= dealt.bytes;
            // Nobody waited for it: its trace says nothing of the request's time.
            self.note(dealt.numbers, answers.files);
        }
    }

    /// The outcomes that are final now, of files not told before, in order, without waiting. Only with
    /// [`Mode::AsStored`].
    pub fn settled(&mut self) -> Vec<(usize, Outcome)> {
        self.harvest();
        let mut settled = Vec::new();
        while let Some(Some(done)) = self.files.get(self.told) {
            let outcome = match done {
                Ok(Done::Named(named)) => Ok(named.clone()),
                Err(error) => Err(error.clone()),
                Ok(Done::Stored(_)) => break,
            };
            settled.push((self.told, outcome));
            self.told += 1;
        }
        settled
    }

    /// The request is complete: stores what is left, names all files, and gives their outcomes in the order sent.
    pub async fn finish(mut self, terms: &Terms) -> Vec<Outcome> {
        self.begin_claims();
        let small = self.dealt.is_empty();
        let staged = std::mem::take(&mut self.staged);
        // The last of them stands in the request's own place; where the queue is full, so do the others.
        let _places = self.ingest.queue.try_admit(staged.len().saturating_sub(1));
        // A request that fits one slice: contents and names in one batch.
        let at_once = (small || matches!(self.mode, Mode::AsStored(_))).then_some(terms);
        let mut trace = Trace::default();
        let answers = slice::store(&self.ingest, staged, at_once, &mut trace).await;
        self.laps.absorb(&trace);
        for (number, answer) in std::mem::take(&mut self.staged_numbers).into_iter().zip(answers) {
            self.files[number] = Some(answer);
        }
        while !self.dealt.is_empty() {
            self.await_oldest().await;
        }
        self.name_all(terms).await
    }

    /// With names due at once, gives a big file its name.
    async fn name_large(&self, stored: slice::Stored) -> Result<Done, FileError> {
        let Mode::AsStored(terms) = &self.mode else { return Ok(Done::Stored(stored)) };
        let mut trace = Trace::default();
        let outcome = name(&self.ingest, &[(0, stored)], terms, &mut trace).await.pop();
        self.laps.absorb(&trace);
        outcome.map_or(Err(FileError::Lost), |(_, outcome)| outcome.map(Done::Named))
    }

    /// Gives the staged files to a core: the others in turn, this one if none of them can. Waits for nobody else's
    /// memory or places, only for slices of its own; with none of them left it stores the files itself. So of any number
    /// of batches that share a full queue each goes on, and none is refused in its middle.
    async fn deal_staged(&mut self) {
        if self.staged.is_empty() {
            return;
        }
        self.begin_claims();
        let files = std::mem::take(&mut self.staged);
        let numbers = std::mem::take(&mut self.staged_numbers);
        // Of a copy all of its memory.
        let copies = std::mem::take(&mut self.staged_copies);
        let bytes = std::mem::take(&mut self.staged_bytes).max(copies);
        if !self.current_keeps_pieces() {
            self.deals += 1;
        }
        while self.dealt_bytes + bytes > WINDOW_BYTES_MAX && !self.dealt.is_empty() {
            self.laps.lap(Stage::Parse, clock::now_ns());
            self.await_oldest().await;
        }
        let (admission, memory) = loop {
            let places = self.ingest.queue.try_admit(files.len());
            if let Some(both) = places.zip(self.ingest.budget.try_acquire(bytes)) {
                break both;
            }
            if self.dealt.is_empty() {
                // Ours alone is within what the request reserved, and stands in its own place: stored before anything
                // more is received.
                let terms = self.terms();
                self.laps.lap(Stage::Parse, clock::now_ns());
                let mut trace = Trace::default();
                let answers = slice::store(&self.ingest, files, terms.as_ref(), &mut trace).await;
                self.laps.absorb(&trace);
                return self.note(numbers, answers);
            }
            self.laps.lap(Stage::Parse, clock::now_ns());
            self.await_oldest().await;
        };
        let (reply, answer) = oneshot::channel();
        let slice = Slice { files, admission, terms: self.terms(), reply };
        if let Err(slice) = (self.ingest.deal)(slice) {
            spawn(slice.run(self.ingest.clone()));
        }
        self.dealt.push_back(Dealt { numbers, bytes, answer, _memory: memory });
        self.dealt_bytes += bytes;
    }

    fn terms(&self) -> Option<Terms> {
        match &self.mode {
            Mode::AtEnd => None,
            Mode::AsStored(terms) => Some(terms.clone()),
        }
    }

    /// Waits for the slice that was dealt first. The request's clock was stopped at the beginning of that wait.
    async fn await_oldest(&mut self) {
        let Some(dealt) = self.dealt.pop_front() else { return };
        let answers = dealt.answer.await;
        self.dealt_bytes -= dealt.bytes;
        let files = match answers {
            Some(answers) => {
                self.laps.absorb(&answers.trace);
                answers.files
            }
            None => vec![Err(FileError::Lost); dealt.numbers.len()],
        };
        self.note(dealt.numbers, files);
    }

    fn note(&mut self, numbers: Vec<usize>, answers: Vec<Result<Done, FileError>>) {
        for (number, answer) in numbers.into_iter().zip(answers) {
            self.files[number] = Some(answer);
        }
    }

    async fn name_all(&mut self, terms: &Terms) -> Vec<Outcome> {
        let mut outcomes: Vec<Outcome> = Vec::with_capacity(self.files.len());
        let mut unnamed = Vec::new();
        for (number, file) in std::mem::take(&mut self.files).into_iter().enumerate() {
            outcomes.push(match file {
                Some(Ok(Done::Named(named))) => Ok(named),
                Some(Ok(Done::Stored(stored))) => {
                    unnamed.push((number, stored));
                    Err(FileError::Lost)
                }
                Some(Err(error)) => Err(error),
                None => Err(FileError::Lost),
            });
        }
        if !unnamed.is_empty() {
            let mut trace = Trace::default();
            for (number, outcome) in name(&self.ingest, &unnamed, terms, &mut trace).await {
                outcomes[number] = outcome;
            }
            self.laps.absorb(&trace);
        }
        if self.mode == Mode::AtEnd {
            first_of_equals_is_new(&mut outcomes);
        }
        outcomes
    }
}

/// Of equal files in one request, sent anew, the first is the new one and the later ones are its duplicates,
/// whichever of them a core came to first.
fn first_of_equals_is_new(outcomes: &mut [Outcome]) {
    let mut first_duplicates = HashMap::new();
    for (number, named) in
        outcomes.iter().enumerate().filter_map(|(n, outcome)| Some((n, outcome.as_ref().ok()?)))
    {
        if named.duplicate {
            first_duplicates.entry(named.digest).or_insert(number);
        }
    }
    if first_duplicates.is_empty() {
        return;
    }
    for number in 0..outcomes.len() {
        let Ok(named) = &mut outcomes[number] else { continue };
        match first_duplicates.get(&named.digest) {
            Some(first) if !named.duplicate && *first < number => {
                named.duplicate = true;
                if let Ok(first) = &mut outcomes[*first] {
                    first.duplicate = false;
                }
            }
            _ => {}
        }
    }
}

/// Names stored files.
async fn name(
    ingest: &Ingest,
    files: &[(usize, slice::Stored)],
    terms: &Terms,
    trace: &mut Trace,
) -> Vec<(usize, Outcome)> {
    let time = clock::wall();
    let mut outcomes = Vec::with_capacity(files.len());
    let mut namings = Namings::with_capacity(files.len());
    for (place, (number, stored)) in files.iter().enumerate() {
        if place > 0 && place.is_multiple_of(BOUND_AT_ONCE) {
            yield_now().await;
        }
        if let Some(outcome) = namings.add(ingest, *number, stored, terms, time).await {
            outcomes.push((*number, outcome));
        }
    }
    trace.lap(Stage::Hash, clock::now_ns());
    outcomes.extend(namings.commit(ingest, trace).await);
    outcomes
}
