//! `rhinobox export` writes every named file under its stored path, byte for byte, and nothing that is damaged.

#[path = "offline_support/damage.rs"]
mod damage;
mod offline_support;

use std::fs;
use std::time::{Duration, SystemTime};

use damage::*;
use offline_support::*;
use rhinobox::runtime::process;

fn files() -> Vec<Sent> {
    vec![
        sent("Beach.JPG", [b"\xff\xd8\xff\xe0".as_slice(), &noise(3_000, 1)].concat()),
        sent("notes.txt", "a note, in words"),
        sent("big.bin", noise(600_000, 3)),
        sent("empty.txt", Vec::new()),
        sent("../../../etc/passwd\u{202e}\r\n", "hostile"),
        // The same bytes as the first, under another name.
        sent("copy.jpg", [b"\xff\xd8\xff\xe0".as_slice(), &noise(3_000, 1)].concat()),
    ]
}

#[test]
fn every_name_becomes_a_plain_file_with_its_bytes_and_its_time() {
    let folder = Folder::new();
    let (data, to) = (folder.join("data"), folder.join("new/deep"));
    fs::create_dir(&data).unwrap();
    let started = SystemTime::now() - Duration::from_secs(2);
    let named = run(&data, End::Stopped, |ingest| async move {
        let mut named = upload(&ingest, &files()[..2], "Holiday 2025", "a comment").await;
        named.extend(upload(&ingest, &files()[2..], "", "").await);
        named
    });
    let before = contents_of(&data);
    let ran = rhinobox(&["export", text(&data), text(&to)]);
    assert_eq!((ran.status, ran.err.as_str()), (0, ""), "{}", ran.out);
    assert_eq!(ran.out, format!("exported 6 files with 606031 bytes to {}\n", to.display()));
    let written = contents_of(&to);
    assert_eq!(written.values().flatten().count(), 6);
    for (name, file) in named.iter().zip(files()) {
        assert_eq!(written[std::path::Path::new(&*name.path)].as_ref(), Some(&file.bytes), "{}", name.path);
        let modified = fs::metadata(to.join(&*name.path)).unwrap().modified().unwrap();
        let nanoseconds = modified.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos();
        assert_eq!(i128::from(name.time.0), i128::try_from(nanoseconds).unwrap());
        assert!(modified > started);
    }
    assert!(named[0].path.starts_with("storage/images/jpg/holiday-2025/"), "{}", named[0].path);
    assert!(contents_of(&data) == before, "nothing was changed");
}

#[test]
fn what_is_damaged_is_named_and_left_out_and_the_rest_is_written() {
    let folder = Folder::new();
    let (data, to) = (folder.join("data"), folder.join("to"));
    fs::create_dir(&data).unwrap();
    let paths = store_of(&data, End::Stopped, &files());
    let (segment, at) = find(&data, b"a note, in words");
    flip(&segment, at + 5);
    // The last chunk: what was written before it goes again.
    flip(&only_blob(&data), 599_999);
    let (segment, at) = find(&data, paths[3].as_bytes());
    flip(&segment, at);
    let ran = rhinobox(&["export", text(&data), text(&to)]);
    assert_eq!(ran.status, 3, "{}", ran.err);
    assert!(ran.err.contains(&format!("damage: {}: segment 00000001", paths[1])), "{}", ran.err);
    assert!(ran.err.contains(&format!("damage: {}: blob ", paths[2])), "{}", ran.err);
    assert!(ran.err.contains("a record: checksum mismatch"), "{}", ran.err);
    assert!(ran.out.starts_with("exported 3 files with "), "{}", ran.out);
    assert!(ran.out.ends_with("damage: 3 findings; what they concern was left out\n"), "{}", ran.out);
    let written = contents_of(&to);
    let mut names: Vec<_> =
        written.iter().filter(|(_, bytes)| bytes.is_some()).map(|(path, _)| text(path)).collect();
    names.sort_unstable();
    let mut expected = vec![paths[0].as_str(), &paths[4], &paths[5]];
    expected.sort_unstable();
    assert_eq!(names, expected);
    assert_eq!(written[std::path::Path::new(&paths[0])].as_ref(), Some(&files()[0].bytes));
}

#[test]
fn a_target_that_holds_anything_or_lies_within_is_refused() {
    let folder = Folder::new();
    let (data, to) = (folder.join("data"), folder.join("to"));
    fs::create_dir(&data).unwrap();
    store_of(&data, End::Stopped, &files()[..1]);
    fs::create_dir(&to).unwrap();
    fs::write(to.join("mine"), "precious").unwrap();
    let before = contents_of(folder.path());
    for (target, why) in [
        (to.clone(), "it is not empty"),
        (data.join("out"), "it lies in the data folder"),
        (data.clone(), "it lies in the data folder"),
        (to.join("../data/state"), "it lies in the data folder"),
    ] {
        let ran = rhinobox(&["export", text(&data), text(&target)]);
        assert_eq!((ran.status, ran.out.as_str()), (1, ""), "{}", target.display());
        assert!(ran.err.trim_end().ends_with(why), "{}", ran.err);
    }
    let lock = process::lock_file(&data.join("LOCK")).unwrap();
    let ran = rhinobox(&["export", text(&data), text(&folder.join("new"))]);
    assert_eq!(ran.status, 1);
    assert!(ran.err.contains("a daemon serves this folder"), "{}", ran.err);
    drop(lock);
    fs::remove_file(data.join("LOCK")).unwrap();
    let ran = rhinobox(&["export", text(&to), text(&folder.join("new"))]);
    assert!(ran.status == 1 && ran.err.contains("neither empty nor a rhinobox store"), "{}", ran.err);
    assert!(contents_of(folder.path()) == before, "nothing was written");
}

#[test]
fn a_store_whose_daemon_died_exports_what_was_acknowledged() {
    let folder = Folder::new();
    let (data, to) = (folder.join("data"), folder.join("to"));
    fs::create_dir(&data).unwrap();
    store_of(&data, End::Died, &files());
    let before = contents_of(&data);
    let ran = rhinobox(&["export", text(&data), text(&to)]);
    assert_eq!(ran.status, 0, "{}", ran.err);
    assert!(ran.out.starts_with("exported 6 files"), "{}", ran.out);
    assert!(contents_of(&data) == before);
}
