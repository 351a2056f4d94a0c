//! A UDP socket on tokio, with a bounded queue for what the kernel has no room for.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use machine::Endpoint;
use tokio::io::{Interest, Ready};
use tokio::net::UdpSocket;
use udp::{Batch, Socket, Transmit, Unreachable};

use crate::defaults::{MAX_UNREACHABLE, SEND_QUEUE_LEN};

/// One UDP socket.
pub(crate) struct UdpPort {
    socket: Socket<Arc<UdpSocket>>,
    waiting: VecDeque<Waiting>,
    waiting_len: usize,
    lost: u64,
    /// Ready when the kernel has an error for us.
    trouble: Trouble,
    /// Errors that came to light while sending.
    unreachable: VecDeque<Unreachable>,
}

type Trouble = Pin<Box<dyn Future<Output = io::Result<Ready>> + Send>>;

#[derive(Debug)]
struct Waiting {
    source: Option<IpAddr>,
    remote: Endpoint,
    segment_size: Option<usize>,
    dont_fragment: bool,
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
        let socket = socket.try_map(|socket| UdpSocket::from_std(socket).map(Arc::new))?;
        Ok(Self {
            trouble: trouble(socket.owner()),
            socket,
            waiting: VecDeque::new(),
            waiting_len: 0,
            lost: 0,
            unreachable: VecDeque::new(),
        })
    }

    pub(crate) const fn local(&self) -> Endpoint {
        self.socket.local()
    }

    /// Receives a batch; `Pending` leaves the waker behind.
    pub(crate) fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.socket.owner().poll_recv_ready(cx))?;
            let receive = || self.socket.receive(batch);
            match self.socket.owner().try_io(Interest::READABLE, receive) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                // It was about something sent: what was received is still there.
                Err(_) if self.collect(None) => {}
                result => return Poll::Ready(result),
            }
        }
    }

    /// The next ICMP error for something that was sent; `Pending` leaves the waker behind.
    pub(crate) fn poll_unreachable(&mut self, cx: &mut Context<'_>) -> Poll<Unreachable> {
        loop {
            if let Some(unreachable) = self.unreachable.pop_front() {
                return Poll::Ready(unreachable);
            }
            let next = || self.socket.unreachable();
            if let Ok(unreachable) = self.socket.owner().try_io(Interest::ERROR, next) {
                return Poll::Ready(unreachable);
            }
            let failed = ready!(self.trouble.as_mut().poll(cx)).is_err();
            self.trouble = trouble(self.socket.owner());
            if failed {
                // The runtime is shutting down.
                return Poll::Pending;
            }
        }
    }

    /// Takes the errors that the kernel holds, of which the first failed a send or a receive that
    /// had nothing to do with it; says whether there were any. Of what was just sent `to` somewhere
    /// and is too big the kernel tells no port.
    fn collect(&mut self, to: Option<Endpoint>) -> bool {
        let mut any = false;
        while let Ok(mut unreachable) = self.socket.unreachable() {
            any = true;
            if let Some(to) = to.filter(|to| unreachable.remote == to.with_port(0)) {
                unreachable.remote = to;
            }
            if self.unreachable.len() < MAX_UNREACHABLE {
                self.unreachable.push_back(unreachable);
            }
        }
        any
    }

    /// Sends, or queues when the kernel has no room. Says whether something waits now, for which
    /// the port wants to be served.
    pub(crate) fn send(&mut self, transmit: Transmit<'_>, dont_fragment: bool) -> bool {
        if !self.waiting.is_empty() {
            self.enqueue(transmit, dont_fragment, 0);
            return true;
        }
        match self.send_now(transmit, dont_fragment) {
            Ok(sent) if sent == transmit.bytes.len() => {}
            Ok(sent) => self.enqueue(transmit, dont_fragment, sent),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                self.enqueue(transmit, dont_fragment, 0);
            }
            Err(error) => self.lose(&error),
        }
        !(self.waiting.is_empty() && self.unreachable.is_empty())
    }

    /// Sends, and again if the failure was an earlier datagram's.
    fn send_now(&mut self, transmit: Transmit<'_>, dont_fragment: bool) -> io::Result<usize> {
        self.socket.keep_whole(dont_fragment)?;
        match self.socket.send(transmit) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(error),
            Err(error) if self.collect(Some(transmit.remote)) && !is_too_big(&error) => {
                self.socket.send(transmit)
            }
            result => result,
        }
    }

    /// Sends what waits; `Pending` leaves the waker behind.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(first) = self.waiting.pop_front() {
            let socket = Arc::clone(self.socket.owner());
            if socket.poll_send_ready(cx)?.is_pending() {
                self.waiting.push_front(first);
                return Poll::Pending;
            }
            let transmit = Transmit {
                source: first.source,
                remote: first.remote,
                segment_size: first.segment_size,
                bytes: &first.bytes,
            };
            let send = || self.send_now(transmit, first.dont_fragment);
            match socket.try_io(Interest::WRITABLE, send) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.waiting.push_front(first),
                Ok(sent) if sent < first.bytes.len() => {
                    let bytes = first.bytes.get(sent..).unwrap_or_default().to_vec();
                    self.waiting_len -= sent;
                    self.waiting.push_front(Waiting { bytes, ..first });
                }
                result => {
                    self.waiting_len -= first.bytes.len();
                    if let Err(error) = result {
                        self.lose(&error);
                    }
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn enqueue(&mut self, transmit: Transmit<'_>, dont_fragment: bool, sent: usize) {
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
            dont_fragment,
            bytes: bytes.to_vec(),
        });
    }

    fn lose(&mut self, error: &io::Error) {
        self.lost += 1;
        tracing::debug!(local = %self.local(), lost = self.lost, %error, "could not send");
    }
}

fn trouble(socket: &Arc<UdpSocket>) -> Trouble {
    let socket = Arc::clone(socket);
    Box::pin(async move { socket.ready(Interest::ERROR).await })
}

/// Whether this very datagram is too large for its path, which sending it again does not change.
fn is_too_big(error: &io::Error) -> bool {
    #[cfg(unix)]
    let too_big = rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::MSGSIZE);
    #[cfg(not(unix))]
    let too_big = false;
    too_big
}
