//! Who may ask (RFC 8489 §9.2.4): what is answered without knowing who it is, the challenge, and
//! the proof.

use std::sync::Arc;

use machine::{Now, Output};
use stun::{
    AttributeType, Builder, Class, ErrorCode, Message, Method, PasswordAlgorithm, TransactionId,
};

use super::control::Timer;
use super::count::holder;
use super::defaults::{
    CHALLENGED_BYTES, QUESTION, WAITING_PER_ADDRESS, WAITING_REQUEST_BYTES, WAITING_REQUESTS,
};
use super::keyring::{Found, Whose};
use super::origin::Origin;
use super::proof::{Identity, Proof, Request};
use super::{Question, Refusal, Server, User, rest};
use crate::TurnMessage;
use crate::message::UNDERSTOOD;

/// A request that waits for the keys of its user.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) origin: Origin,
    pub(super) id: TransactionId,
    pub(super) user: User,
    pub(super) realm: String,
    pub(super) bytes: Box<[u8]>,
}

/// Why a request is not admitted.
enum Denied {
    /// It is answered without credentials.
    Refused(Refusal),
    /// It is answered with what the client needs to try again.
    Challenged(Refusal),
    /// The world is to be asked.
    Unknown(User, String),
}

impl Server {
    /// Takes a request; `found` is what the world said about its user, if it was asked.
    pub(super) fn request(&mut self, now: Now, origin: Origin, bytes: &[u8], found: Option<Found>) {
        let Ok(message) = Message::parse(bytes) else {
            return self.stats.refuse(Refusal::Unintelligible);
        };
        if message.class() != Class::Request || !is_ours(message.method()) {
            return self.stats.refuse(Refusal::Unintelligible);
        }
        if let Some(answer) = self.answers.of(origin.client, message.id()) {
            let answer = answer.to_vec();
            return self.send(origin.client, &answer);
        }
        match self.admit(now, &origin, &message, found) {
            Ok(proof) => self.admitted(now, &Request { origin, message, proof }),
            Err(Denied::Refused(refusal)) => self.deny(now, &origin, &message, refusal, false),
            Err(Denied::Challenged(refusal)) => self.deny(now, &origin, &message, refusal, true),
            Err(Denied::Unknown(user, realm)) => self.wait(now, origin, &message, user, realm),
        }
    }

    fn admitted(&mut self, now: Now, request: &Request<'_>) {
        let unknown = request.message.unknown_required(UNDERSTOOD);
        if !unknown.is_empty() {
            self.stats.refuse(Refusal::UnknownAttribute);
            let mut answer = Builder::error(&request.message, 420);
            answer.unknown_attributes(&unknown);
            return self.answer(request, &mut answer);
        }
        // A repeated Refresh that moves says that its answer was not heard.
        if request.message.mobility_ticket().is_none() {
            self.confirm_move(now, request.origin.client);
        }
        match request.message.method() {
            Method::ALLOCATE => self.allocate(now, request),
            Method::REFRESH => self.refresh(now, request),
            Method::CREATE_PERMISSION => self.create_permission(now, request),
            Method::CHANNEL_BIND => self.channel_bind(now, request),
            Method::CONNECT => self.connect(now, request),
            _ => self.connection_bind(now, request),
        }
    }

