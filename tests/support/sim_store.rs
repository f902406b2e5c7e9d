//! The daemon's store and uploads on a simulated machine, and the oracle that stands outside of both.
//!
//! [`Machine`] opens the store and starts lanes, inboxes and [`Ingest`]s on every core, as the daemon's launch does.
//! [`Ledger`] is what a client keeps: what was sent, what was answered. [`look`] reads all that a recovered store
//! serves, byte by byte, and [`Ledger::check`] holds one against the other.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rhinobox::base::digest::{Digest, Hasher};
use rhinobox::ingest::staging::Declared;
use rhinobox::ingest::upload::{Outcome, TermsBody};
use rhinobox::ingest::{Deal, FileError, Ingest, Mode, Queue, Slice, Upload};
use rhinobox::limits::BLOB_CHUNK_BYTES;
use rhinobox::runtime::buffer::Pool;
use rhinobox::runtime::core::{CoreId, spawn};
use rhinobox::runtime::disk::Disk;
use rhinobox::runtime::inbox::Inbox;
use rhinobox::runtime::sim::{self, Rng, SimDisk};
use rhinobox::runtime::sync::{Semaphore, oneshot};
use rhinobox::store::delete::DeleteError;
use rhinobox::store::format::attributes::Kind;
use rhinobox::store::index::{Content, Location, PathKey, Place};
use rhinobox::store::{
    CheckpointPace, Choices, CommitError, Compactor, Durability, Lane, OpenError, Opened, ReadError, Store,
};

/// The checkpoint of the index.
pub(crate) const CHECKPOINT: &str = "index/checkpoint";
/// Small, so that rotation, seals and blobs occur often.
pub(crate) const SEGMENT_BYTES: u64 = 192 * 1024;
/// Contents above this are blobs.
pub(crate) const INLINE_BYTES_MAX: usize = 6 * 1024;

/// What the stores of these tests run with.
pub(crate) fn choices() -> Choices {
    Choices {
        durability: Durability::Commit,
        segment_bytes: Some(SEGMENT_BYTES),
        inline_bytes_max: INLINE_BYTES_MAX,
        // Often: some while others write.
        checkpoint: CheckpointPace { records_min: 8, interval_ms: 300 },
        compaction_bytes_per_s: rhinobox::limits::COMPACTION_BYTES_PER_S,
    }
}

/// A file as a client sends it.
#[derive(Clone, Debug)]
pub(crate) struct ToSend {
    pub(crate) name: String,
    pub(crate) content: Bytes,
    digest: Digest,
}

impl ToSend {
    pub(crate) fn new(name: &str, content: impl Into<Bytes>) -> ToSend {
        let content = content.into();
        ToSend { name: name.to_owned(), digest: Digest::of(&content), content }
    }
}

/// One upload.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) files: Vec<ToSend>,
    pub(crate) comment: String,
    /// Files are named as they are stored.
    pub(crate) streamed: bool,
    /// How the bytes are cut into pieces.
    pub(crate) seed: u64,
}

impl Request {
    pub(crate) fn of(files: Vec<ToSend>) -> Request {
        Request { files, comment: String::new(), streamed: false, seed: 0 }
    }
}

/// An upload under way, for a test that does not let it end.
pub(crate) type Uploading = Pin<Box<dyn Future<Output = Vec<Outcome>>>>;
/// Does with an upload what it wants, and says whether that kept it from its end.
pub(crate) type Abandon = Box<dyn FnOnce(Uploading) -> Pin<Box<dyn Future<Output = bool>>> + Send>;

/// What a core is asked to do.
pub(crate) enum Message {
    Slice(Slice),
    Upload(Request, oneshot::Sender<Vec<Outcome>>),
    Abandon(Request, Abandon, oneshot::Sender<bool>),
    Delete(Digest, oneshot::Sender<Result<bool, CommitError>>),
    DeleteName(String, oneshot::Sender<Result<bool, CommitError>>),
    Stop(oneshot::Sender<()>),
}

/// The cores of a running daemon.
#[derive(Clone)]
pub(crate) struct Machine {
    pub(crate) store: Arc<Store>,
    pub(crate) ledger: Shared,
    pub(crate) pool: Pool,
    inboxes: Arc<Vec<Inbox<Message>>>,
}

