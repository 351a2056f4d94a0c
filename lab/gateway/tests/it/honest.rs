//! Gateways that do as they are meant.

use std::time::Duration;

use gateway::Behaviour;
use machine::{Endpoint, Transport};
use portmap::{Event, Protocol, Request};

use crate::home::{Home, INSIDE, INSIDE_V6, OUTSIDE, request};

const HOUR: Duration = Duration::from_hours(1);

fn gateways() -> Vec<(&'static str, Behaviour, Vec<Protocol>)> {
    use Protocol::{NatPmp, Pcp, Upnp};
    vec![
        ("pcp", Behaviour::pcp(), vec![Pcp]),
        ("natpmp", Behaviour::nat_pmp(), vec![NatPmp]),
        ("upnp1", Behaviour::upnp(1), vec![Upnp]),
        ("upnp2", Behaviour::upnp(2), vec![Upnp]),
        ("all", Behaviour::all(), vec![Pcp, NatPmp, Upnp]),
    ]
}

/// The life of a mapping, from the search to the end, over lines that lose nothing and lines that do.
fn life(seed: u64, loss: f64, name: &str, behaviour: &Behaviour, protocols: &[Protocol]) -> u64 {
    let place = format!("{name}, seed {seed}, loss {loss}");
    let mut home = Home::new(seed, behaviour, loss);
    if loss == 0.0 {
        assert_eq!(home.found(), protocols, "{place}");
    }
    // A search that lost too much finds nothing; the next one does.
    let tries = if loss == 0.0 { 1 } else { 5 };
    let tried = (0..tries).find_map(|_| {
        let id = home.map();
        home.outcome(id, 60).expect(&place).ok().map(|mapping| (id, mapping))
    });
    let (id, mapping) = tried.expect(&place);
    if loss == 0.0 {
        assert_eq!(mapping.protocol, protocols[0], "{place}");
    }
    assert_eq!(mapping.external, format!("{OUTSIDE}:4000").parse().unwrap(), "{place}");
    assert!(home.stands(&mapping), "{place}");
    assert_eq!(home.forwarded().len(), 1, "no rivals: {place}");

    // It is renewed, again and again.
    home.run(7 * HOUR);
    let lost = |(_, event): &(_, Event)| matches!(event, Event::Lost { .. });
    if loss > 0.0 && home.events.iter().any(lost) {
        // Whoever loses much may lose sight of the router, and says so.
        return home.world.digest();
    }
    assert!(home.stands(&mapping), "{place}: {:?}", home.events);
    assert_eq!(home.forwarded().len(), 1, "{place}");

    // The router forgets it, and it is there again.
    home.restart();
    assert!(home.forwarded().is_empty());
    home.run(Duration::from_mins(5));
    let restarted = |(_, event): &(_, Event)| matches!(event, Event::Restarted { .. });
    assert!(home.events.iter().any(restarted), "{place}: {:?}", home.events);
    assert!(home.stands(&mapping), "{place}: {:?}", home.events);
    assert!(!home.events.iter().any(lost), "{place}: {:?}", home.events);

    // It goes when it is not wanted any more, the last one with the client.
    let (tcp, inside) = (Transport::Tcp, INSIDE.parse::<std::net::IpAddr>().unwrap());
    let second = home.map_as(Request::new(tcp, Endpoint::new(inside, 5001)));
    let second = home.outcome(second, 60).expect(&place).expect(&place);
    assert!(home.stands(&second) && home.stands(&mapping), "{place}");
    home.client(|client, now| client.unmap(now, id));
    let unmapped =
        |event: &Event| matches!(event, Event::Unmapped { id: of } if *of == id).then_some(());
    assert!(home.wait(Duration::from_secs(30), unmapped).is_some(), "{place}");
    if loss == 0.0 {
        assert!(!home.stands(&mapping), "{place}");
    }
    home.client(portmap::Client::close);
    let closed = |event: &Event| matches!(event, Event::Closed).then_some(());
    assert!(home.wait(Duration::from_secs(3), closed).is_some(), "{place}");
    if loss == 0.0 {
        assert!(home.forwarded().is_empty(), "{place}");
    }
    assert!(!home.visited, "{place}");
    home.world.digest()
}

#[test]
fn a_mapping_is_found_kept_made_again_and_removed() {
    for (name, behaviour, protocols) in gateways() {
        for seed in 1..=8 {
            life(seed, 0.0, name, &behaviour, &protocols);
        }
    }
}

