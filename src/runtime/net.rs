//! TCP sockets. A deadline acts by `Breaker::cut` (shutdown(2)): the pending operation then ends by itself.
//!
//! What always holds: a breaker acts on its own connection or on nothing; a connection is closed once, after its last
//! operation.

#![expect(unsafe_code, reason = "listen, shutdown, FIONREAD and vectored sends are libc's and monoio's")]

use std::cell::Cell;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Buf, Bytes, BytesMut};
use monoio::buf::IoVecBuf;
use monoio::io::{AsyncReadRent, AsyncWriteRent};

use super::buffer::Buffer;
use super::views::{self, Held};
use super::window::Window;
use crate::limits::{ACCEPT_BACKLOG, COALESCE_BYTES_MAX, IOVECS_MAX};

/// Bound before the cores start, on the main thread, so that "address in use" is told early. Movable to the accepting core.
pub struct Listener {
    shared: Arc<Listening>,
}

struct Listening {
    socket: TcpListener,
    breaker: Breaker,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.breaker.forget();
    }
}

impl Listener {
    /// Listens on an address, with SO_REUSEADDR.
    pub fn bind(addr: SocketAddr) -> io::Result<Listener> {
        let socket = TcpListener::bind(addr)?;
        // std listens with a backlog of its own; a second call changes it.
        // SAFETY: no pointers; the descriptor is open.
        if unsafe { libc::listen(socket.as_raw_fd(), ACCEPT_BACKLOG) } != 0 {
            return Err(io::Error::last_os_error());
        }
        let breaker = Breaker::new(socket.as_raw_fd());
        Ok(Listener { shared: Arc::new(Listening { socket, breaker }) })
    }

    /// The address, with the port that was given for 0.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.shared.socket.local_addr()
    }

    /// The next connection, as something that can be sent to another core. Errors of a connection that is gone already
    /// and of a process out of descriptors (EMFILE, ENFILE, ENOBUFS) come back too: wait a little and call again,
    /// unless the stopper was used.
    pub async fn accept(&self) -> io::Result<(Socket, SocketAddr)> {
        loop {
            let view = views::listener(self.shared.socket.as_fd())?;
            let held = Held::new(Arc::clone(&self.shared));
            let result = view.accept().await;
            held.done();
            match result {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
                Ok((stream, peer)) => {
                    // SAFETY: monoio gives up the only claim to an open descriptor.
                    let fd = unsafe { OwnedFd::from_raw_fd(stream.into_raw_fd()) };
                    return Ok((Socket { fd }, peer));
                }
            }
        }
    }

    /// Makes the pending and every later accept end with an error (shutdown(2) on the listening socket). Callable from any thread.
    #[must_use]
    pub fn stopper(&self) -> Breaker {
        self.shared.breaker.clone()
    }
}

/// An accepted connection on its way to its core. `Send`. Closes on drop.
pub struct Socket {
    fd: OwnedFd,
}

impl From<TcpStream> for Socket {
    fn from(stream: TcpStream) -> Socket {
        Socket { fd: stream.into() }
    }
}

/// A connection on its core.
pub struct Stream {
    socket: monoio::net::TcpStream,
    breaker: Breaker,
    /// An operation was begun and has not ended.
    busy: Cell<bool>,
}

impl Stream {
    /// TCP_NODELAY is set.
    pub fn adopt(socket: Socket) -> io::Result<Stream> {
        let socket = TcpStream::from(socket.fd);
        socket.set_nodelay(true)?;
        let breaker = Breaker::new(socket.as_raw_fd());
        let socket = monoio::net::TcpStream::from_std(socket)?;
        Ok(Stream { socket, breaker, busy: Cell::new(false) })
    }

    /// Waits until bytes (or the end, or an error) are there, holding no buffer.
    pub async fn readable(&self) -> io::Result<()> {
        self.busy.set(true);
        let result = self.socket.readable(false).await;
        self.busy.set(false);
        result
    }

