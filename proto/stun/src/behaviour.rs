//! What a NAT does, found out by asking a STUN server with two addresses (RFC 5780, and RFC 3489
//! where a server knows no better).
//!
//! [`Discovery`] opens a few sockets and asks from all of them at once: first where the server sees
//! them, which shows whether there is a NAT and how it takes ports; then, each property from sockets
//! of its own so that no test opens a door for another (RFC 5780 §4.1), all the rest. That takes about
//! as long as it takes to be sure that an answer will not come, three seconds. What a server cannot
//! show is said to be [`Unknown`], with the reason. The lifetime of mappings, which takes minutes, is
//! measured only when it is asked for.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::time::Duration;

use machine::{
    AddressClass, BindKind, Endpoint, Entropy, FailKind, Id, Ids, Input, Instant, Machine, Now,
    Output, Outputs,
};

mod ask;
mod judge;
mod lifetime;
mod report;

use ask::{Ask, Test};
use judge::{Change, Evidence};
use lifetime::Search;

pub use report::{
    Filtering, Finding, Lifetime, Mapping, Pattern, Ports, Property, Report, Unknown,
};

use crate::defaults::{
    DISCOVERY_SOCKETS, DISCOVERY_TIMING, MAX_DISCOVERY_RTO, REACH_GRACE, REACH_TIMING,
};
use crate::transaction;
use crate::{AttributeType, Class, Message, Timing, TransactionId};

/// What to find out, and from whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The server: its address and its primary port.
    pub server: Endpoint,
    /// The address of ours to send from; unspecified lets the system choose.
    pub local: IpAddr,
    /// The longest lifetime of a mapping that is looked for; nothing to leave the lifetime out, which
    /// takes longer than all else.
    pub lifetime: Option<Duration>,
    /// Whether to speak as RFC 3489 does, to a server of its time.
    pub classic: bool,
}

impl Config {
    /// To ask `server` all but the lifetime.
    #[must_use]
    pub const fn new(server: Endpoint) -> Self {
        let any =
            if server.is_ipv4() { Endpoint::UNSPECIFIED_V4 } else { Endpoint::UNSPECIFIED_V6 };
        Self { server, local: any.ip(), lifetime: None, classic: false }
    }
}

/// What is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// One property is known, or known to stay unknown.
    Learned(Property),
    /// All is done; the sockets are closed.
    Done(Box<Report>),
}

/// A machine, or a part of one, that finds out what stands between this host and a server.
#[derive(Debug)]
pub struct Discovery {
    config: Config,
    ids: Ids,
    entropy: Entropy,
    outputs: Outputs<Event, Infallible>,
    report: Report,
    sockets: Vec<Socket>,
    asks: BTreeMap<TransactionId, Ask>,
    stage: Stage,
    evidence: Evidence,
    timing: Timing,
    search: Option<Search>,
}

/// One of our sockets.
#[derive(Clone, Copy, Debug)]
struct Socket {
    id: Id,
    state: SocketState,
    /// Its address and port here, and where the server saw it.
    seen: Option<(Endpoint, Endpoint)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SocketState {
    Binding,
    /// Bound to this port.
    Open(u16),
    Closed,
}

/// So many sockets share no test.
const ENOUGH: usize = 4;

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The server is asked for the first time, by every socket; once one is answered, the others have
    /// until `grace`.
    Reaching {
        grace: Option<Instant>,
    },
    Testing,
    Lifetime,
    Done,
}

impl Discovery {
    /// Begins at once: the sockets to bind wait to be polled. `ids` names them.
    #[must_use]
    pub fn new(config: Config, ids: Ids, entropy: Entropy) -> Self {
        let mut discovery = Self {
            report: Report::new(config.server),
            config,
            ids,
            entropy,
            outputs: Outputs::new(),
            sockets: Vec::new(),
            asks: BTreeMap::new(),
            stage: Stage::Reaching { grace: None },
            evidence: Evidence::default(),
            timing: DISCOVERY_TIMING,
            search: None,
        };
        for _ in 0..DISCOVERY_SOCKETS {
            discovery.open();
        }
        discovery
    }

