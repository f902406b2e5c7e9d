//! Who may ask: the defence against DNS rebinding and cross-site requests.
//!
//! A daemon on loopback is reachable from every web page its user opens. A page can make a browser send
//! requests here, but it cannot forge the Host, Origin and Sec-Fetch-Site fields that the browser writes.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::chars::decimal;
use super::error::{HttpError, Status};
use super::head::Head;

/// The hosts this daemon answers to.
#[derive(Clone, Debug)]
pub struct Hosts {
    bound: SocketAddr,
    /// In lower case; a name without a port is good with any, for it stands behind a proxy.
    given: Vec<(String, Option<u16>)>,
}

impl Hosts {
    /// The hosts of a daemon bound to `bound` (with the true port), and those the operator named: `name` or
    /// `name:port`. Names that are not well formed match nothing.
    #[must_use]
    pub fn new<'a>(bound: SocketAddr, given: impl IntoIterator<Item = &'a str>) -> Hosts {
        let given = given.into_iter().map(|host| {
            let (name, port) = split(host);
            (name.to_ascii_lowercase(), port)
        });
        Hosts { bound, given: given.collect() }
    }

    /// Whether `host`, the value of a Host field, is one of them. Bound to all interfaces, every address
    /// literal is: rebinding needs a name.
    #[must_use]
    pub fn contains(&self, host: &str) -> bool {
        let (name, port) = split(host);
        let address = parse_address(name);
        let is_own = match address {
            Some(address) => {
                address.is_loopback() || self.bound.ip().is_unspecified() || address == self.bound.ip()
            }
            None => name.eq_ignore_ascii_case("localhost"),
        };
        (is_own && port.unwrap_or(80) == self.bound.port())
            || self.given.iter().any(|(given, given_port)| {
                name.eq_ignore_ascii_case(given) && (given_port.is_none() || *given_port == port)
            })
    }

    /// Refuses a request that is not for this daemon, or that another site's page sent.
    ///
    /// # Errors
    /// 421 for another Host; 403 for an unsafe method with a foreign Origin or `Sec-Fetch-Site: cross-site`.
    pub fn check(&self, head: &Head) -> Result<(), HttpError> {
        // Only HTTP/1.0 has no Host, and no browser speaks that.
        if head.host().is_some_and(|host| !self.contains(host)) {
            let message = "this Host is not served here; name it with --host if it should be";
            return Err(HttpError::new(Status::MisdirectedRequest, message));
        }
        if head.method.is_safe() {
            return Ok(());
        }
        if head.all("sec-fetch-site").any(|site| site.eq_ignore_ascii_case(b"cross-site")) {
            return Err(HttpError::new(
                Status::Forbidden,
                "cross-site requests may not change anything here",
            ));
        }
        if head.all("origin").any(|origin| !is_same_origin(origin, head.host())) {
            return Err(HttpError::new(
                Status::Forbidden,
                "requests of another origin may not change anything here",
            ));
        }
        Ok(())
    }
}

/// Whether `origin` names the host that was asked. The scheme is a proxy's matter.
fn is_same_origin(origin: &[u8], host: Option<&str>) -> bool {
    let (Some(host), Ok(origin)) = (host, std::str::from_utf8(origin)) else { return false };
    let (default_port, authority) = match (origin.strip_prefix("http://"), origin.strip_prefix("https://")) {
        (Some(authority), _) => (80, authority),
        (_, Some(authority)) => (443, authority),
        _ => return false,
    };
    let (origin, origin_port) = split(authority);
    let (host, host_port) = split(host);
    origin.eq_ignore_ascii_case(host)
        && origin_port.unwrap_or(default_port) == host_port.unwrap_or(default_port)
}

/// A host without its port, and the port. A malformed port stays with the host, which then matches nothing.
fn split(host: &str) -> (&str, Option<u16>) {
    match host.rsplit_once(':') {
        Some((name, "")) => (name, None),
        Some((name, port)) if !port.ends_with(']') => {
            let port = decimal(port.as_bytes()).and_then(|port| u16::try_from(port).ok());
            if port.is_some() { (name, port) } else { (host, None) }
        }
        _ => (host, None),
    }
}

fn parse_address(name: &str) -> Option<IpAddr> {
    match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(literal) => literal.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => name.parse().ok().filter(IpAddr::is_ipv4),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn hosts(bound: &str) -> Hosts {
        Hosts::new(bound.parse().unwrap(), ["Files.example", "proxy.example:8443"])
    }

    #[test]
    fn own_and_given_hosts_are_served_and_no_others() {
        let own = ["localhost:8090", "LOCALHOST:8090", "127.0.0.1:8090", "[::1]:8090"];
        let given = ["files.example", "FILES.example:1", "proxy.example:8443"];
        let foreign = [
            "evil.example",
            "evil.example:8090",
            "localhost",
            "localhost:80",
            "127.0.0.1",
            "[::1]",
            "192.0.2.1:8090",
            "proxy.example",
            "localhost.evil.example:8090",
            "localhost:08090x",
            "::1:8090",
            "proxy.example:8444",
        ];
        let hosts = hosts("127.0.0.1:8090");
        for host in own.iter().chain(&given) {
            assert!(hosts.contains(host), "{host}");
        }
        for host in foreign {
            assert!(!hosts.contains(host), "{host}");
        }
    }

    #[test]
    fn bound_to_all_interfaces_addresses_are_served_and_names_are_not() {
        let hosts = hosts("0.0.0.0:80");
        for host in ["192.0.2.1", "192.0.2.1:80", "[2001:db8::1]", "localhost"] {
            assert!(hosts.contains(host), "{host}");
        }
        for host in ["evil.example", "192.0.2.1:81"] {
            assert!(!hosts.contains(host), "{host}");
        }
    }

    #[test]
    fn unsafe_methods_need_the_own_origin() {
        for (method, fields, expected) in [
            ("POST", "Host: localhost:8090\r\n", None),
            ("POST", "Host: evil.example\r\n", Some(421)),
            ("GET", "Host: evil.example\r\n", Some(421)),
            ("POST", "Host: localhost:8090\r\nOrigin: http://localhost:8090\r\n", None),
            ("POST", "Host: localhost:8090\r\nOrigin: http://localhost:3000\r\n", Some(403)),
            ("POST", "Host: localhost:8090\r\nOrigin: http://127.0.0.1:8090\r\n", Some(403)),
            ("POST", "Host: localhost:8090\r\nOrigin: null\r\n", Some(403)),
            ("POST", "Host: localhost:8090\r\nOrigin: http://evil.example\r\n", Some(403)),
            ("GET", "Host: localhost:8090\r\nOrigin: http://evil.example\r\n", None),
            ("PUT", "Host: localhost:8090\r\nSec-Fetch-Site: cross-site\r\n", Some(403)),
            ("PUT", "Host: localhost:8090\r\nSec-Fetch-Site: same-origin\r\n", None),
            ("GET", "Host: localhost:8090\r\nSec-Fetch-Site: cross-site\r\n", None),
            ("DELETE", "Host: files.example\r\nOrigin: https://files.example\r\n", None),
            ("DELETE", "Host: files.example:443\r\nOrigin: https://files.example\r\n", None),
            ("BREW", "Host: files.example\r\nOrigin: https://files.example:444\r\n", Some(403)),
        ] {
            let text = format!("{method} / HTTP/1.1\r\n{fields}\r\n");
            let (head, _) = Head::parse(&Bytes::from(text)).unwrap().unwrap();
            let status = hosts("127.0.0.1:8090").check(&head).err().map(|error| error.status.code());
            assert_eq!(status, expected, "{method} {fields}");
        }
    }
}
