//! Flags beat the environment, the environment beats the file, the file beats the default.

use std::fs;

use crate::support::{Daemon, Setup, random_bytes};

/// The limit in force, in MiB, as a refusal states it.
fn limit(daemon: &Daemon) -> u64 {
    let fields = [("Content-Length", "99999999999")];
    let mut client = daemon.connect();
    client.send(&crate::support::request("PUT", "/files/a.bin", &fields, b""));
    let error = client.response().expect(413).error();
    let bytes =
        error.split_whitespace().find_map(|word| word.parse::<u64>().ok()).expect("the limit in bytes");
    bytes >> 20
}

#[test]
fn each_source_beats_the_next() {
    let setup = Setup::new();
    assert_eq!(limit(&setup.start()), 512, "the default");
    fs::write(setup.data().join("rhinobox.toml"), "max_upload_mb = 3\n").expect("written");
    assert_eq!(limit(&setup.start()), 3, "the file in the data folder");
    let setup = setup.env("RHINOBOX_MAX_UPLOAD_MB", "5");
    assert_eq!(limit(&setup.start()), 5, "the environment");
    assert_eq!(limit(&setup.flag("--max-upload-mb", "7").start()), 7, "the flag");
}

#[test]
fn every_source_may_give_the_address_and_the_folder() {
    let setup = Setup::new().addr(None).env("RHINOBOX_ADDR", "127.0.0.1:0");
    setup.start().serves();
    let setup = Setup::new().addr(None);
    fs::create_dir_all(setup.data()).expect("a folder");
    fs::write(setup.data().join("rhinobox.toml"), "addr = \"127.0.0.1:0\"\ncores = 1\n").expect("written");
    let daemon = setup.start();
    daemon.serves();
    assert_eq!(daemon.metric("rhinobox_cores"), 1.0);
    let named = setup.data().join("other.toml");
    fs::write(&named, "addr = \"localhost:0\"\ncores = 2\n").expect("written");
    // Beside the store, not in it.
    let beside = setup.data().with_extension("toml");
    fs::rename(&named, &beside).expect("moved");
    let daemon = Setup::new().addr(None).flag("--config", beside).start();
    assert_eq!(daemon.metric("rhinobox_cores"), 2.0);
}

#[test]
fn a_file_that_says_what_nobody_knows_is_refused() {
    for (text, word) in [
        ("colour = 1\n", "colour"),
        ("max_upload_mb = \"lots\"\n", "max_upload_mb"),
        ("= =", "rhinobox.toml"),
    ] {
        let setup = Setup::new();
        fs::create_dir_all(setup.data()).expect("a folder");
        fs::write(setup.data().join("rhinobox.toml"), text).expect("written");
        let (code, said) = setup.refused();
        assert_eq!(code, 1, "{said}");
        assert!(said.contains(word), "{said}");
    }
}

#[test]
fn durability_of_the_kernel_is_said_in_the_answer() {
    let daemon = Setup::new().flag("--durability", "os").start();
    let response = daemon.connect().ask("PUT", "/files/a.bin", &[], &random_bytes(1, 300_000)).expect(201);
    assert_eq!(response.field("Rhinobox-Durability"), Some("os"));
    daemon.restart().serves();
}
