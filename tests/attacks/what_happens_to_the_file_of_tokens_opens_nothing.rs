//! Fail closed: with the last token revoked, the file torn, gone or open to others nobody is let in, and words say why.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::support::{Setup, bearer, create_token, revoke_token, token_command, wait_for_status};

#[test]
fn the_last_token_closes_the_door_behind_it_and_a_restart_does_not_open_it() {
    let setup = Setup::new();
    let token = create_token(&setup, "only", "admin", &[]);
    let daemon = setup.clone().addr(Some("0.0.0.0:0")).start_unready();
    let address = daemon.wait_until_said("listening on http://0.0.0.0:");
    let at = std::net::SocketAddr::from(([127, 0, 0, 1], address.parse().expect("a port")));
    let status = |authorization: &str| {
        let fields = [("Authorization", authorization)];
        let fields = if authorization.is_empty() { &[][..] } else { &fields };
        crate::support::Client::connect(at).ask("GET", "/stats", fields, b"").status
    };
    assert_eq!(
        (status(&bearer(&token)), status("")),
        (200, 401),
        "with tokens it may be reached from elsewhere"
    );
    revoke_token(&setup, "only");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while status(&bearer(&token)) != 401 {
        assert!(std::time::Instant::now() < deadline, "a revoked token is refused");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(status(""), 401);
    daemon.stop();
    let daemon = setup.start();
    daemon.wait_until_said("tokens: none is left");
    assert_eq!(daemon.get("/stats").status, 401);
    assert_eq!(daemon.get("/readyz").status, 200);
    let token = create_token(&setup, "next", "read", &[]);
    wait_for_status(&daemon, "/stats", &bearer(&token), 200);
}

#[test]
fn a_file_that_cannot_be_read_lets_nobody_in_until_it_can() {
    let setup = Setup::new();
    let token = create_token(&setup, "reader", "read", &[]);
    let daemon = setup.start();
    let path = setup.data().join("state/tokens.json");
    assert_eq!(fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o600);
    let good = fs::read(&path).expect("it can be read");
    assert!(!String::from_utf8_lossy(&good).contains(&token), "no secret is kept");
    let set_mode =
        |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode is set");
    let breakages: [(&str, &dyn Fn()); 4] = [
        ("torn", &|| fs::write(&path, &good[..good.len() / 2]).expect("written")),
        ("empty", &|| fs::write(&path, "").expect("written")),
        ("open to others", &|| set_mode(0o666)),
        ("gone", &|| fs::remove_file(&path).expect("removed")),
    ];
    for (what, damage) in breakages {
        damage();
        wait_for_status(&daemon, "/stats", &bearer(&token), 503);
        assert_eq!(daemon.get("/stats").status, 503, "{what}");
        let ready = daemon.get("/readyz").expect(503);
        assert!(ready.error().contains("tokens"), "{what}: {}", ready.error());
        assert_eq!(daemon.get("/healthz").status, 200, "{what}");
        fs::write(&path, &good).expect("written");
        set_mode(0o600);
        wait_for_status(&daemon, "/stats", &bearer(&token), 200);
    }
    daemon.wait_until_said("the tokens cannot be read");
    fs::write(&path, "{").expect("written");
    daemon.stop();
    let (code, said) = setup.refused();
    assert!(code == 1 && said.contains("tokens.json cannot be used"), "{said}");
}

#[test]
fn commands_say_in_a_sentence_what_they_did_and_what_they_will_not_do() {
    let setup = Setup::new();
    let said = |output: &std::process::Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let none = token_command(&setup, &["list"]);
    assert!(none.status.success() && said(&none).contains("never were tokens") && !setup.data().exists());
    let token = create_token(&setup, "a", "upload,read", &["--rate", "7"]);
    assert!(token.len() == 73 && token.starts_with("rhinobox_"), "{token}");
    let again = token_command(&setup, &["create", "a", "--scope", "read"]);
    assert!(!again.status.success() && said(&again).contains("already") && again.stdout.is_empty());
    let list = token_command(&setup, &["list"]);
    let listed = String::from_utf8_lossy(&list.stdout).into_owned();
    assert!(
        listed.contains("upload, read")
            && listed.contains("at most 7 requests")
            && !listed.contains(&token[9..])
    );
    let unknown = token_command(&setup, &["revoke", "b"]);
    assert!(!unknown.status.success() && said(&unknown).contains("no token `b`"));
    let last = token_command(&setup, &["revoke", "a"]);
    assert!(last.status.success() && said(&last).contains("no token is left"));
    assert_eq!(token_command(&setup, &["create", "a", "--scope", "write"]).status.code(), Some(2));
    // A folder of somebody else is left alone.
    let other = Setup::new();
    fs::create_dir_all(other.data()).expect("a folder");
    fs::write(other.data().join("letters.txt"), "mine").expect("a file");
    let refused = token_command(&other, &["create", "a", "--scope", "read"]);
    assert!(!refused.status.success() && said(&refused).contains("letters.txt"), "{}", said(&refused));
    assert!(!other.data().join("state").exists());
}
