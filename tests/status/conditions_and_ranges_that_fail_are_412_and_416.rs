//! Conditions that do not hold, ranges beyond the end, expectations that nobody meets.

use crate::support::client::request;
use crate::support::{Daemon, sha256};

#[test]
fn a_condition_that_does_not_hold_is_412() {
    let daemon = Daemon::start();
    let content = b"conditional";
    let target = format!("/files/{}", sha256(content));
    let mut client = daemon.connect();
    client.ask("PUT", &target, &[("If-None-Match", "*")], content).expect(201);
    client.ask("GET", &target, &[("If-Match", "\"other\"")], b"").expect(412);
    // From the head: the body is not asked for.
    let fields = [("If-None-Match", "*"), ("Expect", "100-continue"), ("Content-Length", "11")];
    client.send(&request("PUT", &target, &fields, b""));
    let response = client.response().expect(412);
    assert_eq!(response.continued, 0);
    let other = daemon.connect().ask("PUT", "/files/name.txt", &[("If-None-Match", "*")], content);
    assert_eq!(other.status, 400, "only a hash says what must not be there");
    daemon.serves();
}

#[test]
fn a_range_beyond_the_end_is_416_and_says_how_long_it_is() {
    let daemon = Daemon::start();
    for size in [10, 300_000] {
        let record = daemon.upload("a.bin", &vec![7; size]);
        let target = format!("/files/{}", record["hash"].as_str().expect("a hash"));
        let beyond = format!("bytes={size}-");
        let response = daemon.connect().ask("GET", &target, &[("Range", &beyond)], b"").expect(416);
        assert_eq!(response.field("Content-Range"), Some(format!("bytes */{size}").as_str()));
        assert!(!response.error().is_empty());
    }
    daemon.serves();
}

#[test]
fn an_expectation_other_than_100_continue_is_417() {
    let daemon = Daemon::start();
    let response = daemon.connect().ask("PUT", "/files/a.txt", &[("Expect", "200-maybe")], b"a").expect(417);
    assert!(!response.error().is_empty());
    daemon.serves();
}
