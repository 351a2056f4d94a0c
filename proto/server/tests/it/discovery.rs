//! The core with two addresses: a client finds out what its NAT does (RFC 5780).

use std::convert::Infallible;
use std::time::Duration;

use machine::{Endpoint, Entropy, Ids, Input, Instant, Machine, Now, Output};
use netsim::{Access, Happening, Link, NodeId, World};
use stun::behaviour::{self, Discovery, Filtering, Mapping, Report, Unknown};
use stun::binding::Places;
use wayleave_server::{Address, Answer, Config, Event, Question, Server, Service};

const FIRST: &str = "198.51.100.10";
const SECOND: &str = "198.51.100.11";

#[expect(clippy::large_enum_variant, reason = "two hosts")]
enum Node {
    Core(Server),
    Client(Discovery),
}

#[derive(Clone, Debug, PartialEq)]
enum Said {
    Core(Event),
    Client(behaviour::Event),
}

impl Machine for Node {
    type Event = Said;
    type Question = Question;
    type Answer = Answer;

    fn handle_input(&mut self, now: Now, input: Input<'_, Answer>) {
        match self {
            Self::Core(core) => core.handle_input(now, input),
            Self::Client(client) => {
                if let Some(input) = input.map_answer(|_| None::<Infallible>) {
                    client.handle_input(now, input);
                }
            }
        }
    }

    fn handle_timeout(&mut self, now: Now) {
        match self {
            Self::Core(core) => core.handle_timeout(now),
            Self::Client(client) => client.handle_timeout(now),
        }
    }

    fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Said, Question>> {
        match self {
            Self::Core(core) => Some(core.poll_output(buf)?.map(Said::Core, |question| question)),
            Self::Client(client) => {
                Some(client.poll_output(buf)?.map(Said::Client, |never| match never {}))
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Core(core) => core.poll_timeout(),
            Self::Client(client) => client.poll_timeout(),
        }
    }
}

fn config(addresses: &[&str]) -> Config {
    let ips: Vec<_> = addresses.iter().map(|ip| ip.parse().unwrap()).collect();
    let mut config = Config::new("example.org", ips);
    config.listeners.sort();
    config
}

/// What the core with `config` says at the start, and what a client behind `access` finds out from it.
fn discover(config: Config, access: &str, classic: bool) -> (Vec<Address>, Vec<Places>, Report) {
    let mut world = World::new(1);
    let internet = world.router("internet");
    let link = || Link::with_latency(Duration::from_millis(10));
    let addresses = [FIRST, SECOND].map(|ip| format!("{ip}/24"));
    let core = Server::new(config, &Entropy::seeded(1));
    let core = world.host("core", Node::Core(core), &addresses.each_ref().map(String::as_str));
    world.link(core, internet, link());
    let server = Endpoint::new(FIRST.parse::<std::net::IpAddr>().unwrap(), 3478);
    let wanted = behaviour::Config { classic, ..behaviour::Config::new(server) };
    let client = Discovery::new(wanted, Ids::new(0), Entropy::seeded(2));
    let client = world.host("client", Node::Client(client), &["192.168.1.2/24"]);
    let nat = access.parse::<Access>().unwrap().nats().remove(0);
    let nat = world.nat("nat", nat, &["192.168.1.1/24"], &["203.0.113.1/24"]);
    world.link(client, nat, Link::default());
    world.link(NodeId::outside(nat), internet, link());
    world.start();
    let mut ready = None;
    while let Some(happened) = world.next_before(Instant::ORIGIN + Duration::from_secs(60)) {
        match happened.what {
            Happening::Question(id, _) => {
                world.answer(happened.host, id, Answer::Bindings(Vec::new()));
            }
            Happening::Event(Said::Core(Event::Ready { addresses, places })) => {
                ready = Some((addresses, places));
            }
            Happening::Event(Said::Client(behaviour::Event::Done(report))) => {
                let (addresses, places) = ready.expect("the core is ready first");
                return (addresses, places, *report);
            }
            Happening::Event(_) => {}
        }
    }
    panic!("no end");
}

#[test]
fn two_addresses_show_what_a_nat_does() {
    for (access, mapping, filtering) in [
        ("mapping=ei,filtering=ei", Mapping::EndpointIndependent, Filtering::EndpointIndependent),
        ("mapping=ad,filtering=ad", Mapping::AddressDependent, Filtering::AddressDependent),
        (
            "mapping=apd,filtering=apd",
            Mapping::AddressAndPortDependent,
            Filtering::AddressAndPortDependent,
        ),
    ] {
        let (addresses, places, report) = discover(config(&[FIRST, SECOND]), access, false);
        let [places] = &places[..] else { panic!("{places:?}") };
        assert_eq!(places.primary().to_string(), "198.51.100.10:3478");
        let second = addresses.iter().filter(|address| address.service == Service::Stun);
        let second: Vec<_> = second.map(|address| address.local.to_string()).collect();
        assert_eq!(second, ["198.51.100.10:3479", "198.51.100.11:3479"]);
        assert_eq!(report.other, Some("198.51.100.11:3479".parse().unwrap()));
        assert_eq!((report.mapping, report.filtering), (Ok(mapping), Ok(filtering)), "{access}");
        assert_eq!(report.fragments, Ok(true));
    }
}

#[test]
fn with_one_address_it_is_unknown() {
    let no_second = Config { alternate_port: None, ..config(&[FIRST, SECOND]) };
    let mut other_port = config(&[FIRST, SECOND]);
    for listener in &mut other_port.listeners {
        if listener.local.ip().to_string() == SECOND {
            listener.local = listener.local.with_port(listener.local.port() + 1000);
        }
    }
    for config in [config(&[FIRST]), config(&["0.0.0.0"]), no_second, other_port] {
        let (addresses, places, report) = discover(config, "symmetric", false);
        assert!(places.is_empty());
        assert!(addresses.iter().all(|address| address.service != Service::Stun));
        assert_eq!(report.mapping, Err(Unknown::NoOtherAddress));
        assert!(report.mapped.is_some());
    }
}

#[test]
fn others_see_the_external_addresses() {
    let mut config = config(&[FIRST, SECOND]);
    config.external.insert(FIRST.parse().unwrap(), "203.0.113.10".parse().unwrap());
    // One of two is no pair any more that all can reach alike.
    config.external.insert(SECOND.parse().unwrap(), "10.0.0.11".parse().unwrap());
    assert!(discover(config.clone(), "symmetric", false).1.is_empty());
    config.external.insert(SECOND.parse().unwrap(), "203.0.113.11".parse().unwrap());
    let (_, places, report) = discover(config, "symmetric", false);
    assert_eq!(places[0].primary().to_string(), "203.0.113.10:3478");
    assert_eq!(report.other, Some("203.0.113.11:3479".parse().unwrap()));
}

#[test]
fn rfc_3489_is_by_configuration() {
    for (classic, mapping) in
        [(true, Ok(Mapping::AddressAndPortDependent)), (false, Err(Unknown::NoOtherAddress))]
    {
        let config = Config { classic, ..config(&[FIRST, SECOND]) };
        let (_, _, report) = discover(config, "symmetric", true);
        assert_eq!(report.mapping, mapping, "{classic}");
    }
}
