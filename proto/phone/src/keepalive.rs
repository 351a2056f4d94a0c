//! STUN on the signalling flow (RFC 5626 §4.4.2): it keeps the NAT's binding towards the core alive
//! and notices when the binding changed.
//!
//! Not every registrar answers STUN there. One that never has gets an empty line instead, which keeps
//! the binding as well and asks for nothing.

use std::collections::BTreeMap;

use machine::{Endpoint, Entropy, Instant, Outputs};
use sip::transport::Flow;
use stun::transaction::Output;
use stun::{Builder, Message, Method, Transaction, TransactionId};

use crate::defaults::{ASK_AGAIN_AFTER, KEEPALIVE_TIMING, MAX_ACCOUNTS};

/// What a keepalive came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The core answered and sees us at this address.
    Answered(Flow, Endpoint),
    /// The core did not answer.
    Failed(Flow),
}

/// The Binding requests under way, one a flow.
#[derive(Debug)]
pub(crate) struct Keepalives {
    entropy: Entropy,
    under_way: Vec<(Flow, Transaction)>,
    /// Cores that have answered STUN, or have not when they were asked first: one an account.
    cores: BTreeMap<Endpoint, Core>,
}

/// Whether a core speaks STUN on its SIP port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Core {
    Answers,
    /// It does not, and has had so many empty lines since it was asked last.
    Mute {
        lines: u32,
    },
}

/// What goes to a core that is mute: an empty line, which every SIP element passes over
/// (RFC 3261 §7.5).
const EMPTY_LINE: &[u8] = b"\r\n\r\n";

impl Keepalives {
    pub(crate) fn new(entropy: &Entropy) -> Self {
        let (under_way, cores) = (Vec::new(), BTreeMap::new());
        Self { entropy: entropy.fork("phone.keepalive"), under_way, cores }
    }

    /// Asks over `flow`, unless a request is under way there.
    pub(crate) fn start<E, Q>(&mut self, now: Instant, flow: Flow, outputs: &mut Outputs<E, Q>) {
        if self.under_way.iter().any(|(other, _)| *other == flow) {
            return;
        }
        if let Some(Core::Mute { lines }) = self.cores.get_mut(&flow.remote) {
            *lines += 1;
            if *lines < ASK_AGAIN_AFTER {
                outputs.push_with(datagram(&flow), EMPTY_LINE);
                return;
            }
            *lines = 0;
        }
        let id = TransactionId::random(&mut self.entropy);
        //= RFC 5626 §4.4.2: a Binding request without attributes; FINGERPRINT tells it from SIP
        // for certain and every server allows it.
        let request = Builder::request(Method::BINDING, id).fingerprint().finish();
        self.under_way.push((flow, Transaction::new(now, request, KEEPALIVE_TIMING)));
        self.poll(outputs);
    }

    /// Takes a STUN datagram of a signalling socket; nothing if it answers no request of ours.
    pub(crate) fn handle_datagram(&mut self, remote: Endpoint, bytes: &[u8]) -> Option<Outcome> {
        let message = Message::parse(bytes).ok()?;
        let found = self
            .under_way
            .iter()
            .position(|(flow, t)| flow.remote == remote && t.matches(&message))?;
        let (flow, _) = self.under_way.swap_remove(found);
        Some(match message.reflexive_address() {
            Some(reflexive) => {
                self.learn(flow.remote, Core::Answers);
                Outcome::Answered(flow, reflexive)
            }
            None => Outcome::Failed(flow),
        })
    }

    /// Fires what is due; what failed is returned.
    pub(crate) fn handle_timeout<E, Q>(
        &mut self,
        now: Instant,
        outputs: &mut Outputs<E, Q>,
    ) -> Vec<Outcome> {
        self.under_way.iter_mut().for_each(|(_, transaction)| transaction.handle_timeout(now));
        self.poll(outputs)
    }

    fn learn(&mut self, core: Endpoint, what: Core) {
        if self.cores.len() >= MAX_ACCOUNTS && !self.cores.contains_key(&core) {
            self.cores.pop_first();
        }
        self.cores.insert(core, what);
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.under_way.iter().filter_map(|(_, transaction)| transaction.poll_timeout()).min()
    }

