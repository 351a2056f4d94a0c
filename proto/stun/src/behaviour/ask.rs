//! One question to the server, or to ourselves around the NAT.

use machine::{Endpoint, Entropy, Instant};

use crate::defaults::MAX_PADDING_BYTES;
use crate::{AttributeType, Builder, Message, Method, Timing, Transaction, TransactionId};

/// What a request is to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Test {
    /// That the server answers, and where it sees a socket: test I of RFC 5780 §4.2.
    Reach,
    /// Where another of the server's places sees the socket: tests II and III of §4.3.
    Place,
    /// Whether an answer from the other address and port comes in: test II of §4.4.
    ChangeBoth,
    /// Whether an answer from the other port comes in: test III of §4.4.
    ChangePort,
    /// Whether we reach ourselves by an outside endpoint (§4.5).
    Hairpin,
    /// Whether fragments pass (§4.7).
    Padding,
    /// Begins the mapping of a socket whose lifetime is looked for (§4.6).
    Begin,
    /// Has the server send to the outside port of such a socket.
    Wake {
        /// Its outside port.
        port: u16,
    },
}

/// A request on its way.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) test: Test,
    /// The number of the socket that it goes from.
    pub(super) socket: usize,
    pub(super) to: Endpoint,
    pub(super) transaction: Transaction,
}

impl Ask {
    pub(super) fn new(
        now: Instant,
        (test, socket, to): (Test, usize, Endpoint),
        timing: Timing,
        entropy: &mut Entropy,
        classic: bool,
    ) -> Self {
        let id = TransactionId::random(entropy);
        let mut request = test.request(id);
        if classic && let Some(cookie) = request.get_mut(4..8) {
            //= RFC 3489 §11.1: the transaction id has 128 bits, and there is no cookie.
            cookie.copy_from_slice(&entropy.bytes::<4>());
        }
        Self { test, socket, to, transaction: Transaction::new(now, request, timing) }
    }

    /// Whether `bytes` is this very request.
    pub(super) fn is(&self, bytes: &[u8]) -> bool {
        self.transaction.request() == bytes
    }
}

impl Test {
    fn request(self, id: TransactionId) -> Vec<u8> {
        let mut request = Builder::request(Method::BINDING, id);
        match self {
            Self::Reach | Self::Place | Self::Hairpin | Self::Begin => {}
            Self::ChangeBoth => {
                request.attribute(AttributeType::CHANGE_REQUEST, &[0, 0, 0, 6]);
            }
            Self::ChangePort => {
                request.attribute(AttributeType::CHANGE_REQUEST, &[0, 0, 0, 2]);
            }
            Self::Padding => {
                request.attribute(AttributeType::PADDING, &[0; MAX_PADDING_BYTES]);
            }
            Self::Wake { port } => {
                request.attribute(AttributeType::RESPONSE_PORT, &port.to_be_bytes());
            }
        }
        request.finish()
    }
}

/// Reads what came; with `classic` also what has no cookie.
pub(super) fn read(bytes: &[u8], classic: bool) -> Option<Message<'_>> {
    match Message::parse(bytes) {
        Ok(message) => Some(message),
        Err(_) if classic => Message::parse_classic(bytes).ok(),
        Err(_) => None,
    }
}
