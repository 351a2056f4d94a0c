//! What a machine holds in the world, by name.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Waker;

use machine::{Id, Record, ResolveError};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::connection::Connection;
use crate::ready::{Ready, Token, Woken};
use crate::tcp::Connecting;
use crate::tls::Handshake;
use crate::udp_port::UdpPort;

/// A resource and the waker that puts it on the ready queue.
pub(crate) struct Slot<A> {
    pub(crate) waker: Waker,
    pub(crate) resource: Resource<A>,
}

/// One socket, connection, look-up or question.
pub(crate) enum Resource<A> {
    Udp(Box<UdpPort>),
    /// A socket of the data plane.
    Planed,
    Listener(TcpListener),
    Connecting(Connecting),
    Connection(Connection),
    Securing(Handshake),
    /// Closed by the machine or by the peer; what was written is still being delivered. The
    /// machine hears no more of it.
    Closing(Connection),
    Resolving(Task<Result<Vec<Record>, ResolveError>>),
    Asking(Pin<Box<dyn Future<Output = A> + Send>>),
}

impl<A> Slot<A> {
    /// A slot that is served at once, which registers its waker.
    pub(crate) fn new(ready: &Arc<Ready>, id: Id, resource: Resource<A>) -> Self {
        let token: Arc<Token> = ready.token(Woken::Resource(id));
        let waker = Waker::from(token);
        waker.wake_by_ref();
        Self { waker, resource }
    }
}

/// A task that ends with its slot.
pub(crate) struct Task<T>(pub(crate) JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
