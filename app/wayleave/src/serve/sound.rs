//! What a configuration says that cannot be, and what it says that is hardly meant.

use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::path::Path;
use std::time::Duration;

use crate::config::Config;
use crate::failure::Failure;

/// The least that a stanza may hold (RFC 6120 §13.12).
const STANZA_BYTES_MIN: usize = 10_000;

/// What makes a configuration one that cannot be served.
pub fn check(config: &Config) -> Result<(), Failure> {
    lifetime(config)?;
    ports(config)?;
    xmpp(config)?;
    relayed(config)
}

/// An allocation that ends as soon as it is made serves nobody.
fn lifetime(config: &Config) -> Result<(), Failure> {
    match config.turn.lifetime {
        Some(span) if span.0 < Duration::from_secs(1) => {
            Err(Failure::configuration(format!("turn.lifetime: {span} is too short"))
                .with_remedy("write a second or more: lifetime = \"10m\""))
        }
        _ => Ok(()),
    }
}

/// A port is bound once.
fn ports(config: &Config) -> Result<(), Failure> {
    let turn = &config.turn;
    let tls = config.tls.certificate.iter().flat_map(|_| &turn.tls_ports);
    let xmpp = config.xmpp.ports.iter().chain(&config.xmpp.tls_ports).copied();
    for (key, mut ports) in [
        ("turn.ports", turn.ports.clone()),
        ("turn.tls_ports", turn.tls_ports.clone()),
        ("turn.ports and turn.tls_ports", turn.ports.iter().chain(tls.clone()).copied().collect()),
        ("xmpp.ports and xmpp.tls_ports", xmpp.clone().collect()),
        ("[turn] and [xmpp]", turn.ports.iter().chain(tls.clone()).copied().chain(xmpp).collect()),
    ] {
        ports.sort_unstable();
        let twice = ports.array_windows().find(|[one, next]| one == next && *one != 0);
        if let Some([port, _]) = twice {
            return Err(Failure::configuration(format!("{key}: {port} stands there twice"))
                .with_remedy("name each port once"));
        }
    }
    Ok(())
}

/// Limits that nobody could live with.
fn xmpp(config: &Config) -> Result<(), Failure> {
    let limits = &config.xmpp.limits;
    let wrong = |key: &str, value: &dyn std::fmt::Display, what: &str| {
        Err(Failure::configuration(format!("xmpp.limits.{key}: {value} is {what}"))
            .with_remedy("`wayleave config default` shows what works"))
    };
    for (key, value) in [
        ("connections", limits.connections),
        ("logins", limits.logins),
        ("sessions", limits.sessions),
        ("stanzas_per_second", limits.stanzas_per_second as usize),
        ("bytes_per_second", limits.bytes_per_second as usize),
    ] {
        if value == 0 {
            return wrong(key, &value, "nothing at all: leave xmpp.ports empty to serve no XMPP");
        }
    }
    //= RFC 6120 §13.12: stanzas of 10000 bytes are taken by every server.
    if limits.stanza_bytes < STANZA_BYTES_MIN {
        return wrong("stanza_bytes", &limits.stanza_bytes, "less than 10000");
    }
    if limits.contacts > store::defaults::ROSTER_MAX {
        return wrong("contacts", &limits.contacts, "more than the store keeps: 10000");
    }
    if limits.idle.0 < Duration::from_secs(1) {
        return wrong("idle", &limits.idle, "too short: write a second or more");
    }
    Ok(())
}

/// Whoever asked for an address of another machine would get 508.
fn relayed(config: &Config) -> Result<(), Failure> {
    for &ip in config.relay.addresses.iter().filter(|ip| !ip.is_unspecified()) {
        UdpSocket::bind((ip, 0)).map_err(|error| {
            Failure::configuration(format!("relay.addresses: cannot relay from {ip}: {error}"))
                .with_remedy(
                    "name an address of this machine; what the world sees of it instead stands in \
                     [external_address]",
                )
        })?;
    }
    Ok(())
}

