//! One request and its answer, over a pool of kept connections.
//!
//! Always: no wait for a byte is longer than the client's limit; of an answer no more is kept than its reader says; an error
//! is a sentence of our own, or the daemon's.

use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use ureq::http::{HeaderValue, Request, StatusCode, header};
use ureq::{Agent, SendBody};

use super::show::text;
use super::{ClientError, Server};
use crate::limits::{
    CLIENT_CONNECT_MS, CLIENT_ERROR_BYTES_MAX, CLIENT_STALL_MS, CLIENT_TOKEN_BYTES_MAX, HEAD_BYTES_MAX,
};

/// Who asks: sent as `Authorization: Bearer`.
#[derive(Clone)]
pub struct Token(HeaderValue);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    /// A token as it was given out; white space around it does not count.
    ///
    /// # Errors
    /// That it is none, without repeating it.
    pub fn parse(text: &str) -> Result<Token, ClientError> {
        let token = text.trim();
        // RFC 6750 section 2.1.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        let fits = !token.is_empty() && token.len() <= CLIENT_TOKEN_BYTES_MAX && token.bytes().all(plain);
        let value = fits.then(|| HeaderValue::from_str(&format!("Bearer {token}")).ok()).flatten();
        let malformed =
            || ClientError::Here("the token holds characters that no token has, or none".to_owned());
        let mut value = value.ok_or_else(malformed)?;
        value.set_sensitive(true);
        Ok(Token(value))
    }

    /// The token in a file.
    ///
    /// # Errors
    /// That there is none.
    pub fn read(path: &Path) -> Result<Token, ClientError> {
        let cannot = |error: io::Error| {
            ClientError::Here(format!("the token file {} cannot be read: {error}", super::show::path(path)))
        };
        let mut text = String::new();
        let file = std::fs::File::open(path).map_err(cannot)?;
        file.take(CLIENT_TOKEN_BYTES_MAX as u64 + 16).read_to_string(&mut text).map_err(cannot)?;
        Token::parse(&text)
    }
}

/// What goes with a request.
pub(super) enum Content<'a> {
    Nothing,
    /// A text of this type.
    Text(&'static str, &'a [u8]),
    /// A form or file of this type and, if known, length.
    Stream(&'a str, Option<u64>, &'a mut dyn Read),
}

/// A daemon, and connections to it.
#[derive(Clone)]
pub struct Client {
    agent: Agent,
    server: Server,
    token: Option<Token>,
    /// How long a byte is waited for.
    stall: Duration,
}

impl Client {
    /// Nobody is asked yet.
    #[must_use]
    pub fn new(server: Server, token: Option<Token>) -> Client {
        Client::patient(server, token, Duration::from_millis(CLIENT_STALL_MS), None)
    }

    /// As [`Client::new`], for one answer within `whole`.
    #[must_use]
    pub fn brief(server: Server, token: Option<Token>, whole: Duration) -> Client {
        Client::patient(server, token, whole, Some(whole))
    }

    fn patient(server: Server, token: Option<Token>, stall: Duration, whole: Option<Duration>) -> Client {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .user_agent(concat!("rhinobox/", env!("CARGO_PKG_VERSION")))
            .accept("*/*")
            .max_response_header_size(HEAD_BYTES_MAX)
            .timeout_connect(Some(Duration::from_millis(CLIENT_CONNECT_MS).min(stall)))
            .timeout_per_read(Some(stall))
            .timeout_per_write(Some(stall))
            .timeout_global(whole)
            .build();
        Client { agent: config.into(), server, token, stall }
    }

