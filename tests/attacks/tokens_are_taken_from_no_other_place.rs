//! What stands in a target is kept in histories, logs and Referer fields, what stands in a cookie is sent by every page:
//! a token there lets nobody in, and neither does a method that is said to be another.

use crate::support::{Setup, bearer, create_token};

#[test]
fn a_token_in_the_target_a_cookie_or_a_body_is_none() {
    let setup = Setup::new();
    let token = create_token(&setup, "all", "admin", &[]);
    let daemon = setup.start();
    for target in [
        format!("/stats?token={token}"),
        format!("/stats?access_token={token}"),
        format!("/stats?authorization=Bearer%20{token}"),
        format!("http://:{token}@rhinobox.test/stats"),
    ] {
        let status = daemon.get(&target).status;
        assert!(status == 401 || status == 400, "{target}: {status}");
    }
    for (name, value) in [
        ("Cookie", format!("token={token}; Authorization=Bearer {token}")),
        ("X-Authorization", bearer(&token)),
        ("Proxy-Authorization", bearer(&token)),
        ("X-Api-Key", token.clone()),
    ] {
        assert_eq!(daemon.connect().ask("GET", "/stats", &[(name, &value)], b"").status, 401, "{name}");
    }
    let body = format!("access_token={token}");
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    assert_eq!(daemon.connect().ask("POST", "/dedup", &form, body.as_bytes()).status, 401);
    assert!(!daemon.said().contains(&token), "nor does it get into the log");
}

#[test]
fn a_method_is_what_the_request_line_says() {
    let setup = Setup::new();
    let (reader, admin) =
        (create_token(&setup, "reader", "read", &[]), create_token(&setup, "admin", "admin", &[]));
    let daemon = setup.start();
    let put = daemon
        .connect()
        .ask("PUT", "/files/a.txt", &[("Authorization", &bearer(&admin))], b"kept")
        .expect(201);
    let target = put.field("Location").expect("where it is").to_owned();
    let authorization = bearer(&reader);
    for (name, value) in
        [("X-HTTP-Method-Override", "DELETE"), ("X-HTTP-Method", "DELETE"), ("X-Method-Override", "DELETE")]
    {
        let fields = [("Authorization", authorization.as_str()), (name, value)];
        daemon.connect().ask("GET", &target, &fields, b"").expect(200);
        daemon.connect().ask("POST", &target, &fields, b"").expect(405);
    }
    daemon
        .connect()
        .ask("GET", &format!("{target}?_method=DELETE"), &[("Authorization", &authorization)], b"")
        .expect(200);
}
