//! Serving one resource that woke: a bounded piece of reading or writing.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use machine::{CloseReason, Id, Input, Machine};
use tokio::net::TcpStream;

use crate::clock::now;
use crate::connection::Connection;
use crate::defaults::{ACCEPTED_MAX, MAX_UNREACHABLE, PAUSED_INTERVAL};
use crate::driver::{Deadline, Driver};
use crate::fail::{close_reason, fail_kind};
use crate::handle::World;
use crate::resource::Resource;
use crate::tls::{self, Secured};

/// What became of a resource that was served.
enum Served {
    /// It sleeps until its waker wakes.
    Asleep,
    /// There may be more to do.
    Again,
    /// It is over.
    Gone,
}

impl<M, W> Driver<M, W>
where
    M: Machine<Answer: Send> + Send + 'static,
    W: World<M>,
{
    /// Serves the resource `id`, if it is still there.
    pub(crate) fn serve(&mut self, id: Id) {
        let Some(slot) = self.slots.get(&id) else { return };
        let waker = slot.waker.clone();
        let cx = &mut Context::from_waker(&waker);
        let served = match &slot.resource {
            Resource::Udp(_) => self.serve_udp(id, cx),
            // The plane wakes by itself.
            Resource::Planed => Served::Asleep,
            Resource::Listener(_) => self.serve_listener(id, cx),
            Resource::Connecting(_) => self.serve_connecting(id, cx),
            Resource::Connection(_) => self.serve_connection(id, &waker),
            Resource::Securing(_) => self.serve_securing(id, cx),
            Resource::Closing(_) => self.serve_closing(id, cx),
            Resource::Resolving(_) | Resource::Asking(_) => self.serve_task(id, cx),
        };
        match served {
            Served::Asleep => {}
            Served::Again => self.wake(id),
            Served::Gone => drop(self.slots.remove(&id)),
        }
    }

    fn serve_udp(&mut self, id: Id, cx: &mut Context<'_>) -> Served {
        let Some(Resource::Udp(port)) = self.resource(id) else { return Served::Asleep };
        if let Poll::Ready(Err(error)) = port.poll_flush(cx) {
            self.retry(id, &error);
            return Served::Asleep;
        }
        for _ in 0..MAX_UNREACHABLE {
            // The machine may close the socket at any of them.
            let Some(Resource::Udp(port)) = self.resource(id) else { return Served::Asleep };
            let Poll::Ready(udp::Unreachable { remote, icmp }) = port.poll_unreachable(cx) else {
                return self.receive(id, cx);
            };
            tracing::trace!(socket = ?id, %remote, ?icmp, "hears that it is unreachable");
            self.input(Input::Unreachable { socket: id, remote, icmp });
        }
        Served::Again
    }

    fn receive(&mut self, id: Id, cx: &mut Context<'_>) -> Served {
        let Some(mut batch) = self.batch.take() else { return Served::Again };
        let Some(Resource::Udp(port)) = self.resource(id) else { return Served::Asleep };
        let local = port.local();
        let served = match port.poll_receive(cx, &mut batch) {
            Poll::Pending => Served::Asleep,
            Poll::Ready(Ok(_)) => Served::Again,
            Poll::Ready(Err(error)) => {
                self.retry(id, &error);
                Served::Asleep
            }
        };
        if matches!(served, Served::Again) {
            for message in batch.messages(local) {
                // The machine may close the socket at any datagram.
                if !self.slots.contains_key(&id) {
                    break;
                }
                let (remote, len) = (message.remote, message.bytes.len());
                tracing::trace!(socket = ?id, %remote, len, "receives");
                self.input(Input::Datagram {
                    socket: id,
                    local: message.local,
                    remote: message.remote,
                    ecn: message.ecn,
                    segment_size: message.segment_size,
                    bytes: message.bytes,
                });
            }
        }
        self.batch = Some(batch);
        served
    }

    fn serve_listener(&mut self, id: Id, cx: &mut Context<'_>) -> Served {
        if Arc::strong_count(&self.permits) > ACCEPTED_MAX {
            self.retry(id, &io::Error::other("too many connections"));
            return Served::Asleep;
        }
        let Some(Resource::Listener(listener)) = self.resource(id) else { return Served::Asleep };
        match listener.poll_accept(cx) {
            Poll::Pending => Served::Asleep,
            Poll::Ready(Ok((stream, _))) => {
                self.accept(id, stream);
                Served::Again
            }
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::ConnectionAborted => {
                Served::Again
            }
            Poll::Ready(Err(error)) => {
                self.retry(id, &error);
                Served::Asleep
            }
        }
    }

    fn accept(&mut self, listener: Id, stream: TcpStream) {
        let conn = Id::accepted(listener, self.accepted);
        self.accepted += 1;
        let connection = Connection::new(stream, Some(self.permits.clone()));
        // A connection that was reset before it was accepted has no peer any more.
        let Ok((local, remote)) = connection.prepare() else { return };
        let room = connection.room();
        self.hold(conn, Resource::Connection(connection));
        self.input(Input::Accepted { listener, conn, local, remote, room });
    }

    fn serve_connecting(&mut self, id: Id, cx: &mut Context<'_>) -> Served {
        let Some(Resource::Connecting(attempt)) = self.resource(id) else { return Served::Asleep };
        let Poll::Ready(result) = attempt.as_mut().poll(cx) else { return Served::Asleep };
        self.timers.cancel(&Deadline::Connect(id));
        self.slots.remove(&id);
        let connected = result.and_then(|stream| {
            let connection = Connection::new(stream, None);
            let endpoints = connection.prepare()?;
            Ok((connection, endpoints))
        });
        match connected {
            Ok((connection, (local, remote))) => {
                let room = connection.room();
                self.hold(id, Resource::Connection(connection));
                self.input(Input::Connected { conn: id, local, remote, room });
            }
            Err(error) => self.input(Input::Failed { id, kind: fail_kind(&error) }),
        }
        Served::Asleep
    }

    fn serve_securing(&mut self, id: Id, cx: &mut Context<'_>) -> Served {
        let Some(Resource::Securing(handshake)) = self.resource(id) else { return Served::Asleep };
        let Poll::Ready(result) = handshake.as_mut().poll(cx) else { return Served::Asleep };
        self.timers.cancel(&Deadline::Connect(id));
        self.slots.remove(&id);
        match result {
            Ok((connection, Secured { peer_certs, alpn, binding })) => {
                let room = connection.room();
                self.hold(id, Resource::Connection(connection));
                self.input(Input::Secured { conn: id, peer_certs, alpn, binding, room });
            }
            Err(error) => {
                self.input(Input::Failed { id, kind: tls::fail_kind(&error) });
            }
        }
        Served::Asleep
    }

    fn serve_connection(&mut self, id: Id, waker: &Waker) -> Served {
        let cx = &mut Context::from_waker(waker);
        let Some(Resource::Connection(connection)) = self.resource(id) else {
            return Served::Asleep;
        };
        match connection.poll_write(cx) {
            Ok(None) => {}
            Ok(Some(room)) => self.input(Input::Writable { conn: id, room }),
            Err(error) => return self.ended(id, waker, close_reason(&error)),
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let read = match self.resource(id) {
            Some(Resource::Connection(connection)) if !connection.is_paused() => {
                connection.poll_read(cx, &mut scratch)
            }
            // Paused, or the machine closed it just now.
            _ => Poll::Pending,
        };
        let served = match read {
            Poll::Pending => Served::Asleep,
            Poll::Ready(Ok(0)) => self.ended(id, waker, CloseReason::Peer),
            Poll::Ready(Ok(n)) => {
                tracing::trace!(conn = ?id, len = n, "reads");
                self.input(Input::Data { conn: id, bytes: scratch.get(..n).unwrap_or_default() });
                Served::Again
            }
            Poll::Ready(Err(error)) => self.ended(id, waker, close_reason(&error)),
        };
        self.scratch = scratch;
        served
    }

    /// A connection that is not read and has been reset is over; one that stands is looked at again.
    pub(crate) fn look_at_paused(&mut self, id: Id) {
        let Some(slot) = self.slots.get(&id) else { return };
        let Resource::Connection(connection) = &slot.resource else { return };
        if !connection.is_paused() {
            return;
        }
        let waker = slot.waker.clone();
        match connection.error() {
            Some(error) => _ = self.ended(id, &waker, close_reason(&error)),
            None => self.timers.set(Deadline::Paused(id), now().mono + PAUSED_INTERVAL),
        }
    }

    /// The connection ended by itself; what the machine wrote is still delivered if the peer only
    /// stopped sending.
    fn ended(&mut self, id: Id, waker: &Waker, reason: CloseReason) -> Served {
        if let Some(slot) = self.slots.remove(&id)
            && let Resource::Connection(connection) = slot.resource
        {
            self.linger(id, waker.clone(), connection);
            self.input(Input::Closed { conn: id, reason });
        }
        Served::Asleep
    }

    fn serve_closing(&mut self, id: Id, cx: &mut Context<'_>) -> Served {
        // At the end peers that keep a connection open are not waited for.
        let patient = !self.stopping;
        let mut scratch = std::mem::take(&mut self.scratch);
        let closed = match self.resource(id) {
            Some(Resource::Closing(connection)) => connection.poll_close(cx, &mut scratch, patient),
            _ => Poll::Pending,
        };
        self.scratch = scratch;
        match closed {
            Poll::Pending => Served::Asleep,
            Poll::Ready(()) => {
                self.timers.cancel(&Deadline::Linger(id));
                Served::Gone
            }
        }
    }

    fn serve_task(&mut self, id: Id, cx: &mut Context<'_>) -> Served {
        let input = match self.resource(id) {
            Some(Resource::Resolving(task)) => match Pin::new(&mut task.0).poll(cx) {
                Poll::Pending => return Served::Asleep,
                Poll::Ready(records) => Input::Resolved {
                    id,
                    records: records.unwrap_or(Err(machine::ResolveError::Failed)),
                },
            },
            Some(Resource::Asking(answer)) => match answer.as_mut().poll(cx) {
                Poll::Pending => return Served::Asleep,
                Poll::Ready(answer) => Input::Answer { id, answer },
            },
            _ => return Served::Asleep,
        };
        self.slots.remove(&id);
        self.input(input);
        Served::Asleep
    }

    fn resource(&mut self, id: Id) -> Option<&mut Resource<M::Answer>> {
        self.slots.get_mut(&id).map(|slot| &mut slot.resource)
    }
}
