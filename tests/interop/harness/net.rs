//! Networks of Linux namespaces: a host is a namespace, a wire a veth pair.
//!
//! Names carry this process's id and a number, so that tests run side by side and a later run can
//! sweep up what a killed one left.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{fs, process};

/// A host: a namespace that lives as long as this value.
pub(crate) struct Host {
    namespace: String,
}

/// The core, Alice and Bob on one wire, with both IP versions and no NAT.
pub(crate) struct Lan {
    pub core: Host,
    pub alice: Host,
    pub bob: Host,
}

/// The core in public, Alice and Bob each behind a NAT of their own.
pub(crate) struct TwoNats {
    pub core: Host,
    pub alice: Host,
    pub bob: Host,
    pub routers: [Host; 2],
}

/// The core in public with two addresses, Alice behind any number of routers.
pub(crate) struct Behind {
    pub core: Host,
    pub alice: Host,
    _routers: Vec<Host>,
}

/// A router, and what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Router {
    nat: Nat,
    hairpin: bool,
    lifetime_secs: Option<u32>,
}

/// Alice and Bob in public, the core behind a NAT that gives it a public address of its own, as
/// clouds do.
pub(crate) struct OneToOne {
    pub core: Host,
    pub alice: Host,
    pub bob: Host,
    _router: Host,
}

/// What a router does to UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nat {
    /// Endpoint-independent mapping that keeps ports, and no filtering.
    FullCone,
    /// The same mapping; address-dependent filtering.
    AddressRestricted,
    /// Endpoint-independent mapping that keeps ports; address- and port-dependent filtering.
    PortRestricted,
    /// Address- and port-dependent mapping to random ports, and filtering.
    Symmetric,
    /// None of it passes; TCP does as with `PortRestricted`.
    UdpBlocked,
}

impl Lan {
    pub(crate) const CORE: &str = "10.77.0.2";
    pub(crate) const ALICE: &str = "10.77.0.11";
    pub(crate) const BOB: &str = "10.77.0.12";
    pub(crate) const CORE_V6: &str = "fd77::2";

    pub(crate) fn new() -> Self {
        let net = Name::new();
        let core = Host::new(&net, "core");
        let [alice, bob] = [Host::new(&net, "alice"), Host::new(&net, "bob")];
        core.bridge("br0", &["10.77.0.2/24", "fd77::2/64"]);
        for (host, n) in [(&alice, 11), (&bob, 12)] {
            core.plug("br0", host);
            host.address("eth0", &format!("10.77.0.{n}/24"));
            host.address("eth0", &format!("fd77::{n}/64"));
            host.ip(&format!("route add default via {}", Self::CORE));
        }
        Self { core, alice, bob }
    }
}

impl TwoNats {
    pub(crate) const CORE: &str = "198.51.100.10";
    pub(crate) const BOB: &str = "192.168.2.100";

    pub(crate) fn new(alices: Nat, bobs: Nat) -> Self {
        let net = Name::new();
        let core = Host::new(&net, "core");
        core.bridge("br0", &["198.51.100.10/24"]);
        let behind = |n: u8, name: &str, nat: Nat| {
            let router = Host::new(&net, &format!("{name}-nat"));
            let host = Host::new(&net, name);
            core.plug("br0", &router);
            router.address("eth0", &format!("198.51.100.{n}/24"));
            router.set("net/ipv4/ip_forward", "1");
            router.bridge("lan", &[&format!("192.168.{n}.1/24")]);
            router.plug("lan", &host);
            host.address("eth0", &format!("192.168.{n}.100/24"));
            host.ip(&format!("route add default via 192.168.{n}.1"));
            router.translate(&format!("192.168.{n}"), &format!("198.51.100.{n}"), Router::new(nat));
            (router, host)
        };
        let (first, alice) = behind(1, "alice", alices);
        let (second, bob) = behind(2, "bob", bobs);
        Self { core, alice, bob, routers: [first, second] }
    }
}

impl Behind {
    pub(crate) const CORE: [&str; 2] = ["198.51.100.10", "198.51.100.11"];

