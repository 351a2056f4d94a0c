//! The registrar (RFC 3261 §10.3, RFC 5626 §6): from a REGISTER that is authenticated to the new
//! bindings of its address of record, and the answer.

use std::time::Duration;

use machine::Now;

use crate::defaults;
use crate::header::{Contact, Contacts, Date, name};
use crate::location::Binding;
use crate::message::{Request, Response};
use crate::status::Status;
use crate::transport::Flow;
use crate::uri::Uri;

/// The extensions that a registrar understands. Path (RFC 3327) is not among them: it stands
/// before the proxies of others, and this one is its own edge.
pub const EXTENSIONS: &[&str] = &["outbound"];

/// How long registrations may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Shorter ones are refused with a 423.
    pub min_expires: Duration,
    /// Longer ones are cut.
    pub max_expires: Duration,
    /// What a REGISTER that does not say gets.
    pub default_expires: Duration,
    /// Bindings of one address; the one that ends first makes room for a new one.
    pub bindings: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            min_expires: defaults::EXPIRES_MIN,
            max_expires: defaults::EXPIRES_MAX,
            default_expires: defaults::REGISTER_EXPIRES,
            bindings: defaults::BINDINGS_PER_ADDRESS,
        }
    }
}

/// What comes of a REGISTER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is refused with this response, and nothing changes.
    Refused(Response),
    /// It asks for the bindings alone.
    Query(Response),
    /// These are the new bindings, and the answer to give once they are kept.
    Changed {
        /// All bindings of the address from now on.
        bindings: Vec<Binding>,
        /// The 200.
        response: Response,
    },
}

/// Works a REGISTER that came over `flow` into the `current` bindings of its address.
#[must_use]
pub fn register(
    config: &Config,
    now: Now,
    request: &Request,
    flow: Flow,
    current: &[Binding],
) -> Outcome {
    let refused = |status: Status| Outcome::Refused(request.response(status));
    let Ok(contacts) = request.contacts() else { return refused(Status::BAD_REQUEST) };
    let current: Vec<_> = current.iter().filter(|b| b.expires > now.mono).cloned().collect();
    match contacts {
        Contacts::List(list) if list.is_empty() => {
            Outcome::Query(listing(now, request, &current, false))
        }
        Contacts::Any => {
            //= RFC 3261 §10.3 step 6: `*` goes with Expires 0 and nothing else.
            let zero = request.headers.expires().ok().flatten().is_some_and(|e| e.secs == 0);
            if !zero {
                return refused(Status::BAD_REQUEST);
            }
            if current.iter().any(|binding| is_late(request, binding)) {
                return refused(Status::SERVER_INTERNAL_ERROR);
            }
            let response = listing(now, request, &[], false);
            Outcome::Changed { bindings: Vec::new(), response }
        }
        Contacts::List(list) => match change(config, now, request, flow, current, &list) {
            Ok((bindings, outbound)) => {
                let response = listing(now, request, &bindings, outbound);
                Outcome::Changed { bindings, response }
            }
            Err(response) => Outcome::Refused(response),
        },
    }
}

/// Applies every contact, or none (RFC 3261 §10.3 step 7). Also says whether outbound was used.
fn change(
    config: &Config,
    now: Now,
    request: &Request,
    flow: Flow,
    mut bindings: Vec<Binding>,
    contacts: &[Contact],
) -> Result<(Vec<Binding>, bool), Response> {
    // Each is compared with all before it, and more than these could not stay.
    if contacts.len() > config.bindings + bindings.len() {
        return Err(request.response(Status::BAD_REQUEST));
    }
    let outbound = request.headers.has_token(name::SUPPORTED, "outbound");
    let mut used = false;
    for contact in contacts {
        if !matches!(contact.uri(), Uri::Sip(_)) {
            return Err(request.response(Status::BAD_REQUEST));
        }
        let expires = expires(config, request, contact)?;
        let device = contact.instance().zip(contact.reg_id()).filter(|_| outbound);
        used |= device.is_some() && !expires.is_zero();
        let binding = Binding {
            contact: contact.uri().clone(),
            q_thousandths: contact.q_thousandths(),
            device,
            call_id: request.call_id().unwrap_or("").to_owned(),
            number: request.cseq().map_or(0, |cseq| cseq.number),
            flow,
            expires: now.mono + expires,
        };
        if bindings.iter().any(|old| old.is_same(&binding) && is_late(request, old)) {
            //= RFC 3261 §10.3 step 7: a request out of order changes nothing.
            return Err(request.response(Status::SERVER_INTERNAL_ERROR));
        }
        // A device that comes with another URI, and a URI without its device, replace both.
        bindings
            .retain(|old| !old.is_same(&binding) && !old.contact.is_equivalent(&binding.contact));
        if !expires.is_zero() {
            bindings.push(binding);
        }
    }
    while bindings.len() > config.bindings {
        let first = bindings.iter().enumerate().min_by_key(|(_, binding)| binding.expires);
        let Some((first, _)) = first else { break };
        bindings.remove(first);
    }
    Ok((bindings, used))
}

/// Whether `request` is not younger than the one that made `binding`.
fn is_late(request: &Request, binding: &Binding) -> bool {
    let number = request.cseq().map_or(0, |cseq| cseq.number);
    request.call_id().is_ok_and(|id| id == binding.call_id) && number <= binding.number
}

/// How long a contact is bound (RFC 3261 §10.3 step 6).
fn expires(config: &Config, request: &Request, contact: &Contact) -> Result<Duration, Response> {
    let own = contact.expires_secs().map(|secs| Duration::from_secs(secs.into()));
    let header = || request.headers.expires().ok().flatten().map(|expires| expires.duration());
    let asked = own.or_else(header).unwrap_or(config.default_expires);
    if !asked.is_zero() && asked < config.min_expires {
        //= RFC 3261 §10.3 step 6: too brief is answered with a 423 and Min-Expires.
        let response = request.response(Status::INTERVAL_TOO_BRIEF);
        return Err(response.with_header(name::MIN_EXPIRES, config.min_expires.as_secs()));
    }
    Ok(asked.min(config.max_expires))
}

/// A 200 that lists all bindings (RFC 3261 §10.3 step 8).
fn listing(now: Now, request: &Request, bindings: &[Binding], outbound: bool) -> Response {
    let mut response = request.response(Status::OK);
    for binding in bindings {
        let mut contact =
            Contact::new(binding.contact.clone()).with_expires(binding.remaining(now));
        if binding.q_thousandths < 1000 {
            contact.0.params.set("q", format!("0.{:03}", binding.q_thousandths));
        }
        if let Some((instance, reg_id)) = &binding.device {
            contact = contact.with_instance(instance).with_reg_id(*reg_id);
        }
        response.headers.push(name::CONTACT, contact);
    }
    response.headers.push(name::DATE, Date::new(now.unix));
    response.headers.push(name::SUPPORTED, EXTENSIONS.join(", "));
    if outbound {
        //= RFC 5626 §6: a registrar that used outbound says so.
        response.headers.push(name::REQUIRE, "outbound");
    }
    response
}

#[cfg(test)]
mod tests;
