//! The phone: its verbs, and the joining of its parts.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use call::Call;
use call::media::Source;
use connect::Connect;
use machine::{
    AddressClass, Endpoint, Entropy, Ids, Input, Instant, Interface, Machine, Now, Output, Outputs,
    Timers, Transport,
};
use sip::stack;
use sip::transport::{Flow, flow};
use sip::ua::{self, UserAgent};
use sip::{Host, SipUri, Status};

use crate::address::{Address, Protocol, Target};
use crate::config::{Account, Config, IceMode, Relays, TurnServer};
use crate::defaults;
use crate::event::{By, CallId, EndReason, Event, MessageId};
use crate::keepalive::{Keepalives, Outcome};
use crate::session::{Next, Session};

/// Ids of signalling sockets and look-ups.
const SIGNALLING: u16 = 1;
/// Ids of media sockets.
const PATHS: u16 = 2;

/// A user agent: registrations, calls and their media.
#[derive(Debug)]
pub struct Phone {
    pub(crate) config: Config,
    pub(crate) agent: UserAgent,
    pub(crate) connect: Connect,
    pub(crate) keepalives: Keepalives,
    /// The configuration's accounts, as the user agent names them.
    pub(crate) accounts: Vec<ua::AccountId>,
    /// How the core of each account is reached, while it is registered.
    pub(crate) routes: Vec<Option<Route>>,
    pub(crate) sessions: BTreeMap<CallId, Session>,
    /// Accounts whose removal is under way.
    pub(crate) unregistering: BTreeSet<usize>,
    pub(crate) events: VecDeque<Event>,
    pub(crate) outputs: Outputs<Event, Infallible>,
    entropy: Entropy,
    next_call: u64,
    timers: Timers<Timer>,
    /// The families that sockets for signalling were asked for: IPv4, IPv6.
    listening: [bool; 2],
    stage: Stage,
    scratch: Vec<u8>,
}

/// The way to an account's core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) flow: Flow,
    /// Our address as the core sees it.
    pub(crate) reflexive: Endpoint,
}

/// How far the end of the phone has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Nobody asked for it.
    #[default]
    Running,
    /// Calls are being ended.
    HangingUp,
    /// Registrations are being removed.
    Unregistering,
    /// It is over.
    Stopped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// The time for calls to end in peace is up.
    HangUp,
    /// The time for a peaceful end is up.
    Stop,
}

/// Why a call was not begun.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The configuration has no such account.
    #[error("there is no account {0}")]
    NoAccount(usize),
    /// The account speaks another protocol than whom it is to call.
    #[error("an account of {} cannot call an address of {}", .0.name(), .1.name())]
    OtherProtocol(Protocol, Protocol),
    /// As many calls as are allowed.
    #[error("{0} calls at a time are the limit")]
    TooMany(usize),
    /// The phone is being stopped.
    #[error("the phone is being stopped")]
    Stopping,
    /// No path can be looked for.
    #[error(transparent)]
    Call(#[from] call::call::Error),
}

/// Why a message was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The configuration has no such account.
    #[error("there is no account {0}")]
    NoAccount(usize),
    /// The account speaks another protocol than whom it is to write to, or one in which messages are
    /// not built.
    #[error("an account of {} cannot write to an address of {}", .0.name(), .1.name())]
    OtherProtocol(Protocol, Protocol),
    /// The account is not connected to its core.
    #[error("not connected")]
    NotConnected,
}

