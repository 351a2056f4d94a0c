//! Debian's miniupnpd as the router of a home: our program maps by all three protocols, other
//! programs see what we mapped and we see what they did, and two telephones behind two such routers
//! reach each other without a relay.

mod router;

use serde_json::Value;

use self::router::Upnpd;
use crate::harness::need::available;
use crate::harness::net::{Host, Nat, TwoNats};
use crate::harness::process::Process;
use crate::harness::program::{Core, Phone, address, wayleave};

/// The routers' addresses outside, which are none of those for documentation: with such a one
/// miniupnpd says that it is not connected.
const OUTSIDE: [&str; 2] = ["192.0.1.1", "192.0.1.2"];

/// Alice's address.
const ALICE: &str = "192.168.1.100";

/// The protocols, as our flag and our events call them.
const PROTOCOLS: [(&str, &str); 3] = [("pcp", "PCP"), ("nat-pmp", "NAT-PMP"), ("upnp", "UPnP")];

fn available_here() -> bool {
    available(&["ip", "nft", "miniupnpd", "upnpc", "natpmpc"])
}

/// Two homes behind symmetric NATs; the routers may be asked once miniupnpd runs there.
fn homes() -> TwoNats {
    let net = TwoNats::new(Nat::Symmetric, Nat::Symmetric);
    for (n, router) in net.routers.iter().enumerate() {
        router.address("eth0", &format!("{}/32", OUTSIDE[n]));
        Upnpd::prepare(router);
        let route = format!("route add {} via 198.51.100.{}", OUTSIDE[n], n + 1);
        net.core.ip(&route);
        net.routers[1 - n].ip(&route);
    }
    net
}