    fn poll<E, Q>(&mut self, outputs: &mut Outputs<E, Q>) -> Vec<Outcome> {
        let mut failed: Vec<Flow> = Vec::new();
        self.under_way.retain_mut(|(flow, transaction)| {
            let mut bytes = Vec::new();
            while let Some(output) = transaction.poll_output(&mut bytes) {
                if output == Output::TimedOut {
                    failed.push(*flow);
                    return false;
                }
                outputs.push_with(datagram(flow), &bytes);
                bytes.clear();
            }
            true
        });
        // Silence is news from a core that has answered before, and from one asked the first time.
        let was_mute =
            |flow: &Flow| matches!(self.cores.get(&flow.remote), Some(Core::Mute { .. }));
        failed.retain(|flow| !was_mute(flow));
        for flow in &failed {
            if !self.cores.contains_key(&flow.remote) {
                self.learn(flow.remote, Core::Mute { lines: 0 });
            }
        }
        failed.into_iter().map(Outcome::Failed).collect()
    }
}

/// A datagram over a flow: from the address that SIP goes out from, whose binding is to be kept.
fn datagram<E, Q>(flow: &Flow) -> machine::Output<E, Q> {
    machine::Output::Datagram {
        socket: flow.id,
        source: Some(flow.local.ip()).filter(|ip| !ip.is_unspecified()),
        remote: flow.remote,
        segment_size: None,
        dont_fragment: false,
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use machine::{Endpoint, Entropy, Ids, Instant, Outputs, Transport};
    use sip::transport::Flow;
    use stun::{Builder, Message};

    use super::{EMPTY_LINE, Keepalives, Outcome};
    use crate::defaults::ASK_AGAIN_AFTER;

    type Out = Outputs<Infallible, Infallible>;

    fn flow() -> Flow {
        let at = |text: &str| text.parse::<Endpoint>().unwrap();
        let (local, remote) = (at("10.0.0.1:5060"), at("192.0.2.1:5060"));
        Flow { transport: Transport::Udp, id: Ids::new(1).next_id(), local, remote }
    }

    fn sent(outputs: &mut Out) -> Vec<Vec<u8>> {
        let mut buf = Vec::new();
        let mut all = Vec::new();
        while outputs.poll(&mut buf).is_some() {
            all.push(std::mem::take(&mut buf));
        }
        all
    }

    /// Lets a keepalive at `now` run out of time; what came of it.
    fn silence(keepalives: &mut Keepalives, now: &mut Instant, outputs: &mut Out) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        while let Some(at) = keepalives.poll_timeout() {
            *now = at;
            outcomes.extend(keepalives.handle_timeout(at, outputs));
        }
        outcomes
    }

    #[test]
    fn a_core_without_stun_is_told_once_and_gets_empty_lines() {
        let (mut now, mut outputs) = (Instant::ORIGIN, Out::new());
        let mut keepalives = Keepalives::new(&Entropy::seeded(1));
        keepalives.start(now, flow(), &mut outputs);
        assert_eq!(silence(&mut keepalives, &mut now, &mut outputs), [Outcome::Failed(flow())]);
        sent(&mut outputs);
        for _ in 1..ASK_AGAIN_AFTER {
            keepalives.start(now, flow(), &mut outputs);
            assert_eq!(sent(&mut outputs), [EMPTY_LINE]);
            assert_eq!(keepalives.poll_timeout(), None);
        }
        // Now and then it is asked again; that it is as silent as before is no news.
        keepalives.start(now, flow(), &mut outputs);
        assert!(stun::is_stun(&sent(&mut outputs)[0]));
        assert_eq!(silence(&mut keepalives, &mut now, &mut outputs), []);
    }

    #[test]
    fn a_core_that_has_answered_fails_whenever_it_is_silent() {
        let (mut now, mut outputs) = (Instant::ORIGIN, Out::new());
        let mut keepalives = Keepalives::new(&Entropy::seeded(1));
        for _ in 0..3 {
            keepalives.start(now, flow(), &mut outputs);
            let request = sent(&mut outputs).remove(0);
            let request = Message::parse(&request).unwrap();
            let seen: Endpoint = "203.0.113.1:4000".parse().unwrap();
            let answer = Builder::success(&request).xor_mapped_address(seen).finish();
            let outcome = keepalives.handle_datagram(flow().remote, &answer);
            assert_eq!(outcome, Some(Outcome::Answered(flow(), seen)));
            keepalives.start(now, flow(), &mut outputs);
            assert_eq!(silence(&mut keepalives, &mut now, &mut outputs), [Outcome::Failed(flow())]);
            sent(&mut outputs);
        }
    }
}
