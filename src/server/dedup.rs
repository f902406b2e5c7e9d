//! `POST /dedup`: which of many contents are not stored yet.
//!
//! Always: what is not called missing was durable under a name, and not known to be damaged, when it was looked up. A hash
//! is answered in the letters it was asked in.

use std::borrow::Cow;

use serde::Deserialize;

use super::answer;
use super::body::Body;
use super::conn::{Conn, Trouble};
use super::json_body::{self, AtMost};
use crate::base::digest::Digest;
use crate::http::error::{HttpError, Status};
use crate::http::head::Head;
use crate::http::json::write_number;
use crate::http::response::Persistence;
use crate::ingest::Ingest;
use crate::limits::{DEDUP_HASHES_AT_ONCE, DEDUP_HASHES_MAX, JSON_BODY_BYTES_MAX, LOOKUPS_AHEAD};
use crate::runtime::core::yield_now;
use crate::store::index::Index;

/// Answers with those that are to be sent, in the order asked.
///
/// # Errors
/// 415, 400 for what is no such question, 413 for one that is too long.
pub async fn missing(
    conn: &mut Conn,
    head: &Head,
    body: &mut Body,
    persistence: Persistence,
    ingest: &Ingest,
) -> Result<Persistence, Trouble> {
    let text = json_body::read(conn, head, body, JSON_BODY_BYTES_MAX).await?;
    let asked = parse(&text)?;
    let mut out = Vec::with_capacity(64 + 67 * asked.len());
    out.extend_from_slice(b"{\"missing\":[");
    let mut present = 0;
    for (at, some) in asked.chunks(DEDUP_HASHES_AT_ONCE).enumerate() {
        if at > 0 {
            yield_now().await;
        }
        present += look_up(&ingest.store.index, some, &mut out);
    }
    if out.ends_with(b",") {
        out.pop();
    }
    out.extend_from_slice(b"],\"present\":");
    write_number(&mut out, present);
    out.push(b'}');
    // The answer takes the place of the question.
    drop(asked);
    drop(text);
    answer::json(conn, head, persistence, Status::Ok, out).await
}

/// Appends those that are missing, each with a comma behind it; gives how many are there.
fn look_up(index: &Index, asked: &[Hash<'_>], out: &mut Vec<u8>) -> u64 {
    let mut present = 0;
    asked.iter().take(LOOKUPS_AHEAD).for_each(|hash| index.prefetch_content(&hash.digest));
    for (at, hash) in asked.iter().enumerate() {
        if let Some(next) = asked.get(at + LOOKUPS_AHEAD) {
            index.prefetch_content(&next.digest);
        }
        let content = index.content(&hash.digest);
        if content.is_some_and(|content| content.first_name.is_some() && !content.damaged) {
            present += 1;
            continue;
        }
        out.push(b'"');
        // 64 hexadecimal digits.
        out.extend_from_slice(hash.text.as_bytes());
        out.extend_from_slice(b"\",");
    }
    present
}

/// A hash, and how it was written.
struct Hash<'a> {
    digest: Digest,
    text: Cow<'a, str>,
}

fn parse(text: &[u8]) -> Result<Vec<Hash<'_>>, HttpError> {
    let question: Question<'_> = json_body::parse(text, "an object with a list of hashes")?;
    question.hashes.all("hashes were asked about")?.into_iter().enumerate().map(read).collect()
}

fn read((at, Text(text)): (usize, Text<'_>)) -> Result<Hash<'_>, HttpError> {
    match Digest::from_hex(&text) {
        Some(digest) => Ok(Hash { digest, text }),
        None => {
            let message = format!("hashes[{at}] is not a SHA-256: 64 hexadecimal digits");
            Err(HttpError::bad_request(message))
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question<'a> {
    #[serde(borrow)]
    hashes: AtMost<Text<'a>, DEDUP_HASHES_MAX>,
}

/// A string, borrowed where it stands in the text as it is.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    fn refusal(text: &str) -> (u16, String) {
        let error = parse(text.as_bytes()).err().unwrap_or_else(|| panic!("{text:.60} was taken"));
        (error.status.code(), error.message.into_owned())
    }

    #[test]
    fn lists_of_hashes_are_read_as_they_are_written() {
        let upper = HASH.to_uppercase();
        let escaped = format!("\\u0039{}", &HASH[1..]);
        let text = format!(" {{\"hashes\" : [\"{HASH}\", \"{upper}\",\n\"{escaped}\"]}} ");
        let read = parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
        assert!(read.iter().all(|hash| hash.digest == Digest::of(b"test")));
        let texts: Vec<_> = read.iter().map(|hash| &*hash.text).collect();
        assert_eq!(texts, [HASH, &upper, HASH]);
        assert!(parse(b"{\"hashes\":[]}").is_ok_and(|read| read.is_empty()));
    }

    #[test]
    fn what_is_no_question_is_refused_in_a_sentence() {
        for text in [
            "",
            "[]",
            "{}",
            "{\"hashes\":1}",
            "{\"hashes\":[1]}",
            "{\"hashes\":[null]}",
            "{\"hashes\":[],\"more\":1}",
            "{\"hashes\":[]} x",
            "{\"hashes\":[],\"hashes\":[]}",
            "\u{feff}{\"hashes\":[]}",
        ] {
            let (status, why) = refusal(text);
            assert_eq!(status, 400, "{text}");
            assert!(why.starts_with("the body is not an object with a list of hashes: "), "{why}");
        }
        let (status, why) = refusal(&format!("{{\"hashes\":[\"{HASH}\",\"{}\",\"\"]}}", &HASH[1..]));
        assert_eq!((status, &*why), (400, "hashes[1] is not a SHA-256: 64 hexadecimal digits"));
    }

    #[test]
    fn no_more_is_asked_or_kept_than_the_limit() {
        let list = |count| format!("{{\"hashes\":[{}]}}", vec![format!("\"{HASH}\""); count].join(","));
        assert!(parse(list(DEDUP_HASHES_MAX).as_bytes()).is_ok_and(|read| read.len() == DEDUP_HASHES_MAX));
        let (status, why) = refusal(&list(DEDUP_HASHES_MAX + 1));
        assert_eq!((status, &*why), (413, "10001 hashes were asked about; the limit is 10000"));
    }
}