    /// What is known so far.
    #[must_use]
    pub const fn report(&self) -> &Report {
        &self.report
    }

    /// Ends it: closes the sockets and tells what is known.
    pub fn stop(&mut self) {
        if self.stage == Stage::Done {
            return;
        }
        self.stage = Stage::Done;
        self.asks.clear();
        self.search = None;
        for socket in 0..self.sockets.len() {
            self.close(socket);
        }
        self.outputs.event(Event::Done(Box::new(self.report.clone())));
    }

    /// Binds another socket; its number.
    fn open(&mut self) -> usize {
        let id = self.ids.next_id();
        let (kind, local) = (BindKind::Udp, Endpoint::new(self.config.local, 0));
        self.outputs.push(Output::Bind { id, kind, local, interface: None });
        self.sockets.push(Socket { id, state: SocketState::Binding, seen: None });
        self.sockets.len() - 1
    }

    /// Closes a socket, and gives up what it asked.
    fn close(&mut self, socket: usize) {
        self.asks.retain(|_, ask| ask.socket != socket);
        let Some(socket) = self.sockets.get_mut(socket) else { return };
        if socket.state != SocketState::Closed {
            socket.state = SocketState::Closed;
            self.outputs.push(Output::Close { id: socket.id });
        }
    }

    /// Asks `to` from the socket of this number.
    fn ask(&mut self, now: Now, test: Test, socket: usize, to: Endpoint) {
        let timing = if test == Test::Reach { REACH_TIMING } else { self.timing };
        let Self { entropy, config, .. } = self;
        let what = (test, socket, to);
        let ask = Ask::new(now.mono, what, timing, entropy, config.classic);
        self.asks.insert(ask.transaction.id(), ask);
    }

    /// Sends what is due; what was given up is noted.
    fn send(&mut self, now: Now) {
        let mut given_up = Vec::new();
        let mut request = Vec::new();
        for (id, ask) in &mut self.asks {
            while let Some(output) = ask.transaction.poll_output(&mut request) {
                match (output, self.sockets.get(ask.socket)) {
                    (transaction::Output::Send, Some(socket)) => {
                        self.outputs.datagram(socket.id, ask.to, &request);
                        if ask.test == Test::Begin
                            && let Some(search) = &mut self.search
                        {
                            search.began(ask.socket, now.mono);
                        }
                    }
                    _ => given_up.push(*id),
                }
                request.clear();
            }
        }
        for id in given_up {
            if let Some(ask) = self.asks.remove(&id) {
                self.unanswered(&ask);
            }
        }
    }

    fn unanswered(&mut self, ask: &Ask) {
        match ask.test {
            Test::ChangeBoth => self.evidence.both = Change::Silent,
            Test::ChangePort => self.evidence.port = Change::Silent,
            Test::Padding => self.report.fragments = Ok(false),
            Test::Begin => self.search_mut(|search| search.not_begun(ask.socket)),
            Test::Wake { port } => self.search_mut(|search| search.woken(port, false)),
            Test::Reach | Test::Place | Test::Hairpin => {}
        }
    }

    fn search_mut(&mut self, act: impl FnOnce(&mut Search)) {
        if let Some(search) = &mut self.search {
            act(search);
        }
    }

    fn bound(&mut self, now: Now, id: Id, port: u16) {
        let Some(number) = self.sockets.iter().position(|socket| socket.id == id) else { return };
        let Some(socket) = self.sockets.get_mut(number) else { return };
        if socket.state != SocketState::Binding {
            return;
        }
        socket.state = SocketState::Open(port);
        let test = if self.stage == Stage::Lifetime { Test::Begin } else { Test::Reach };
        self.ask(now, test, number, self.config.server);
    }

