//! STUN on the signalling flow (RFC 5626 §4.4.2): it keeps the NAT's binding towards the core alive
//! and notices when the binding changed.

use machine::{Endpoint, Entropy, Instant, Outputs};
use sip::transport::Flow;
use stun::transaction::Output;
use stun::{Builder, Message, Method, Transaction, TransactionId};

use crate::defaults::KEEPALIVE_TIMING;

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
}

impl Keepalives {
    pub(crate) fn new(entropy: &Entropy) -> Self {
        Self { entropy: entropy.fork("phone.keepalive"), under_way: Vec::new() }
    }

    /// Asks over `flow`, unless a request is under way there.
    pub(crate) fn start<E, Q>(&mut self, now: Instant, flow: Flow, outputs: &mut Outputs<E, Q>) {
        if self.under_way.iter().any(|(other, _)| *other == flow) {
            return;
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
            Some(reflexive) => Outcome::Answered(flow, reflexive),
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

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.under_way.iter().filter_map(|(_, transaction)| transaction.poll_timeout()).min()
    }

    fn poll<E, Q>(&mut self, outputs: &mut Outputs<E, Q>) -> Vec<Outcome> {
        let mut failed = Vec::new();
        self.under_way.retain_mut(|(flow, transaction)| {
            let mut bytes = Vec::new();
            while let Some(output) = transaction.poll_output(&mut bytes) {
                if output == Output::TimedOut {
                    failed.push(Outcome::Failed(*flow));
                    return false;
                }
                // From the address that SIP goes out from, whose binding is to be kept.
                let source = Some(flow.local.ip()).filter(|ip| !ip.is_unspecified());
                let (socket, remote) = (flow.id, flow.remote);
                let output = machine::Output::Datagram {
                    socket,
                    source,
                    remote,
                    segment_size: None,
                    dont_fragment: false,
                };
                outputs.push_with(output, &bytes);
                bytes.clear();
            }
            true
        });
        failed
    }
}
