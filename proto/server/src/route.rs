//! Where a request goes (RFC 3261 §16.3 to §16.5): along its dialog, to a user of ours, or nowhere.

use machine::{Endpoint, Now};
use sip::auth::Side;
use sip::header::name;
use sip::location::Binding;
use sip::proxy::route::{self, Taken};
use sip::proxy::{Fork, Proxy};
use sip::stack::{Target, TransactionId};
use sip::transport::token::FlowName;
use sip::transport::{Flow, flow};
use sip::validate::{self, Invalid};
use sip::{Method, Request, SipUri, Status, Uri};

use crate::admit::{Waiting, is_user_of};
use crate::echo;
use crate::event::Question;
use crate::server::Server;

/// The methods that the core itself answers.
const ALLOW: &str = "REGISTER, OPTIONS";

impl Server {
    /// A request that began a transaction.
    pub(crate) fn request(
        &mut self,
        now: Now,
        transaction: TransactionId,
        flow: Flow,
        mut request: Request,
    ) {
        if let Err(invalid) = self.check(&request) {
            return self.invalid(now, transaction, &request, &invalid);
        }
        if matches!(request.method, Method::Extension(_)) {
            return self.not_allowed(now, transaction, &request);
        }
        if request.method == Method::Register {
            return self.register(now, transaction, flow, request);
        }
        let taken = self.take_routes(&mut request);
        if taken.ours {
            let fork = self.along(&taken, &request);
            return self.forward(now, transaction, flow, request, vec![fork]);
        }
        let domain = request.uri.as_sip().and_then(|uri| self.domain_of(uri));
        match domain {
            //= RFC 3261 §16.5: a domain of others is not ours to serve; we are no relay.
            None => {
                let response = request.response(Status::FORBIDDEN);
                self.turn_away(now, transaction, &request, response);
            }
            Some(_) if taken.more => {
                let response = request.response(Status::FORBIDDEN);
                self.turn_away(now, transaction, &request, response);
            }
            Some(_) if user_of(&request).is_empty() => self.for_itself(now, transaction, &request),
            Some(domain) => {
                let caller = request.from().ok().and_then(|from| from.uri.as_sip().cloned());
                let caller = caller.and_then(|uri| self.domain_of(&uri)).unwrap_or(domain);
                self.admit(now, transaction, flow, request, (Side::Proxy, &caller));
            }
        }
    }

    /// What every request must pass (RFC 3261 §16.3).
    fn check(&self, request: &Request) -> Result<(), Invalid> {
        //= RFC 3261 §26.2.2: `sips` travels under TLS, which no listener of ours speaks yet.
        validate::scheme(request, &["sip"])?;
        validate::hops(request)?;
        validate::loops(request, |via| {
            let port = via.port_or_default();
            via.host.ip().is_some_and(|ip| self.stack.is_local(ip, port))
        })?;
        validate::extensions(request, name::PROXY_REQUIRE, &[])
    }

    pub(crate) fn invalid(
        &mut self,
        now: Now,
        transaction: TransactionId,
        request: &Request,
        invalid: &Invalid,
    ) {
        if let Some(response) = invalid.response(request) {
            self.turn_away(now, transaction, request, response);
        }
    }

    /// A request whose sender has proven to be `user`.
    pub(crate) fn admitted(
        &mut self,
        now: Now,
        transaction: TransactionId,
        flow: Flow,
        mut request: Request,
        user: &str,
    ) {
        if request.method == Method::Register {
            return self.registered(now, transaction, flow, request, user);
        }
        let from = request.from().ok().and_then(|from| from.uri.as_sip().cloned());
        let own = from.and_then(|from| self.domain_of(&from).map(|domain| (from, domain)));
        // Nobody calls under another name.
        if !own.is_some_and(|(from, domain)| is_user_of(user, &from, &domain)) {
            return self.refuse(now, transaction, &request, Status::FORBIDDEN);
        }
        //= RFC 3261 §22.3: credentials for our realm are used up here.
        request.headers.remove(name::PROXY_AUTHORIZATION);
        let domain = request.uri.as_sip().and_then(|uri| self.domain_of(uri)).unwrap_or_default();
        let callee = user_of(&request);
        let forks = self.forks(&format!("{callee}@{domain}"));
        if forks.is_empty() {
            if self.is_overloaded() {
                return self.overloaded(now, transaction, &request);
            }
            let question = Question::Credentials { user: callee, realm: self.realm(&domain) };
            let request = Box::new(request);
            return self.ask(now, question, Waiting::Callee { transaction, request });
        }
        self.forward(now, transaction, flow, request, forks);
    }

    /// There is no way to a user: unknown (404), or known and not here (480).
    pub(crate) fn unreachable(
        &mut self,
        now: Now,
        transaction: TransactionId,
        request: &Request,
        known: bool,
    ) {
        let status = if known { Status::TEMPORARILY_UNAVAILABLE } else { Status::NOT_FOUND };
        self.refuse(now, transaction, request, status);
    }