    fn failed(&mut self, id: Id, kind: FailKind) {
        let Some(number) = self.sockets.iter().position(|socket| socket.id == id) else { return };
        if let Some(socket) = self.sockets.get_mut(number) {
            socket.state = SocketState::Closed;
        }
        self.search_mut(|search| search.not_begun(number));
        let closed = |socket: &Socket| socket.state == SocketState::Closed;
        if self.stage != Stage::Done && self.sockets.iter().all(closed) {
            self.give_up(&Unknown::NoSocket(kind));
        }
    }

    /// Nothing can be found out, for this reason.
    fn give_up(&mut self, why: &Unknown) {
        self.report.mapping = Err(why.clone());
        self.report.filtering = Err(why.clone());
        self.report.hairpin = Err(why.clone());
        self.report.ports = Err(why.clone());
        self.report.fragments = Err(why.clone());
        if self.config.lifetime.is_some() {
            self.report.lifetime = Err(why.clone());
        }
        self.stop();
    }

    /// Takes what came to one of our sockets.
    fn datagram(&mut self, now: Now, id: Id, local: Endpoint, remote: Endpoint, bytes: &[u8]) {
        let Some(number) = self.sockets.iter().position(|socket| socket.id == id) else { return };
        let Some(message) = ask::read(bytes, self.config.classic) else { return };
        let Some(ask) = self.asks.get(&message.id()) else { return };
        let (test, asker, to) = (ask.test, ask.socket, ask.to);
        if message.class() == Class::Request {
            if test == Test::Hairpin && ask.is(bytes) {
                self.report.hairpin = Ok(true);
                self.asks.retain(|_, ask| ask.test != Test::Hairpin);
                self.learned(Property::Hairpin(Ok(true)));
            }
            return;
        }
        if !ask.transaction.matches(&message) {
            return;
        }
        let is_success = message.class() == Class::Success;
        let from_there = number == asker && remote == to;
        match test {
            Test::Wake { port } => {
                let woke = is_success && number != asker;
                if !woke && !from_there {
                    return;
                }
                self.search_mut(|search| match woke {
                    true => search.woken(port, true),
                    false => search.refused(),
                });
            }
            // The server's own word on where an answer comes from would not do.
            Test::ChangeBoth | Test::ChangePort if number == asker => {
                let moved = match test {
                    Test::ChangeBoth => remote.ip() != to.ip(),
                    _ => remote != to,
                };
                let change = if is_success && moved { Change::Arrived } else { Change::Refused };
                match test {
                    Test::ChangeBoth => self.evidence.both = change,
                    _ => self.evidence.port = change,
                }
            }
            _ if !from_there => return,
            _ if is_success => {
                let elapsed = now.mono.saturating_since(ask.transaction.started());
                self.answered(now, test, (number, local), to, &message, elapsed);
            }
            Test::Padding => self.report.fragments = Err(Unknown::Unsupported),
            Test::Begin => self.search_mut(|search| search.not_begun(number)),
            _ => {}
        }
        self.asks.remove(&message.id());
    }

    /// Takes a success that came from where the server was asked.
    fn answered(
        &mut self,
        now: Now,
        test: Test,
        (number, local): (usize, Endpoint),
        place: Endpoint,
        message: &Message<'_>,
        elapsed: Duration,
    ) {
        let Some(seen) = message.reflexive_address() else { return };
        match test {
            Test::Reach => self.reached(now, (number, local), seen, message, elapsed),
            Test::Place => self.evidence.seen.push((place, seen)),
            Test::Padding => {
                let padded = message.attribute(AttributeType::PADDING).is_some();
                self.report.fragments = if padded { Ok(true) } else { Err(Unknown::Unsupported) };
            }
            Test::Begin => self.search_mut(|search| search.begun(number, seen.port())),
            Test::ChangeBoth | Test::ChangePort | Test::Hairpin | Test::Wake { .. } => {}
        }
    }

