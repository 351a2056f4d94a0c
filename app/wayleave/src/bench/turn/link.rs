//! How a client reaches the server: UDP, TCP or TLS.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use machine::Endpoint;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use turn::framing::frame_bytes;
use udp::{Batch, Socket, Transmit};

/// How long a connection or a handshake may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// What a stream reads in one go, and what it may hold back when the server does not read.
const CHUNK_BYTES: usize = 65_536;

/// One client's way to the server.
pub enum Link {
    /// A connected socket.
    Udp(Socket),
    /// A connection.
    Stream(Box<Stream>),
}

impl Link {
    /// Over UDP, from a port of its own.
    pub fn udp(local: IpAddr, server: SocketAddr) -> io::Result<Self> {
        let socket = Socket::bind(Endpoint::new(local, 0), None)?;
        socket.owner().connect(server)?;
        Ok(Self::Udp(socket))
    }

    /// Another way to the same server over UDP, from another port.
    pub fn another(&self) -> io::Result<Option<Self>> {
        let Self::Udp(socket) = self else { return Ok(None) };
        let (local, server) = (socket.owner().local_addr()?, socket.owner().peer_addr()?);
        Self::udp(local.ip(), server).map(Some)
    }

    /// Over TCP, or TLS when there is a configuration for it.
    pub fn stream(server: SocketAddr, tls: Option<&Arc<ClientConfig>>) -> io::Result<Self> {
        Ok(Self::Stream(Box::new(Stream::connect(server, tls)?)))
    }

    /// Sends one message, or with `segment` a train of messages of that size.
    ///
    /// `WouldBlock` when there is no room now.
    pub fn send(&mut self, bytes: &[u8], segment: Option<usize>) -> io::Result<()> {
        match self {
            Self::Udp(socket) => {
                let Some(size) = segment else { return socket.owner().send(bytes).map(drop) };
                let remote = Endpoint::from(socket.owner().peer_addr()?);
                let segment_size = Some(size);
                socket.send(Transmit { source: None, remote, segment_size, bytes }).map(drop)
            }
            Self::Stream(stream) => stream.send(bytes, segment),
        }
    }

    /// Gives every message that waits to `each`, and says how many there were.
    pub fn receive(&mut self, batch: &mut Batch, each: &mut dyn FnMut(&[u8])) -> io::Result<usize> {
        match self {
            Self::Udp(socket) => receive(socket, batch, |_, bytes| each(bytes)),
            Self::Stream(stream) => stream.receive(each),
        }
    }
}

/// Gives every datagram that waits on `socket`, up to a batch, to `each`, and says how many there
/// were.
pub fn receive(
    socket: &Socket,
    batch: &mut Batch,
    mut each: impl FnMut(Endpoint, &[u8]),
) -> io::Result<usize> {
    match socket.receive(batch) {
        Ok(_) => {}
        Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(0),
        // An ICMP error about an earlier datagram, which counts as lost; where there is one remote
        // alone it says that nobody is there.
        Err(e) if e.kind() == ErrorKind::ConnectionRefused => {
            return if socket.owner().peer_addr().is_ok() { Err(e) } else { Ok(0) };
        }
        Err(e) => return Err(e),
    }
    let mut count = 0;
    for message in batch.messages(socket.local()) {
        let size = message.segment_size.unwrap_or(message.bytes.len()).max(1);
        for datagram in message.bytes.chunks(size) {
            each(message.remote, datagram);
            count += 1;
        }
    }
    Ok(count)
}

/// A connection that carries messages back to back (RFC 8656 §2.1).
pub struct Stream {
    tcp: TcpStream,
    tls: Option<ClientConnection>,
    inbox: Vec<u8>,
    unsent: Vec<u8>,
}

