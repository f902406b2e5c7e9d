//! Where a daemon is.

use std::fmt;

/// `http://HOST:PORT`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Server {
    /// As typed, without brackets.
    host: String,
    port: u16,
}

impl Server {
    /// `http://HOST:PORT`, where the beginning, the port (80) and a path of `/` or `/metrics` go without saying.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Server, String> {
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
        Ok(Server { host: host.to_owned(), port })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("http://")?;
        write_authority(f, self)
    }
}

fn write_authority(out: &mut impl fmt::Write, server: &Server) -> fmt::Result {
    let Server { host, port } = server;
    if host.contains(':') { write!(out, "[{host}]:{port}") } else { write!(out, "{host}:{port}") }
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
                Server::parse(typed).map(|server| server.to_string()),
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
            let why = Server::parse(typed).expect_err(typed);
            assert!(why.contains("give http://HOST:PORT") && why.is_ascii(), "{why}");
        }
    }
}