/// Opens the store on `disk` and starts `cores` cores. Runs inside of a simulation, on core 0.
pub(crate) async fn start(
    disk: &SimDisk,
    cores: usize,
    ledger: &Shared,
) -> Result<(Machine, Opened), OpenError> {
    start_with(choices(), disk, cores, ledger).await
}

/// As [`start`], with other choices.
pub(crate) async fn start_with(
    choices: Choices,
    disk: &SimDisk,
    cores: usize,
    ledger: &Shared,
) -> Result<(Machine, Opened), OpenError> {
    let pool = Pool::new(8 << 20);
    let (store, opened) = Store::open(Disk::sim(disk.clone()), &pool, choices).await?;
    let inboxes: Arc<Vec<Inbox<Message>>> = Arc::new((0..cores).map(|_| Inbox::new(64)).collect());
    let machine = Machine { store, ledger: ledger.clone(), pool, inboxes };
    let mut starts = machine.store.lane_starts(&opened.recovered, cores + 1);
    let mut compaction = starts.pop();
    for (core, start) in starts.into_iter().enumerate() {
        let machine = machine.clone();
        let compaction = compaction.take();
        sim::spawn_on(CoreId(core), async move {
            let pool = Pool::new(4 << 20);
            let lane = Lane::start(&machine.store, &pool, start);
            let compactor = compaction.map(|start| Compactor::start(&machine.store, &pool, &lane, start));
            let ingest = machine.ingest(core, lane, &pool);
            machine.serve(core, &ingest, compactor).await;
        });
    }
    Ok((machine, opened))
}

impl Machine {
    pub(crate) fn ingest(&self, core: usize, lane: Rc<Lane>, pool: &Pool) -> Ingest {
        let inboxes = Arc::clone(&self.inboxes);
        let turn = AtomicUsize::new(core);
        let deal: Deal = Rc::new(move |slice| {
            let to = turn.fetch_add(1, Ordering::Relaxed) % inboxes.len();
            if to == core {
                return Err(slice);
            }
            inboxes[to].push(Message::Slice(slice)).map_err(|message| match message {
                Message::Slice(slice) => slice,
                _ => unreachable!("it was a slice"),
            })
        });
        Ingest {
            index: self.store.index.handle(),
            store: self.store.clone(),
            lane,
            pool: pool.clone(),
            queue: Arc::new(Queue::default()),
            budget: Semaphore::new(4 << 20),
            deal,
            offload: Rc::new(Err),
            path_digits: 12,
        }
    }

    async fn serve(&self, core: usize, ingest: &Ingest, compactor: Option<Rc<Compactor>>) {
        loop {
            match self.inboxes[core].next().await {
                Message::Slice(slice) => spawn(slice.run(ingest.clone())),
                Message::Upload(request, reply) => {
                    let (ledger, ingest) = (self.ledger.clone(), ingest.clone());
                    spawn(async move { reply.send(upload(&ingest, &request, &ledger).await) });
                }
                Message::Abandon(request, abandon, reply) => {
                    let (ledger, ingest) = (self.ledger.clone(), ingest.clone());
                    let uploading =
                        Box::pin(async move { upload(&ingest, &request, &ledger).await }) as Uploading;
                    spawn(async move { reply.send(abandon(uploading).await) });
                }
                Message::Delete(digest, reply) => {
                    let (ledger, ingest) = (self.ledger.clone(), ingest.clone());
                    spawn(async move { reply.send(delete(&ingest, digest, &ledger).await) });
                }
                Message::DeleteName(path, reply) => {
                    let ingest = ingest.clone();
                    spawn(async move {
                        let deleted = ingest.store.delete_name(&ingest.lane, &ingest.pool, &path).await;
                        reply.send(deleted.map_err(commit_error));
                    });
                }
                Message::Stop(reply) => {
                    if let Some(compactor) = compactor {
                        compactor.stop().await;
                    }
                    ingest.lane.stop().await;
                    return reply.send(());
                }
            }
        }
    }

    fn post(&self, core: usize, message: Message) {
        assert!(self.inboxes[core].push(message).is_ok(), "tests post less than an inbox holds");
    }

