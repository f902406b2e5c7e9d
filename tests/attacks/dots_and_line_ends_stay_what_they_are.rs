//! No path climbs, whatever the endpoint and however the dots are written, and no name ends a line: of a head, or of the log.

use crate::support::{Setup, bearer, create_token};

#[test]
fn no_path_of_any_endpoint_climbs() {
    let setup = Setup::new();
    let token = create_token(&setup, "all", "admin", &[]);
    let daemon = setup.start();
    let authorization = bearer(&token);
    let ask = |method: &str, target: &str| {
        daemon.connect().ask(method, target, &[("Authorization", &authorization)], b"").status
    };
    let climbs = [
        "..",
        "%2e%2e",
        ".%2e",
        "..%2f..%2fstate%2ftokens.json",
        "../state/tokens.json",
        "%2e%2e/state/tokens.json",
        "a/../../state/tokens.json",
        "..%5cstate%5ctokens.json",
        "%252e%252e/state/tokens.json",
        "..;/state/tokens.json",
        "....//state/tokens.json",
        "%c0%ae%c0%ae/state/tokens.json",
        "/state/tokens.json",
        "%2fetc%2fpasswd",
    ];
    for climb in climbs {
        for base in ["/storage/", "/files/", "/ui/", "/"] {
            for method in ["GET", "HEAD", "DELETE"] {
                let status = ask(method, &format!("{base}{climb}"));
                assert!([400, 404, 405].contains(&status), "{method} {base}{climb}: {status}");
            }
        }
    }
    let path = setup.data().join("state/tokens.json");
    assert!(path.exists(), "what is beside the store is neither shown nor deleted");
    // A name that climbs is a name.
    let put = daemon.connect().ask(
        "PUT",
        "/files/..%2f..%2fstate%2ftokens.json",
        &[("Authorization", &authorization)],
        b"x",
    );
    let location = put.expect(201).field("Location").expect("where it is").to_owned();
    assert!(location.starts_with("/storage/") && !location.contains(".."), "{location}");
    assert_eq!(ask("GET", &location), 200);
}

#[test]
fn no_name_ends_a_line_of_a_head_or_of_the_log() {
    let setup = Setup::new().flag("--log-level", "debug");
    let token = create_token(&setup, "all", "admin", &[]);
    let daemon = setup.start();
    let authorization = bearer(&token);
    let name = "a%0d%0aSet-Cookie:%20stolen=1%0d%0a%0d%0a%1b%5b2J2026-01-01T00:00:00Z%20ERROR%20forged.txt";
    let fields = [("Authorization", authorization.as_str())];
    let put = daemon.connect().ask("PUT", &format!("/files/{name}"), &fields, b"x").expect(201);
    let location = put.field("Location").expect("where it is").to_owned();
    let read = daemon.connect().ask("GET", &location, &fields, b"").expect(200);
    assert_eq!(read.field("Set-Cookie"), None);
    assert_eq!(read.body, b"x");
    let odd = format!("Bearer \x1b[2J{}", "x".repeat(20));
    let _refused = daemon.connect().ask("GET", "/stats", &[("Authorization", &odd)], b"");
    let said = daemon.said();
    assert!(
        !said.contains('\x1b') && !said.lines().any(|line| line.starts_with("2026-01-01T00:00:00Z ERROR")),
        "{said}"
    );
    assert!(!said.contains(&token));
}
