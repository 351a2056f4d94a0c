//! Messages that come: parsed, completed, validated, and handed to their transaction
//! (RFC 3261 §17.1.3, §17.2.3, §18.1.2, §18.2.1).

use machine::Now;

use super::{Event, Stack};
use crate::defaults;
use crate::header::{Via, name};
use crate::message::{Message, Request, Response};
use crate::method::Method;
use crate::status::Status;
use crate::transaction::key;
use crate::transport::{Flow, via};
use crate::validate;

impl Stack {
    pub(super) fn receive(&mut self, now: Now, flow: Flow, bytes: &[u8]) {
        self.stats.received += 1;
        if bytes.len() > defaults::MAX_MESSAGE_BYTES {
            return self.refuse_head(flow, bytes, Status::MESSAGE_TOO_LARGE);
        }
        match Message::parse(bytes) {
            Ok(Message::Request(request)) => self.receive_request(now, flow, request),
            Ok(Message::Response(response)) => {
                if validate::response(&response).is_ok() {
                    self.client_response(now, flow, &response);
                } else {
                    self.stats.malformed += 1;
                }
            }
            Err(_) => self.stats.malformed += 1,
        }
    }

    /// Answers a request of which only the header section could be read, over a stream that
    /// breaks off after it.
    pub(super) fn refuse_head(&mut self, flow: Flow, head: &[u8], status: Status) {
        self.stats.invalid += 1;
        let Ok(Message::Request(mut request)) = Message::parse(head) else { return };
        if let Some(via) = via::complete(&mut request.headers, &flow)
            && request.method != Method::Ack
        {
            let response = self.refusal(&request, status);
            self.respond_stateless(flow, &via, &response);
        }
    }

    fn receive_request(&mut self, now: Now, flow: Flow, mut request: Request) {
        let Some(via) = via::complete(&mut request.headers, &flow) else {
            // Without a Via there is no way back: nothing is owed.
            self.stats.malformed += 1;
            return;
        };
        if let Err(invalid) = validate::request(&request) {
            self.stats.invalid += 1;
            //= RFC 3261 §17.1.1.3: an ACK is never answered.
            if let Some(mut response) = invalid.response(&request) {
                response.set_to_tag(&self.entropy.token(defaults::TAG_CHARS));
                self.respond_stateless(flow, &via, &response);
            }
            return;
        }
        match request.method {
            Method::Ack => self.receive_ack(now, flow, &via, request),
            Method::Cancel => self.receive_cancel(now, flow, &via, &request),
            _ => self.receive_new(now, flow, &via, request),
        }
    }

    fn receive_new(&mut self, now: Now, flow: Flow, via: &Via, request: Request) {
        let key = key::server(&request, via, &request.method);
        if let Some(&id) = self.server_keys.get(&key) {
            return self.server_again(now, id);
        }
        if let Some(transaction) = self.admit(now, flow, via, key, &request) {
            self.events.push_back(Event::Request { transaction, flow, request });
        }
    }

    /// Begins a server transaction unless there are too many.
    fn admit(
        &mut self,
        now: Now,
        flow: Flow,
        via: &Via,
        key: String,
        request: &Request,
    ) -> Option<super::TransactionId> {
        if self.servers.len() >= self.config.limits.servers {
            self.stats.overload += 1;
            let response = self
                .refusal(request, Status::SERVICE_UNAVAILABLE)
                .with_header(name::RETRY_AFTER, defaults::OVERLOAD_RETRY_SECS);
            self.respond_stateless(flow, via, &response);
            return None;
        }
        Some(self.server_begin(now, flow, via, key, request))
    }

    fn receive_ack(&mut self, now: Now, flow: Flow, via: &Via, request: Request) {
        let key = key::server(&request, via, &Method::Invite);
        let deliver = match self.server_keys.get(&key).copied() {
            Some(id) => self.server_ack(now, id),
            None => true,
        };
        if deliver {
            self.events.push_back(Event::Ack { flow, request });
        }
    }

    fn receive_cancel(&mut self, now: Now, flow: Flow, via: &Via, request: &Request) {
        let key = key::server(request, via, &Method::Cancel);
        if let Some(&id) = self.server_keys.get(&key) {
            return self.server_again(now, id);
        }
        //= RFC 3261 §9.2: the transaction that is cancelled has the CANCEL's branch and sent-by.
        let invite = self.server_keys.get(&key::server(request, via, &Method::Invite)).copied();
        let Some(invite) = invite else {
            // Anybody can send these: nothing is kept of them.
            let response = self.refusal(request, Status::CALL_DOES_NOT_EXIST);
            return self.respond_stateless(flow, via, &response);
        };
        let Some(own) = self.admit(now, flow, via, key, request) else { return };
        let response = self.refusal(request, Status::OK);
        self.respond(now, own, &response);
        if self.server_is_pending(invite) {
            self.events.push_back(Event::Cancelled { transaction: invite });
        }
    }

    /// A response of the stack's own, with a tag of its own.
    fn refusal(&mut self, request: &Request, status: Status) -> Response {
        let mut response = request.response(status);
        response.set_to_tag(&self.entropy.token(defaults::TAG_CHARS));
        response
    }
}
