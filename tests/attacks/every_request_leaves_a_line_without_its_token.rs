//! The access log says who asked for what, in lines that no client can forge, and keeps no secret that was shown.

use serde_json::Value;

use crate::support::client::request;
use crate::support::{Daemon, Setup, bearer, create_token};

fn logging() -> Setup {
    Setup::new().flag("--access-log", "on").flag("--log-format", "json")
}

/// The lines of requests. Only for a daemon that has ended: by then all are written.
fn lines(said: &str) -> Vec<Value> {
    let lines = said.lines().filter(|line| line.contains("\"target\":\"access\""));
    lines.map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn stopped(daemon: Daemon) -> String {
    daemon.signal("TERM");
    assert_eq!(daemon.wait_for_exit().code(), Some(0));
    daemon.said()
}

/// Asks on a connection of its own; how many bytes the answer had on the wire.
fn wire_bytes(daemon: &Daemon, method: &str, target: &str, token: &str, body: &[u8]) -> usize {
    let mut client = daemon.connect();
    let fields = [("Authorization", token), ("Connection", "close")];
    client.send(&request(method, target, &fields, body));
    client.read_to_end().len()
}

#[test]
fn a_line_names_the_token_and_counts_what_passed() {
    let setup = logging();
    let token = create_token(&setup, "camera-7", "upload,read", &[]);
    let daemon = setup.start();
    let body = vec![b'x'; 100_000];
    let put = wire_bytes(&daemon, "PUT", "/files/a.txt?comment=c", &bearer(&token), &body);
    let target = daemon.connect().ask("PUT", "/files/a.txt", &[("Authorization", &bearer(&token))], &body);
    let target = target.field("Location").expect("where it is").to_owned();
    let get = wire_bytes(&daemon, "GET", &target, &bearer(&token), b"");
    let refused = wire_bytes(&daemon, "DELETE", &target, &bearer(&token), b"");
    assert!(get > body.len());
    let said = stopped(daemon);
    assert!(!said.contains(&token) && !said.contains("Bearer"), "{said}");
    let lines = lines(&said);
    let line = |method: &str, uri: &str| {
        let mut found = lines.iter().filter(|line| line["method"] == method && line["uri"] == uri);
        found.next().unwrap_or_else(|| panic!("no line of {method} {uri} in {lines:?}"))
    };
    for (line, status, bytes_in, bytes_out) in [
        (line("PUT", "/files/a.txt?comment=c"), 201, body.len(), put),
        (line("GET", &target), 200, 0, get),
        (line("DELETE", &target), 403, 0, refused),
    ] {
        assert_eq!(line["status"], status, "{line}");
        assert_eq!(line["bytes_in"], bytes_in, "{line}");
        assert_eq!(line["bytes_out"], bytes_out, "{line}");
        assert_eq!(line["token"], "camera-7", "{line}");
        assert!(line["ms"].as_f64().is_some_and(|ms| ms >= 0.0), "{line}");
        assert!(line["peer"].as_str().is_some_and(|peer| peer.starts_with("127.0.0.1:")), "{line}");
        assert_eq!(line["request"].as_str().map(str::len), Some(16), "{line}");
    }
    assert_eq!(lines.len(), 4, "one for each request");
}

#[test]
fn no_target_forges_a_line_and_no_token_in_one_is_kept() {
    let setup = logging();
    let token = create_token(&setup, "all", "admin", &[]);
    let daemon = setup.start();
    let hostile = "/a\",\"status\":200,\"token\":\"root\"}\\\u{202e}\u{9b}31m";
    daemon.connect().ask("GET", hostile, &[], b"");
    let long = format!("/{}", "b".repeat(4_000));
    daemon.connect().ask("GET", &long, &[], b"");
    for target in [format!("/stats?token={token}"), format!("/{}{token}", "c".repeat(480))] {
        assert_eq!(daemon.get(&target).status, 401, "{target}");
    }
    daemon.connect().ask("GET", "/stats", &[("Authorization", &format!("Bearer {token}x"))], b"");
    let mut broken = daemon.connect();
    broken.send(b"GET /d HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
    broken.read_to_end();
    let said = stopped(daemon);
    let secret = token.split_once('_').expect("a prefix").1;
    assert!(!said.contains(&secret[..16]), "not even part of it: {said}");
    assert!(!said.chars().any(|char| char != '\n' && (char.is_control() || char == '\u{202e}')), "{said:?}");
    let lines = lines(&said);
    assert_eq!(lines.len(), 6, "{lines:?}");
    assert!(lines.iter().all(|line| line["status"] != 200 && line["token"].is_null()), "{lines:?}");
    assert!(lines.iter().any(|line| line["method"].is_null() && line["status"] == 400), "{lines:?}");
    assert!(lines.iter().all(|line| line["uri"].as_str().is_none_or(|uri| uri.len() < 600)), "{lines:?}");
}

/// Without percent signs, however often they stand behind each other.
fn unescaped(text: &str) -> String {
    let mut plain = text.to_owned();
    while let Some((at, byte)) = plain.match_indices('%').find_map(|(at, _)| {
        let digits = plain.get(at + 1..at + 3)?;
        Some((at, u8::from_str_radix(digits, 16).ok()?))
    }) {
        plain.replace_range(at..at + 3, &char::from(byte).to_string());
    }
    plain
}

#[test]
fn no_token_is_kept_of_a_target_that_hides_it_behind_percent_signs() {
    let setup = logging();
    let token = create_token(&setup, "all", "admin", &[]);
    let daemon = setup.start();
    let once: String = token.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let every_other: String = token.char_indices().fold(String::new(), |text, (at, char)| {
        if at % 2 == 0 { text + &format!("%{:02x}", u32::from(char)) } else { format!("{text}{char}") }
    });
    let hidden = [
        format!("/stats?token={once}"),
        format!("/stats?t%6fken={every_other}&x=1"),
        format!("/stats?{}", once.replace('%', "%25")),
        format!("/storage/{once}"),
        format!("/storage/a%2f{}/b", token.replacen('r', "%72", 1)),
        format!("/files/{}", token.replacen('_', "%5f", 1)),
        format!("/stats?token={}", token.to_uppercase()),
    ];
    for target in &hidden {
        daemon.connect().ask("GET", target, &[], b"").expect(401);
    }
    let said = stopped(daemon);
    let secret = token.split_once('_').expect("a prefix").1;
    let lines = lines(&said);
    assert_eq!(lines.len(), hidden.len(), "{lines:?}");
    for (line, target) in lines.iter().zip(&hidden) {
        let shown = unescaped(line["uri"].as_str().expect("a target")).to_lowercase();
        assert!(!shown.contains(&secret[..16]), "{target}: {shown}");
        assert!(shown.contains("rhinobox_…"), "{target}: {shown}");
    }
}

#[test]
fn a_person_gets_lines_too_and_off_means_none() {
    let daemon = Setup::new().flag("--access-log", "on").start();
    daemon.get("/healthz").expect(200);
    assert!(daemon.metric("rhinobox_access_log_dropped_total").abs() < f64::EPSILON);
    let said = stopped(daemon);
    assert!(said.contains(" INFO access: \"GET\" \"/healthz\" 200 in=0 out="), "{said}");
    let daemon = Setup::new().start();
    daemon.get("/healthz").expect(200);
    let said = stopped(daemon);
    assert!(!said.contains("access") && !said.contains("/healthz"), "{said}");
}
