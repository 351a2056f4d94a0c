//! REGISTER (RFC 3261 §10.3): answered with 200 once the bindings are kept.

use machine::Now;
use sip::auth::Side;
use sip::header::name;
use sip::location::Binding;
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
    address: String,
    /// What the address has with the change.
    bindings: Vec<Binding>,
}

/// What is kept of an address of which changes are on their way: as many as requests may wait.
#[derive(Debug)]
pub(crate) struct Unsaved {
    kept: Vec<Binding>,
    changes: usize,
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
                let kept = current.to_vec();
                if self.location.set(&address, bindings.clone()).is_err() {
                    let status = Status::SERVICE_UNAVAILABLE;
                    return self.refuse(now, transaction, &request, status);
                }
                let unsaved = Unsaved { kept, changes: 0 };
                self.unsaved.entry(address.clone()).or_insert(unsaved).changes += 1;
                let saved = SavedAddress { address: address.clone(), bindings: saved };
                let question = Question::SaveBindings(saved);
                let change = Change { transaction, request, response, event, address, bindings };
                self.ask(now, question, Waiting::Saved(Box::new(change)));
            }
        }
    }

    /// Forgets the bindings of an address, those too that are on their way to be kept.
    pub(crate) fn unregister(&mut self, now: Now, address: &str) {
        let is_unsaved = self.unsaved.remove(address).is_some();
        if self.location.bindings(address).is_empty() && !is_unsaved {
            return;
        }
        // None fit always.
        let _ = self.location.set(address, Vec::new());
        let address = address.to_owned();
        self.outputs.event(Event::Unregistered { address: address.clone() });
        let saved = SavedAddress { address, bindings: Vec::new() };
        self.ask(now, Question::SaveBindings(saved), Waiting::Nothing);
    }

    /// The bindings are kept, or could not be.
    pub(crate) fn saved(&mut self, now: Now, change: Box<Change>, kept: bool) {
        let Change { transaction, request, response, event, address, bindings } = *change;
        if kept {
            self.stats.registrations += 1;
            self.reply(now, transaction, &request, response);
            self.outputs.event(event);
        } else {
            self.refuse(now, transaction, &request, Status::SERVER_INTERNAL_ERROR);
        }
        self.change_ended(now, &address, kept.then_some(bindings));
    }

    /// A change of an address was kept, or not. After the last of them the address has what is kept
    /// of it: as phones are told, and as it would be after a restart.
    fn change_ended(&mut self, now: Now, address: &str, kept: Option<Vec<Binding>>) {
        let Some(unsaved) = self.unsaved.get_mut(address) else { return };
        let is_kept = kept.is_some();
        if let Some(kept) = kept {
            unsaved.kept = kept;
        }
        unsaved.changes = unsaved.changes.saturating_sub(1);
        if unsaved.changes > 0 {
            return;
        }
        let kept = self.unsaved.remove(address).map(|unsaved| unsaved.kept);
        if !is_kept && let Some(mut kept) = kept {
            kept.retain(|binding| binding.expires > now.mono);
            // Where another has taken its place among the addresses meanwhile, it has ended.
            let _ = self.location.set(address, kept);
        }
    }
}
