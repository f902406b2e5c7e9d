//! `rhinobox ls` and `rhinobox search`: what is stored, page by page.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::form::write_encoded;
use super::http::Content;
use super::retry::Retry;
use super::{Client, ClientError, Outcome, show};
use crate::limits::{CLIENT_ANSWER_BYTES_MAX, CLIENT_PAGE_FILES};

/// Which files to list, as the contract has it.
#[derive(Clone, Default, Debug)]
pub struct Options {
    /// Filters: names and values of the query.
    pub filters: Vec<(&'static str, String)>,
    /// No more than this; `None`: all.
    pub limit: Option<u64>,
    /// As one JSON text.
    pub json: bool,
    /// How long a request that does not succeed is tried again.
    pub patience: std::time::Duration,
}

#[derive(Deserialize)]
struct Page {
    files: Vec<Map<String, Value>>,
    #[serde(default)]
    next_cursor: Option<String>,
}

/// Lists them.
///
/// # Errors
/// Why not.
pub fn run(client: &Client, options: &Options) -> Result<Outcome, ClientError> {
    let retry = Retry::new(options.patience);
    let mut left = options.limit.unwrap_or(u64::MAX);
    let (mut cursor, mut listed) = (None::<String>, 0u64);
    if options.json {
        show::line("{\"files\": [")?;
    }
    while left > 0 {
        let mut query = options.filters.clone();
        query.push(("limit", left.min(CLIENT_PAGE_FILES).to_string()));
        query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
        let target = target("/files", &query);
        let page: Page = retry
            .run(|| client.json("GET", &target, &[], Content::Nothing, (&[], CLIENT_ANSWER_BYTES_MAX)))?;
        let files: Vec<_> =
            page.files.into_iter().take(usize::try_from(left).unwrap_or(usize::MAX)).collect();
        left -= files.len() as u64;
        if options.json {
            print_json(&files, listed == 0)?;
        } else {
            print_table(&files, listed == 0)?;
        }
        listed += files.len() as u64;
        match page.next_cursor {
            // A page may be empty where much was filtered out; a cursor that leads nowhere ends it.
            Some(next) if !next.is_empty() => cursor = Some(next),
            _ => break,
        }
    }
    if options.json {
        show::line("]}")?;
    }
    Ok(Outcome::Done)
}

/// A path and its query.
pub(super) fn target(path: &str, query: &[(&'static str, String)]) -> String {
    let mut target = path.as_bytes().to_vec();
    for (at, (name, value)) in query.iter().enumerate() {
        target.push(if at == 0 { b'?' } else { b'&' });
        target.extend_from_slice(name.as_bytes());
        target.push(b'=');
        write_encoded(&mut target, value);
    }
    String::from_utf8_lossy(&target).into_owned()
}

fn print_json(files: &[Map<String, Value>], first: bool) -> Result<(), ClientError> {
    for (at, file) in files.iter().enumerate() {
        let comma = if first && at == 0 { "" } else { "," };
        show::line(&format!("{comma}{}", show::json(file)?))?;
    }
    Ok(())
}

fn print_table(files: &[Map<String, Value>], first: bool) -> Result<(), ClientError> {
    let mut rows = Vec::with_capacity(files.len() + 1);
    if first && !files.is_empty() {
        rows.push(["UPLOADED", "SIZE", "TYPE", "PATH", "NAME"].map(str::to_owned).to_vec());
    }
    for file in files {
        let text =
            |field: &str| show::text(file.get(field).and_then(Value::as_str).unwrap_or("-")).into_owned();
        let size = file.get("size").and_then(Value::as_u64).map_or_else(|| "-".to_owned(), show::size);
        rows.push(vec![text("uploaded_at"), size, text("mime_type"), text("path"), text("original_name")]);
    }
    show::table(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_holds_what_was_typed_whatever_it_is() {
        let query = [("q", "a&b=c d\u{e9}%#".to_owned()), ("limit", "5".to_owned())];
        assert_eq!(target("/files", &query), "/files?q=a%26b%3Dc%20d%C3%A9%25%23&limit=5");
    }
}
