//! Coturn's own client, `turnutils_uclient`, against our TURN server: every transport, both IP
//! versions, Send and channels, TCP allocations, mobility. What it sends comes back from
//! `turnutils_peer`, or from its own second client, and nothing may be lost.

use crate::harness::certificate::Certificate;
use crate::harness::need::available;
use crate::harness::net::{Host, Lan, OneToOne};
use crate::harness::process::Process;
use crate::harness::program::{Core, PASSWORD};

/// Clients at a time, and messages of each.
const CLIENTS: &str = "3";
const MESSAGES: &str = "10";

/// Where the peer that echoes listens.
const ECHO_PORT: &str = "3480";

const ALICE_V6: &str = "fd77::11";
const BOB_V6: &str = "fd77::12";

/// The core with TURN on every transport, and a peer on Bob's host that echoes.
struct Net {
    lan: Lan,
    core: Core,
    _echoes: [Process; 2],
    _certificate: Certificate,
}

impl Net {
    fn new() -> Self {
        let lan = Lan::new();
        let certificate = Certificate::new("example.test");
        // The peers have private addresses, which only an operator may allow.
        let flags = [
            "--set",
            r#"turn.allow_peers=["10.77.0.0/24", "fd77::/64"]"#,
            "--set",
            &format!("tls.certificate={:?}", certificate.pem()),
            "--set",
            &format!("tls.key={:?}", certificate.key()),
        ];
        let core = Core::start_with(&lan.core, &[Lan::CORE, Lan::CORE_V6], &flags);
        core.add_users(&["alice"]);
        let echoes = [Lan::BOB, BOB_V6].map(|ip| echo(&lan.bob, ip));
        Self { lan, core, _echoes: echoes, _certificate: certificate }
    }

    /// Runs the client with `flags` against the core at `server`, and fails if anything was lost.
    fn run(&self, server: &str, flags: &[&str]) {
        run(&self.lan.alice, server, flags);
    }

    fn to_bob<'a>(flags: &[&'a str]) -> Vec<&'a str> {
        [&["-e", Lan::BOB, "-r", ECHO_PORT], flags].concat()
    }

    fn to_bob_v6<'a>(flags: &[&'a str]) -> Vec<&'a str> {
        [&["-x", "-e", BOB_V6, "-r", ECHO_PORT], flags].concat()
    }
}

/// Runs the client on `host` with `flags` against the core at `server`, and fails if anything was lost.
fn run(host: &Host, server: &str, flags: &[&str]) {
    let mut command = host.command("turnutils_uclient");
    command.args(["-u", "alice", "-w", PASSWORD, "-m", CLIENTS, "-n", MESSAGES]);
    command.args(flags).arg(server);
    let printed = Process::start(&format!("turnutils_uclient {flags:?}"), command).succeed();
    let has = |text: &str| printed.iter().any(|line| line.contains(text));
    let sent = printed.iter().rev().find_map(|line| sent(line));
    let all = printed.join("\n");
    assert!(sent.is_some_and(|n| n > 0), "{flags:?}: nothing was sent:\n{all}");
    assert!(has("Total lost packets 0 (0.000000%)"), "{flags:?}: some were lost:\n{all}");
}

/// The count in a line like `start_mclient: tot_send_msgs=30, tot_recv_msgs=30`.
fn sent(line: &str) -> Option<u32> {
    let (_, rest) = line.split_once("start_mclient: tot_send_msgs=")?;
    rest.split(',').next()?.parse().ok()
}

fn echo(host: &Host, ip: &str) -> Process {
    let mut command = host.command("turnutils_peer");
    command.args(["-v", "-p", ECHO_PORT, "-L", ip]);
    Process::start(&format!("turnutils_peer {ip}"), command)
}

fn available_here() -> bool {
    available(&["ip", "turnutils_uclient", "turnutils_peer"])
}

#[test]
fn udp_with_channels_send_and_both_ends_here() {
    if !available_here() {
        return;
    }
    let net = Net::new();
    net.run(Lan::CORE, &Net::to_bob(&[]));
    net.run(Lan::CORE, &Net::to_bob(&["-s"]));
    net.run(Lan::CORE, &["-y"]);
    net.run(Lan::CORE, &["-y", "-s", "-c"]);
    net.core.stop();
}

#[test]
fn udp_with_what_a_client_may_ask_for() {
    if !available_here() {
        return;
    }
    let net = Net::new();
    // No fragments; padded channel data; permissions and channels again and again; two families;
    // mobility.
    net.run(Lan::CORE, &Net::to_bob(&["-g"]));
    net.run(Lan::CORE, &Net::to_bob(&["-D", "-G"]));
    net.run(Lan::CORE, &Net::to_bob(&["-Z"]));
    net.run(Lan::CORE, &Net::to_bob(&["-M"]));
    net.core.stop();
}

#[test]
fn tcp_and_tls() {
    if !available_here() {
        return;
    }
    let net = Net::new();
    net.run(Lan::CORE, &Net::to_bob(&["-t"]));
    net.run(Lan::CORE, &Net::to_bob(&["-t", "-s"]));
    net.run(Lan::CORE, &Net::to_bob(&["-t", "-S"]));
    net.run(Lan::CORE, &Net::to_bob(&["-t", "-S", "-s"]));
    net.run(Lan::CORE, &["-t", "-y"]);
    net.core.stop();
}

#[test]
fn ipv6() {
    if !available_here() {
        return;
    }
    let net = Net::new();
    net.run(Lan::CORE_V6, &Net::to_bob_v6(&["-L", ALICE_V6]));
    net.run(Lan::CORE_V6, &Net::to_bob_v6(&["-L", ALICE_V6, "-t"]));
    net.run(Lan::CORE_V6, &Net::to_bob_v6(&["-L", ALICE_V6, "-t", "-S"]));
    // Each version to the other.
    net.run(Lan::CORE, &Net::to_bob_v6(&[]));
    net.run(Lan::CORE_V6, &Net::to_bob(&["-X", "-L", ALICE_V6]));
    net.core.stop();
}

#[test]
fn tcp_allocations() {
    if !available_here() {
        return;
    }
    let net = Net::new();
    net.run(Lan::CORE, &["-T"]);
    net.run(Lan::CORE, &["-T", "-S"]);
    net.run(Lan::CORE_V6, &["-x", "-L", ALICE_V6, "-T"]);
    net.run(Lan::CORE_V6, &["-x", "-L", ALICE_V6, "-T", "-S"]);
    net.core.stop();
}

/// A core that knows its outside address hands out relayed addresses there, and takes them for its
/// own when a client names one as its peer.
#[test]
fn behind_a_one_to_one_nat() {
    if !available(&["ip", "nft", "turnutils_uclient", "turnutils_peer"]) {
        return;
    }
    let net = OneToOne::new();
    let external = format!("external_address={{{:?}={:?}}}", OneToOne::INSIDE, OneToOne::OUTSIDE);
    let core = Core::start_with(&net.core, &[OneToOne::INSIDE], &["--set", &external]);
    core.add_users(&["alice"]);
    let _echo = echo(&net.bob, OneToOne::BOB);
    for transport in [&[][..], &["-t"]] {
        let to_bob = [&["-e", OneToOne::BOB, "-r", ECHO_PORT], transport].concat();
        run(&net.alice, OneToOne::OUTSIDE, &to_bob);
        run(&net.alice, OneToOne::OUTSIDE, &[&["-y"], transport].concat());
    }
    core.stop();
}
