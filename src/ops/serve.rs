//! `rhinobox serve`: from settings to a running daemon, and to its end.
//!
//! The order of a start: lock the directory, bind the address, start the cores, open and recover the store on the
//! first, give every core its lane, say `listening on`. `/healthz` answers from the moment the address is bound.

use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::Failure;
use super::config::{self, Settings};
use crate::base::digest;
use crate::base::units::MIB;
use crate::catalogue::Catalogue;
use crate::http::origin::Hosts;
use crate::limits::{
    ADDRESS_WAIT_MS, BATCH_BYTES_MAX, BLOCK_BYTES, CATALOGUE_BYTES, INLINE_BUFFERS_SHARE, SCAN_WINDOW_BYTES,
};
use crate::runtime::buffer::class_within;
use crate::runtime::core::{CoreId, launch, spawn};
use crate::runtime::disk::Disk;
use crate::runtime::net::Listener;
use crate::runtime::topology::{self, Cpu};
use crate::runtime::{fatal, listeners, process, signal};
use crate::server::access::{AccessLog, Form};
use crate::server::{Core, Message, ServerSettings, Shared, accept};
use crate::store::{CheckpointPace, Choices, Durability, OpenError, Opened, ScrubPace, Store, dir};
use crate::tokens::gate::{self, Watched};
use crate::tokens::{Access, Gate, file};

/// Runs the daemon until it is told to stop.
///
/// # Errors
/// Why it did not start, in a sentence.
pub fn run(settings: Settings) -> Result<(), Failure> {
    signal::block();
    signal::ignore_file_size_signal();
    let data_dir = &settings.data_dir;
    let lies = data_dir.metadata().map(|metadata| metadata.is_dir());
    if matches!(&lies, Ok(false))
        || lies.is_err_and(|error| error.kind() == std::io::ErrorKind::NotADirectory)
    {
        return Err(unusable(data_dir, "used", &std::io::ErrorKind::NotADirectory.into()).into());
    }
    let (watched, access) = read_tokens(&settings)?;
    std::fs::create_dir_all(data_dir).map_err(|error| unusable(data_dir, "made", &error))?;
    let lock = process::lock_file(&data_dir.join(dir::LOCK_FILE))
        .map_err(|error| unusable(data_dir, "used", &error))?;
    // More connections than the default limit allows; where it cannot be raised, accepting slows down earlier.
    let descriptors = process::raise_nofile_limit().unwrap_or(0);
    let listener = bind(&settings)?;
    let address = listener.local_addr()?;
    let cpus = topology::cpus(settings.cores)?;
    say_machine(&cpus, descriptors);

    let hosts = Hosts::new(address, settings.hosts.iter().map(String::as_str));
    let gate = Arc::new(Gate::new(access));
    let shared = Shared::new(server_settings(&settings), hosts, gate, cpus.len());
    if settings.access_log {
        shared.set_access_log(AccessLog::start(access_form(&settings))?);
    }
    let stopper = listener.stopper();
    let first = Mutex::new(Some((listener, watched)));
    let setup = Arc::new(Setup { settings, shared: shared.clone(), first });
    let cores = launch(&cpus, move |id| core_main(id, setup.clone()))?;

    let name = signal::wait();
    say(&format!("{name}: stopping; a second one stops at once"));
    signal::stop_at_once_on_the_next();
    shared.stop();
    stopper.cut();
    cores.join();
    if let Some(log) = shared.access_log() {
        log.close();
    }
    drop(lock);
    say("stopped: all that was answered is stored");
    Ok(())
}

/// What the cores start from.
struct Setup {
    settings: Settings,
    shared: Arc<Shared>,
    /// Taken by the first core.
    first: Mutex<Option<(Listener, Watched)>>,
}

async fn core_main(id: CoreId, setup: Arc<Setup>) {
    let core = Core::new(id, setup.shared.clone());
    let first = if id == CoreId(0) {
        setup.first.lock().unwrap_or_else(PoisonError::into_inner).take()
    } else {
        None
    };
    if let Some((listener, watched)) = first {
        spawn(gate::watch(setup.shared.gate.clone(), watched));
        let address = listener.local_addr();
        spawn(accept::run(listener, setup.shared.clone()));
        let core = core.clone();
        spawn(async move {
            match open_store(&core, &setup).await {
                Ok(()) => {
                    wait_until_ready(&setup.shared).await;
                    if let Ok(address) = address {
                        say(&format!("listening on http://{address}"));
                    }
                }
                // Nothing was answered yet and nothing is in flight.
                Err(error) => fatal::refuse_start(&error.to_string()),
            }
        });
    }
    core.run().await;
}

