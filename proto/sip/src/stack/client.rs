//! Requests that we send: where they go (RFC 3263), what happens when a place fails, and their
//! client transactions (RFC 3261 §17.1).

use std::collections::VecDeque;

use machine::{Now, Record, Transport};

use super::outgoing::{follow_up, next_hop, place_of, render};
use super::{Event, Failure, Stack, Target, Timer, TransactionId};
use crate::defaults;
use crate::header::{Via, name};
use crate::message::{Request, Response};
use crate::method::Method;
use crate::status::Status;
use crate::transaction::{self, Action, Actions, ClientInvite, ClientNonInvite, key};
use crate::transport::locate::{Destination, Locate, Step};
use crate::transport::{Flow, Route};
use crate::uri::Uri;

/// A request under way.
#[derive(Debug)]
pub(super) struct Client {
    /// As the owner gave it: without a Via of ours.
    request: Request,
    /// What the owner wants to recognise in the branch.
    mark: String,
    phase: Phase,
    /// Places to try after the present one.
    places: VecDeque<Destination>,
    /// Sent over the owner's flow, and nowhere else.
    pinned: bool,
    /// Whether RFC 3261 §18.1.1 has been obeyed: a stream was tried because of the size.
    stream_tried: bool,
    sent: Option<Sent>,
    /// Whether any response has come.
    answered: bool,
    /// Whether to cancel as soon as a provisional response comes.
    cancelled: bool,
    /// A request of the stack's own, of which the owner hears nothing.
    own: bool,
}

impl Client {
    /// Whether it may be sent to another place while nobody knows if the first will answer. An INVITE
    /// may not: both would ring.
    fn may_fall_back(&self) -> bool {
        !matches!(self.request.method, Method::Invite | Method::Ack) && !self.pinned
    }
}

/// Adds TCP where UDP is but presumed, and the first place once more in the end: a far side that is
/// slow gets the whole time of a transaction then.
fn add_fallbacks(places: &mut Vec<Destination>, presumed: bool) {
    let Some(first) = places.first().filter(|place| place.transport == Transport::Udp) else {
        return;
    };
    let (first, streams) = (*first, places.clone());
    if presumed {
        let streams = streams.into_iter().filter(|place| place.transport == Transport::Udp);
        places.extend(streams.map(|place| Destination { transport: Transport::Tcp, ..place }));
    }
    if places.len() > 1 {
        places.push(first);
    }
}

#[derive(Debug)]
enum Phase {
    Locating(Locate),
    Connecting,
    Running(transaction::Client),
}

#[derive(Debug)]
struct Sent {
    flow: Flow,
    key: String,
    via: Via,
    bytes: Vec<u8>,
}

impl Stack {
    /// Sends a request in a client transaction of its own.
    ///
    /// The stack adds Via; everything else is the owner's. A place that fails or does not answer
    /// is followed by the next one that RFC 3263 names, under the same [`TransactionId`].
    pub fn send_request(&mut self, now: Now, request: Request, target: Target) -> TransactionId {
        self.send_marked(now, request, target, "")
    }

    /// Sends a request with `mark` at the end of its branch, as proxies detect loops by
    /// (RFC 3261 §16.6 step 8).
    pub fn send_marked(
        &mut self,
        now: Now,
        request: Request,
        target: Target,
        mark: &str,
    ) -> TransactionId {
        let id = self.fresh();
        let client = Client {
            request,
            mark: mark.to_owned(),
            phase: Phase::Connecting,
            places: VecDeque::new(),
            pinned: matches!(target, Target::Flow(_)),
            stream_tried: self.config.large_over_udp,
            sent: None,
            answered: false,
            cancelled: false,
            own: false,
        };
        if self.clients.len() >= self.config.limits.clients {
            self.stats.overload += 1;
            let failure = Failure::Overload;
            self.events.push_back(Event::Failed { transaction: id, failure });
            return id;
        }
        self.clients.insert(id, client);
        self.client_aim(now, id, target);
        self.pump(now);
        id
    }

    /// Sends the ACK of a 2xx, which is no transaction (RFC 3261 §13.2.2.4).
    pub fn send_ack(&mut self, now: Now, ack: Request, target: Target) {
        let id = self.send_request(now, ack, target);
        if let Some(client) = self.clients.get_mut(&id) {
            client.own = true;
        }
    }

