//! `PATCH /storage/...`: comment and tags, their limits, and where they are seen.

use serde_json::{Value, json};

use super::list::{all, names};
use crate::support::client::Client;
use crate::support::form::Form;
use crate::support::{Daemon, sha256};

const JSON: [(&str, &str); 1] = [("Content-Type", "application/json")];

fn patch(client: &mut Client, path: &str, change: &Value) -> crate::support::Response {
    client.ask("PATCH", path, &JSON, change.to_string().as_bytes())
}

#[test]
fn comment_and_tags_are_changed_and_seen_everywhere() {
    let daemon = Daemon::start();
    let mut client = daemon.connect();
    for name in ["first.txt", "second.txt", "third.txt"] {
        daemon.upload(name, name.as_bytes());
    }
    let form = Form::new().field("comment", "as uploaded").file("photo.txt", b"photo");
    let stored = form.send(&mut client).stored().remove(0);
    let path = format!("/{}", stored["path"].as_str().expect("a text"));
    daemon.upload("last.txt", b"last");

    let tagged =
        patch(&mut client, &path, &json!({"tags": {"place": "Oslo", "year": "2025"}})).expect(200).json();
    let mut expected = stored.clone();
    expected["tags"] = json!({"place": "Oslo", "year": "2025"});
    assert_eq!(tagged, expected, "the rest stays, the time of the upload too");
    let changed = patch(&mut client, &path, &json!({"comment": "another remark", "tags": {"year": null}}));
    expected["comment"] = json!("another remark");
    expected["tags"] = json!({"place": "Oslo"});
    assert_eq!(changed.expect(200).json(), expected);
    assert_eq!(patch(&mut client, &path, &json!({})).expect(200).json(), expected, "nothing changes");

    let mut daemon = daemon;
    for round in 0..3 {
        daemon.wait_for_catalogue();
        let mut client = daemon.connect();
        let meta = client.get(&format!("/files/{}/meta", sha256(b"photo"))).expect(200).json();
        assert_eq!(meta["names"][0]["tags"], json!({"place": "Oslo"}), "round {round}");
        assert_eq!(meta["names"][0]["comment"], "another remark");
        assert_eq!(all(&mut client, "q=oslo", 10), [expected.clone()]);
        assert_eq!(all(&mut client, "q=another+remark", 10), [expected.clone()]);
        assert_eq!(all(&mut client, "q=uploaded", 10), [Value::Null; 0]);
        // It keeps its place in the order of arrival.
        let order = ["last.txt", "photo.txt", "third.txt", "second.txt", "first.txt"];
        assert_eq!(names(&all(&mut client, "", 2)), order);
        // Sent again, as by a client that does not know, it keeps what was said of it.
        Form::of("photo.txt", b"photo").send(&mut client).expect(200);
        daemon = if round == 0 { daemon.restart() } else { daemon.kill().start() };
    }
    let mut client = daemon.connect();
    let cleared =
        patch(&mut client, &path, &json!({"comment": null, "tags": {"place": null}})).expect(200).json();
    assert!(cleared["comment"] == "" && cleared.get("tags").is_none(), "{cleared}");
}

#[test]
fn tags_stay_however_often_the_file_is_sent_again() {
    let daemon = Daemon::start();
    let mut client = daemon.connect();
    let path = format!("/{}", daemon.upload("photo.txt", b"photo")["path"].as_str().expect("a text"));
    patch(&mut client, &path, &json!({"tags": {"place": "Oslo"}})).expect(200);
    for comment in ["one", "another", "another"] {
        Form::new().field("comment", comment).file("photo.txt", b"photo").send(&mut client).expect(200);
        let meta = client.get(&format!("/files/{}/meta", sha256(b"photo"))).expect(200).json();
        assert_eq!(meta["names"][0]["tags"], json!({"place": "Oslo"}), "{comment}");
        assert_eq!(meta["names"][0]["comment"], comment);
    }
}

#[test]
fn what_is_no_change_is_refused_and_changes_nothing() {
    let daemon = Daemon::start();
    let mut client = daemon.connect();
    let path = format!("/{}", daemon.upload("a.txt", b"a")["path"].as_str().expect("a text"));
    let long = "x".repeat(4_097);
    let many: Value =
        (0..65).map(|n| (format!("k{n}"), Value::from("v"))).collect::<serde_json::Map<_, _>>().into();
    for (change, says) in [
        (json!({"comment": long}), "the comment has 4097 bytes; the limit is 4096"),
        (json!({"tags": {"k": "v".repeat(256)}}), "a tag has 257 bytes"),
        (json!({"tags": {"": "v"}}), "a tag's key has at least one byte"),
        (json!({"tags": {"a\u{0}b": "v"}}), "a tag's key has"),
        (json!({"tags": many}), "more than 64 tags"),
        (json!({"name": "b.txt"}), "the body is not an object of changes"),
        (json!({"tags": ["a"]}), "the body is not an object of changes"),
        (json!({"comment": 1}), "the body is not an object of changes"),
        (json!([]), "the body is not an object of changes"),
    ] {
        let refused = patch(&mut client, &path, &change).expect(400);
        assert!(refused.error().contains(says), "{change}: {}", refused.error());
    }
    let most: serde_json::Map<_, _> =
        (0..64).map(|n| (format!("k{n}"), Value::from("v".repeat(250)))).collect();
    let taken =
        patch(&mut client, &path, &json!({"comment": "x".repeat(4_096), "tags": most})).expect(200).json();
    assert_eq!(taken["tags"].as_object().expect("it can be had").len(), 64);
    patch(&mut client, &path, &json!({"tags": {"one-more": ""}})).expect(400);
    patch(&mut client, "/storage/documents/txt/nothing.txt", &json!({})).expect(404);
    client.ask("PATCH", &path, &[("Content-Type", "text/plain")], b"{}").expect(415);
    daemon.wait_for_catalogue();
    // The refusal left a body unread and closed its connection.
    assert_eq!(all(&mut daemon.connect(), "", 10)[0], taken);
}