    /// A request that was cancelled while it waited here, or is on its way.
    pub(crate) fn cancelled(&mut self, now: Now, transaction: TransactionId) {
        if self.proxy.cancelled(now, &mut self.stack, transaction) {
            return;
        }
        let waits = |waiting: &Waiting| match waiting {
            Waiting::Caller(attempt) => attempt.transaction == transaction,
            Waiting::Callee { transaction: waiting, .. } => *waiting == transaction,
            Waiting::Bindings | Waiting::Saved(_) | Waiting::Nothing => false,
        };
        let request = match self.take_waiting(waits) {
            Some(Waiting::Caller(attempt)) => attempt.request,
            Some(Waiting::Callee { request, .. }) => *request,
            _ => return,
        };
        self.refuse(now, transaction, &request, Status::REQUEST_TERMINATED);
    }

    /// The ACK of a 2xx goes along its dialog, or nowhere.
    pub(crate) fn ack(&mut self, now: Now, mut request: Request) {
        let taken = self.take_routes(&mut request);
        if taken.ours && validate::hops(&request).is_ok() {
            let fork = self.along(&taken, &request);
            Proxy::forward_ack(&mut self.stack, now, request, fork);
        }
    }

    fn forward(
        &mut self,
        now: Now,
        transaction: TransactionId,
        flow: Flow,
        request: Request,
        forks: Vec<Fork>,
    ) {
        self.proxy.forward(now, &mut self.stack, transaction, flow, request, forks);
    }

    fn take_routes(&self, request: &mut Request) -> Taken {
        route::take(&self.stack, request, |host| self.is_domain(host))
    }

    /// The way along a dialog: the flow that Route names, the one that the target has registered
    /// since if that one is gone, or what the URI says.
    fn along(&self, taken: &Taken, request: &Request) -> Fork {
        let uri = request.uri.clone();
        if taken.more {
            return Fork { uri, target: Target::Uri };
        }
        let named = taken.flow.and_then(|name| self.stack.find_flow(name));
        let registered = || {
            let binding = taken.flow.and_then(|_| self.location.by_contact(&request.uri))?;
            self.flow_of(binding)
        };
        let flow = named.or_else(registered);
        Fork { uri, target: flow.map_or(Target::Uri, Target::Flow) }
    }

    /// Every way to an address of record.
    fn forks(&self, address: &str) -> Vec<Fork> {
        let bindings = self.location.bindings(address);
        bindings.iter().filter_map(|binding| self.fork(binding)).collect()
    }

    /// The way to one binding.
    ///
    /// A phone behind a NAT is reached over the flow that it registered over, and no other
    /// (RFC 5626 §5.3). One whose Contact is where its REGISTER came from is reached there.
    fn fork(&self, binding: &Binding) -> Option<Fork> {
        let contact = binding.contact.as_sip()?;
        let uri = Uri::Sip(contact.clone().without_headers());
        // With maddr the Contact would send us elsewhere than where it came from.
        let here = contact.host.ip().is_some_and(|ip| ip == binding.flow.remote.ip())
            && !contact.params.contains("maddr");
        let alive = self.flow_of(binding);
        if !here || binding.device.is_some() {
            return Some(Fork { uri, target: Target::Flow(alive?) });
        }
        let target = match alive {
            Some(alive) if alive.is_reliable() => Target::Flow(alive),
            Some(alive) if is_over_udp(contact) => {
                let remote = Endpoint::new(alive.remote.ip(), contact.port_or_default());
                Target::Flow(Flow { remote, ..alive })
            }
            _ => Target::Uri,
        };
        Some(Fork { uri, target })
    }

    /// The flow of a binding, if it is still there; after a restart it has another name.
    fn flow_of(&self, binding: &Binding) -> Option<Flow> {
        let Flow { transport, local, remote, .. } = binding.flow;
        self.stack.find_flow(FlowName { transport, local, remote })
    }

    /// A request for the core itself.
    fn for_itself(&mut self, now: Now, transaction: TransactionId, request: &Request) {
        if request.method == Method::Options {
            let response = request.response(Status::OK).with_header(name::ALLOW, ALLOW);
            let response = echo::shown(request, self.finish(request, response));
            self.stack.respond_once(now, transaction, &response);
        } else {
            self.not_allowed(now, transaction, request);
        }
    }

    fn not_allowed(&mut self, now: Now, transaction: TransactionId, request: &Request) {
        //= RFC 3261 §8.2.1: a 405 lists what is allowed.
        let response = request.response(Status::METHOD_NOT_ALLOWED).with_header(name::ALLOW, ALLOW);
        self.turn_away(now, transaction, request, response);
    }

    /// The domain of ours that a URI is of; an address of ours stands for the first.
    pub(crate) fn domain_of(&self, uri: &SipUri) -> Option<String> {
        let host = uri.host.canonical();
        if self.is_domain(&host) {
            return Some(host);
        }
        let local = uri.host.ip().is_some_and(|ip| self.stack.is_local(ip, uri.port_or_default()));
        self.config.domains.first().filter(|_| local).cloned()
    }

    fn is_domain(&self, host: &str) -> bool {
        self.config.domains.iter().any(|domain| domain.eq_ignore_ascii_case(host))
    }
}

fn user_of(request: &Request) -> String {
    request.uri.as_sip().and_then(SipUri::user).unwrap_or_default()
}

fn is_over_udp(contact: &SipUri) -> bool {
    let udp = flow::uri_name(machine::Transport::Udp);
    !contact.secure && contact.transport().is_none_or(|t| t.eq_ignore_ascii_case(udp))
}
