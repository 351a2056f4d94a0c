//! The core itself: inputs to its parts, the parts' events to each other.

use std::collections::{BTreeMap, BTreeSet};

use crypto::Secret;
use machine::{Entropy, Id, Ids, Input, Instant, Machine, Now, Output, Outputs, Timers};
use sip::auth::{self, Authenticator};
use sip::location::Location;
use sip::proxy::Proxy;
use sip::stack::{self, Stack};

use crate::admit::Waiting;
use crate::config::{Config, Listener};
use crate::defaults::{PORT_TRIES, QUESTION};
use crate::event::{Address, Answer, Event, Question};
use crate::messaging;
use crate::register::Unsaved;
use crate::relaying::{self, subject};
use crate::stats::Stats;

/// The namespaces of ids.
mod namespace {
    pub(super) const QUESTIONS: u16 = 0;
    pub(super) const SIP: u16 = 1;
    pub(super) const TURN: u16 = 2;
    pub(super) const XMPP: u16 = 4;
}

/// What has nothing left to do, of what drains.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Draining {
    pub(crate) turn: bool,
    pub(crate) xmpp: bool,
}

impl Draining {
    /// Tells when all of it is done.
    pub(crate) const fn news(self) -> Option<Event> {
        if self.turn && self.xmpp { Some(Event::Drained) } else { None }
    }
}

/// The network core.
#[derive(Debug)]
pub struct Server {
    pub(crate) config: Config,
    pub(crate) stack: Stack,
    pub(crate) auth: Authenticator,
    pub(crate) location: Location,
    /// Addresses of which changes are on their way to where they are kept.
    pub(crate) unsaved: BTreeMap<String, Unsaved>,
    pub(crate) proxy: Proxy,
    /// The key of our tags.
    pub(crate) tag_key: [u8; 32],
    pub(crate) questions: Ids,
    waiting: BTreeMap<Id, Waiting>,
    /// When their answers are late.
    late: Timers<Id>,
    /// About how many bytes wait there.
    pub(crate) waiting_bytes: usize,
    pub(crate) turn: turn::server::Server,
    pub(crate) xmpp: xmpp::server::Server,
    pub(crate) draining: Draining,
    /// Listeners that are not bound yet.
    pub(crate) pending: BTreeMap<Id, Listener>,
    /// Listeners over TCP that wait for the port of their sibling over UDP.
    pub(crate) siblings: Vec<Listener>,
    /// Listeners over TCP at a port that their sibling over UDP got, and that sibling.
    pub(crate) pairs: BTreeMap<Id, Id>,
    /// How often another port may still be looked for.
    pub(crate) port_tries: u32,
    pub(crate) bound: Vec<Address>,
    /// Sockets that are bound to every address.
    pub(crate) wildcards: BTreeSet<Id>,
    /// Whether the second port of STUN was looked after.
    pub(crate) alternates_begun: bool,
    pub(crate) ready: bool,
    pub(crate) outputs: Outputs<Event, Question>,
    pub(crate) stats: Stats,
}

impl Server {
    /// A core that has asked for the bindings that were kept, and listens once they are there.
    #[must_use]
    pub fn new(config: Config, entropy: &Entropy) -> Self {
        let stack_config = stack::Config {
            times: config.times,
            external: config.external.clone(),
            secret: config.salt_secret.map(Secret::new),
            ..stack::Config::default()
        };
        let auth_config =
            auth::Config { algorithms: config.algorithms.clone(), ..auth::Config::default() };
        let mut server = Self {
            stack: Stack::new(stack_config, Ids::new(namespace::SIP), entropy.fork("sip.stack")),
            auth: Authenticator::new(auth_config, entropy.fork("sip.auth")),
            location: Location::new(),
            unsaved: BTreeMap::new(),
            proxy: Proxy::new(),
            tag_key: entropy.fork("sip.tags").bytes(),
            questions: Ids::new(namespace::QUESTIONS),
            waiting: BTreeMap::new(),
            late: Timers::new(),
            waiting_bytes: 0,
            turn: turn::server::Server::new(
                relaying::with_ours(&config, config.turn.clone()),
                Ids::new(namespace::TURN),
                &entropy.fork("turn"),
            ),
            xmpp: xmpp::server::Server::new(
                messaging::with_ours(&config, entropy.fork("xmpp.salts").bytes()),
                Ids::new(namespace::XMPP),
                &entropy.fork("xmpp"),
            ),
            draining: Draining::default(),
            pending: BTreeMap::new(),
            siblings: Vec::new(),
            pairs: BTreeMap::new(),
            port_tries: PORT_TRIES,
            bound: Vec::new(),
            wildcards: BTreeSet::new(),
            alternates_begun: false,
            ready: false,
            outputs: Outputs::new(),
            stats: Stats::default(),
            config,
        };
        // That may take its time: without them there is nothing to serve.
        server.put(Question::LoadBindings, Waiting::Bindings);
        server
    }

