//! A page in a browser can send requests to loopback; it cannot forge Host, Origin and Sec-Fetch-Site.

use crate::support::{Daemon, Form};

#[test]
fn a_foreign_host_is_421_and_own_hosts_are_served() {
    let daemon = Daemon::start();
    let port = daemon.port();
    let own = [
        format!("localhost:{port}"),
        format!("LOCALHOST:{port}"),
        format!("127.0.0.1:{port}"),
        format!("[::1]:{port}"),
        "rhinobox.test".to_owned(),
        "rhinobox.test:1".to_owned(),
    ];
    for host in &own {
        let response = daemon.connect().ask("GET", "/healthz", &[("Host", host)], b"");
        assert_eq!(response.status, 200, "{host}");
    }
    for host in [format!("evil.test:{port}"), "evil.test".to_owned(), format!("localhost.evil.test:{port}")] {
        for (method, target) in [("GET", "/healthz"), ("POST", "/ingest/media"), ("PUT", "/files/a.txt")] {
            let response = daemon.connect().ask(method, target, &[("Host", &host)], b"");
            assert_eq!(response.status, 421, "{method} {host}: {}", response.text());
            assert!(!response.error().is_empty());
        }
    }
    daemon.serves();
}

#[test]
fn an_absolute_target_is_who_is_asked_whatever_the_host_field_says() {
    let daemon = Daemon::start();
    let mut client = daemon.connect();
    assert_eq!(client.ask("GET", "http://evil.test/healthz", &[], b"").status, 421);
    assert_eq!(daemon.get("http://rhinobox.test/healthz").status, 200);
}

#[test]
fn cross_site_requests_that_change_something_are_403() {
    let daemon = Daemon::start();
    for fields in [
        &[("Origin", "http://evil.test")][..],
        &[("Origin", "null")],
        &[("Sec-Fetch-Site", "cross-site")],
        &[("Sec-Fetch-Site", "cross-site"), ("Origin", "http://rhinobox.test")],
    ] {
        let form = Form::of("a.txt", b"sent by another site");
        let response = form.send_with(&mut daemon.connect(), fields);
        assert_eq!(response.status, 403, "{fields:?}");
        assert!(!response.error().is_empty());
        let put = daemon.connect().ask("PUT", "/files/a.txt", fields, b"sent by another site");
        assert_eq!(put.status, 403, "{fields:?}");
        // Asking is harmless, the answers say so to browsers.
        assert_eq!(daemon.connect().ask("GET", "/healthz", fields, b"").status, 200);
    }
    let own = [("Origin", "http://rhinobox.test"), ("Sec-Fetch-Site", "same-origin")];
    Form::of("a.txt", b"sent by its own page").send_with(&mut daemon.connect(), &own).expect(200);
    daemon.serves();
    assert_eq!(daemon.metric("rhinobox_contents"), 2.0);
}
