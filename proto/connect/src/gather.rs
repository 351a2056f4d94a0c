//! Asking STUN servers for the outside addresses of sockets (RFC 8445 §5.1.1.2, §5.1.1.4).
//!
//! Every socket asks every server that it can reach, one new transaction a slot. Nothing waits for
//! a server or an interface that is dead: a socket is done with its first answer, and the whole when
//! the limit has passed, or a moment after others have answered.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use machine::{AddressClass, Endpoint, Entropy, Icmp, Id, Instant, Timers};
use stun::transaction::Output;
use stun::{Builder, Message, Method, Timing, Transaction, TransactionId};

use crate::Config;
use crate::defaults::{GATHER_GRACE, RELAY_GATHER_GRACE};

/// One socket's question to one server.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) socket: Id,
    pub(crate) base: Endpoint,
    pub(crate) server: Endpoint,
    /// What it said last.
    pub(crate) answer: ice::Answer,
    /// Waits for a slot.
    due: bool,
    /// Its socket is gone.
    closed: bool,
}

/// A packet to send.
pub(crate) struct Packet {
    pub(crate) socket: Id,
    pub(crate) server: Endpoint,
    pub(crate) bytes: Vec<u8>,
}

/// A server has told how it sees a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mapped {
    pub(crate) socket: Id,
    pub(crate) server: Endpoint,
    pub(crate) address: Endpoint,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Transaction(TransactionId),
    /// Gathering has taken long enough.
    Limit,
    /// It has, for relayed addresses.
    RelayLimit,
    /// The binding of this source wants to be refreshed.
    Refresh(usize),
}

/// All questions of one session.
#[derive(Debug)]
pub(crate) struct Gatherer {
    sources: Vec<Source>,
    asking: BTreeMap<TransactionId, (usize, Transaction)>,
    timers: Timers<Timer>,
    entropy: Entropy,
    over: bool,
    relay_over: bool,
    answered: bool,
    /// Whether slow sources get the whole time.
    patient: bool,
    /// How long a binding may be idle.
    interval: Duration,
    /// The same; `None` once nobody needs it.
    refresh: Option<Duration>,
    ta: Duration,
}

impl Gatherer {
    pub(crate) fn new(config: &Config, entropy: Entropy) -> Self {
        let interval = config.keepalive.max(Duration::from_millis(1));
        Self {
            sources: Vec::new(),
            asking: BTreeMap::new(),
            timers: Timers::new(),
            entropy,
            over: false,
            relay_over: false,
            answered: false,
            patient: false,
            interval,
            refresh: Some(interval),
            ta: config.ta,
        }
    }

    /// Starts the clock: how long to wait at most, and how long for relayed addresses.
    pub(crate) fn start(&mut self, now: Instant, limit: Duration, relay_limit: Duration) {
        self.timers.set(Timer::Limit, now + limit);
        self.timers.set(Timer::RelayLimit, now + relay_limit);
    }

    /// The same where nobody waits: one source that answered hurries no other.
    pub(crate) fn start_patiently(&mut self, now: Instant, limit: Duration) {
        self.patient = true;
        self.start(now, limit, limit);
    }

    /// A socket is bound: it will ask every server that it can reach.
    pub(crate) fn add(&mut self, socket: Id, base: Endpoint, servers: &[Endpoint]) {
        for server in servers.iter().filter(|server| reaches(base.ip(), server.ip())) {
            if self.sources.iter().any(|s| s.socket == socket && s.server == *server) {
                continue;
            }
            let answer = ice::Answer::Pending;
            self.sources.push(Source {
                socket,
                base,
                server: *server,
                answer,
                due: true,
                closed: false,
            });
        }
    }

    /// A socket is gone.
    pub(crate) fn remove(&mut self, socket: Id) {
        for source in self.sources.iter_mut().filter(|source| source.socket == socket) {
            (source.due, source.closed) = (false, true);
            if source.answer == ice::Answer::Pending {
                source.answer = ice::Answer::Silence;
            }
        }
        let sources = &self.sources;
        let gone = |n: usize| sources.get(n).is_none_or(|source| source.socket == socket);
        let (asking, timers) = (&mut self.asking, &mut self.timers);
        asking.retain(|id, (n, _)| {
            if gone(*n) {
                timers.cancel(&Timer::Transaction(*id));
            }
            !gone(*n)
        });
        (0..sources.len()).filter(|n| gone(*n)).for_each(|n| {
            timers.cancel(&Timer::Refresh(n));
        });
    }

