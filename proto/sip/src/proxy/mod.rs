//! The stateful proxy (RFC 3261 §16): forwards a request to one or several places, passes
//! responses back and chooses the best of them.
//!
//! [`Proxy`] is a part that stands beside a [`Stack`] and is told of the stack's events for the
//! transactions that it owns. Whom to let in and where users are is for its owner to know; where
//! a request that names us in Route goes is for [`route`].
//!
//! It records the route (§16.6 step 4) with flow tokens on both sides (RFC 5626 §5.3), so that
//! requests within the dialog take the flows that the INVITE and its answer took, whichever side
//! sends them.

pub mod best;
pub mod route;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use machine::{Endpoint, Instant, Now, Timers, Transport};

use crate::defaults;
use crate::header::{MaxForwards, Route, name};
use crate::message::{Request, Response};
use crate::method::Method;
use crate::stack::{Failure, Stack, Target, TransactionId};
use crate::status::Status;
use crate::transport::{Flow, flow};
use crate::uri::{SipUri, Uri};
use crate::validate;

/// One place to forward a request to.
#[derive(Clone, Debug, PartialEq)]
pub struct Fork {
    /// The Request-URI there.
    pub uri: Uri,
    /// The way there.
    pub target: Target,
}

/// What a proxy has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Requests forwarded, each once.
    pub forwarded: u64,
    /// Branches that they were forked into.
    pub forks: u64,
    /// Requests under way.
    pub contexts: u64,
    /// Requests refused because a limit was reached.
    pub overload: u64,
}

/// One request that is being forwarded: the response context of RFC 3261 §16.
#[derive(Debug)]
struct Context {
    request: Request,
    branches: BTreeMap<TransactionId, Branch>,
    /// Whether a final response went back.
    answered: bool,
}

#[derive(Debug, Default)]
struct Branch {
    /// The final response.
    response: Option<Response>,
    /// It ended without any, and nothing is owed for it.
    silent: bool,
}

impl Branch {
    fn is_over(&self) -> bool {
        self.response.is_some() || self.silent
    }
}

/// Forwards requests.
#[derive(Debug, Default)]
pub struct Proxy {
    contexts: BTreeMap<TransactionId, Context>,
    /// The server transaction of each client transaction.
    owners: BTreeMap<TransactionId, TransactionId>,
    /// Timer C of each client transaction that has one.
    timers: Timers<TransactionId>,
    stats: Stats,
}

