//! A name is stored as it is, whatever is in it, and shown only escaped, whoever says it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use crate::program::{command, finish, is_plain, run, url, write};
use crate::support::{Daemon, Folder};

const NAMES: [&str; 12] = [
    "\u{1b}[2J\u{1b}]0;owned\u{7}.txt",
    "line\nbreak\r.txt",
    "quote\"'`$(id).txt",
    "per%22cent%0d%0a.txt",
    "a; filename=b.txt",
    "\u{202e}txt.exe",
    "\u{9b}31m.txt",
    " space .txt ",
    "--boundary\r\n\r\n",
    "-rf",
    "\u{1f98f}\u{e9}.txt",
    "...",
];

#[test]
fn every_name_comes_back_as_it_is_and_nothing_reaches_a_terminal() {
    let daemon = Daemon::start();
    let folder = Folder::new();
    for (at, name) in NAMES.iter().enumerate() {
        write(&folder.join(&format!("d/{name}")), format!("content {at}").as_bytes());
    }
    let bytes = folder.join("d").join(OsStr::from_bytes(b"not \xff utf-8.txt"));
    write(&bytes, b"bytes");
    for json in [false, true] {
        let flags: &[&dyn AsRef<OsStr>] = if json { &[&"--json"] } else { &[&"-v"] };
        let mut arguments: Vec<&dyn AsRef<OsStr>> = vec![&"put"];
        let d = folder.join("d");
        arguments.push(&d);
        arguments.extend_from_slice(flags);
        let ran = run(&daemon, &arguments).expect(0);
        is_plain(&ran.out);
        is_plain(&ran.err);
        if json {
            let result = ran.json();
            let files: Vec<_> = result["files"].as_array().expect("files").iter().collect();
            for name in NAMES {
                let has = |file: &&&serde_json::Value| {
                    file["file"].as_str().is_some_and(|file| file.ends_with(&format!("/d/{name}")))
                };
                assert_eq!(files.iter().filter(has).count(), 1, "{name:?} in {result}");
            }
        }
    }
    for (at, name) in NAMES.iter().enumerate() {
        let hash = crate::support::sha256(format!("content {at}").as_bytes());
        let shown = run(&daemon, &[&"stat", &hash]).expect(0);
        is_plain(&shown.out);
        let meta = run(&daemon, &[&"stat", &hash, &"--json"]).expect(0);
        is_plain(&meta.out);
        assert_eq!(meta.json()["names"][0]["original_name"], *name);
        assert_eq!(meta.json()["names"][0]["folder"], "d");
        // Fetched by the name it was sent by, it stays in the folder that is meant.
        let into = Folder::new();
        let mut get = command(&url(&daemon), &[&"get", &hash]);
        get.current_dir(into.path());
        is_plain(&finish(get).expect(0).err);
        let there: Vec<_> = std::fs::read_dir(into.path()).expect("a folder").flatten().collect();
        assert_eq!(there.len(), 1, "{name:?}: {there:?}");
        let safe = there[0].file_name().into_string().expect("UTF-8");
        is_plain(&safe);
        assert!(!safe.starts_with(['.', '-']) && !safe.contains('\n'), "{safe:?}");
        assert_eq!(std::fs::read(there[0].path()).expect("a file"), format!("content {at}").into_bytes());
    }
    let hash = crate::support::sha256(b"bytes");
    let meta = run(&daemon, &[&"stat", &hash, &"--json"]).expect(0).json();
    assert_eq!(meta["names"][0]["original_name"], "not \u{fffd} utf-8.txt");
}
