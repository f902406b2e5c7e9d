//! Asking a daemon for its `/metrics`: one connection, one GET, one deadline.
//!
//! Always: what is read is bounded, in bytes and in time; nothing of it stands in an error, which holds numbers and what
//! was typed, escaped.

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use crate::limits::{HEAD_BYTES_MAX, METRICS_BYTES_MAX, TOP_ANSWER_MS};
use crate::runtime::clock;

/// Where a daemon is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// As typed, without brackets.
    host: String,
    port: u16,
}

impl Target {
    /// `http://HOST:PORT`, where the beginning, the port (80) and a path of `/` or `/metrics` go without saying.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Target, String> {
        const FORM: &str = "give http://HOST:PORT";
        let rest = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some((scheme, _)) if scheme.eq_ignore_ascii_case("https") => {
                return Err("rhinobox speaks no TLS: give http://HOST:PORT of the daemon itself".to_owned());
            }
            Some(_) => return Err(FORM.to_owned()),
            None => text,
        };
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        if !matches!(path, "" | "/" | "/metrics") {
            return Err(format!("a daemon has no other path than /metrics: {FORM}"));
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => rest.split_once(']').ok_or(FORM)?,
            None => authority.find(':').map_or((authority, ""), |at| authority.split_at(at)),
        };
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().map_err(|_| format!("the port is no number up to 65535: {FORM}"))?,
            None if port.is_empty() => 80,
            None => return Err(FORM.to_owned()),
        };
        let plain =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'%');
        if host.is_empty() || !host.bytes().all(plain) {
            return Err(FORM.to_owned());
        }
        Ok(Target { host: host.to_owned(), port })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("http://")?;
        write_authority(f, self)
    }
}

fn write_authority(out: &mut impl fmt::Write, target: &Target) -> fmt::Result {
    let Target { host, port } = target;
    if host.contains(':') { write!(out, "[{host}]:{port}") } else { write!(out, "{host}:{port}") }
}

/// Why there are no metrics.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// Nothing answers, or not in time. That may change.
    Away(String),
    /// Something else answers, or a daemon that wants to be asked in another way.
    Stranger(String),
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Unanswered::Away(why) | Unanswered::Stranger(why)) = self;
        f.write_str(why)
    }
}

impl std::error::Error for Unanswered {}

/// The page at `/metrics`.
///
/// # Errors
/// Why there is none.
pub(super) fn metrics(target: &Target) -> Result<String, Unanswered> {
    let answer = ask(target).map_err(|error| {
        let why = match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
                format!("there is no answer within {} seconds", TOP_ANSWER_MS / 1_000)
            }
            io::ErrorKind::InvalidData => {
                return Unanswered::Stranger(format!("no rhinobox answers at {target}: {error}"));
            }
            _ => error.to_string(),
        };
        Unanswered::Away(format!("nothing answers at {target}: {why}"))
    })?;
    match answer {
        (200, page) => Ok(page),
        (421, _) => Err(Unanswered::Stranger(format!(
            "the daemon does not answer to the name in {target}: ask by the address it listens on, or start it with --host"
        ))),
        (status, _) => Err(Unanswered::Stranger(format!(
            "what answers at {target} is no rhinobox: status {status} for /metrics"
        ))),
    }
}

/// A connection that lasts until a deadline.
struct Timed {
    stream: TcpStream,
    until_ns: u64,
}

impl Timed {
    fn connect(target: &Target) -> io::Result<Timed> {
        let until_ns = clock::now_ns() + TOP_ANSWER_MS * 1_000_000;
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        // How long a name is looked up is the system's choice.
        for address in (target.host.as_str(), target.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, left(until_ns)?) {
                Ok(stream) => return Ok(Timed { stream, until_ns }),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.set_write_timeout(Some(left(self.until_ns)?))?;
        self.stream.write_all(bytes)
    }

    /// Appends what comes next; 0 at the end.
    fn receive(&mut self, bytes: &mut Vec<u8>) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(left(self.until_ns)?))?;
        let mut piece = [0; 16 * 1024];
        let count = self.stream.read(&mut piece)?;
        bytes.extend_from_slice(&piece[..count]);
        Ok(count)
    }
}