#[test]
fn a_mapping_lives_on_a_line_that_loses_packets() {
    for (name, behaviour, protocols) in gateways() {
        for seed in 1..=8 {
            life(seed, 0.03, name, &behaviour, &protocols);
        }
    }
}

/// A bad radio: every tenth packet is lost, each exchange of UPnP takes several seconds, and the first
/// search finds the gateway all the same, and keeps it.
#[test]
fn upnp_has_patience_with_a_line_that_loses_every_tenth_packet() {
    for version in [1, 2] {
        for seed in 1..=5 {
            let place = format!("version {version}, seed {seed}");
            let mut home = Home::new(seed, &Behaviour::upnp(version), 0.1);
            let id = home.map();
            let mapping = home.outcome(id, 60).expect(&place).unwrap_or_else(|error| {
                panic!("{place}: {error}: {:?}", home.events);
            });
            home.run(7 * HOUR);
            let lost = |(_, event): &(_, Event)| matches!(event, Event::Lost { .. });
            assert!(!home.events.iter().any(lost), "{place}: {:?}", home.events);
            assert!(home.stands(&mapping), "{place}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_packets() {
    for (name, behaviour, protocols) in gateways() {
        let run = || life(77, 0.03, name, &behaviour, &protocols);
        assert_eq!(run(), run(), "{name}");
    }
}

#[test]
fn a_gateway_tells_its_address_outside() {
    for (name, behaviour, protocols) in gateways() {
        let mut home = Home::new(1, &behaviour, 0.0);
        assert_eq!(home.found(), protocols, "{name}");
        let id = home.map();
        assert!(matches!(home.outcome(id, 20), Some(Ok(_))), "{name}");
        let gateways = home.client(|client, _| client.gateways().cloned().collect::<Vec<_>>());
        let expected = Some(OUTSIDE.parse().unwrap());
        let mut v4 = gateways.iter().filter(|gateway| gateway.address.is_ipv4());
        assert!(v4.any(|gateway| gateway.external == expected), "{name}: {gateways:?}");
        assert!(gateways.iter().all(|gateway| gateway.trouble.is_none()), "{name}: {gateways:?}");
    }
}

#[test]
fn the_table_of_a_router_is_listed_and_swept() {
    for behaviour in [Behaviour::upnp(1), Behaviour::upnp(2), Behaviour::all()] {
        let mut home = Home::new(1, &behaviour, 0.0);
        let ids = [4000, 4001, 4002].map(|port| {
            let mut wanted = request();
            wanted.internal = wanted.internal.with_port(port);
            home.map_as(wanted)
        });
        home.run(Duration::from_secs(20));
        assert_eq!(home.forwarded().len(), ids.len());
        home.client(|client, now| client.list(now));
        let listed = |event: &Event| match event {
            Event::Listed(listed) => Some(listed.clone()),
            _ => None,
        };
        let entries = home.wait(Duration::from_secs(20), listed).expect("a list").expect("entries");
        let ports: Vec<u16> = entries.iter().map(|entry| entry.external_port).collect();
        assert_eq!(ports, [4000, 4001, 4002]);
        assert!(entries.iter().all(|entry| entry.internal_client == INSIDE));
        home.client(|client, now| client.remove_at(now, Transport::Udp, 4001));
        let removed = |event: &Event| match event {
            Event::Removed { result, .. } => Some(result.clone()),
            _ => None,
        };
        assert_eq!(home.wait(Duration::from_secs(20), removed), Some(Ok(())));
        assert!(home.forwarded().iter().all(|forward| forward.outside_port != 4001));
    }
}

#[test]
fn pinholes_open_in_a_firewall_of_ipv6() {
    for (name, behaviour, _) in gateways() {
        if ["natpmp", "upnp1"].contains(&name) {
            continue;
        }
        let mut home = Home::new(1, &behaviour, 0.0);
        let inside: std::net::IpAddr = INSIDE_V6.parse().unwrap();
        let id = home.map_as(Request::new(Transport::Udp, Endpoint::new(inside, 4000)));
        let mapping = home.outcome(id, 30).expect(name).expect(name);
        assert_eq!(mapping.external, mapping.internal, "{name}");
        assert!(home.stands(&mapping), "{name}");
        home.run(30 * HOUR);
        assert!(home.stands(&mapping), "{name}");
        home.client(|client, now| client.unmap(now, id));
        home.run(Duration::from_secs(20));
        assert!(home.forwarded().is_empty(), "{name}");
    }
}
