//! 414 and 431: targets, heads, fields and heads of parts have their limits, and what is below them is served.

use crate::support::{Daemon, Form};

#[test]
fn targets_beyond_8_kib_are_414() {
    let daemon = Daemon::start();
    for length in [8_193, 20_000, 100_000] {
        let mut client = daemon.connect();
        let response = client.ask("GET", &format!("/healthz?{}", "x".repeat(length - 9)), &[], b"");
        assert_eq!(response.status, 414, "{length}");
        assert!(response.closes() && !response.error().is_empty());
    }
    daemon.get(&format!("/healthz?{}", "x".repeat(8_192 - 9))).expect(200);
    daemon.serves();
}

#[test]
fn heads_beyond_16_kib_or_64_fields_are_431() {
    let daemon = Daemon::start();
    for bytes in [16_384, 200_000] {
        let response = daemon.connect().ask("GET", "/healthz", &[("X", &"x".repeat(bytes))], b"");
        assert_eq!(response.status, 431, "{bytes}");
        assert!(response.closes() && !response.error().is_empty());
    }
    assert_eq!(daemon.connect().ask("GET", "/healthz", &[("X", "x"); 64], b"").status, 431);
    assert_eq!(daemon.connect().ask("GET", "/healthz", &[("X", "x"); 63], b"").status, 200);
    assert_eq!(daemon.connect().ask("GET", "/healthz", &[("X", &"x".repeat(16_000))], b"").status, 200);
    daemon.serves();
}

#[test]
fn heads_of_parts_beyond_8_kib_are_431() {
    let daemon = Daemon::start();
    let head = |bytes: usize| {
        let filler = "x".repeat(bytes);
        format!("Content-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\r\nX: {filler}")
    };
    Form::new().part(&head(9_000), b"a").send(&mut daemon.connect()).expect(431);
    Form::new().part(&head(7_000), b"a").send(&mut daemon.connect()).expect(200);
    daemon.serves();
}
