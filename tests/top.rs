//! `rhinobox top` shows what a daemon does in an interval, says in words when there is none, and leaves the terminal as
//! it was.

mod support;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use support::{Daemon, Form, Setup, random_bytes};

const PATIENCE: Duration = Duration::from_secs(60);

struct Ran {
    status: Option<i32>,
    out: String,
    err: String,
}

fn top(arguments: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rhinobox"));
    let ran = command.arg("top").args(arguments).stdin(Stdio::null()).output().expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("it writes text");
    Ran { status: ran.status.code(), out: text(ran.stdout), err: text(ran.stderr) }
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}

/// The words of the line that begins with this one, without it.
#[track_caller]
fn line<'a>(view: &'a str, first: &str) -> Vec<&'a str> {
    let mut lines = view.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let words = lines.find(|words| words.first() == Some(&first));
    words.unwrap_or_else(|| panic!("no {first} in\n{view}"))[1..].to_vec()
}

/// Nothing that a terminal obeys.
#[track_caller]
fn is_plain(text: &str) {
    assert!(text.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)), "{text:?}");
}

#[test]
fn once_shows_the_interval_and_not_what_was_before() {
    let daemon = Setup::new().flag("--cores", "2").start();
    let place = url(daemon.address());
    let done = AtomicBool::new(false);
    let busy = thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = daemon.connect();
            for seed in 0.. {
                Form::of("a.bin", &random_bytes(seed / 2, 1_000)).send(&mut client).stored();
                if done.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        let busy = top(&["--once", "--interval", "1", &place]);
        done.store(true, Ordering::Relaxed);
        busy
    });
    assert_eq!((busy.status, busy.err.as_str()), (Some(0), ""));
    is_plain(&busy.out);
    assert!(busy.out.starts_with(&format!("rhinobox {place} ")), "{}", busy.out);
    assert_ne!(line(&busy.out, "files")[0], "0/s", "{}", busy.out);
    assert_ne!(line(&busy.out, "dedup")[0], "0.0", "{}", busy.out);
    for stage in ["admit", "recv", "parse", "hash", "claim", "queue", "write", "answer", "total"] {
        assert_ne!(line(&busy.out, stage)[0], "-", "{}", busy.out);
    }
    let total = line(&busy.out, "total");
    assert_eq!(total[total.len() - 2..], ["100.0", "%"], "{}", busy.out);
    for core in ["0", "1"] {
        assert_eq!(line(&busy.out, core).len(), 7, "{}", busy.out);
    }
    // Nothing happens any more: of what was before there is no quantile and no rate, but what is stored is told.
    daemon.wait_for_metric("rhinobox_queue_depth", 0.0);
    let idle = top(&["--once", "--interval", "0.2", &place]);
    assert_eq!(idle.status, Some(0), "{}", idle.err);
    assert_eq!(line(&idle.out, "files")[0], "0/s", "{}", idle.out);
    assert_eq!(line(&idle.out, "total"), ["-", "-", "-", "-"], "{}", idle.out);
    assert_ne!(line(&idle.out, "stored")[0], "0", "{}", idle.out);
    assert_ne!(line(&idle.out, "store")[0], "0", "{}", idle.out);
}

#[test]
fn without_a_terminal_it_shows_one_view_and_ends() {
    let daemon = Daemon::start();
    let ran = top(&[&url(daemon.address()), "--interval", "0.1"]);
    assert_eq!(ran.status, Some(0), "{}", ran.err);
    is_plain(&ran.out);
    assert_eq!(ran.out.matches("rhinobox http://").count(), 1, "{}", ran.out);
}

#[test]
fn where_nothing_answers_it_says_so() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("it has one");
    let ran = top(&["--once", &url(free)]);
    assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""));
    let expected = format!("rhinobox: nothing answers at http://{free}: ");
    assert!(ran.err.starts_with(&expected) && ran.err.contains("refused"), "{}", ran.err);
    // Accepted by the kernel, and never answered.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let ran = top(&["--once", &url(silent.local_addr().expect("it has one"))]);
    assert_eq!(ran.status, Some(1));
    assert!(ran.err.ends_with(": there is no answer within 3 seconds\n"), "{}", ran.err);
}

/// A server that answers whatever comes with these bytes.
fn answering(bytes: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it has one");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 1_024];
            // Whoever asks may be gone before all of it is sent.
            let _gone = stream.read(&mut request).and_then(|_| stream.write_all(&bytes));
        }
    });
    address
}

