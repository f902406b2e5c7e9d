//! Fields of a read: strong tag, type, name, digest, dates; HEAD answers as GET without the bytes.

use crate::support::content::samples;
use crate::support::{Daemon, Form, random_bytes, sha256, sha256_base64};

#[test]
fn a_read_says_what_it_is() {
    let daemon = Daemon::start();
    for content in [samples::png(1), [samples::png(2), random_bytes(1, 600_000)].concat()] {
        let hash = sha256(&content);
        let form = Form::new().part(
            "Content-Disposition: form-data; name=\"f\"; filename*=UTF-8''Caf%C3%A9%20%221%22.png",
            &content,
        );
        let record = form.send(&mut daemon.connect()).stored().remove(0);
        for target in [format!("/files/{hash}"), format!("/{}", record["path"].as_str().expect("a path"))] {
            let mut client = daemon.connect();
            let get = client.get(&target).expect(200);
            let head = client.ask("HEAD", &target, &[], b"").expect(200);
            for (name, value) in [
                ("ETag", format!("\"{hash}\"")),
                ("Content-Type", "image/png".to_owned()),
                ("Content-Length", content.len().to_string()),
                ("Repr-Digest", sha256_base64(&content)),
                ("Accept-Ranges", "bytes".to_owned()),
                ("Cache-Control", "private, no-cache".to_owned()),
                ("X-Content-Type-Options", "nosniff".to_owned()),
                ("Content-Security-Policy", "sandbox; default-src 'none'".to_owned()),
                ("Cross-Origin-Resource-Policy", "same-origin".to_owned()),
            ] {
                assert_eq!(get.field(name), Some(value.as_str()), "{name} of GET {target}");
                assert_eq!(head.field(name), Some(value.as_str()), "{name} of HEAD {target}");
            }
            let disposition = get.field("Content-Disposition").expect("a name");
            assert!(disposition.contains("filename*=UTF-8''Caf%C3%A9%20%221%22.png"), "{disposition}");
            assert!(get.field("Last-Modified").is_some_and(|date| date.ends_with(" GMT")));
            assert!(get.field("Date").is_some_and(|date| date.ends_with(" GMT")));
            assert_eq!(get.body, content);
        }
    }
}

#[test]
fn the_type_is_the_names_at_a_path_and_the_first_names_at_a_hash() {
    let daemon = Daemon::start();
    let content = b"a,b\n1,2\n";
    daemon.upload("first.csv", content);
    let second = daemon.upload("second.txt", content);
    let of = |target: String| daemon.get(&target).field("Content-Type").expect("a type").to_owned();
    assert_eq!(of(format!("/files/{}", sha256(content))), "text/csv");
    assert!(of(format!("/{}", second["path"].as_str().expect("a path"))).starts_with("text/plain"));
}
