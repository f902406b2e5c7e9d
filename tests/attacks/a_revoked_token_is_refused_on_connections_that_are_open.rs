//! Who holds a connection keeps no right with it.

use std::time::{Duration, Instant};

use crate::support::{Setup, bearer, create_token, revoke_token, wait_for_status, wait_for_status_on};

#[test]
fn the_next_request_on_a_kept_connection_is_refused() {
    let setup = Setup::new().flag("--cores", "2");
    let (kept, lost) = (create_token(&setup, "kept", "read", &[]), create_token(&setup, "lost", "read", &[]));
    let daemon = setup.start();
    // One on each core, and some more.
    let mut clients: Vec<_> = (0..4).map(|_| daemon.connect()).collect();
    let ask = |client: &mut crate::support::Client, token: &str| {
        client.ask("GET", "/stats", &[("Authorization", &bearer(token))], b"").status
    };
    assert!(clients.iter_mut().all(|client| ask(client, &lost) == 200));
    revoke_token(&setup, "lost");
    let revoked = Instant::now();
    for client in &mut clients {
        wait_for_status_on(client, "/stats", &bearer(&lost), 401);
        assert_eq!(ask(client, &kept), 200, "the connection and the other token are good");
    }
    // It is promised within a second; a busy machine is given more.
    assert!(revoked.elapsed() < Duration::from_secs(10));
    wait_for_status(&daemon, "/stats", &bearer(&lost), 401);
}

#[test]
fn a_new_token_is_good_while_the_daemon_runs_and_the_first_one_closes_the_door() {
    let setup = Setup::new();
    let daemon = setup.start();
    assert_eq!(daemon.get("/stats").status, 200, "without tokens loopback is open");
    let mut client = daemon.connect();
    assert_eq!(client.get("/stats").status, 200);
    let token = create_token(&setup, "first", "read", &[]);
    wait_for_status_on(&mut client, "/stats", "", 401);
    wait_for_status(&daemon, "/stats", &bearer(&token), 200);
}