async fn open_store(core: &Core, setup: &Setup) -> Result<(), OpenError> {
    let settings = &setup.settings;
    // Such a content is read whole, with the blocks it stands in, into a buffer of which several fit what a core has for
    // downloads.
    let buffers = settings.buffer_bytes / setup.shared.inboxes.len();
    let inline_share = class_within(buffers / INLINE_BUFFERS_SHARE) - 2 * BLOCK_BYTES;
    let choices = Choices {
        durability: durability(settings),
        segment_bytes: settings.segment_bytes.map(|bytes| bytes as u64),
        inline_bytes_max: settings.inline_bytes_max.min(inline_share),
        checkpoint: CheckpointPace::default(),
        compaction_bytes_per_s: settings.compaction_rate,
    };
    let disk = Disk::uring(settings.data_dir.clone());
    let (store, opened) = Store::open(disk, &core.pool, choices).await?;
    say_store(settings, &store, &opened, setup.shared.inboxes.len());
    if settings.catalogue {
        let started = Catalogue::start(&settings.data_dir, store.id, store.options.segment_bytes);
        setup.shared.set_catalogue(started.map_err(OpenError::io("start the catalogue"))?);
    }
    // One lane a core, and one for compaction, which the first core does.
    let cores = setup.shared.inboxes.len();
    let mut starts = store.lane_starts(&opened.recovered, cores + 1);
    let mut compaction = starts.pop();
    for (inbox, start) in setup.shared.inboxes.iter().zip(starts) {
        let mut message = Message::Start(store.clone(), start, compaction.take());
        while let Err(back) = inbox.push(message) {
            message = back;
            crate::runtime::core::yield_now().await;
        }
    }
    Ok(())
}

async fn wait_until_ready(shared: &Shared) {
    while !shared.is_ready() && !shared.is_draining() {
        crate::runtime::core::yield_now().await;
    }
}

/// Who is let in, and the refusal to let everybody in where that was not meant.
fn read_tokens(settings: &Settings) -> Result<(Watched, Access), Failure> {
    let path = file::path(&settings.data_dir);
    let shown = path.display().to_string();
    let (watched, access) =
        Watched::open(path).map_err(|why| format!("the tokens in {shown} cannot be used: {why}"))?;
    settings.check_exposure(matches!(access, Access::Tokens(_)))?;
    match &access {
        Access::Tokens(set) if set.is_empty() => {
            say(&format!("tokens: none is left in {shown}: nobody is let in until one is made"));
        }
        Access::Tokens(set) => say(&format!("tokens: {}, and nobody is let in without one", set.len())),
        Access::Open | Access::Closed(_) => say("tokens: none, everybody who can connect is let in"),
    }
    Ok((watched, access))
}

/// Why the data directory is of no use, and what may be done about it.
fn unusable(data_dir: &Path, what: &str, error: &std::io::Error) -> String {
    use std::io::ErrorKind;
    let then = match error.kind() {
        // The one who holds the lock is in the error.
        ErrorKind::WouldBlock => "stop that daemon, or choose another folder with --data-dir",
        ErrorKind::NotADirectory => "it is no folder, or lies in none; choose one with --data-dir",
        ErrorKind::PermissionDenied => {
            "run it as the user who owns the folder, or choose another with --data-dir"
        }
        ErrorKind::ReadOnlyFilesystem => {
            "its file system is read-only; choose another folder with --data-dir"
        }
        _ => "choose another folder with --data-dir",
    };
    format!("the data directory {} cannot be {what}: {error}: {then}", data_dir.display())
}

fn bind(settings: &Settings) -> Result<Listener, Failure> {
    let mut address = settings.addr;
    let mut result = bind_patiently(address);
    let has_no_v6 = |error: &std::io::Error| error.raw_os_error() == Some(EAFNOSUPPORT);
    if address.is_ipv6() && address.ip().is_unspecified() && result.as_ref().is_err_and(has_no_v6) {
        address.set_ip(std::net::Ipv4Addr::UNSPECIFIED.into());
        result = bind_patiently(address);
    }
    result.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            let holder = listeners::holder_of(address).map_or_else(
                || "another program".to_owned(),
                |process| format!("`{}` (process {})", process.name.escape_debug(), process.pid),
            );
            format!("the address {address} is in use by {holder}: stop it, or choose another with --addr")
                .into()
        }
        _ => format!("the address {address} cannot be bound: {error}").into(),
    })
}