fn page(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

#[test]
fn what_is_no_rhinobox_is_not_shown_as_one() {
    let endless = [b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'x'; 1 << 20]].concat();
    for (answer, why) in [
        (page("200 OK", "<html>\x1b[2J rhinobox_cores 1 </html>\n"), "is no rhinobox"),
        (page("200 OK", "up 1\n"), "is no rhinobox"),
        (page("404 Not Found", "\x1b[2J"), "is no rhinobox: status 404 for GET /metrics"),
        (page("404 Not Found\x1b[2J", "\x1b[2J"), "is no rhinobox: it is no HTTP"),
        (page("421 Misdirected Request", ""), "does not answer to the name in"),
        (b"SSH-2.0-\x1b[2J\r\n\r\n".to_vec(), "is no rhinobox: it is no HTTP"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_vec(), "is no rhinobox"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\x1b[2J\r\n".to_vec(), "http://"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n".to_vec(), "its answer is longer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\xff\xff\xff\xff".to_vec(), "are no text"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nup 1".to_vec(), "the connection to http://"),
        (endless, "its head does not end"),
    ] {
        let ran = top(&["--once", "--interval", "0.1", &url(answering(answer))]);
        assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""), "{why}: {}", ran.err);
        assert!(ran.err.contains(why), "{why}: {}", ran.err);
        is_plain(&ran.err);
    }
}

#[test]
fn nothing_of_a_page_but_numbers_reaches_the_terminal() {
    let hostile = "rhinobox_cores 1\nrhinobox_files_total{outcome=\"\x1b[2J\"} 5\n\x1b]0;owned\x07 7\n\
                   rhinobox_core_requests{core=\"\x1b[31m\"} 5\nrhinobox_core_requests{core=\"3\"} 1e300\n\
                   rhinobox_queue_depth -1e300\nrhinobox_stored_bytes_total 1e308\nrhinobox_contents NaN\n\
                   rhinobox_stage_seconds_bucket{stage=\"\x1b[2J\",le=\"1\"} 5\n\
                   rhinobox_stage_seconds_bucket{stage=\"hash\",le=\"-1\"} 5\n";
    let ran = top(&["--once", "--interval", "0.1", &url(answering(page("200 OK", hostile)))]);
    assert_eq!(ran.status, Some(0), "{}", ran.err);
    is_plain(&ran.out);
    assert!(ran.out.contains("store    is being recovered"), "{}", ran.out);
    assert!(ran.out.lines().all(|line| line.len() < 400), "{}", ran.out);
}

#[test]
fn places_and_intervals_that_are_none_are_bad_usage() {
    for arguments in [
        &["https://127.0.0.1:8090"][..],
        &["http://127.0.0.1:8090/stats"],
        &["http://a\u{1b}[2Jb:1"],
        &["--interval", "0"],
        &["--interval", "soon"],
        &["a", "b"],
    ] {
        let ran = top(arguments);
        assert_eq!((ran.status, ran.out.as_str()), (Some(2), ""), "{arguments:?}: {}", ran.err);
        assert!(!ran.err.contains('\u{1b}'), "{:?}", ran.err);
    }
}

/// `rhinobox top` on a terminal of its own.
struct Live {
    child: Child,
    seen: Vec<u8>,
}

impl Live {
    fn start(place: &str) -> Live {
        let command = format!(
            "stty rows 40 cols 100; exec {} top {place} --interval 0.1",
            env!("CARGO_BIN_EXE_rhinobox")
        );
        let mut script = Command::new("script");
        script.args(["-qefc", &command, "/dev/null"]);
        let child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn();
        Live { child: child.expect("script(1) makes a terminal"), seen: Vec::new() }
    }

    /// Reads on until this is shown, and gives what was shown up to there.
    #[track_caller]
    fn until(&mut self, what: &str) -> String {
        let begun = Instant::now();
        let out = self.child.stdout.as_mut().expect("piped");
        loop {
            let seen = String::from_utf8_lossy(&self.seen).into_owned();
            if let Some(at) = seen.find(what) {
                let (before, behind) = seen.split_at(at + what.len());
                self.seen = behind.as_bytes().to_vec();
                return before.to_owned();
            }
            assert!(begun.elapsed() < PATIENCE, "no {what:?} in {seen:?}");
            let mut piece = [0; 4_096];
            let count = out.read(&mut piece).expect("the terminal can be read");
            assert!(count > 0, "it ended without {what:?}: {seen:?}");
            self.seen.extend_from_slice(&piece[..count]);
        }
    }

    fn press(&mut self, key: &[u8]) {
        self.child.stdin.as_mut().expect("piped").write_all(key).expect("the terminal takes keys");
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // It may have ended.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

#[test]
fn a_live_view_outlasts_the_daemon_and_leaves_the_terminal_as_it_was() {
    let daemon = Daemon::start();
    let address = daemon.address();
    let mut live = Live::start(&url(address));
    live.until("\x1b[?1049h\x1b[?25l");
    live.until("stage");
    live.until("total");
    let setup = daemon.kill();
    live.until("nothing answers at http://127.0.0.1:");
    live.until("trying again ...");
    let daemon = setup.addr(Some(&address.to_string())).start();
    live.until("stage");
    daemon.serves();
    live.press(b"\x03");
    live.until("\x1b[?25h\x1b[?1049l");
    let status = live.child.wait().expect("it ends");
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_live_view_of_what_is_no_rhinobox_ends_before_the_screen_changes() {
    let mut live = Live::start(&url(answering(page("200 OK", "up 1\n"))));
    let shown = live.until("is no rhinobox");
    assert!(!shown.contains("\x1b[?1049h"), "{shown:?}");
    assert_eq!(live.child.wait().expect("it ends").code(), Some(1));
}
