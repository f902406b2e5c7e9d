//! A folder goes up with its folders as names; a second run of it sends no content, and writes nothing.

use crate::program::{folder_of, run};
use crate::support::{Daemon, random_bytes, sha256};

#[test]
fn a_folder_is_stored_with_its_folders_and_the_second_run_sends_nothing() {
    let daemon = Daemon::start();
    let mut files: Vec<_> =
        (0..300).map(|seed| (format!("photos/d{}/f{seed}.bin", seed % 7), random_bytes(seed, 700))).collect();
    files.push(("photos/big.bin".to_owned(), random_bytes(1_000, 3_000_000)));
    files.push(("photos/empty.txt".to_owned(), Vec::new()));
    // Equal files: each its own name, one content.
    files.push(("photos/again.bin".to_owned(), random_bytes(5, 700)));
    files.push(("photos/big again.bin".to_owned(), random_bytes(1_000, 3_000_000)));
    let listed: Vec<_> = files.iter().map(|(name, content)| (name.as_str(), content.clone())).collect();
    let folder = folder_of(&listed);
    let photos = folder.join("photos");
    let put = |more: &str| {
        run(&daemon, &[&"put", &photos, &"--category", &"Holiday", &"--comment", &"c", &"--json", &more])
            .expect(0)
    };
    // Two threads may each find equal files missing; one does not.
    let first = put("-j1").json();
    assert_eq!(
        (&first["sent"], &first["failed"], &first["stopped"]),
        (&302.into(), &0.into(), &().into()),
        "{first}"
    );
    assert_eq!(first["known"], 2, "equal files are sent once");
    for (name, content) in &files {
        let told = first["files"]
            .as_array()
            .expect("files")
            .iter()
            .find(|told| told["file"].as_str().is_some_and(|file| file.ends_with(&format!("/{name}"))));
        let told = told.unwrap_or_else(|| panic!("{name} is not told of"));
        assert_eq!((&told["hash"], &told["size"]), (&sha256(content).into(), &content.len().into()));
        let path = told["path"].as_str().expect("a path");
        assert!(path.contains("/holiday/"), "{path}");
        assert_eq!(&daemon.get(&format!("/{path}")).expect(200).body, content);
    }
    let meta = daemon.get(&format!("/files/{}/meta", sha256(&random_bytes(8, 700)))).expect(200).json();
    let name = &meta["names"][0];
    assert_eq!((&name["folder"], &name["comment"]), (&"photos/d1".into(), &"c".into()), "{meta}");
    assert_eq!(name["original_name"], "f8.bin");

    let numbers = ["rhinobox_stored_bytes_total", "rhinobox_saved_bytes_total", "rhinobox_log_bytes_total"];
    let before = numbers.map(|name| daemon.metric(name));
    let second = put("-j3").json();
    assert_eq!(
        (&second["sent"], &second["known"], &second["sent_bytes"]),
        (&0.into(), &304.into(), &0.into())
    );
    for (name, before) in numbers.into_iter().zip(before) {
        assert!((daemon.metric(name) - before).abs() < 0.5, "{name} grew");
    }
}
