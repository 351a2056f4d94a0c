//! What a NAT does, found out by others from our server and by us from coturn: NATs of the kernel of
//! every kind are named as what they are.
//!
//! Our client runs in a child of the test, on a host of its own: see [`client`].

mod client;

use tempfile::TempDir;

use self::client::discover;
use crate::harness::need::available;
use crate::harness::net::{Behind, Host, Nat, Router};
use crate::harness::process::Process;
use crate::harness::program::Core;

/// What both clients ask.
const SERVER: &str = "198.51.100.10:3478";

/// Coturn with two addresses.
struct Coturn {
    _process: Process,
    _folder: TempDir,
}

impl Coturn {
    fn start(host: &Host) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = host.command("turnserver");
        command.args(["-n", "--no-cli", "--log-file", "stdout", "--simple-log", "--verbose"]);
        for ip in Behind::CORE {
            command.args(["--listening-ip", ip]);
        }
        command.args(["--listening-port", "3478", "--alt-listening-port", "3479"]);
        command.args(["--no-auth", "--no-tls", "--no-dtls"]);
        command.arg("--db").arg(folder.path().join("turndb"));
        command.arg("--pidfile").arg(folder.path().join("turn.pid"));
        let mut process = Process::start("turnserver", command);
        // The last that it opens.
        process.wait_for("IPv4. UDP listener opened on: 198.51.100.11:3479");
        Self { _process: process, _folder: folder }
    }
}

fn core(host: &Host, flags: &[&str]) -> Core {
    Core::start_with(host, &Behind::CORE, flags)
}

/// Every kind of router that the kernel can be, and what our client says of it.
const KINDS: [(&[Router], &str); 8] = [
    (&[], "mapping=none filtering=ei hairpin=unknown ports=preserve"),
    (&[Router::new(Nat::FullCone)], "mapping=ei filtering=ei hairpin=off ports=preserve"),
    (&[Router::new(Nat::FullCone).hairpin()], "mapping=ei filtering=ei hairpin=on ports=preserve"),
    (&[Router::new(Nat::AddressRestricted)], "mapping=ei filtering=ad hairpin=off ports=preserve"),
    (&[Router::new(Nat::PortRestricted)], "mapping=ei filtering=apd hairpin=off ports=preserve"),
    (&[Router::new(Nat::Symmetric)], "mapping=apd filtering=apd hairpin=unknown ports=random"),
    (
        &[Router::new(Nat::FullCone), Router::new(Nat::PortRestricted)],
        "mapping=ei filtering=apd hairpin=off ports=preserve",
    ),
    (
        &[Router::new(Nat::UdpBlocked)],
        "mapping=unknown filtering=unknown hairpin=unknown ports=unknown",
    ),
];

#[test]
fn kernel_nats_by_coturn() {
    if !available(&["ip", "nft", "turnserver"]) {
        return;
    }
    for (routers, kind) in KINDS {
        let net = Behind::new(routers);
        let _coturn = Coturn::start(&net.core);
        let found = discover(&net.alice, SERVER, 0);
        assert!(found.starts_with(kind), "{routers:?} is {kind}, found {found}");
    }
}

#[test]
fn kernel_nats_by_our_own_server() {
    if !available(&["ip", "nft"]) {
        return;
    }
    for (routers, kind) in KINDS {
        let net = Behind::new(routers);
        let _core = core(&net.core, &[]);
        let found = discover(&net.alice, SERVER, 0);
        assert!(found.starts_with(kind), "{routers:?} is {kind}, found {found}");
        let fragments = if kind.contains("mapping=unknown") { "unknown" } else { "on" };
        assert!(found.contains(&format!("fragments={fragments}")), "{routers:?}: {found}");
    }
}

#[test]
fn with_one_address_the_mapping_is_unknown() {
    if !available(&["ip", "nft"]) {
        return;
    }
    let net = Behind::new(&[Router::new(Nat::Symmetric)]);
    let _core = Core::start(&net.core, Behind::CORE[0]);
    let found = discover(&net.alice, SERVER, 0);
    assert!(found.starts_with("mapping=unknown filtering=unknown"), "{found}");
    assert!(found.contains("ports=random"), "{found}");
}

