//! A UDP socket on tokio, with a bounded queue for what the kernel has no room for.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::task::{Context, Poll, ready};

use machine::Endpoint;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use udp::{Batch, Socket, Transmit};

use crate::defaults::SEND_QUEUE_LEN;

/// One UDP socket.
#[derive(Debug)]
pub(crate) struct UdpPort {
    socket: Socket<UdpSocket>,
    waiting: VecDeque<Waiting>,
    waiting_len: usize,
    lost: u64,
}

#[derive(Debug)]
struct Waiting {
    source: Option<IpAddr>,
    remote: Endpoint,
    segment_size: Option<usize>,
    bytes: Vec<u8>,
}

impl UdpPort {
    pub(crate) fn bind(local: Endpoint, interface: Option<u32>) -> io::Result<Self> {
        Self::on(Socket::bind(local, interface)?)
    }

    /// A port on a socket that was bound before we started.
    pub(crate) fn inherited(socket: std::net::UdpSocket) -> io::Result<Self> {
        Self::on(Socket::adopt(socket)?)
    }

    fn on(socket: Socket) -> io::Result<Self> {
        let socket = socket.try_map(UdpSocket::from_std)?;
        Ok(Self { socket, waiting: VecDeque::new(), waiting_len: 0, lost: 0 })
    }

    pub(crate) const fn local(&self) -> Endpoint {
        self.socket.local()
    }

    /// Receives a batch; `Pending` leaves the waker behind.
    pub(crate) fn poll_receive(
        &self,
        cx: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.socket.owner().poll_recv_ready(cx))?;
            let receive = || self.socket.receive(batch);
            match self.socket.owner().try_io(Interest::READABLE, receive) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    /// Sends, or queues when the kernel has no room. Says whether something waits now, for which
    /// the port wants to be served.
    pub(crate) fn send(&mut self, transmit: Transmit<'_>) -> bool {
        if !self.waiting.is_empty() {
            self.enqueue(transmit, 0);
            return true;
        }
        match self.socket.send(transmit) {
            Ok(sent) if sent == transmit.bytes.len() => false,
            Ok(sent) => {
                self.enqueue(transmit, sent);
                true
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                self.enqueue(transmit, 0);
                true
            }
            Err(error) => {
                self.lose(&error);
                false
            }
        }
    }

    /// Sends what waits; `Pending` leaves the waker behind.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(first) = self.waiting.front_mut() {
            ready!(self.socket.owner().poll_send_ready(cx))?;
            let transmit = Transmit {
                source: first.source,
                remote: first.remote,
                segment_size: first.segment_size,
                bytes: &first.bytes,
            };
            let send = || self.socket.send(transmit);
            match self.socket.owner().try_io(Interest::WRITABLE, send) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Ok(sent) if sent < first.bytes.len() => {
                    first.bytes.drain(..sent);
                    self.waiting_len -= sent;
                }
                result => {
                    self.waiting_len -= first.bytes.len();
                    self.waiting.pop_front();
                    if let Err(error) = result {
                        self.lose(&error);
                    }
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn enqueue(&mut self, transmit: Transmit<'_>, sent: usize) {
        let bytes = transmit.bytes.get(sent..).unwrap_or_default();
        if self.waiting_len + bytes.len() > SEND_QUEUE_LEN {
            self.lost += 1;
            tracing::debug!(local = %self.local(), lost = self.lost, "no room to send");
            return;
        }
        self.waiting_len += bytes.len();
        self.waiting.push_back(Waiting {
            source: transmit.source,
            remote: transmit.remote,
            segment_size: transmit.segment_size,
            bytes: bytes.to_vec(),
        });
    }

    fn lose(&mut self, error: &io::Error) {
        self.lost += 1;
        tracing::debug!(local = %self.local(), lost = self.lost, %error, "could not send");
    }
}
