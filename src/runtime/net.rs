//! TCP sockets. A deadline acts by `Breaker::cut` (shutdown(2)): the pending operation then ends by itself.
use std::io;
use std::net::SocketAddr;
use bytes::Bytes;
use super::buffer::Buffer;

/// Bound before the cores start, on the main thread, so that "address in use" is told early. Movable to the accepting core.
pub struct Listener {}
impl Listener {
    pub fn bind(addr: SocketAddr) -> io::Result<Listener> { todo!() }
    pub fn local_addr(&self) -> io::Result<SocketAddr> { todo!() }
    /// The next connection, as something that can be sent to another core.
    pub async fn accept(&self) -> io::Result<(Socket, SocketAddr)> { todo!() }
    /// Makes the pending and every later accept end with an error (shutdown(2) on the listening socket). Callable from any thread.
    pub fn stopper(&self) -> Breaker { todo!() }
}
/// An accepted connection on its way to its core. `Send`. Closes on drop.
pub struct Socket {}
/// A connection on its core.
pub struct Stream {}
impl Stream {
    /// TCP_NODELAY is set.
    pub fn adopt(socket: Socket) -> io::Result<Stream> { todo!() }
    /// Waits until bytes (or the end, or an error) are there, holding no buffer.
    pub async fn readable(&self) -> io::Result<()> { todo!() }
    /// One receive into the spare room of `buf` (which must have some); `Ok(0)` is the peer's end.
    pub async fn recv(&mut self, buf: Buffer) -> (io::Result<usize>, Buffer) { todo!() }
    /// Sends all, with writev where there is more than one piece.
    pub async fn send_all(&mut self, pieces: Vec<Bytes>) -> io::Result<()> { todo!() }
    /// Half-close: no more from us.
    pub fn finish(&self) { todo!() }
    pub fn breaker(&self) -> Breaker { todo!() }
    /// Bytes waiting in the socket (FIONREAD), 0 on error.
    pub fn pending_bytes(&self) -> usize { todo!() }
}
/// Cuts a connection from outside its pending operation, as often as one likes. Safe to hold after the
/// stream is gone (it then does nothing: it must never act on a recycled descriptor).
#[derive(Clone)]
pub struct Breaker {}
impl Breaker { pub fn cut(&self) { todo!() } }