    /// Hands an upload to a core; the outcomes come through what is returned.
    pub(crate) fn send(&self, core: usize, request: Request) -> oneshot::Receiver<Vec<Outcome>> {
        let (reply, outcomes) = oneshot::channel();
        self.post(core, Message::Upload(request, reply));
        outcomes
    }

    /// Hands an upload to a core that leaves it to `abandon`.
    pub(crate) fn abandon(
        &self,
        core: usize,
        request: Request,
        abandon: impl FnOnce(Uploading) -> Pin<Box<dyn Future<Output = bool>>> + Send + 'static,
    ) -> oneshot::Receiver<bool> {
        let (reply, kept) = oneshot::channel();
        self.post(core, Message::Abandon(request, Box::new(abandon), reply));
        kept
    }

    /// Sends one upload and waits for its outcomes.
    pub(crate) async fn upload(&self, core: usize, request: Request) -> Vec<Outcome> {
        self.send(core, request).await.expect("a core answers")
    }

    /// Deletes a name, and says whether there was one.
    pub(crate) async fn delete_name(&self, core: usize, path: &str) -> Result<bool, CommitError> {
        let (reply, outcome) = oneshot::channel();
        self.post(core, Message::DeleteName(path.to_owned(), reply));
        outcome.await.expect("a core answers")
    }

    /// Deletes a content with all its names, and says whether there was one.
    pub(crate) async fn delete(&self, core: usize, digest: Digest) -> Result<bool, CommitError> {
        let (reply, outcome) = oneshot::channel();
        self.post(core, Message::Delete(digest, reply));
        outcome.await.expect("a core answers")
    }

    /// Stops all lanes, as a clean stop does.
    pub(crate) async fn stop(&self) {
        for core in 0..self.inboxes.len() {
            let (reply, stopped) = oneshot::channel();
            self.post(core, Message::Stop(reply));
            stopped.await.expect("a core answers");
        }
        self.store.checkpoint_at_stop(&self.pool).await;
    }
}

/// One upload as a connection does it, with an entry in the ledger before and after.
pub(crate) async fn upload(ingest: &Ingest, request: &Request, ledger: &Shared) -> Vec<Outcome> {
    lock(ledger).send(request);
    let terms = Arc::new(TermsBody { category: String::new(), comment: request.comment.clone() });
    let mode = if request.streamed { Mode::AsStored(terms.clone()) } else { Mode::AtEnd };
    let mut upload = Upload::new(ingest, mode);
    let mut rng = Rng::new(request.seed);
    let mut given_up = None;
    for file in &request.files {
        if let Err(error) = push_file(&mut upload, file, &mut rng, request.seed != 0).await {
            given_up = Some(error);
            break;
        }
        if request.streamed {
            upload.settled().iter().for_each(|(_, outcome)| lock(ledger).answer(outcome));
        }
    }
    if let Some(error) = given_up {
        return vec![Err(error); request.files.len()];
    }
    let outcomes = upload.finish(&terms).await;
    outcomes.iter().for_each(|outcome| lock(ledger).answer(outcome));
    outcomes
}

async fn push_file(upload: &mut Upload, file: &ToSend, rng: &mut Rng, varied: bool) -> Result<(), FileError> {
    let declared = Declared { name: file.name.as_str().into(), mime: None, digest: None };
    let expected = (!rng.one_in(3)).then_some(file.content.len() as u64);
    upload.begin(declared, expected).await?;
    let mut rest = file.content.clone();
    let mut pieces_left = 12;
    while !rest.is_empty() {
        pieces_left -= 1;
        // As the daemon does when memory is short, and when the client's pace changes; not to a request without a seed.

        if varied && rng.one_in(6) {
            upload.set_write_bytes([16 << 10, 64 << 10, 256 << 10][rng.index(3)]);
        }
        if varied && rng.one_in(12) {
            upload.relieve().await?;
        }
        let len = if pieces_left == 0 { rest.len() } else { 1 + rng.index(rest.len()) };
        upload.data(rest.split_to(len)).await?;
    }
    upload.end(None).await
}

/// Deletes a content, with an entry in the ledger before and after.
async fn delete(ingest: &Ingest, digest: Digest, ledger: &Shared) -> Result<bool, CommitError> {
    lock(ledger).deletes.insert(digest, false);
    let deleted = ingest.store.delete_content(&ingest.lane, &ingest.pool, &digest).await;
    let deleted = deleted.map_err(commit_error)?;
    lock(ledger).deletes.insert(digest, true);
    Ok(deleted)
}

