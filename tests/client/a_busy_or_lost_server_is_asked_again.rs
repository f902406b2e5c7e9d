//! 503, 429 and connections that break are tried again; what does not pass is given up, in words.

use std::sync::atomic::Ordering;

use crate::gate::{First, busy, open};
use crate::program::{command, finish, folder_of};
use crate::support::{Daemon, random_bytes, sha256};

fn folder() -> crate::support::Folder {
    folder_of(&[("d/a.bin", random_bytes(1, 2_000)), ("d/b.bin", random_bytes(2, 2_500_000))])
}

#[test]
fn a_server_that_is_busy_at_first_gets_everything() {
    let daemon = Daemon::start();
    let first = vec![busy("503 Service Unavailable"), busy("429 Too Many Requests"), First::Drop];
    let (gate, taken) = open(daemon.address(), first);
    let folder = folder();
    let ran =
        finish(command(&format!("http://{gate}"), &[&"put", &folder.join("d"), &"-j1", &"--json"])).expect(0);
    assert_eq!(ran.json()["sent"], 2, "{}", ran.out);
    assert!(taken.load(Ordering::Relaxed) > 3);
    assert_eq!(daemon.content(&sha256(&random_bytes(2, 2_500_000))).len(), 2_500_000);
}

#[test]
fn a_connection_that_breaks_behind_an_upload_costs_nothing() {
    let daemon = Daemon::start();
    // The answer to the question comes through; that to the form is cut, and nobody knows whether it was stored.
    let (gate, _) = open(daemon.address(), vec![First::CutBehind(400)]);
    let folder = folder();
    let ran =
        finish(command(&format!("http://{gate}"), &[&"put", &folder.join("d"), &"-j1", &"--json"])).expect(0);
    assert_eq!((&ran.json()["failed"], &ran.json()["sent"]), (&0.into(), &2.into()), "{}", ran.out);
    assert!((daemon.metric("rhinobox_names") - 2.0).abs() < 0.5);
}

#[test]
fn patience_has_an_end() {
    let daemon = Daemon::start();
    let (gate, taken) = open(daemon.address(), vec![busy("503 Service Unavailable"); 1_000]);
    let folder = folder();
    let arguments: &[&dyn AsRef<std::ffi::OsStr>] = &[&"put", &folder.join("d"), &"--patience", &"1", &"-j1"];
    let ran = finish(command(&format!("http://{gate}"), arguments)).expect(1);
    assert!(ran.err.ends_with("rhinobox: the server says 503: too busy\n"), "{}", ran.err);
    assert!((2..20).contains(&taken.load(Ordering::Relaxed)), "{taken:?}");
    assert!(ran.out.starts_with("sent 0 files"), "{}", ran.out);
}