/// Binds, trying again for a moment where the address is in use: a ring may hold a dead process's socket that long.
fn bind_patiently(address: std::net::SocketAddr) -> std::io::Result<Listener> {
    let until = std::time::Instant::now() + std::time::Duration::from_millis(ADDRESS_WAIT_MS);
    loop {
        match Listener::bind(address) {
            Err(error)
                if error.kind() == std::io::ErrorKind::AddrInUse && std::time::Instant::now() < until =>
            {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            result => return result,
        }
    }
}

/// What Linux says where there is no IPv6.
const EAFNOSUPPORT: i32 = 97;

fn durability(settings: &Settings) -> Durability {
    match settings.durability {
        config::Durability::Commit => Durability::Commit,
        config::Durability::Os => Durability::Os,
    }
}

fn access_form(settings: &Settings) -> Form {
    match settings.log_format {
        config::LogFormat::Human => Form::Human,
        config::LogFormat::Json => Form::Json,
    }
}

fn server_settings(settings: &Settings) -> ServerSettings {
    ServerSettings {
        upload_bytes_max: settings.upload_bytes_max,
        durability: durability(settings),
        buffer_bytes: settings.buffer_bytes,
        head_timeout: settings.head_timeout,
        body_timeout: settings.body_timeout,
        body_rate: settings.body_rate,
        idle_timeout: settings.idle_timeout,
        answer_timeout: settings.answer_timeout,
        scrub: settings.scrub_cycle.map(|cycle| ScrubPace { cycle, bytes_per_s: settings.scrub_rate }),
        stop_timeout: settings.stop_timeout,
    }
}

fn say_machine(cpus: &[Cpu], descriptors: u64) {
    let numbers: Vec<String> = cpus.iter().map(|cpu| cpu.0.to_string()).collect();
    say(&format!("rhinobox {}", env!("CARGO_PKG_VERSION")));
    say(&format!("cores: {} (processors {}), {descriptors} descriptors", cpus.len(), numbers.join(", ")));
    say(&format!("sha-256: {}", digest::implementation()));
}

fn say_store(settings: &Settings, store: &Store, opened: &Opened, cores: usize) {
    let options = store.options;
    let access = if opened.direct { "direct I/O" } else { "buffered I/O (no direct I/O here: slower)" };
    let times = opened.probed.map_or_else(
        || "not timed, the disk is full".to_owned(),
        |probed| {
            let microseconds = |nanoseconds: u64| nanoseconds / 1_000;
            format!(
                "{} us for 4 KiB; dsync {}, fdatasync {}",
                microseconds(probed.of(options.flush)),
                microseconds(probed.dsync_ns),
                microseconds(probed.fdatasync_ns)
            )
        },
    );
    say(&format!(
        "disk: {} ({} free), {access}, flush by {} ({times}), segments of {} MiB, durability {}",
        settings.data_dir.display(),
        size(store.free_bytes()),
        options.flush,
        options.segment_bytes >> 20,
        options.durability.as_str(),
    ));
    let recovered = &opened.recovered;
    let usage = store.index.usage();
    let made = if opened.created { "new" } else { "recovered" };
    let from = match recovered.checkpoint {
        Some((_, names)) => format!("checkpoint of {names} names, then "),
        None => String::new(),
    };
    say(&format!(
        "store: {made}, {} contents, {} names, {} segments; {from}{} records read in {} segments",
        usage.contents, usage.names, recovered.segments, recovered.records, recovered.segments_read
    ));
    for cut in &recovered.cuts {
        tracing::info!(cut, "an unacknowledged tail was cut");
    }
    for damage in &recovered.damage {
        tracing::error!(%damage, "damage: something that was stored cannot be read; the rest is served");
    }
    if !recovered.damage.is_empty() {
        say(&format!(
            "DAMAGE: {} places cannot be read, see the log; the rest is served",
            recovered.damage.len()
        ));
    }
    let buffers = settings.buffer_bytes / MIB;
    // Compaction has a lane of its own, and scrubbing keeps the tables of one segment, which of tiny files are most of it.
    let lanes = (cores + 1) * (2 * BATCH_BYTES_MAX + SCAN_WINDOW_BYTES) / MIB;
    let tables = options.segment_bytes >> 20;
    let catalogue = if settings.catalogue { CATALOGUE_BYTES / MIB } else { 0 };
    say(&format!(
        "memory: at most {} MiB = {buffers} MiB buffers + {lanes} MiB commits + {tables} MiB scrubbing + {catalogue} MiB catalogue, \
         and {} to {} bytes a stored file",
        (buffers + lanes + catalogue) as u64 + tables,
        Store::INDEX_BYTES_PER_FILE.start(),
        Store::INDEX_BYTES_PER_FILE.end()
    ));
}

/// A size that a person reads.
fn size(bytes: u64) -> String {
    match bytes {
        0x4000_0000.. => format!("{} GiB", bytes >> 30),
        _ => format!("{} MiB", bytes >> 20),
    }
}

/// A line for whoever started the daemon. Standard output may be closed; that is no reason to stop.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _closed = writeln!(out, "{line}").and_then(|()| out.flush());
}
