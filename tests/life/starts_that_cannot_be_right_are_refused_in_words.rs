//! A directory that is not ours, a format that is not known, an address that everybody reaches: refused in a sentence,
//! and nothing is touched.

use std::fs;

use crate::support::{Daemon, Setup};

fn refused(setup: &Setup, words: &[&str]) {
    let (code, said) = setup.refused();
    assert_eq!(code, 1, "{said}");
    let sentence =
        said.lines().find(|line| line.starts_with("rhinobox: ")).unwrap_or_else(|| panic!("{said}"));
    for word in words {
        assert!(sentence.contains(word), "{word:?} is not in {sentence:?}");
    }
}

#[test]
fn a_directory_of_something_else_is_not_touched() {
    let setup = Setup::new();
    fs::create_dir_all(setup.data()).expect("a folder");
    fs::write(setup.data().join("letters.txt"), "mine").expect("a file");
    refused(&setup, &["letters.txt", "directory"]);
    assert_eq!(fs::read_to_string(setup.data().join("letters.txt")).expect("it is there"), "mine");
    let mut left: Vec<_> =
        fs::read_dir(setup.data()).expect("listed").flatten().map(|e| e.file_name()).collect();
    left.retain(|name| name != "LOCK");
    assert_eq!(left, ["letters.txt"]);
}

#[test]
fn a_directory_of_the_predecessor_is_named_as_such() {
    for entries in [&["files.json"][..], &["storage", "metadata"], &["storage"]] {
        let setup = Setup::new();
        for entry in entries {
            fs::create_dir_all(setup.data().join(entry)).expect("a folder");
        }
        refused(&setup, &["predecessor"]);
    }
}

#[test]
fn a_later_format_and_a_damaged_one_are_refused() {
    let daemon = Daemon::start();
    daemon.upload("a.txt", b"kept");
    let setup = daemon.stop();
    let path = setup.data().join("FORMAT");
    let format = fs::read_to_string(&path).expect("FORMAT is text");
    fs::write(&path, format.replace("version 1", "version 9")).expect("written");
    refused(&setup, &["version 9"]);
    fs::write(&path, format.replace("store ", "store 0")).expect("written");
    refused(&setup, &["FORMAT"]);
    fs::write(&path, "").expect("written");
    refused(&setup, &["FORMAT"]);
    fs::remove_file(&path).expect("removed");
    refused(&setup, &["FORMAT"]);
    fs::write(&path, format).expect("written");
    let daemon = setup.start();
    assert_eq!(daemon.metric("rhinobox_contents"), 1.0);
    daemon.serves();
}

#[test]
fn a_start_that_died_half_way_is_made_again() {
    let setup = Setup::new().flag("--catalogue", "off").start().stop();
    // As after a power cut before FORMAT was durable; no segment was made before it, and no catalogue.
    fs::remove_file(setup.data().join("FORMAT")).expect("removed");
    for segment in fs::read_dir(setup.data().join("segments")).expect("listed").flatten() {
        fs::remove_file(segment.path()).expect("removed");
    }
    fs::write(setup.data().join("FORMAT.new"), "half").expect("written");
    setup.start().serves();
}

#[test]
fn an_address_beyond_this_machine_must_be_meant() {
    for address in ["0.0.0.0:0", ":0", "[::]:0"] {
        refused(&Setup::new().addr(Some(address)), &["--allow-anonymous"]);
    }
    let setup = Setup::new().addr(Some("0.0.0.0:0"));
    let daemon = setup.clone().env("RHINOBOX_ALLOW_ANONYMOUS", "1").start();
    daemon.wait_until_said("listening on http://0.0.0.0:");
}

#[test]
fn settings_that_are_none_are_named() {
    for (name, value) in [
        ("--cores", "0"),
        ("--cores", "many"),
        ("--addr", "nowhere"),
        ("--addr", "127.0.0.1:99999"),
        ("--max-upload-mb", "0"),
        ("--max-upload-mb", "1.5"),
        ("--durability", "maybe"),
        ("--buffer-mib", "1"),
        ("--segment-mib", "1000000"),
        ("--log-level", "loud"),
        ("--config", "/nonexistent/rhinobox.toml"),
    ] {
        let setup =
            if name == "--addr" { Setup::new().addr(Some(value)) } else { Setup::new().flag(name, value) };
        refused(&setup, &[value]);
    }
    let (code, said) = Setup::new().flag("--no-such-flag", "1").refused();
    assert_eq!(code, 2, "{said}");
}

#[test]
fn a_data_directory_that_cannot_be_is_refused() {
    let setup = Setup::new();
    let file = setup.data().to_owned();
    fs::write(&file, "a file").expect("written");
    refused(&setup, &[&format!("the data directory {}", file.display()), "it is no folder", "--data-dir"]);
    refused(&Setup::new().data_dir(&file.join("sub")), &["it is no folder, or lies in none", "--data-dir"]);
    refused(&Setup::new().data_dir(std::path::Path::new("/proc/nothing")), &["/proc/nothing"]);
}

#[test]
fn an_address_in_use_is_refused_with_the_name_of_who_has_it() {
    let daemon = Daemon::start();
    let address = daemon.address().to_string();
    let holder = format!("`rhinobox` (process {})", daemon.pid());
    refused(&Setup::new().addr(Some(&address)), &[&address, &holder, "--addr"]);
}
