//! Requests of ours under way: what each is for, and its second try with credentials
//! (RFC 3261 §8.1.3.5, §22.2).

use machine::Now;

use super::{AccountId, CallId, Event, QueryId, Reason, UserAgent};
use crate::auth::AnswerError;
use crate::header::{CSeq, name};
use crate::message::{Request, Response};
use crate::stack::{Target, TransactionId};
use crate::status::Status;
use crate::transport::Flow;

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Register(AccountId),
    Invite(CallId),
    Reinvite(CallId),
    Bye(CallId),
    Options(QueryId),
}

/// A request that has no final response yet.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) account: AccountId,
    pub(super) purpose: Purpose,
    pub(super) request: Request,
    target: Target,
    /// How often it was challenged.
    challenges: u32,
}

impl UserAgent {
    /// Sends a request, with credentials if the account has met a challenge before.
    pub(super) fn send(
        &mut self,
        now: Now,
        account: AccountId,
        purpose: Purpose,
        request: Request,
        target: Target,
    ) -> TransactionId {
        self.transmit(now, Pending { account, purpose, request, target, challenges: 0 })
    }

    fn transmit(&mut self, now: Now, mut pending: Pending) -> TransactionId {
        if let Some(identity) = self.accounts.get_mut(&pending.account)
            && identity.auth.has_met_challenge()
        {
            identity.auth.authorize(&mut pending.request);
        }
        let (request, target) = (pending.request.clone(), pending.target.clone());
        let transaction = self.stack.send_request(now, request, target);
        self.pending.insert(transaction, pending);
        transaction
    }

    pub(super) fn response(
        &mut self,
        now: Now,
        transaction: TransactionId,
        flow: Flow,
        response: &Response,
    ) {
        let Some(pending) = self.pending.get(&transaction) else {
            return self.late_response(now, transaction, response);
        };
        let purpose = pending.purpose;
        if response.status.is_provisional() {
            if let Purpose::Invite(call) = purpose {
                self.progress(call, response);
            }
            return;
        }
        let Some(pending) = self.pending.remove(&transaction) else { return };
        let challenged =
            matches!(response.status, Status::UNAUTHORIZED | Status::PROXY_AUTHENTICATION_REQUIRED);
        if challenged {
            return self.challenged(now, pending, flow, response);
        }
        if let Some(identity) = self.accounts.get_mut(&pending.account) {
            identity.auth.handle_success(response);
        }
        match purpose {
            Purpose::Register(account) => self.register_answered(now, account, flow, response),
            Purpose::Invite(call) => self.invite_answered(now, call, &pending.request, response),
            Purpose::Reinvite(call) => {
                self.reinvite_answered(now, call, &pending.request, response);
            }
            Purpose::Bye(call) => self.bye_answered(now, call),
            Purpose::Options(query) => self.capable(query, response),
        }
    }

    fn challenged(&mut self, now: Now, mut pending: Pending, flow: Flow, response: &Response) {
        let Some(identity) = self.accounts.get_mut(&pending.account) else { return };
        let outcome = identity.auth.handle_challenge(&pending.request, response);
        pending.challenges += 1;
        // Whoever was found over a stream is not looked for again.
        if flow.is_reliable() && matches!(pending.target, Target::Proxy(_)) {
            pending.target = Target::Flow(flow);
        }
        let reason = match outcome {
            Ok(()) if pending.challenges <= 3 => return self.again(now, pending),
            Ok(()) | Err(AnswerError::Refused) => Reason::Unauthorized,
            Err(AnswerError::NoChallenge | AnswerError::Unknown) => Reason::NoCredentials,
        };
        self.request_failed(now, pending.purpose, reason);
    }

    /// Sends a request again: a new transaction with the next number (RFC 3261 §22.2).
    fn again(&mut self, now: Now, mut pending: Pending) {
        let number = match pending.purpose {
            Purpose::Register(account) => self.accounts.get_mut(&account).map(|identity| {
                identity.registration.number += 1;
                identity.registration.number
            }),
            Purpose::Invite(call) | Purpose::Reinvite(call) | Purpose::Bye(call) => {
                self.next_number(call)
            }
            Purpose::Options(_) => pending.request.cseq().ok().map(|cseq| cseq.number + 1),
        };
        let Some(number) = number else { return };
        let method = pending.request.method.clone();
        pending.request.headers.set(name::CSEQ, CSeq::new(number, method));
        let purpose = pending.purpose;
        let transaction = self.transmit(now, pending);
        self.renamed(now, purpose, transaction);
    }

    /// A request of ours came to nothing.
    pub(super) fn request_failed(&mut self, now: Now, purpose: Purpose, reason: Reason) {
        match purpose {
            Purpose::Register(account) => self.register_failed(now, account, reason),
            Purpose::Invite(call) => self.invite_failed(now, call, reason),
            Purpose::Reinvite(call) => self.reinvite_failed(now, call, reason),
            Purpose::Bye(call) => self.bye_answered(now, call),
            Purpose::Options(query) => {
                self.events.push_back(Event::Capabilities { query, allow: Err(reason) });
            }
        }
    }

    pub(super) fn transaction_failed(
        &mut self,
        now: Now,
        transaction: TransactionId,
        reason: Reason,
    ) {
        if let Some(pending) = self.pending.remove(&transaction) {
            self.request_failed(now, pending.purpose, reason);
        }
    }
}
