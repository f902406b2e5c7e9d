//! `GET /files`: what is stored as a list, filtered, searched and sorted, page by page. The catalogue looks it up on a
//! thread of its own; the core only waits.

use std::borrow::Cow;

use super::conn::{Conn, Trouble};
use super::{answer, described};
use crate::base::ids::StoreId;
use crate::base::time::Wall;
use crate::catalogue::{Catalogue, Category, Cursor, NoAnswer, Order, Page, Query};
use crate::http::chars::decimal;
use crate::http::error::{Extra, HttpError, Status};
use crate::http::head::Head;
use crate::http::json::{write_number, write_string};
use crate::http::response::Persistence;
use crate::http::target::{parameter, parameter_names};
use crate::limits::{
    CATEGORY_BYTES_MAX, LIST_FILES_MAX, LIST_FILES_USUAL, SEARCH_BYTES_MAX, SEARCH_WORDS_MAX,
};
use crate::media::name::push_slug;
use crate::media::table::MediaType;

/// A page of a list.
///
/// # Errors
/// 400 for what does not parse, 503 where the catalogue has no answer now.
pub async fn list(conn: &mut Conn, head: &Head, persistence: Persistence) -> Result<Persistence, Trouble> {
    let catalogue = catalogue(conn)?;
    let query = read_query(head.query(), catalogue.store())?;
    let kept = query.clone();
    let page = catalogue.list(query).await.map_err(no_answer)?;
    let body = write_page(&page, &kept, catalogue.store());
    answer::long_json(conn, head, persistence, body).await
}

/// The catalogue, if there is one.
///
/// # Errors
/// 501 where the operator wants none.
pub(super) fn catalogue(conn: &Conn) -> Result<std::sync::Arc<Catalogue>, HttpError> {
    conn.core.shared.catalogue().cloned().ok_or_else(|| {
        HttpError::new(
            Status::NotImplemented,
            "this daemon keeps no catalogue: it was started with --catalogue off",
        )
    })
}

/// 503, with the reason.
pub(super) fn no_answer(why: NoAnswer) -> HttpError {
    let message = match why {
        NoAnswer::Busy => "too many lists are asked for at once",
        NoAnswer::Incomplete => {
            "the catalogue is being made from the log; nothing is listed until it is whole"
        }
        NoAnswer::TooLong => "the list took too long: ask for less, or sort it by newest",
        NoAnswer::Unreadable => "the catalogue cannot be read now; the daemon's log says why",
    };
    HttpError::new(Status::ServiceUnavailable, message).with(Extra::RetryAfter(1))
}

fn write_page(page: &Page, query: &Query, store: StoreId) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + 512 * page.files.len());
    out.extend_from_slice(b"{\"files\":[");
    for (number, file) in page.files.iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"path\":");
        write_string(&mut out, &file.path);
        out.extend_from_slice(b",\"hash\":\"");
        out.extend_from_slice(file.digest.hex().as_str().as_bytes());
        out.extend_from_slice(b"\",\"size\":");
        write_number(&mut out, file.size);
        out.push(b',');
        described::write(&mut out, &file.path, &file.attributes, file.time);
        out.push(b'}');
    }
    out.extend_from_slice(b"],\"next_cursor\":");
    match &page.next {
        Some(cursor) => write_string(&mut out, &cursor.encode(query, store)),
        None => out.extend_from_slice(b"null"),
    }
    out.push(b'}');
    out
}

/// Bytes of a day: `2025-11-15`.
const DAY_BYTES: usize = 10;

/// What may be asked.
const PARAMETERS: [&str; 10] =
    ["type", "category", "q", "since", "until", "min_size", "max_size", "sort", "limit", "cursor"];

