//! A host that looks around, behind what a test puts before it; a core with two addresses outside.

use std::convert::Infallible;
use std::time::Duration;

use gateway::{Behaviour, Gateway};
use machine::{Endpoint, Entropy, Ids, Input, Instant, Machine, Now, Output};
use netsim::{Access, Happening, Link, NodeId, World};
use server::Server;
use survey::{Config, Event, Report, Survey};

/// The core's addresses.
const CORE: [&str; 2] = ["198.51.100.10/24", "198.51.100.11/24"];

#[expect(clippy::large_enum_variant, reason = "three hosts")]
enum Node {
    Core(Server),
    Survey(Survey),
    Gateway(Gateway),
}

#[derive(Clone, Debug, PartialEq)]
enum Said {
    Core(server::Event),
    Survey(Event),
    Gateway(gateway::Event),
}

#[derive(Clone, Debug, PartialEq)]
enum Asked {
    Core(server::Question),
    Gateway(gateway::Question),
}

#[derive(Clone, Debug)]
enum Answered {
    Core(server::Answer),
    Gateway(gateway::Answer),
}

impl From<gateway::Answer> for Answered {
    fn from(answer: gateway::Answer) -> Self {
        Self::Gateway(answer)
    }
}

impl Machine for Node {
    type Event = Said;
    type Question = Asked;
    type Answer = Answered;

    fn handle_input(&mut self, now: Now, input: Input<'_, Answered>) {
        match self {
            Self::Core(core) => {
                let own = |answer| if let Answered::Core(own) = answer { Some(own) } else { None };
                if let Some(input) = input.map_answer(own) {
                    core.handle_input(now, input);
                }
            }
            Self::Survey(survey) => {
                if let Some(input) = input.map_answer(|_| None::<Infallible>) {
                    survey.handle_input(now, input);
                }
            }
            Self::Gateway(gateway) => {
                let own =
                    |answer| if let Answered::Gateway(own) = answer { Some(own) } else { None };
                if let Some(input) = input.map_answer(own) {
                    gateway.handle_input(now, input);
                }
            }
        }
    }

    fn handle_timeout(&mut self, now: Now) {
        match self {
            Self::Core(core) => core.handle_timeout(now),
            Self::Survey(survey) => survey.handle_timeout(now),
            Self::Gateway(gateway) => gateway.handle_timeout(now),
        }
    }

    fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Said, Asked>> {
        Some(match self {
            Self::Core(core) => core.poll_output(buf)?.map(Said::Core, Asked::Core),
            Self::Survey(survey) => {
                survey.poll_output(buf)?.map(Said::Survey, |never| match never {})
            }
            Self::Gateway(gateway) => gateway.poll_output(buf)?.map(Said::Gateway, Asked::Gateway),
        })
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Core(core) => core.poll_timeout(),
            Self::Survey(survey) => survey.poll_timeout(),
            Self::Gateway(gateway) => gateway.poll_timeout(),
        }
    }
}

/// What stands around the host.
#[derive(Clone, Debug)]
pub(crate) struct Ground {
    /// What is between it and the internet.
    pub(crate) access: Access,
    /// What maps ports at the NAT next to it.
    pub(crate) gateway: Option<Behaviour>,
    /// How many addresses the core has.
    pub(crate) addresses: usize,
    /// Whether somebody is asked at all.
    pub(crate) server: Option<&'static str>,
    /// The addresses that the name servers make up for names without IPv6.
    pub(crate) nat64: Option<&'static str>,
    /// The outside address of the NAT next to the internet.
    pub(crate) outside: &'static str,
}

impl Ground {
    pub(crate) fn behind(access: &str) -> Self {
        Self {
            access: access.parse().unwrap(),
            gateway: None,
            addresses: 2,
            server: Some("core.example.org"),
            nat64: None,
            outside: "203.0.113.1/24",
        }
    }

    /// What a survey finds there, and how long it takes.
    pub(crate) fn survey(&self, lifetime: Option<Duration>) -> (Report, Duration) {
        let mut world = World::new(7);
        let internet = world.router("internet");
        let link = || Link::with_latency(Duration::from_millis(10));
        let addresses = &CORE[..self.addresses];
        let ips =
            addresses.iter().map(|address| address.split('/').next().unwrap().parse().unwrap());
        let core = Server::new(server::Config::new("example.org", ips), &Entropy::seeded(1));
        let core = world.host("core", Node::Core(core), addresses);
        world.link(core, internet, link());
        world.dns().address(
            "core.example.org",
            CORE[0].split('/').next().unwrap().parse::<std::net::IpAddr>().unwrap(),
        );
        if let Some(ip) = self.nat64 {
            world.dns().address("ipv4only.arpa", ip.parse::<std::net::IpAddr>().unwrap());
        }
        let config =
            Config { server: self.server.map(str::to_owned), lifetime, ..Config::default() };
        let make = || Node::Survey(Survey::new(config.clone(), Ids::new(0), Entropy::seeded(2)));
        let nats = self.access.nats();
        let inside = if nats.is_empty() { self.outside } else { "192.168.1.2/24" };
        let host = world.host_with_twin("host", make(), make(), &[inside]);
        let mut edge = netsim::Port::from(host);
        let mut gate = None;
        let last = nats.len().saturating_sub(1);
        for (at, nat) in nats.into_iter().enumerate() {
            let (inside, outside) = match (at, last) {
                (at, last) if at == last && at == 0 => ("192.168.1.1/24", self.outside),
                (0, _) => ("192.168.1.1/24", "172.16.0.2/24"),
                _ => ("172.16.0.1/24", self.outside),
            };
            let node = world.nat(&format!("nat{at}"), nat, &[inside], &[outside]);
            world.link(edge, node, Link::default());
            edge = NodeId::outside(node);
            gate = gate.or(Some(node));
        }
        if let Some(firewall) = self.access.firewall() {
            let firewall = world.firewall("firewall", firewall);
            world.link(edge, firewall, Link::default());
            edge = firewall.into();
        }
        world.link(edge, internet, link());
        if let (Some(behaviour), Some(nat)) = (&self.gateway, gate) {
            world.gateway(nat, Node::Gateway(Gateway::new(behaviour.clone())));
        }
        world.start();
        while let Some(happened) = world.next_before(Instant::ORIGIN + Duration::from_secs(900)) {
            match happened.what {
                Happening::Question(id, Asked::Core(_)) => {
                    let answer = Answered::Core(server::Answer::Bindings(Vec::new()));
                    world.answer(happened.host, id, answer);
                }
                Happening::Question(id, Asked::Gateway(question)) => {
                    gateway::serve(&mut world, happened.host, id, &question);
                }
                Happening::Event(Said::Survey(Event::Done(report))) => {
                    return (*report, happened.now.mono.saturating_since(Instant::ORIGIN));
                }
                Happening::Event(_) => {}
            }
        }
        panic!("no end: {self:?}");
    }
}

/// An endpoint of a report, for comparisons.
pub(crate) fn ip(endpoint: Option<Endpoint>) -> Option<String> {
    endpoint.map(|endpoint| endpoint.ip().to_string())
}