fn commit_error(error: DeleteError) -> CommitError {
    match error {
        DeleteError::Commit(error) => error,
        DeleteError::Read(error) => panic!("a name cannot be read: {error}"),
    }
}

/// A ledger that client tasks write to.
pub(crate) type Shared = Arc<Mutex<Ledger>>;

pub(crate) fn lock(ledger: &Shared) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A content as it was sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    bytes: Bytes,
    /// The original names and comments that it was ever sent with.
    names: Vec<(String, String)>,
}

/// Every content ever sent.
pub(crate) type AllSent = BTreeMap<Digest, Sent>;

/// What a client knows. Copies share what has not changed since.
#[derive(Clone, Default, Debug)]
pub(crate) struct Ledger {
    sent: Arc<AllSent>,
    /// Every path answered with success, and what it means.
    pub(crate) answered: Arc<BTreeMap<String, Digest>>,
    /// Deletes that were sent, and whether they were answered.
    pub(crate) deletes: BTreeMap<Digest, bool>,
}

impl Sent {
    fn has_name(&self, name: &str, comment: &str) -> bool {
        self.names.iter().any(|(sent, with)| sent == name && with == comment)
    }
}

impl Ledger {
    pub(crate) fn shared() -> Shared {
        Shared::default()
    }

    /// A copy that goes on by itself: another way things could have gone.
    pub(crate) fn fork(ledger: &Shared) -> Shared {
        Arc::new(Mutex::new(lock(ledger).clone()))
    }

    pub(crate) fn send(&mut self, request: &Request) {
        let all = Arc::make_mut(&mut self.sent);
        for file in &request.files {
            let fresh = || Sent { bytes: file.content.clone(), names: Vec::new() };
            let sent = all.entry(file.digest).or_insert_with(fresh);
            if !sent.has_name(&file.name, &request.comment) {
                sent.names.push((file.name.clone(), request.comment.clone()));
            }
        }
    }

    pub(crate) fn answer(&mut self, outcome: &Outcome) {
        if let Ok(named) = outcome {
            assert_eq!(self.sent.get(&named.digest).map(|sent| sent.bytes.len() as u64), Some(named.len));
            Arc::make_mut(&mut self.answered).insert(named.path.to_string(), named.digest);
        }
    }

    /// Holds what is served against what was sent and answered. What became of deletes that had no answer is
    /// settled by it.
    pub(crate) fn check(&mut self, view: &View) -> Result<(), String> {
        if let Some(problem) = view.problems.first() {
            return Err(format!("{problem} (and {} more)", view.problems.len() - 1));
        }
        for (path, file) in &view.files {
            let sent = self.sent.get(&file.digest);
            if sent.is_none_or(|sent| !sent.has_name(&file.name, &file.comment)) {
                return Err(format!("{path} is served as {file:?}, which nobody sent"));
            }
            if sent.is_some_and(|sent| sent.bytes.len() != file.len) {
                return Err(format!("{path} has {} bytes, which nobody sent", file.len));
            }
            if self.deletes.get(&file.digest) == Some(&true) {
                return Err(format!("{path} was deleted and is served"));
            }
        }
        for (path, digest) in &*self.answered {
            match (view.files.get(path), self.deletes.get(digest)) {
                (Some(file), _) if file.digest != *digest => {
                    return Err(format!("{path} has become {}", file.digest));
                }
                (Some(_), _) | (None, Some(_)) => {}
                (None, None) => return Err(format!("{path} was answered and is gone")),
            }
        }
        for (digest, _) in std::mem::take(&mut self.deletes) {
            let mut paths = self.answered.iter().filter(|(_, meant)| **meant == digest).map(|(path, _)| path);
            let gone = paths.clone().filter(|path| !view.files.contains_key(*path)).count();
            if gone > 0 && paths.any(|path| view.files.contains_key(path)) {
                return Err(format!("{digest} was deleted in part"));
            }
            if gone > 0 {
                Arc::make_mut(&mut self.answered).retain(|_, meant| *meant != digest);
            }
        }
        Ok(())
    }
}

