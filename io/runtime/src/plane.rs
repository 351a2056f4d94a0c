//! Sockets that a data plane serves: their binds, sends and closes go to it, and what it cannot
//! decide comes from it.

use std::io;
use std::task::{Context, Poll, Waker};

use machine::{BindKind, Endpoint, Id, Input, Machine};
use udp::{Arrival, Arrivals, Incoming, Plane, Transmit};

use crate::defaults::ARRIVALS_PER_TURN;
use crate::driver::Driver;
use crate::handle::World;
use crate::inherited::Inherited;
use crate::ready::Woken;
use crate::resource::Resource;

/// The driver's side of a data plane.
pub(crate) struct PlaneSide {
    plane: Plane,
    incoming: Incoming,
    /// What has been taken from it.
    arrivals: Arrivals,
    /// How many of them the machine has been told.
    told: usize,
    waker: Waker,
}

impl PlaneSide {
    /// A plane whose arrivals wake `waker`, for the first time at once.
    pub(crate) fn new((plane, incoming): (Plane, Incoming), waker: Waker) -> Self {
        waker.wake_by_ref();
        Self { plane, incoming, arrivals: Arrivals::default(), told: 0, waker }
    }

    /// Binds a socket in the plane, or gives it one that was bound before we started.
    pub(crate) fn bind(
        &self,
        (id, kind): (Id, BindKind),
        local: Endpoint,
        interface: Option<u32>,
        inherited: &Inherited,
    ) -> io::Result<Endpoint> {
        match inherited.take_socket(local) {
            Some(socket) => self.plane.adopt(id, kind, socket),
            None => self.plane.bind(id, kind, local, interface),
        }
    }

    pub(crate) fn send(&self, socket: Id, transmit: Transmit<'_>, dont_fragment: bool) {
        if let Err(error) = self.plane.send(socket, transmit, dont_fragment) {
            // As the network may lose it.
            tracing::debug!(?socket, remote = %transmit.remote, %error, "could not send");
        }
    }

    pub(crate) fn close(&self, socket: Id) {
        self.plane.close(socket);
    }

    /// Takes what has arrived since, unless some of what was taken is still to be told; says
    /// whether there is something to tell.
    fn take(&mut self) -> bool {
        if self.told < self.arrivals.len() {
            return true;
        }
        self.told = 0;
        match self.incoming.poll_receive(&mut Context::from_waker(&self.waker), &mut self.arrivals)
        {
            Poll::Pending => false,
            Poll::Ready(Some(())) => true,
            Poll::Ready(None) => {
                tracing::warn!("the data plane has ended");
                false
            }
        }
    }
}

impl<M, W> Driver<M, W>
where
    M: Machine<Answer: Send> + Send + 'static,
    W: World<M>,
{
    /// Tells the machine a bounded part of what the data plane could not decide.
    pub(crate) fn serve_plane(&mut self) {
        let Some(side) = self.plane.as_mut().filter(|_| !self.stopping) else { return };
        if !side.take() {
            return;
        }
        let arrivals = std::mem::take(&mut side.arrivals);
        let told = side.told;
        side.told += ARRIVALS_PER_TURN;
        side.waker.wake_by_ref();
        for arrival in arrivals.iter().skip(told).take(ARRIVALS_PER_TURN) {
            self.arrival(arrival);
        }
        if let Some(side) = &mut self.plane {
            side.arrivals = arrivals;
        }
    }

    fn arrival(&mut self, arrival: Arrival<'_>) {
        let (Arrival::Datagram { socket, .. } | Arrival::Unreachable { socket, .. }) = arrival;
        // The machine may have closed it since.
        let slot = self.slots.get(&socket);
        if !slot.is_some_and(|slot| matches!(slot.resource, Resource::Planed)) {
            return;
        }
        match arrival {
            Arrival::Datagram { socket, local, remote, segment_size, bytes, .. } => {
                tracing::trace!(?socket, %remote, len = bytes.len(), "receives");
                let ecn = None;
                self.input(Input::Datagram { socket, local, remote, ecn, segment_size, bytes });
            }
            Arrival::Unreachable { socket, remote, icmp } => {
                tracing::trace!(?socket, %remote, ?icmp, "hears that it is unreachable");
                self.input(Input::Unreachable { socket, remote, icmp });
            }
        }
    }

    /// Serves what woke.
    pub(crate) fn serve_woken(&mut self, woken: Woken) {
        match woken {
            Woken::Resource(id) => self.serve(id),
            Woken::Plane => self.serve_plane(),
        }
    }
}