    fn reached(
        &mut self,
        now: Now,
        (number, local): (usize, Endpoint),
        seen: Endpoint,
        message: &Message<'_>,
        elapsed: Duration,
    ) {
        let Some(socket) = self.sockets.get_mut(number) else { return };
        let SocketState::Open(port) = socket.state else { return };
        let local = local.with_port(port);
        socket.seen = Some((local, seen));
        let Stage::Reaching { grace: grace @ None } = &mut self.stage else { return };
        *grace = Some(now.mono + REACH_GRACE.max(elapsed));
        let other = [AttributeType::OTHER_ADDRESS, AttributeType::CHANGED_ADDRESS];
        let other = other.into_iter().find_map(|kind| message.address(kind));
        self.report.other = other.filter(|other| is_askable(*other, self.config.server));
        self.report.software = message.software().map(str::to_owned);
        (self.report.local, self.report.mapped) = (Some(local), Some(seen));
        self.report.round_trip = Some(elapsed);
        self.timing = timing(elapsed);
        self.learned(Property::Reached { mapped: seen, round_trip: elapsed });
    }

    fn learned(&mut self, property: Property) {
        self.outputs.event(Event::Learned(property));
    }

    /// Goes on as far as what is known allows.
    fn advance(&mut self, now: Now) {
        if let Stage::Reaching { grace } = self.stage {
            self.reaching(now, grace);
        }
        if self.stage == Stage::Testing {
            self.judge();
            if self.is_judged() {
                self.begin_lifetime();
            }
        }
        if self.stage == Stage::Lifetime {
            self.search(now);
        }
        self.send(now);
    }

    fn reaching(&mut self, now: Now, grace: Option<Instant>) {
        if self.is_binding() {
            return;
        }
        let (waiting, answered) = (!self.asks.is_empty(), self.answered_sockets().len());
        let late = grace.is_some_and(|grace| grace <= now.mono);
        match (waiting, answered) {
            (true, answered) if answered < ENOUGH || !late => {}
            (false, 0) => self.give_up(&Unknown::NoAnswer),
            _ => self.begin_tests(now),
        }
    }

    fn is_binding(&self) -> bool {
        self.sockets.iter().any(|socket| socket.state == SocketState::Binding)
    }

    /// The numbers of the sockets that the server has answered.
    fn answered_sockets(&self) -> Vec<usize> {
        let seen = self.sockets.iter().enumerate().filter(|(_, socket)| socket.seen.is_some());
        seen.map(|(number, _)| number).collect()
    }

    /// Where the socket of this number is, here and outside.
    fn seen(&self, number: usize) -> Option<(Endpoint, Endpoint)> {
        self.sockets.get(number)?.seen
    }

    /// Sends everything that is left to ask, at once: mapping, filtering and hairpinning each from
    /// sockets of their own, as far as there are enough.
    fn begin_tests(&mut self, now: Now) {
        self.stage = Stage::Testing;
        self.asks.clear();
        let answered = self.answered_sockets();
        let pairs: Vec<_> = answered.iter().filter_map(|&number| self.seen(number)).collect();
        let pairs: Vec<_> = pairs.iter().map(|(here, out)| (here.port(), out.port())).collect();
        self.report.ports = judge::ports(&pairs);
        self.learned(Property::Ports(self.report.ports.clone()));

        let role = |n: usize| answered.get(n % answered.len().max(1)).copied();
        let (Some(one), Some(two), Some(three), Some(four)) = (role(0), role(1), role(2), role(3))
        else {
            return;
        };
        let Some((local, mapped)) = self.seen(one) else { return };
        (self.report.local, self.report.mapped) = (Some(local), Some(mapped));
        let (server, other) = (self.config.server, self.report.other);
        self.evidence.seen.push((server, mapped));
        if local == mapped {
            self.report.mapping = Ok(Mapping::None);
            self.learned(Property::Mapping(Ok(Mapping::None)));
            self.report.hairpin = Err(Unknown::NoNat);
            self.learned(Property::Hairpin(Err(Unknown::NoNat)));
        }
        if let Some(other) = other {
            let beside = server.with_port(other.port());
            let mut places = vec![other, other.with_port(server.port()), beside];
            places.sort();
            places.dedup();
            places.retain(|place| *place != server);
            places.into_iter().for_each(|place| self.ask(now, Test::Place, one, place));
            if two != one {
                self.ask_for_change(now, two, other);
            }
        }
        if self.config.classic {
            self.report.fragments = Err(Unknown::Unsupported);
        } else {
            self.ask(now, Test::Padding, one, server);
        }
        if let (Ok(Mapping::None), _) | (_, true) = (&self.report.mapping, three == four) {
            return;
        }
        // Each to the other, so that a filter lets the other in.
        for (from, to) in [(three, four), (four, three)] {
            if let Some((_, outside)) = self.seen(to) {
                self.ask(now, Test::Hairpin, from, outside);
            }
        }
    }

