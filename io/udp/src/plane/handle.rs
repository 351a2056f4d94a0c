//! The handle of a plane: its threads, and its sockets as other threads see them.

use std::collections::BTreeMap;
use std::io;
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use machine::{BindKind, Endpoint, Icmp, Id};
use rustix::event::epoll;

use super::incoming::{self, Arrival, Control, Incoming};
use super::mailbox::{Command, Mailbox};
use super::shard::Shard;
use super::sock::Sock;
use super::{PlaneConfig, PlaneCounters};
use crate::Transmit;

/// The data plane. Clones are handles of the same one; its threads end with the last of them.
#[derive(Clone, Debug)]
pub struct Plane(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shards: Vec<Arc<Mailbox>>,
    threads: Vec<JoinHandle<()>>,
    control: Control,
    /// What other threads than the shards know of the sockets.
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    sockets: BTreeMap<Id, Vec<Owned>>,
    /// The shard that gets the next socket.
    next: usize,
}

/// A socket and the shard that receives from it.
#[derive(Debug)]
struct Owned {
    sock: Arc<Sock>,
    shard: usize,
}

impl Plane {
    /// Starts the threads; what they cannot decide comes out of the [`Incoming`].
    ///
    /// # Errors
    /// What the operating system says.
    pub fn start(config: PlaneConfig) -> io::Result<(Self, Incoming)> {
        let count = config.count();
        let (control, incoming) = incoming::queue();
        let shards: Vec<_> =
            (0..count).map(|_| Mailbox::new().map(Arc::new)).collect::<io::Result<_>>()?;
        let mut inner = Inner { shards, threads: Vec::new(), control, open: Mutex::default() };
        for (n, mailbox) in inner.shards.iter().enumerate() {
            let (mailbox, control, config) =
                (Arc::clone(mailbox), inner.control.clone(), config.clone());
            let builder = std::thread::Builder::new().name(format!("relay-{n}"));
            // A failure drops `inner`, which ends those that run already.
            let thread = builder.spawn(move || Shard::new(mailbox, control, &config, n).run())?;
            inner.threads.push(thread);
        }
        Ok((Self(Arc::new(inner)), incoming))
    }

    /// Binds a socket of kind [`BindKind::SharedUdp`] or [`BindKind::RelayUdp`] to `local`, only on
    /// `interface` (its index) if one is given; says the address that was bound.
    ///
    /// # Errors
    /// What the operating system says; `InvalidInput` for any other kind.
    pub fn bind(
        &self,
        id: Id,
        kind: BindKind,
        local: Endpoint,
        interface: Option<u32>,
    ) -> io::Result<Endpoint> {
        let first = Sock::bind(kind, local, interface)?;
        let bound = first.bound;
        let mut socks = vec![first];
        if kind == BindKind::SharedUdp {
            // Only now, so that the first found the address free of others.
            socks[0].share()?;
            for _ in 1..self.0.shards.len() {
                socks.push(Sock::bind_another(bound, interface)?);
            }
        }
        self.hold(id, socks)?;
        Ok(bound)
    }

    /// Takes over a socket that is bound already, an inherited one for example. It belongs to one
    /// shard, whatever its kind.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn adopt(&self, id: Id, kind: BindKind, socket: UdpSocket) -> io::Result<Endpoint> {
        let sock = Sock::adopt(kind, socket, None)?;
        let bound = sock.bound;
        self.hold(id, vec![sock])?;
        Ok(bound)
    }

    /// Closes a socket. Its port is free once every shard has let go of it, a moment later.
    pub fn close(&self, id: Id) {
        let Some(owned) = self.0.open().sockets.remove(&id) else { return };
        for Owned { sock, shard } in owned {
            // The descriptor may live on in a shard that is about to send from it.
            if let Some(mailbox) = self.0.shards.get(shard) {
                let _ = epoll::delete(&mailbox.epoll, sock.as_fd());
            }
        }
        for mailbox in &self.0.shards {
            mailbox.tell(Command::Close(id), true);
        }
    }

    /// Sends a datagram or a train from the socket `id`, at once; says how many bytes the kernel
    /// took. With `dont_fragment`, one that is too large for its path comes back as an
    /// [`Arrival::Unreachable`].
    ///
    /// # Errors
    /// What the operating system says, and `NotFound` for a socket that is closed.
    pub fn send(&self, id: Id, transmit: Transmit<'_>, dont_fragment: bool) -> io::Result<usize> {
        let open = self.0.open();
        let sock = open.sockets.get(&id).and_then(|owned| owned.first()).map(|owned| &owned.sock);
        let sock = Arc::clone(sock.ok_or(io::ErrorKind::NotFound)?);
        drop(open);
        if !dont_fragment {
            return sock.send(transmit);
        }
        // What another thread sends from it in between may not be fragmented either, which does no
        // harm to what is smaller than a path takes.
        sock.set_dont_fragment(true)?;
        let sent = sock.send(transmit);
        sock.set_dont_fragment(false)?;
        if sent.as_ref().is_err_and(|error| error.raw_os_error() == Some(libc::EMSGSIZE)) {
            let icmp = Icmp::TooBig { mtu: sock.mtu(transmit.remote).unwrap_or_default() };
            let arrival = Arrival::Unreachable { socket: id, remote: transmit.remote, icmp };
            self.0.control.push(std::iter::once(arrival));
        }
        sent
    }

    /// Tells every shard of a change. No packet that arrives after this returns is forwarded by what
    /// was before.
    pub fn apply(&self, change: relay::Change) {
        for mailbox in &self.0.shards {
            mailbox.tell(Command::Flow(change.clone()), false);
        }
    }

    /// What it has done, ever.
    #[must_use]
    pub fn counters(&self) -> PlaneCounters {
        let shards = self.0.shards.iter().map(|mailbox| mailbox.counters());
        shards.fold(PlaneCounters::default(), PlaneCounters::plus)
    }

    /// Gives sockets to shards: several to one each, one alone to that whose turn it is.
    fn hold(&self, id: Id, socks: Vec<Sock>) -> io::Result<()> {
        if id.namespace() == u16::MAX {
            // The shards' own.
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let shards = &self.0.shards;
        let mut open = self.0.open();
        let first = if socks.len() == 1 { open.next } else { 0 };
        open.next = (first + socks.len()) % shards.len();
        let owned: Vec<Owned> = (first..)
            .zip(socks)
            .map(|(n, sock)| Owned { sock: Arc::new(sock), shard: n % shards.len() })
            .collect();
        // What fails leaves nothing behind: no shard has heard of the sockets yet.
        for Owned { sock, shard } in &owned {
            if let Some(mailbox) = shards.get(*shard) {
                let data = epoll::EventData::new_u64(id.as_u64());
                epoll::add(&mailbox.epoll, sock.as_fd(), data, epoll::EventFlags::IN)?;
            }
        }
        for (n, mailbox) in shards.iter().enumerate() {
            // Its own socket if it has one, or else any to send from.
            let own = owned.iter().find(|owned| owned.shard == n).or(owned.first());
            if let Some(own) = own {
                mailbox.tell(Command::Open(id, Arc::clone(&own.sock)), false);
            }
        }
        open.sockets.insert(id, owned);
        Ok(())
    }
}

impl Inner {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for mailbox in &self.shards {
            mailbox.tell(Command::Stop, true);
        }
        for thread in self.threads.drain(..) {
            // One that panicked has said so.
            let _ = thread.join();
        }
        self.control.close();
    }
}
