//! The client: servers in order, the first that answers wins.

use std::convert::Infallible;
use std::net::IpAddr;

use machine::{Endpoint, Entropy, Id, Ids, Input, Instant, Machine, Now, Output};

use super::config::Config;
use super::event::{Allocation, Event, SendError};

/// A TURN client with at most one allocation.
#[derive(Debug)]
pub struct Client {}

impl Client {
    /// Starts asking for an allocation. The client's sockets and connections have names of `ids`.
    #[must_use]
    pub fn new(now: Now, config: Config, ids: Ids, entropy: Entropy) -> Self {
        let _ = (now, config, ids, entropy);
        Self {}
    }

    /// Whether an input with this name is for this client: every name of the [`Ids`] that it got.
    #[must_use]
    pub const fn owns(&self, id: Id) -> bool {
        let _ = id;
        false
    }

    /// The allocation, while there is one.
    #[must_use]
    pub const fn allocation(&self) -> Option<&Allocation> {
        None
    }

    /// Whether it has failed or ended, and everything of it is closed.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        false
    }

    /// Lets what comes from `peer` pass, and what is sent to it: now or as soon as there is an
    /// allocation, until [`release`](Self::release). Told by [`Event::Permitted`] or
    /// [`Event::PeerRefused`].
    ///
    /// # Errors
    /// [`SendError::TooManyPeers`].
    pub fn permit(&mut self, now: Now, peer: IpAddr) -> Result<(), SendError> {
        let _ = (now, peer);
        Ok(())
    }

    /// Permits `peer` and gives it a channel: less header a packet, and less work for the server.
    /// Told by [`Event::ChannelBound`] or [`Event::PeerRefused`].
    ///
    /// # Errors
    /// [`SendError::TooManyPeers`].
    pub fn bind_channel(&mut self, now: Now, peer: Endpoint) -> Result<(), SendError> {
        let _ = (now, peer);
        Ok(())
    }

    /// Stops refreshing the permission of `peer` and its channels: they end with their lifetime.
    pub fn release(&mut self, peer: IpAddr) {
        let _ = peer;
    }

    /// Sends a datagram to `peer`: on its channel if it has one, else in a Send indication.
    ///
    /// # Errors
    /// [`SendError`] says why it was not sent. On a congested connection to the server the oldest
    /// media is dropped.
    pub fn send(&mut self, now: Now, peer: Endpoint, bytes: &[u8]) -> Result<(), SendError> {
        let _ = (now, peer, bytes);
        Ok(())
    }

    /// Sends a train of datagrams of `segment_bytes` each (the last may be shorter) to `peer`.
    ///
    /// # Errors
    /// As [`send`](Self::send); the first error ends it.
    pub fn send_train(
        &mut self,
        now: Now,
        peer: Endpoint,
        segment_bytes: usize,
        bytes: &[u8],
    ) -> Result<(), SendError> {
        let _ = (now, peer, segment_bytes, bytes);
        Ok(())
    }

    /// Opens a connection to `peer` through the relay (RFC 6062 §4.3). Told by
    /// [`Event::PeerConnected`] with the name that is returned, or [`Event::PeerRefused`].
    ///
    /// # Errors
    /// [`SendError::NotAllocated`], [`SendError::Unsupported`], [`SendError::TooManyPeers`].
    pub fn connect_peer(&mut self, now: Now, peer: Endpoint) -> Result<Id, SendError> {
        let _ = (now, peer);
        Err(SendError::NotAllocated)
    }

    /// Takes the connection of [`Event::PeerConnecting`].
    ///
    /// # Errors
    /// [`SendError::NoConnection`] if the peer has gone.
    pub fn accept_peer(&mut self, now: Now, conn: Id) -> Result<(), SendError> {
        let _ = (now, conn);
        Err(SendError::NoConnection)
    }

    /// Writes to a connection with a peer, at most the room that was announced; says how much was
    /// written.
    ///
    /// # Errors
    /// [`SendError::NoConnection`].
    pub fn write_peer(&mut self, conn: Id, bytes: &[u8]) -> Result<usize, SendError> {
        let _ = (conn, bytes);
        Err(SendError::NoConnection)
    }

    /// Closes a connection with a peer.
    pub fn close_peer(&mut self, conn: Id) {
        let _ = conn;
    }

    /// Goes on from another address of ours, or from any, taking the allocation along
    /// (RFC 8016 §3.2). Told by [`Event::Moved`] or [`Event::Failed`].
    ///
    /// # Errors
    /// [`SendError::Unsupported`] if the allocation is not mobile, [`SendError::NotAllocated`].
    pub fn move_to(
        &mut self,
        now: Now,
        local: Option<IpAddr>,
        interface: Option<u32>,
    ) -> Result<(), SendError> {
        let _ = (now, local, interface);
        Err(SendError::NotAllocated)
    }

    /// Releases the allocation and ends. Told by [`Event::Ended`], shortly.
    pub fn close(&mut self, now: Now) {
        let _ = now;
    }
}

impl Machine for Client {
    type Event = Event;
    type Question = Infallible;
    type Answer = Infallible;

    fn handle_input(&mut self, now: Now, input: Input<'_, Infallible>) {
        let _ = (now, input);
    }

    fn handle_timeout(&mut self, now: Now) {
        let _ = now;
    }

    fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Event, Infallible>> {
        let _ = buf;
        None
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}
