//! A token from the environment or a file goes with every request; without a good one nothing is sent, and that is said.

use crate::program::{Ran, command, finish, folder_of, url, write};
use crate::support::{Daemon, Setup, create_token, random_bytes, sha256};

fn ask(daemon: &Daemon, token: Option<&str>, arguments: &[&dyn AsRef<std::ffi::OsStr>]) -> Ran {
    let mut asks = command(&url(daemon), arguments);
    if let Some(token) = token {
        asks.env("RHINOBOX_TOKEN", token);
    }
    finish(asks)
}

#[test]
fn with_a_token_all_works_and_without_nothing_does() {
    let setup = Setup::new();
    // The folder has to be there for a token to lie in.
    let setup = setup.start().stop();
    let all = create_token(&setup, "all", "upload,read,delete", &[]);
    let reader = create_token(&setup, "reader", "read", &[]);
    let daemon = setup.start();
    let folder = folder_of(&[("d/a.bin", random_bytes(1, 500)), ("d/b.bin", random_bytes(2, 2_000_000))]);
    let (d, hash) = (folder.join("d"), sha256(&random_bytes(2, 2_000_000)));
    let put: &[&dyn AsRef<std::ffi::OsStr>] = &[&"put", &d, &"--json"];
    for (token, status) in [(None, "401"), (Some("rhb_wrong"), "401"), (Some(reader.as_str()), "403")] {
        let ran = ask(&daemon, token, put).expect(1);
        assert!(ran.err.contains(&format!("the server says {status}: ")), "{}", ran.err);
        assert_eq!(ran.json()["sent"], 0);
        assert!(token.is_none_or(|token| !ran.err.contains(token)), "a token was shown: {}", ran.err);
        assert_eq!(
            ran.err.contains("in RHINOBOX_TOKEN, or in a file with --token-file"),
            status == "401",
            "{}",
            ran.err
        );
    }
    assert_eq!(ask(&daemon, Some(&all), put).expect(0).json()["sent"], 2);
    write(&folder.join("token"), format!("{all}\n").as_bytes());
    let file = folder.join("token");
    let known = ask(&daemon, None, &[&"put", &d, &"--json", &"--token-file", &file]).expect(0);
    assert_eq!(known.json()["known"], 2);
    ask(&daemon, Some(&reader), &[&"get", &hash, &"-o", &folder.join("out")]).expect(0);
    assert!(ask(&daemon, Some(&reader), &[&"rm", &hash]).expect(1).err.contains("403"));
    let ran = ask(&daemon, None, &[&"get", &hash, &"-o", &folder.join("none")]).expect(1);
    assert!(ran.err.contains("401: show a token"), "{}", ran.err);
    ask(&daemon, Some(&all), &[&"rm", &hash]).expect(0);
}
