//! What an account's calls need to know: servers to ask, relays, addresses.

use std::net::IpAddr;

use call::media::Source;

use crate::config::{Account, IceMode, Relays, TurnServer};
use crate::phone::Phone;

impl Phone {
    pub(crate) fn call_config(&self, account: usize, source: Source) -> call::Config {
        let route = self.lines.get(account).and_then(|line| line.route);
        let stun_servers = match route {
            _ if !self.config.stun_servers.is_empty() => self.config.stun_servers.clone(),
            // Without ICE the description names our own address, unless a server was configured.
            _ if self.config.ice == IceMode::Off => Vec::new(),
            Some(route) => vec![route.stun],
            None => Vec::new(),
        };
        let sip = self.lines.get(account).is_some_and(|line| line.sip().is_some());
        call::Config {
            capabilities: self.config.capabilities.clone(),
            ice: self.config.ice,
            trickle: self.config.trickle && !sip,
            stun_servers,
            turn_servers: self.turn_servers(account),
            // A core on this host may have its relay and its users here too, and nowhere else.
            include_loopback: self.config.include_loopback
                || route.is_some_and(|route| route.is_on_this_host()),
            preferred: route.map(|route| route.ours),
            source,
            stats_every: self.config.media_report,
        }
    }

    /// The TURN servers of an account's calls.
    fn turn_servers(&self, account: usize) -> Vec<TurnServer> {
        let given = match &self.config.relays {
            _ if self.config.ice == IceMode::Off => return Vec::new(),
            Relays::Off => return Vec::new(),
            Relays::Given(servers) => return servers.clone(),
            Relays::OfCore => self.config.accounts.get(account),
        };
        let route = self.lines.get(account).and_then(|line| line.route);
        let (Some(Account { address, password, .. }), Some(route)) = (given, route) else {
            return Vec::new();
        };
        let registrar = route.server.ip();
        // An address has no records, nor has what is this host alone (RFC 6761 §6.3): no look-up then.
        let domain = address.domain();
        let nowhere = domain.parse::<IpAddr>().is_ok() || domain.eq_ignore_ascii_case("localhost");
        let host = if nowhere { registrar.to_string() } else { domain };
        vec![TurnServer {
            host,
            port: None,
            transport: None,
            fallback: vec![registrar],
            username: address.user(),
            password: password.clone(),
        }]
    }
}
