//! Asking for lists.

use serde_json::Value;

use crate::support::client::Client;

/// A page: its files, and the cursor of the next.
#[track_caller]
pub(crate) fn page(client: &mut Client, query: &str) -> (Vec<Value>, Option<String>) {
    let answer = client.get(&format!("/files?{query}")).expect(200).json();
    let files = answer["files"].as_array().expect("files is a list").clone();
    let next = &answer["next_cursor"];
    assert!(next.is_null() || next.is_string(), "{next}");
    (files, next.as_str().map(str::to_owned))
}

/// The whole list, page by page of this size.
#[track_caller]
pub(crate) fn all(client: &mut Client, query: &str, limit: usize) -> Vec<Value> {
    let mut files = Vec::new();
    let mut cursor = String::new();
    loop {
        let (some, next) = page(client, &format!("{query}&limit={limit}&cursor={cursor}"));
        assert!(some.len() <= limit, "{} files on a page of {limit}", some.len());
        files.extend(some);
        let Some(next) = next else { return files };
        assert!(!files.is_empty(), "a cursor behind nothing");
        cursor = next;
    }
}

/// What they are called, in their order.
pub(crate) fn names(files: &[Value]) -> Vec<String> {
    files.iter().map(|file| file["original_name"].as_str().expect("a file has a name").to_owned()).collect()
}

/// Their paths, in their order.
pub(crate) fn paths(files: &[Value]) -> Vec<String> {
    files.iter().map(|file| file["path"].as_str().expect("a file has a path").to_owned()).collect()
}