impl Phone {
    /// A phone that is not registered yet; [`Phone::register`] makes it reachable.
    #[must_use]
    pub fn new(config: Config, entropy: Entropy) -> Self {
        let stack = stack::Config {
            fallback_after: Some(sip::defaults::FALLBACK_AFTER),
            ..stack::Config::default()
        };
        let user_agent = config.user_agent.clone();
        let agent_config = ua::Config { stack, user_agent, only_from_server: !config.direct_calls };
        let mut agent =
            UserAgent::new(agent_config, Ids::new(SIGNALLING), &entropy.fork("phone.ua"));
        let paths = entropy.fork("phone.connect");
        let connect = Connect::new(config.connect.clone(), Ids::new(PATHS), paths);
        let instance = instance(&mut entropy.fork("phone.instance"));
        let known = config.accounts.iter().take(defaults::MAX_ACCOUNTS);
        let accounts: Vec<_> = known
            .filter_map(|account| match &account.address {
                Address::Sip(uri) => Some(agent.add_account(sip_account(account, uri, &instance))),
                Address::Xmpp(_) => None,
            })
            .collect();
        Self {
            keepalives: Keepalives::new(&entropy),
            routes: vec![None; accounts.len()],
            config,
            agent,
            connect,
            accounts,
            sessions: BTreeMap::new(),
            unregistering: BTreeSet::new(),
            events: VecDeque::new(),
            outputs: Outputs::new(),
            entropy,
            next_call: 0,
            timers: Timers::new(),
            listening: [false; 2],
            stage: Stage::Running,
            scratch: Vec::new(),
        }
    }

    /// Registers every account and keeps it registered.
    pub fn register(&mut self, now: Now) {
        for account in &self.accounts {
            self.agent.register(now, *account);
        }
        self.run(now);
    }

    /// Calls `to` from the account at place `account`, and plays `source` to whoever answers.
    ///
    /// # Errors
    /// If no call can be begun.
    pub fn call(
        &mut self,
        now: Now,
        account: usize,
        to: &Target,
        source: Source,
    ) -> Result<CallId, CallError> {
        if self.is_stopping() {
            return Err(CallError::Stopping);
        }
        if account >= self.accounts.len() {
            return Err(CallError::NoAccount(account));
        }
        let own = self.config.accounts[account].address.protocol();
        let Target::Sip(to) = to else {
            return Err(CallError::OtherProtocol(own, to.protocol()));
        };
        if own != Protocol::Sip {
            return Err(CallError::OtherProtocol(own, Protocol::Sip));
        }
        if self.sessions.len() >= self.config.max_calls {
            return Err(CallError::TooMany(self.config.max_calls));
        }
        let config = self.call_config(account, source);
        let (id, entropy) = self.next_call();
        let call = Call::dial(now, config, &mut self.connect, entropy.fork("phone.call"))?;
        let next = Next::Invite { account, to: to.clone() };
        self.sessions.insert(id, Session::new(id, call, next, &entropy));
        self.run(now);
        Ok(id)
    }

    /// Answers a call that came, and plays `source`.
    pub fn answer(&mut self, now: Now, call: CallId, source: Source) {
        if let Some(session) = self.sessions.get_mut(&call) {
            session.call.play(source);
            if let Err(reason) = session.answer(now, &mut self.connect) {
                session.fate = Some(reason);
            }
            session.offer_in_answer(now, &mut self.agent);
        }
        self.run(now);
    }

    /// Refuses a call that came and was not answered: busy here, or declined.
    pub fn reject(&mut self, now: Now, call: CallId, busy: bool) {
        if let Some(sip) = self.sessions.get(&call).and_then(|session| session.sip) {
            let status = if busy { Status::BUSY_HERE } else { Status::DECLINE };
            self.agent.reject(now, sip, status);
        }
        self.run(now);
    }

    /// Ends a call, whatever its state: CANCEL, BYE, or a refusal.
    pub fn hang_up(&mut self, now: Now, call: CallId) {
        self.end_signalling(now, call, EndReason::Signalling(ua::Reason::Cancelled));
        self.run(now);
    }

    /// Holds a call, or takes it back.
    pub fn hold(&mut self, now: Now, call: CallId, on: bool) {
        if let Some(session) = self.sessions.get_mut(&call) {
            // A call that is not answered yet has nothing to hold.
            let _ = session.call.hold(&self.connect, on);
        }
        self.run(now);
    }

