//! The daemon as its users start it: a process, flags, signals, an exit code, a log.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::client::{Client, HOST, Response};
use super::form::Form;

/// A start or stop takes milliseconds; a busy machine may take this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder of one test on a real disk, removed when it is over.
#[derive(Clone, Debug)]
pub(crate) struct Folder(Arc<Removed>);

#[derive(Debug)]
struct Removed(PathBuf);

impl Folder {
    pub(crate) fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{number}", std::process::id()));
        // The number of a dead process may come again.
        let _absent = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("the target folder can be written to");
        Folder(Arc::new(Removed(path)))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0.0
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }
}

impl Drop for Removed {
    fn drop(&mut self) {
        let _best_effort = fs::remove_dir_all(&self.0);
    }
}

/// How to start a daemon.
#[derive(Clone)]
pub(crate) struct Setup {
    folder: Folder,
    data_dir: PathBuf,
    addr: Option<OsString>,
    flags: Vec<OsString>,
    env: Vec<(String, OsString)>,
    shell: Option<String>,
    /// A program and its arguments that start the daemon in their way, and then are it.
    through: Vec<OsString>,
}

impl Setup {
    /// On a fresh folder and a free port of loopback.
    pub(crate) fn new() -> Setup {
        let folder = Folder::new();
        let data_dir = folder.join("data");
        Setup {
            folder,
            data_dir,
            addr: Some("127.0.0.1:0".into()),
            flags: Vec::new(),
            env: Vec::new(),
            shell: None,
            through: Vec::new(),
        }
    }

