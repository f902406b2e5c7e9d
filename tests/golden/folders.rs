//! Data folders that the first build of version 1 wrote: every later build must read them.
//!
//! `clean` was stopped, twice; `unclean` is the same and one run more that died: an open segment with a torn batch at
//! its end, a prepared segment, a blob that nothing names. `checkpointed` is `clean` after a daemon has served it, which
//! stored two contents more, gave one a second name, compacted the first segment, and left a checkpoint. The `.manifest` of
//! each lists what it holds.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::{Path, PathBuf};

use rhinobox::base::digest::Digest;
use rhinobox::base::units::align_up;
use rhinobox::runtime::clock;
use rhinobox::store::commit::{NewBody, NewRecord};
use rhinobox::store::index::Claim;

use crate::offline_support::*;

const FOLDERS: [&str; 3] = ["clean", "unclean", "checkpointed"];

fn golden(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1").join(path)
}

/// Copies a folder and what is in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A copy of a committed folder, with the empty folders that git does not keep.
fn thawed(name: &str) -> Folder {
    let folder = Folder::new();
    copy(&golden(name), folder.path());
    for directory in ["segments", "index", "state", "blobs"] {
        fs::create_dir_all(folder.join(directory)).unwrap();
    }
    for number in 0..=0xff {
        fs::create_dir_all(folder.join(&format!("blobs/{number:02x}"))).unwrap();
    }
    folder
}

/// Exports the store and lists it as the manifests do.
fn exported(data: &Path) -> String {
    let target = Folder::new();
    let ran = rhinobox(&["export", text(data), text(target.path())]);
    assert_eq!((ran.status, ran.err.as_str()), (0, ""), "{}", ran.out);
    let mut list = String::new();
    for (path, bytes) in contents_of(target.path()) {
        let Some(bytes) = bytes else { continue };
        list.push_str(&format!("{} {} {}\n", Digest::of(&bytes), bytes.len(), path.display()));
    }
    list
}

#[test]
fn committed_folders_verify_and_export_what_their_manifests_say() {
    for name in FOLDERS {
        let folder = thawed(name);
        let before = contents_of(folder.path());
        let ran = rhinobox(&["verify", text(folder.path())]);
        assert_eq!((ran.status, ran.err.as_str()), (0, ""), "{name}: {}", ran.out);
        assert!(ran.out.ends_with("no damage\n"), "{name}: {}", ran.out);
        let (tails, notes) = match name {
            "unclean" => (1, 2),
            // How its checkpoint is.
            "checkpointed" => (0, 1),
            _ => (0, 0),
        };
        for (sort, count) in [("tail: ", tails), ("note: ", notes)] {
            assert_eq!(ran.out.matches(sort).count(), count, "{name}: {}", ran.out);
        }
        assert_eq!(exported(folder.path()), fs::read_to_string(golden(&format!("{name}.manifest"))).unwrap());
        assert!(contents_of(folder.path()) == before, "{name} was not changed");
    }
}

#[test]
fn the_daemon_opens_committed_folders_and_goes_on_in_them() {
    for name in FOLDERS {
        let folder = thawed(name);
        let paths = store_of(folder.path(), End::Stopped, &[sent("later.bin", noise(2_000, 77))]);
        let ran = rhinobox(&["verify", text(folder.path())]);
        assert_eq!(ran.status, 0, "{name}: {}", ran.out);
        assert!(
            !ran.out.contains("tail: ") && !ran.out.contains("that nothing names"),
            "{name}: {}",
            ran.out
        );
        let manifest = fs::read_to_string(golden(&format!("{name}.manifest"))).unwrap();
        let exported = exported(folder.path());
        let lines: Vec<_> = exported.lines().filter(|line| !line.ends_with(&paths[0])).collect();
        assert_eq!(lines, manifest.lines().collect::<Vec<_>>());
        assert_eq!(exported.lines().count(), lines.len() + 1);
    }
}

#[test]
fn the_committed_checkpoint_is_taken_and_says_what_the_log_says() {
    let folder = thawed("checkpointed");
    let read = |dir: &Path| {
        run(dir, End::Died, |ingest| async move {
            let usage = ingest.store.index.usage();
            (ingest.store.records_read(), usage.contents, usage.names, usage.content_bytes)
        })
    };
    let with = read(folder.path());
    fs::remove_file(folder.join("index/checkpoint")).unwrap();
    let without = read(folder.path());
    assert_eq!((with.0, without.0), (0, 18), "records that were read");
    assert_eq!((with.1, with.2, with.3), (without.1, without.2, without.3));
    assert_eq!((with.1, with.2), (7, 9), "contents and names");
}

/// Uploads one of everything in two runs.
fn fill(dir: &Path) {
    run(dir, End::Stopped, |ingest| async move {
        let photo = [b"\xff\xd8\xff\xe0".as_slice(), &noise(1_200, 1)].concat();
        let files = [
            sent("trip/Beach.JPG", photo),
            sent("n\u{f6}tes.txt", "a note, in words"),
            sent("empty.txt", ""),
        ];
        upload(&ingest, &files, "Holiday 2025", "two lines\nof comment").await;
        upload(&ingest, &[sent("big.bin", noise(10_000, 2)), sent("gone.txt", "deleted later")], "", "")
            .await;
    });
    run(dir, End::Stopped, |ingest| async move {
        let hostile = "../..\\\u{1b}[2J\u{202e}evil\u{0}.txt";
        upload(&ingest, &[sent(hostile, "hostile"), sent("copy.txt", "a note, in words")], "", "").await;
        // Any fresh claim's number is one that nothing else has.
        let Claim::Fresh(guard) = ingest.store.index.claim(Digest::of(b"nothing")) else {
            panic!("it is new")
        };
        let body = NewBody::DeleteContent(Digest::of(b"deleted later"));
        let record = NewRecord { lsn: guard.lsn(), time: clock::wall(), body };
        ingest.lane.append(vec![record]).await.unwrap();
    });
}

/// One run more that died, and what a power cut may leave.
fn die(dir: &Path) {
    store_of(
        dir,
        End::Died,
        &[sent("last.txt", "acknowledged, then the power went"), sent("torn.bin", noise(1_500, 3))],
    );
    let mut open = Vec::new();
    for entry in fs::read_dir(dir.join("segments")).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        let Some(last) = bytes.iter().rposition(|byte| *byte != 0) else {
            bytes.truncate(16_384);
            fs::write(path, bytes).unwrap();
            continue;
        };
        let torn = noise(1_500, 3);
        if let Some(at) = bytes.windows(torn.len()).position(|window| window == torn) {
            bytes[at + 500..at + torn.len()].fill(0);
            let end = align_up(last as u64 + 1, 4096) + 4096;
            bytes.truncate(usize::try_from(end).unwrap());
            fs::write(&path, bytes).unwrap();
            open.push(path);
        }
    }
    assert_eq!(open.len(), 1, "one segment was open");
    fs::write(dir.join("blobs/05/0000000900000005"), noise(100, 5)).unwrap();
}

/// Writes the folders: `cargo test --test format_golden -- --ignored write_the_folders`.
#[test]
#[ignore = "writes the golden folders; only for a new version of the format"]
fn write_the_folders() {
    for name in ["clean", "unclean"] {
        let folder = Folder::new();
        fill(folder.path());
        if name == "unclean" {
            die(folder.path());
        }
        let _old = fs::remove_dir_all(golden(name));
        copy(folder.path(), &golden(name));
        fs::write(golden(&format!("{name}.manifest")), exported(folder.path())).unwrap();
    }
}
