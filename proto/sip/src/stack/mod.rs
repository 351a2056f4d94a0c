//! Transport and transactions as one part (RFC 3261 §17, §18), in one namespace of ids.
//!
//! The owner hands a [`Stack`] the inputs of its namespace and its timeouts, forwards its outputs,
//! and drains [`poll_event`](Stack::poll_event) after each input, timeout and verb. Everything that
//! a user agent or a proxy does goes through the verbs here.
//!
//! | file | what |
//! |---|---|
//! | `event` | what the owner is told |
//! | `client` | requests that we send: location, fail-over, client transactions |
//! | `outgoing` | requests as they go out: Via, next hop, ACK and CANCEL |
//! | `server` | requests that we answer: server transactions, CANCEL |
//! | `receive` | messages that come: parsing, validation, dispatch |

mod client;
mod event;
mod outgoing;
mod receive;
mod server;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;
use std::net::IpAddr;
use std::time::Duration;

use crypto::Secret;
use machine::{
    Endpoint, Entropy, Id, Ids, Input, Instant, KeyedMap, Now, Output, Timers, Transport,
};

pub use event::{Event, Failure, Target, TransactionId};

use self::client::Client;
use self::server::Server;
use crate::defaults;
use crate::transaction::{self, Times};
use crate::transport::token::{FlowName, TokenKey};
use crate::transport::{Flow, Signal, Transports};

/// How a stack behaves.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The times of transactions.
    pub times: Times,
    /// Addresses of ours as others see them: `{ 10.0.0.5: 203.0.113.7 }`.
    pub external: BTreeMap<IpAddr, IpAddr>,
    /// Whether requests above 1,300 bytes stay on UDP, against RFC 3261 §18.1.1.
    pub large_over_udp: bool,
    /// How long a request other than INVITE waits for a first response over UDP while another place
    /// is left; and then TCP is another place wherever neither URI nor records name a transport.
    /// `None`: every place has the whole time of its transaction.
    pub fallback_after: Option<Duration>,
    /// What the tokens of flows are made with. Kept over restarts, dialogs over UDP go on after one;
    /// when not given, it is another at every start.
    pub secret: Option<Secret>,
    /// How much of everything.
    pub limits: Limits,
}

/// How much of everything that strangers fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Client transactions at once.
    pub clients: usize,
    /// Server transactions at once; above, a 503.
    pub servers: usize,
    /// Connections at once.
    pub conns: usize,
    /// Connections from one address.
    pub conns_per_address: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            clients: defaults::CLIENT_TRANSACTIONS,
            servers: defaults::SERVER_TRANSACTIONS,
            conns: defaults::CONNS,
            conns_per_address: defaults::CONNS_PER_ADDRESS,
        }
    }
}

/// What a stack has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Messages that came, keepalives not counted.
    pub received: u64,
    /// Messages that were sent, repetitions counted.
    pub sent: u64,
    /// Messages that were sent again by a timer or because they were asked for again.
    pub retransmitted: u64,
    /// What came and was no message.
    pub malformed: u64,
    /// Requests refused by the validator.
    pub invalid: u64,
    /// Responses that belong to no transaction.
    pub stray: u64,
    /// Requests refused because a limit was reached.
    pub overload: u64,
    /// Messages dropped because the peer does not read.
    pub dropped: u64,
    /// Connections turned away because a limit was reached.
    pub refused_conns: u64,
    /// Connections that are open or being opened.
    pub conns: u64,
    /// Client transactions that live.
    pub clients: u64,
    /// Server transactions that live.
    pub servers: u64,
}

/// Timers of transactions, and those that the stack adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// A timer of the transaction's machine.
    Machine(transaction::Timer),
    /// A cancelled INVITE has no final response (RFC 3261 §9.1).
    Cancelled,
    /// Nothing was heard over UDP for so long that another place is tried.
    Silent,
}