impl Proxy {
    /// A proxy with nothing under way.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What was counted.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats { contexts: self.contexts.len() as u64, ..self.stats }
    }

    /// Forwards `request`, which began `transaction` and came over `from`, to every fork at once.
    ///
    /// Route entries that name us are gone already; Max-Forwards has been checked.
    pub fn forward(
        &mut self,
        now: Now,
        stack: &mut Stack,
        transaction: TransactionId,
        from: Flow,
        request: Request,
        forks: Vec<Fork>,
    ) {
        if self.contexts.len() >= defaults::PROXY_CONTEXTS || forks.is_empty() {
            self.stats.overload += u64::from(!forks.is_empty());
            let status =
                if forks.is_empty() { Status::NOT_FOUND } else { Status::SERVICE_UNAVAILABLE };
            return stack.respond(now, transaction, &request.response(status));
        }
        //= RFC 3261 §16.6 step 8: the branch tells later whether the request has been here before.
        let mark = validate::loop_mark(&request);
        let mut context =
            Context { request: request.clone(), branches: BTreeMap::new(), answered: false };
        self.stats.forwarded += 1;
        for fork in forks.into_iter().take(defaults::FORKS) {
            let copy = copy(stack, &request, &from, &fork);
            let branch = stack.send_marked(now, copy, fork.target, &mark);
            context.branches.insert(branch, Branch::default());
            self.owners.insert(branch, transaction);
            self.stats.forks += 1;
            if request.method == Method::Invite {
                self.timers.set(branch, now.mono + defaults::TIMER_C);
            }
        }
        self.contexts.insert(transaction, context);
    }

    /// Forwards the ACK of a 2xx, which has no transaction (RFC 3261 §16.11 for want of one).
    pub fn forward_ack(stack: &mut Stack, now: Now, mut request: Request, fork: Fork) {
        if lower_hops(&mut request) {
            request.uri = fork.uri;
            stack.send_ack(now, request, fork.target);
        }
    }

    /// A response came for a client transaction; says whether it is one of ours.
    pub fn response(
        &mut self,
        now: Now,
        stack: &mut Stack,
        branch: TransactionId,
        response: &Response,
    ) -> bool {
        let Some((transaction, context)) = self.context(branch) else { return false };
        let mut response = response.clone();
        //= RFC 3261 §16.7 step 3: our Via goes; without another one the response was for us alone.
        response.headers.remove_first(name::VIA);
        let invite = context.request.method == Method::Invite;
        let status = response.status;
        if status.is_provisional() {
            //= RFC 3261 §16.7 step 2, 5: Timer C starts again; all but 100 go back at once.
            if status != Status::TRYING && !context.answered {
                stack.respond(now, transaction, &response);
            }
            if invite {
                self.timers.set(branch, now.mono + defaults::TIMER_C);
            }
            return true;
        }
        self.timers.cancel(&branch);
        let Some((_, context)) = self.context(branch) else { return false };
        if status.is_success() {
            //= RFC 3261 §16.7 step 5: every 2xx to an INVITE goes back at once.
            if invite || !context.answered {
                context.answered = true;
                stack.respond(now, transaction, &response);
            }
        }
        let ends_all = status.is_success() || status.class() == 6;
        context.branches.insert(branch, Branch { response: Some(response), silent: false });
        if ends_all {
            //= RFC 3261 §16.7 step 10: after a 2xx or 6xx the other branches are cancelled.
            self.cancel_pending(now, stack, transaction);
        }
        self.conclude(now, stack, transaction);
        true
    }

    /// A client transaction had no answer; says whether it is one of ours.
    pub fn timed_out(&mut self, now: Now, stack: &mut Stack, branch: TransactionId) -> bool {
        let Some((_, context)) = self.context(branch) else { return false };
        //= RFC 4320 §4.2: a proxy sends no 408 for what is not an INVITE.
        let invite = context.request.method == Method::Invite;
        let response = invite.then(|| context.request.response(Status::REQUEST_TIMEOUT));
        self.branch_over(now, stack, branch, response);
        true
    }

    /// A client transaction could not be sent; says whether it is one of ours.
    pub fn failed(
        &mut self,
        now: Now,
        stack: &mut Stack,
        branch: TransactionId,
        failure: Failure,
    ) -> bool {
        let Some((_, context)) = self.context(branch) else { return false };
        //= RFC 3261 §16.9: as if a 503 had come; what has a better name gets it.
        let status = match failure {
            Failure::NoSuchHost => Status::NOT_FOUND,
            Failure::Overload => Status::SERVICE_UNAVAILABLE,
            Failure::Cancelled => Status::REQUEST_TERMINATED,
            Failure::NoTransport
            | Failure::Connection
            | Failure::Unreachable
            | Failure::FlowGone => Status::TEMPORARILY_UNAVAILABLE,
        };
        let response = context.request.response(status);
        self.branch_over(now, stack, branch, Some(response));
        true
    }

    fn branch_over(
        &mut self,
        now: Now,
        stack: &mut Stack,
        branch: TransactionId,
        response: Option<Response>,
    ) {
        self.timers.cancel(&branch);
        if let Some((transaction, context)) = self.context(branch) {
            let silent = response.is_none();
            context.branches.insert(branch, Branch { response, silent });
            self.conclude(now, stack, transaction);
        }
    }

    /// A CANCEL came for `transaction`; says whether it is one of ours (RFC 3261 §16.10).
    pub fn cancelled(&mut self, now: Now, stack: &mut Stack, transaction: TransactionId) -> bool {
        self.cancel_pending(now, stack, transaction);
        self.contexts.contains_key(&transaction)
    }

    /// A server transaction has ended; says whether it was one of ours.
    pub fn server_ended(&mut self, transaction: TransactionId) -> bool {
        let Some(context) = self.contexts.remove(&transaction) else { return false };
        for branch in context.branches.keys() {
            self.owners.remove(branch);
            self.timers.cancel(branch);
        }
        true
    }

    /// Fires Timer C (RFC 3261 §16.8): the branch is cancelled.
    pub fn handle_timeout(&mut self, now: Now, stack: &mut Stack) {
        while let Some(branch) = self.timers.expire(now.mono) {
            stack.cancel(now, branch);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    fn context(&mut self, branch: TransactionId) -> Option<(TransactionId, &mut Context)> {
        let transaction = *self.owners.get(&branch)?;
        Some((transaction, self.contexts.get_mut(&transaction)?))
    }

    fn cancel_pending(&self, now: Now, stack: &mut Stack, transaction: TransactionId) {
        let Some(context) = self.contexts.get(&transaction) else { return };
        for (&branch, _) in context.branches.iter().filter(|(_, branch)| !branch.is_over()) {
            stack.cancel(now, branch);
        }
    }

    /// Sends the best response once every branch is over (RFC 3261 §16.7 step 6).
    fn conclude(&mut self, now: Now, stack: &mut Stack, transaction: TransactionId) {
        let Some(context) = self.contexts.get_mut(&transaction) else { return };
        if context.answered || !context.branches.values().all(Branch::is_over) {
            return;
        }
        context.answered = true;
        let responses = context.branches.values().filter_map(|branch| branch.response.as_ref());
        match best::choose(responses) {
            Some(response) => stack.respond(now, transaction, &response),
            None => stack.abandon(transaction),
        }
    }
}

/// The request as it goes to one fork (RFC 3261 §16.6 steps 1 to 4).
fn copy(stack: &Stack, request: &Request, from: &Flow, fork: &Fork) -> Request {
    let mut copy = request.clone();
    copy.uri = fork.uri.clone();
    lower_hops(&mut copy);
    if request.method == Method::Invite && !request.is_in_dialog() {
        let call_id = request.call_id().unwrap_or_default();
        for route in record(stack, call_id, from, fork) {
            copy.headers.push_front(name::RECORD_ROUTE, route);
        }
    }
    copy
}

/// Takes one off Max-Forwards; says whether the request may go on (RFC 3261 §16.6 step 3).
fn lower_hops(request: &mut Request) -> bool {
    let hops = request.headers.max_forwards().ok().flatten();
    let left = hops.map_or(Some(defaults::MAX_FORWARDS), |hops| hops.0.checked_sub(1));
    if let Some(left) = left {
        request.headers.set(name::MAX_FORWARDS, MaxForwards(left));
    }
    left.is_some()
}

/// The two Record-Route entries of a hop, the one for the caller's side first: each names the flow
/// on its side, so that the last of them in a Route tells where the request goes.
fn record(stack: &Stack, call_id: &str, from: &Flow, fork: &Fork) -> [Route; 2] {
    let here = stack.advertised(from);
    let caller = own_uri(here, from.transport).with_user(&stack.flow_token(from, call_id));
    let callee = match &fork.target {
        Target::Flow(to) => {
            own_uri(stack.advertised(to), to.transport).with_user(&stack.flow_token(to, call_id))
        }
        _ => own_uri(here, from.transport),
    };
    [caller, callee].map(|uri| Route::new(Uri::Sip(uri)))
}

fn own_uri(at: Endpoint, transport: Transport) -> SipUri {
    let uri = SipUri::new(at.ip().into()).with_port(Some(at.port()));
    let uri = match transport {
        Transport::Udp => uri,
        other => uri.with_param("transport", flow::uri_name(other)),
    };
    uri.with_param("lr", "")
}
