//! Requests that come, and what is not an INVITE among them (RFC 3261 §8.2, §11, §15.1.2).

use machine::Now;

use super::call::{ALLOW, State};
use super::{AccountId, By, Event, Reason, UserAgent};
use crate::defaults;
use crate::dialog::DialogId;
use crate::header::name;
use crate::message::Request;
use crate::method::Method;
use crate::stack::TransactionId;
use crate::status::Status;
use crate::transport::Flow;
use crate::uri::Uri;

impl UserAgent {
    /// A request that begins a server transaction.
    pub(super) fn request(
        &mut self,
        now: Now,
        transaction: TransactionId,
        flow: Flow,
        request: Request,
    ) {
        if !matches!(request.method, Method::Invite | Method::Bye | Method::Options) {
            //= RFC 3261 §8.2.1: a method that is not supported here gets a 405 with Allow.
            return self.refuse(now, transaction, &request, Status::METHOD_NOT_ALLOWED);
        }
        //= RFC 3261 §8.2.2.3: an extension that is required and not known here gets a 420.
        let unknown: Vec<&str> =
            request.headers.list(name::REQUIRE).filter(|tag| *tag != "outbound").collect();
        if !unknown.is_empty() {
            let response = request
                .response(Status::BAD_EXTENSION)
                .with_header(name::UNSUPPORTED, unknown.join(", "));
            return self.reply(now, transaction, response);
        }
        if request.is_in_dialog() {
            return self.within(now, transaction, request);
        }
        if self.config.only_from_server && !self.is_of_server(&flow) {
            // Said before anybody is looked for: a stranger does not learn who is here.
            return self.refuse(now, transaction, &request, Status::FORBIDDEN);
        }
        let Some(account) = self.account_of(&request) else {
            return self.refuse(now, transaction, &request, Status::NOT_FOUND);
        };
        match request.method {
            Method::Invite if self.is_merged(&request) => {
                self.refuse(now, transaction, &request, Status::LOOP_DETECTED);
            }
            Method::Invite => self.incoming(now, transaction, account, request),
            Method::Options => self.capabilities(now, transaction, &request),
            _ => self.refuse(now, transaction, &request, Status::CALL_DOES_NOT_EXIST),
        }
    }

    /// A request within a dialog (RFC 3261 §12.2.2).
    fn within(&mut self, now: Now, transaction: TransactionId, request: Request) {
        let call = DialogId::of_request(&request).ok().and_then(|id| self.call_of(&id));
        let entry = call.and_then(|call| Some((call, self.calls.get_mut(&call)?)));
        let Some((call, entry)) = entry else {
            return self.refuse(now, transaction, &request, Status::CALL_DOES_NOT_EXIST);
        };
        if entry.dialog.as_mut().is_some_and(|dialog| dialog.accept(&request).is_err()) {
            return self.refuse(now, transaction, &request, Status::SERVER_INTERNAL_ERROR);
        }
        match request.method {
            Method::Invite => self.reoffered(now, call, transaction, request),
            Method::Options => self.capabilities(now, transaction, &request),
            _ => {
                let ringing = entry.state == State::Ringing;
                self.reply(now, transaction, request.response(Status::OK));
                if ringing {
                    //= RFC 3261 §15.1.2: a BYE also ends an INVITE that is not answered.
                    let status = Status::REQUEST_TERMINATED;
                    self.finish_unanswered(now, call, status, Reason::Abandoned, By::Them);
                } else {
                    self.end(now, call, Reason::Bye, By::Them);
                }
            }
        }
    }

    /// Whether an account is registered over this flow (RFC 5626 §5.3: that is where its server sends).
    fn is_of_server(&self, flow: &Flow) -> bool {
        let same = |known: &Flow| {
            (known.transport, known.id, known.remote) == (flow.transport, flow.id, flow.remote)
        };
        let flows = self.accounts.values().filter_map(|identity| identity.registration.flow);
        flows.into_iter().any(|known| same(&known))
    }

    //= RFC 3261 §8.2.2.2: the same request by another path gets a 482.
    fn is_merged(&self, request: &Request) -> bool {
        let same = |other: &Request| {
            other.call_id() == request.call_id()
                && other.cseq() == request.cseq()
                && other.from().ok().and_then(|from| from.tag().map(str::to_owned))
                    == request.from().ok().and_then(|from| from.tag().map(str::to_owned))
        };
        let theirs = self.calls.values().filter_map(|entry| entry.theirs.as_ref());
        theirs.filter(|theirs| theirs.answer.is_none()).any(|theirs| same(&theirs.request))
    }

    /// Whose request this is: by the user part of the Request-URI, which our contacts carry.
    fn account_of(&self, request: &Request) -> Option<AccountId> {
        let Uri::Sip(uri) = &request.uri else { return None };
        let user = uri.user().unwrap_or_default();
        let to = request.to().ok();
        let by_address = self.accounts.iter().find(|(_, identity)| {
            let address = &identity.account.address;
            to.as_ref().and_then(|to| to.uri.as_sip()).is_some_and(|to| {
                to.address_of_record() == address.address_of_record() && identity.user() == user
            })
        });
        let by_user = || self.accounts.iter().find(|(_, identity)| identity.user() == user);
        by_address.or_else(by_user).map(|(&account, _)| account)
    }

    /// Answers OPTIONS (RFC 3261 §11.2).
    fn capabilities(&mut self, now: Now, transaction: TransactionId, request: &Request) {
        let response = request
            .response(Status::OK)
            .with_header(name::ACCEPT, "application/sdp")
            .with_header(name::SUPPORTED, "outbound");
        self.reply(now, transaction, response);
    }

    pub(super) fn refuse(
        &mut self,
        now: Now,
        transaction: TransactionId,
        request: &Request,
        status: Status,
    ) {
        self.reply(now, transaction, request.response(status));
    }

    fn reply(&mut self, now: Now, transaction: TransactionId, mut response: crate::Response) {
        response.set_to_tag(&self.entropy.token(defaults::TAG_CHARS));
        if response.status == Status::METHOD_NOT_ALLOWED || response.status == Status::OK {
            response.headers.set(name::ALLOW, ALLOW);
        }
        self.stack.respond(now, transaction, &response);
    }

    pub(super) fn keepalive_due(&mut self, flow: Flow) {
        let account = self.accounts_over(&flow).first().copied();
        self.events.extend(account.map(|account| Event::KeepaliveDue { account, flow }));
    }
}