/// What is hardly meant, though it can be served.
pub fn doubts(config: &Config) -> Vec<String> {
    let turn = &config.turn;
    let mut doubts = Vec::new();
    let relayed = &config.relay.ports.0;
    let own: BTreeSet<_> = own_ports(config).filter(|(_, port)| relayed.contains(port)).collect();
    for (key, port) in own {
        doubts.push(format!("relay.ports: {port} is among them, and {key} takes it"));
    }
    if config.tls.certificate.is_none() && turn.tls_ports != Config::default().turn.tls_ports {
        doubts.push("turn.tls_ports: nothing listens there without a certificate".to_owned());
    }
    let secret = turn.shared_secret_file.as_deref().filter(|path| is_open_to_others(path));
    if let Some(path) = secret {
        let path = path.display();
        doubts.push(format!("turn.shared_secret_file: others may read {path}: chmod 600 {path}"));
    }
    doubts
}

/// The ports that the core listens on, with their keys.
fn own_ports(config: &Config) -> impl Iterator<Item = (&'static str, u16)> {
    let turn = &config.turn;
    let sip = config.listen.iter().map(|listen| listen.port.unwrap_or(server::config::SIP_PORT));
    let tls = config.tls.certificate.iter().flat_map(|_| &turn.tls_ports).copied();
    let named = |key| move |port| (key, port);
    sip.map(named("listen"))
        .chain(turn.ports.iter().copied().map(named("turn.ports")))
        .chain(tls.map(named("turn.tls_ports")))
        .chain(config.xmpp.ports.iter().copied().map(named("xmpp.ports")))
        .chain(config.xmpp.tls_ports.iter().copied().map(named("xmpp.tls_ports")))
        .chain(config.http.listen.iter().map(|at| ("http.listen", at.port())))
}

#[cfg(unix)]
fn is_open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
const fn is_open_to_others(_path: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::{check, doubts};
    use crate::config::Config;

    fn config(text: &str) -> Config {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn what_cannot_be_served() {
        for (text, key) in [
            ("turn.lifetime = \"999ms\"", "turn.lifetime"),
            ("turn.ports = [3478, 3479, 3478]", "turn.ports"),
            ("turn.tls_ports = [443, 443]", "turn.tls_ports"),
            (
                "turn.ports = [443]\nturn.tls_ports = [443]\ntls.certificate = \"a\"",
                "turn.ports and",
            ),
            ("relay.addresses = [\"198.51.100.1\"]", "relay.addresses"),
            ("xmpp.tls_ports = [5222]", "xmpp.ports and"),
            ("xmpp.ports = [3478]", "[turn] and [xmpp]"),
            ("xmpp.limits.sessions = 0", "xmpp.limits.sessions"),
            ("xmpp.limits.stanza_bytes = 9999", "xmpp.limits.stanza_bytes"),
            ("xmpp.limits.contacts = 10001", "xmpp.limits.contacts"),
            ("xmpp.limits.idle = \"1ms\"", "xmpp.limits.idle"),
        ] {
            let message = check(&config(text)).unwrap_err().message;
            assert!(message.starts_with(key), "{message}");
        }
        for text in [
            "",
            "turn.lifetime = \"1s\"",
            "turn.ports = [0, 0]",
            "turn.ports = [443]\nturn.tls_ports = [443]",
            "relay.addresses = [\"127.0.0.1\", \"::\"]",
        ] {
            check(&config(text)).unwrap();
        }
    }

    #[test]
    fn what_is_hardly_meant() {
        assert_eq!(doubts(&Config::default()), [""; 0]);
        let ports = "relay.ports = \"3000-6000\"";
        assert_eq!(doubts(&config(ports)).len(), 4, "SIP's, TURN's and XMPP's");
        assert_eq!(doubts(&config("turn.tls_ports = [443]")).len(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_secret_is_for_one_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "secret").unwrap();
        let mut config = Config::default();
        config.turn.shared_secret_file = Some(path.clone());
        for (mode, count) in [(0o600, 0), (0o640, 1), (0o604, 1)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(doubts(&config).len(), count, "{mode:o}");
        }
    }
}
