//! Requests that we answer: server transactions (RFC 3261 §17.2) and the way back of responses
//! (§18.2.2).

use machine::{Now, Transport};

use super::{Event, Stack, Timer, TransactionId};
use crate::header::Via;
use crate::message::{Request, Response};
use crate::method::Method;
use crate::status::Status;
use crate::transaction::{self, Action, Actions, ServerInvite, ServerNonInvite, Timer as T};
use crate::transport::locate::Destination;
use crate::transport::{Flow, Route, via};

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct Server {
    machine: transaction::Server,
    key: String,
    /// Where responses go.
    reply: Flow,
    /// Where they go if the connection is gone.
    fallback: Option<Destination>,
    /// The last response.
    last: Vec<u8>,
    /// A 100 (Trying) of the stack's own.
    trying: Vec<u8>,
}

impl Stack {
    /// Answers a request. A second final response is ignored, but for 2xx to INVITE, which the
    /// owner sends again until the ACK comes (RFC 3261 §13.3.1.4).
    pub fn respond(&mut self, now: Now, transaction: TransactionId, response: &Response) {
        let Some(server) = self.servers.get_mut(&transaction) else { return };
        let actions = server.machine.respond(response.status.code());
        if actions.contains(&Action::Send) {
            server.last = response.to_bytes();
        }
        self.server_act(now, transaction, actions);
        self.pump(now);
    }

    /// Answers a request and forgets it: for whoever has not proven who it is, so that neither
    /// memory nor repeated answers can be drawn by forged addresses (RFC 3261 §8.2.7, §26.3.2.4).
    /// If the answer is lost, the request comes again and is looked at again.
    pub fn respond_once(&mut self, now: Now, transaction: TransactionId, response: &Response) {
        if let Some(server) = self.servers.get(&transaction) {
            let reply = server.reply;
            let alive = self.transports.is_alive(&reply);
            let sent = alive && self.transports.send(&reply, &response.to_bytes()).is_ok();
            self.stats.sent += u64::from(sent);
            self.server_end(transaction, false);
            self.pump(now);
        }
    }

    /// Forgets a request without an answer: what RFC 4320 §4.2 wants of a proxy that has none in
    /// time.
    pub fn abandon(&mut self, transaction: TransactionId) {
        if self.servers.contains_key(&transaction) {
            self.server_end(transaction, false);
        }
    }

    /// Answers a request outside any transaction and forgets it: for what is refused before it
    /// is worth any memory.
    pub(super) fn respond_stateless(&mut self, flow: Flow, via: &Via, response: &Response) {
        let reply = reply_flow(flow, via);
        if self.transports.send(&reply, &response.to_bytes()).is_ok() {
            self.stats.sent += 1;
        }
    }

    /// Begins a server transaction.
    pub(super) fn server_begin(
        &mut self,
        now: Now,
        flow: Flow,
        via: &Via,
        key: String,
        request: &Request,
    ) -> TransactionId {
        let id = self.fresh();
        let (times, reliable) = (self.config.times, flow.is_reliable());
        let invite = request.method == Method::Invite;
        let (machine, actions) = if invite {
            let (machine, actions) = ServerInvite::new(times, reliable);
            (transaction::Server::Invite(machine), actions)
        } else {
            let (machine, actions) = ServerNonInvite::new(times, reliable);
            (transaction::Server::NonInvite(machine), actions)
        };
        let trying = if invite { request.response(Status::TRYING).to_bytes() } else { Vec::new() };
        //= RFC 3261 §18.2.2: a lost connection is opened again to the source at the sent-by port.
        let fallback = reliable.then(|| Destination {
            transport: flow.transport,
            remote: flow.remote.with_port(via.port_or_default()),
        });
        let reply = reply_flow(flow, via);
        let server =
            Server { machine, key: key.clone(), reply, fallback, last: Vec::new(), trying };
        self.servers.insert(id, server);
        self.server_keys.insert(key, id);
        self.server_act(now, id, actions);
        id
    }

    /// A request came that belongs to this transaction.
    pub(super) fn server_again(&mut self, now: Now, id: TransactionId) {
        let Some(server) = self.servers.get_mut(&id) else { return };
        let actions = server.machine.retransmission();
        self.stats.retransmitted += u64::from(!actions.is_empty());
        self.server_act(now, id, actions);
    }

    /// An ACK came that belongs to this transaction; says whether it is the owner's business.
    pub(super) fn server_ack(&mut self, now: Now, id: TransactionId) -> bool {
        let Some(server) = self.servers.get_mut(&id) else { return true };
        let transaction::Server::Invite(machine) = &mut server.machine else { return false };
        let actions = machine.ack();
        let deliver = actions.contains(&Action::Deliver);
        self.server_act(now, id, actions);
        deliver
    }

    /// Whether the transaction can still be cancelled.
    pub(super) fn server_is_pending(&self, id: TransactionId) -> bool {
        self.servers.get(&id).is_some_and(|server| !server.machine.is_answered())
    }

    pub(super) fn server_timer(&mut self, now: Now, id: TransactionId, timer: Timer) {
        let Timer::Machine(timer) = timer else { return };
        let Some(server) = self.servers.get_mut(&id) else { return };
        let actions = server.machine.timer(timer);
        self.stats.retransmitted += u64::from(actions.contains(&Action::Send));
        self.server_act(now, id, actions);
    }

    fn server_act(&mut self, now: Now, id: TransactionId, actions: Actions) {
        for action in actions {
            match action {
                Action::Send => self.server_send(now, id, false),
                Action::SendTrying => self.server_send(now, id, true),
                Action::Set(timer, after) => {
                    self.timers.set((id, Timer::Machine(timer)), now.mono + after);
                }
                Action::Stop(timer) => {
                    self.timers.cancel(&(id, Timer::Machine(timer)));
                }
                Action::TimedOut => self.server_end(id, true),
                Action::End => self.server_end(id, false),
                // What is delivered is delivered by the caller, which has the message.
                Action::Deliver | Action::SendAck => {}
            }
        }
    }

    fn server_send(&mut self, now: Now, id: TransactionId, trying: bool) {
        let Some(server) = self.servers.get_mut(&id) else { return };
        if trying {
            server.last.clone_from(&server.trying);
        }
        if self.transports.is_alive(&server.reply) {
            self.stats.sent += u64::from(self.transports.send(&server.reply, &server.last).is_ok());
            return;
        }
        let Some(fallback) = server.fallback.filter(|to| to.transport == Transport::Tcp) else {
            return;
        };
        // What is sent over a connection that still opens waits in its queue.
        let conn = match self.transports.route(now, fallback) {
            Ok(Route::Ready(flow)) => flow.id,
            Ok(Route::Opening(conn)) => conn,
            Err(_) => return,
        };
        server.reply.id = conn;
        self.stats.sent += u64::from(self.transports.send(&server.reply, &server.last).is_ok());
    }

    fn server_end(&mut self, id: TransactionId, unacknowledged: bool) {
        for timer in [T::Trying, T::G, T::H, T::I, T::J, T::L] {
            self.timers.cancel(&(id, Timer::Machine(timer)));
        }
        if let Some(server) = self.servers.remove(&id) {
            self.server_keys.remove(&server.key);
            self.events.push_back(Event::ServerEnded { transaction: id, unacknowledged });
        }
    }
}

/// The flow that responses take: that of the request, over UDP to where Via says.
fn reply_flow(flow: Flow, top: &Via) -> Flow {
    if flow.is_reliable() {
        return flow;
    }
    Flow { remote: via::reply_to(top, flow.remote), ..flow }
}
