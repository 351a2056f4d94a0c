//! Sockets that were bound before we started: socket activation.
//!
//! Whoever starts the process (systemd, a container's parent, a program with the privilege for low
//! ports) binds sockets and passes them on, by the protocol of `sd_listen_fds(3)`: `LISTEN_FDS`
//! descriptors from 3 on, for the process `LISTEN_PID`. A bind for the address of one of them takes
//! it instead of binding anew.

use std::net::{TcpListener, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use machine::Endpoint;

/// Sockets that wait for a bind of their address; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Inherited {
    held: Arc<Mutex<Held>>,
}

#[derive(Debug, Default)]
struct Held {
    udp: Vec<(Endpoint, UdpSocket)>,
    tcp: Vec<(Endpoint, TcpListener)>,
}

impl Inherited {
    /// None.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// The sockets that the environment names; none if it names none, or names them for another
    /// process. Other kinds of descriptor among them are left alone.
    ///
    /// To be called once and before any thread starts, since it takes the variables out of the
    /// environment, so that children do not take the descriptors for theirs.
    #[must_use]
    #[cfg(unix)]
    pub fn from_environment() -> Self {
        let ours = std::process::id().to_string();
        // The protocol wants the number; the crate would also do without.
        if std::env::var("LISTEN_PID").ok() != Some(ours) {
            return Self::none();
        }
        let mut passed = listenfd::ListenFd::from_env();
        let inherited = Self::none();
        for at in 0..passed.len() {
            if let Ok(Some(listener)) = passed.take_tcp_listener(at) {
                inherited.add_listener(listener);
            } else if let Ok(Some(socket)) = passed.take_udp_socket(at) {
                inherited.add_socket(socket);
            } else {
                tracing::warn!(at, "an inherited descriptor is no socket that we know");
            }
        }
        inherited
    }

    /// The sockets that the environment names: here there are none.
    #[must_use]
    #[cfg(not(unix))]
    pub fn from_environment() -> Self {
        Self::none()
    }

    /// Adds a bound UDP socket.
    pub fn add_socket(&self, socket: UdpSocket) {
        if let Ok(local) = socket.local_addr() {
            self.held().udp.push((local.into(), socket));
        }
    }

    /// Adds a TCP listener.
    pub fn add_listener(&self, listener: TcpListener) {
        if let Ok(local) = listener.local_addr() {
            self.held().tcp.push((local.into(), listener));
        }
    }

    /// The addresses that wait: UDP, then TCP. What is left after start-up was passed in vain, and
    /// is worth a warning.
    #[must_use]
    pub fn waiting(&self) -> (Vec<Endpoint>, Vec<Endpoint>) {
        let held = self.held();
        let udp = held.udp.iter().map(|(local, _)| *local).collect();
        (udp, held.tcp.iter().map(|(local, _)| *local).collect())
    }

    /// The UDP socket that was bound to `local`.
    pub(crate) fn take_socket(&self, local: Endpoint) -> Option<UdpSocket> {
        take(&mut self.held().udp, local)
    }

    /// The listener that was bound to `local`.
    pub(crate) fn take_listener(&self, local: Endpoint) -> Option<TcpListener> {
        take(&mut self.held().tcp, local)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take<T>(held: &mut Vec<(Endpoint, T)>, local: Endpoint) -> Option<T> {
    // Port 0 is any port, never that of an inherited socket.
    let at = held.iter().position(|(bound, _)| *bound == local && local.port() != 0)?;
    Some(held.swap_remove(at).1)
}
