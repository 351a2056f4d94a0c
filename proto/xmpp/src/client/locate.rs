//! From a domain to addresses to try (RFC 6120 §3.2, RFC 2782, XEP-0368).

use std::collections::VecDeque;
use std::net::IpAddr;

use machine::srv::{self, Lookup, Lookups};
use machine::{Endpoint, Entropy, Id, Ids, Record, ResolveError};

use super::config::Config;
use super::defaults::{MAX_HOST_ADDRESSES, MAX_SRV_RECORDS, MAX_TARGETS};
use super::event::Error;

/// The port of STARTTLS (RFC 6120 §14.7).
const PORT: u16 = 5222;
/// The port that is usual for TLS from the first byte on; no RFC gives it.
const DIRECT_TLS_PORT: u16 = 5223;

/// An address to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) endpoint: Endpoint,
    pub(super) direct_tls: bool,
}

/// Finds one server.
#[derive(Debug)]
pub(super) struct Locator {
    domain: String,
    /// The only kind of TLS that will do, where one does.
    direct: Option<bool>,
    /// Where the host is asked for without a service: by the owner's word, or for want of one.
    plain: Vec<(String, u16, bool)>,
    fallback: Vec<Target>,
    /// Of two services: whether it is that of direct TLS.
    lookups: Lookups<bool>,
    /// What DNS said last where it said nothing useful.
    cause: ResolveError,
}

impl Locator {
    /// Starts; returns what to look up first, which is nothing for an address.
    pub(super) fn new(config: &Config, ids: &mut Ids) -> (Self, Vec<Lookup>) {
        let domain = config.jid.domain().as_str();
        let direct = config.direct_tls;
        let fallback_tls = |port| direct.unwrap_or(port == DIRECT_TLS_PORT);
        let fallback = config.fallback.iter().map(|endpoint| Target {
            endpoint: *endpoint,
            direct_tls: fallback_tls(endpoint.port()),
        });
        let mut locator = Self {
            // RFC 6120 §3.2.1: an address for a domain is taken as it is.
            domain: domain.trim_matches(['[', ']']).to_owned(),
            direct,
            plain: Vec::new(),
            fallback: fallback.collect(),
            lookups: Lookups::new(MAX_SRV_RECORDS, MAX_HOST_ADDRESSES),
            cause: ResolveError::NoRecords,
        };
        let mut first = Vec::new();
        match &config.server {
            Some((host, port)) => {
                locator.plain.push((host.clone(), *port, fallback_tls(*port)));
                first.extend(locator.lookups.ask_host(host, ids));
            }
            None if locator.domain.parse::<IpAddr>().is_ok() => {
                first.extend(locator.ask_domain(ids));
            }
            None => {
                for direct_tls in [true, false] {
                    if direct.is_none_or(|only| only == direct_tls) {
                        let service = if direct_tls { "_xmpps-client" } else { "_xmpp-client" };
                        let name = format!("{service}._tcp.{domain}");
                        first.push(locator.lookups.ask_service(direct_tls, name, ids));
                    }
                }
            }
        }
        (locator, first)
    }

    /// A look-up has its answer; returns what to look up next.
    pub(super) fn resolved(
        &mut self,
        id: Id,
        records: &Result<Vec<Record>, ResolveError>,
        ids: &mut Ids,
    ) -> Vec<Lookup> {
        if !self.lookups.awaits(id) {
            return Vec::new();
        }
        if let Err(cause) = records {
            self.cause = *cause;
        }
        let mut next = self.lookups.resolved(id, records.as_deref().unwrap_or_default(), ids);
        //= RFC 6120 §3.2.2: the domain's own addresses are for want of services alone.
        let found = !self.lookups.services().is_empty() || !self.plain.is_empty();
        if !self.is_busy() && !found && !self.is_refused() {
            next.extend(self.ask_domain(ids));
        }
        next
    }

    /// Whether DNS says that there is no such service.
    ///
    //= RFC 6120 §3.2.1: a target of "." says that there is no such service, and then nothing else is
    //= tried.
    //= XEP-0368 §3: for direct TLS alone, it says no more than that.
    fn is_refused(&self) -> bool {
        let denied = self.lookups.denied();
        denied.iter().any(|direct_tls| !direct_tls || self.direct == Some(true))
    }

    fn ask_domain(&mut self, ids: &mut Ids) -> Option<Lookup> {
        let direct_tls = self.direct == Some(true);
        let port = if direct_tls { DIRECT_TLS_PORT } else { PORT };
        self.plain.push((self.domain.clone(), port, direct_tls));
        self.lookups.ask_host(&self.domain, ids)
    }

    /// Whether a look-up is under way.
    pub(super) fn is_busy(&self) -> bool {
        self.lookups.is_busy()
    }

    /// Gives up waiting for look-ups; returns those that were under way.
    pub(super) fn give_up(&mut self) -> Vec<Id> {
        self.cause = ResolveError::TimedOut;
        self.lookups.give_up()
    }

    /// Where to try, in order.
    ///
    //= XEP-0368 §3: the records of both services are one list, in RFC 2782's order.
    pub(super) fn targets(self, entropy: &mut Entropy) -> Result<VecDeque<Target>, Error> {
        let services = srv::in_order(self.lookups.services().to_vec(), entropy);
        let hosts = services.iter().map(|it| (&it.target, it.port, it.kind));
        let plain = self.plain.iter().map(|(host, port, direct_tls)| (host, *port, *direct_tls));
        let mut targets = VecDeque::new();
        for (host, port, direct_tls) in hosts.chain(plain) {
            for ip in self.lookups.addresses(host) {
                let target = Target { endpoint: Endpoint::new(ip, port), direct_tls };
                if !targets.contains(&target) {
                    targets.push_back(target);
                }
            }
        }
        let refused = self.is_refused();
        if targets.is_empty() && !refused {
            targets.extend(self.fallback);
        }
        targets.truncate(MAX_TARGETS);
        match (targets.is_empty(), refused) {
            (false, _) => Ok(targets),
            (true, true) => Err(Error::NoService { domain: self.domain }),
            (true, false) => {
                let named = self.lookups.hosts().next_back().map(str::to_owned);
                let domain = named.unwrap_or(self.domain);
                Err(Error::NotFound { domain, cause: self.cause })
            }
        }
    }
}

#[cfg(test)]
mod tests;
