//! From the configuration's words to the core's.

use std::net::{Ipv6Addr, UdpSocket};

use machine::{Endpoint, Transport};
use server::{Listener, Service};
use sip::auth::Hash;

use crate::config::{Config, Digest, Listen};

/// The core's configuration; with `any_port` free ports stand in for the standard ones.
pub fn core_config(config: &Config, any_port: bool) -> server::Config {
    let hash = |digest: &Digest| match digest {
        Digest::Md5 => Hash::Md5,
        Digest::Sha256 => Hash::Sha256,
        Digest::Sha512Of256 => Hash::Sha512_256,
    };
    server::Config {
        listeners: listeners(&config.listen, any_port, has_ipv6()),
        external: config.external_address.clone(),
        algorithms: config.sip.digests.iter().map(hash).collect(),
        ..server::Config::new(&config.domain, [])
    }
}

fn listeners(listen: &[Listen], any_port: bool, ipv6: bool) -> Vec<Listener> {
    // On a machine without IPv6 `::` means nothing, and is no mistake: it is in the default.
    let means_something = |listen: &&Listen| ipv6 || listen.ip != Ipv6Addr::UNSPECIFIED;
    let at = |listen: &Listen| match listen.port {
        None => server::Config::listeners_at(listen.ip, any_port).to_vec(),
        // Whoever names SIP's port has STUN on it, and need not share STUN's own.
        Some(port) => [Transport::Udp, Transport::Tcp]
            .map(|transport| Listener {
                service: Service::Sip,
                transport,
                local: Endpoint::new(listen.ip, port),
            })
            .to_vec(),
    };
    listen.iter().filter(means_something).flat_map(at).collect()
}

fn has_ipv6() -> bool {
    UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use machine::Transport;
    use server::Service;

    use super::listeners;
    use crate::config::Listen;

    fn texts(listen: &[&str], any_port: bool, ipv6: bool) -> Vec<String> {
        let listen: Vec<Listen> = listen.iter().map(|text| text.parse().unwrap()).collect();
        let text = |listener: server::Listener| {
            let service = if listener.service == Service::Sip { "sip" } else { "stun" };
            let transport = if listener.transport == Transport::Udp { "udp" } else { "tcp" };
            format!("{service} {transport} {}", listener.local)
        };
        listeners(&listen, any_port, ipv6).into_iter().map(text).collect()
    }

    #[test]
    fn standard_free_and_own_ports() {
        assert_eq!(
            texts(&["192.0.2.1"], false, true),
            ["sip udp 192.0.2.1:5060", "sip tcp 192.0.2.1:5060", "stun udp 192.0.2.1:3478"]
        );
        assert_eq!(
            texts(&["192.0.2.1"], true, true),
            ["sip udp 192.0.2.1:0", "sip tcp 192.0.2.1:0", "stun udp 192.0.2.1:0"]
        );
        assert_eq!(
            texts(&["[2001:db8::1]:5070"], true, true),
            ["sip udp [2001:db8::1]:5070", "sip tcp [2001:db8::1]:5070"]
        );
    }

    #[test]
    fn without_ipv6_every_address_is_ipv4() {
        assert_eq!(texts(&["0.0.0.0", "::"], false, false).len(), 3);
        assert_eq!(texts(&["0.0.0.0", "::"], false, true).len(), 6);
        assert_eq!(texts(&["::1"], false, false).len(), 3);
    }
}
