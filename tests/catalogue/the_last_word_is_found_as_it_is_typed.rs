//! The last word of `q` may go on: every beginning of what is sought finds it, however it is sorted, and the words before it
//! are whole.

use super::list::{all, names};
use crate::support::Daemon;
use crate::support::form::Form;

#[test]
fn the_last_word_is_found_as_it_is_typed() {
    let daemon = Daemon::start();
    let mut client = daemon.connect();
    let mut form = Form::new();
    for number in 0..1_500 {
        form = form.file(&format!("other {number}.txt"), format!("other {number}").as_bytes());
    }
    form.send(&mut client).expect(200);
    Form::new()
        .field("comment", "Sunset at noon")
        .file("Beach Photo.txt", b"beach")
        .send(&mut client)
        .expect(200);
    Form::new().file("beach phone.txt", b"phone").send(&mut client).expect(200);
    let mut form = Form::new();
    for number in 1_500..3_000 {
        form = form.file(&format!("other {number}.txt"), format!("other {number}").as_bytes());
    }
    form.send(&mut client).expect(200);
    daemon.wait_for_catalogue();
    for sort in ["newest", "oldest", "largest", "smallest", "name", "name_desc"] {
        let mut found = |q: &str| {
            let mut names = names(&all(&mut client, &format!("q={q}&sort={sort}"), 1));
            names.sort();
            names
        };
        let sought = "beach+photo";
        for end in 1..sought.len() {
            let both = end <= "beach+pho".len();
            let expected =
                if both { &["Beach Photo.txt", "beach phone.txt"][..] } else { &["Beach Photo.txt"][..] };
            assert_eq!(found(&sought[..end]), expected, "{sort}, {}", &sought[..end]);
        }
        assert_eq!(found("sun"), ["Beach Photo.txt"], "{sort}");
        assert_eq!(found("sun+"), [""; 0], "{sort}");
        assert_eq!(found("bea+photo"), [""; 0], "{sort}");
    }
    let first = daemon.get("/files?q=o&sort=name&limit=3").expect(200).json();
    assert_eq!(
        names(first["files"].as_array().expect("a list")),
        ["other 0.txt", "other 1.txt", "other 10.txt"]
    );
}
