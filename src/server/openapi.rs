//! `GET /openapi.json`: the contract for programs, docs/openapi.yaml as JSON, built into the program. It needs no token: it
//! is the same for every daemon of this version.

use super::answer;
use super::conn::{Conn, Trouble};
use crate::http::error::Status;
use crate::http::head::Head;
use crate::http::response::Persistence;

/// Made by scripts/openapi.py; `make check` compares the two.
const DOCUMENT: &str = include_str!("../../docs/openapi.json");

/// The document.
///
/// # Errors
/// The client is gone.
pub async fn document(
    conn: &mut Conn,
    head: &Head,
    persistence: Persistence,
) -> Result<Persistence, Trouble> {
    answer::json(conn, head, persistence, Status::Ok, DOCUMENT).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::head::Method;
    use crate::http::route::route;

    /// Each operation of the document is an endpoint, and the version is the program's.
    #[test]
    fn the_document_names_endpoints_that_there_are() {
        let document: serde_json::Value = serde_json::from_str(DOCUMENT).unwrap();
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
        let mut operations = 0;
        for (path, item) in document["paths"].as_object().unwrap() {
            let hash = "0".repeat(64);
            let path = path.replace("{file}", &hash).replace("{hash}", &hash).replace("{path}", "a.txt");
            for method in item.as_object().unwrap().keys() {
                let method = match method.as_str() {
                    "get" => Method::Get,
                    "head" => Method::Head,
                    "post" => Method::Post,
                    "put" => Method::Put,
                    "patch" => Method::Patch,
                    "delete" => Method::Delete,
                    other => panic!("{other}"),
                };
                assert!(route(method, path.as_bytes()).is_ok(), "{method:?} {path}");
                operations += 1;
            }
        }
        assert!(operations > 15, "{operations}");
    }
}
