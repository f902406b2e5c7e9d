//! A token's time ends by itself, without a change of the file and in the middle of a connection.

use crate::support::{Setup, bearer, create_token, wait_for_status_on};

#[test]
fn a_token_ends_when_its_time_is_over() {
    let setup = Setup::new();
    let long = create_token(&setup, "long", "read", &["--expires-in", "1d"]);
    let daemon = setup.start();
    let short = create_token(&setup, "short", "read", &["--expires-in", "3s"]);
    let mut client = daemon.connect();
    wait_for_status_on(&mut client, "/stats", &bearer(&short), 401);
    let response = client.ask("GET", "/stats", &[("Authorization", &bearer(&short))], b"").expect(401);
    // Either it was not seen yet, or it has been good: by the end it is said to have expired.
    wait_for_status_on(&mut client, "/stats", &bearer(&long), 200);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    let mut said = response.error();
    while !said.contains("expired") {
        assert!(std::time::Instant::now() < deadline, "{said}");
        std::thread::sleep(std::time::Duration::from_millis(50));
        let response = client.ask("GET", "/stats", &[("Authorization", &bearer(&short))], b"");
        said = if response.status == 401 { response.error() } else { String::new() };
    }
    assert!(said.contains("`short`"), "{said}");
    assert_eq!(client.ask("GET", "/stats", &[("Authorization", &bearer(&long))], b"").status, 200);
}