    /// Whether a request is by whom it says.
    fn admit(
        &self,
        now: Now,
        origin: &Origin,
        message: &Message<'_>,
        found: Option<Found>,
    ) -> Result<Proof, Denied> {
        let Some(integrity) = message.integrity() else {
            return Err(self.unsigned(origin, message));
        };
        let user = match (message.username(), message.userhash()) {
            (Some(name), _) => User::Name(name.to_owned()),
            (None, Some(hash)) => User::Hash(hash),
            (None, None) => return Err(Denied::Refused(Refusal::BadRequest)),
        };
        //= RFC 8489 §9.2.4: with an integrity but without user, realm or nonce it is a bad request.
        let (Some(realm), Some(nonce)) = (message.realm(), message.nonce()) else {
            return Err(Denied::Refused(Refusal::BadRequest));
        };
        // Nobody is looked up, nor anything kept, for an address that is not proven: a nonce that is
        // not good is told at once, whatever the integrity is worth.
        if !self.nonces.is_good(now.mono, origin.remote.ip(), nonce) {
            return Err(Denied::Challenged(Refusal::StaleNonce));
        }
        let algorithm = self.algorithm(message).ok_or(Denied::Refused(Refusal::BadRequest))?;
        let fingerprint = message.has_fingerprint();
        let proven = |identity| Proof { identity, algorithm, integrity, fingerprint };
        let is_right = |identity: &Identity| {
            let key = identity.keys.key(algorithm);
            key.is_some_and(|key| message.verify_integrity(key).is_ok())
        };
        let own = self.identity_of(origin.client);
        if let Some(own) = own.filter(|own| own.user == user && own.realm == realm)
            && is_right(own)
        {
            return Ok(proven(Arc::clone(own)));
        }
        if !self.config.realms.iter().any(|ours| ours == realm) {
            return Err(Denied::Challenged(Refusal::Credentials));
        }
        if let User::Name(name) = &user {
            let found = rest::keys(&self.config.secrets, name, realm, now.unix_secs())
                .map(|keys| Identity { user: user.clone(), realm: realm.to_owned(), keys })
                .find(is_right);
            if let Some(identity) = found {
                return Ok(proven(Arc::new(identity)));
            }
        }
        let whose = Whose { holder: holder(origin.remote.ip()), user, realm: realm.to_owned() };
        match found.or_else(|| self.keyring.of(&whose).cloned()) {
            None => Err(Denied::Unknown(whose.user, whose.realm)),
            Some(Found::Failed) => Err(Denied::Refused(Refusal::ServerError)),
            Some(Found::User(identity)) if is_right(&identity) => Ok(proven(identity)),
            Some(Found::User(_)) => Err(Denied::Challenged(Refusal::Credentials)),
            Some(Found::Nobody) => {
                // As long as the check of a known user's takes.
                let key = self.nobody.key(algorithm);
                let _ = key.map(|key| message.verify_integrity(key));
                Err(Denied::Challenged(Refusal::Credentials))
            }
        }
    }

    /// What a request without integrity is answered with. What no honest client sends, and what is
    /// too short for the answer to carry a challenge without amplifying, gets no challenge.
    fn unsigned(&self, origin: &Origin, message: &Message<'_>) -> Denied {
        let has_allocation = self.clients.contains_key(&origin.client);
        let moves = message.mobility_ticket().is_some_and(|ticket| !ticket.is_empty());
        match message.method() {
            Method::ALLOCATE if message.requested_transport().is_none() => {
                Denied::Refused(Refusal::BadRequest)
            }
            Method::CONNECTION_BIND if origin.is_forgeable() => {
                Denied::Refused(Refusal::BadRequest)
            }
            Method::ALLOCATE | Method::CONNECTION_BIND => Denied::Challenged(Refusal::Challenged),
            _ if !has_allocation && !moves => Denied::Refused(Refusal::AllocationMismatch),
            _ if origin.is_forgeable() && message.as_bytes().len() < CHALLENGED_BYTES => {
                Denied::Refused(Refusal::BadRequest)
            }
            _ => Denied::Challenged(Refusal::Challenged),
        }
    }

    /// The password algorithm that a request was signed with; nothing where it does not go with
    /// what we offer.
    //= RFC 8489 §9.2.4: neither PASSWORD-ALGORITHMS nor PASSWORD-ALGORITHM means MD5; else both
    // must be there, the first as we offered it, the second one of them. So nobody on the way can
    // have taken the better ones out.
    fn algorithm(&self, message: &Message<'_>) -> Option<PasswordAlgorithm> {
        let is_there = |kind| message.attribute(kind).is_some();
        let offered = is_there(AttributeType::PASSWORD_ALGORITHMS);
        let chosen = is_there(AttributeType::PASSWORD_ALGORITHM);
        if !offered && !chosen {
            return Some(PasswordAlgorithm::Md5);
        }
        let same = message.password_algorithms().is_some_and(|a| a == self.config.algorithms);
        let chosen = message.password_algorithm().filter(|a| self.config.algorithms.contains(a));
        chosen.filter(|_| same)
    }

