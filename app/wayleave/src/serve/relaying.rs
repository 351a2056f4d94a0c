//! `[turn]` and `[relay]` in the words of the TURN server.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::path::Path;

use crypto::Secret;
use machine::Endpoint;
use turn::server::{Limits, Prefix, RelayAddress};

use crate::config::{Config, Listen, Network};
use crate::failure::Failure;

/// What the TURN server does by this configuration; reads the file of secrets.
pub fn turn_config(config: &Config) -> Result<turn::server::Config, Failure> {
    let turn = &config.turn;
    let addresses = relay_addresses(config, source_address);
    let prefix = |network: &Network| {
        Prefix::new(network.ip, network.len).expect("a network is checked when it is read")
    };
    Ok(turn::server::Config {
        relays: addresses.iter().map(|&ip| seen(ip, &config.external_address)).collect(),
        ports: config.relay.ports.0.clone(),
        allow_peers: turn.allow_peers.iter().map(prefix).collect(),
        secrets: turn.shared_secret_file.as_deref().map_or(Ok(Vec::new()), secrets)?,
        alternates: turn.alternate_server.map(Endpoint::from).into_iter().collect(),
        limits: limits(config),
        ..turn::server::Config::new(&config.domain, [])
    })
}

fn limits(config: &Config) -> Limits {
    let (quotas, defaults) = (&config.turn.quotas, Limits::default());
    let lifetime = config.turn.lifetime.map(|span| span.0);
    Limits {
        allocations: quotas.total,
        allocations_per_user: quotas.user,
        allocations_per_address: quotas.address,
        bytes_per_second: quotas.bytes_per_second,
        lifetime: lifetime.unwrap_or(defaults.lifetime),
        max_lifetime: lifetime.unwrap_or(defaults.max_lifetime),
        ..defaults
    }
}

/// An address as the world sees it.
fn seen(local: IpAddr, external: &BTreeMap<IpAddr, IpAddr>) -> RelayAddress {
    RelayAddress { local, external: external.get(&local).copied().unwrap_or(local) }
}

/// The addresses to relay from, one of each family at most: those that are named, or the first that
/// is listened on. Where every address is listened on, `source` tells which one the system sends
/// from.
fn relay_addresses(config: &Config, source: impl Fn(IpAddr) -> Option<IpAddr>) -> Vec<IpAddr> {
    let named = &config.relay.addresses;
    let listened = config
        .listen
        .iter()
        .filter_map(|&Listen { ip, .. }| if ip.is_unspecified() { source(ip) } else { Some(ip) });
    let candidates: Vec<IpAddr> = if named.is_empty() { listened.collect() } else { named.clone() };
    let first = |wanted: fn(&IpAddr) -> bool| candidates.iter().copied().find(wanted);
    let mut found: Vec<IpAddr> = first(IpAddr::is_ipv4).into_iter().collect();
    found.extend(first(IpAddr::is_ipv6));
    if found.is_empty() {
        // A machine without a network serves itself.
        found.push(Ipv4Addr::LOCALHOST.into());
    }
    found
}

/// The address that the system sends from to the rest of the world, for the family of `any`. Nothing
/// is sent: the route is looked up for an address of documentation (RFC 5737, RFC 3849).
fn source_address(any: IpAddr) -> Option<IpAddr> {
    let far = if any.is_ipv4() { "192.0.2.1:9" } else { "[2001:db8::1]:9" };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(far).ok()?;
    socket.local_addr().ok().map(|local| local.ip()).filter(|ip| !ip.is_unspecified())
}

/// The secrets in a file, one a line.
fn secrets(path: &Path) -> Result<Vec<Secret>, Failure> {
    let cannot = |why: &str| {
        Failure::configuration(format!(
            "turn.shared_secret_file: cannot use {}: {why}",
            path.display()
        ))
        .with_remedy(
            "write one secret a line into it, `openssl rand -hex 32` makes one, and let this user \
             alone read it",
        )
    };
    let text = std::fs::read_to_string(path).map_err(|error| cannot(&error.to_string()))?;
    let secrets: Vec<Secret> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|line| Secret::new(line.as_bytes().to_vec()))
        .collect();
    if secrets.is_empty() { Err(cannot("there is no secret in it")) } else { Ok(secrets) }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use super::{relay_addresses, turn_config};
    use crate::config::Config;

    fn addresses(listen: &[&str], named: &[&str]) -> Vec<String> {
        let mut config = Config {
            listen: listen.iter().map(|text| text.parse().unwrap()).collect(),
            ..Config::default()
        };
        config.relay.addresses = named.iter().map(|text| text.parse().unwrap()).collect();
        let source = |any: IpAddr| any.is_ipv4().then(|| "198.51.100.7".parse().unwrap());
        relay_addresses(&config, source).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn relays_from_what_is_named_or_listened_on_or_sent_from() {
        assert_eq!(addresses(&["0.0.0.0", "::"], &[]), ["198.51.100.7"]);
        assert_eq!(
            addresses(&["2001:db8::1", "192.0.2.1", "192.0.2.2"], &[]),
            ["192.0.2.1", "2001:db8::1"]
        );
        assert_eq!(
            addresses(&["192.0.2.1"], &["192.0.2.9", "2001:db8::9"]),
            ["192.0.2.9", "2001:db8::9"]
        );
        assert_eq!(addresses(&["::"], &[]), ["127.0.0.1"]);
    }

    #[test]
    fn what_the_keys_say_is_done() {
        let mut config = Config::default();
        config.relay.addresses = vec!["10.0.0.5".parse().unwrap()];
        let outside = "203.0.113.7".parse().unwrap();
        config.external_address.insert("10.0.0.5".parse().unwrap(), outside);
        config.turn.lifetime = Some("30s".parse().unwrap());
        config.turn.allow_peers = vec!["10.0.0.0/8".parse().unwrap()];
        config.turn.quotas.user = 3;
        let turn = turn_config(&config).unwrap();
        assert_eq!(turn.relays[0].external, outside);
        assert_eq!(turn.limits.lifetime, Duration::from_secs(30));
        assert_eq!(turn.limits.max_lifetime, Duration::from_secs(30));
        assert_eq!(turn.limits.allocations_per_user, 3);
        assert!(turn.allow_peers[0].contains("10.9.9.9".parse().unwrap()));
    }

    #[test]
    fn every_line_is_a_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let mut config = Config::default();
        config.turn.shared_secret_file = Some(path.clone());
        assert!(turn_config(&config).unwrap_err().message.contains("turn.shared_secret_file"));
        std::fs::write(&path, "\n \n").unwrap();
        assert!(turn_config(&config).is_err());
        std::fs::write(&path, "new\n\n old \n").unwrap();
        let secrets = turn_config(&config).unwrap().secrets;
        assert_eq!(secrets.iter().map(|s| s.reveal()).collect::<Vec<_>>(), [b"new", b"old"]);
    }
}
