//! Many change one name at once, and the daemon is killed: every change that was answered is there. A name that was deleted
//! stays deleted, whoever was about to change it.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use crate::support::client::{Client, request};
use crate::support::form::Form;
use crate::support::{Daemon, sha256};

const JSON: [(&str, &str); 1] = [("Content-Type", "application/json")];

#[test]
fn changes_at_once_lose_nothing_to_each_other_or_to_a_kill() {
    let mut daemon = Daemon::start();
    let path = format!("/{}", daemon.upload("busy.txt", b"busy")["path"].as_str().expect("a text"));
    let answered: Mutex<BTreeMap<String, u64>> = Mutex::default();
    let mut begun = 0;
    for round in 0..5 {
        let address = daemon.address();
        begun += 1_000;
        let setup = thread::scope(|scope| {
            for client_number in 0..6 {
                let (answered, path) = (&answered, &path);
                scope.spawn(move || {
                    let Some(mut client) = Client::try_connect(address) else { return };
                    let tag = format!("t{client_number}");
                    for value in begun.. {
                        let change = format!("{{\"tags\":{{\"{tag}\":\"{value}\"}}}}");
                        let sent = client.try_send(&request("PATCH", path, &JSON, change.as_bytes()));
                        match sent.and_then(|()| client.try_response()) {
                            Ok(answer) if answer.status == 200 => {
                                answered.lock().expect("it can be had").insert(tag.clone(), value);
                            }
                            // Others came first for a whole second.
                            Ok(answer) => assert_eq!(answer.status, 503, "{}", answer.text()),
                            Err(_) => return,
                        }
                    }
                });
            }
            thread::sleep(Duration::from_millis(60 + 80 * round));
            daemon.kill()
        });
        daemon = setup.start();
        let meta = daemon.get(&format!("/files/{}/meta", sha256(b"busy"))).expect(200).json();
        for (tag, value) in answered.lock().expect("it can be had").iter() {
            let there: u64 =
                meta["names"][0]["tags"][tag].as_str().expect("a text").parse().expect("it can be had");
            assert!(there >= *value, "{tag} is {there}, and {value} was answered");
        }
    }
    assert_eq!(answered.lock().expect("it can be had").len(), 6, "all came to their turn");
}

#[test]
fn a_change_and_an_upload_at_once_keep_what_each_of_them_said() {
    let daemon = Daemon::start();
    let address = daemon.address();
    let path = format!("/{}", daemon.upload("both.txt", b"both")["path"].as_str().expect("a text"));
    let by_hash = format!("/files/{}/meta", sha256(b"both"));
    for round in 0..300 {
        let said = round.to_string();
        thread::scope(|scope| {
            scope.spawn(|| {
                let change = format!("{{\"tags\":{{\"round\":\"{said}\"}}}}");
                Client::connect(address).ask("PATCH", &path, &JSON, change.as_bytes()).expect(200);
            });
            scope.spawn(|| {
                let form = Form::new().field("comment", &said).file("both.txt", b"both");
                form.send(&mut Client::connect(address)).expect(200);
            });
        });
        let name = &daemon.get(&by_hash).expect(200).json()["names"][0];
        assert_eq!(
            (&name["tags"]["round"], &name["comment"]),
            (&said.as_str().into(), &said.as_str().into())
        );
    }
}

#[test]
fn a_name_that_was_deleted_is_not_back_through_a_change() {
    let daemon = Daemon::start();
    let address = daemon.address();
    let mut gone = Vec::new();
    for n in 0..40 {
        let content = format!("content {n}");
        let path =
            format!("/{}", daemon.upload("a.txt", content.as_bytes())["path"].as_str().expect("a text"));
        let by_hash = format!("/files/{}", sha256(content.as_bytes()));
        thread::scope(|scope| {
            for client_number in 0..3 {
                let path = &path;
                scope.spawn(move || {
                    let mut client = Client::connect(address);
                    for value in 0..20 {
                        let change = format!("{{\"tags\":{{\"t{client_number}\":\"{value}\"}}}}");
                        let answer = client.ask("PATCH", path, &JSON, change.as_bytes());
                        assert!(matches!(answer.status, 200 | 404), "{} {}", answer.status, answer.text());
                    }
                });
            }
            thread::sleep(Duration::from_micros(300 * n));
            let target = if n % 2 == 0 { &path } else { &by_hash };
            Client::connect(address).ask("DELETE", target, &[], b"").expect(204);
        });
        daemon.get(&path).expect(404);
        gone.extend([path, by_hash]);
    }
    let daemon = daemon.kill().start();
    for target in &gone {
        daemon.get(target).expect(404);
    }
    daemon.wait_for_catalogue();
    assert_eq!(daemon.get("/files").expect(200).json()["files"], serde_json::json!([]));
}
