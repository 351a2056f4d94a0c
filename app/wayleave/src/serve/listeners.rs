//! From the configuration's words to the core's.

use std::net::{Ipv6Addr, UdpSocket};

use machine::{Endpoint, Transport};
use server::{Listener, Service};
use sip::auth::Hash;

use super::{messaging, relaying};
use crate::config::{Config, Digest, Listen};
use crate::failure::Failure;

/// The core's configuration; with `any_port` free ports stand in for the standard ones. `salt_secret`
/// is the one that is kept.
pub fn core_config(
    config: &Config,
    any_port: bool,
    salt_secret: Option<[u8; 32]>,
) -> Result<server::Config, Failure> {
    let hash = |digest: &Digest| match digest {
        Digest::Md5 => Hash::Md5,
        Digest::Sha256 => Hash::Sha256,
        Digest::Sha512Of256 => Hash::Sha512_256,
    };
    Ok(server::Config {
        listeners: listeners(config, any_port, has_ipv6()),
        alternate_port: Some(config.stun.alternate_port).filter(|&port| port != 0 && !any_port),
        classic: config.stun.classic,
        external: config.external_address.clone(),
        algorithms: config.sip.digests.iter().map(hash).collect(),
        turn: relaying::turn_config(config)?,
        salt_secret,
        xmpp: messaging::xmpp_config(config),
        ..server::Config::new(&config.domain, [])
    })
}

fn listeners(config: &Config, any_port: bool, ipv6: bool) -> Vec<Listener> {
    use Service::{Sip, Turn, Xmpp};
    use Transport::{Tcp, Tls, Udp};
    let ports = |standard: &[u16]| match standard {
        [_, ..] if any_port => vec![0],
        ports => ports.to_vec(),
    };
    let turn = ports(&config.turn.ports);
    let certified = config.tls.certificate.is_some();
    let turns = if certified { ports(&config.turn.tls_ports) } else { Vec::new() };
    let (xmpp, xmpps) = (ports(&config.xmpp.ports), ports(&config.xmpp.tls_ports));
    // On a machine without IPv6 `::` means nothing, and is no mistake: it is in the default.
    let means_something = |listen: &&Listen| ipv6 || listen.ip != Ipv6Addr::UNSPECIFIED;
    let mut listeners = Vec::new();
    for listen in config.listen.iter().filter(means_something) {
        let mut add = |service, transport, port| {
            let local = Endpoint::new(listen.ip, port);
            listeners.push(Listener { service, transport, local });
        };
        let sip = listen.port.unwrap_or(if any_port { 0 } else { server::config::SIP_PORT });
        [Udp, Tcp].into_iter().for_each(|transport| add(Sip, transport, sip));
        for &port in &turn {
            [Udp, Tcp].into_iter().for_each(|transport| add(Turn, transport, port));
        }
        turns.iter().for_each(|&port| add(Turn, Tls, port));
        xmpp.iter().for_each(|&port| add(Xmpp, Tcp, port));
        xmpps.iter().for_each(|&port| add(Xmpp, Tls, port));
    }
    listeners
}

fn has_ipv6() -> bool {
    UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::listeners;
    use crate::config::Config;

    fn texts(listen: &[&str], any_port: bool, ipv6: bool) -> Vec<String> {
        let listen = listen.iter().map(|text| text.parse().unwrap()).collect();
        of(&Config { listen, ..Config::default() }, any_port, ipv6)
    }

    fn of(config: &Config, any_port: bool, ipv6: bool) -> Vec<String> {
        let text = |listener: server::Listener| {
            let service = format!("{:?}", listener.service).to_lowercase();
            let transport = format!("{:?}", listener.transport).to_lowercase();
            format!("{service} {transport} {}", listener.local)
        };
        listeners(config, any_port, ipv6).into_iter().map(text).collect()
    }

    #[test]
    fn standard_free_and_own_ports() {
        assert_eq!(
            texts(&["192.0.2.1"], false, true),
            [
                "sip udp 192.0.2.1:5060",
                "sip tcp 192.0.2.1:5060",
                "turn udp 192.0.2.1:3478",
                "turn tcp 192.0.2.1:3478",
                "xmpp tcp 192.0.2.1:5222",
                "xmpp tls 192.0.2.1:5223"
            ]
        );
        assert_eq!(
            texts(&["192.0.2.1"], true, true),
            [
                "sip udp 192.0.2.1:0",
                "sip tcp 192.0.2.1:0",
                "turn udp 192.0.2.1:0",
                "turn tcp 192.0.2.1:0",
                "xmpp tcp 192.0.2.1:0",
                "xmpp tls 192.0.2.1:0"
            ]
        );
        assert_eq!(
            texts(&["[2001:db8::1]:5070"], true, true)[..2],
            ["sip udp [2001:db8::1]:5070", "sip tcp [2001:db8::1]:5070"]
        );
    }

    #[test]
    fn tls_wants_a_certificate_and_ports_may_be_several_or_none() {
        let mut config = Config { listen: vec!["192.0.2.1".parse().unwrap()], ..Config::default() };
        config.turn.ports = Vec::new();
        config.turn.tls_ports = vec![5349, 443];
        (config.xmpp.ports, config.xmpp.tls_ports) = (Vec::new(), Vec::new());
        assert_eq!(of(&config, false, true).len(), 2);
        config.tls.certificate = Some("fullchain.pem".into());
        let tls = ["turn tls 192.0.2.1:5349", "turn tls 192.0.2.1:443"];
        assert_eq!(of(&config, false, true)[2..], tls);
        assert_eq!(of(&config, true, true)[2..], ["turn tls 192.0.2.1:0"]);
    }

    #[test]
    fn without_ipv6_every_address_is_ipv4() {
        assert_eq!(texts(&["0.0.0.0", "::"], false, false).len(), 6);
        assert_eq!(texts(&["0.0.0.0", "::"], false, true).len(), 12);
        assert_eq!(texts(&["::1"], false, false).len(), 6);
    }
}