    /// Ends every call, and then removes every registration; [`Event::Stopped`] follows within
    /// [`defaults::STOP_LIMIT`], whether or not anybody answers.
    pub fn stop(&mut self, now: Now) {
        if self.stage == Stage::Running {
            self.stage = Stage::HangingUp;
            self.timers.set(Timer::HangUp, now.mono + defaults::HANG_UP_LIMIT);
            self.timers.set(Timer::Stop, now.mono + defaults::STOP_LIMIT);
            let calls: Vec<CallId> = self.sessions.keys().copied().collect();
            for call in calls {
                self.end_signalling(now, call, EndReason::Signalling(ua::Reason::Cancelled));
            }
        }
        self.run(now);
    }

    /// Writes `text` to somebody. [`Event::MessageFailed`] follows if it comes back.
    ///
    /// # Errors
    /// If it cannot be sent.
    pub fn send_message(
        &mut self,
        now: Now,
        account: usize,
        to: &Target,
        text: &str,
    ) -> Result<MessageId, MessageError> {
        let _ = (now, text);
        let own = self.config.accounts.get(account).ok_or(MessageError::NoAccount(account))?;
        Err(MessageError::OtherProtocol(own.address.protocol(), to.protocol()))
    }

    /// Asks to see somebody's presence; who approves may see ours too.
    ///
    /// # Errors
    /// If it cannot be asked.
    pub fn subscribe(&mut self, now: Now, account: usize, to: &Target) -> Result<(), MessageError> {
        self.send_message(now, account, to, "").map(drop)
    }

    /// Lets somebody who asked see our presence.
    ///
    /// # Errors
    /// If it cannot be told.
    pub fn approve(&mut self, now: Now, account: usize, to: &Target) -> Result<(), MessageError> {
        self.send_message(now, account, to, "").map(drop)
    }

    /// The calls there are.
    pub fn calls(&self) -> impl Iterator<Item = CallId> {
        self.sessions.keys().copied()
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stage != Stage::Running
    }

    pub(crate) fn next_call(&mut self) -> (CallId, Entropy) {
        let id = CallId(self.next_call);
        self.next_call += 1;
        (id, self.entropy.fork(&format!("phone.call.{}", id.0)))
    }

    pub(crate) fn call_config(&self, account: usize, source: Source) -> call::Config {
        let route = self.routes.get(account).copied().flatten();
        let stun_servers = match route {
            _ if !self.config.stun_servers.is_empty() => self.config.stun_servers.clone(),
            // Without ICE the description names our own address, unless a server was configured.
            _ if self.config.ice == IceMode::Off => Vec::new(),
            //= RFC 5626 §3.5.2: where the registrar takes SIP over UDP, it answers STUN.
            Some(route) => vec![route.flow.remote],
            None => Vec::new(),
        };
        // What the core sees is an address of ours where no NAT is in between; else it fits none.
        let preferred = route.map(|Route { flow, reflexive }| match flow.local.ip() {
            ip if ip.is_unspecified() => reflexive.ip(),
            ip => ip,
        });
        call::Config {
            capabilities: self.config.capabilities.clone(),
            ice: self.config.ice,
            stun_servers,
            turn_servers: self.turn_servers(account),
            // A core on this host may have its relay and its users here too, and nowhere else.
            include_loopback: self.config.include_loopback || route.is_some_and(is_on_this_host),
            preferred,
            source,
            stats_every: self.config.media_report,
        }
    }

    /// The TURN servers of an account's calls.
    fn turn_servers(&self, account: usize) -> Vec<TurnServer> {
        let given = match &self.config.relays {
            _ if self.config.ice == IceMode::Off => return Vec::new(),
            Relays::Off => return Vec::new(),
            Relays::Given(servers) => return servers.clone(),
            Relays::OfCore => self.config.accounts.get(account),
        };
        let route = self.routes.get(account).copied().flatten();
        let (Some(Account { address, password, .. }), Some(route)) = (given, route) else {
            return Vec::new();
        };
        let registrar = route.flow.remote.ip();
        // An address has no records, nor has what is this host alone (RFC 6761 §6.3): no look-up then.
        let domain = address.domain();
        let nowhere = domain.parse::<IpAddr>().is_ok() || domain.eq_ignore_ascii_case("localhost");
        let host = if nowhere { registrar.to_string() } else { domain };
        vec![TurnServer {
            host,
            port: None,
            transport: None,
            fallback: vec![registrar],
            username: address.user(),
            password: password.clone(),
        }]
    }