    pub(crate) fn flag(mut self, name: &str, value: impl Into<OsString>) -> Setup {
        self.flags.extend([name.into(), value.into()]);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Setup {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// The `--addr` flag; `None` leaves it out.
    pub(crate) fn addr(mut self, addr: Option<&str>) -> Setup {
        self.addr = addr.map(OsString::from);
        self
    }

    pub(crate) fn data_dir(mut self, path: &Path) -> Setup {
        self.data_dir = path.to_owned();
        self
    }

    /// Keeps the folder of another setup alive.
    pub(crate) fn keeping(mut self, other: &Setup) -> Setup {
        self.folder = other.folder.clone();
        self
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data_dir
    }

    /// Gives it no more than this many descriptors.
    pub(crate) fn descriptors(self, count: u32) -> Setup {
        self.after(&format!("ulimit -n {count}"))
    }

    /// Started by a shell that has run these commands: limits and ignored signals are inherited.
    pub(crate) fn after(mut self, commands: &str) -> Setup {
        self.shell = Some(commands.to_owned());
        self
    }

    /// Has it started by this program.
    pub(crate) fn through(mut self, command: &[&str]) -> Setup {
        self.through = command.iter().map(OsString::from).collect();
        self
    }

    fn spawn(&self) -> (Child, Arc<Mutex<String>>) {
        let program = env!("CARGO_BIN_EXE_rhinobox");
        let mut command = match (&self.shell, self.through.split_first()) {
            (None, None) => Command::new(program),
            (None, Some((through, arguments))) => {
                let mut command = Command::new(through);
                command.args(arguments).arg(program);
                command
            }
            (Some(commands), _) => {
                let mut shell = Command::new("sh");
                shell.arg("-c").arg(format!("{commands}; exec {program} \"$@\"")).arg("sh");
                shell
            }
        };
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("RHINOBOX_"))
        {
            command.env_remove(name);
        }
        command.arg("serve").arg("--data-dir").arg(&self.data_dir).args(["--host", HOST]);
        if let Some(addr) = &self.addr {
            command.arg("--addr").arg(addr);
        }
        command.args(&self.flags).envs(self.env.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the daemon can be started");
        let said = Arc::new(Mutex::new(String::new()));
        note(child.stdout.take().expect("piped"), &said);
        note(child.stderr.take().expect("piped"), &said);
        (child, said)
    }

    /// Starts it and waits until it says that it listens.
    pub(crate) fn start(&self) -> Daemon {
        let daemon = self.start_unready();
        daemon.wait_until_said("listening on ");
        daemon
    }

    /// Starts it and does not wait.
    pub(crate) fn start_unready(&self) -> Daemon {
        let (child, said) = self.spawn();
        Daemon { setup: self.clone(), child: Mutex::new(child), said }
    }

    /// `rhinobox verify` finds no damage in what lies there. For while no daemon runs.
    #[track_caller]
    pub(crate) fn verifies(&self) {
        let ran = Command::new(env!("CARGO_BIN_EXE_rhinobox")).arg("verify").arg(&self.data_dir).output();
        let ran = ran.expect("it runs");
        let said = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
        assert_eq!(ran.status.code(), Some(0), "{said}");
    }

    /// Starts it where it should refuse; gives the exit code and what it said.
    pub(crate) fn refused(&self) -> (i32, String) {
        let daemon = self.start_unready();
        let status = daemon.wait_for_exit();
        (status.code().expect("it exits by itself"), daemon.said())
    }
}

fn note(from: impl Read + Send + 'static, said: &Arc<Mutex<String>>) {
    let said = said.clone();
    thread::spawn(move || {
        for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
            let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
            said.push_str(&String::from_utf8_lossy(&line));
            said.push('\n');
        }
    });
}

/// A running daemon; killed when dropped, by its own number.
pub(crate) struct Daemon {
    pub(crate) setup: Setup,
    child: Mutex<Child>,
    said: Arc<Mutex<String>>,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        // It may have ended.
        let _ended = child.kill();
        let _status = child.wait();
        if thread::panicking() {
            eprintln!("the daemon said:\n{}", self.said.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

impl Daemon {
    /// On a fresh folder, with the default settings.
    pub(crate) fn start() -> Daemon {
        Setup::new().start()
    }

    fn child(&self) -> std::sync::MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it has said this, and gives the rest of that line.
    pub(crate) fn wait_until_said(&self, what: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let said = self.said();
            if let Some(at) = said.find(what)
                && let Some((line, _)) = said[at + what.len()..].split_once('\n')
            {
                return line.to_owned();
            }
            let ended = self.child().try_wait().expect("its status can be asked");
            assert!(ended.is_none(), "the daemon ended ({ended:?}) and did not say {what:?}:\n{said}");
            assert!(Instant::now() < deadline, "the daemon did not say {what:?}:\n{said}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        let url = self.wait_until_said("listening on http://");
        url.trim().parse().unwrap_or_else(|error| panic!("{error}: {url}"))
    }

    pub(crate) fn port(&self) -> u16 {
        self.address().port()
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child().id()
    }

    pub(crate) fn data(&self) -> &Path {
        self.setup.data()
    }

    /// Sends a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").arg("-s").arg(name).arg(self.pid().to_string()).status();
        assert!(status.expect("kill runs").success(), "the daemon lives to be signalled");
    }

    pub(crate) fn wait_for_exit(&self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child().try_wait().expect("its status can be asked") {
                // What it said last is on its way through the pipe.
                thread::sleep(Duration::from_millis(50));
                return status;
            }
            assert!(Instant::now() < deadline, "the daemon did not end:\n{}", self.said());
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// SIGTERM; checks that it ends well.
    pub(crate) fn stop(self) -> Setup {
        self.signal("TERM");
        let status = self.wait_for_exit();
        assert_eq!(status.code(), Some(0), "{}", self.said());
        self.setup.clone()
    }

    /// SIGKILL.
    pub(crate) fn kill(self) -> Setup {
        self.child().kill().expect("it lives to be killed");
        let _killed = self.wait_for_exit();
        self.setup.clone()
    }

    /// SIGKILL, if it has not ended by itself: its exit code, `None` if it was killed, and all it said.
    pub(crate) fn end(self) -> (Option<i32>, String) {
        // It may have ended.
        let _ended = self.child().kill();
        let status = self.wait_for_exit();
        (status.code(), self.said())
    }

    /// Stops it and starts it on the same folder.
    pub(crate) fn restart(self) -> Daemon {
        self.stop().start()
    }

    /// A good upload and its way back: proof that the daemon serves. Each call stores a new content.
    #[track_caller]
    pub(crate) fn serves(&self) {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let content = format!("proof {} that the daemon serves", NEXT.fetch_add(1, Ordering::Relaxed));
        let mut client = self.connect();
        let stored = Form::of("proof.txt", content.as_bytes()).send(&mut client).stored();
        let path = stored[0]["path"].as_str().expect("a record has a path");
        assert_eq!(client.get(&format!("/{path}")).expect(200).text(), content);
    }

    /// Uploads one file on a connection of its own; its record.
    #[track_caller]
    pub(crate) fn upload(&self, name: &str, content: &[u8]) -> Value {
        Form::of(name, content).send(&mut self.connect()).stored().remove(0)
    }

    pub(crate) fn get(&self, target: &str) -> Response {
        self.connect().get(target)
    }

    /// The content under a hash, checked to be whole.
    #[track_caller]
    pub(crate) fn content(&self, hash: &str) -> Vec<u8> {
        let response = self.get(&format!("/files/{hash}")).expect(200);
        assert!(response.is_whole, "the content of {hash} was cut");
        response.body
    }

    /// A number of `/metrics`.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let page = self.get("/metrics").expect(200).text();
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in\n{page}")).parse().expect("a metric is a number")
    }

    /// Waits until the catalogue has all that is stored; its files are there and open then.
    #[track_caller]
    pub(crate) fn wait_for_catalogue(&self) {
        self.wait_for_metric("rhinobox_catalogue_lag_records", 0.0);
    }

    /// Waits until a number of `/metrics` is this.
    #[track_caller]
    pub(crate) fn wait_for_metric(&self, name: &str, value: f64) {
        let deadline = Instant::now() + PATIENCE;
        while (self.metric(name) - value).abs() > f64::EPSILON {
            assert!(Instant::now() < deadline, "{name} is {} and not {value}", self.metric(name));
            thread::sleep(Duration::from_millis(20));
        }
    }
}
