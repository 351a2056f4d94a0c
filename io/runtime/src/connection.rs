//! One TCP connection, plain or under TLS, with its bounded write buffer.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use machine::Endpoint;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

use crate::defaults::{KEPT_BUFFER_LEN, WRITE_BUFFER_LEN};

/// What an accepted connection holds as long as it is open, and for others to count.
pub(crate) type Permit = Option<Arc<()>>;

/// An open connection.
pub(crate) struct Connection {
    stream: Stream,
    out: VecDeque<u8>,
    /// What the machine may still write, as it was told.
    room: usize,
    /// Whether the stream below holds bytes back.
    flushing: bool,
    /// Whether the writing side has been shut down.
    shut: bool,
    /// The machine reads nothing for now.
    paused: bool,
    permit: Permit,
}

enum Stream {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connection {
    pub(crate) const fn new(stream: TcpStream, permit: Permit) -> Self {
        Self::on(Stream::Tcp(stream), permit)
    }

    pub(crate) fn secured(stream: TlsStream<TcpStream>, permit: Permit) -> Self {
        Self::on(Stream::Tls(Box::new(stream)), permit)
    }

    const fn on(stream: Stream, permit: Permit) -> Self {
        let out = VecDeque::new();
        Self {
            stream,
            out,
            room: WRITE_BUFFER_LEN,
            flushing: false,
            shut: false,
            paused: false,
            permit,
        }
    }

    /// Sends small messages at once; returns our side's address and the peer's.
    pub(crate) fn prepare(&self) -> io::Result<(Endpoint, Endpoint)> {
        let tcp = self.stream.tcp();
        tcp.set_nodelay(true)?;
        Ok((tcp.local_addr()?.into(), tcp.peer_addr()?.into()))
    }

    /// Delivers what waits, and gives the stream away.
    pub(crate) async fn into_plain(mut self) -> io::Result<(TcpStream, Permit)> {
        let Stream::Tcp(mut tcp) = self.stream else {
            return Err(io::Error::other("TLS was started already"));
        };
        tcp.write_all(self.out.make_contiguous()).await?;
        Ok((tcp, self.permit))
    }

    pub(crate) const fn room(&self) -> usize {
        self.room
    }

    /// Stops handing out what comes, or goes on; the kernel makes the peer wait when its buffer is
    /// full.
    pub(crate) const fn pause(&mut self, paused: bool) {
        self.paused = paused;
    }

    pub(crate) const fn is_paused(&self) -> bool {
        self.paused
    }

    /// What ended the connection, if something did that reading or writing would tell.
    pub(crate) fn error(&self) -> Option<io::Error> {
        self.stream.tcp().take_error().unwrap_or_else(Some)
    }

    /// Takes what the machine writes.
    ///
    /// # Panics
    /// If the machine writes more than it has room for: it was told.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        assert!(bytes.len() <= self.room, "a machine writes at most the room announced for it");
        self.room -= bytes.len();
        self.out.extend(bytes);
    }

    /// Writes what waits. `Some(room)` when the machine has more room than it knows of.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>) -> io::Result<Option<usize>> {
        while !self.out.is_empty() {
            let (front, _) = self.out.as_slices();
            match self.stream.pinned().poll_write(cx, front) {
                Poll::Ready(Ok(n)) => drop(self.out.drain(..n)),
                Poll::Ready(Err(e)) => return Err(e),
                Poll::Pending => break,
            }
            self.flushing = true;
        }
        if self.out.is_empty() && self.out.capacity() > KEPT_BUFFER_LEN {
            self.out = VecDeque::new();
        }
        if self.flushing && self.stream.pinned().poll_flush(cx)?.is_ready() {
            self.flushing = false;
        }
        let room = WRITE_BUFFER_LEN - self.out.len();
        Ok((room > std::mem::replace(&mut self.room, room)).then_some(room))
    }

    /// Reads what is there into `buf`; 0 at the end.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(buf);
        match ready!(self.stream.pinned().poll_read(cx, &mut buf)) {
            Ok(()) => Poll::Ready(Ok(buf.filled().len())),
            // Many close without TLS's own goodbye; who cares for truncation counts bytes.
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(0)),
            Err(e) => Poll::Ready(Err(e)),
        }
    }

    /// Goes on closing: delivers what waits, says that no more comes, and if `patient` waits for
    /// the peer to say the same, since a socket closed with unread bytes, or one that more bytes
    /// come for, resets what is still under way (RFC 9293 §3.6.1, RFC 1122 §4.2.2.13). Ready when
    /// the socket may go.
    pub(crate) fn poll_close(
        &mut self,
        cx: &mut Context<'_>,
        scratch: &mut [u8],
        patient: bool,
    ) -> Poll<()> {
        if self.poll_write(cx).is_err() {
            return Poll::Ready(());
        }
        if self.out.is_empty() && !self.shut {
            if ready!(self.stream.pinned().poll_shutdown(cx)).is_err() {
                return Poll::Ready(());
            }
            self.shut = true;
        }
        loop {
            match self.poll_read(cx, scratch) {
                Poll::Ready(Ok(0)) if !self.shut => return Poll::Pending,
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(_)) => {}
                Poll::Pending if self.shut && !patient => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

/// What both kinds of stream can do.
trait Duplex: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Duplex for T {}

impl Stream {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Tcp(tcp) => tcp,
            Self::Tls(tls) => tls.get_ref().0,
        }
    }

    fn pinned(&mut self) -> Pin<&mut dyn Duplex> {
        let stream: &mut dyn Duplex = match self {
            Self::Tcp(tcp) => tcp,
            Self::Tls(tls) => tls,
        };
        Pin::new(stream)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use tokio::io::AsyncReadExt as _;
    use tokio::net::{TcpListener, TcpStream};

    use super::Connection;
    use crate::defaults::{KEPT_BUFFER_LEN, WRITE_BUFFER_LEN};

    #[tokio::test]
    async fn a_burst_leaves_no_memory_behind() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut peer = listener.accept().await.unwrap().0;
        let mut connection = Connection::new(stream, None);
        for len in [WRITE_BUFFER_LEN, 100] {
            connection.write(&vec![7; len]);
            let written = poll_fn(|cx| match connection.poll_write(cx).unwrap() {
                Some(WRITE_BUFFER_LEN) => Poll::Ready(()),
                _ => Poll::Pending,
            });
            let mut read = vec![0; len];
            let (_, read) = tokio::join!(written, peer.read_exact(&mut read));
            assert_eq!(read.unwrap(), len);
            assert!(connection.out.capacity() <= KEPT_BUFFER_LEN);
        }
    }
}