    /// Where it is.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Asks, and gives the answer if it is a success or one of `also`.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn ask(
        &self,
        method: &'static str,
        target: &str,
        fields: &[(&str, &str)],
        content: Content<'_>,
        also: &[u16],
    ) -> Result<Answer, ClientError> {
        let mut request = Request::builder().method(method).uri(format!("{}{target}", self.server));
        if let Some(Token(value)) = &self.token {
            request = request.header(header::AUTHORIZATION, value);
        }
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let malformed = |error| self.stranger(&format!("it cannot be asked: {error}"));
        let mut text: &[u8];
        let (kind, length, reader): (&str, _, &mut dyn Read) = match content {
            Content::Nothing => ("", None, &mut io::empty()),
            Content::Text(kind, bytes) => {
                text = bytes;
                (kind, Some(bytes.len() as u64), &mut text)
            }
            Content::Stream(kind, length, reader) => (kind, length, reader),
        };
        let response = if kind.is_empty() {
            self.agent.run(request.body(()).map_err(malformed)?)
        } else {
            request = request.header(header::CONTENT_TYPE, kind);
            if let Some(length) = length {
                request = request.header(header::CONTENT_LENGTH, length);
            }
            self.agent.run(request.body(SendBody::from_reader(reader)).map_err(malformed)?)
        };
        let response = response.map_err(|error| self.failure(&error))?;
        let answer = Answer { response };
        let status = answer.response.status();
        if status.is_success() || also.contains(&status.as_u16()) {
            return Ok(answer);
        }
        Err(self.refusal(status, answer, method, target))
    }

    /// What an answer that is none says.
    fn refusal(&self, status: StatusCode, answer: Answer, method: &str, target: &str) -> ClientError {
        #[derive(Deserialize)]
        struct Said {
            error: String,
        }
        let status = status.as_u16();
        if status == 421 {
            return ClientError::Stranger(format!(
                "the daemon does not answer to the name in {}: ask by the address it listens on, or start it with --host",
                self.server
            ));
        }
        let after = answer.field("retry-after").and_then(|value| value.parse().ok()).map(Duration::from_secs);
        let is_head = method == "HEAD";
        match answer.json::<Said>(CLIENT_ERROR_BYTES_MAX) {
            Ok(Said { error: why }) if matches!(status, 429 | 503) => {
                ClientError::Busy { status, why, after }
            }
            // What the daemon says is for programs that make requests.
            Ok(Said { error: why }) if status == 401 => {
                ClientError::Refused { status, why: format!("{why}; {}", said_by(status)) }
            }
            Ok(Said { error: why }) => ClientError::Refused { status, why },
            // An answer to HEAD has no sentence.
            Err(_) if is_head && matches!(status, 429 | 503) => {
                ClientError::Busy { status, why: "come again".to_owned(), after }
            }
            Err(_) if is_head => ClientError::Refused { status, why: said_by(status).to_owned() },
            Err(_) if matches!(status, 429 | 502..=504) => {
                ClientError::Busy { status, why: "it says no more".to_owned(), after }
            }
            Err(_) => {
                let target = target.split('?').next().unwrap_or_default();
                self.stranger(&format!("status {status} for {method} {}", text(target)))
            }
        }
    }

    fn failure(&self, error: &ureq::Error) -> ClientError {
        let server = &self.server;
        match error {
            ureq::Error::Timeout(_) => self.silent(),
            ureq::Error::HostNotFound => {
                ClientError::Away(format!("nothing answers at {server}: the name has no address"))
            }
            ureq::Error::Io(error) => self.broken(error),
            ureq::Error::ConnectionFailed => ClientError::Away(format!("nothing answers at {server}")),
            ureq::Error::LargeResponseHeader(..) => self.stranger("its head does not end"),
            ureq::Error::BodyExceedsLimit(_) => self.stranger("its answer is longer than any of a rhinobox"),
            _ => self.stranger("it is no HTTP"),
        }
    }

    /// A connection that was not made, or broke.
    pub(super) fn broken(&self, error: &io::Error) -> ClientError {
        let server = &self.server;
        let why = match error.kind() {
            io::ErrorKind::ConnectionRefused => format!("nothing answers at {server}: connection refused"),
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => return self.silent(),
            _ => format!("the connection to {server} broke: {}", error.kind()),
        };
        ClientError::Away(why)
    }

    fn silent(&self) -> ClientError {
        let (server, seconds) = (&self.server, self.stall.as_secs());
        ClientError::Away(format!("nothing answers at {server}: there is no answer within {seconds} seconds"))
    }

    /// Something else than a daemon.
    pub(super) fn stranger(&self, why: &str) -> ClientError {
        ClientError::Stranger(format!("what answers at {} is no rhinobox: {why}", self.server))
    }
}

/// What a status says by itself.
fn said_by(status: u16) -> &'static str {
    match status {
        401 => "show a token that is good: in RHINOBOX_TOKEN, or in a file with --token-file",
        403 => "this token may not do that",
        404 => "there is no such thing",
        500 => "stored copy is damaged",
        _ => "it says no more",
    }
}

/// An answer whose body was not read yet.
pub(super) struct Answer {
    response: ureq::http::Response<ureq::Body>,
}

impl Answer {
    pub(super) fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// A field's value, where it is text.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// The body, of at most so many bytes.
    pub(super) fn bytes(self, most: u64) -> Result<Vec<u8>, ureq::Error> {
        if self.response.body().content_length().is_some_and(|length| length > most) {
            return Err(ureq::Error::BodyExceedsLimit(most));
        }
        self.response.into_body().into_with_config().limit(most).read_to_vec()
    }

    /// The body as JSON.
    fn json<T: DeserializeOwned>(self, most: u64) -> Result<T, ureq::Error> {
        let bytes = self.bytes(most)?;
        serde_json::from_slice(&bytes).map_err(|error| ureq::Error::Io(error.into()))
    }

    /// The body as it comes.
    pub(super) fn reader(self) -> impl Read {
        self.response.into_body().into_reader()
    }
}

impl Client {
    /// Asks for something that is JSON.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn json<T: DeserializeOwned>(
        &self,
        method: &'static str,
        target: &str,
        fields: &[(&str, &str)],
        content: Content<'_>,
        (also, most): (&[u16], u64),
    ) -> Result<T, ClientError> {
        let bytes = self.bytes(self.ask(method, target, fields, content, also)?, most)?;
        serde_json::from_slice(&bytes).map_err(|_| {
            let target = target.split('?').next().unwrap_or_default();
            self.stranger(&format!("its answer to {method} {} is not what a rhinobox says", text(target)))
        })
    }

    /// The body of an answer, of at most so many bytes.
    ///
    /// # Errors
    /// It is longer, or ends early.
    pub(super) fn bytes(&self, answer: Answer, most: u64) -> Result<Vec<u8>, ClientError> {
        answer.bytes(most).map_err(|error| self.failure(&error))
    }

    /// The daemon's page of metrics.
    ///
    /// # Errors
    /// Why there is none.
    pub fn metrics(&self, most: u64) -> Result<String, ClientError> {
        let answer = self.ask("GET", "/metrics", &[], Content::Nothing, &[])?;
        String::from_utf8(self.bytes(answer, most)?).map_err(|_| self.stranger("its metrics are no text"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_checked_and_never_shown() {
        let token = Token::parse(" rhb_aZ09-._~+/= \n").unwrap();
        assert_eq!(token.0, "Bearer rhb_aZ09-._~+/=");
        assert_eq!(format!("{token:?} {:?}", token.0), "Token Sensitive");
        for bad in ["", " ", "a b", "a\r\nX: y", "\u{1b}", &"a".repeat(CLIENT_TOKEN_BYTES_MAX + 1)] {
            let why = Token::parse(bad).unwrap_err().to_string();
            assert!(why.starts_with("the token holds") && why.is_ascii(), "{why}");
        }
    }
}
