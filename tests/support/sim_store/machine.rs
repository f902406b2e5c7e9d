//! The daemon's store, lanes and uploads on every core of a simulated machine.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rhinobox::base::digest::Digest;
use rhinobox::ingest::amend::{self, Amendment};
use rhinobox::ingest::staging::Declared;
use rhinobox::ingest::upload::{Outcome, TermsBody};
use rhinobox::ingest::{Deal, FileError, Ingest, Mode, Queue, Slice, Upload};
use rhinobox::runtime::buffer::Pool;
use rhinobox::runtime::core::{CoreId, spawn};
use rhinobox::runtime::disk::Disk;
use rhinobox::runtime::inbox::Inbox;
use rhinobox::runtime::sim::{self, Rng, SimDisk};
use rhinobox::runtime::sync::{Semaphore, oneshot};
use rhinobox::store::delete::DeleteError;
use rhinobox::store::{Choices, CommitError, Compactor, Lane, OpenError, Opened, Store};

use super::choices;
use super::ledger::{Shared, TAG, lock};
use super::request::{Request, ToSend};

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
    Amend(String, oneshot::Sender<()>),
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
                Message::Amend(path, reply) => {
                    let (ledger, ingest) = (self.ledger.clone(), ingest.clone());
                    spawn(async move {
                        amend(&ingest, &path, &ledger).await;
                        reply.send(());
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

    /// Gives the name at a path the next number as its tag, or tries to.
    pub(crate) async fn amend(&self, core: usize, path: &str) {
        let (reply, done) = oneshot::channel();
        self.post(core, Message::Amend(path.to_owned(), reply));
        done.await.expect("a core answers");
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
    let declared = Declared { name: file.name.as_str().into(), mime: None, digest: None, time: None };
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

/// Changes the tag of a name, with an entry in the ledger before and after.
async fn amend(ingest: &Ingest, path: &str, ledger: &Shared) {
    let number = lock(ledger).send_tag(path);
    let tags = [(TAG.to_owned(), Some(number.to_string()))].into();
    let _active = ingest.lane.enter();
    let amended = amend::amend(ingest, path, &Amendment { comment: None, tags }, 1).await;
    if amended.is_ok() {
        lock(ledger).answer_tag(path, number);
    }
}

fn commit_error(error: DeleteError) -> CommitError {
    match error {
        DeleteError::Commit(error) => error,
        DeleteError::Read(error) => panic!("a name cannot be read: {error}"),
    }
}