impl Stream {
    fn connect(server: SocketAddr, tls: Option<&Arc<ClientConfig>>) -> io::Result<Self> {
        let mut tcp = TcpStream::connect_timeout(&server, CONNECT_LIMIT)?;
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(CONNECT_LIMIT))?;
        let tls = match tls {
            None => None,
            Some(config) => {
                let name = ServerName::from(server.ip());
                let mut session =
                    ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
                while session.is_handshaking() {
                    session.complete_io(&mut tcp)?;
                }
                Some(session)
            }
        };
        tcp.set_nonblocking(true)?;
        Ok(Self { tcp, tls, inbox: Vec::new(), unsent: Vec::new() })
    }

    fn send(&mut self, bytes: &[u8], segment: Option<usize>) -> io::Result<()> {
        self.flush()?;
        if self.has_unsent() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let mut framed = std::mem::take(&mut self.unsent);
        for message in bytes.chunks(segment.unwrap_or(bytes.len()).max(1)) {
            framed.extend(message);
            framed.resize(framed.len().next_multiple_of(4), 0);
        }
        if let Some(session) = &mut self.tls {
            session.writer().write_all(&framed)?;
            framed.clear();
        }
        self.unsent = framed;
        self.flush()
    }

    fn has_unsent(&self) -> bool {
        !self.unsent.is_empty() || self.tls.as_ref().is_some_and(|session| session.wants_write())
    }

    /// Writes what the kernel takes of what is left.
    fn flush(&mut self) -> io::Result<()> {
        let Self { tcp, tls, unsent, .. } = self;
        if let Some(session) = tls {
            while session.wants_write() && would_block(session.write_tls(tcp))?.is_some() {}
        }
        while !unsent.is_empty() {
            match would_block(tcp.write(unsent))? {
                Some(n) => drop(unsent.drain(..n)),
                None => break,
            }
        }
        Ok(())
    }

    fn receive(&mut self, each: &mut dyn FnMut(&[u8])) -> io::Result<usize> {
        self.flush()?;
        self.read()?;
        let mut count = 0;
        let mut at = 0;
        while let Some(rest) = self.inbox.get(at..)
            && let Some(length) = frame_bytes(rest).map_err(io::Error::other)?
            && let Some(message) = rest.get(..length)
        {
            each(message);
            count += 1;
            at += length;
        }
        self.inbox.drain(..at);
        Ok(count)
    }

    fn read(&mut self) -> io::Result<()> {
        let mut chunk = [0; CHUNK_BYTES];
        let Self { tcp, tls, inbox, .. } = self;
        let Some(session) = tls else {
            return match would_block(tcp.read(&mut chunk))? {
                Some(0) => Err(ErrorKind::UnexpectedEof.into()),
                Some(n) => {
                    inbox.extend(chunk.get(..n).unwrap_or_default());
                    Ok(())
                }
                None => Ok(()),
            };
        };
        if would_block(session.read_tls(tcp))? == Some(0) {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        session.process_new_packets().map_err(io::Error::other)?;
        while let Some(n) = would_block(session.reader().read(&mut chunk))?.filter(|&n| n > 0) {
            inbox.extend(chunk.get(..n).unwrap_or_default());
        }
        Ok(())
    }
}

/// Nothing where there is nothing to read or no room to write.
fn would_block<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use udp::Batch;

    use super::Link;

    /// Receives until `count` messages came. Loopback delivers soon, but not before `write` returns.
    fn receive(link: &mut Link, count: usize) -> Vec<Vec<u8>> {
        let (mut batch, mut messages) = (Batch::new(), Vec::new());
        while messages.len() < count {
            link.receive(&mut batch, &mut |bytes| messages.push(bytes.to_vec())).unwrap();
            std::thread::yield_now();
        }
        messages
    }

    #[test]
    fn a_stream_is_cut_into_messages_and_padded() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut link = Link::stream(listener.local_addr().unwrap(), None).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        link.send(b"\x40\0\0\x01a\x40\0\0\x01b", Some(5)).unwrap();
        let mut written = [0; 16];
        server.read_exact(&mut written).unwrap();
        assert_eq!(&written, b"\x40\0\0\x01a\0\0\0\x40\0\0\x01b\0\0\0");
        server.write_all(&written[..10]).unwrap();
        assert_eq!(receive(&mut link, 1), [&written[..8]]);
        server.write_all(&written[10..]).unwrap();
        assert_eq!(receive(&mut link, 1), [&written[8..]]);
    }

    #[test]
    fn a_train_arrives_as_datagrams() {
        let server = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let mut link = Link::udp(address.ip(), address).unwrap();
        link.send(&[7; 300], Some(100)).unwrap();
        let mut bytes = [0; 400];
        for _ in 0..3 {
            let (n, from) = server.recv_from(&mut bytes).unwrap();
            assert_eq!(n, 100);
            server.send_to(&bytes[..n], from).unwrap();
        }
        assert_eq!(receive(&mut link, 3), vec![vec![7; 100]; 3]);
    }
}