    /// Gives up on a request.
    ///
    /// An INVITE is cancelled as soon as a provisional response has come, and then ends like any
    /// other, with a 487 as a rule (RFC 3261 §9.1). What has not been sent yet is forgotten with
    /// [`Event::Failed`]. Other methods and answered requests go on as if nothing was said.
    pub fn cancel(&mut self, now: Now, transaction: TransactionId) {
        let Some(client) = self.clients.get_mut(&transaction) else { return };
        match &client.phase {
            Phase::Running(transaction::Client::Invite(machine)) if machine.is_proceeding() => {
                self.send_cancel(now, transaction);
            }
            Phase::Running(transaction::Client::Invite(machine)) if !machine.is_completed() => {
                //= RFC 3261 §9.1: no CANCEL before a provisional response.
                client.cancelled = true;
            }
            Phase::Running(_) => {}
            Phase::Locating(_) | Phase::Connecting => {
                self.client_give_up(transaction, Failure::Cancelled);
            }
        }
        self.pump(now);
    }

    fn client_aim(&mut self, now: Now, id: TransactionId, target: Target) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        match target {
            Target::Flow(flow) => {
                if self.transports.is_alive(&flow) {
                    self.client_start(now, id, flow);
                } else {
                    self.client_give_up(id, Failure::FlowGone);
                }
            }
            Target::Address { transport, remote } => {
                client.places.push_back(Destination { transport, remote });
                self.client_next(now, id, Failure::NoTransport);
            }
            Target::Proxy(uri) => self.client_locate(now, id, &uri),
            Target::Uri => {
                let uri = next_hop(&client.request);
                self.client_locate(now, id, &uri);
            }
        }
    }

    fn client_locate(&mut self, now: Now, id: TransactionId, uri: &Uri) {
        let Some(place) = uri.as_sip().and_then(place_of) else {
            return self.client_give_up(id, Failure::NoTransport);
        };
        let (locate, step) = Locate::start(place, &self.transports.supported());
        if let Some(client) = self.clients.get_mut(&id) {
            client.phase = Phase::Locating(locate);
            self.client_step(now, id, step);
        }
    }

    pub(super) fn client_located(&mut self, now: Now, id: TransactionId, records: &[Record]) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        if let Phase::Locating(locate) = &mut client.phase {
            let step = locate.resolved(records, &mut self.entropy);
            self.client_step(now, id, step);
        }
    }

    fn client_step(&mut self, now: Now, id: TransactionId, step: Step) {
        match step {
            Step::Lookup { name, kinds } => {
                let lookup = self.transports.resolve(name, kinds);
                self.waiting.entry(lookup).or_default().push(id);
            }
            Step::Done(mut places) => {
                let Some(client) = self.clients.get_mut(&id) else { return };
                if self.config.fallback_after.is_some() && client.may_fall_back() {
                    let presumed =
                        matches!(&client.phase, Phase::Locating(l) if l.presumes_transport());
                    add_fallbacks(&mut places, presumed);
                }
                client.places = places.into();
                self.client_next(now, id, Failure::NoSuchHost);
            }
        }
    }

    /// Tries the next place; without one the request has failed, `failure` saying why.
    pub(super) fn client_next(&mut self, now: Now, id: TransactionId, mut failure: Failure) {
        self.client_unsend(id);
        loop {
            let Some(client) = self.clients.get_mut(&id) else { return };
            let Some(place) = client.places.pop_front() else { break };
            client.phase = Phase::Connecting;
            match self.transports.route(now, place) {
                Ok(Route::Ready(flow)) => return self.client_start(now, id, flow),
                Ok(Route::Opening(conn)) => {
                    self.waiting.entry(conn).or_default().push(id);
                    return;
                }
                Err(error) => failure = error,
            }
        }
        self.client_give_up(id, failure);
    }

    /// Begins a client transaction over `flow`, or turns to a stream if the request is too large.
    pub(super) fn client_start(&mut self, now: Now, id: TransactionId, flow: Flow) {
        let sent_by = self.transports.advertised(&flow);
        let branch = self.branch(id);
        let Some(client) = self.clients.get_mut(&id) else { return };
        let (via, bytes) = render(&client.request, &flow, sent_by, &branch);
        //= RFC 3261 §18.1.1: above 1,300 bytes a stream is tried first.
        let large = bytes.len() > defaults::DATAGRAM_BYTES && !flow.is_reliable();
        if large && !client.stream_tried && !client.pinned {
            client.stream_tried = true;
            let remote = flow.remote;
            client.places.push_front(Destination { transport: Transport::Udp, remote });
            client.places.push_front(Destination { transport: Transport::Tcp, remote });
            return self.client_next(now, id, Failure::NoTransport);
        }
        let method = client.request.method.clone();
        let key = key::client(&branch, &method);
        client.sent = Some(Sent { flow, key: key.clone(), via, bytes });
        client.answered = false;
        if method == Method::Ack {
            self.client_transmit(now, id);
            self.clients.remove(&id);
            return;
        }
        let (times, reliable) = (self.config.times, flow.is_reliable());
        let (machine, actions) = if method == Method::Invite {
            let (machine, actions) = ClientInvite::new(times, reliable);
            (transaction::Client::Invite(machine), actions)
        } else {
            let (machine, actions) = ClientNonInvite::new(times, reliable);
            (transaction::Client::NonInvite(machine), actions)
        };
        client.phase = Phase::Running(machine);
        let more = client.may_fall_back() && !client.places.is_empty();
        if let Some(after) = self.config.fallback_after.filter(|_| more && !reliable) {
            self.timers.set((id, Timer::Silent), now.mono + after);
        }
        self.client_keys.insert(key, id);
        self.client_flows.entry((flow.id, flow.remote)).or_default().insert(id);
        self.client_act(now, id, actions, None);
    }

    fn branch(&mut self, id: TransactionId) -> String {
        let token = self.entropy.token(defaults::BRANCH_CHARS);
        match self.clients.get(&id) {
            Some(client) if !client.mark.is_empty() => format!("z9hG4bK{token}.{}", client.mark),
            _ => format!("z9hG4bK{token}"),
        }
    }

    fn client_act(
        &mut self,
        now: Now,
        id: TransactionId,
        actions: Actions,
        response: Option<(Flow, &Response)>,
    ) {
        let mut first = true;
        for action in actions {
            match action {
                Action::Send => {
                    self.stats.retransmitted += u64::from(response.is_none() && !first);
                    if !self.client_transmit(now, id) {
                        return;
                    }
                }
                Action::SendAck => {
                    if let Some((_, response)) = response {
                        self.client_ack(id, response);
                    }
                }
                Action::Set(timer, after) => {
                    self.timers.set((id, Timer::Machine(timer)), now.mono + after);
                }
                Action::Stop(timer) => {
                    self.timers.cancel(&(id, Timer::Machine(timer)));
                }
                Action::Deliver => self.client_deliver(id, response),
                Action::TimedOut => {
                    if !self.client_retry(now, id) {
                        self.client_timed_out(id);
                    }
                    return;
                }
                Action::End => self.client_done(id),
                Action::SendTrying => {}
            }
            first = false;
        }
    }

    fn client_deliver(&mut self, id: TransactionId, response: Option<(Flow, &Response)>) {
        let own = self.clients.get(&id).is_none_or(|client| client.own);
        if let (Some((flow, response)), false) = (response, own) {
            let response = response.clone();
            self.events.push_back(Event::Response { transaction: id, flow, response });
        }
    }

    /// Sends the request once. On failure the next place is tried, and the answer is `false`.
    fn client_transmit(&mut self, now: Now, id: TransactionId) -> bool {
        let Some(sent) = self.clients.get(&id).and_then(|client| client.sent.as_ref()) else {
            return false;
        };
        match self.transports.send(&sent.flow, &sent.bytes) {
            Ok(()) => {
                self.stats.sent += 1;
                true
            }
            Err(failure) => {
                self.client_failed(now, id, failure);
                false
            }
        }
    }

    /// The ACK of a final response other than 2xx (RFC 3261 §17.1.1.3).
    fn client_ack(&mut self, id: TransactionId, response: &Response) {
        let Some(client) = self.clients.get(&id) else { return };
        let Some(sent) = &client.sent else { return };
        let mut ack = follow_up(&client.request, Method::Ack, &sent.via);
        //= RFC 3261 §17.1.1.3: To is that of the response.
        if let Some(to) = response.headers.first(name::TO) {
            ack.headers.set(name::TO, to);
        }
        if self.transports.send(&sent.flow, &ack.to_bytes()).is_ok() {
            self.stats.sent += 1;
        }
    }

    /// A CANCEL over the INVITE's own flow and branch (RFC 3261 §9.1).
    fn send_cancel(&mut self, now: Now, id: TransactionId) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        client.cancelled = false;
        let Some(sent) = &client.sent else { return };
        let request = follow_up(&client.request, Method::Cancel, &sent.via);
        let (flow, via) = (sent.flow, sent.via.clone());
        let bytes = request.to_bytes();
        let key = key::client(via.branch().unwrap_or(""), &Method::Cancel);
        let (machine, actions) = ClientNonInvite::new(self.config.times, flow.is_reliable());
        let cancel = Client {
            request,
            mark: String::new(),
            phase: Phase::Running(transaction::Client::NonInvite(machine)),
            places: VecDeque::new(),
            pinned: true,
            stream_tried: true,
            sent: Some(Sent { flow, key: key.clone(), via, bytes }),
            answered: false,
            cancelled: false,
            own: true,
        };
        //= RFC 3261 §9.1: 64·T1 after the CANCEL the INVITE counts as cancelled without an answer.
        self.timers.set((id, Timer::Cancelled), now.mono + self.config.times.timeout());
        let cancel_id = self.fresh();
        self.clients.insert(cancel_id, cancel);
        self.client_keys.insert(key, cancel_id);
        self.client_flows.entry((flow.id, flow.remote)).or_default().insert(cancel_id);
        self.client_act(now, cancel_id, actions, None);
    }

    pub(super) fn client_response(&mut self, now: Now, flow: Flow, response: &Response) {
        let key = key::of_response(&response.headers);
        let id = key.and_then(|key| self.client_keys.get(&key).copied());
        let Some((id, client)) = id.and_then(|id| Some((id, self.clients.get_mut(&id)?))) else {
            self.stats.stray += 1;
            return;
        };
        let Phase::Running(machine) = &mut client.phase else { return };
        client.answered = true;
        let status = response.status;
        let actions = machine.response(status.code());
        //= RFC 3263 §4.3: a 503 is answered by trying the next place.
        let elsewhere = status == Status::SERVICE_UNAVAILABLE
            && !client.places.is_empty()
            && !client.cancelled
            && actions.contains(&Action::Deliver);
        if elsewhere {
            if actions.contains(&Action::SendAck) {
                self.client_ack(id, response);
            }
            return self.client_next(now, id, Failure::Connection);
        }
        let cancel = client.cancelled && status.is_provisional();
        if status.is_final() {
            self.timers.cancel(&(id, Timer::Cancelled));
        }
        self.client_act(now, id, actions, Some((flow, response)));
        if cancel {
            self.send_cancel(now, id);
        }
    }

    pub(super) fn client_timer(&mut self, now: Now, id: TransactionId, timer: Timer) {
        match timer {
            Timer::Machine(timer) => {
                let Some(client) = self.clients.get_mut(&id) else { return };
                let Phase::Running(machine) = &mut client.phase else { return };
                let actions = machine.timer(timer);
                self.stats.retransmitted += u64::from(actions.contains(&Action::Send));
                self.client_act(now, id, actions, None);
            }
            Timer::Cancelled => self.client_timed_out(id),
            Timer::Silent => drop(self.client_retry(now, id)),
        }
    }

    fn client_timed_out(&mut self, id: TransactionId) {
        let own = self.clients.get(&id).is_none_or(|client| client.own);
        self.client_end(id);
        if !own {
            self.events.push_back(Event::TimedOut { transaction: id });
        }
    }

    /// Tries the next place, if nothing was heard of this one and there is another.
    fn client_retry(&mut self, now: Now, id: TransactionId) -> bool {
        let Some(client) = self.clients.get(&id) else { return false };
        let retry = !client.answered && !client.cancelled && !client.places.is_empty();
        if retry {
            self.client_next(now, id, Failure::Connection);
        }
        retry
    }

    /// The transport could not carry the request, or has lost the flow it went over.
    pub(super) fn client_failed(&mut self, now: Now, id: TransactionId, failure: Failure) {
        let Some(client) = self.clients.get(&id) else { return };
        let completed = matches!(&client.phase, Phase::Running(m) if m.is_completed());
        if completed {
            return self.client_done(id);
        }
        // Over UDP an answer has proven that somebody is there: an ICMP error may be a lie.
        let udp = client.sent.as_ref().is_some_and(|sent| !sent.flow.is_reliable());
        if client.answered && udp {
            return;
        }
        if !self.client_retry(now, id) {
            self.client_give_up(id, failure);
        }
    }

    fn client_give_up(&mut self, id: TransactionId, failure: Failure) {
        let own = self.clients.get(&id).is_none_or(|client| client.own);
        self.client_end(id);
        if !own {
            self.events.push_back(Event::Failed { transaction: id, failure });
        }
    }

    /// Forgets what was sent, so that another place can be tried.
    fn client_unsend(&mut self, id: TransactionId) {
        use transaction::Timer as T;
        self.timers.cancel(&(id, Timer::Silent));
        for timer in [T::A, T::B, T::D, T::E, T::F, T::K, T::M] {
            self.timers.cancel(&(id, Timer::Machine(timer)));
        }
        let sent = self.clients.get_mut(&id).and_then(|client| client.sent.take());
        let Some(Sent { flow, key, .. }) = sent else { return };
        self.client_keys.remove(&key);
        let place = (flow.id, flow.remote);
        if let Some(ids) = self.client_flows.get_mut(&place) {
            ids.remove(&id);
            if ids.is_empty() {
                self.client_flows.remove(&place);
            }
        }
    }

    /// A transaction that had its final response is over.
    fn client_done(&mut self, id: TransactionId) {
        let own = self.clients.get(&id).is_none_or(|client| client.own);
        self.client_end(id);
        if !own {
            self.events.push_back(Event::ClientEnded { transaction: id });
        }
    }

    fn client_end(&mut self, id: TransactionId) {
        self.client_unsend(id);
        self.timers.cancel(&(id, Timer::Cancelled));
        self.clients.remove(&id);
    }
}