/// A file as it is served.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Served {
    pub(crate) digest: Digest,
    pub(crate) len: usize,
    pub(crate) name: String,
    pub(crate) comment: String,
}

/// All that a store serves.
#[derive(Clone, Default, Debug)]
pub(crate) struct View {
    pub(crate) files: BTreeMap<String, Served>,
    /// What contradicts itself or cannot be read.
    pub(crate) problems: Vec<String>,
    /// Over all paths, digests and attributes.
    pub(crate) hash: Option<Digest>,
    /// Contents that no name means.
    pub(crate) nameless: usize,
    /// Blobs that a content names.
    pub(crate) blobs: BTreeSet<String>,
}

/// Reads everything.
pub(crate) async fn look(store: &Store, pool: &Pool) -> View {
    look_at_all(store, pool, &AllSent::new()).await
}

/// Reads everything. What was sent is compared with that byte by byte, anything else is hashed.
async fn look_at_all(store: &Store, pool: &Pool, sent: &AllSent) -> View {
    let mut view = View::default();
    let mut contents: Vec<(Digest, Content)> = Vec::new();
    store.index.for_each_content(|digest, content| contents.push((*digest, content)));
    contents.sort_by_key(|(digest, _)| *digest);
    let mut attributes = BTreeMap::new();
    for (digest, content) in &contents {
        let len = match read(store, pool, content.location).await {
            Ok((bytes, blob)) => {
                view.blobs.extend(blob);
                let right = match sent.get(digest) {
                    Some(sent) => sent.bytes == bytes,
                    None => Digest::of(&bytes) == *digest,
                };
                if !right {
                    view.problems.push(format!("{digest} reads as {}", Digest::of(&bytes)));
                }
                bytes.len()
            }
            Err(error) => {
                view.problems.push(format!("{digest} cannot be read: {error}"));
                0
            }
        };
        view.nameless += usize::from(content.first_name.is_none());
        for place in store.index.names(digest) {
            look_at_name(store, pool, (digest, len), place, &mut view, &mut attributes).await;
        }
    }
    let usage = store.index.usage();
    if usage.names != view.files.len() as u64 {
        view.problems.push(format!("{} paths, and {} names read", usage.names, view.files.len()));
    }
    let mut hasher = Hasher::new();
    for (path, bytes) in &attributes {
        hasher.update(path);
        hasher.update(bytes);
    }
    view.hash = Some(hasher.finish());
    view
}

async fn look_at_name(
    store: &Store,
    pool: &Pool,
    (digest, len): (&Digest, usize),
    place: Place,
    view: &mut View,
    attributes: &mut BTreeMap<Vec<u8>, Vec<u8>>,
) {
    let name = match store.read_name(pool, place).await {
        Ok(name) => name,
        Err(error) => return view.problems.push(format!("a name of {digest} cannot be read: {error}")),
    };
    if name.digest != *digest {
        view.problems.push(format!("{} means {} and is linked to {digest}", name.path, name.digest));
    }
    if store.index.path(PathKey::new(0, name.path.as_bytes())) != Some(place) {
        view.problems.push(format!("{} is not where its content says", name.path));
    }
    let hashed = [name.digest.0.as_slice(), name.attributes.as_bytes()].concat();
    attributes.insert(name.path.clone().into_bytes(), hashed);
    let text = |kind| name.attributes.text(kind).into_owned();
    let served =
        Served { digest: *digest, len, name: text(Kind::OriginalName), comment: text(Kind::Comment) };
    if view.files.insert(name.path.clone(), served).is_some() {
        view.problems.push(format!("{} is listed twice", name.path));
    }
}

/// The bytes of a content and, if it is a big one, the number of its blob.
pub(crate) async fn read(
    store: &Store,
    pool: &Pool,
    location: Location,
) -> Result<(Vec<u8>, Option<String>), ReadError> {
    match location {
        Location::Inline { .. } => Ok((store.read_inline(pool, location).await?.to_vec(), None)),
        Location::Large { record, entry_len, .. } => {
            let large = store.read_large(pool, record, entry_len).await?;
            let file = store.open_large(&large).await?;
            let mut bytes = Vec::new();
            for index in 0..large.chunk_crcs.len() {
                bytes.extend_from_slice(&store.read_chunk(pool, &file, &large, index).await?);
            }
            assert_eq!(bytes.len().div_ceil(BLOB_CHUNK_BYTES), large.chunk_crcs.len());
            Ok((bytes, Some(large.blob.to_string())))
        }
    }
}

