//! `rhinobox stat` and `rhinobox stats`: what a daemon says of one content, and of all.

use std::time::Duration;

use serde_json::{Map, Value};

use super::http::Content;
use super::retry::Retry;
use super::what::What;
use super::{Client, ClientError, Outcome, show};
use crate::limits::CLIENT_ANSWER_BYTES_MAX;

/// Shows a content with all its names.
///
/// # Errors
/// Why not.
pub fn one(client: &Client, what: &What, json: bool, patience: Duration) -> Result<Outcome, ClientError> {
    let retry = Retry::new(patience);
    let found = match what {
        What::Hash(digest) => Ok(*digest),
        What::Path(_) => what.head(client, &retry).map(|head| head.digest),
    };
    let found = found.and_then(|digest| ask(client, &retry, &format!("/files/{digest}/meta")));
    match found {
        Err(ClientError::Refused { status: 404, .. }) => {
            show::note("rhinobox: nothing is stored there");
            Ok(Outcome::NotFound)
        }
        found => print(&found?, json),
    }
}

/// Shows the totals.
///
/// # Errors
/// Why not.
pub fn all(client: &Client, json: bool, patience: Duration) -> Result<Outcome, ClientError> {
    print(&ask(client, &Retry::new(patience), "/stats")?, json)
}

fn ask(client: &Client, retry: &Retry, target: &str) -> Result<Map<String, Value>, ClientError> {
    retry.run(|| client.json("GET", target, &[], Content::Nothing, (&[], CLIENT_ANSWER_BYTES_MAX)))
}

fn print(found: &Map<String, Value>, json: bool) -> Result<Outcome, ClientError> {
    if json {
        show::line(&show::json(found)?)?;
    } else {
        let mut rows = Vec::new();
        flatten("", &Value::Object(found.clone()), &mut rows);
        show::table(&rows)?;
    }
    Ok(Outcome::Done)
}

/// A row for each value that has no parts, with the way to it in front.
fn flatten(name: &str, value: &Value, rows: &mut Vec<Vec<String>>) {
    let mut row =
        |shown: &str| rows.push(vec![show::text(name).into_owned(), show::text(shown).into_owned()]);
    match value {
        Value::String(text) => row(text),
        Value::Object(fields) => {
            for (field, value) in fields {
                let name = if name.is_empty() { field.clone() } else { format!("{name}.{field}") };
                flatten(&name, value, rows);
            }
        }
        Value::Array(values) if values.is_empty() => row("none"),
        Value::Array(values) => {
            for (at, value) in values.iter().enumerate() {
                flatten(&format!("{name}[{at}]"), value, rows);
            }
        }
        other => row(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_values_are_shown_with_the_way_to_them() {
        let value =
            serde_json::json!({"a": 1, "b": {"c\u{1b}": "x\u{1b}", "d": [true, {"e": null}], "f": []}});
        let mut rows = Vec::new();
        flatten("", &value, &mut rows);
        let lines: Vec<_> = rows.iter().map(|row| row.join(" ")).collect();
        assert_eq!(lines, ["a 1", "b.c\\u{1b} x\\u{1b}", "b.d[0] true", "b.d[1].e null", "b.f none"]);
    }
}
