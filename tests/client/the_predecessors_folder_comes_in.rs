//! `import` brings in what the Go predecessor's index names, with names, categories, comments and times; a second run brings
//! in nothing; what is missing or altered is named, and the rest is there.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::program::{Ran, command, finish, is_plain, run, write};
use crate::support::content::samples;
use crate::support::{Folder, Setup, random_bytes, sha256};

/// What the predecessor keeps of a file.
struct Kept {
    name: &'static str,
    path: String,
    category: &'static str,
    mime: &'static str,
    comment: Option<&'static str>,
    uploaded_at: &'static str,
    content: Vec<u8>,
}

fn kept() -> Vec<Kept> {
    let one = |name, category: &'static str, mime, comment, uploaded_at, slug: &str, content: Vec<u8>| Kept {
        path: format!("storage/{category}/{}_{slug}", &sha256(&content)[..12]),
        name,
        category,
        mime,
        comment,
        uploaded_at,
        content,
    };
    let first = "2024-03-01T10:30:00.123456789Z";
    vec![
        one(
            "Beach Photo.JPG",
            "images/jpg/holiday",
            "image/jpeg",
            Some("our first day"),
            first,
            "beach-photo.jpg",
            samples::jpg(1),
        ),
        one(
            "b.bin",
            "other/unknown",
            "application/octet-stream",
            None,
            "2023-01-01T00:00:00+05:30",
            "b.bin",
            random_bytes(2, 3_000_000),
        ),
        one(
            "c\u{1b}[2J.txt",
            "documents/txt",
            "text/plain",
            Some(""),
            "2025-11-15T10:30:00Z",
            "c-2j.txt",
            b"a text".to_vec(),
        ),
        one(
            "empty.txt",
            "documents/txt",
            "text/plain",
            None,
            "2025-11-15T10:30:01Z",
            "empty.txt",
            Vec::new(),
        ),
    ]
}

fn entry(kept: &Kept) -> Value {
    json!({
        "hash": sha256(&kept.content), "original_name": kept.name, "stored_path": kept.path, "category": kept.category,
        "mime_type": kept.mime, "size": kept.content.len(), "uploaded_at": kept.uploaded_at,
        "metadata": kept.comment.map(|comment| json!({ "comment": comment })),
    })
}

/// A folder as the predecessor leaves it.
fn folder(entries: &[Value]) -> Folder {
    let folder = Folder::new();
    for kept in kept() {
        write(&folder.join(&kept.path), &kept.content);
    }
    write(&folder.join("storage/.tmp/tmp_x"), b"broken off");
    write(&folder.join("media/ingest_log.ndjson"), b"{}\n");
    write(&folder.join("metadata/files.json"), &serde_json::to_vec_pretty(entries).expect("JSON"));
    folder
}

fn import(from: &Path, setup: &Setup) -> Ran {
    let ran = finish(command("http://127.0.0.1:1", &[&"import", &from, &"--data-dir", &setup.data()]));
    is_plain(&ran.err);
    is_plain(&ran.out);
    ran
}

#[test]
fn everything_comes_in_as_it_was_and_a_second_run_brings_nothing() {
    let entries: Vec<_> = kept().iter().map(entry).collect();
    let folder = folder(&entries);
    let setup = Setup::new();
    let ran = import(folder.path(), &setup).expect(0);
    assert!(ran.out.starts_with("imported 4 names and 4 contents with 30"), "{}", ran.out);
    setup.verifies();
    let daemon = setup.start();
    for kept in kept() {
        let hash = sha256(&kept.content);
        assert_eq!(daemon.content(&hash), kept.content);
        let meta = daemon.get(&format!("/files/{hash}/meta")).expect(200).json();
        let name = &meta["names"][0];
        assert_eq!((&meta["names_total"], &name["original_name"]), (&1.into(), &kept.name.into()));
        assert_eq!((&name["path"], &name["category"]), (&kept.path.clone().into(), &kept.category.into()));
        assert_eq!(name["comment"], kept.comment.unwrap_or_default());
        let time = if kept.uploaded_at.ends_with("+05:30") {
            "2022-12-31T18:30:00Z"
        } else {
            &format!("{}Z", &kept.uploaded_at[..19])
        };
        assert_eq!(name["uploaded_at"], time, "{meta}");
    }
    let begin = std::time::Instant::now();
    let listed = loop {
        let ran = run(&daemon, &[&"ls", &"--json", &"--sort", &"oldest"]).expect(0).json();
        let names: Vec<_> = ran["files"]
            .as_array()
            .expect("files")
            .iter()
            .map(|file| file["original_name"].clone())
            .collect();
        if names.len() == 4 {
            break names;
        }
        assert!(begin.elapsed().as_secs() < 30, "{names:?}");
    };
    assert_eq!(
        listed,
        ["b.bin", "Beach Photo.JPG", "c\u{1b}[2J.txt", "empty.txt"],
        "they arrive in the order they once did"
    );
    // While it runs, its folder is its own.
    let refused = import(folder.path(), &setup).expect(1);
    assert!(refused.err.contains("stop the daemon first"), "{}", refused.err);
    let setup = daemon.stop();
    let ran = import(folder.path(), &setup).expect(0);
    assert!(
        ran.out.starts_with("imported 0 names and 0 contents with 0 bytes; 4 files were there already"),
        "{}",
        ran.out
    );
    let daemon = setup.start();
    assert!((daemon.metric("rhinobox_names") - 4.0).abs() < 0.5);
    // What is stored is enough, if the files are gone.
    let setup = daemon.stop();
    fs::remove_dir_all(folder.join("storage")).expect("it is there");
    import(folder.path(), &setup).expect(0);
}