    /// Takes new settings for what comes from now on: peers, secrets, limits and alternates of TURN,
    /// limits of XMPP. Nobody loses a relayed address or a session.
    pub fn reload(&mut self, turn: turn::server::Config, xmpp: xmpp::server::Limits) {
        self.config.turn = turn.clone();
        self.turn.reload(relaying::with_ours(&self.config, turn));
        self.config.xmpp.limits = xmpp;
        self.xmpp.reload(self.config.xmpp.clone());
    }

    /// Gives out no more relayed addresses, takes no more XMPP clients and ends the sessions of those
    /// that are there; [`Event::Drained`] follows when nothing of it is left.
    pub fn drain(&mut self, now: Now) {
        self.turn.drain(now);
        self.xmpp.drain(now);
    }

    /// What was counted.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            sip: self.stack.stats(),
            proxy: self.proxy.stats(),
            turn: self.turn.stats(),
            xmpp: self.xmpp.stats(),
            addresses: self.location.len() as u64,
            questions: self.waiting.len() as u64,
            ..self.stats.clone()
        }
    }

    /// Asks the world; the answer finds what waits for it. A question that is not answered in time
    /// has failed; what is said of it later counts for nothing.
    pub(crate) fn ask(&mut self, now: Now, question: Question, waiting: Waiting) {
        let id = self.put(question, waiting);
        self.late.set(id, now.mono + QUESTION);
    }

    /// Asks the world something that it may take its time for.
    fn put(&mut self, question: Question, waiting: Waiting) -> Id {
        let id = self.questions.next_id();
        self.waiting_bytes += waiting.len();
        self.waiting.insert(id, waiting);
        self.outputs.push(Output::Ask { id, question });
        id
    }

    /// Takes out what waits for the answer `id`.
    fn release(&mut self, id: Id) -> Option<Waiting> {
        let waiting = self.waiting.remove(&id)?;
        self.late.cancel(&id);
        self.waiting_bytes -= waiting.len();
        Some(waiting)
    }

    /// Takes out what waits, if `wanted` says so of it.
    pub(crate) fn take_waiting(&mut self, wanted: impl Fn(&Waiting) -> bool) -> Option<Waiting> {
        let (&id, _) = self.waiting.iter().find(|(_, waiting)| wanted(waiting))?;
        self.release(id)
    }

    fn answered(&mut self, now: Now, id: Id, answer: Answer) {
        let Some(waiting) = self.release(id) else { return };
        match (waiting, answer) {
            (Waiting::Bindings, Answer::Bindings(addresses)) => {
                self.restore(now, addresses);
                self.listen();
            }
            (Waiting::Caller(attempt), Answer::Credentials(keys)) => {
                self.proven(now, attempt, keys.as_ref());
            }
            (Waiting::Callee { transaction, request }, Answer::Credentials(keys)) => {
                self.unreachable(now, transaction, &request, keys.is_some());
            }
            (Waiting::Saved(change), Answer::Saved(kept)) => self.saved(now, change, kept),
            (waiting, _) => self.unanswerable(now, waiting),
        }
    }

    /// One datagram on SIP's ports: what is STUN is answered here (RFC 5626 §3.5.2).
    fn datagram(&mut self, now: Now, input: Input<'_, Answer>) {
        match input {
            Input::Datagram { socket, local, remote, bytes, .. } if stun::is_stun(bytes) => {
                self.binding_request(socket, (local, remote), bytes);
            }
            input => self.stack.handle_input(now, &input),
        }
    }

    /// Carries the stack's events to where they belong.
    pub(crate) fn pump(&mut self, now: Now) {
        while let Some(event) = self.stack.poll_event() {
            match event {
                stack::Event::Listening { id, local, .. } => self.listening(id, local),
                stack::Event::ListenFailed { id, kind, .. } => {
                    match self.collision(id, &kind) {
                        Some((udp, tcp)) => {
                            // Phones that turn to TCP stay with the port: another is taken for both.
                            self.stack.close(now, udp);
                            self.bind_pair_again(udp, tcp);
                        }
                        None => self.listen_failed(id, &kind),
                    }
                }
                stack::Event::Request { transaction, flow, request } => {
                    self.request(now, transaction, flow, request);
                }
                stack::Event::Ack { request, .. } => self.ack(now, request),
                stack::Event::Cancelled { transaction } => self.cancelled(now, transaction),
                stack::Event::Response { transaction, response, .. } => {
                    self.proxy.response(now, &mut self.stack, transaction, &response);
                }
                stack::Event::TimedOut { transaction } => {
                    self.proxy.timed_out(now, &mut self.stack, transaction);
                }
                stack::Event::Failed { transaction, failure } => {
                    self.proxy.failed(now, &mut self.stack, transaction, failure);
                }
                stack::Event::ServerEnded { transaction, .. } => {
                    self.proxy.server_ended(transaction);
                }
                stack::Event::ClientEnded { .. }
                | stack::Event::FlowLost { .. }
                | stack::Event::KeepaliveDue { .. } => {}
            }
        }
    }
}

