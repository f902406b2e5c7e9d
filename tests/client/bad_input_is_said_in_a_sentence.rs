//! What cannot be right is said in one sentence: by status 2 what was typed, by 1 what answers.

use std::ffi::OsStr;

use crate::gate::{First, open};
use crate::program::{command, finish, folder_of, is_plain, run, url};
use crate::support::{Daemon, sha256};

#[test]
fn what_was_typed_wrong_is_bad_usage() {
    let daemon = Daemon::start();
    let long = "x".repeat(129);
    for (arguments, why) in [
        (&["put"][..], "required"),
        (&["put", "a", "-j", "0"], "from 1 to 64"),
        (&["put", "a", "--name", "b"], "--name is for standard input"),
        (&["put", "-"], "give --name"),
        (&["put", "-", "-", "--name", "b"], "once"),
        (&["put", "a", "--category", &long], "the limit is 128"),
        (&["put", "a", "--server", "https://a"], "no TLS"),
        (&["put", "a", "--sever", "a"], "unexpected argument"),
        (&["get", "../etc/passwd"], "a hash (64 hexadecimal digits) or a stored path"),
        (&["get", "\u{1b}[2J"], "a hash"),
        (&["rm"], "required"),
        (&["search"], "required"),
        (&["ls", "--min-size", "big"], "--min-size"),
        (&["completions", "csh"], "possible values"),
    ] {
        let arguments: Vec<&dyn AsRef<OsStr>> = arguments.iter().map(|a| a as &dyn AsRef<OsStr>).collect();
        let ran = run(&daemon, &arguments).expect(2);
        assert!(ran.err.contains(why), "{why}: {}", ran.err);
    }
}

#[test]
fn what_is_no_rhinobox_is_named_as_such() {
    let page = |status: &str, body: &str| {
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
            .into_bytes()
    };
    let folder = folder_of(&[("a.txt", b"a".to_vec())]);
    let nobody = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
    for (answer, why) in [
        (page("404 Not Found", "<html>\x1b[2J</html>"), "status 404 for POST /dedup"),
        (page("200 OK", "<html>\x1b[2J</html>"), "its answer to POST /dedup"),
        (page("200 OK", "{\"missing\": [], \"present\": 0}"), "not about what was asked"),
        (
            page("200 OK", &format!("{{\"missing\": [\"{}\"], \"present\": 0}}", sha256(b"b"))),
            "not about what was asked",
        ),
        (page("302 Found", ""), "status 302"),
        (b"SSH-2.0-\x1b[2J\r\n\r\n".to_vec(), "it is no HTTP"),
        (page("421 Misdirected Request", ""), "start it with --host"),
    ] {
        let (address, _) = open(nobody, vec![First::Answer(answer); 8]);
        let ran = finish(command(&format!("http://{address}"), &[&"put", &folder.join("a.txt")])).expect(1);
        assert!(ran.err.contains(why), "{why}: {}", ran.err);
        is_plain(&ran.err);
    }
}

#[test]
fn tokens_are_read_from_a_file_or_the_environment_and_never_repeated() {
    let daemon = Daemon::start();
    let folder = folder_of(&[("good", b" rhb_abc \n".to_vec()), ("bad", b"a\r\nX: secret".to_vec())]);
    for (file, status) in [("good", 0), ("bad", 1), ("gone", 1)] {
        let ran = run(&daemon, &[&"stats", &"--token-file", &folder.join(file)]).expect(status);
        assert!(!ran.err.contains("secret") && !ran.err.contains("abc"), "{}", ran.err);
    }
    let mut bad = command(&url(&daemon), &[&"stats"]);
    bad.env("RHINOBOX_TOKEN", "two words");
    let ran = finish(bad).expect(1);
    assert!(
        ran.err.starts_with("rhinobox: the token holds characters") && !ran.err.contains("words"),
        "{}",
        ran.err
    );
}

#[test]
fn shells_get_their_completions() {
    let daemon = Daemon::start();
    for shell in ["bash", "zsh", "fish"] {
        let ran = run(&daemon, &[&"completions", &shell]).expect(0);
        assert!(ran.out.contains("rhinobox") && ran.out.contains("token-file"), "{}", ran.out);
    }
}
