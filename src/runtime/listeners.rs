//! Who listens on an address: for a start that finds it taken. Reads /proc, so it blocks, and is for the main thread.
//!
//! Always: it only helps a sentence along; whatever cannot be read is nobody.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// What it calls itself.
    pub name: String,
}

/// The process that listens where `address` would. `None` where that cannot be told: its descriptors are another user's.
#[must_use]
pub fn holder_of(address: SocketAddr) -> Option<Process> {
    let table = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let inodes: Vec<String> = [table("/proc/net/tcp"), table("/proc/net/tcp6")]
        .iter()
        .flat_map(|table| table.lines().skip(1))
        .filter_map(listener)
        .filter(|(listening, _)| collide(*listening, address))
        .map(|(_, inode)| format!("socket:[{inode}]"))
        .collect();
    if inodes.is_empty() {
        return None;
    }
    let processes =
        fs::read_dir("/proc").ok()?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    processes.into_iter().find_map(|pid: u32| {
        let mut descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten();
        let holds = descriptors.any(|descriptor| {
            fs::read_link(descriptor.path())
                .is_ok_and(|target| inodes.iter().any(|inode| target.as_os_str() == inode.as_str()))
        });
        let name =
            || fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim_end().to_owned();
        holds.then(|| Process { pid, name: name() })
    })
}

/// Whether somebody who listens on the one keeps others from the other.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let (a, b) = (one.ip().to_canonical(), other.ip().to_canonical());
    one.port() == other.port() && (a == b || a.is_unspecified() || b.is_unspecified())
}

/// Address and inode of a row of proc(5) `net/tcp`, if it listens.
fn listener(row: &str) -> Option<(SocketAddr, u64)> {
    const LISTEN: &str = "0A";
    let mut fields = row.split_ascii_whitespace();
    let (address, port) = fields.nth(1)?.split_once(':')?;
    if fields.nth(1)? != LISTEN {
        return None;
    }
    let inode = fields.nth(5)?.parse().ok()?;
    // Words of four bytes, each as a number of this machine, whose first byte is the least.
    let word =
        |at: usize| Some(u32::from_str_radix(address.get(8 * at..8 * at + 8)?, 16).ok()?.to_le_bytes());
    let ip = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for at in 0..4 {
                bytes[4 * at..4 * at + 4].copy_from_slice(&word(at)?);
            }
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some((SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?), inode))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn rows_that_listen_are_read_and_others_are_not() {
        let row = |address: &str, state: &str| {
            format!(
                "   0: {address} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000  1000        0 45678 1 0 100 0"
            )
        };
        let four = ("127.0.0.1:8090".parse().unwrap(), 45_678);
        assert_eq!(listener(&row("0100007F:1F9A", "0A")), Some(four));
        let six = ("[::1]:8090".parse().unwrap(), 45_678);
        assert_eq!(listener(&row("00000000000000000000000001000000:1F9A", "0A")), Some(six));
        for bad in [row("0100007F:1F9A", "01"), row("0100:1F9A", "0A"), row("0100007F", "0A"), String::new()]
        {
            assert_eq!(listener(&bad), None, "{bad}");
        }
    }

    #[test]
    fn this_process_is_found_at_its_own_address() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        assert_eq!(holder_of(address).map(|process| process.pid), Some(std::process::id()));
        let everywhere = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), address.port());
        assert_eq!(holder_of(everywhere).map(|process| process.pid), Some(std::process::id()));
        drop(socket);
        assert_eq!(holder_of(address), None);
    }
}