/// Transport and transactions.
#[derive(Debug)]
pub struct Stack {
    config: Config,
    transports: Transports,
    entropy: Entropy,
    token_key: TokenKey,
    next: u64,
    clients: BTreeMap<TransactionId, Client>,
    client_keys: KeyedMap<String, TransactionId>,
    /// Client transactions by the socket or connection and the address they were sent to.
    client_flows: BTreeMap<(Id, Endpoint), BTreeSet<TransactionId>>,
    servers: BTreeMap<TransactionId, Server>,
    server_keys: KeyedMap<String, TransactionId>,
    /// What waits for a look-up or for a connection to open.
    waiting: BTreeMap<Id, Vec<TransactionId>>,
    timers: Timers<(TransactionId, Timer)>,
    events: VecDeque<Event>,
    stats: Stats,
}

impl Stack {
    /// A stack that names its sockets, connections and look-ups with `ids`.
    #[must_use]
    pub fn new(config: Config, ids: Ids, mut entropy: Entropy) -> Self {
        let transports = Transports::new(config.external.clone(), config.limits, ids, &entropy);
        let token_key = match &config.secret {
            Some(secret) => TokenKey::of(secret),
            None => TokenKey::new(&mut entropy.fork("flow tokens")),
        };
        Self {
            config,
            transports,
            token_key,
            next: 0,
            clients: BTreeMap::new(),
            client_keys: KeyedMap::new(&mut entropy),
            client_flows: BTreeMap::new(),
            servers: BTreeMap::new(),
            server_keys: KeyedMap::new(&mut entropy),
            waiting: BTreeMap::new(),
            timers: Timers::new(),
            events: VecDeque::new(),
            stats: Stats::default(),
            entropy,
        }
    }

    /// The namespace of everything that this stack names.
    #[must_use]
    pub fn namespace(&self) -> u16 {
        self.transports.namespace()
    }

    /// Binds a UDP socket or a TCP listener. [`Event::Listening`] or [`Event::ListenFailed`]
    /// follows.
    pub fn listen(&mut self, transport: Transport, local: Endpoint) -> Id {
        self.transports.listen(transport, local)
    }

    /// Closes a listener or a connection.
    pub fn close(&mut self, now: Now, id: Id) {
        self.transports.close(id);
        self.pump(now);
    }

