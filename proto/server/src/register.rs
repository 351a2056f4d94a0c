//! REGISTER (RFC 3261 §10.3): answered with 200 once the bindings are kept.

use machine::Now;
use sip::auth::Side;
use sip::header::name;
use sip::registrar::{self, Outcome};
use sip::stack::TransactionId;
use sip::transport::Flow;
use sip::{Request, Response, Status, validate};

use crate::admit::{Waiting, is_user_of};
use crate::event::{Event, Question, SavedAddress};
use crate::server::Server;

/// New bindings on their way to where they are kept.
#[derive(Debug)]
pub(crate) struct Change {
    transaction: TransactionId,
    request: Request,
    response: Response,
    event: Event,
}

impl Change {
    /// The request that made it.
    pub(crate) const fn request(&self) -> &Request {
        &self.request
    }
}

impl Server {
    /// Takes the bindings that were kept.
    pub(crate) fn restore(&mut self, now: Now, addresses: Vec<SavedAddress>) {
        for SavedAddress { address, bindings } in addresses {
            let bindings = bindings.iter().filter_map(|saved| saved.restored(now)).collect();
            // What does not fit is forgotten, as if it had ended.
            let _ = self.location.set(&address, bindings);
        }
    }

    /// A REGISTER that nobody has looked at.
    pub(crate) fn register(
        &mut self,
        now: Now,
        transaction: TransactionId,
        flow: Flow,
        request: Request,
    ) {
        //= RFC 3261 §10.3 step 1, 2: for another domain it is none of ours; then Require.
        let domain = request.uri.as_sip().and_then(|uri| self.domain_of(uri));
        let Some(domain) = domain else {
            let response = request.response(Status::FORBIDDEN);
            return self.turn_away(now, transaction, &request, response);
        };
        let extensions = registrar::EXTENSIONS;
        if let Err(invalid) = validate::extensions(&request, name::REQUIRE, extensions) {
            return self.invalid(now, transaction, &request, &invalid);
        }
        self.admit(now, transaction, flow, request, (Side::Server, &domain));
    }

    /// A REGISTER whose sender has proven to be `user`.
    pub(crate) fn registered(
        &mut self,
        now: Now,
        transaction: TransactionId,
        flow: Flow,
        request: Request,
        user: &str,
    ) {
        let to = request.to().ok().and_then(|to| to.uri.as_sip().cloned());
        let own = to.and_then(|to| self.domain_of(&to).map(|domain| (to, domain)));
        //= RFC 3261 §10.3 step 4, 5: users register themselves, and only what is of this domain.
        let Some((to, domain)) = own else {
            return self.refuse(now, transaction, &request, Status::NOT_FOUND);
        };
        if !is_user_of(user, &to, &domain) {
            return self.refuse(now, transaction, &request, Status::FORBIDDEN);
        }
        let address = format!("{}@{domain}", to.user().unwrap_or_default());
        let current = self.location.bindings(&address);
        match registrar::register(&self.config.registrar, now, &request, flow, current) {
            Outcome::Refused(response) | Outcome::Query(response) => {
                self.reply(now, transaction, &request, response);
            }
            Outcome::Changed { bindings, response } => {
                let saved = bindings.iter().map(|binding| binding.saved(now)).collect();
                let event = match bindings.first() {
                    Some(first) => Event::Registered {
                        address: address.clone(),
                        contact: first.contact.to_string(),
                        remote: flow.remote,
                        expires: first.remaining(now),
                    },
                    None => Event::Unregistered { address: address.clone() },
                };
                if self.location.set(&address, bindings).is_err() {
                    let status = Status::SERVICE_UNAVAILABLE;
                    return self.refuse(now, transaction, &request, status);
                }
                let question = Question::SaveBindings(SavedAddress { address, bindings: saved });
                let change = Change { transaction, request, response, event };
                self.ask(question, Waiting::Saved(Box::new(change)));
            }
        }
    }

    /// Forgets the bindings of an address, those too that are on their way to be kept.
    pub(crate) fn unregister(&mut self, address: &str) {
        if self.location.bindings(address).is_empty() {
            return;
        }
        // None fit always.
        let _ = self.location.set(address, Vec::new());
        let address = address.to_owned();
        self.outputs.event(Event::Unregistered { address: address.clone() });
        let saved = SavedAddress { address, bindings: Vec::new() };
        self.ask(Question::SaveBindings(saved), Waiting::Nothing);
    }

    /// The bindings are kept, or could not be.
    pub(crate) fn saved(&mut self, now: Now, change: Box<Change>, kept: bool) {
        let Change { transaction, request, response, event } = *change;
        if kept {
            self.stats.registrations += 1;
            self.reply(now, transaction, &request, response);
            self.outputs.event(event);
        } else {
            self.refuse(now, transaction, &request, Status::SERVER_INTERNAL_ERROR);
        }
    }
}
