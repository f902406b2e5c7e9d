//! Whether a request is let in: what each endpoint needs, and the answers to who does not have it.
//!
//! Always: decided by the head alone, before the body is asked for; what a client showed is repeated nowhere.

use std::sync::Arc;

use super::conn::Conn;
use crate::http::authorization::{self, Unread};
use crate::http::error::{Extra, HttpError, Status};
use crate::http::head::Head;
use crate::http::route::Route;
use crate::tokens::{Access, Denied, Need, Scope, Scopes, Token};

const UPLOAD: Need = Need::OneOf(Scopes::of(&[Scope::Upload]));
const READ: Need = Need::OneOf(Scopes::of(&[Scope::Read]));
const DELETE: Need = Need::OneOf(Scopes::of(&[Scope::Delete]));

/// What an endpoint needs. Whoever adds one is made to say it here.
const fn need(route: &Route) -> Need {
    match route {
        // Whether it lives and serves; and the page's own files, so that a person can sign in.
        Route::Healthz | Route::Readyz | Route::Root | Route::Part { .. } | Route::OpenApi => Need::Nothing,
        Route::Ingest
        | Route::PutFile { .. }
        | Route::Names { .. }
        | Route::ManyNames
        | Route::Amend { .. } => UPLOAD,
        // An uploader is told by each answer whether the content was stored already, a reader by each download.
        Route::Dedup => Need::OneOf(Scopes::of(&[Scope::Upload, Scope::Read])),
        Route::File { .. }
        | Route::Files
        | Route::Meta { .. }
        | Route::Stored { .. }
        | Route::Metrics
        | Route::Stats => READ,
        Route::DeleteFile { .. } | Route::DeleteStored { .. } => DELETE,
        Route::Gone => Need::AnyToken,
    }
}

/// Lets a request in, or not. What is no endpoint is told to those with a token only.
///
/// # Errors
/// 401 without a token that is known, 403 without the scope, 429 where it asks too often, 503 while the tokens cannot be read.
pub(super) fn check(conn: &Conn, head: &Head, route: Result<&Route, &HttpError>) -> Result<(), HttpError> {
    let need = route.map_or(Need::AnyToken, need);
    let core = &conn.core;
    core.view.with(&core.shared.gate, |access| {
        let shown = match access {
            Access::Tokens(_) if need != Need::Nothing => {
                authorization::token(head).map_err(|unread| unreadable(unread, head))?
            }
            _ => None,
        };
        let admitted = access.admit(shown.as_deref(), need);
        if let Some(name) = name_of(&admitted) {
            conn.note_token(name);
        }
        admitted.map(|_token| ()).map_err(|denied| refusal(&denied, head))
    })
}

/// Whose token it is, let in or not; `None` where none is known.
fn name_of<'a>(admitted: &'a Result<Option<&Token>, Denied>) -> Option<&'a Arc<str>> {
    match admitted {
        Ok(token) => token.map(|token| &token.name),
        Err(Denied::Expired(name, _) | Denied::Lacks(name, _) | Denied::TooOften(name, _)) => Some(name),
        Err(Denied::NoToken | Denied::Unknown | Denied::Closed) => None,
    }
}

fn unreadable(unread: Unread, head: &Head) -> HttpError {
    match unread {
        Unread::Several => HttpError::framing("more than one Authorization field"),
        Unread::Scheme => unauthorized(
            "Authorization is taken as `Bearer TOKEN`, or as Basic with the token as password",
            head,
        ),
        Unread::Malformed => {
            unauthorized("there is no token in the Authorization field as it was sent", head)
        }
    }
}

fn refusal(denied: &Denied, head: &Head) -> HttpError {
    match denied {
        Denied::NoToken => unauthorized(
            "this needs a token: send `Authorization: Bearer TOKEN`, or the token as password",
            head,
        ),
        Denied::Unknown => unauthorized("this token is not known here: it was revoked, or is mistyped", head),
        Denied::Expired(name, at) => {
            unauthorized(format!("the token `{name}` expired at {}", at.rfc3339()), head)
        }
        Denied::Lacks(name, scopes) => {
            let wanted =
                scopes.iter().map(|scope| format!("`{}`", scope.as_str())).collect::<Vec<_>>().join(" or ");
            let message = format!("the token `{name}` lacks the scope {wanted}, which this needs");
            HttpError::new(Status::Forbidden, message).with(Extra::Authenticate(insufficient(*scopes)))
        }
        Denied::TooOften(name, seconds) => {
            let message =
                format!("the token `{name}` is used more often than it may be; try again in {seconds} s");
            HttpError::new(Status::TooManyRequests, message).with(Extra::RetryAfter(*seconds))
        }
        Denied::Closed => closed(),
    }
}

/// What anybody is told while the tokens cannot be read; why stands in the log.
pub(super) fn closed() -> HttpError {
    let message = "the file of tokens cannot be read, so nobody is let in: see the log";
    HttpError::new(Status::ServiceUnavailable, message).with(Extra::RetryAfter(1))
}

/// A 401. A browser is asked to ask its user only where it goes to a page: of what a script fetches the script can ask.
fn unauthorized(message: impl Into<std::borrow::Cow<'static, str>>, head: &Head) -> HttpError {
    const BOTH: &[&str] = &["Bearer realm=\"rhinobox\"", "Basic realm=\"rhinobox\", charset=\"UTF-8\""];
    let is_script = head.header("sec-fetch-mode").is_some_and(|mode| mode != b"navigate");
    let challenges = if is_script { &BOTH[..1] } else { BOTH };
    HttpError::new(Status::Unauthorized, message).with(Extra::Authenticate(challenges))
}

/// RFC 6750 section 3.1.
fn insufficient(wanted: Scopes) -> &'static [&'static str] {
    macro_rules! challenge {
        ($scopes:literal) => {
            &[concat!("Bearer realm=\"rhinobox\", error=\"insufficient_scope\", scope=\"", $scopes, "\"")]
        };
    }
    const WITH: [(Scope, &[&str]); 4] = [
        (Scope::Upload, challenge!("upload")),
        (Scope::Read, challenge!("read")),
        (Scope::Delete, challenge!("delete")),
        (Scope::Admin, challenge!("admin")),
    ];
    // Of several that would do, the first.
    let of = |wanted: Scope| WITH.iter().find(|(scope, _)| *scope == wanted).map(|(_, challenge)| *challenge);
    wanted.iter().next().and_then(of).unwrap_or(challenge!("admin"))
}
