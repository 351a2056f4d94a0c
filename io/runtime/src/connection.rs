//! One TCP connection with its bounded write buffer.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use machine::Endpoint;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::defaults::WRITE_BUFFER_LEN;

/// An open connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    out: VecDeque<u8>,
    /// What the machine may still write, as it was told.
    room: usize,
    /// Whether the writing side has been shut down.
    shut: bool,
    /// Whether a peer opened it.
    accepted: bool,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream, accepted: bool) -> Self {
        Self { stream, out: VecDeque::new(), room: WRITE_BUFFER_LEN, shut: false, accepted }
    }

    pub(crate) const fn is_accepted(&self) -> bool {
        self.accepted
    }

    /// Sends small messages at once; returns our side's address and the peer's.
    pub(crate) fn prepare(&self) -> io::Result<(Endpoint, Endpoint)> {
        self.stream.set_nodelay(true)?;
        Ok((self.stream.local_addr()?.into(), self.stream.peer_addr()?.into()))
    }

    pub(crate) const fn room(&self) -> usize {
        self.room
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
            match Pin::new(&mut self.stream).poll_write(cx, front) {
                Poll::Ready(Ok(n)) => drop(self.out.drain(..n)),
                Poll::Ready(Err(e)) => return Err(e),
                Poll::Pending => break,
            }
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
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf))?;
        Poll::Ready(Ok(buf.filled().len()))
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
            if ready!(Pin::new(&mut self.stream).poll_shutdown(cx)).is_err() {
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
