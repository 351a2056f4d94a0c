//! Our TURN client against Debian's coturn: every transport, both IP versions, Send and channels,
//! TCP allocations, mobility. What it sends comes back from a peer that echoes, and nothing may be
//! lost.
//!
//! The client runs in a child of the test, on a host of its own: see [`client`].

mod client;

use machine::Transport;

use self::client::{Kind, Task};
use crate::harness::certificate::Certificate;
use crate::harness::need::available;
use crate::harness::net::{Host, Lan};
use crate::harness::process::Process;

const NAME: &str = "turn.example.test";
const ALICE_V6: &str = "fd77::11";

/// Coturn on the core's host.
struct Net {
    lan: Lan,
    _coturn: Process,
    certificate: Certificate,
}

impl Net {
    fn new() -> Self {
        let lan = Lan::new();
        let certificate = Certificate::new(NAME);
        let coturn = coturn(&lan.core, &certificate);
        Self { lan, _coturn: coturn, certificate }
    }

    /// Runs a client on Alice's host, with a peer beside it, and fails if it failed.
    fn run(&self, transport: Transport, v6: bool, kind: Kind, relayed_v6: bool) {
        let (server, peer) = (
            if v6 { Lan::CORE_V6 } else { Lan::CORE },
            if relayed_v6 { ALICE_V6 } else { Lan::ALICE },
        );
        let task = Task {
            transport,
            server: server.parse().expect("an address"),
            peer: peer.parse().expect("an address"),
            kind,
            certificate: self.certificate.der(),
        };
        task.run(&self.lan.alice);
    }
}

/// Starts `turnserver` on `host`, and waits until it serves.
fn coturn(host: &Host, certificate: &Certificate) -> Process {
    let mut command = host.command("turnserver");
    command.args(["-n", "--no-cli", "--log-file", "stdout", "--simple-log", "--verbose"]);
    command.args(["--listening-ip", Lan::CORE, "--listening-ip", Lan::CORE_V6]);
    command.args(["--relay-ip", Lan::CORE, "--relay-ip", Lan::CORE_V6]);
    command.args(["--min-port", "50000", "--max-port", "50999", "--mobility"]);
    command.args(["--lt-cred-mech", "--user", client::CREDENTIALS, "--realm", "example.test"]);
    command.arg("--cert").arg(certificate.pem()).arg("--pkey").arg(certificate.key());
    command.arg("--db").arg(certificate.folder().join("turndb"));
    command.arg("--pidfile").arg(certificate.folder().join("turn.pid"));
    let mut coturn = Process::start("turnserver", command);
    // The last that it opens.
    coturn.wait_for("IPv6. TLS/TCP listener opened");
    coturn
}

fn available_here() -> bool {
    available(&["ip", "turnserver"])
}

#[test]
fn udp_tcp_and_tls() {
    if !available_here() {
        return;
    }
    let net = Net::new();
    for transport in [Transport::Udp, Transport::Tcp, Transport::Tls] {
        net.run(transport, false, Kind::Udp, false);
    }
}

#[test]
fn ipv6() {
    if !available_here() {
        return;
    }
    let net = Net::new();
    for transport in [Transport::Udp, Transport::Tcp, Transport::Tls] {
        net.run(transport, true, Kind::Udp, true);
    }
    // Each version to the other.
    net.run(Transport::Udp, false, Kind::Udp, true);
    net.run(Transport::Udp, true, Kind::Udp, false);
    // Both from one allocation.
    net.run(Transport::Udp, false, Kind::Both, true);
    net.run(Transport::Udp, false, Kind::Both, false);
}

#[test]
fn tcp_allocations() {
    if !available_here() {
        return;
    }
    let net = Net::new();
    for transport in [Transport::Tcp, Transport::Tls] {
        net.run(transport, false, Kind::Tcp, false);
    }
}

#[test]
fn mobility() {
    if !available_here() {
        return;
    }
    let net = Net::new();
    // Over TCP coturn 4.6.1 answers with an integrity that lacks its message.
    net.run(Transport::Udp, false, Kind::Mobile, false);
    net.run(Transport::Udp, true, Kind::Mobile, true);
}