#[test]
fn missing_altered_and_hostile_entries_are_named_and_the_rest_comes_in() {
    let kept = kept();
    let mut entries: Vec<_> = kept.iter().map(entry).collect();
    let secret = Folder::new();
    write(&secret.join("secret.txt"), b"secret");
    let hostile = |path: String| json!({"hash": sha256(b"secret"), "original_name": "s.txt", "stored_path": path, "size": 6, "uploaded_at": "x"});
    entries.push(hostile(format!(
        "../{}/secret.txt",
        secret.path().file_name().expect("a name").to_string_lossy()
    )));
    entries.push(hostile(secret.join("secret.txt").to_string_lossy().into_owned()));
    entries.push(hostile("storage/link/secret.txt".to_owned()));
    entries.push(hostile("storage".to_owned()));
    entries.push(json!({"hash": "12", "original_name": "h.txt", "stored_path": "storage/h.txt"}));
    entries.push(json!({}));
    let folder = folder(&entries);
    std::os::unix::fs::symlink(secret.path(), folder.join("storage/link")).expect("a link");
    fs::remove_file(folder.join(&kept[0].path)).expect("it is there");
    let mut altered = kept[1].content.clone();
    altered[1_000_000] ^= 1;
    write(&folder.join(&kept[1].path), &altered);
    write(&folder.join(&kept[3].path), b"not empty");
    write(&folder.join("storage/other/unknown/stray.bin"), b"stray");
    write(&folder.join("json/nosql/x/batch.ndjson"), b"{}\n");
    let setup = Setup::new();
    let ran = import(folder.path(), &setup).expect(3);
    assert!(
        ran.out.starts_with(
            "imported 1 names and 1 contents with 6 bytes; 0 files were there already; 9 failed"
        ),
        "{}",
        ran.out
    );
    for why in [
        "Beach Photo.JPG: its file \"storage/images/jpg/holiday/",
        "is missing",
        "b.bin: its file was altered: it hashes to ",
        "empty.txt: its file was altered: it has 9 bytes, and the index says 0",
        "is not in the folder",
        "leads through a symbolic link",
        "the index has no SHA-256 of it",
    ] {
        assert!(ran.err.contains(why), "{why}: {}", ran.err);
    }
    assert_eq!(ran.err.lines().count(), 9, "{}", ran.err);
    assert!(
        ran.out.contains("stray.bin: the index does not name it") && ran.out.contains("JSON documents"),
        "{}",
        ran.out
    );
    setup.verifies();
    // Mended, they come in with the next run.
    for kept in &kept {
        write(&folder.join(&kept.path), &kept.content);
    }
    let ran = import(folder.path(), &setup).expect(3);
    assert!(ran.out.starts_with("imported 3 names and 3 contents with 30"), "{}", ran.out);
    let daemon = setup.start();
    assert_eq!(daemon.content(&sha256(&kept[1].content)), kept[1].content);
    daemon.get(&format!("/files/{}", sha256(b"secret"))).expect(404);
    let shown = run(&daemon, &[&"stat", &sha256(&kept[0].content)]).expect(0).out;
    assert!(shown.contains("our first day"), "{shown}");
}

#[test]
fn what_is_no_folder_of_the_predecessor_is_refused() {
    let setup = Setup::new();
    let nothing = Folder::new();
    let ran = import(nothing.path(), &setup).expect(1);
    assert!(
        ran.err.contains("is no folder of the Go RhinoBox: it has no metadata/files.json"),
        "{}",
        ran.err
    );
    for text in ["{}", "[1]", "\u{1b}[2J", "[{\"size\": \"x\"}]"] {
        write(&nothing.join("metadata/files.json"), text.as_bytes());
        let ran = import(nothing.path(), &setup).expect(1);
        assert!(ran.err.contains("is not the index of a Go RhinoBox: "), "{}", ran.err);
    }
    assert!(!setup.data().exists(), "a folder was made for nothing");
    // Its own folder is not written to.
    let entries: Vec<_> = kept().iter().map(entry).collect();
    let go = folder(&entries);
    let before = fs::read_dir(go.path()).expect("a folder").count();
    for data_dir in [go.path().to_owned(), go.path().join("new/data")] {
        let ran = finish(command("http://127.0.0.1:1", &[&"import", &go.path(), &"--data-dir", &data_dir]));
        let ran = ran.expect(1);
        assert!(ran.err.contains("is the predecessor's own"), "{}", ran.err);
    }
    assert_eq!(fs::read_dir(go.path()).expect("a folder").count(), before);
}
