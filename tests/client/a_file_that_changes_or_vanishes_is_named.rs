//! What happens to files while a put is on its way is said of these files, and the rest is stored.

use std::fs;
use std::path::PathBuf;

use crate::gate;
use crate::program::{command, finish, folder_of};
use crate::support::{Daemon, Folder, random_bytes};

/// Puts the folder with one thread, and does this once its first file was hashed and before anything is sent.
fn meanwhile(daemon: &Daemon, folder: &Folder, act: impl FnOnce(PathBuf)) -> crate::program::Ran {
    let (address, has_come, go_on) = gate::shut(daemon.address());
    let put = command(&format!("http://{address}"), &[&"put", &folder.join("d"), &"-j1", &"--json"]);
    let running = std::thread::spawn(move || finish(put));
    has_come.recv().expect("it asks");
    act(folder.join("d"));
    go_on.send(()).expect("the gate waits");
    running.join().expect("it ends")
}

/// The first is big, so that it is sent alone, before the others are looked at.
fn three() -> Folder {
    let big = random_bytes(1, 3_000_000);
    folder_of(&[("d/a.bin", big), ("d/b.bin", random_bytes(2, 500)), ("d/c.bin", random_bytes(3, 500))])
}

#[test]
fn a_file_that_vanishes_is_named_and_the_rest_is_stored() {
    let daemon = Daemon::start();
    let ran =
        meanwhile(&daemon, &three(), |d| fs::remove_file(d.join("b.bin")).expect("it is there")).expect(3);
    assert!(ran.err.contains("/d/b.bin: failed: No such file"), "{}", ran.err);
    let result = ran.json();
    assert_eq!((&result["sent"], &result["failed"]), (&2.into(), &1.into()), "{result}");
    assert!((daemon.metric("rhinobox_names") - 2.0).abs() < 0.5);
}

#[test]
fn a_folder_in_its_place_is_not_taken_for_it() {
    let daemon = Daemon::start();
    let ran = meanwhile(&daemon, &three(), |d| {
        fs::remove_file(d.join("b.bin")).expect("it is there");
        std::os::unix::fs::symlink("/etc/passwd", d.join("b.bin")).expect("a link");
    });
    let ran = ran.expect(3);
    assert!(ran.err.contains("/d/b.bin: failed: "), "{}", ran.err);
    assert!((daemon.metric("rhinobox_names") - 2.0).abs() < 0.5);
}

#[test]
fn a_file_that_is_written_to_after_it_was_hashed_is_named() {
    for grows in [true, false] {
        let daemon = Daemon::start();
        let ran = meanwhile(&daemon, &three(), |d| {
            let file = fs::OpenOptions::new().write(true).open(d.join("a.bin")).expect("it is there");
            file.set_len(if grows { 4_000_000 } else { 1_000 }).expect("it is written to");
        });
        let ran = ran.expect(3);
        assert!(ran.err.contains("/d/a.bin: failed: it changed while it was read"), "{}", ran.err);
        assert_eq!(ran.json()["sent"], 2);
        assert!((daemon.metric("rhinobox_contents") - 2.0).abs() < 0.5, "half of a file was stored");
    }
}
