//! A browser that keeps a token as password sends it with whatever a page of another site asks for: so what changes something
//! is refused by its origin, however good the token is, and what is read is kept from that page by the answer's fields.

use crate::support::{Form, Setup, base64, create_token};

#[test]
fn a_good_password_helps_no_other_site() {
    let setup = Setup::new();
    let token = create_token(&setup, "person", "admin", &[]);
    let daemon = setup.start();
    let basic = format!("Basic {}", base64(format!("person:{token}").as_bytes()));
    let own = [
        ("Authorization", basic.as_str()),
        ("Origin", "http://rhinobox.test"),
        ("Sec-Fetch-Site", "same-origin"),
    ];
    let stored =
        Form::of("a.html", b"<script>alert(1)</script>").send_with(&mut daemon.connect(), &own).stored();
    let path = format!("/{}", stored[0]["path"].as_str().expect("a path"));
    for foreign in [("Origin", "http://evil.test"), ("Origin", "null"), ("Sec-Fetch-Site", "cross-site")] {
        let fields = [("Authorization", basic.as_str()), foreign];
        assert_eq!(
            Form::of("b.txt", b"theirs").send_with(&mut daemon.connect(), &fields).status,
            403,
            "{foreign:?}"
        );
        for (method, target) in
            [("DELETE", path.as_str()), ("PUT", "/files/b.txt"), ("POST", "/dedup"), ("POST", "/names")]
        {
            let response = daemon.connect().ask(method, target, &fields, b"");
            assert_eq!(response.status, 403, "{method} {target} {foreign:?}");
            assert_eq!(response.field("WWW-Authenticate"), None, "another token would not help");
        }
        let read = daemon.connect().ask("GET", &path, &fields, b"").expect(200);
        assert_eq!(read.field("Cross-Origin-Resource-Policy"), Some("same-origin"));
        assert!(
            read.fields.iter().all(|(name, _)| !name.to_ascii_lowercase().starts_with("access-control-"))
        );
    }
    let rebound = [("Authorization", basic.as_str()), ("Host", "evil.test")];
    assert_eq!(daemon.connect().ask("GET", &path, &rebound, b"").status, 421);
}

#[test]
fn what_was_stored_runs_in_no_browser() {
    let setup = Setup::new();
    let token = create_token(&setup, "person", "admin", &[]);
    let daemon = setup.start();
    let authorization = format!("Bearer {token}");
    let own = [("Authorization", authorization.as_str())];
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
    for (name, content) in [
        ("a.html", &b"<!doctype html><script>alert(1)</script>"[..]),
        ("a.svg", svg),
        ("a.js", b"alert(1)"),
        ("a.xhtml", b"<html xmlns='http://www.w3.org/1999/xhtml'><script>alert(1)</script></html>"),
        ("a.png", b"<script>alert(1)</script>"),
    ] {
        let stored = Form::of(name, content).send_with(&mut daemon.connect(), &own).stored();
        let path = format!("/{}", stored[0]["path"].as_str().expect("a path"));
        let read = daemon.connect().ask("GET", &path, &own, b"").expect(200);
        assert_eq!(read.field("X-Content-Type-Options"), Some("nosniff"), "{name}");
        assert_eq!(read.field("Content-Security-Policy"), Some("sandbox; default-src 'none'"), "{name}");
        let (kind, shown) =
            (read.field("Content-Type").expect("a type"), read.field("Content-Disposition").expect("a name"));
        let is_active = ["html", "svg", "script", "xml"].iter().any(|word| kind.contains(word));
        assert!(!is_active || shown.starts_with("attachment"), "{name}: {kind}, {shown}");
    }
}