    /// Alice behind `routers`, the outermost first.
    pub(crate) fn new(routers: &[Router]) -> Self {
        let net = Name::new();
        let core = Host::new(&net, "core");
        core.bridge("br0", &Self::CORE.map(|ip| format!("{ip}/24")).each_ref().map(String::as_str));
        let mut built: Vec<Host> = Vec::new();
        let mut outside = "198.51.100".to_owned();
        for (n, &router) in routers.iter().enumerate() {
            let host = Host::new(&net, &format!("router{n}"));
            match built.last() {
                None => core.plug("br0", &host),
                Some(outer) => outer.plug("lan", &host),
            }
            let (address, inside) = (format!("{outside}.100"), format!("192.168.{}", n + 1));
            host.address("eth0", &format!("{address}/24"));
            if n > 0 {
                host.ip(&format!("route add default via {outside}.1"));
            }
            host.set("net/ipv4/ip_forward", "1");
            // A bridge that translates of itself would send nothing back by the port that it came in.
            if Path::new("/proc/sys/net/bridge").exists() {
                host.set("net/bridge/bridge-nf-call-iptables", "0");
            }
            host.bridge("lan", &[&format!("{inside}.1/24")]);
            host.translate(&inside, &address, router);
            built.push(host);
            outside = inside;
        }
        let alice = Host::new(&net, "alice");
        match built.last() {
            None => core.plug("br0", &alice),
            Some(router) => router.plug("lan", &alice),
        }
        alice.address("eth0", &format!("{outside}.50/24"));
        if !built.is_empty() {
            alice.ip(&format!("route add default via {outside}.1"));
        }
        Self { core, alice, _routers: built }
    }
}

impl Router {
    pub(crate) const fn new(nat: Nat) -> Self {
        Self { nat, hairpin: false, lifetime_secs: None }
    }

    /// The same, and it turns packets around that go to its own outside address.
    pub(crate) const fn hairpin(self) -> Self {
        Self { hairpin: true, ..self }
    }

    /// The same, and it forgets what was silent for so long.
    pub(crate) const fn lifetime_secs(self, secs: u32) -> Self {
        Self { lifetime_secs: Some(secs), ..self }
    }

    /// What nftables does with the first packet of a flow from outside.
    fn lets_in(self, inside: &str, outside: &str) -> String {
        let to_host = "dnat ip to udp dport map @hosts";
        let from_outside = match self.nat {
            Nat::FullCone => format!("iifname eth0 meta l4proto udp {to_host}"),
            Nat::AddressRestricted => {
                format!("iifname eth0 udp dport . ip saddr @remotes {to_host}")
            }
            Nat::PortRestricted | Nat::Symmetric | Nat::UdpBlocked => String::new(),
        };
        let (turned, seen) = if self.hairpin {
            (
                format!("iifname lan ip daddr {outside} meta l4proto udp {to_host}"),
                format!("ct status dnat oifname lan ip saddr {inside}.0/24 snat to {outside}"),
            )
        } else {
            (String::new(), String::new())
        };
        // The inside host of each outside port, which is its own, and whom it has sent to: noted of
        // every packet that leaves.
        format!(
            "map hosts {{
               type inet_service : ipv4_addr; flags dynamic,timeout; timeout 120s; size 65535;
             }}
             set remotes {{
               type inet_service . ipv4_addr; flags dynamic,timeout; timeout 120s; size 65535;
             }}
             chain note {{
               type filter hook forward priority filter - 10;
               iifname lan oifname eth0 meta l4proto udp update @hosts {{ udp sport : ip saddr }} \
                 update @remotes {{ udp sport . ip daddr }}
             }}
             chain in {{
               type nat hook prerouting priority dstnat;
               {from_outside}
               {turned}
             }}
             chain around {{
               type nat hook postrouting priority srcnat - 1;
               {seen}
             }}"
        )
    }
}

impl OneToOne {
    /// The core's own address.
    pub(crate) const INSIDE: &str = "10.1.0.5";
    /// The core's address as everybody else sees it.
    pub(crate) const OUTSIDE: &str = "198.51.100.7";
    pub(crate) const BOB: &str = "198.51.100.12";

    pub(crate) fn new() -> Self {
        let net = Name::new();
        let [router, core] = [Host::new(&net, "router"), Host::new(&net, "core")];
        let [alice, bob] = [Host::new(&net, "alice"), Host::new(&net, "bob")];
        router.bridge("wan", &["198.51.100.7/24"]);
        router.bridge("lan", &["10.1.0.1/24"]);
        router.set("net/ipv4/ip_forward", "1");
        for (host, n) in [(&alice, 11), (&bob, 12)] {
            router.plug("wan", host);
            host.address("eth0", &format!("198.51.100.{n}/24"));
        }
        router.plug("lan", &core);
        core.address("eth0", "10.1.0.5/24");
        core.ip("route add default via 10.1.0.1");
        router.filter(
            "table ip wayleave {
               chain in {
                 type nat hook prerouting priority dstnat;
                 iifname wan ip daddr 198.51.100.7 dnat to 10.1.0.5
               }
               chain out {
                 type nat hook postrouting priority srcnat;
                 oifname wan ip saddr 10.1.0.5 snat to 198.51.100.7
               }
             }",
        );
        Self { core, alice, bob, _router: router }
    }
}

impl Host {
    fn new(net: &Name, name: &str) -> Self {
        let namespace = format!("{}-{name}", net.0);
        run(Command::new("ip").args(["netns", "add", &namespace]));
        let host = Self { namespace };
        host.ip("link set lo up");
        // Addresses of IPv6 are used at once, without looking for duplicates first.
        host.set("net/ipv6/conf/all/accept_dad", "0");
        host.set("net/ipv6/conf/default/accept_dad", "0");
        host
    }

