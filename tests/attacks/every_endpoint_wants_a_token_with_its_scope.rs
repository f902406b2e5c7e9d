//! With tokens nobody gets anywhere without the right one; what is open carries no data.

use crate::support::{Daemon, Form, Setup, bearer, create_token, sha256};

const CONTENT: &[u8] = b"what only some may have";

struct Case {
    method: &'static str,
    target: String,
    content_type: &'static str,
    body: Vec<u8>,
    scopes: &'static [&'static str],
}

fn cases(hash: &str, path: &str) -> Vec<Case> {
    let case = |method, target: &str, content_type, body: &[u8], scopes| Case {
        method,
        target: target.to_owned(),
        content_type,
        body: body.to_vec(),
        scopes,
    };
    let json = "application/json";
    let form = Form::of("a.txt", CONTENT);
    let mut cases = vec![
        case("PUT", "/files/b.txt", "text/plain", CONTENT, &["upload"]),
        case("POST", &format!("/files/{hash}/names"), json, b"{\"name\":\"c.txt\"}", &["upload"]),
        case(
            "POST",
            "/names",
            json,
            format!("{{\"names\":[{{\"hash\":\"{hash}\",\"name\":\"d\"}}]}}").as_bytes(),
            &["upload"],
        ),
        case("POST", "/dedup", json, format!("{{\"hashes\":[\"{hash}\"]}}").as_bytes(), &["upload", "read"]),
        case("GET", &format!("/files/{hash}"), "", b"", &["read"]),
        case("HEAD", &format!("/files/{hash}"), "", b"", &["read"]),
        case("GET", &format!("/files/{hash}/meta"), "", b"", &["read"]),
        case("GET", &format!("/{path}"), "", b"", &["read"]),
        case("GET", "/stats", "", b"", &["read"]),
        case("GET", "/metrics", "", b"", &["read"]),
        // Last, for it takes away what the others ask for.
        case("DELETE", &format!("/{path}"), "", b"", &["delete"]),
        case("DELETE", &format!("/files/{hash}"), "", b"", &["delete"]),
    ];
    let content_type = Box::leak(Form::content_type().into_boxed_str());
    cases.insert(0, case("POST", "/ingest/media", content_type, &form.bytes(), &["upload"]));
    cases
}

fn ask(daemon: &Daemon, case: &Case, authorization: Option<&str>) -> crate::support::Response {
    let mut fields = vec![];
    if !case.content_type.is_empty() {
        fields.push(("Content-Type", case.content_type));
    }
    fields.extend(authorization.map(|value| ("Authorization", value)));
    daemon.connect().ask(case.method, &case.target, &fields, &case.body)
}

#[test]
fn each_scope_does_what_it_says_and_nothing_else() {
    let daemon = Daemon::start();
    let path = daemon.upload("a.txt", CONTENT)["path"].as_str().expect("a path").to_owned();
    let setup = daemon.stop();
    let tokens =
        ["upload", "read", "delete", "admin"].map(|scope| (scope, create_token(&setup, scope, scope, &[])));
    let daemon = setup.start();
    daemon.wait_until_said("tokens: 4, ");
    let hash = sha256(CONTENT);
    for case in cases(&hash, &path) {
        let shown = format!("{} {}", case.method, case.target);
        let response = ask(&daemon, &case, None);
        assert_eq!(response.status, 401, "{shown}");
        let challenges: Vec<_> = response
            .fields
            .iter()
            .filter(|(name, _)| name == "WWW-Authenticate")
            .map(|(_, value)| value.as_str())
            .collect();
        assert_eq!(
            challenges,
            ["Bearer realm=\"rhinobox\"", "Basic realm=\"rhinobox\", charset=\"UTF-8\""],
            "{shown}"
        );
        for (scope, token) in
            tokens.iter().filter(|(scope, _)| *scope != "admin" && !case.scopes.contains(scope))
        {
            let response = ask(&daemon, &case, Some(&bearer(token)));
            assert_eq!(response.status, 403, "{shown} with {scope}");
            let challenge = response.field("WWW-Authenticate").expect("it says what is wanted");
            assert!(
                challenge.contains("insufficient_scope") && challenge.contains(case.scopes[0]),
                "{challenge}"
            );
            if case.method != "HEAD" {
                let error = response.error();
                assert!(error.contains(&format!("`{scope}`")), "{error} names the token");
                assert!(case.scopes.iter().all(|scope| error.contains(&format!("`{scope}`"))), "{error}");
            }
        }
        for (scope, token) in tokens.iter().filter(|(scope, _)| case.scopes.contains(scope)) {
            let response = ask(&daemon, &case, Some(&bearer(token)));
            assert!((200..300).contains(&response.status), "{shown} with {scope}: {}", response.text());
        }
        // Of deletes nothing is left to be done by now.
        let status = ask(&daemon, &case, Some(&bearer(&tokens[3].1))).status;
        assert!(
            (200..300).contains(&status) || (case.method == "DELETE" && status == 404),
            "{shown} with admin: {status}"
        );
        if case.method == "DELETE" {
            ask(&daemon, &cases(&hash, &path)[0], Some(&bearer(&tokens[3].1))).expect(200);
        }
    }
}

#[test]
fn what_is_open_is_open_and_what_is_nothing_is_told_to_nobody() {
    let setup = Setup::new();
    let token = create_token(&setup, "reader", "read", &[]);
    let daemon = setup.start();
    for target in ["/healthz", "/readyz", "/", "/ui/style.css"] {
        assert_eq!(daemon.get(target).status, 200, "{target}");
    }
    let page = daemon.connect().ask("GET", "/", &[("Accept", "text/html")], b"").expect(200);
    assert!(page.text().contains("<html"), "the page itself loads, so that a person can sign in");
    for (method, target) in [
        ("GET", "/nothing"),
        ("POST", "/healthz"),
        ("GET", "/files/12"),
        ("POST", "/ingest"),
        ("BREW", "/stats"),
    ] {
        let (without, with) = (daemon.connect().ask(method, target, &[], b""), bearer(&token));
        assert_eq!(without.status, 401, "{method} {target}");
        let with = daemon.connect().ask(method, target, &[("Authorization", &with)], b"");
        assert!([400, 404, 405, 501].contains(&with.status), "{method} {target}: {}", with.status);
    }
}

#[test]
fn a_token_is_taken_as_password_and_a_page_asks_by_itself() {
    let setup = Setup::new();
    let token = create_token(&setup, "reader", "read", &[]);
    let daemon = setup.start();
    for user in ["", "anybody"] {
        let basic = format!("Basic {}", crate::support::base64(format!("{user}:{token}").as_bytes()));
        assert_eq!(
            daemon.connect().ask("GET", "/stats", &[("Authorization", &basic)], b"").status,
            200,
            "{user}"
        );
    }
    let by_script = daemon.connect().ask("GET", "/stats", &[("Sec-Fetch-Mode", "cors")], b"").expect(401);
    assert_eq!(by_script.field("WWW-Authenticate"), Some("Bearer realm=\"rhinobox\""));
    assert!(
        !by_script.fields.iter().any(|(_, value)| value.starts_with("Basic")),
        "no window of the browser's own"
    );
}