    /// Nobody needs the bindings any longer: ICE has chosen its pairs.
    pub(crate) fn stop_refreshing(&mut self) {
        self.refresh = None;
        for (n, source) in self.sources.iter_mut().enumerate() {
            source.due &= source.answer == ice::Answer::Pending;
            self.timers.cancel(&Timer::Refresh(n));
        }
    }

    /// The bindings are needed again: every server that answered is asked once more.
    pub(crate) fn ask_again(&mut self) {
        self.refresh = Some(self.interval);
        for source in self.sources.iter_mut().filter(|source| !source.closed) {
            source.due |= matches!(source.answer, ice::Answer::Address(_));
        }
    }

    pub(crate) fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// Whether no socket has to be waited for any longer.
    pub(crate) fn is_done(&self) -> bool {
        self.over
            || self.sources.iter().all(|source| {
                source.answer != ice::Answer::Pending
                    || self.sources.iter().any(|other| {
                        other.socket == source.socket
                            && matches!(other.answer, ice::Answer::Address(_))
                    })
            })
    }

    pub(crate) fn wants_slot(&self) -> bool {
        self.sources.iter().any(|source| source.due)
    }

    /// Uses a slot: asks the next question.
    pub(crate) fn take_slot(&mut self, now: Instant) -> Option<Packet> {
        let n = self.sources.iter().position(|source| source.due)?;
        let waiting = self.sources.iter().filter(|source| source.due).count();
        let source = self.sources.get_mut(n)?;
        source.due = false;
        let id = TransactionId::random(&mut self.entropy);
        let request = Builder::request(Method::BINDING, id).fingerprint().finish();
        let load = u32::try_from(waiting + self.asking.len()).unwrap_or(u32::MAX);
        //= RFC 8445 §14.3: while gathering, max(500 ms, Ta × the number of questions).
        let rto = self.ta.saturating_mul(load).max(stun::defaults::RTO);
        let transaction = Transaction::new(now, request, Timing::udp(rto));
        self.asking.insert(id, (n, transaction));
        self.run(now, id)
    }

    /// Does what a transaction wants done.
    fn run(&mut self, now: Instant, id: TransactionId) -> Option<Packet> {
        let (n, transaction) = self.asking.get_mut(&id)?;
        let n = *n;
        let mut bytes = Vec::new();
        let output = transaction.poll_output(&mut bytes);
        if let Some(at) = transaction.poll_timeout() {
            self.timers.set(Timer::Transaction(id), at);
        }
        match output {
            Some(Output::Send) => {
                let source = self.sources.get(n)?;
                Some(Packet { socket: source.socket, server: source.server, bytes })
            }
            Some(Output::TimedOut) => {
                self.finish(now, id, ice::Answer::Silence);
                None
            }
            None => None,
        }
    }

    /// A question has its answer. An address that is known outlives a refresh that failed.
    fn finish(&mut self, now: Instant, id: TransactionId, answer: ice::Answer) {
        self.timers.cancel(&Timer::Transaction(id));
        let Some((n, _)) = self.asking.remove(&id) else { return };
        let Some(source) = self.sources.get_mut(n) else { return };
        let is_address = matches!(answer, ice::Answer::Address(_));
        if is_address || !matches!(source.answer, ice::Answer::Address(_)) {
            source.answer = answer;
        }
        if is_address {
            self.answered(now);
        }
        if let Some(refresh) = self.refresh
            && self.keeps_open(n)
        {
            self.timers.set(Timer::Refresh(n), now + refresh);
        }
    }

