//! `put -` stores what is read from standard input, small or big, under the name that was given.

use std::io::Write as _;
use std::process::Stdio;

use crate::program::{Ran, command, url};
use crate::support::{Daemon, random_bytes, sha256};

fn put(daemon: &Daemon, content: &[u8], name: &str) -> Ran {
    let mut put = command(&url(daemon), &[&"put", &"-", &"--name", &name, &"--json"]);
    let mut child =
        put.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    child.stdin.take().expect("piped").write_all(content).expect("it reads");
    let ran = child.wait_with_output().expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Ran { status: ran.status.code(), out: text(ran.stdout), err: text(ran.stderr) }
}

#[test]
fn small_and_big_input_is_stored_under_its_name() {
    let daemon = Daemon::start();
    for (seed, len) in [(1, 0), (2, 5_000), (3, 5_000_000)] {
        let content = random_bytes(seed, len);
        let told = put(&daemon, &content, "dump.sql").expect(0).json()["files"][0].clone();
        assert_eq!((&told["hash"], &told["status"]), (&sha256(&content).into(), &"sent".into()), "{told}");
        let path = told["path"].as_str().expect("a path");
        assert!(path.ends_with("_dump.sql"), "{path}");
        assert_eq!(daemon.get(&format!("/{path}")).expect(200).body, content);
    }
    let again = put(&daemon, &random_bytes(2, 5_000), "dump.sql").expect(0).json();
    assert_eq!((&again["sent"], &again["known"]), (&0.into(), &1.into()));
}

#[test]
fn input_over_the_limit_of_the_server_is_refused_in_words() {
    let daemon = crate::support::Setup::new().flag("--max-upload-mb", "2").start();
    let ran = put(&daemon, &random_bytes(4, 3_000_000), "dump.sql").expect(3);
    assert!(ran.err.contains("-: failed: ") && ran.err.contains("max_upload_mb"), "{}", ran.err);
    daemon.serves();
}
