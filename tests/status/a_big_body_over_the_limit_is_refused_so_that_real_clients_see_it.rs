//! An early 413 must be seen, not a reset: by curl and by Python, with a body of 600 MB behind the head.

use std::process::{Command, Stdio};

use crate::support::{Daemon, Setup};

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