/// Runs `wayleave portmap` on `host`, and gives its exit code and its events.
fn portmap(host: &Host, flags: &[&str]) -> (Option<i32>, Vec<Value>) {
    let mut command = wayleave(Some(host));
    command.arg("portmap").args(flags).arg("--json");
    let (code, lines) = Process::start(&format!("portmap {flags:?}"), command).finish();
    (code, lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

/// The same, which must succeed.
fn mapped(host: &Host, flags: &[&str]) -> Vec<Value> {
    let (code, events) = portmap(host, flags);
    assert_eq!(code, Some(0), "{flags:?}: {events:?}");
    events
}

/// What another program prints.
fn other(host: &Host, program: &str, flags: &[&str]) -> String {
    let mut command = host.command(program);
    command.args(flags);
    Process::start(program, command).finish().1.join("\n")
}

/// Whether upnpc lists a mapping of UDP port `port` of Alice's.
fn upnpc_sees(alice: &Host, port: &str) -> bool {
    other(alice, "upnpc", &["-l"]).contains(&format!("UDP  {port}->{ALICE}:{port} "))
}

/// Whether we list it.
fn we_see(alice: &Host, port: &str) -> bool {
    let internal = format!("{ALICE}:{port}");
    mapped(alice, &["list"]).iter().any(|entry| entry["internal"] == internal)
}

#[test]
fn all_three_protocols_are_found_and_map() {
    if !available_here() {
        return;
    }
    let net = homes();
    let _upnpd = Upnpd::start(&net.routers[0], 1, Some(OUTSIDE[0]));
    let found = mapped(&net.alice, &["status"]);
    for (_, protocol) in PROTOCOLS {
        let of = |event: &&Value| event["protocol"] == protocol;
        let gateway = found.iter().find(of).unwrap_or_else(|| panic!("{protocol}: {found:?}"));
        assert_eq!(gateway["address"], "192.168.1.1", "{gateway}");
        assert_eq!(gateway["external"], OUTSIDE[0], "{gateway}");
        assert_eq!(gateway["trouble"], Value::Null, "{gateway}");
    }
    for ((flag, protocol), port) in PROTOCOLS.into_iter().zip(["5001", "5002", "5003"]) {
        let told = mapped(&net.alice, &["add", "udp", port, "--by", flag, "--lease", "600"]);
        let [mapping] = &told[..] else { panic!("{protocol}: {told:?}") };
        assert_eq!(mapping["protocol"], protocol);
        assert_eq!(mapping["external"], format!("{}:{port}", OUTSIDE[0]));
        assert_eq!(mapping["internal"], format!("{ALICE}:{port}"));
        // It outlives the command.
        assert!(upnpc_sees(&net.alice, port) && we_see(&net.alice, port), "{protocol}");
        mapped(&net.alice, &["remove", "udp", port]);
        assert!(!upnpc_sees(&net.alice, port) && !we_see(&net.alice, port), "{protocol}");
    }
}

#[test]
fn what_others_map_is_seen_and_removed() {
    if !available_here() {
        return;
    }
    let net = homes();
    let _upnpd = Upnpd::start(&net.routers[0], 1, Some(OUTSIDE[0]));
    let alice = &net.alice;
    other(alice, "upnpc", &["-e", "theirs", "-a", ALICE, "6000", "6000", "UDP", "300"]);
    other(alice, "natpmpc", &["-g", "192.168.1.1", "-a", "6001", "6001", "udp", "300"]);
    for port in ["6000", "6001"] {
        assert!(we_see(alice, port), "{port}");
    }
    let listed = mapped(alice, &["list"]);
    assert!(listed.iter().any(|entry| entry["description"] == "theirs"), "{listed:?}");
    // By UPnP whatever it was made by; by NAT-PMP what this host made.
    mapped(alice, &["remove", "udp", "6000"]);
    mapped(alice, &["remove", "udp", "6001", "--by", "nat-pmp"]);
    for port in ["6000", "6001"] {
        assert!(!we_see(alice, port), "{port}");
    }
    // By PCP another run may, since miniupnpd does not mind another nonce.
    mapped(alice, &["add", "udp", "6002", "--by", "pcp"]);
    mapped(alice, &["remove", "udp", "6002", "--by", "pcp"]);
    assert!(!we_see(alice, "6002"));
}

/// A mapping that is kept is renewed, made again when the router has forgotten it, and gone with the
/// command.
fn kept(flag: &str, protocol: &str) {
    let net = homes();
    let (router, port) = (&net.routers[0], "5001");
    let mut upnpd = Upnpd::start(router, 1, Some(OUTSIDE[0]));
    let mut command = wayleave(Some(&net.alice));
    command.args(["portmap", "add", "udp", port, "--keep", "--lease", "8", "--by", flag]);
    let mut keep = Process::start("portmap add --keep", command);
    keep.wait_for(" leads to ");
    // The request, and two renewals: twice half of eight seconds, and a little.
    for _ in 0..3 {
        upnpd.is_asked(protocol, port);
    }
    assert!(upnpc_sees(&net.alice, port), "{protocol}");
    drop(upnpd);
    let mut upnpd = Upnpd::start(router, 1, Some(OUTSIDE[0]));
    upnpd.is_asked(protocol, port);
    upnpd.is_asked(protocol, port);
    assert!(upnpc_sees(&net.alice, port), "{protocol}");
    keep.terminate();
    keep.succeed();
    assert!(!upnpc_sees(&net.alice, port), "{protocol}");
}

#[test]
fn kept_by_pcp_through_a_restart() {
    if available_here() {
        kept("pcp", "PCP");
    }
}

#[test]
fn kept_by_nat_pmp_through_a_restart() {
    if available_here() {
        kept("nat-pmp", "NAT-PMP");
    }
}

#[test]
fn kept_by_upnp_through_a_restart() {
    if available_here() {
        kept("upnp", "UPnP");
    }
}

/// With an address outside that is not the world's, miniupnpd maps nothing.
#[test]
fn a_router_that_is_not_connected_is_named_for_what_it_is() {
    if !available_here() {
        return;
    }
    let net = homes();
    let _upnpd = Upnpd::start(&net.routers[0], 1, None);
    let found = mapped(&net.alice, &["status"]);
    for protocol in ["NAT-PMP", "UPnP"] {
        let gateway = found.iter().find(|event| event["protocol"] == protocol);
        let trouble = gateway.and_then(|gateway| gateway["trouble"].as_str()).unwrap_or_default();
        assert!(trouble.contains("not connected"), "{protocol}: {found:?}");
    }
    // By PCP it says that it has no resources, and nothing of its address.
    assert_ne!(portmap(&net.alice, &["add", "udp", "5001", "--by", "pcp"]).0, Some(0));
    for flags in [&["--by", "nat-pmp"][..], &["--by", "upnp"], &[]] {
        let add = [&["add", "udp", "5001"], flags].concat();
        let (code, said) = portmap(&net.alice, &add);
        assert_eq!(code, Some(14), "{flags:?}: {said:?}");
        let told = said.iter().any(|event| event.to_string().contains("not connected"));
        assert!(told, "{flags:?}: {said:?}");
    }
}

/// Where nobody maps, and where nobody understands.
#[test]
fn exit_codes() {
    if !available_here() {
        return;
    }
    let net = homes();
    for flags in [&["status"][..], &["list"], &["add", "udp", "5001"], &["remove", "udp", "5001"]] {
        let (code, said) = portmap(&net.alice, flags);
        assert_eq!(code, Some(14), "{flags:?}: {said:?}");
    }
    for flags in [&["add", "udp", "nothing"][..], &["add", "sctp", "1"], &["add", "udp", "0"]] {
        assert_eq!(portmap(&net.alice, flags).0, Some(2), "{flags:?}");
    }
}

/// Two that only a relay could join, were it not for their routers.
#[test]
fn two_symmetric_nats_with_gateways_connect_directly() {
    if !available_here() {
        return;
    }
    let net = homes();
    let _upnpds = [0, 1].map(|n| Upnpd::start(&net.routers[n], n as u8 + 1, Some(OUTSIDE[n])));
    let core = Core::start(&net.core, TwoNats::CORE);
    core.add_users(&["alice", "bob"]);
    let mut bob = Phone::new(&net.bob, "bob", &["answer", "--once"], TwoNats::CORE).start();
    bob.event("registered");
    let target = format!("sip:{}", address("bob"));
    let alice = Phone::new(&net.alice, "alice", &["call", &target], TwoNats::CORE);
    let mut alice = alice.with(&["--duration", "3s"]).start();
    let events = alice.events_until("path");
    let path = events.last().expect("the event that was waited for");
    assert_eq!(path["relayed"], false, "{path}");
    let opened = events.iter().any(|event| {
        let text = event["origin"].as_str().unwrap_or_default();
        event["event"] == "candidate" && text.contains("PCP") && text.contains("192.168.1.1")
    });
    assert!(opened, "{events:?}");
    alice.succeed();
    bob.succeed();
    core.stop();
    // Nothing of it stays behind.
    let left = mapped(&net.alice, &["list"]);
    assert!(left.is_empty(), "{left:?}");
}