    /// Asks for answers from elsewhere.
    fn ask_for_change(&mut self, now: Now, socket: usize, other: Endpoint) {
        let server = self.config.server;
        if other.ip() != server.ip() {
            self.evidence.both = Change::Asked;
            self.ask(now, Test::ChangeBoth, socket, server);
        }
        if other.port() != server.port() {
            self.evidence.port = Change::Asked;
            self.ask(now, Test::ChangePort, socket, server);
        }
    }

    fn is_asking(&self, tests: &[Test]) -> bool {
        self.asks.values().any(|ask| tests.contains(&ask.test))
    }

    /// Says what can be said by now.
    fn judge(&mut self) {
        let (server, other) = (self.config.server, self.report.other);
        if is_open(&self.report.mapping) && !self.is_asking(&[Test::Place]) {
            self.report.mapping = self.evidence.mapping(server, other);
            self.learned(Property::Mapping(self.report.mapping.clone()));
        }
        let over = !self.is_asking(&[Test::Place, Test::ChangeBoth, Test::ChangePort]);
        if is_open(&self.report.filtering) && (over || self.evidence.both == Change::Arrived) {
            self.report.filtering = self.evidence.filtering(server, other);
            self.asks.retain(|_, ask| ask.test != Test::ChangePort);
            self.learned(Property::Filtering(self.report.filtering.clone()));
        }
        let hairpin = is_open(&self.report.hairpin) && !self.is_asking(&[Test::Hairpin]);
        if hairpin && !is_open(&self.report.mapping) && !is_open(&self.report.filtering) {
            // Where neither is independent of the endpoint, no packet of ours fits the filter, with
            // hairpinning or without.
            let shows = self.report.mapping == Ok(Mapping::EndpointIndependent)
                || self.report.filtering == Ok(Filtering::EndpointIndependent);
            let enough = self.answered_sockets().len() > 1;
            self.report.hairpin = match (enough, shows) {
                (false, _) => Err(Unknown::TooFewAnswers),
                (true, true) => Ok(false),
                (true, false) => Err(Unknown::Hidden),
            };
            self.learned(Property::Hairpin(self.report.hairpin.clone()));
        }
    }

    /// Whether all but the lifetime is said.
    fn is_judged(&self) -> bool {
        let Report { mapping, filtering, hairpin, fragments, .. } = &self.report;
        !is_open(mapping) && !is_open(filtering) && !is_open(hairpin) && !is_open(fragments)
    }
}

