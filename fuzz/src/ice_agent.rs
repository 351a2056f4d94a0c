//! A whole ICE session against a peer that knows the passwords and keeps to no rule.

use std::time::Duration;

use ice::defaults::{
    MAX_LOCAL_CANDIDATES, MAX_PAIRS, MAX_PEER_REFLEXIVE_CANDIDATES, MAX_PRUNED_REMEMBERED,
    MAX_REMOTE_CANDIDATES,
};
use ice::{Agent, Candidate, CandidateKind, Credentials, LocalCandidate, Role};
use machine::{Endpoint, Entropy, Icmp};
use stun::{AttributeType, Builder, Key, Message, Method, TransactionId};

use super::ops::{Ops, at};

/// Takes `bytes` as operations: raw packets, checks and answers with the right password, candidates,
/// time, restarts. Whatever comes, the agent stays within its limits, and its next deadline lies
/// ahead.
pub fn run(bytes: &[u8]) {
    let mut ops = Ops(bytes);
    let mut peer = Peer::new();
    while let Some(op) = ops.byte() {
        if peer.step(op, &mut ops).is_none() {
            break;
        }
        peer.drain();
    }
    peer.look();
}

struct Peer {
    agent: Agent,
    credentials: Credentials,
    elapsed: Duration,
    /// Checks of the agent's, to be answered.
    checks: Vec<(Endpoint, Endpoint, Vec<u8>)>,
    sent: u64,
}

impl Peer {
    fn new() -> Self {
        let entropy = Entropy::seeded(1);
        let credentials = Credentials::generate(&mut entropy.fork("peer"));
        let mut agent = Agent::new(ice::agent::Config::default(), Role::Controlling, entropy);
        let stream = agent.add_stream(2);
        for component in 1..=2 {
            let local = LocalCandidate::host(component, base(component), 65_535, "eth0");
            agent.add_local(stream, local).expect("there is room");
        }
        agent.set_remote(at(Duration::ZERO), credentials.clone(), false);
        Self { agent, credentials, elapsed: Duration::ZERO, checks: Vec::new(), sent: 0 }
    }

    /// Does one operation; nothing when the bytes for it ran out.
    fn step(&mut self, op: u8, ops: &mut Ops<'_>) -> Option<()> {
        let now = at(self.elapsed);
        match op {
            0 => {
                let (from, bytes) = (ops.byte()?, ops.chunk()?);
                self.agent.handle_stun(now, base(1), remote(from), bytes);
            }
            1 => self.check(ops)?,
            2 => self.answer(ops)?,
            3 => self.pass(Duration::from_millis(u64::from(ops.byte()?) * 64)),
            4 => {
                self.agent.take_slot(now);
            }
            5 => self.name_candidate(ops)?,
            6 => self.agent.remote_ready(now, ops.byte()? & 1 == 1),
            7 => self.agent.local_complete(now),
            8 => self.agent.restart(),
            9 => {
                let lite = ops.byte()? & 1 == 1;
                self.agent.set_remote(now, self.credentials.clone(), lite);
            }
            10 => self.agent.keep_components(now, 0, u16::from(ops.byte()? % 3)),
            11 => {
                let (component, from) = (component(ops.byte()?), ops.byte()?);
                let icmp = Icmp::PortUnreachable;
                self.agent.handle_unreachable(base(component), remote(from), icmp);
            }
            12 => self.agent.data_sent(now, 0, component(ops.byte()?)),
            13 => {
                let role = if ops.byte()? & 1 == 0 { Role::Controlling } else { Role::Controlled };
                self.agent.set_role(role);
            }
            14 => {
                let (component, host) = (component(ops.byte()?), ops.byte()?);
                let endpoint = remote(host);
                let server = Endpoint::new([198, 51, 100, 1], 3478);
                let candidate = LocalCandidate::server_reflexive(
                    component,
                    endpoint,
                    base(component),
                    u16::from(host),
                    server,
                );
                let _ = self.agent.add_local(0, candidate);
            }
            _ => {}
        }
        Some(())
    }

    /// A check with the right password; the flags say what it carries.
    fn check(&mut self, ops: &mut Ops<'_>) -> Option<()> {
        let (flags, from, tie_breaker) = (ops.byte()?, ops.byte()?, ops.byte()?);
        let ours = self.agent.credentials();
        let mut check = Builder::request(Method::BINDING, TransactionId([from; 12]));
        if flags & 1 == 0 {
            check.username(&format!("{}:{}", ours.ufrag, self.credentials.ufrag));
        } else {
            check.username(&format!("{}:other", ours.ufrag));
        }
        if flags & 2 == 0 {
            check.priority(u32::from(tie_breaker) << 24 | 255);
        }
        if flags & 4 == 0 {
            check.use_candidate();
        }
        let tie_breaker = u64::from(tie_breaker) << 56;
        match flags >> 3 & 3 {
            0 => check.ice_controlled(tie_breaker),
            1 => check.ice_controlling(tie_breaker),
            2 => check.ice_controlling(tie_breaker).ice_controlled(tie_breaker),
            _ => check.attribute(AttributeType(0x7001), b"x"),
        };
        let bytes = check.integrity(&Key::short_term(&ours.pwd)).fingerprint().finish();
        let base = base(component(flags >> 5));
        self.agent.handle_stun(at(self.elapsed), base, remote(from), &bytes);
        Some(())
    }