/// What is asked. An empty value is none, as forms send them.
fn read_query(query: Option<&[u8]>, store: StoreId) -> Result<Query, HttpError> {
    if let Some(unknown) = parameter_names(query).find(|name| !PARAMETERS.contains(&&**name)) {
        let message = format!("a list has no parameter `{unknown}`; it has {}", PARAMETERS.join(", "));
        return Err(HttpError::bad_request(message));
    }
    let given = |name: &str| parameter(query, name).filter(|value| !value.is_empty());
    let mut asked = Query {
        media: given("type").map(|text| read_media(&text)).transpose()?,
        category: given("category").map(|text| read_category(&text)).transpose()?,
        search: read_search(given("q").unwrap_or_default())?,
        since: given("since").map(|text| read_time("since", &text)).transpose()?,
        until: given("until").map(|text| read_time("until", &text)).transpose()?,
        size_min: given("min_size").map(|text| read_bytes("min_size", &text)).transpose()?,
        size_max: given("max_size").map(|text| read_bytes("max_size", &text)).transpose()?,
        order: given("sort").map_or(Ok(Order::default()), |text| read_order(&text))?,
        limit: given("limit").map_or(Ok(LIST_FILES_USUAL), |text| read_limit(&text))?,
        behind: None,
    };
    if let Some(text) = given("cursor") {
        let foreign = "the cursor is none of this list: it was altered, or belongs to other filters, another order or \
                       another store; begin without one";
        let cursor = Cursor::decode(&text, &asked, store).ok_or_else(|| HttpError::bad_request(foreign))?;
        asked.behind = Some(cursor);
    }
    Ok(asked)
}

fn read_media(text: &str) -> Result<MediaType, HttpError> {
    text.parse().map_err(|()| {
        let names = MediaType::ALL.map(MediaType::as_str).join(", ");
        HttpError::bad_request(format!("type is one of {names}"))
    })
}

/// With a slash a folder, as records have it in `category`; without, the category that uploads gave.
fn read_category(text: &str) -> Result<Category, HttpError> {
    let slug = |part: &str| {
        let mut slug = String::new();
        push_slug(&mut slug, part, CATEGORY_BYTES_MAX);
        slug
    };
    let parts: Vec<String> = text.split('/').map(slug).filter(|part| !part.is_empty()).collect();
    if text.len() > 3 * CATEGORY_BYTES_MAX || parts.is_empty() {
        let message =
            "category is a category as uploads give it, or a folder such as images/jpg/holiday-2025";
        return Err(HttpError::bad_request(message));
    }
    let joined = parts.join("/");
    Ok(if text.contains('/') { Category::Folder(joined) } else { Category::Label(joined) })
}

fn read_search(text: Cow<'_, str>) -> Result<String, HttpError> {
    if text.len() > SEARCH_BYTES_MAX || text.split_whitespace().count() > SEARCH_WORDS_MAX {
        let message = format!("q has at most {SEARCH_BYTES_MAX} bytes and {SEARCH_WORDS_MAX} words");
        return Err(HttpError::bad_request(message));
    }
    Ok(text.into_owned())
}

fn read_time(name: &str, text: &str) -> Result<Wall, HttpError> {
    let moment = if text.len() == DAY_BYTES {
        format!("{text}T00:00:00Z")
    } else {
        // An offset's plus that nobody escaped came as a space.
        text.char_indices().map(|(at, char)| if at > DAY_BYTES && char == ' ' { '+' } else { char }).collect()
    };
    Wall::from_rfc3339(&moment).ok_or_else(|| {
        HttpError::bad_request(format!(
            "{name} is a day or a time such as 2025-11-15 or 2025-11-15T10:30:00Z"
        ))
    })
}

fn read_bytes(name: &str, text: &str) -> Result<u64, HttpError> {
    decimal(text.as_bytes()).ok_or_else(|| HttpError::bad_request(format!("{name} is a number of bytes")))
}

fn read_order(text: &str) -> Result<Order, HttpError> {
    const ORDERS: [(&str, Order); 6] = [
        ("newest", Order::Newest),
        ("oldest", Order::Oldest),
        ("largest", Order::Largest),
        ("smallest", Order::Smallest),
        ("name", Order::Name),
        ("name_desc", Order::NameDescending),
    ];
    ORDERS.iter().find(|(name, _)| *name == text).map(|(_, order)| *order).ok_or_else(|| {
        let names = ORDERS.map(|(name, _)| name).join(", ");
        HttpError::bad_request(format!("sort is one of {names}"))
    })
}

fn read_limit(text: &str) -> Result<usize, HttpError> {
    let number = decimal(text.as_bytes()).and_then(|number| usize::try_from(number).ok());
    number.filter(|limit| (1..=LIST_FILES_MAX).contains(limit)).ok_or_else(|| {
        HttpError::bad_request(format!("limit is a number of files from 1 to {LIST_FILES_MAX}"))
    })
}
