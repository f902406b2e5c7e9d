//! An early 413 must be seen, not a reset: by curl and by Python, with a body of 600 MB behind the head, and by a client
//! that reads nothing before it has sent everything. What is passed over for that has bounds, and takes no memory.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::client::chunked;
use crate::support::{Client, Daemon, Setup, random_bytes, request};

fn limited() -> Daemon {
    Setup::new().flag("--max-upload-mb", "8").start()
}

/// A file of 600 MB that takes no space.
fn big_file(daemon: &Daemon) -> std::path::PathBuf {
    let path = daemon.data().parent().expect("in a folder").join("big.bin");
    let file = std::fs::File::create(&path).expect("the file is made");
    file.set_len(600 << 20).expect("the file has its size");
    path
}

#[test]
fn curl_sees_413() {
    let daemon = limited();
    let big = big_file(&daemon);
    let url = format!("http://127.0.0.1:{}", daemon.port());
    let form = format!("file=@{}", big.display());
    let upload = big.display().to_string();
    for arguments in [
        &["-F", form.as_str(), &format!("{url}/ingest/media")][..],
        &["-H", "Expect:", "-F", form.as_str(), &format!("{url}/ingest/media")],
        &["-T", upload.as_str(), &format!("{url}/files/big.bin")],
        &["-H", "Expect:", "-T", upload.as_str(), &format!("{url}/files/big.bin")],
        &["-H", "Transfer-Encoding: chunked", "-T", upload.as_str(), &format!("{url}/files/big.bin")],
    ] {
        let output = Command::new("curl")
            .args(["-sS", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "60"])
            .args(arguments)
            .output();
        let Ok(output) = output else { return println!("skipped: curl is not installed") };
        let status = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(status, "413", "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    daemon.serves();
}

#[test]
fn python_sees_413() {
    let daemon = limited();
    let big = big_file(&daemon);
    let script = r#"
import http.client, sys
port, path = int(sys.argv[1]), sys.argv[2]
connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
try:
    connection.request("PUT", "/files/big.bin", body=open(path, "rb"), headers={"Content-Length": str(600 << 20)})
except (BrokenPipeError, ConnectionResetError):
    pass
print("http.client", connection.getresponse().status)
try:
    import requests
except ImportError:
    print("requests is not installed")
else:
    with open(path, "rb") as body:
        print("requests", requests.put(f"http://127.0.0.1:{port}/files/big.bin", data=body, timeout=60).status_code)
"#;
    let output = Command::new("python3")
        .args(["-c", script, &daemon.port().to_string()])
        .arg(&big)
        .stdin(Stdio::null())
        .output();
    let Ok(output) = output else { return println!("skipped: python3 is not installed") };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    println!("{said}");
    assert!(said.contains("http.client 413"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    if said.contains("requests is not installed") {
        println!("skipped: requests is not installed");
    } else {
        assert!(said.contains("requests 413"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    }
    daemon.serves();
}

#[test]
fn a_client_that_sends_everything_before_it_reads_sees_413() {
    let daemon = limited();
    let declared: &[(&str, &str)] = &[("Content-Length", "24000000")];
    let form = &[("Content-Length", "24000000"), ("Content-Type", "multipart/form-data; boundary=x")];
    thread::scope(|scope| {
        for (method, target, fields) in [
            ("PUT", "/files/big.bin", declared),
            ("POST", "/ingest/media", form),
            ("GET", "/healthz", declared),
        ] {
            let mut client = daemon.connect();
            scope.spawn(move || {
                client.send(&request(method, target, fields, b""));
                // It takes some seconds: a slow machine, or a slow line.
                for piece in vec![7; 24_000_000].chunks(64_000) {
                    client.send(piece);
                    thread::sleep(Duration::from_millis(8));
                }
                let response = client.response();
                assert_eq!(response.status, 413, "{method} {target}");
                assert!(response.closes() && !response.error().is_empty());
                assert!(client.is_closed());
            });
        }
    });
    daemon.serves();
}

/// A client that was told 413 in the middle of its chunked body: by then it had the memory of an upload.
fn refused(daemon: &Daemon) -> Client {
    let mut client = daemon.connect();
    client.send(&request("PUT", "/files/big.bin", &[("Transfer-Encoding", "chunked")], b""));
    let body = chunked(&[7; 1_100_000], 64_000, "");
    client.send(&body[..body.len() - 5]);
    client.response().expect(413);
    client
}

#[test]
fn who_lingers_behind_a_refusal_holds_no_memory_and_is_closed_in_time() {
    // Memory for 128 uploads.
    let daemon =
        Setup::new().flag("--cores", "1").flag("--buffer-mib", "16").flag("--max-upload-mb", "1").start();
    let lingering: Vec<Client> = (0..300).map(|_| refused(&daemon)).collect();
    let content = random_bytes(1, 900_000);
    for _ in 0..3 {
        daemon.upload("good.bin", &content);
    }
    println!("{} connections beside it", daemon.metric("rhinobox_connections"));
    // None of them says another word, nor closes.
    daemon.wait_for_metric("rhinobox_connections", 1.0);
    drop(lingering);
    daemon.serves();
}

#[test]
fn a_stop_does_not_wait_for_who_lingers() {
    let daemon = Setup::new().flag("--max-upload-mb", "1").flag("--stop-timeout-s", "60").start();
    let mut client = refused(&daemon);
    let sending = thread::spawn(move || {
        while client.try_send(b"more").is_ok() {
            thread::sleep(Duration::from_millis(100));
        }
    });
    thread::sleep(Duration::from_millis(300));
    let begun = Instant::now();
    daemon.signal("TERM");
    assert_eq!(daemon.wait_for_exit().code(), Some(0), "{}", daemon.said());
    println!("stopped after {:.1?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(20));
    sending.join().expect("it was cut off");
}
