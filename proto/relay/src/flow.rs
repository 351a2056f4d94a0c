//! One relay allocation as a snapshot (RFC 8656 §5): its client, its relayed addresses, who may
//! reach it, its channels.

use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

use machine::{Endpoint, Id, Instant};

use crate::Limit;

/// The name of a flow, given by whoever controls it; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(pub u64);

/// The client of a flow: the 5-tuple of RFC 8656 §2, the protocol being the variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// It sends datagrams to one of our sockets.
    Datagram {
        /// The socket.
        socket: Id,
        /// The address of ours that it sends to.
        local: IpAddr,
        /// Its address.
        remote: Endpoint,
    },
    /// It has a connection, TCP or TLS.
    Stream {
        /// The connection.
        conn: Id,
    },
}

impl Hash for Client {
    /// A few whole words, which a keyed hash takes much faster than derived fields one by one.
    fn hash<H: Hasher>(&self, state: &mut H) {
        match *self {
            Self::Datagram { socket, local, remote } => {
                state.write_u64(socket.as_u64() ^ u64::from(remote.port()) << 32);
                hash_ip(remote.ip(), state);
                hash_ip(local, state);
            }
            Self::Stream { conn } => state.write_u64(conn.as_u64()),
        }
    }
}

fn hash_ip<H: Hasher>(ip: IpAddr, state: &mut H) {
    match ip {
        IpAddr::V4(ip) => state.write_u32(ip.to_bits()),
        IpAddr::V6(ip) => state.write_u128(ip.to_bits()),
    }
}

/// One relayed transport address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relayed {
    /// The socket behind it.
    pub socket: Id,
    /// What that socket is bound to.
    pub local: Endpoint,
    /// The address that peers see and send to: `local`, or what a 1:1 NAT before us makes of it.
    pub external: Endpoint,
}

/// Whom a permission lets through (RFC 8656 §9): an address with any port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permission {
    /// The peer's address.
    pub ip: IpAddr,
    /// How peers there are reached.
    pub reach: Reach,
    /// When it ends.
    pub until: Instant,
}

/// How the peers of a permission are reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Over the network, or directly where the peer is a relayed address of this table.
    Network,
    /// The address is one of ours: only where a live relayed address of this table stands behind it,
    /// and never through a socket, which would reach our own listeners.
    Relayed,
}

/// A channel (RFC 8656 §12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channel {
    /// 0x4000 to 0x7FFF (RFC 8656 §12, RFC 5766 §11).
    pub number: u16,
    /// The peer that it stands for.
    pub peer: Endpoint,
    /// When the binding ends.
    pub until: Instant,
}

/// A flow as it is now. To change it, change a clone and tell the tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    client: Client,
    next_client: Option<Client>,
    until: Instant,
    relayed: [Option<Relayed>; 2],
    permissions: Vec<Permission>,
    channels: Vec<Channel>,
    limit: Option<Arc<Limit>>,
}

impl Flow {
    /// A flow without permissions, with one relayed address.
    #[must_use]
    pub const fn new(client: Client, relayed: Relayed, until: Instant) -> Self {
        let relayed = [Some(relayed), None];
        Self {
            client,
            next_client: None,
            until,
            relayed,
            permissions: Vec::new(),
            channels: Vec::new(),
            limit: None,
        }
    }

    /// Its client.
    #[must_use]
    pub const fn client(&self) -> Client {
        self.client
    }

    /// Gives it another client, as a mobile one becomes (RFC 8016).
    pub const fn set_client(&mut self, client: Client) {
        self.client = client;
    }

    /// Where its client has said that it moves to (RFC 8016 §3.2): what comes from there is
    /// [`Forward::Control`](crate::Forward::Control), and confirms the move.
    #[must_use]
    pub const fn next_client(&self) -> Option<Client> {
        self.next_client
    }

    /// Notes where its client moves to, or that it no longer does.
    pub const fn set_next_client(&mut self, next: Option<Client>) {
        self.next_client = next;
    }

    /// When it ends unless refreshed.
    #[must_use]
    pub const fn until(&self) -> Instant {
        self.until
    }

    /// Moves its end.
    pub const fn set_until(&mut self, until: Instant) {
        self.until = until;
    }

    /// Its relayed addresses, one or two.
    pub fn relayed(&self) -> impl Iterator<Item = Relayed> {
        self.relayed.into_iter().flatten()
    }

    /// Its relayed address of the family of `ip`.
    #[must_use]
    pub fn relayed_for(&self, ip: IpAddr) -> Option<Relayed> {
        self.relayed().find(|relayed| relayed.external.is_ipv4() == ip.is_ipv4())
    }

    /// Adds the relayed address of the other family (RFC 8656 §7.2).
    pub const fn add_relayed(&mut self, relayed: Relayed) {
        self.relayed[1] = Some(relayed);
    }

    /// Installs or renews a permission.
    pub fn permit(&mut self, permission: Permission) {
        match self.permissions.binary_search_by_key(&permission.ip, |p| p.ip) {
            Ok(at) => self.permissions[at] = permission,
            Err(at) => {
                self.permissions.reserve_exact(1);
                self.permissions.insert(at, permission);
            }
        }
    }

    /// The permission for `ip`, ended or not.
    #[must_use]
    pub fn permission(&self, ip: IpAddr) -> Option<Permission> {
        // One or two are the rule, and comparing is faster than searching then.
        self.permissions.iter().find(|permission| permission.ip == ip).copied()
    }

    /// Its permissions, ended or not, in the order of their addresses.
    #[must_use]
    pub fn permissions(&self) -> &[Permission] {
        &self.permissions
    }

    /// Binds or renews a channel. A channel does not stand in for a permission: data on it passes
    /// only while a permission for the peer's address lasts.
    pub fn bind(&mut self, channel: Channel) {
        match self.channels.binary_search_by_key(&channel.number, |c| c.number) {
            Ok(at) => self.channels[at] = channel,
            Err(at) => {
                self.channels.reserve_exact(1);
                self.channels.insert(at, channel);
            }
        }
    }

    /// The channel `number`, ended or not.
    #[must_use]
    pub fn channel(&self, number: u16) -> Option<Channel> {
        let at = self.channels.binary_search_by_key(&number, |channel| channel.number).ok()?;
        self.channels.get(at).copied()
    }

    /// The channel to `peer`, ended or not.
    #[must_use]
    pub fn channel_to(&self, peer: Endpoint) -> Option<Channel> {
        self.channels.iter().find(|channel| channel.peer == peer).copied()
    }

    /// Its channels, ended or not, in the order of their numbers.
    #[must_use]
    pub fn channels(&self) -> &[Channel] {
        &self.channels
    }

    /// Drops the permissions and channels that have ended at `now`.
    pub fn forget_ended(&mut self, now: Instant) {
        self.permissions.retain(|permission| permission.until > now);
        self.channels.retain(|channel| channel.until > now);
    }

    /// Limits its bytes a second; the limit is shared with whoever has a clone of it.
    pub fn set_limit(&mut self, limit: Option<Arc<Limit>>) {
        self.limit = limit;
    }

    /// Its limit.
    #[must_use]
    pub fn limit(&self) -> Option<&Limit> {
        self.limit.as_deref()
    }

    /// The permission for `ip` that is good at `now`.
    pub(crate) fn permits(&self, ip: IpAddr, now: Instant) -> Option<Reach> {
        self.permission(ip).filter(|permission| permission.until > now).map(|p| p.reach)
    }
}
