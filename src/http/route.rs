//! Which endpoint a request is for.
//!
//! [`route`] first finds the resource by the path alone, then the endpoint by the method; a resource that is
//! known without the method is 405 and lists the methods it has. A new endpoint is a variant of
//! [`Route`] and a row of the match in [`route`].

use std::borrow::Cow;

use super::error::{Extra, HttpError, Status};
use super::head::Method;
use super::target::{decode_path, lossy};
use crate::base::digest::Digest;
use crate::limits::PATH_BYTES_MAX;

/// An endpoint, with what its path names. Those that GET takes HEAD takes too; the caller leaves out the body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Route {
    /// `POST /ingest/media`
    Ingest,
    /// `PUT /files/{name}`
    PutFile {
        /// The decoded name: 64 hexadecimal digits stand for a content that must hash to them.
        name: String,
    },
    /// `POST /files/{hash}/names`
    Names {
        /// The content to name.
        hash: Digest,
    },
    /// `POST /dedup`
    Dedup,
    /// `POST /names`
    ManyNames,
    /// `GET /files/{hash}`
    File {
        /// The content asked for.
        hash: Digest,
    },
    /// `DELETE /files/{hash}`
    DeleteFile {
        /// The content to delete, with all its names.
        hash: Digest,
    },
    /// `DELETE /storage/…`
    DeleteStored {
        /// The decoded path, as for [`Route::Stored`].
        path: String,
    },
    /// `PATCH /storage/…`
    Amend {
        /// The decoded path, as for [`Route::Stored`].
        path: String,
    },
    /// `GET /files/{hash}/meta`
    Meta {
        /// The content asked about.
        hash: Digest,
    },
    /// `GET /files`
    Files,
    /// `GET /storage/…`
    Stored {
        /// The decoded path, from `storage/` on. No segment of it is empty, `.` or `..`.
        path: String,
    },
    /// `GET /healthz`
    Healthz,
    /// `GET /readyz`
    Readyz,
    /// `GET /metrics`
    Metrics,
    /// `GET /stats`
    Stats,
    /// `GET /openapi.json`
    OpenApi,
    /// An endpoint of the predecessor, whatever the method.
    Gone,
    /// `GET /`
    Root,
    /// `GET /ui/{name}`
    Part {
        /// Which part of the page, as sent: none has a name that needs percent signs.
        name: String,
    },
}