    fn end_signalling(&mut self, now: Now, call: CallId, unsent: EndReason) {
        match self.sessions.get(&call).map(|session| session.sip) {
            Some(Some(sip)) => self.agent.hangup(now, sip),
            Some(None) => {
                if let Some(session) = self.sessions.remove(&call) {
                    session.end(now, &mut self.connect, unsent, By::Us, &mut self.events);
                }
            }
            None => {}
        }
    }

    /// Opens a socket for each family that the host has, once.
    fn listen(&mut self, interfaces: &[Interface]) {
        let any = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
        for (any, listening) in any.into_iter().zip(&mut self.listening) {
            let mut addresses = interfaces.iter().flat_map(|interface| &interface.addresses);
            let has = addresses.any(|address| address.ip.is_ipv4() == any.is_ipv4());
            if has && !std::mem::replace(listening, true) {
                self.agent.listen(Transport::Udp, Endpoint::new(any, 0));
            }
        }
    }

    fn route(&mut self, now: Now, input: Input<'_, ()>) {
        match &input {
            Input::Interfaces(interfaces) => {
                self.listen(interfaces);
                self.agent.handle_input(now, &input);
                self.connect.handle_input(now, input);
            }
            Input::Datagram { socket, remote, bytes, .. }
                if socket.namespace() == SIGNALLING && stun::is_stun(bytes) =>
            {
                if let Some(outcome) = self.keepalives.handle_datagram(*remote, bytes) {
                    self.tell_keepalive(now, outcome);
                }
            }
            other if namespace(other) == Some(PATHS) => self.connect.handle_input(now, input),
            other => self.agent.handle_input(now, other),
        }
    }

    fn tell_keepalive(&mut self, now: Now, outcome: Outcome) {
        match outcome {
            Outcome::Answered(flow, reflexive) => {
                self.agent.keepalive_answered(now, flow, reflexive);
            }
            Outcome::Failed(flow) => self.agent.keepalive_failed(now, flow),
        }
    }

    /// Lets the parts talk to each other until none has anything to say.
    fn run(&mut self, now: Now) {
        let mut buf = std::mem::take(&mut self.scratch);
        loop {
            let mut quiet = true;
            while let Some(event) = self.agent.poll_event() {
                quiet = false;
                self.handle_signalling(now, event);
            }
            buf.clear();
            while let Some(output) = self.connect.poll_output(&mut buf) {
                quiet = false;
                match output.split() {
                    Ok(effect) => self.outputs.push_with(effect, &buf),
                    Err(event) => self.handle_path(now, event),
                }
                buf.clear();
            }
            quiet &= self.pump(now) && self.advance_stop(now);
            if quiet {
                break;
            }
        }
        while let Some(output) = self.agent.poll_output(&mut buf) {
            self.outputs.push_with(output.map(|never| match never {}, |never| never), &buf);
            buf.clear();
        }
        self.scratch = buf;
        while let Some(event) = self.events.pop_front() {
            self.outputs.event(event);
        }
    }

    /// Carries what calls have to say; whether there was nothing.
    fn pump(&mut self, now: Now) -> bool {
        let before = self.events.len();
        let mut doomed = Vec::new();
        for session in self.sessions.values_mut() {
            let (agent, connect) = (&mut self.agent, &mut self.connect);
            session.pump(now, agent, &self.accounts, connect, &mut self.events);
            session.offer_in_answer(now, agent);
            if session.fate.is_some() && !std::mem::replace(&mut session.doomed, true) {
                doomed.push(session.id);
            }
        }
        for call in &doomed {
            self.end_signalling(now, *call, EndReason::NoPath);
        }
        doomed.is_empty() && self.events.len() == before
    }