/// How long the kernel keeps a mapping that was answered for an instant only, by our own server.
#[test]
fn the_lifetime_of_a_kernel_mapping() {
    if !available(&["ip", "nft"]) {
        return;
    }
    let net = Behind::new(&[Router::new(Nat::PortRestricted).lifetime_secs(12)]);
    let _core = core(&net.core, &[]);
    let found = discover(&net.alice, SERVER, 30);
    let lifetime = found.rsplit_once("lifetime=").map(|(_, lifetime)| lifetime);
    let range = lifetime.and_then(|lifetime| lifetime.split_once(".."));
    let (low, high) = range.unwrap_or_else(|| panic!("{found}"));
    let (low, high): (u64, u64) = (low.parse().expect("secs"), high.parse().expect("secs"));
    assert!((8..=12).contains(&low) && (11..=14).contains(&high), "{found}");
}

#[test]
fn coturns_client_is_satisfied() {
    if !available(&["ip", "nft", "turnutils_natdiscovery"]) {
        return;
    }
    for (routers, mapping, filtering) in [
        (
            &[Router::new(Nat::PortRestricted)][..],
            "NAT with Endpoint Independent Mapping!",
            "NAT with Address and Port Dependent Filtering!",
        ),
        (
            &[Router::new(Nat::AddressRestricted)],
            "NAT with Endpoint Independent Mapping!",
            "NAT with Address Dependent Filtering!",
        ),
        (
            &[Router::new(Nat::FullCone)],
            "NAT with Endpoint Independent Mapping!",
            "NAT with Endpoint Independent Filtering!",
        ),
        (
            &[Router::new(Nat::Symmetric)],
            "NAT with Address and Port Dependent Mapping!",
            "NAT with Address and Port Dependent Filtering!",
        ),
    ] {
        let net = Behind::new(routers);
        let _core = core(&net.core, &[]);
        let ask = |flag: &str| {
            let mut command = net.alice.command("turnutils_natdiscovery");
            command.args([flag, Behind::CORE[0]]);
            let (_, printed) = Process::start("turnutils_natdiscovery", command).finish();
            printed.join("\n")
        };
        let (said_mapping, said_filtering) = (ask("-m"), ask("-f"));
        assert!(said_mapping.contains(mapping), "{routers:?}:\n{said_mapping}");
        assert!(said_filtering.contains(filtering), "{routers:?}:\n{said_filtering}");
        let padded = ask("-mP");
        assert!(padded.contains(mapping), "{routers:?} with padding:\n{padded}");
    }
}

/// Debian's `stun`, of RFC 3489; its words for what it sees end in a number as its exit code.
#[test]
fn a_client_of_rfc_3489_is_satisfied() {
    if !available(&["ip", "nft", "stun"]) {
        return;
    }
    for (routers, kind) in [
        (&[][..], "Open"),
        (&[Router::new(Nat::FullCone)], "Independent Mapping, Independent Filter"),
        (&[Router::new(Nat::AddressRestricted)], "Independent Mapping, Address Dependent Filter"),
        (&[Router::new(Nat::PortRestricted)], "Independent Mapping, Port Dependent Filter"),
        (&[Router::new(Nat::Symmetric)], "Dependent Mapping"),
    ] {
        let net = Behind::new(routers);
        let _core = core(&net.core, &["--set", "stun.classic=true"]);
        let mut command = net.alice.command("stun");
        command.arg(Behind::CORE[0]);
        let (_, printed) = Process::start("stun", command).finish();
        let primary = printed.iter().find(|line| line.contains("Primary:"));
        let primary = primary.unwrap_or_else(|| panic!("{routers:?}: {printed:?}"));
        assert!(primary.contains(&format!("Primary: {kind}")), "{routers:?}: {primary}");
    }
}