/// Looking for the lifetime.
impl Discovery {
    fn begin_lifetime(&mut self) {
        self.asks.clear();
        self.learned(Property::Fragments(self.report.fragments.clone()));
        let waker = self.answered_sockets().get(1).copied();
        match (self.config.lifetime, waker) {
            (None, _) => return self.stop(),
            (Some(_), None) => self.report.lifetime = Err(Unknown::TooFewAnswers),
            (Some(_), _) if self.config.classic => {
                self.report.lifetime = Err(Unknown::Unsupported);
            }
            (Some(most), Some(waker)) => {
                self.stage = Stage::Lifetime;
                self.search = Some(Search::new(most, waker));
                return self.open_round();
            }
        }
        self.learned(Property::Lifetime(self.report.lifetime.clone()));
        self.stop();
    }

    /// Opens a socket for each time that is tried.
    fn open_round(&mut self) {
        let Some(mut search) = self.search.take() else { return };
        for wait in search.waits() {
            let socket = self.open();
            search.add(socket, wait);
        }
        self.search = Some(search);
    }

    /// Goes on with the search.
    fn search(&mut self, now: Now) {
        let Some(search) = &mut self.search else { return };
        let (waker, due) = (search.waker(), search.due(now.mono));
        for port in due {
            self.ask(now, Test::Wake { port }, waker, self.config.server);
        }
        let Some(search) = &mut self.search else { return };
        if let Some(lives) = search.news() {
            self.outputs.event(Event::Learned(Property::Lives(lives)));
        }
        let Some(found) = search.round_over() else { return };
        for socket in search.clear() {
            self.close(socket);
        }
        self.asks.clear();
        match found {
            None => self.open_round(),
            Some(found) => {
                self.report.lifetime = found.clone();
                self.learned(Property::Lifetime(found));
                self.stop();
            }
        }
    }
}

/// Whether it is yet to be said.
fn is_open<T>(finding: &Finding<T>) -> bool {
    matches!(finding, Err(Unknown::NotMeasured))
}

/// Whether a server may send us to `other`: a host of its own family, which it is not itself.
fn is_askable(other: Endpoint, server: Endpoint) -> bool {
    use AddressClass::{Broadcast, Multicast, Unspecified};
    let class = AddressClass::of(other.ip());
    other != server
        && other.is_ipv4() == server.is_ipv4()
        && other.port() != 0
        && !matches!(class, Broadcast | Multicast | Unspecified)
}

/// How a server is asked that answers within `round_trip`.
fn timing(round_trip: Duration) -> Timing {
    let Timing { rto, transmissions, last_wait } = DISCOVERY_TIMING;
    let wanted = round_trip.saturating_mul(3) / 2;
    if wanted <= rto {
        return DISCOVERY_TIMING;
    }
    let rto = wanted.min(MAX_DISCOVERY_RTO);
    Timing { rto, transmissions: transmissions - 1, last_wait: last_wait.max(round_trip * 2) }
}

impl Machine for Discovery {
    type Event = Event;
    type Question = Infallible;
    type Answer = Infallible;

    fn handle_input(&mut self, now: Now, input: Input<'_, Infallible>) {
        if self.stage == Stage::Done {
            return;
        }
        match input {
            Input::Bound { id, local } => self.bound(now, id, local.port()),
            Input::Failed { id, kind } => self.failed(id, kind),
            Input::Datagram { socket, local, remote, bytes, .. } => {
                self.datagram(now, socket, local, remote, bytes);
            }
            _ => return,
        }
        self.advance(now);
    }

    fn handle_timeout(&mut self, now: Now) {
        for ask in self.asks.values_mut() {
            ask.transaction.handle_timeout(now.mono);
        }
        // First what is given up, then what follows from it.
        self.send(now);
        self.advance(now);
    }

    fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Event, Infallible>> {
        self.outputs.poll(buf)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let asks = self.asks.values().filter_map(|ask| ask.transaction.poll_timeout());
        let grace = match self.stage {
            Stage::Reaching { grace } if !self.is_binding() => {
                grace.filter(|_| self.answered_sockets().len() >= ENOUGH)
            }
            _ => None,
        };
        let search = self.search.as_ref().and_then(Search::poll_timeout);
        asks.chain(grace).chain(search).min()
    }
}