    /// One receive into the spare room of `buf` (which must have some); `Ok(0)` is the peer's end.
    pub async fn recv(&mut self, mut buf: Buffer) -> (io::Result<usize>, Buffer) {
        let (start, room) = (buf.len(), buf.capacity() - buf.len());
        assert!(room > 0, "a receive into no room would look like the peer's end");
        self.busy.set(true);
        let result = loop {
            let (result, window) = self.socket.read(Window::new(buf, start, room)).await;
            buf = window.into_buffer();
            match result {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        self.busy.set(false);
        buf.set_len(start + *result.as_ref().unwrap_or(&0));
        (result, buf)
    }

    /// Sends all, with writev where there is more than one piece.
    pub async fn send_all(&mut self, mut pieces: Vec<Bytes>) -> io::Result<()> {
        pieces.retain(|piece| !piece.is_empty());
        let total: usize = pieces.iter().map(Bytes::len).sum();
        self.busy.set(true);
        let result = match pieces.len() {
            0 => Ok(()),
            1 => self.send_one(pieces.swap_remove(0)).await,
            _ if total <= COALESCE_BYTES_MAX => {
                let mut whole = BytesMut::with_capacity(total);
                pieces.iter().for_each(|piece| whole.extend_from_slice(piece));
                self.send_one(whole.freeze()).await
            }
            _ => self.send_pieces(Pieces::new(pieces)).await,
        };
        self.busy.set(false);
        result
    }

    async fn send_one(&mut self, mut bytes: Bytes) -> io::Result<()> {
        while !bytes.is_empty() {
            let result;
            (result, bytes) = self.socket.write(bytes).await;
            match result {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => bytes.advance(n),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    async fn send_pieces(&mut self, mut pieces: Pieces) -> io::Result<()> {
        while !pieces.is_empty() {
            let result;
            (result, pieces) = self.socket.writev(pieces).await;
            match result {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => pieces.advance(n),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Half-close: no more from us.
    pub fn finish(&self) {
        self.breaker.shutdown(libc::SHUT_WR);
    }

    /// Cuts this connection from elsewhere.
    #[must_use]
    pub fn breaker(&self) -> Breaker {
        self.breaker.clone()
    }

    /// Bytes waiting in the socket (FIONREAD), 0 on error.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        let mut count: libc::c_int = 0;
        // SAFETY: FIONREAD writes one int, to a live one; the descriptor is open.
        let status = unsafe { libc::ioctl(self.socket.as_raw_fd(), libc::FIONREAD, &raw mut count) };
        if status == 0 { usize::try_from(count).unwrap_or(0) } else { 0 }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // An operation whose future was dropped keeps the descriptor open until it ends. Nobody could end it later.
        if self.busy.get() {
            self.breaker.cut();
        }
        // Only then is the socket closed.
        self.breaker.forget();
    }
}

/// Bytes for one vectored send, and how far it has come.
struct Pieces {
    /// Parallel to `_bytes`; those before `next` are sent.
    iovecs: Vec<libc::iovec>,
    next: usize,
    _bytes: Vec<Bytes>,
}

impl Pieces {
    fn new(bytes: Vec<Bytes>) -> Pieces {
        let iovec =
            |piece: &Bytes| libc::iovec { iov_base: piece.as_ptr().cast_mut().cast(), iov_len: piece.len() };
        Pieces { iovecs: bytes.iter().map(iovec).collect(), next: 0, _bytes: bytes }
    }

    fn is_empty(&self) -> bool {
        self.next == self.iovecs.len()
    }

    /// `n` more bytes are sent. Panics beyond the end.
    fn advance(&mut self, mut n: usize) {
        while n > 0 {
            let front = &mut self.iovecs[self.next];
            if n < front.iov_len {
                front.iov_base = front.iov_base.cast::<u8>().wrapping_add(n).cast();
                front.iov_len -= n;
                return;
            }
            n -= front.iov_len;
            self.next += 1;
        }
    }
}

// SAFETY: the vectors point into `_bytes`, whose memory does not move and lives as long as this does. They are only
// read through. The array of vectors is on the heap and not touched while the kernel has it.
unsafe impl IoVecBuf for Pieces {
    fn read_iovec_ptr(&self) -> *const libc::iovec {
        self.iovecs[self.next..].as_ptr()
    }

    fn read_iovec_len(&self) -> usize {
        (self.iovecs.len() - self.next).min(IOVECS_MAX)
    }
}

/// Cuts a connection from outside its pending operation, as often as one likes. Safe to hold after the
/// stream is gone (it then does nothing: it must never act on a recycled descriptor).
#[derive(Clone)]
pub struct Breaker {
    /// `None` once the descriptor may be closed. Its owner clears it before closing, under the lock.
    fd: Arc<Mutex<Option<RawFd>>>,
}

impl Breaker {
    fn new(fd: RawFd) -> Breaker {
        Breaker { fd: Arc::new(Mutex::new(Some(fd))) }
    }

    fn lock(&self) -> MutexGuard<'_, Option<RawFd>> {
        // Nothing that can panic runs under the lock.
        self.fd.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The descriptor is about to be closed.
    fn forget(&self) {
        *self.lock() = None;
    }

    fn shutdown(&self, how: libc::c_int) {
        let fd = self.lock();
        if let Some(fd) = *fd {
            // SAFETY: no pointers; the owner cannot close the descriptor while the lock is held. An error means that
            // the connection is down already.
            unsafe { libc::shutdown(fd, how) };
        }
    }

    /// Ends the pending and every later operation, in both directions.
    pub fn cut(&self) {
        self.shutdown(libc::SHUT_RDWR);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::units::MIB;
    use crate::runtime::buffer::Pool;
    use crate::runtime::core::tests::{on_cores, on_one_core};
    use crate::runtime::core::{catch_panic, spawn, yield_now};
    use crate::runtime::inbox::Inbox;
    use crate::runtime::{clock, sync::oneshot};
    use std::io::{Read, Write};
    use std::net::Shutdown;
    use std::time::Duration;

    fn loopback() -> (Listener, SocketAddr) {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let addr = listener.local_addr().unwrap();
        (listener, addr)
    }

    /// Two ends of one connection: ours on this core, and a blocking client.
    async fn pair() -> (Stream, TcpStream) {
        let (listener, addr) = loopback();
        let client = TcpStream::connect(addr).unwrap();
        let (socket, peer) = listener.accept().await.unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
        (Stream::adopt(socket).unwrap(), client)
    }

    async fn echo(mut stream: Stream, pool: &Pool) -> usize {
        let mut total = 0;
        loop {
            stream.readable().await.unwrap();
            let (result, buf) = stream.recv(pool.take(64 * 1024)).await;
            match result.unwrap() {
                0 => return total,
                n => total += n,
            }
            stream.send_all(vec![buf.freeze()]).await.unwrap();
        }
    }

    #[test]
    fn one_core_accepts_and_another_echoes() {
        const CONNECTIONS: usize = 20;
        let (listener, addr) = loopback();
        let listener = Mutex::new(Some(listener));
        let shared = Arc::new((listener, Inbox::<Socket>::new(4)));
        let client = std::thread::spawn(move || {
            for n in 0..CONNECTIONS {
                let mut stream = TcpStream::connect(addr).unwrap();
                let sent: Vec<u8> = (0..100_000 + n).map(|k| (k % 251) as u8).collect();
                let mut writer = stream.try_clone().unwrap();
                let expected = sent.clone();
                let writing = std::thread::spawn(move || {
                    writer.write_all(&sent).unwrap();
                    writer.shutdown(Shutdown::Write).unwrap();
                });
                let mut got = Vec::new();
                stream.read_to_end(&mut got).unwrap();
                writing.join().unwrap();
                assert!(got == expected, "connection {n}");
            }
        });
        on_cores(2, move |core| {
            let shared = Arc::clone(&shared);
            async move {
                let (listener, inbox) = &*shared;
                if core.0 == 0 {
                    let listener = listener.lock().unwrap().take().unwrap();
                    for _ in 0..CONNECTIONS {
                        let (mut socket, _) = listener.accept().await.unwrap();
                        while let Err(back) = inbox.push(socket) {
                            socket = back;
                            clock::sleep(Duration::from_millis(1)).await;
                        }
                    }
                } else {
                    let pool = Pool::new(MIB);
                    for n in 0..CONNECTIONS {
                        let stream = Stream::adopt(inbox.next().await).unwrap();
                        assert_eq!(echo(stream, &pool).await, 100_000 + n);
                    }
                    assert_eq!(pool.usage().0, 0, "all buffers are home");
                }
            }
        });
        client.join().unwrap();
    }

    #[test]
    fn many_pieces_arrive_as_one_through_short_sends() {
        on_one_core(|| async {
            for (count, size) in [(0, 0), (1, 5), (3, 100), (3_000, 7), (2_000, 4_001), (3, 3 * MIB)] {
                let (mut stream, mut client) = pair().await;
                let pieces: Vec<Bytes> =
                    (0..count).map(|n| Bytes::from(vec![(n % 253) as u8; size + n % 3])).collect();
                let expected = pieces.concat();
                let reading = std::thread::spawn(move || {
                    let mut got = Vec::new();
                    client.read_to_end(&mut got).unwrap();
                    got
                });
                stream.send_all(pieces).await.unwrap();
                stream.finish();
                let got = crate::runtime::helper::run(move || reading.join().unwrap()).await;
                assert!(got == expected, "{count} pieces of {size}");
            }
        });
    }

    #[test]
    fn a_breaker_ends_a_pending_receive_and_a_pending_wait() {
        on_one_core(|| async {
            for waiting in [false, true] {
                let (mut stream, client) = pair().await;
                let breaker = stream.breaker();
                spawn(async move {
                    clock::sleep(Duration::from_millis(10)).await;
                    breaker.cut();
                    breaker.cut();
                });
                if waiting {
                    stream.readable().await.unwrap();
                }
                let (result, buf) = stream.recv(Pool::new(0).take(1)).await;
                assert_eq!(result.unwrap(), 0, "the end");
                assert!(buf.is_empty());
                assert!(stream.send_all(vec![Bytes::from_static(b"late")]).await.is_err());
                drop(client);
            }
        });
    }

    #[test]
    fn a_breaker_ends_a_send_that_the_peer_does_not_take() {
        on_one_core(|| async {
            let (mut stream, client) = pair().await;
            let breaker = stream.breaker();
            spawn(async move {
                clock::sleep(Duration::from_millis(20)).await;
                breaker.cut();
            });
            let much = Bytes::from(vec![1; 64 * MIB]);
            assert!(stream.send_all(vec![much.clone(), much]).await.is_err());
            drop(client);
        });
    }

    #[test]
    fn a_breaker_of_a_closed_connection_leaves_its_successor_alone() {
        on_one_core(|| async {
            let (stream, client) = pair().await;
            let (breaker, number) = (stream.breaker(), stream.socket.as_raw_fd());
            drop((stream, client));
            // The close goes through the ring.
            yield_now().await;
            let mut met = false;
            for _ in 0..64 {
                let (mut stream, mut client) = pair().await;
                met |= stream.socket.as_raw_fd() == number;
                breaker.cut();
                client.write_all(b"alive").unwrap();
                let (result, buf) = stream.recv(Pool::new(0).take(1)).await;
                assert_eq!((result.unwrap(), buf.as_slice()), (5, &b"alive"[..]));
                if met {
                    return;
                }
            }
            // Other tests run meanwhile and may have taken the number; then nothing was shown, and nothing failed.
        });
    }

    #[test]
    fn a_stopper_ends_the_pending_accept_and_those_after_it() {
        let (listener, _) = loopback();
        let stopper = listener.stopper();
        let listener = Arc::new(listener);
        let stopping = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            stopper.cut();
        });
        on_one_core(move || {
            let listener = Arc::clone(&listener);
            async move {
                assert!(listener.accept().await.is_err());
                assert!(listener.accept().await.is_err());
            }
        });
        stopping.join().unwrap();
    }

    #[test]
    fn waiting_bytes_are_counted_and_received_behind_those_in_use() {
        on_one_core(|| async {
            let (mut stream, mut client) = pair().await;
            assert_eq!(stream.pending_bytes(), 0);
            client.write_all(b"world").unwrap();
            stream.readable().await.unwrap();
            assert_eq!(stream.pending_bytes(), 5);
            let mut buf = Pool::new(0).take(1);
            buf.extend_from_slice(b"hello ");
            let (result, buf) = stream.recv(buf).await;
            assert_eq!((result.unwrap(), buf.as_slice()), (5, &b"hello world"[..]));
        });
    }

    #[test]
    fn a_dropped_receive_is_ended_and_its_connection_closed() {
        on_one_core(|| async {
            let (mut stream, mut client) = pair().await;
            let (sender, receiver) = oneshot::channel::<()>();
            let end = catch_panic(async move {
                let pending = Box::pin(stream.recv(Pool::new(0).take(1)));
                // Polled once, then dropped by the panic: what must not be done on purpose.
                let mut pending = pending;
                std::future::poll_fn(|cx| {
                    assert!(pending.as_mut().poll(cx).is_pending());
                    std::task::Poll::Ready(())
                })
                .await;
                drop(receiver);
                panic!("in a handler");
            });
            assert!(end.await.is_err());
            drop(sender);
            client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            let read = crate::runtime::helper::run(move || client.read(&mut [0; 8]));
            assert_eq!(read.await.unwrap(), 0, "closed");
        });
    }
}