/// What recovery makes of a disk: its view, and what it reports.
pub(crate) struct Recovery {
    pub(crate) view: View,
    pub(crate) opened: Opened,
    pub(crate) events: u64,
}

/// Recovers the store on `disk` and reads all of it.
pub(crate) fn recover(seed: u64, disk: &SimDisk) -> Result<Recovery, String> {
    recover_knowing(seed, disk, &AllSent::new())
}

thread_local! {
    /// Buffers of recoveries: to make and clear them anew for each of thousands costs more than to recover.
    static POOL: Pool = Pool::new(8 << 20);
}

fn recover_knowing(seed: u64, disk: &SimDisk, sent: &AllSent) -> Result<Recovery, String> {
    let mut machine = sim::Sim::new(seed, 1);
    let before = disk.counters().total;
    let (view, opened, events) = machine
        .run(|| async {
            let pool = POOL.with(Pool::clone);
            let (store, opened) = Store::open(Disk::sim(disk.clone()), &pool, choices()).await?;
            // One task, one operation after the other, each of three phases.
            let events = 3 * (disk.counters().total - before);
            Ok::<_, OpenError>((look_at_all(&store, &pool, sent).await, opened, events))
        })
        .done()
        .map_err(|error| format!("the store did not open: {error}"))?;
    Ok(Recovery { view, opened, events })
}

/// As [`recover`], and once more from the log alone if there is a checkpoint: both come to the same.
pub(crate) fn recover_both_ways(seed: u64, disk: &SimDisk) -> Result<Recovery, String> {
    recover_both_ways_knowing(seed, disk, &AllSent::new())
}

fn recover_both_ways_knowing(seed: u64, disk: &SimDisk, sent: &AllSent) -> Result<Recovery, String> {
    if disk.contents(CHECKPOINT).is_err() {
        return recover_knowing(seed, disk, sent);
    }
    let other = disk.kill(seed);
    other.overwrite(CHECKPOINT, 0, &[0; 64]).expect("it is there");
    let (with, without) = (recover_knowing(seed, disk, sent)?, recover_knowing(seed, &other, sent)?);
    if without.opened.recovered.checkpoint.is_some() {
        return Err("a checkpoint without a head was used".to_owned());
    }
    let parts = |view: &View| (view.hash, view.nameless, view.blobs.clone(), view.problems.clone());
    if parts(&with.view) != parts(&without.view) {
        let (with, without) = (&with.view.files, &without.view.files);
        let odd = with.iter().filter(|(path, file)| without.get(*path) != Some(file));
        let odd = odd.chain(without.iter().filter(|(path, _)| !with.contains_key(*path)));
        return Err(format!(
            "with the checkpoint {} files, from the log alone {}; they differ in {:?}",
            with.len(),
            without.len(),
            odd.collect::<Vec<_>>()
        ));
    }
    Ok(with)
}

/// Recovers after a mere cut or kill, holds the result against the ledger, and gives it.
pub(crate) fn recover_and_check(seed: u64, disk: &SimDisk, ledger: &Shared) -> Result<Recovery, String> {
    let sent = Arc::clone(&lock(ledger).sent);
    let recovery = if seed.is_multiple_of(3) {
        recover_both_ways_knowing(seed, disk, &sent)?
    } else {
        recover_knowing(seed, disk, &sent)?
    };
    if let Some(damage) = recovery.opened.recovered.damage.first() {
        return Err(format!("damage without damage: {damage}"));
    }
    lock(ledger).check(&recovery.view)?;
    if recovery.view.nameless > 0 {
        return Err(format!("{} contents without a name were kept", recovery.view.nameless));
    }
    let blobs: BTreeSet<String> = disk
        .files()
        .into_iter()
        .filter_map(|(path, _)| path.starts_with("blobs/").then(|| path[path.len() - 16..].to_owned()))
        .collect();
    if blobs != recovery.view.blobs {
        return Err(format!("blobs on disk: {blobs:?}, named: {:?}", recovery.view.blobs));
    }
    Ok(recovery)
}

