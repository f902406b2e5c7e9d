//! Files that lie around on this machine, sent with curl as people do.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Daemon, sha256};

fn some_files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![root.join("Cargo.toml"), root.join("Cargo.lock"), root.join("src/main.rs")];
    for folder in ["/usr/share/doc", "/usr/share/pixmaps", "/usr/share/icons"] {
        let mut waiting = vec![PathBuf::from(folder)];
        let mut found = 0;
        while let Some(folder) = waiting.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let Ok(kind) = entry.file_type() else { continue };
                if kind.is_dir() && waiting.len() < 100 {
                    waiting.push(entry.path());
                } else if kind.is_file()
                    && found < 20
                    && !entry.path().to_string_lossy().contains([',', ';', '"'])
                {
                    found += 1;
                    files.push(entry.path());
                }
            }
        }
    }
    files
}

#[test]
fn what_curl_sends_is_what_comes_back() {
    let daemon = Daemon::start();
    let files = some_files();
    let mut command = Command::new("curl");
    command.args(["-sS", "--max-time", "60", "-F", "category=from disk"]);
    for file in &files {
        command.arg("-F").arg(format!("file=@{}", file.display()));
    }
    let Ok(output) = command.arg(format!("http://127.0.0.1:{}/ingest/media", daemon.port())).output() else {
        return println!("skipped: curl is not installed");
    };
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let records = answer["stored"].as_array().unwrap_or_else(|| panic!("{answer}"));
    assert_eq!(records.len(), files.len());
    for (record, file) in records.iter().zip(&files) {
        let content = std::fs::read(file).expect("it was readable");
        assert_eq!(record["hash"], sha256(&content).as_str(), "{}", file.display());
        let path = record["path"].as_str().expect("a path");
        assert_eq!(daemon.get(&format!("/{path}")).expect(200).body, content, "{}", file.display());
        assert!(path.contains("/from-disk/"), "{path}");
    }
    println!("{} real files", files.len());
}
