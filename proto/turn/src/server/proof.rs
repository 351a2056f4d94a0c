//! Who sent a request, and how its answer is signed (RFC 8489 §9.2.4).

use std::sync::Arc;

use stun::{Builder, Integrity, Message, Method, PasswordAlgorithm, TransactionId};

use super::origin::Origin;
use super::{Keys, User};

/// Who a client is.
#[derive(Debug)]
pub(super) struct Identity {
    /// As the client says it.
    pub(super) user: User,
    /// In which realm.
    pub(super) realm: String,
    /// With which keys.
    pub(super) keys: Keys,
}

impl Identity {
    /// Whether they have the same account.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.keys.account() == other.keys.account() && self.realm == other.realm
    }
}

/// That a request was made by who it says.
#[derive(Clone, Debug)]
pub(super) struct Proof {
    pub(super) identity: Arc<Identity>,
    pub(super) algorithm: PasswordAlgorithm,
    pub(super) integrity: Integrity,
    pub(super) fingerprint: bool,
}

impl Proof {
    /// Signs an answer in the way that was asked, and gives its bytes.
    //= RFC 8489 §9.2.4: answers have the integrity that the request had.
    pub(super) fn sign(&self, answer: &mut Builder) -> Vec<u8> {
        if let Some(key) = self.identity.keys.key(self.algorithm) {
            answer.integrity_of(self.integrity, key);
        }
        if self.fingerprint {
            answer.fingerprint();
        }
        answer.finish()
    }
}

/// A request whose sender is known.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) origin: Origin,
    pub(super) message: Message<'a>,
    pub(super) proof: Proof,
}

/// What an answer needs of a request that cannot be answered yet.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) origin: Origin,
    pub(super) method: Method,
    pub(super) id: TransactionId,
    pub(super) proof: Proof,
}

impl Request<'_> {
    /// What its answer needs.
    pub(super) fn pending(&self) -> Pending {
        let (method, id) = (self.message.method(), self.message.id());
        Pending { origin: self.origin, method, id, proof: self.proof.clone() }
    }
}
