//! A server in front of a daemon: it answers the first requests itself, or holds them up, and lets the rest through.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

/// What becomes of a connection.
#[derive(Clone, Debug)]
pub(crate) enum First {
    /// It is answered with these bytes, and closed.
    Answer(Vec<u8>),
    /// It is closed without a word.
    Drop,
    /// Of what the daemon answers only so many bytes come through.
    CutBehind(usize),
}

/// The address of a gate: each of `first` happens to one connection, in their order; all others go through.
pub(crate) fn open(daemon: SocketAddr, first: Vec<First>) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it has one");
    let taken = Arc::new(AtomicUsize::new(0));
    let count = taken.clone();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            match first.get(count.fetch_add(1, Ordering::Relaxed)).cloned() {
                Some(First::Answer(bytes)) => {
                    thread::spawn(move || {
                        let mut request = [0; 64 * 1024];
                        let _gone = stream.read(&mut request).and_then(|_| stream.write_all(&bytes));
                        let _gone = stream.shutdown(Shutdown::Write);
                        while stream.read(&mut request).is_ok_and(|count| count > 0) {}
                    });
                }
                Some(First::Drop) => drop(stream),
                Some(First::CutBehind(bytes)) => through(stream, daemon, Some(bytes)),
                None => through(stream, daemon, None),
            }
        }
    });
    (address, taken)
}

/// A gate that is shut: the first connection says so, and waits until it is told to go on.
pub(crate) fn shut(daemon: SocketAddr) -> (SocketAddr, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it has one");
    let (came, has_come) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel();
    thread::spawn(move || {
        let mut waits = Some((came, may_go_on));
        for stream in listener.incoming().flatten() {
            if let Some((came, may_go_on)) = waits.take() {
                let _test_over = came.send(());
                let _test_over = may_go_on.recv();
            }
            through(stream, daemon, None);
        }
    });
    (address, has_come, go_on)
}

/// Joins two connections until either ends. The Host that is asked for is the gate's; the daemon is told its own.
fn through(client: TcpStream, daemon: SocketAddr, cut: Option<usize>) {
    let Ok(server) = TcpStream::connect(daemon) else { return };
    let gate = client.local_addr().expect("it is connected").to_string();
    let own = daemon.to_string();
    let (from, to) = (client.try_clone().expect("a socket"), server.try_clone().expect("a socket"));
    thread::spawn(move || {
        copy(from, to, usize::MAX, &|bytes| replaced(bytes, gate.as_bytes(), own.as_bytes()))
    });
    thread::spawn(move || copy(server, client, cut.unwrap_or(usize::MAX), &<[u8]>::to_vec));
}

fn copy(mut from: TcpStream, mut to: TcpStream, mut left: usize, change: &dyn Fn(&[u8]) -> Vec<u8>) {
    let mut piece = [0; 64 * 1024];
    while left > 0 {
        let Ok(count @ 1..) = from.read(&mut piece) else { break };
        let bytes = change(&piece[..count]);
        let some = &bytes[..bytes.len().min(left)];
        if to.write_all(some).is_err() {
            break;
        }
        left -= some.len();
    }
    let how = if left == 0 { Shutdown::Both } else { Shutdown::Write };
    let _gone = to.shutdown(how);
    if left == 0 {
        let _gone = from.shutdown(Shutdown::Both);
    }
}

/// Ports have as many digits here as there, or the head would grow; it may.
fn replaced(bytes: &[u8], what: &[u8], with: &[u8]) -> Vec<u8> {
    match bytes.windows(what.len()).position(|window| window == what) {
        Some(at) => [&bytes[..at], with, &bytes[at + what.len()..]].concat(),
        None => bytes.to_vec(),
    }
}

/// An answer that says to come again.
pub(crate) fn busy(status: &str) -> First {
    let body = "{\"error\": \"too busy\"}";
    let text = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nRetry-After: 0\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    First::Answer(text.into_bytes())
}
