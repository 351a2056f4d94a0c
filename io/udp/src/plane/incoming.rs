//! What shards hand to control: a bounded queue, whose memory is used again.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use machine::{Endpoint, Icmp, Id};

use crate::defaults::{MAX_CONTROL_LEN, MAX_CONTROL_MESSAGES, RELAYED_SHARE};

/// One thing for control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival<'a> {
    /// A datagram, or a train of them, that no shard could decide on.
    Datagram {
        /// The socket that it arrived on.
        socket: Id,
        /// The address that it was sent to.
        local: Endpoint,
        /// The address that it came from.
        remote: Endpoint,
        /// `Some(n)`: a train of datagrams of `n` bytes each, the last may be shorter.
        segment_size: Option<usize>,
        /// Whether it arrived at a relayed address.
        relayed: bool,
        /// The payload.
        bytes: &'a [u8],
    },
    /// An ICMP error for something that was sent from a socket.
    Unreachable {
        /// The socket that sent it.
        socket: Id,
        /// Where it was sent.
        remote: Endpoint,
        /// What the network says.
        icmp: Icmp,
    },
}

/// Arrivals taken from the queue at one time; used again for each.
#[derive(Debug, Default)]
pub struct Arrivals {
    entries: Vec<Entry>,
    bytes: Vec<u8>,
    /// How many arrived at relayed addresses, and their bytes.
    relayed: (usize, usize),
}

#[derive(Debug)]
enum Entry {
    Datagram {
        socket: Id,
        local: Endpoint,
        remote: Endpoint,
        segment_size: Option<usize>,
        relayed: bool,
        bytes: Range<usize>,
    },
    Unreachable {
        socket: Id,
        remote: Endpoint,
        icmp: Icmp,
    },
}

impl Arrivals {
    /// The arrivals, in order.
    pub fn iter(&self) -> impl Iterator<Item = Arrival<'_>> {
        self.entries.iter().map(|entry| match *entry {
            Entry::Datagram { socket, local, remote, segment_size, relayed, ref bytes } => {
                let bytes = self.bytes.get(bytes.clone()).unwrap_or_default();
                Arrival::Datagram { socket, local, remote, segment_size, relayed, bytes }
            }
            Entry::Unreachable { socket, remote, icmp } => {
                Arrival::Unreachable { socket, remote, icmp }
            }
        })
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds one if there is room; says whether there was. What arrives at relayed addresses leaves a
    /// share to the clients' requests: a peer that floods one client must not silence the others.
    pub(super) fn push(&mut self, arrival: Arrival<'_>) -> bool {
        let (len, relayed) = match arrival {
            Arrival::Datagram { bytes, relayed, .. } => (bytes.len(), relayed),
            Arrival::Unreachable { .. } => (0, true),
        };
        if self.entries.len() >= MAX_CONTROL_MESSAGES || self.bytes.len() + len > MAX_CONTROL_LEN {
            return false;
        }
        if relayed {
            let (count, bytes) = (self.relayed.0 + 1, self.relayed.1 + len);
            if count > MAX_CONTROL_MESSAGES / RELAYED_SHARE
                || bytes > MAX_CONTROL_LEN / RELAYED_SHARE
            {
                return false;
            }
            self.relayed = (count, bytes);
        }
        self.entries.push(match arrival {
            Arrival::Datagram { socket, local, remote, segment_size, relayed, bytes } => {
                let start = self.bytes.len();
                self.bytes.extend_from_slice(bytes);
                let bytes = start..self.bytes.len();
                Entry::Datagram { socket, local, remote, segment_size, relayed, bytes }
            }
            Arrival::Unreachable { socket, remote, icmp } => {
                Entry::Unreachable { socket, remote, icmp }
            }
        });
        true
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.bytes.clear();
        self.relayed = (0, 0);
    }
}

#[derive(Debug, Default)]
struct Waiting {
    arrivals: Arrivals,
    waker: Option<Waker>,
    closed: bool,
}

/// The receiving end of what shards hand to control.
#[derive(Debug)]
pub struct Incoming(Arc<Mutex<Waiting>>);

impl Incoming {
    /// Takes all that waits into `arrivals`, whose contents are dropped; pending while there is
    /// nothing. `None` when the plane is gone.
    pub fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        arrivals: &mut Arrivals,
    ) -> Poll<Option<()>> {
        arrivals.clear();
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(arrivals, &mut waiting.arrivals);
        if !arrivals.is_empty() {
            return Poll::Ready(Some(()));
        }
        if waiting.closed {
            return Poll::Ready(None);
        }
        if !waiting.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            waiting.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

/// The shards' end.
#[derive(Clone, Debug)]
pub(super) struct Control(Arc<Mutex<Waiting>>);

/// A queue.
pub(super) fn queue() -> (Control, Incoming) {
    let waiting = Arc::<Mutex<Waiting>>::default();
    (Control(Arc::clone(&waiting)), Incoming(waiting))
}

impl Control {
    /// Hands all of `arrivals` over, under one lock; says how many found no room.
    pub(super) fn push<'a>(&self, arrivals: impl Iterator<Item = Arrival<'a>>) -> u64 {
        let mut lost = 0;
        let waker = {
            let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            for arrival in arrivals {
                lost += u64::from(!waiting.arrivals.push(arrival));
            }
            waiting.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        lost
    }

    /// Says that nothing will come any more.
    pub(super) fn close(&self) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.closed = true;
        if let Some(waker) = waiting.waker.take() {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use machine::{Endpoint, Ids};

    use super::{Arrival, Arrivals};
    use crate::defaults::{MAX_CONTROL_LEN, MAX_CONTROL_MESSAGES, RELAYED_SHARE};

    /// How many of `bytes` find room.
    fn fill(arrivals: &mut Arrivals, relayed: bool, bytes: &[u8]) -> usize {
        let (socket, any) = (Ids::new(1).next_id(), Endpoint::UNSPECIFIED_V4);
        let arrival = Arrival::Datagram {
            socket,
            local: any,
            remote: any,
            segment_size: None,
            relayed,
            bytes,
        };
        (0..=MAX_CONTROL_MESSAGES).take_while(|_| arrivals.push(arrival)).count()
    }

    #[test]
    fn media_leave_room_to_requests() {
        let mut arrivals = Arrivals::default();
        let media = fill(&mut arrivals, true, b"media");
        assert_eq!(media, MAX_CONTROL_MESSAGES / RELAYED_SHARE);
        assert_eq!(fill(&mut arrivals, false, b"request"), MAX_CONTROL_MESSAGES - media);
        arrivals.clear();
        let large = [0; 1 << 16];
        let media = fill(&mut arrivals, true, &large);
        assert_eq!(media * large.len(), MAX_CONTROL_LEN / RELAYED_SHARE);
        assert_eq!((media + fill(&mut arrivals, false, &large)) * large.len(), MAX_CONTROL_LEN);
    }
}