impl Machine for Server {
    type Event = Event;
    type Question = Question;
    type Answer = Answer;

    fn handle_input(&mut self, now: Now, input: Input<'_, Answer>) {
        match input {
            Input::Interfaces(interfaces) => {
                self.turn.handle_input(now, Input::Interfaces(interfaces.clone()));
                self.xmpp.handle_input(now, Input::Interfaces(interfaces.clone()));
                self.stack.handle_input::<Answer>(now, &Input::Interfaces(interfaces));
            }
            input if subject(&input).is_some_and(|id| id.namespace() == namespace::TURN) => {
                if let Some(input) = input.map_answer(relaying::answer) {
                    self.turn.handle_input(now, input);
                }
            }
            input if subject(&input).is_some_and(|id| id.namespace() == namespace::XMPP) => {
                if let Some(input) = input.map_answer(messaging::answer) {
                    self.xmpp.handle_input(now, input);
                }
            }
            Input::Answer { id, answer } => self.answered(now, id, answer),
            // A train may carry both: each datagram is looked at by itself.
            input @ Input::Datagram { .. } => {
                input.one_by_one().for_each(|input| self.datagram(now, input));
            }
            input => self.stack.handle_input(now, &input),
        }
        self.pump(now);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.stack.handle_timeout(now);
        self.pump(now);
        self.turn.handle_timeout(now);
        self.xmpp.handle_timeout(now);
        self.proxy.handle_timeout(now, &mut self.stack);
        while let Some(id) = self.late.expire(now.mono) {
            self.answered(now, id, Answer::Failed);
        }
        for address in self.location.handle_timeout(now) {
            self.outputs.event(Event::Unregistered { address });
        }
        self.pump(now);
    }

    fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Event, Question>> {
        if let Some(output) = self.stack.poll_output(buf) {
            return Some(output.map(|never| match never {}, |never| match never {}));
        }
        // Ours come last, since the listeners of the others make some of them.
        if let Some(output) = self.poll_turn(buf) {
            return Some(output);
        }
        if let Some(output) = self.poll_xmpp(buf) {
            return Some(output);
        }
        // XMPP's last listener has the second port of STUN follow, which is TURN's to bind.
        self.poll_turn(buf).or_else(|| self.outputs.poll(buf))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let parts = [
            self.stack.poll_timeout(),
            self.proxy.poll_timeout(),
            self.location.poll_timeout(),
            self.late.next(),
            self.turn.poll_timeout(),
            self.xmpp.poll_timeout(),
        ];
        parts.into_iter().flatten().min()
    }
}
