//! Who is not let in is told so by the head: no body is asked for, none is kept, and no request is smuggled behind it.

use crate::support::{Setup, bearer, create_token, request};

#[test]
fn no_100_and_no_byte_of_the_body_for_who_is_not_let_in() {
    let setup = Setup::new();
    let reader = create_token(&setup, "reader", "read", &[]);
    let writer = create_token(&setup, "writer", "upload", &[]);
    let daemon = setup.start();
    let head = |authorization: &str| {
        let field = if authorization.is_empty() {
            String::new()
        } else {
            format!("Authorization: {authorization}\r\n")
        };
        format!(
            "PUT /files/a.txt HTTP/1.1\r\nHost: rhinobox.test\r\nExpect: 100-continue\r\nContent-Length: 100000\r\n{field}\r\n"
        )
    };
    for (authorization, status) in [(String::new(), 401), (bearer("wrong"), 401), (bearer(&reader), 403)] {
        let mut client = daemon.connect();
        client.send(head(&authorization).as_bytes());
        let response = client.response().expect(status);
        assert_eq!(response.continued, 0, "the body is not asked for");
        assert!(response.closes());
    }
    let mut client = daemon.connect();
    client.send(head(&bearer(&writer)).as_bytes());
    assert_eq!(client.head().expect("an answer").status, 100);
    let stats =
        daemon.connect().ask("GET", "/stats", &[("Authorization", &bearer(&reader))], b"").expect(200);
    assert_eq!(stats.json()["contents"], 0);
}

#[test]
fn each_request_of_a_connection_shows_its_own_token() {
    let setup = Setup::new();
    let token = create_token(&setup, "reader", "read", &[]);
    let daemon = setup.start();
    let mut client = daemon.connect();
    let good = request("GET", "/stats", &[("Authorization", &bearer(&token))], b"");
    let bare = request("GET", "/stats", &[], b"");
    client.send(&[&good[..], &bare, &good].concat());
    let statuses: Vec<_> = (0..3).map(|_| client.response().status).collect();
    assert_eq!(statuses, [200, 401, 200], "a token is no state of the connection");
}

#[test]
fn no_request_is_smuggled_past_the_token() {
    let setup = Setup::new();
    let token = create_token(&setup, "writer", "upload", &[]);
    let daemon = setup.start();
    let inner = "GET /stats HTTP/1.1\r\nHost: rhinobox.test\r\n\r\n";
    for framing in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked",
        "Content-Length: 4\r\nContent-Length: 60",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding : chunked",
        "Content-Length: 4\r\nAuthorization: Bearer other",
        "Content-Length: +4",
    ] {
        let mut client = daemon.connect();
        let outer = format!(
            "PUT /files/a.txt HTTP/1.1\r\nHost: rhinobox.test\r\nAuthorization: Bearer {token}\r\n{framing}\r\n\r\n0\r\n\r\n{inner}"
        );
        let _refused_early = client.try_send(outer.as_bytes());
        let response = client.response();
        assert_eq!(response.status, 400, "{framing}");
        assert!(response.closes() && client.is_closed(), "{framing}: nothing behind it is a request");
    }
    // A body that looks like a request is a body.
    let body = format!("GET /stats HTTP/1.1\r\nHost: rhinobox.test\r\nAuthorization: Bearer {token}\r\n\r\n");
    let mut client = daemon.connect();
    client.ask("PUT", "/files/a.txt", &[("Authorization", &bearer(&token))], body.as_bytes()).expect(201);
    assert_eq!(client.get("/stats").status, 401);
}