/// What a path names.
enum Resource<'a> {
    Root,
    Part(&'a [u8]),
    Ingest,
    Dedup,
    ManyNames,
    Gone,
    File(&'a [u8]),
    Meta(&'a [u8]),
    Names(&'a [u8]),
    Files,
    Stored(&'a [u8]),
    Healthz,
    Readyz,
    Metrics,
    Stats,
    OpenApi,
}

impl<'a> Resource<'a> {
    fn find(path: &'a [u8]) -> Option<Resource<'a>> {
        Some(match path {
            b"/" => Resource::Root,
            _ if path.starts_with(b"/ui/") => Resource::Part(&path[b"/ui/".len()..]),
            b"/ingest/media" => Resource::Ingest,
            b"/dedup" => Resource::Dedup,
            b"/names" => Resource::ManyNames,
            b"/ingest" | b"/ingest/" | b"/ingest/json" => Resource::Gone,
            b"/healthz" => Resource::Healthz,
            b"/readyz" => Resource::Readyz,
            b"/metrics" => Resource::Metrics,
            b"/stats" => Resource::Stats,
            b"/files" => Resource::Files,
            b"/openapi.json" => Resource::OpenApi,
            _ if path.starts_with(b"/storage/") => Resource::Stored(path),
            _ => {
                let mut segments = path.strip_prefix(b"/files/")?.split(|&byte| byte == b'/');
                match (segments.next()?, segments.next(), segments.next()) {
                    (b"", ..) => return None,
                    (name, None, None) => Resource::File(name),
                    (name, Some(b"meta"), None) => Resource::Meta(name),
                    (name, Some(b"names"), None) => Resource::Names(name),
                    _ => return None,
                }
            }
        })
    }

    /// The methods it has, as `Allow` lists them.
    fn allow(&self) -> &'static str {
        match self {
            Resource::Ingest | Resource::Dedup | Resource::ManyNames | Resource::Names(_) => "POST",
            Resource::File(_) => "GET, HEAD, PUT, DELETE",
            Resource::Stored(_) => "GET, HEAD, PATCH, DELETE",
            _ => "GET, HEAD",
        }
    }
}

/// The endpoint for `method` on `path`, the raw path of a target.
///
/// # Errors
/// 404 for an unknown path, 405 with `Allow` for a known one without the method, 400 for what is no hash or no
/// path: a stray percent sign, NUL, an encoded slash, a segment that climbs.
pub fn route(method: Method, path: &[u8]) -> Result<Route, HttpError> {
    let resource = Resource::find(path).ok_or_else(|| HttpError::not_found("no such resource"))?;
    match (&resource, method) {
        (Resource::Gone, _) => Ok(Route::Gone),
        (Resource::Ingest, Method::Post) => Ok(Route::Ingest),
        (Resource::Dedup, Method::Post) => Ok(Route::Dedup),
        (Resource::ManyNames, Method::Post) => Ok(Route::ManyNames),
        (Resource::File(name), Method::Put) => Ok(Route::PutFile { name: decode_name(name)? }),
        (Resource::File(hash), Method::Delete) => Ok(Route::DeleteFile { hash: parse_hash(hash)? }),
        (Resource::Stored(path), Method::Patch) => Ok(Route::Amend { path: decode_stored(path)? }),
        (Resource::Stored(path), Method::Delete) => Ok(Route::DeleteStored { path: decode_stored(path)? }),
        (Resource::Names(hash), Method::Post) => Ok(Route::Names { hash: parse_hash(hash)? }),
        (_, Method::Get | Method::Head) => get(&resource).unwrap_or_else(|| Err(not_allowed(&resource))),
        _ => Err(not_allowed(&resource)),
    }
}

fn get(resource: &Resource<'_>) -> Option<Result<Route, HttpError>> {
    Some(match resource {
        Resource::Root => Ok(Route::Root),
        Resource::Part(name) => Ok(Route::Part { name: lossy(Cow::Borrowed(*name)).into_owned() }),
        Resource::Healthz => Ok(Route::Healthz),
        Resource::Readyz => Ok(Route::Readyz),
        Resource::Metrics => Ok(Route::Metrics),
        Resource::Stats => Ok(Route::Stats),
        Resource::Files => Ok(Route::Files),
        Resource::OpenApi => Ok(Route::OpenApi),
        Resource::File(hash) => parse_hash(hash).map(|hash| Route::File { hash }),
        Resource::Meta(hash) => parse_hash(hash).map(|hash| Route::Meta { hash }),
        Resource::Stored(path) => decode_stored(path).map(|path| Route::Stored { path }),
        Resource::Ingest | Resource::Dedup | Resource::ManyNames | Resource::Names(_) | Resource::Gone => {
            return None;
        }
    })
}

fn not_allowed(resource: &Resource<'_>) -> HttpError {
    let allow = resource.allow();
    let message = format!("this resource takes {allow} only");
    HttpError::new(Status::MethodNotAllowed, message).with(Extra::Allow(allow))
}

fn parse_hash(segment: &[u8]) -> Result<Digest, HttpError> {
    let hash = std::str::from_utf8(segment).ok().and_then(Digest::from_hex);
    hash.ok_or_else(|| HttpError::bad_request("a content is named by 64 hexadecimal digits, its SHA-256"))
}

fn decode_name(segment: &[u8]) -> Result<String, HttpError> {
    let name =
        decode_path(segment).ok_or_else(|| HttpError::bad_request("malformed percent sign in the name"))?;
    Ok(lossy(name).into_owned())
}

/// The stored path: decoded once, so that what is checked is what is looked up.
fn decode_stored(path: &[u8]) -> Result<String, HttpError> {
    let malformed = || HttpError::bad_request("malformed stored path");
    let missing = || HttpError::not_found("nothing is stored at this path");
    let raw = path.strip_prefix(b"/").unwrap_or(path);
    let decoded = decode_path(raw).ok_or_else(malformed)?;
    let slashes = |bytes: &[u8]| memchr::memchr_iter(b'/', bytes).count();
    if slashes(&decoded) != slashes(raw) || memchr::memchr(0, &decoded).is_some() {
        return Err(malformed());
    }
    if decoded.split(|&byte| byte == b'/').any(|segment| matches!(segment, b"." | b"..")) {
        return Err(malformed());
    }
    // No stored path has an empty segment, is longer, or is other than UTF-8.
    if decoded.len() > PATH_BYTES_MAX || decoded.split(|&byte| byte == b'/').any(<[u8]>::is_empty) {
        return Err(missing());
    }
    String::from_utf8(decoded.into_owned()).map_err(|_| missing())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    fn status(method: Method, path: &str) -> u16 {
        route(method, path.as_bytes()).expect_err(path).status.code()
    }

    #[test]
    fn every_endpoint_is_found() {
        let hash = Digest::of(b"test");
        let stored = Route::Stored { path: "storage/images/jpg/a_b.jpg".to_owned() };
        for (method, path, expected) in [
            (Method::Post, "/ingest/media".to_owned(), Route::Ingest),
            (Method::Post, "/dedup".to_owned(), Route::Dedup),
            (Method::Post, "/names".to_owned(), Route::ManyNames),
            (Method::Put, "/files/a%20b.jpg".to_owned(), Route::PutFile { name: "a b.jpg".to_owned() }),
            (Method::Put, format!("/files/{HASH}"), Route::PutFile { name: HASH.to_owned() }),
            (Method::Put, "/files/%ff".to_owned(), Route::PutFile { name: "\u{fffd}".to_owned() }),
            (Method::Get, format!("/files/{HASH}"), Route::File { hash }),
            (Method::Delete, format!("/files/{HASH}"), Route::DeleteFile { hash }),
            (
                Method::Delete,
                "/storage/images/jpg/a_b.jpg".to_owned(),
                Route::DeleteStored { path: "storage/images/jpg/a_b.jpg".to_owned() },
            ),
            (Method::Head, format!("/files/{}", HASH.to_uppercase()), Route::File { hash }),
            (Method::Get, format!("/files/{HASH}/meta"), Route::Meta { hash }),
            (Method::Post, format!("/files/{HASH}/names"), Route::Names { hash }),
            (Method::Get, "/storage/images/jpg/a_b.jpg".to_owned(), stored.clone()),
            (Method::Head, "/storage/images/jpg/a%5fb.jpg".to_owned(), stored),
            (Method::Get, "/healthz".to_owned(), Route::Healthz),
            (Method::Get, "/readyz".to_owned(), Route::Readyz),
            (Method::Get, "/metrics".to_owned(), Route::Metrics),
            (Method::Get, "/files".to_owned(), Route::Files),
            (Method::Get, "/openapi.json".to_owned(), Route::OpenApi),
            (Method::Get, "/".to_owned(), Route::Root),
            (Method::Get, "/ui/app.js".to_owned(), Route::Part { name: "app.js".to_owned() }),
            (Method::Head, "/ui/a/../%2e".to_owned(), Route::Part { name: "a/../%2e".to_owned() }),
            (Method::Post, "/ingest".to_owned(), Route::Gone),
            (Method::Other, "/ingest/json".to_owned(), Route::Gone),
        ] {
            assert_eq!(route(method, path.as_bytes()), Ok(expected), "{path}");
        }
    }

    #[test]
    fn a_known_resource_without_the_method_lists_its_methods() {
        for (method, path, allow) in [
            (Method::Get, "/ingest/media", "POST"),
            (Method::Get, "/dedup", "POST"),
            (Method::Head, "/names", "POST"),
            (Method::Post, "/files/x", "GET, HEAD, PUT, DELETE"),
            (Method::Put, "/storage/a", "GET, HEAD, PATCH, DELETE"),
            (Method::Post, "/files", "GET, HEAD"),
            (Method::Options, "/healthz", "GET, HEAD"),
            (Method::Other, "/", "GET, HEAD"),
            (Method::Post, "/ui/app.js", "GET, HEAD"),
            (Method::Get, "/files/x/names", "POST"),
        ] {
            let error = route(method, path.as_bytes()).expect_err(path);
            assert_eq!(
                (error.status, error.extra),
                (Status::MethodNotAllowed, Extra::Allow(allow)),
                "{path}"
            );
        }
    }

    #[test]
    fn unknown_and_doubtful_paths_are_refused() {
        for (path, expected) in [
            ("/nothing", 404),
            ("*", 404),
            ("/files/", 404),
            ("/files/a/b", 404),
            ("//healthz", 404),
            ("/ingest/media/", 404),
            ("/files/12", 400),
            ("/storage/%", 400),
            ("/storage/a%00b", 400),
            ("/storage/../a", 400),
            ("/storage/%2e%2e/a", 400),
            ("/storage/a/.", 400),
            ("/storage/a%2fb", 400),
            ("/storage/a//b", 404),
            ("/storage/", 404),
            ("/storage/%ff", 404),
        ] {
            assert_eq!(status(Method::Get, path), expected, "{path}");
        }
        assert_eq!(status(Method::Get, &format!("/storage/{}", "a".repeat(2_000))), 404);
        assert_eq!(status(Method::Put, "/files/%f"), 400);
    }
}