    /// A server of whatever kind has answered: others are waited for a moment longer.
    pub(crate) fn answered(&mut self, now: Instant) {
        if !std::mem::replace(&mut self.answered, true) && !self.patient {
            for (timer, grace) in
                [(Timer::Limit, GATHER_GRACE), (Timer::RelayLimit, RELAY_GATHER_GRACE)]
            {
                if self.timers.at(&timer).is_some_and(|limit| limit > now + grace) {
                    self.timers.set(timer, now + grace);
                }
            }
        }
    }

    /// Whether sources have been waited for long enough.
    pub(crate) const fn is_over(&self) -> bool {
        self.over
    }

    /// Whether relayed addresses have been waited for long enough.
    pub(crate) const fn is_relay_over(&self) -> bool {
        self.relay_over
    }

    /// Whether this source is the one that keeps its socket's binding open: the first with an
    /// address.
    fn keeps_open(&self, n: usize) -> bool {
        let Some(source) = self.sources.get(n) else { return false };
        let first = self.sources.iter().position(|other| {
            other.socket == source.socket && matches!(other.answer, ice::Answer::Address(_))
        });
        first == Some(n)
    }

    /// An answer arrived, perhaps. Says whether it was one of ours, and what it told.
    pub(crate) fn handle_response(
        &mut self,
        now: Instant,
        socket: Id,
        from: Endpoint,
        message: &Message<'_>,
    ) -> (bool, Option<Mapped>) {
        let Some((n, transaction)) = self.asking.get(&message.id()) else { return (false, None) };
        let Some(source) = self.sources.get(*n) else { return (false, None) };
        let sound = transaction.matches(message)
            && source.socket == socket
            && source.server == from
            && message.unknown_required(stun::attribute::UNDERSTOOD).is_empty();
        if !sound {
            return (true, None);
        }
        match (message.error_code(), message.reflexive_address()) {
            (Some(error), _) => {
                self.finish(now, message.id(), ice::Answer::Refused { code: error.code });
                (true, None)
            }
            (None, Some(address)) => {
                self.finish(now, message.id(), ice::Answer::Address(address));
                (true, Some(Mapped { socket, server: from, address }))
            }
            (None, None) => (true, None),
        }
    }

    /// The network says that a server cannot be reached.
    pub(crate) fn handle_unreachable(&mut self, socket: Id, remote: Endpoint, icmp: Icmp) {
        for source in &mut self.sources {
            let pending = matches!(source.answer, ice::Answer::Pending | ice::Answer::Silence);
            if source.socket == socket && source.server == remote && pending {
                source.answer = ice::Answer::Unreachable(icmp);
            }
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Vec<Packet> {
        let mut packets = Vec::new();
        while let Some(timer) = self.timers.expire(now) {
            match timer {
                Timer::Limit => self.over = true,
                Timer::RelayLimit => self.relay_over = true,
                Timer::Refresh(n) => {
                    if let Some(source) = self.sources.get_mut(n) {
                        source.due = true;
                    }
                }
                Timer::Transaction(id) => {
                    if let Some((_, transaction)) = self.asking.get_mut(&id) {
                        transaction.handle_timeout(now);
                    }
                    packets.extend(self.run(now, id));
                }
            }
        }
        packets
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }
}

/// Whether a socket at `base` can have anything to do with a server at `server`.
pub(crate) fn reaches(base: IpAddr, server: IpAddr) -> bool {
    let near = |ip| match AddressClass::of(ip) {
        class @ (AddressClass::Loopback | AddressClass::LinkLocal) => Some(class),
        _ => None,
    };
    base.is_ipv4() == server.is_ipv4() && near(base) == near(server)
}

#[cfg(test)]
mod tests {
    use super::reaches;

    #[test]
    fn what_reaches_what() {
        for (base, server, expected) in [
            ("10.0.0.1", "192.0.2.1", true),
            ("10.0.0.1", "2001:db8::1", false),
            ("127.0.0.1", "192.0.2.1", false),
            ("127.0.0.1", "127.0.0.2", true),
            ("10.0.0.1", "127.0.0.1", false),
            ("fe80::1", "2001:db8::1", false),
        ] {
            let (base, server) = (base.parse().unwrap(), server.parse().unwrap());
            assert_eq!(reaches(base, server), expected, "{base} {server}");
        }
    }
}
