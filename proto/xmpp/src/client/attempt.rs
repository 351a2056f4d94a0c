//! One attempt: from the domain to addresses, from an address to a login (RFC 6120 §3.2, §13.7.2).

use std::collections::VecDeque;

use machine::srv::Lookup;
use machine::{ConnectionBinding, Endpoint, Id, Now, Output, Record, ResolveError};

use super::control::{Client, State, Timer};
use super::defaults::{CONNECT, LOOKUP};
use super::event::{Error, Event, Online};
use super::link::{Link, Phase};
use super::locate::{Locator, Target};
use crate::FullJid;
use crate::sasl::{Mechanism, Policy};
use crate::stream::client::{self as stream, Stream};

/// One attempt, an address at a time.
#[derive(Debug)]
pub(super) struct Trying {
    pub(super) link: Box<Link>,
    pub(super) rest: VecDeque<Target>,
    /// What came of the addresses before.
    pub(super) failed: Option<Error>,
}

impl Client {
    /// Begins an attempt.
    pub(super) fn begin(&mut self, now: Now) {
        self.timers.cancel(&Timer::Retry);
        let (locator, lookups) = Locator::new(&self.config, &mut self.ids);
        self.timers.set(Timer::Lookup, now.mono + LOOKUP);
        self.state = State::Locating(locator);
        self.look_up(now, lookups);
    }

    fn look_up(&mut self, now: Now, lookups: Vec<Lookup>) {
        for Lookup { id, name, kinds } in lookups {
            self.outputs.push(Output::Resolve { id, name, kinds });
        }
        if matches!(&self.state, State::Locating(locator) if !locator.is_busy()) {
            self.located(now);
        }
    }

    pub(super) fn resolved(
        &mut self,
        now: Now,
        id: Id,
        records: &Result<Vec<Record>, ResolveError>,
    ) {
        if let State::Locating(locator) = &mut self.state {
            let lookups = locator.resolved(id, records, &mut self.ids);
            self.look_up(now, lookups);
        }
    }

    /// DNS has said what it has to say.
    pub(super) fn located(&mut self, now: Now) {
        self.timers.cancel(&Timer::Lookup);
        if let State::Locating(locator) = std::mem::replace(&mut self.state, State::Idle) {
            match locator.targets(&mut self.chance) {
                Ok(targets) => self.try_next(now, targets, None),
                Err(error) => self.give_up(now, error),
            }
        }
    }

    /// Tries the next address; without another, the attempt has failed.
    pub(super) fn try_next(&mut self, now: Now, mut rest: VecDeque<Target>, failed: Option<Error>) {
        let Some(target) = rest.pop_front() else {
            return self.give_up(now, failed.unwrap_or(Error::TimedOut));
        };
        let config = stream::Config {
            account: self.config.jid.clone(),
            password: self.config.password.clone(),
            resource: self.config.resource.clone(),
            policy: Policy { allow: self.config.policy.allow.clone(), at_least: self.proven },
            direct_tls: target.direct_tls,
            allow_plaintext: !self.config.require_tls,
        };
        self.opened += 1;
        let entropy = self.streams.fork(&format!("xmpp.stream.{}", self.opened));
        let stream = Stream::new(config, &entropy, now);
        let link = Link::open(self.ids.next_id(), target, stream, &mut self.outputs);
        self.timers.set(Timer::Connect, now.mono + CONNECT);
        self.state = State::Trying(Trying { link: Box::new(link), rest, failed });
    }

    pub(super) fn start_tls(&mut self) {
        if let State::Trying(trying) = &mut self.state {
            let domain = self.config.jid.domain().as_str();
            trying.link.start_tls(domain, &mut self.outputs);
        }
    }

    pub(super) fn online(
        &mut self,
        now: Now,
        jid: FullJid,
        mechanism: Mechanism,
        channel_bound: bool,
    ) {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Trying(Trying { link, .. }) => {
                self.timers.cancel(&Timer::Connect);
                self.timers.set(Timer::Keepalive, now.mono + self.config.keepalive);
                self.backoff.online(now.mono);
                self.stats.logins += 1;
                self.proven = self.proven.max(Some(mechanism));
                self.outputs.event(Event::Online(Online {
                    jid: jid.clone(),
                    server: link.target.endpoint,
                    local: link.local,
                    secured: link.secured,
                    direct_tls: link.target.direct_tls,
                    mechanism,
                    channel_bound,
                }));
                self.state = State::Online(link);
                self.in_session(now, |session, context| session.begin(context, jid));
            }
            other => self.state = other,
        }
    }

    pub(super) fn connected(&mut self, now: Now, id: Id, local: Endpoint, room: usize) {
        let domain = self.config.jid.domain().as_str();
        let State::Trying(Trying { link, .. }) = &mut self.state else { return };
        if link.conn != id || link.phase != Phase::Connecting {
            return;
        }
        link.local = local;
        link.writable(room, &mut self.outputs);
        if link.target.direct_tls {
            link.phase = Phase::Handshaking;
            link.start_tls(domain, &mut self.outputs);
        } else {
            link.phase = Phase::Streaming;
            link.stream.connected(now);
            self.pump(now);
        }
    }

    pub(super) fn secured(&mut self, now: Now, id: Id, binding: ConnectionBinding, room: usize) {
        let State::Trying(Trying { link, .. }) = &mut self.state else { return };
        if link.conn != id {
            return;
        }
        link.secured = true;
        link.phase = Phase::Streaming;
        self.timers.cancel(&Timer::Connect);
        link.writable(room, &mut self.outputs);
        link.stream.secured(now, binding);
        self.pump(now);
    }
}