    fn handle_path(&mut self, now: Now, event: connect::Event) {
        let id = session_of(&event);
        let Some(session) = self.sessions.values_mut().find(|s| s.call.session() == id) else {
            return;
        };
        match &event {
            connect::Event::Candidate { candidate, .. } => {
                let (call, candidate) = (session.id, candidate.clone());
                self.events.push_back(Event::Candidate { call, candidate });
            }
            connect::Event::Pair { pair, .. } => {
                self.events.push_back(Event::Pair { call: session.id, pair: pair.clone() });
            }
            connect::Event::Received { .. } => session.media_came(now),
            _ => {}
        }
        session.call.handle_connect(now, &mut self.connect, event);
    }

    /// Goes on with the end of the phone as far as it has come; whether there was nothing to do.
    fn advance_stop(&mut self, now: Now) -> bool {
        let before = self.stage;
        if self.stage == Stage::HangingUp && self.sessions.is_empty() {
            self.unregister(now);
        }
        if self.stage == Stage::Unregistering && self.unregistering.is_empty() {
            self.end_calls(now);
            self.stage = Stage::Stopped;
            self.timers.cancel(&Timer::HangUp);
            self.timers.cancel(&Timer::Stop);
            self.events.push_back(Event::Stopped);
        }
        self.stage == before
    }

    fn unregister(&mut self, now: Now) {
        self.stage = Stage::Unregistering;
        for (index, account) in self.accounts.iter().enumerate() {
            self.unregistering.insert(index);
            self.agent.unregister(now, *account);
        }
    }

    /// Ends the calls whose other side did not answer in time.
    fn end_calls(&mut self, now: Now) {
        while let Some((_, session)) = self.sessions.pop_first() {
            let reason = EndReason::Signalling(ua::Reason::TimedOut);
            session.end(now, &mut self.connect, reason, By::Us, &mut self.events);
        }
    }
}

impl Machine for Phone {
    type Event = Event;
    type Question = Infallible;
    type Answer = ();

    fn handle_input(&mut self, now: Now, input: Input<'_, ()>) {
        self.route(now, input);
        self.run(now);
    }

    fn handle_timeout(&mut self, now: Now) {
        while let Some(timer) = self.timers.expire(now.mono) {
            match timer {
                Timer::HangUp if self.stage == Stage::HangingUp => self.unregister(now),
                Timer::HangUp => {}
                Timer::Stop => {
                    self.stage = Stage::Unregistering;
                    self.unregistering.clear();
                }
            }
        }
        self.agent.handle_timeout(now);
        self.connect.handle_timeout(now);
        for failed in self.keepalives.handle_timeout(now.mono, &mut self.outputs) {
            self.tell_keepalive(now, failed);
        }
        for session in self.sessions.values_mut() {
            session.call.handle_timeout(now, &mut self.connect);
        }
        self.run(now);
    }

    fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Event, Infallible>> {
        self.outputs.poll(buf)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let calls = self.sessions.values().filter_map(|session| session.call.poll_timeout());
        let parts = [
            self.agent.poll_timeout(),
            self.connect.poll_timeout(),
            self.keepalives.poll_timeout(),
            self.timers.next(),
        ];
        parts.into_iter().flatten().chain(calls).min()
    }
}

/// Whether an account's core is on this host.
fn is_on_this_host(route: Route) -> bool {
    AddressClass::of(route.flow.remote.ip()) == AddressClass::Loopback
}