    /// An answer to a check of the agent's, with the right password.
    fn answer(&mut self, ops: &mut Ops<'_>) -> Option<()> {
        let (which, kind, host) = (ops.byte()?, ops.byte()?, ops.byte()?);
        if self.checks.is_empty() {
            return Some(());
        }
        let (base, to, check) = self.checks.remove(usize::from(which) % self.checks.len());
        let check = Message::parse(&check).expect("the agent's own check");
        let mut answer = match kind % 5 {
            0 | 1 => Builder::success(&check),
            2 => Builder::error(&check, stun::attribute::error_code::ROLE_CONFLICT),
            3 => Builder::error(&check, stun::attribute::error_code::BAD_REQUEST),
            _ => Builder::error(&check, 600 + u16::from(host % 100)),
        };
        match kind % 5 {
            0 => answer.xor_mapped_address(base),
            1 => answer.xor_mapped_address(remote(host)),
            _ => &mut answer,
        };
        answer.integrity(&Key::short_term(&self.credentials.pwd));
        let from = if kind & 0x80 == 0 { to } else { remote(host) };
        self.agent.handle_stun(at(self.elapsed), base, from, &answer.fingerprint().finish());
        Some(())
    }

    fn name_candidate(&mut self, ops: &mut Ops<'_>) -> Option<()> {
        use CandidateKind::{Host, PeerReflexive, Relayed, ServerReflexive};
        let (flags, host, priority) = (ops.byte()?, ops.byte()?, ops.byte()?);
        let kind = [Host, ServerReflexive, PeerReflexive, Relayed][usize::from(flags & 3)];
        let foundation = (flags >> 2 & 7).to_string();
        let priority = u32::from(priority) << 23;
        let component = u16::from(flags >> 5);
        let candidate = Candidate::signalled(kind, component, &foundation, priority, remote(host));
        self.agent.add_remote(usize::from(host & 1) & usize::from(flags & 1), candidate);
        Some(())
    }

    /// Lets time pass from deadline to deadline, with a slot at each.
    fn pass(&mut self, time: Duration) {
        let end = self.elapsed + time;
        while let Some(next) = self.agent.poll_timeout()
            && next <= at(end).mono
        {
            let due = Duration::from_nanos(next.as_nanos());
            self.elapsed = self.elapsed.max(due);
            self.agent.handle_timeout(at(self.elapsed));
            self.agent.take_slot(at(self.elapsed));
            self.drain();
            let next = self.agent.poll_timeout();
            assert!(next.is_none_or(|next| next > at(self.elapsed).mono), "deadlines lie ahead");
        }
        self.elapsed = end;
    }

    fn drain(&mut self) {
        let mut sent = 0;
        while let Some(transmit) = self.agent.poll_transmit() {
            sent += 1;
            assert!(stun::is_stun(&transmit.bytes), "what is sent is STUN");
            let message = Message::parse(&transmit.bytes).expect("what is sent is read");
            if message.class() == stun::Class::Request && self.checks.len() < 64 {
                self.checks.push((transmit.base, transmit.remote, transmit.bytes));
            }
        }
        self.sent += sent;
        assert!(sent <= 2 * MAX_PAIRS as u64, "one packet in sets off few");
        while let Some(event) = self.agent.poll_event() {
            let _ = format!("{event:?}");
        }
    }

    /// What the agent tells of itself stays within its limits.
    fn look(&self) {
        let explanation = self.agent.explain();
        let most = MAX_PAIRS + MAX_PRUNED_REMEMBERED;
        assert!(explanation.pairs.len() <= most, "{} pairs", explanation.pairs.len());
        let _ = explanation.to_string();
        for component in 1..=2 {
            let way = self.agent.way(0, component);
            assert_eq!(way.is_some(), self.agent.destination(0, component).is_some());
        }
        let most = MAX_LOCAL_CANDIDATES + MAX_REMOTE_CANDIDATES + 2 * MAX_PEER_REFLEXIVE_CANDIDATES;
        assert!(self.agent.local_candidates(0).len() <= most);
    }
}

fn component(byte: u8) -> u16 {
    1 + u16::from(byte & 1)
}

fn base(component: u16) -> Endpoint {
    Endpoint::new([192, 168, 1, 10], 4000 + component)
}

fn remote(host: u8) -> Endpoint {
    Endpoint::new([203, 0, 113, host >> 1], 5000 + u16::from(host & 1))
}
