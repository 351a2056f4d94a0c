//! Who is it? Challenges and proofs (RFC 3261 §22, RFC 7616).
//!
//! Wrong password and unknown user take the same way to the same answer.

use std::net::IpAddr;

use machine::Now;
use sip::auth::Claim;
use sip::auth::{Examined, Proof, Side};
use sip::header::name;
use sip::stack::TransactionId;
use sip::transport::Flow;
use sip::{Request, Response, SipUri, Status};

use crate::defaults::{RETRY_SECS, WAITING_OVERHEAD};
use crate::event::{Keys, Question};
use crate::register::Change;
use crate::server::Server;

/// What waits for an answer of the world.
#[derive(Debug)]
pub(crate) enum Waiting {
    /// The bindings that were kept.
    Bindings,
    /// The keys of whoever sends a request.
    Caller(Box<Attempt>),
    /// Whether a user exists who is not registered.
    Callee { transaction: TransactionId, request: Box<Request> },
    /// New bindings, to be acknowledged once they are kept.
    Saved(Box<Change>),
    /// Nothing: nobody is told.
    Nothing,
}

impl Waiting {
    /// About how many bytes wait.
    pub(crate) fn len(&self) -> usize {
        let request = match self {
            Self::Bindings | Self::Nothing => return 0,
            Self::Caller(attempt) => &attempt.request,
            Self::Callee { request, .. } => request,
            Self::Saved(change) => change.request(),
        };
        let headers = request.headers.iter().map(|field| field.name().len() + field.value().len());
        WAITING_OVERHEAD + request.body.len() + headers.sum::<usize>()
    }
}

/// A request that claims to be somebody's.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) transaction: TransactionId,
    pub(crate) flow: Flow,
    pub(crate) request: Request,
    side: Side,
    claim: Claim,
}

impl Server {
    /// The realm of a domain of ours.
    pub(crate) fn realm(&self, domain: &str) -> String {
        self.config.realm.clone().unwrap_or_else(|| domain.to_owned())
    }

    /// Lets a request in whose sender proves to be a user of `domain`, else challenges it. What
    /// is let in goes on in [`admitted`](Self::admitted).
    pub(crate) fn admit(
        &mut self,
        now: Now,
        transaction: TransactionId,
        flow: Flow,
        request: Request,
        (side, domain): (Side, &str),
    ) {
        let realm = self.realm(domain);
        let source = flow.remote.ip();
        match self.auth.examine(now, &request, side, &realm, source) {
            examined @ (Examined::Nothing | Examined::Stale) => {
                let stale = examined == Examined::Stale;
                self.challenge(now, transaction, &request, (side, &realm, source), stale);
            }
            Examined::Claim(claim) => {
                let question = Question::Credentials { user: claim.user.clone(), realm };
                if self.is_overloaded() {
                    return self.overloaded(now, transaction, &request);
                }
                let attempt = Attempt { transaction, flow, request, side, claim };
                self.ask(now, question, Waiting::Caller(Box::new(attempt)));
            }
        }
    }

    /// The keys of a claim are there, or there is no such user.
    pub(crate) fn proven(&mut self, now: Now, attempt: Box<Attempt>, keys: Option<&Keys>) {
        let Attempt { transaction, flow, request, side, claim } = *attempt;
        let ha1 = keys.map(|keys| keys.ha1(claim.algorithm.hash));
        let scope = (side, claim.realm.as_str(), flow.remote.ip());
        match self.auth.verify(now, &request, &claim, ha1.as_ref()) {
            Proof::Good => self.admitted(now, transaction, flow, request, &claim.user),
            Proof::Stale => {
                self.challenge(now, transaction, &request, scope, true);
            }
            Proof::Bad => {
                self.stats.wrong_proofs += 1;
                self.challenge(now, transaction, &request, scope, false);
            }
        }
    }

    fn challenge(
        &mut self,
        now: Now,
        transaction: TransactionId,
        request: &Request,
        (side, realm, source): (Side, &str, IpAddr),
        stale: bool,
    ) {
        self.stats.challenges += 1;
        let response = self.auth.challenge(now, request, side, realm, source, stale);
        self.turn_away(now, transaction, request, response);
    }

    /// Answers whoever has not proven who it is, and keeps nothing.
    pub(crate) fn turn_away(
        &mut self,
        now: Now,
        transaction: TransactionId,
        request: &Request,
        response: Response,
    ) {
        let response = self.finish(request, response);
        self.stack.respond_once(now, transaction, &response);
    }

    /// Whether no more requests may wait.
    pub(crate) const fn is_overloaded(&self) -> bool {
        self.waiting_bytes >= self.config.waiting_bytes
    }

    /// Turns a request away that would have to wait beside too many others.
    pub(crate) fn overloaded(&mut self, now: Now, transaction: TransactionId, request: &Request) {
        let response = request
            .response(Status::SERVICE_UNAVAILABLE)
            .with_header(name::RETRY_AFTER, RETRY_SECS);
        self.turn_away(now, transaction, request, response);
    }

    /// An answer came that is none to its question.
    pub(crate) fn unanswerable(&mut self, now: Now, waiting: Waiting) {
        let status = Status::SERVER_INTERNAL_ERROR;
        match waiting {
            Waiting::Bindings => self.listen(),
            Waiting::Caller(attempt) => {
                self.refuse(now, attempt.transaction, &attempt.request, status);
            }
            Waiting::Callee { transaction, request } => {
                self.refuse(now, transaction, &request, status);
            }
            Waiting::Saved(change) => self.saved(now, change, false),
            Waiting::Nothing => {}
        }
    }

    /// Answers with a status alone.
    pub(crate) fn refuse(
        &mut self,
        now: Now,
        transaction: TransactionId,
        request: &Request,
        status: Status,
    ) {
        self.reply(now, transaction, request, request.response(status));
    }

    /// Answers with a response of our own.
    pub(crate) fn reply(
        &mut self,
        now: Now,
        transaction: TransactionId,
        request: &Request,
        response: Response,
    ) {
        let response = self.finish(request, response);
        self.stack.respond(now, transaction, &response);
    }

    /// Counts a response of our own and gives it its tag.
    pub(crate) fn finish(&mut self, request: &Request, mut response: Response) -> Response {
        if response.status.is_failure() {
            *self.stats.refusals.entry(response.status.code()).or_default() += 1;
        }
        response.set_to_tag(&self.tag(request));
        response
    }

    /// A tag for To that the same request always gets (RFC 3261 §19.3), so that it tells nothing.
    fn tag(&self, request: &Request) -> String {
        let field = |name| request.headers.first(name).unwrap_or("").as_bytes();
        let parts = [field(name::CALL_ID), b"\n", field(name::CSEQ), b"\n", field(name::FROM)];
        crypto::to_hex(&crypto::hmac_sha256(&self.tag_key, &parts)[..8])
    }
}

/// Whether the user name of authentication is that of an address: its local part, or all of it.
pub(crate) fn is_user_of(user: &str, address: &SipUri, domain: &str) -> bool {
    let local = address.user().unwrap_or_default();
    !local.is_empty() && (user == local || user.strip_suffix(&format!("@{domain}")) == Some(&local))
}
