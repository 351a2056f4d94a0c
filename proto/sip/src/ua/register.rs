//! Registrations (RFC 3261 §10.2, RFC 5626 §4.2): refreshed in time, tried again with growing
//! pauses, moved when our address as the registrar sees it moves.

use std::time::Duration;

use machine::{Endpoint, Now, Transport};

use super::account::Identity;
use super::request::Purpose;
use super::{AccountId, Event, Reason, Timer, UserAgent};
use crate::defaults;
use crate::header::{Contact, NameAddr, name};
use crate::message::{Request, Response};
use crate::method::Method;
use crate::stack::Target;
use crate::status::Status;
use crate::transport::{Flow, flow};
use crate::uri::{SipUri, Uri};

impl UserAgent {
    /// Registers an account and keeps it registered. Waits for the listeners by itself.
    pub fn register(&mut self, now: Now, account: AccountId) {
        let Some(identity) = self.accounts.get_mut(&account) else { return };
        identity.registration.wanted = true;
        identity.registration.failures = 0;
        self.send_register(now, account);
        self.pump(now);
    }

    /// Removes an account's registration. [`Event::Unregistered`] follows, or
    /// [`Event::RegistrationFailed`].
    pub fn unregister(&mut self, now: Now, account: AccountId) {
        let Some(identity) = self.accounts.get_mut(&account) else { return };
        identity.registration.wanted = false;
        self.timers.cancel(&Timer::Register(account));
        if !identity.registration.bound && !identity.registration.busy {
            self.events.push_back(Event::Unregistered { account });
        } else {
            self.send_register(now, account);
            self.pump(now);
        }
    }

    /// A STUN Binding response came over `flow`, with this mapped address. If the address is a
    /// new one, the account registers again.
    pub fn keepalive_answered(&mut self, now: Now, flow: Flow, reflexive: Endpoint) {
        for account in self.accounts_over(&flow) {
            let Some(identity) = self.accounts.get_mut(&account) else { continue };
            let registration = &mut identity.registration;
            //= RFC 5626 §4.4.2: another mapped address means that the flow has failed.
            if registration.reflexive.replace(reflexive) != Some(reflexive) {
                registration.moves = 0;
                self.send_register(now, account);
            }
        }
        self.pump(now);
    }

    /// No STUN Binding response came over `flow`: the account registers again.
    pub fn keepalive_failed(&mut self, now: Now, flow: Flow) {
        self.flow_lost(now, &flow);
        self.pump(now);
    }

    /// Registers again whatever was registered over a flow that is gone.
    pub(super) fn flow_lost(&mut self, now: Now, flow: &Flow) {
        for account in self.accounts_over(flow) {
            self.send_register(now, account);
        }
    }

    pub(super) fn accounts_over(&self, flow: &Flow) -> Vec<AccountId> {
        let over = |identity: &Identity| identity.registration.flow.as_ref() == Some(flow);
        self.accounts.iter().filter(|(_, i)| over(i)).map(|(&account, _)| account).collect()
    }

    /// Sends REGISTER for every account that wants it and has none under way.
    pub(super) fn register_wanted(&mut self, now: Now) {
        let wants = |i: &Identity| i.registration.wanted && !i.registration.bound;
        let accounts: Vec<_> =
            self.accounts.iter().filter(|(_, i)| wants(i)).map(|(&account, _)| account).collect();
        accounts.into_iter().for_each(|account| self.send_register(now, account));
    }