fn namespace(input: &Input<'_, ()>) -> Option<u16> {
    let id = match input {
        Input::Datagram { socket: id, .. }
        | Input::Unreachable { socket: id, .. }
        | Input::Bound { id, .. }
        | Input::Failed { id, .. }
        | Input::Accepted { conn: id, .. }
        | Input::Connected { conn: id, .. }
        | Input::Secured { conn: id, .. }
        | Input::Data { conn: id, .. }
        | Input::Writable { conn: id, .. }
        | Input::Closed { conn: id, .. }
        | Input::Resolved { id, .. }
        | Input::Answer { id, .. } => id,
        Input::Interfaces(_) => return None,
    };
    Some(id.namespace())
}

const fn session_of(event: &connect::Event) -> connect::SessionId {
    use connect::Event as E;
    match event {
        E::Candidate { session, .. }
        | E::Gathered { session }
        | E::Pair { session, .. }
        | E::Writable { session, .. }
        | E::Path { session, .. }
        | E::Received { session, .. }
        | E::Failed { session, .. }
        | E::Closed { session } => *session,
    }
}

fn sip_account(account: &Account, address: &SipUri, instance: &str) -> ua::Account {
    let named = account.server.as_ref().and_then(|server| {
        let address = server.host.parse::<IpAddr>().map(Host::from);
        let host = address.ok().or_else(|| server.host.parse().ok())?;
        Some(SipUri::new(host).with_port(server.port))
    });
    // A transport without a server is a way to the domain of the address.
    let of_domain = || SipUri::new(address.host.clone()).with_port(address.port);
    //= RFC 3261 §19.1.1: the transport stands in the URI.
    let server = match account.transport {
        None => named,
        Some(transport) => {
            let uri = named.unwrap_or_else(of_domain);
            Some(uri.with_param("transport", flow::uri_name(transport)))
        }
    };
    ua::Account {
        display_name: account.display_name.clone(),
        server: server.map(sip::Uri::from),
        instance: instance.to_owned(),
        ..ua::Account::new(address.clone(), account.password.clone())
    }
}

/// A name for this device (RFC 5626 §4.1): a random UUID.
fn instance(entropy: &mut Entropy) -> String {
    let mut b: [u8; 16] = entropy.bytes();
    b[6] = (b[6] & 0x0f) | 0x40;
    b[8] = (b[8] & 0x3f) | 0x80;
    let hex: String = b.iter().map(|b| format!("{b:02x}")).collect();
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    format!("urn:uuid:{}", parts.join("-"))
}

#[cfg(test)]
mod tests {
    use machine::Transport;

    use super::sip_account;
    use crate::{Account, Secret, Server, SipUri};

    /// The URI under which the core is reached.
    fn core(server: Option<Server>, transport: Option<Transport>) -> Option<String> {
        let address: SipUri = "sip:alice@example.org".parse().expect("an address");
        let account =
            Account { server, transport, ..Account::new(address.clone(), Secret::from("x")) };
        sip_account(&account, &address, "urn:uuid:x").server.map(|uri| uri.to_string())
    }

    /// The same without a transport.
    fn server(host: &str, port: Option<u16>) -> Option<String> {
        core(Some(Server { host: host.to_owned(), port }), None)
    }

    #[test]
    fn a_core_is_a_name_or_an_address() {
        assert_eq!(server("core.example.org", None).as_deref(), Some("sip:core.example.org"));
        assert_eq!(server("192.0.2.1", Some(5070)).as_deref(), Some("sip:192.0.2.1:5070"));
        assert_eq!(server("2001:db8::1", Some(5070)).as_deref(), Some("sip:[2001:db8::1]:5070"));
    }

    #[test]
    fn a_transport_is_part_of_the_way_to_the_core() {
        assert_eq!(core(None, None), None);
        let tcp = core(None, Some(Transport::Tcp));
        assert_eq!(tcp.as_deref(), Some("sip:example.org;transport=tcp"));
        let udp =
            core(Some(Server { host: "192.0.2.1".to_owned(), port: None }), Some(Transport::Udp));
        assert_eq!(udp.as_deref(), Some("sip:192.0.2.1;transport=udp"));
    }
}