    /// `program` on this host, with a bounded life.
    pub(crate) fn command(&self, program: &str) -> Command {
        let bounded = super::process::bounded(program);
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace]);
        command.arg(bounded.get_program()).args(bounded.get_args());
        command
    }

    pub(crate) fn ip(&self, arguments: &str) {
        run(Command::new("ip").args(["-n", &self.namespace]).args(arguments.split(' ')));
    }

    fn set(&self, variable: &str, value: &str) {
        let write = format!("echo {value} > /proc/sys/{variable}");
        run(Command::new("ip").args(["netns", "exec", &self.namespace, "sh", "-c", &write]));
    }

    fn bridge(&self, name: &str, addresses: &[&str]) {
        self.ip(&format!("link add {name} type bridge forward_delay 0"));
        for address in addresses {
            self.address(name, address);
        }
        self.ip(&format!("link set {name} up"));
    }

    pub(crate) fn address(&self, interface: &str, address: &str) {
        let duplicates = if address.contains(':') { " nodad" } else { "" };
        self.ip(&format!("address add {address} dev {interface}{duplicates}"));
    }

    /// A wire from the bridge `bridge` of this host to `eth0` of `host`.
    fn plug(&self, bridge: &str, host: &Self) {
        static WIRES: AtomicU32 = AtomicU32::new(0);
        let port = format!("p{}", WIRES.fetch_add(1, Ordering::Relaxed));
        self.ip(&format!("link add {port} type veth peer name eth0 netns {}", host.namespace));
        self.ip(&format!("link set {port} master {bridge} up"));
        host.ip("link set eth0 up");
    }

    /// Makes this router a NAT from `lan` with the network `inside` to `eth0` with the address `outside`.
    fn translate(&self, inside: &str, outside: &str, router: Router) {
        let nat = router.nat;
        let masquerade = match nat {
            Nat::Symmetric => "masquerade fully-random",
            _ => "masquerade",
        };
        let lets_in = match (nat, router.hairpin) {
            (Nat::FullCone | Nat::AddressRestricted, _) | (_, true) => {
                router.lets_in(inside, outside)
            }
            _ => String::new(),
        };
        if let Some(secs) = router.lifetime_secs {
            for state in ["udp_timeout", "udp_timeout_stream"] {
                self.set(&format!("net/netfilter/nf_conntrack_{state}"), &secs.to_string());
            }
        }
        // A packet from outside that no mapping expects is dropped before the router itself can take
        // it: a connection entry of its own would hold the port that the inside is about to use.
        let blocked = if nat == Nat::UdpBlocked { "meta l4proto udp drop" } else { "" };
        let rules = format!(
            "table ip wayleave {{
               {lets_in}
               chain out {{
                 type nat hook postrouting priority srcnat;
                 oifname eth0 {masquerade}
               }}
               chain through {{
                 type filter hook forward priority filter; policy drop;
                 {blocked}
                 ct state established,related accept
                 ct status dnat accept
                 iifname lan accept
               }}
               chain to_itself {{
                 type filter hook input priority filter;
                 iifname eth0 ct state new drop
               }}
             }}"
        );
        self.filter(&rules);
    }

    /// Loads `rules` of nftables.
    pub(crate) fn filter(&self, rules: &str) {
        let file = std::env::temp_dir().join(format!("{}.nft", self.namespace));
        fs::write(&file, rules).expect("a temporary file");
        run(Command::new("ip")
            .args(["netns", "exec", &self.namespace, "nft", "--file"])
            .arg(&file));
        let _ = fs::remove_file(&file);
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        remove(&self.namespace);
    }
}

/// The common beginning of one network's names.
struct Name(String);

impl Name {
    fn new() -> Self {
        static SWEPT: Once = Once::new();
        static NETS: AtomicU32 = AtomicU32::new(0);
        SWEPT.call_once(sweep);
        Self(format!("wl{}x{}", process::id(), NETS.fetch_add(1, Ordering::Relaxed)))
    }
}

/// Removes the namespaces of processes that are no more.
fn sweep() {
    let Ok(list) = Command::new("ip").args(["netns", "list"]).output() else { return };
    for line in String::from_utf8_lossy(&list.stdout).lines() {
        let Some(name) = line.split_whitespace().next() else { continue };
        let id = name.strip_prefix("wl").and_then(|rest| rest.split_once('x')).map(|(id, _)| id);
        let Some(id) = id.filter(|id| id.parse::<u32>().is_ok()) else { continue };
        if !Path::new("/proc").join(id).exists() {
            remove(name);
        }
    }
}

fn remove(namespace: &str) {
    let _ = Command::new("ip").args(["netns", "delete", namespace]).stderr(Stdio::null()).status();
}

/// Runs a command that must succeed.
fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}