    /// Sends REGISTER, or one with Expires 0 if the account is not wanted any more.
    pub(super) fn send_register(&mut self, now: Now, account: AccountId) {
        let Some(identity) = self.accounts.get(&account) else { return };
        let registration = &identity.registration;
        //= RFC 3261 §10.2: no new registration while one is under way.
        if registration.busy || !self.stack.is_settled() {
            return;
        }
        let expires = if registration.wanted {
            identity.account.expires.max(registration.min_expires)
        } else {
            Duration::ZERO
        };
        let (transport, address) = self.contact_address(identity);
        let contact = self.contact_at(identity, transport, address);
        let from = identity.from(&registration.tag);
        let to = NameAddr::new(Uri::Sip(identity.account.address.clone()));
        let number = registration.number + 1;
        let (domain, call_id) = (identity.domain(), registration.call_id.clone());
        let mut request =
            Request::with_essentials(Method::Register, domain, &from, &to, &call_id, number)
                .with_header(name::CONTACT, &contact)
                .with_header(name::EXPIRES, expires.as_secs())
                .with_header(name::SUPPORTED, "path, outbound")
                .with_header(name::USER_AGENT, &self.config.user_agent);
        // The binding of an address that we had before goes with the same request.
        if let Some((_, old)) = registration.contact.as_ref().filter(|(at, _)| *at != address) {
            request.headers.push(name::CONTACT, format!("<{old}>;expires=0"));
        }
        let target = self.target_of(identity);
        if let Some(identity) = self.accounts.get_mut(&account) {
            identity.registration.busy = true;
            identity.registration.removing = expires.is_zero();
            identity.registration.number = number;
            identity.registration.contact = Some((address, contact.uri().to_string()));
        }
        self.send(now, account, Purpose::Register(account), request, target);
    }

    /// Where requests of an account outside dialogs go: over the stream that it is registered over
    /// while that lives, since whatever made it a stream still stands; else to its server.
    pub(super) fn target_of(&self, identity: &Identity) -> Target {
        match identity.registration.flow {
            Some(flow) if flow.is_reliable() && self.stack.is_alive(&flow) => Target::Flow(flow),
            _ => identity.target(),
        }
    }

    /// The address to put into Contact: the reflexive one if it is known (RFC 3581 tells it), else
    /// that of a listener.
    pub(super) fn contact_address(&self, identity: &Identity) -> (Transport, Endpoint) {
        let registration = &identity.registration;
        let server = identity.account.server.as_ref().and_then(Uri::as_sip);
        let tcp = server.and_then(SipUri::transport).is_some_and(|t| t.eq_ignore_ascii_case("tcp"));
        let asked = if tcp { Transport::Tcp } else { Transport::Udp };
        let transport = registration.flow.map_or(asked, |flow| flow.transport);
        let ipv6 = server.is_some_and(|uri| uri.host.ip().is_some_and(|ip| ip.is_ipv6()));
        let local = registration.reflexive.or_else(|| self.stack.local_address(!ipv6));
        (transport, local.unwrap_or(Endpoint::UNSPECIFIED_V4))
    }

    fn contact_at(&self, identity: &Identity, transport: Transport, at: Endpoint) -> Contact {
        let uri = contact_uri(&identity.user(), transport, at);
        let contact = Contact::new(Uri::Sip(uri));
        if identity.account.instance.is_empty() {
            return contact;
        }
        contact.with_instance(&identity.account.instance).with_reg_id(1)
    }

    pub(super) fn register_answered(
        &mut self,
        now: Now,
        account: AccountId,
        flow: Flow,
        response: &Response,
    ) {
        let Some(identity) = self.accounts.get_mut(&account) else { return };
        identity.registration.busy = false;
        if response.status == Status::INTERVAL_TOO_BRIEF
            && let Ok(Some(least)) = response.headers.min_expires()
            && least.duration() > identity.registration.min_expires
        {
            //= RFC 3261 §10.2.8: again with at least what the registrar asks for.
            identity.registration.min_expires = least.duration();
            return self.send_register(now, account);
        }
        if !response.status.is_success() {
            let (status, phrase) = (response.status, response.reason.clone());
            return self.register_failed(now, account, Reason::Refused { status, phrase });
        }
        if identity.registration.removing {
            return self.unregistered(now, account);
        }
        let reflexive = reflexive(response);
        let registration = &mut identity.registration;
        registration.bound = true;
        registration.failures = 0;
        let before = registration.flow.replace(flow);
        let wanted = registration.wanted;
        registration.reflexive = reflexive.or(registration.reflexive);
        let moved = registration.contact.as_ref().map(|(at, _)| *at) != registration.reflexive;
        let expires = granted(response, registration.contact.as_ref().map(|(_, uri)| uri.as_str()))
            .unwrap_or(identity.account.expires);
        if let Some(before) = before.filter(|before| *before != flow) {
            self.stack.let_go(&before);
        }
        self.stack.keep_alive(now, flow);
        if !wanted {
            // The owner changed its mind meanwhile.
            return self.send_register(now, account);
        }
        let Some(identity) = self.accounts.get_mut(&account) else { return };
        // A Contact that the registrar can reach: one more REGISTER, but not in circles.
        if moved && reflexive.is_some() && identity.registration.moves < 2 {
            identity.registration.moves += 1;
            return self.send_register(now, account);
        }
        identity.registration.moves = 0;
        let part = 80 + self.entropy.below(10) as u32;
        self.timers.set(Timer::Register(account), now.mono + expires * part / 100);
        let reflexive = reflexive.unwrap_or(flow.local);
        self.events.push_back(Event::Registered { account, expires, flow, reflexive });
    }