/// A workload drawn from a seed: who sends what, in which order.
pub(crate) struct Workload {
    pub(crate) cores: usize,
    pub(crate) requests: Vec<(usize, Request)>,
    /// Contents to delete when all is answered.
    pub(crate) deletes: usize,
    /// Ends with a clean stop.
    pub(crate) stops: bool,
    /// So many requests are under way at once.
    pub(crate) at_once: usize,
}

impl Workload {
    pub(crate) fn draw(seed: u64) -> Workload {
        let mut rng = Rng::new(seed ^ 0x5107_ed0f);
        let cores = 1 + rng.index(3);
        let contents: Vec<ToSend> =
            (0..4 + rng.index(12)).map(|_| ToSend::new("", content(&mut rng))).collect();
        let requests = (0..2 + rng.index(6))
            .map(|_| {
                let files = match rng.below(8) {
                    0 => 130 + rng.index(20),
                    1 | 2 => 8,
                    _ => 1 + rng.index(3),
                };
                let files = (0..files).map(|_| {
                    let which = rng.index(contents.len());
                    ToSend { name: format!("file-{}.bin", rng.below(4)), ..contents[which].clone() }
                });
                let request = Request {
                    files: files.collect(),
                    comment: if rng.one_in(3) { format!("take {}", rng.below(2)) } else { String::new() },
                    streamed: rng.one_in(3),
                    seed: rng.next_u64(),
                };
                (rng.index(cores), request)
            })
            .collect();
        let deletes = if rng.one_in(2) { rng.index(3) } else { 0 };
        Workload { cores, requests, deletes, stops: rng.one_in(4), at_once: 1 + rng.index(4) }
    }

    /// Sends it all.
    pub(crate) async fn run(&self, machine: &Machine) {
        for together in self.requests.chunks(self.at_once) {
            let sent: Vec<_> = together
                .iter()
                .map(|(core, request)| machine.send(core % self.cores, request.clone()))
                .collect();
            for outcomes in sent {
                outcomes.await.expect("a core answers");
            }
        }
        let answered: BTreeSet<Digest> = lock(&machine.ledger).answered.values().copied().collect();
        for (turn, digest) in answered.into_iter().take(self.deletes).enumerate() {
            let _unanswered = machine.delete(turn % self.cores, digest).await;
        }
        if self.stops {
            machine.stop().await;
        }
    }

    /// A simulated machine for it: in some runs cores stall and the wall clock jumps.
    pub(crate) fn sim(&self, seed: u64) -> sim::Sim {
        let sim = sim::Sim::new(seed, self.cores).wall_jumps(if seed.is_multiple_of(5) { 10 } else { 0 });
        if seed % 4 == 1 { sim.stalls(200, 20_000_000) } else { sim }
    }
}

/// A content: most are small, some as large as stands in a segment, some blobs, a few of several chunks.
pub(crate) fn content(rng: &mut Rng) -> Bytes {
    let len = match rng.below(40) {
        0 => 0,
        1..=27 => 1 + rng.index(600),
        28..=33 => 1 + rng.index(INLINE_BYTES_MAX),
        34 => INLINE_BYTES_MAX,
        35..=38 => INLINE_BYTES_MAX + 1 + rng.index(8_000),
        _ => BLOB_CHUNK_BYTES - 2 + rng.index(5_000),
    };
    let mut bytes = vec![0; len];
    rng.fill(&mut bytes);
    bytes.into()
}

/// Says how to see a failure again.
pub(crate) struct Told(pub u64);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("see it again with RHINOBOX_SEED={}", self.0);
        }
    }
}

/// Runs `test` for each seed on as many threads as the machine has cores. `RHINOBOX_SEED` picks one seed,
/// `RHINOBOX_SOAK_SEEDS` another count.
pub(crate) fn each_seed(count: u64, test: impl Fn(u64) + Sync) {
    let count = std::env::var("RHINOBOX_SOAK_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(count);
    let left = Mutex::new(sim::seeds(count));
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let next = left.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some(seed) = next else { return };
                    let _told = Told(seed);
                    test(seed);
                }
            });
        }
    });
}
