//! The network of the talk: a core on the internet, and two people behind what stands in their way.
//!
//! The addresses are those of its slides ("How do NATs work"): Alice is 192.168.0.12 behind
//! 192.168.0.254, whose public address the slides write in two ways (212.50.2.18 and 212.50.4.18; it
//! is the latter here); the server is 130.79.200.22; Bob's public address is 60.55.68.53.

use std::time::Duration;

use gateway::{Behaviour, Gateway};
use machine::RecordData;
use netsim::{
    Access, Certificate, Dependence, Direction, Link, LinkId, NatSpec, NodeId, Port, Tap, TapId,
    World,
};

use crate::node::{Node, Who};
use crate::spec::Spec;

/// The core's address.
pub const CORE: &str = "130.79.200.22";
/// The domain that the core serves.
pub const DOMAIN: &str = "example.org";

/// One person's place in the network.
#[derive(Clone, Debug)]
pub struct Place {
    /// The host.
    pub host: NodeId,
    /// Its address.
    pub address: &'static str,
    /// The NATs in front of it, the one next to it first, each with its address outside.
    pub nats: Vec<(NodeId, &'static str)>,
    /// The link into the internet.
    pub uplink: LinkId,
}

impl Place {
    /// The address that the internet sees.
    #[must_use]
    pub fn public_address(&self) -> &'static str {
        self.nats.last().map_or(self.address, |(_, outside)| outside)
    }
}

/// The network with everything in it.
#[derive(Debug)]
pub struct Topology {
    /// The core's host.
    pub core: NodeId,
    /// Alice's place.
    pub alice: Place,
    /// Bob's place.
    pub bob: Place,
    /// Captures at the interfaces of Alice, the core and Bob, if asked for.
    pub taps: Vec<(Who, TapId)>,
}