    fn unregistered(&mut self, now: Now, account: AccountId) {
        let Some(identity) = self.accounts.get_mut(&account) else { return };
        identity.registration.bound = false;
        identity.registration.contact = None;
        if let Some(flow) = identity.registration.flow.take() {
            self.stack.let_go(&flow);
        }
        if identity.registration.wanted {
            return self.send_register(now, account);
        }
        self.events.push_back(Event::Unregistered { account });
    }

    /// A registration failed for good, or is tried again after a pause (RFC 5626 §4.5).
    pub(super) fn register_failed(&mut self, now: Now, account: AccountId, reason: Reason) {
        let Some(identity) = self.accounts.get_mut(&account) else { return };
        let registration = &mut identity.registration;
        registration.busy = false;
        registration.failures += 1;
        let retry = registration.wanted && is_passing(&reason);
        let retry_in = retry.then(|| {
            let doubled = defaults::REGISTER_RETRY * 2_u32.pow((registration.failures - 1).min(8));
            let bound = doubled.min(defaults::REGISTER_RETRY_MAX);
            bound / 2 + bound / 2 * (self.entropy.below(1000) as u32) / 1000
        });
        if let Some(pause) = retry_in {
            self.timers.set(Timer::Register(account), now.mono + pause);
        }
        self.events.push_back(Event::RegistrationFailed { account, reason, retry_in });
    }
}

/// The URI of a contact of ours.
pub(super) fn contact_uri(user: &str, transport: Transport, at: Endpoint) -> SipUri {
    let uri = SipUri::new(at.ip().into()).with_user(user).with_port(Some(at.port()));
    match transport {
        Transport::Udp => uri,
        other => uri.with_param("transport", flow::uri_name(other)),
    }
}

/// Our own address as the far side noted it in our Via (RFC 3581).
fn reflexive(response: &Response) -> Option<Endpoint> {
    let via = response.via().ok()?;
    let ip = via.received().or_else(|| via.host.ip())?;
    Some(Endpoint::new(ip, via.rport().unwrap_or(via.port_or_default())))
}

/// How long the registrar lets our binding hold (RFC 3261 §10.2.4).
fn granted(response: &Response, contact: Option<&str>) -> Option<Duration> {
    let own: Option<Uri> = contact.and_then(|uri| uri.parse().ok());
    let contacts = response.contacts().ok()?;
    let ours =
        contacts.list().iter().find(|c| own.as_ref().is_some_and(|o| c.uri().is_equivalent(o)));
    let secs = ours.and_then(Contact::expires_secs).map(u64::from).map(Duration::from_secs);
    let header = response.headers.expires().ok().flatten().map(|expires| expires.duration());
    secs.or(header).filter(|expires| !expires.is_zero())
}

/// Whether a failure may pass by itself.
fn is_passing(reason: &Reason) -> bool {
    match reason {
        Reason::Refused { status, .. } => {
            matches!(status.code(), 408 | 430 | 480 | 486 | 500..=599)
        }
        Reason::TimedOut | Reason::Transport(_) => true,
        _ => false,
    }
}
