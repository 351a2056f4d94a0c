//! No data plane for this system.

use std::convert::Infallible;
use std::io;
use std::net::UdpSocket;

use machine::{BindKind, Endpoint, Id};

use super::{Incoming, PlaneConfig, PlaneCounters};
use crate::Transmit;

/// A data plane, of which there is none here.
#[derive(Clone, Debug)]
pub struct Plane(Infallible);

impl Plane {
    /// Starts none.
    ///
    /// # Errors
    /// `Unsupported`, always.
    pub fn start(_: PlaneConfig) -> io::Result<(Self, Incoming)> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Binds a socket.
    ///
    /// # Errors
    /// None: there is no plane to ask.
    pub fn bind(&self, _: Id, _: BindKind, _: Endpoint, _: Option<u32>) -> io::Result<Endpoint> {
        match self.0 {}
    }

    /// Takes over a socket that is bound already.
    ///
    /// # Errors
    /// None: there is no plane to ask.
    pub fn adopt(&self, _: Id, _: BindKind, _: UdpSocket) -> io::Result<Endpoint> {
        match self.0 {}
    }

    /// Closes a socket.
    pub fn close(&self, _: Id) {
        match self.0 {}
    }

    /// Sends a datagram or a train.
    ///
    /// # Errors
    /// None: there is no plane to ask.
    pub fn send(&self, _: Id, _: Transmit<'_>, _: bool) -> io::Result<usize> {
        match self.0 {}
    }

    /// Tells of a change.
    pub fn apply(&self, _: relay::Change) {
        match self.0 {}
    }

    /// What it has done, ever.
    #[must_use]
    pub fn counters(&self) -> PlaneCounters {
        match self.0 {}
    }
}