    /// Refuses a request that nobody has proven to have sent.
    fn deny(
        &mut self,
        now: Now,
        origin: &Origin,
        message: &Message<'_>,
        refusal: Refusal,
        challenge: bool,
    ) {
        self.stats.refuse(refusal);
        let (method, id) = (message.method(), message.id());
        let buf = std::mem::take(&mut self.scratch);
        let mut answer = Builder::reusing(buf, Class::Error, method, id);
        answer.error_code(ErrorCode { code: refusal.code(), reason: "" });
        if challenge {
            let ours = |realm: &&String| message.realm() == Some(realm);
            let realms = &self.config.realms;
            let realm = realms.iter().find(ours).or(realms.first());
            answer.realm(realm.map_or("", String::as_str));
            answer.nonce(&self.nonces.issue(now.mono, origin.remote.ip()));
            if !self.config.algorithms.is_empty() {
                answer.password_algorithms(&self.config.algorithms);
            }
        }
        let answer = answer.finish();
        self.send_unproven(now, origin, &answer);
        self.scratch = answer;
    }

    /// Sends an answer to an address that is not proven, if its prefix has not had too much.
    pub(super) fn send_unproven(&mut self, now: Now, origin: &Origin, answer: &[u8]) {
        if origin.is_forgeable() && !self.unproven.admit(now.mono, origin.remote.ip(), answer.len())
        {
            return self.stats.refuse(Refusal::UnprovenLimit);
        }
        self.send(origin.client, answer);
    }

    /// Asks the world for the keys of `user`; the request waits. A question that is not answered in
    /// time has failed; what is said of it later counts for nothing.
    fn wait(&mut self, now: Now, origin: Origin, message: &Message<'_>, user: User, realm: String) {
        let (id, holder) = (message.id(), holder(origin.remote.ip()));
        if self.waiting_requests.contains_key(&(origin.client, id)) {
            return;
        }
        let bytes = message.as_bytes();
        if self.waiting.len() >= WAITING_REQUESTS
            || self.waiting_by_address.of(&holder) >= WAITING_PER_ADDRESS
            || bytes.len() > WAITING_REQUEST_BYTES
        {
            return self.deny(now, &origin, message, Refusal::Capacity, false);
        }
        let question = Question::Credentials { user: user.clone(), realm: realm.clone() };
        self.waiting_requests.insert((origin.client, id), ());
        self.waiting_by_address.add(holder);
        let name = self.ids.next_id();
        self.waiting.insert(name, Waiting { origin, id, user, realm, bytes: bytes.into() });
        self.timers.set(Timer::Question(name), now.mono + QUESTION);
        self.outputs.push(Output::Ask { id: name, question });
    }

    /// Answers a request.
    pub(super) fn answer(&mut self, request: &Request<'_>, answer: &mut Builder) {
        let answer = request.proof.sign(answer);
        self.send(request.origin.client, &answer);
    }

    /// Refuses a request.
    pub(super) fn refuse(&mut self, request: &Request<'_>, refusal: Refusal) {
        self.stats.refuse(refusal);
        self.answer(request, &mut Builder::error(&request.message, refusal.code()));
    }
}

/// Whether requests of a method are for us.
const fn is_ours(method: Method) -> bool {
    matches!(
        method,
        Method::ALLOCATE
            | Method::REFRESH
            | Method::CREATE_PERMISSION
            | Method::CHANNEL_BIND
            | Method::CONNECT
            | Method::CONNECTION_BIND
    )
}