    /// Whether every listener that was asked for is bound or has failed.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.transports.is_settled()
    }

    /// Whether a message can still be sent over `flow`.
    #[must_use]
    pub fn is_alive(&self, flow: &Flow) -> bool {
        self.transports.is_alive(flow)
    }

    /// Where the far side of `flow` reaches us, as Via, Contact and Record-Route say it.
    #[must_use]
    pub fn advertised(&self, flow: &Flow) -> Endpoint {
        self.transports.advertised(flow)
    }

    /// Whether this address and port is one of ours, external ones included.
    #[must_use]
    pub fn is_local(&self, ip: IpAddr, port: u16) -> bool {
        self.transports.is_local(ip, port)
    }

    /// An address of ours of this family, as Contact says it before any flow is known.
    #[must_use]
    pub fn local_address(&self, ipv4: bool) -> Option<Endpoint> {
        self.transports.local_address(ipv4)
    }

    /// A token that stands for `flow` in a URI, in the call `call_id` (RFC 5626 §5.2).
    #[must_use]
    pub fn flow_token(&self, flow: &Flow, call_id: &str) -> String {
        let (transport, local, remote) = (flow.transport, flow.local, flow.remote);
        self.token_key.seal(FlowName { transport, local, remote }, call_id)
    }

    /// What a token of ours says; `None` if it is not one of ours, or of another call.
    #[must_use]
    pub fn open_token(&self, token: &str, call_id: &str) -> Option<FlowName> {
        self.token_key.open(token, call_id)
    }

    /// The flow of that name, if it is still there. A UDP flow always is.
    #[must_use]
    pub fn find_flow(&self, name: FlowName) -> Option<Flow> {
        self.transports.find(name)
    }

    /// Keeps a flow alive until it is lost or let go: by CRLF over a stream, by
    /// [`Event::KeepaliveDue`] over UDP (RFC 5626 §4.4).
    pub fn keep_alive(&mut self, now: Now, flow: Flow) {
        self.transports.keep_alive(now, flow);
    }

    /// Stops keeping a flow alive.
    pub fn let_go(&mut self, flow: &Flow) {
        self.transports.let_go(flow);
    }

    /// What was counted.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            dropped: self.transports.dropped,
            refused_conns: self.transports.refused_conns,
            conns: self.transports.conns() as u64,
            clients: self.clients.len() as u64,
            servers: self.servers.len() as u64,
            ..self.stats
        }
    }

    /// Takes one input of this stack's namespace, or `Interfaces`; others are ignored.
    pub fn handle_input<A>(&mut self, now: Now, input: &Input<'_, A>) {
        match input {
            Input::Resolved { id, records } => {
                let records = records.as_deref().unwrap_or_default();
                for transaction in self.waiting.remove(id).unwrap_or_default() {
                    self.client_located(now, transaction, records);
                }
            }
            input => self.transports.handle_input(now, input),
        }
        self.pump(now);
    }

    /// Fires every timer that is due.
    pub fn handle_timeout(&mut self, now: Now) {
        self.transports.handle_timeout(now);
        self.pump(now);
        while let Some((id, timer)) = self.timers.expire(now.mono) {
            if self.clients.contains_key(&id) {
                self.client_timer(now, id, timer);
            } else {
                self.server_timer(now, id, timer);
            }
            self.pump(now);
        }
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The next output; events do not come this way.
    pub fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Infallible, Infallible>> {
        self.transports.poll_output(buf)
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.timers.next(), self.transports.poll_timeout()].into_iter().flatten().min()
    }

    fn fresh(&mut self) -> TransactionId {
        self.next += 1;
        TransactionId(self.next)
    }

    /// Carries the transport's signals to where they belong.
    fn pump(&mut self, now: Now) {
        while let Some(signal) = self.transports.poll_signal() {
            match signal {
                Signal::Listening { id, transport, local } => {
                    self.events.push_back(Event::Listening { id, transport, local });
                }
                Signal::ListenFailed { id, transport, local, kind } => {
                    self.events.push_back(Event::ListenFailed { id, transport, local, kind });
                }
                Signal::Message { flow, bytes } => self.receive(now, flow, &bytes),
                Signal::Broken { flow, owed } => {
                    if let Some((head, status)) = owed {
                        self.refuse_head(flow, &head, status);
                    }
                    self.stats.malformed += 1;
                    self.transports.close(flow.id);
                }
                Signal::Opened { flow } => {
                    for transaction in self.waiting.remove(&flow.id).unwrap_or_default() {
                        self.client_start(now, transaction, flow);
                    }
                }
                Signal::OpenFailed { conn } => {
                    for transaction in self.waiting.remove(&conn).unwrap_or_default() {
                        self.client_next(now, transaction, Failure::Connection);
                    }
                }
                Signal::Lost { flow } => {
                    self.flow_failed(now, flow.id, flow.remote, Failure::Connection);
                    self.events.push_back(Event::FlowLost { flow });
                }
                Signal::Unreachable { socket, remote } => {
                    self.flow_failed(now, socket, remote, Failure::Unreachable);
                }
                Signal::KeepaliveDue { flow } => {
                    self.events.push_back(Event::KeepaliveDue { flow });
                }
            }
        }
    }

    /// Whatever was sent to `remote` and has no answer yet looks for another place.
    fn flow_failed(&mut self, now: Now, id: Id, remote: Endpoint, failure: Failure) {
        let transactions = self.client_flows.get(&(id, remote)).cloned().unwrap_or_default();
        for transaction in transactions {
            self.client_failed(now, transaction, failure);
        }
    }
}