/// The addresses of one person's side, from the inside out.
struct Addresses {
    /// The host without a NAT, with one, and with two.
    host: [&'static str; 3],
    /// Each NAT's inside and outside when there is one.
    single: [&'static str; 2],
    /// The same of the two NATs when there are two, the inner one first.
    double: [[&'static str; 2]; 2],
}

const ALICE: Addresses = Addresses {
    host: ["212.50.4.18", "192.168.0.12", "192.168.0.12"],
    single: ["192.168.0.254", "212.50.4.18"],
    double: [["192.168.0.254", "172.16.0.9"], ["172.16.0.1", "212.50.4.18"]],
};

const BOB: Addresses = Addresses {
    host: ["60.55.68.53", "10.0.0.7", "10.0.0.7"],
    single: ["10.0.0.1", "60.55.68.53"],
    double: [["10.0.0.1", "172.17.0.9"], ["172.17.0.1", "60.55.68.53"]],
};

impl Topology {
    /// Builds the network of `spec` in `world`, with these machines in it.
    ///
    /// # Panics
    /// If an access has more than two NATs.
    pub fn build(
        world: &mut World<Node>,
        spec: &Spec,
        mut machine: impl FnMut(Who) -> Node,
    ) -> Self {
        let internet = world.router("internet");
        // A quarter of the round trip on each access link: out, in, and the same way back.
        let access = Link::with_latency(spec.rtt / 4);
        let core = add_host(world, spec, Who::Core, &mut machine, CORE);
        world.link(core, internet, access.clone());
        let alice = Self::place(world, spec, Who::Alice, &mut machine, internet);
        let bob = Self::place(world, spec, Who::Bob, &mut machine, internet);
        let core_ip = CORE.parse::<std::net::IpAddr>().expect("an address");
        world.dns().latency = Duration::from_millis(5);
        world.dns().address("core.example.org", core_ip);
        for service in ["_sip._udp", "_sip._tcp"] {
            world.dns().service(&format!("{service}.{DOMAIN}"), "core.example.org", 5060);
        }
        for service in ["_turn._udp", "_turn._tcp"] {
            world.dns().service(&format!("{service}.{DOMAIN}"), "core.example.org", 3478);
        }
        // STARTTLS first: it is the one whose steps can be seen.
        for (priority, service, port) in
            [(1, "_xmpp-client._tcp", 5222), (2, "_xmpps-client._tcp", 5223)]
        {
            let target = "core.example.org".to_owned();
            let record = RecordData::Srv { priority, weight: 0, port, target };
            world.dns().add(&format!("{service}.{DOMAIN}"), record);
        }
        world.set_certificate(core, Certificate::new(&[DOMAIN, "core.example.org"]));
        let mut taps = Vec::new();
        if spec.capture {
            for (who, host) in [(Who::Alice, alice.host), (Who::Core, core), (Who::Bob, bob.host)] {
                let tap = world.tap(Tap::Interface(host, "eth0")).expect("every host has an eth0");
                taps.push((who, tap));
            }
        }
        Self { core, alice, bob, taps }
    }

    fn place(
        world: &mut World<Node>,
        spec: &Spec,
        who: Who,
        machine: &mut impl FnMut(Who) -> Node,
        internet: NodeId,
    ) -> Place {
        let (addresses, access, gateway, loss) = match who {
            Who::Bob => (&BOB, &spec.bob, &spec.bob_gateway, spec.bob_loss),
            _ => (&ALICE, &spec.alice, &spec.alice_gateway, spec.alice_loss),
        };
        let specs = access.nats();
        assert!(specs.len() < 3, "an access has two NATs at most");
        let ways: Vec<[&'static str; 2]> = match specs.len() {
            0 => vec![],
            1 => vec![addresses.single],
            _ => addresses.double.to_vec(),
        };
        let host_address = addresses.host[specs.len()];
        let host = add_host(world, spec, who, machine, host_address);
        let mut nats = Vec::new();
        // Inside, wires take no time worth speaking of; still more than none, as packets have order.
        let wire = Link::with_latency(Duration::from_micros(100));
        let mut inner = host;
        for (at, (nat, [inside, outside])) in specs.into_iter().zip(ways).enumerate() {
            let name = format!("{}-nat{}", who.name(), at + 1);
            let (inside, outer) = (format!("{inside}/24"), format!("{outside}/24"));
            let nat = world.nat(&name, nat, &[&inside], &[&outer]);
            match nats.last() {
                None => world.link(inner, nat, wire.clone()),
                Some((before, _)) => world.link(NodeId::outside(*before), nat, wire.clone()),
            };
            nats.push((nat, outside));
            inner = nat;
        }
        if let (Some(behaviour), Some((nat, _))) = (gateway, nats.first()) {
            add_gateway(world, spec, *nat, behaviour);
        }
        let mut edge = nats.last().map_or_else(|| Port::from(host), |(last, _)| last.outside());
        if let Some(firewall) = access.firewall() {
            let firewall = world.firewall(&format!("{}-firewall", who.name()), firewall);
            world.link(edge, firewall, wire);
            edge = firewall.into();
        }
        let out = Link::with_latency(spec.rtt / 4);
        let uplink = world.link(edge, internet, out.clone());
        world.set_link(uplink, Direction::Forward, out.loss(loss));
        Place { host, address: host_address, nats, uplink }
    }

    /// Who lives at a host.
    #[must_use]
    pub fn who(&self, host: NodeId) -> Who {
        if host == self.alice.host {
            Who::Alice
        } else if host == self.bob.host {
            Who::Bob
        } else {
            Who::Core
        }
    }

    /// The host of somebody.
    #[must_use]
    pub const fn host(&self, who: Who) -> NodeId {
        match who {
            Who::Alice => self.alice.host,
            Who::Core => self.core,
            Who::Bob => self.bob.host,
        }
    }

    /// The place of somebody who is not the core.
    #[must_use]
    pub const fn place_of(&self, who: Who) -> &Place {
        match who {
            Who::Bob => &self.bob,
            _ => &self.alice,
        }
    }
}

fn add_host(
    world: &mut World<Node>,
    spec: &Spec,
    who: Who,
    machine: &mut impl FnMut(Who) -> Node,
    address: &str,
) -> NodeId {
    let address = format!("{address}/24");
    if spec.twins {
        world.host_with_twin(who.name(), machine(who), machine(who), &[&address])
    } else {
        world.host(who.name(), machine(who), &[&address])
    }
}

fn add_gateway(world: &mut World<Node>, spec: &Spec, nat: NodeId, behaviour: &Behaviour) {
    let gateway = || Node::Gateway(Box::new(Gateway::new(behaviour.clone())));
    if spec.twins {
        world.gateway_with_twin(nat, gateway(), gateway());
    } else {
        world.gateway(nat, gateway());
    }
}

/// Whether people behind `a` and `b` can speak to each other without a relay: UDP must get out on
/// both sides, and some side must let in what the other sends.
#[must_use]
pub fn can_be_direct(a: &Access, b: &Access) -> bool {
    !blocks_udp(a) && !blocks_udp(b) && nats_let_through(&a.nats(), &b.nats())
}

/// Whether no UDP gets out.
#[must_use]
pub fn blocks_udp(access: &Access) -> bool {
    access.firewall().is_some_and(|firewall| firewall.blocks_udp)
}

/// Whether two sides behind these NATs find each other.
///
/// This is the rule of the laboratory's table, by the axes of RFC 4787: a NAT whose mapping depends
/// on the destination shows the peer an address that STUN has not told. That is no obstacle if the
/// other side lets it in, so that a check reveals it.
#[must_use]
pub fn nats_let_through(a: &[NatSpec], b: &[NatSpec]) -> bool {
    !(moves(a) && filters_by_port(b) || moves(b) && filters_by_port(a))
}

/// Whether each destination sees another outside address.
#[must_use]
pub fn moves(nats: &[NatSpec]) -> bool {
    nats.iter().any(|nat| nat.mapping != Dependence::Endpoint)
}

/// Whether only those addresses and ports get in that were sent to.
#[must_use]
pub fn filters_by_port(nats: &[NatSpec]) -> bool {
    nats.iter().any(|nat| nat.filtering == Dependence::AddressAndPort)
}
