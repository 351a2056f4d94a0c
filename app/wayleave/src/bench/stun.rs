//! STUN Binding requests, each its own operation.

use machine::Entropy;
use stun::{Builder, Class, Message, Method, TransactionId};

use super::load::{Progress, Refusal, Workload};

/// Binding requests; the transaction id carries the operation's number.
pub struct Bindings {
    prefix: [u8; 4],
    echo: bool,
}

impl Bindings {
    /// A run that no other run's answers fit. From an `echo` the requests themselves come back.
    pub fn new(echo: bool, entropy: &mut Entropy) -> Self {
        Self { prefix: entropy.bytes(), echo }
    }
}

impl Workload for Bindings {
    fn begin(&mut self, n: u64, out: &mut Vec<u8>) {
        let mut id = [0; 12];
        id[..4].copy_from_slice(&self.prefix);
        id[4..].copy_from_slice(&n.to_be_bytes());
        out.extend(Builder::request(Method::BINDING, TransactionId(id)).finish());
    }

    fn answer(&mut self, bytes: &[u8], _: &mut Vec<u8>) -> Progress {
        let Ok(message) = Message::parse(bytes) else { return Progress::Foreign };
        let TransactionId(id) = message.id();
        let Some((prefix, number)) = id.split_first_chunk::<4>() else { return Progress::Foreign };
        let Ok(number) = number.try_into().map(u64::from_be_bytes) else {
            return Progress::Foreign;
        };
        if *prefix != self.prefix {
            return Progress::Foreign;
        }
        match (message.class(), message.reflexive_address()) {
            (Class::Success, Some(_)) => Progress::Done(number),
            (Class::Request, _) if self.echo => Progress::Done(number),
            _ => {
                let words = "no mapped address in the answer".to_owned();
                Progress::Refused(number, Refusal::Other(words))
            }
        }
    }
}
