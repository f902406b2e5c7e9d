//! What came of a command is its exit status, a sentence, and with `--json` one text for machines.

use crate::program::{command, finish, folder_of, run, url};
use crate::support::{Daemon, Folder, Setup, random_bytes, sha256};

#[test]
fn put_says_0_when_all_is_stored_and_3_when_something_is_not() {
    let daemon = Setup::new().flag("--max-upload-mb", "1").start();
    let folder = folder_of(&[("d/a.bin", random_bytes(1, 500)), ("d/b.bin", random_bytes(2, 1_500_000))]);
    let ran = run(&daemon, &[&"put", &folder.join("d/a.bin")]).expect(0);
    assert!(ran.out.starts_with("sent 1 file (500 B); in ") && ran.err.is_empty(), "{}{}", ran.out, ran.err);
    let ran = run(&daemon, &[&"put", &folder.join("d"), &"--json"]).expect(3);
    let result = ran.json();
    for (field, value) in [("sent", 0), ("known", 1), ("known_bytes", 500), ("failed", 1), ("passed_over", 0)]
    {
        assert_eq!(result[field], value, "{field} of {result}");
    }
    let [known, failed] = &result["files"].as_array().expect("files")[..] else { panic!("{result}") };
    assert_eq!((&known["status"], &known["hash"]), (&"known".into(), &sha256(&random_bytes(1, 500)).into()));
    assert_eq!(failed["status"], "failed");
    assert!(failed["error"].as_str().is_some_and(|error| error.contains("413")), "{failed}");
    assert!(ran.err.contains("b.bin: failed: the server says 413: "), "{}", ran.err);
}

#[test]
fn a_form_that_is_over_the_servers_limit_is_sent_in_halves() {
    let daemon = Setup::new().flag("--max-upload-mb", "1").start();
    let files: Vec<_> = (0..9).map(|seed| (format!("d/{seed}.bin"), random_bytes(seed, 400_000))).collect();
    let listed: Vec<_> = files.iter().map(|(name, content)| (name.as_str(), content.clone())).collect();
    let folder = folder_of(&listed);
    let ran = run(&daemon, &[&"put", &folder.join("d"), &"--json"]).expect(0);
    assert_eq!(ran.json()["sent"], 9, "{}", ran.out);
}

#[test]
fn what_is_not_there_is_4_and_a_server_that_is_away_is_1() {
    let daemon = Daemon::start();
    let never = sha256(b"never sent");
    for command in ["get", "stat", "rm"] {
        for what in [never.as_str(), "storage/other/bin/never.bin"] {
            let ran = run(&daemon, &[&command, &what]).expect(4);
            assert!(ran.err.contains("nothing is stored"), "{}", ran.err);
        }
    }
    let server = url(&daemon);
    daemon.stop();
    let into = Folder::new();
    for arguments in [
        &["get", &never][..],
        &["stat", &never],
        &["rm", &never],
        &["stats"],
        &["ls"],
        &["put", "/etc/hostname"],
    ] {
        let arguments: Vec<&dyn AsRef<std::ffi::OsStr>> =
            arguments.iter().map(|a| a as &dyn AsRef<std::ffi::OsStr>).collect();
        let mut away = command(&server, &arguments);
        away.current_dir(into.path());
        let ran = finish(away).expect(1);
        let expected = format!("rhinobox: nothing answers at {server}: connection refused\n");
        assert!(ran.err.ends_with(&expected), "{}", ran.err);
    }
}