fn left(until_ns: u64) -> io::Result<Duration> {
    match until_ns.saturating_sub(clock::now_ns()) {
        0 => Err(io::ErrorKind::TimedOut.into()),
        left_ns => Ok(Duration::from_nanos(left_ns)),
    }
}

/// Status and body. `InvalidData` for what no daemon answers.
fn ask(target: &Target) -> io::Result<(u16, String)> {
    let mut connection = Timed::connect(target)?;
    let mut host = String::new();
    // Writing to a string cannot fail.
    let _infallible = write_authority(&mut host, target);
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    connection.send(request.as_bytes())?;
    let mut received = Vec::new();
    let head_end = loop {
        if let Some(at) = memchr::memmem::find(&received, b"\r\n\r\n") {
            break at;
        }
        if received.len() > HEAD_BYTES_MAX {
            return Err(strange("its head does not end"));
        }
        if connection.receive(&mut received)? == 0 {
            return Err(if received.is_empty() {
                io::ErrorKind::UnexpectedEof.into()
            } else {
                strange("it is cut short")
            });
        }
    };
    let (status, length) = read_head(&received[..head_end])?;
    let mut body = received.split_off(head_end + 4);
    while body.len() < length {
        if connection.receive(&mut body)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    body.truncate(length);
    Ok((status, String::from_utf8(body).map_err(|_| strange("it is no text"))?))
}

/// Status and length of the body, which a daemon always declares.
fn read_head(head: &[u8]) -> io::Result<(u16, usize)> {
    let head = std::str::from_utf8(head).map_err(|_| strange("it is no HTTP"))?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok());
    let status = status.ok_or_else(|| strange("it is no HTTP"))?;
    let mut fields = lines.filter_map(|line| line.split_once(':'));
    let length = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|(_, value)| value.trim().parse().ok());
    match length {
        Some(length) if length <= METRICS_BYTES_MAX => Ok((status, length)),
        Some(_) => Err(strange("its page is too long")),
        None => Err(strange("its page has no length")),
    }
}

fn strange(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_urls_of_a_daemon() {
        for (typed, shown) in [
            ("http://127.0.0.1:8090", "http://127.0.0.1:8090"),
            ("HTTP://media.example.org:81/", "http://media.example.org:81"),
            ("localhost:8090", "http://localhost:8090"),
            ("http://a/metrics", "http://a:80"),
            ("http://[::1]:8090", "http://[::1]:8090"),
            ("[fe80::1%eth0]", "http://[fe80::1%eth0]:80"),
        ] {
            assert_eq!(
                Target::parse(typed).map(|target| target.to_string()),
                Ok(shown.to_owned()),
                "{typed}"
            );
        }
        for typed in [
            "",
            "http://",
            "http://:1",
            "https://a:1",
            "ftp://a",
            "http://a:b",
            "http://a:70000",
            "http://a:1:2",
            "http://a/stats",
            "http://a b",
            "http://u@a",
            "http://[::1",
            "http://[::1]x",
            "http://a\r\nb",
            "http://\u{1b}[2J",
        ] {
            let why = Target::parse(typed).expect_err(typed);
            assert!(why.contains("give http://HOST:PORT") && why.is_ascii(), "{why}");
        }
    }

    #[test]
    fn heads_are_read_or_said_to_be_strange() {
        let good = b"HTTP/1.1 200 OK\r\nDate: x\r\ncontent-LENGTH: 12";
        assert_eq!(read_head(good).unwrap(), (200, 12));
        assert_eq!(read_head(b"HTTP/1.1 421 Misdirected Request\r\nContent-Length: 0").unwrap(), (421, 0));
        for head in [
            "HTTP/1.1 200 OK",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999",
            "HTTP/1.1 200 OK\r\nContent-Length: -1",
            "HTTP/1.1 2x0 OK\r\nContent-Length: 1",
            "SSH-2.0-OpenSSH",
            "",
        ] {
            assert_eq!(read_head(head.as_bytes()).unwrap_err().kind(), io::ErrorKind::InvalidData, "{head}");
        }
        assert!(read_head(b"HTTP/1.1 200 \xff").is_err());
    }
}
