//! Gateways that do some of it, or in their own way.

use std::time::Duration;

use gateway::{Behaviour, Page, Ports, Service, Upnp};
use portmap::{Error, Event, Protocol, Trouble};

use crate::home::{Home, request};

fn upnp1() -> Upnp {
    Upnp::version(1)
}

/// Maps, and says by what.
fn maps(behaviour: &Behaviour) -> Protocol {
    let mut home = Home::new(1, behaviour, 0.0);
    let id = home.map();
    let mapping =
        home.outcome(id, 90).expect("an outcome").unwrap_or_else(|e| panic!("{behaviour:?}: {e}"));
    assert!(home.stands(&mapping), "{behaviour:?}");
    assert_eq!(home.forwarded().len(), 1, "{behaviour:?}");
    mapping.protocol
}

#[test]
fn what_one_protocol_refuses_another_may_grant() {
    use Protocol::{NatPmp, Upnp as ByUpnp};
    let all = Behaviour::all;
    for (behaviour, expected) in [
        (Behaviour { pcp: Service::Silent, ..all() }, NatPmp),
        (Behaviour { pcp: Service::Unsupported, ..all() }, NatPmp),
        (Behaviour { pcp: Service::NoMap, ..all() }, NatPmp),
        (Behaviour { pcp: Service::Forbidden, ..all() }, NatPmp),
        (Behaviour { pcp: Service::Unsupported, nat_pmp: Service::Forbidden, ..all() }, ByUpnp),
        (Behaviour { pcp: Service::Forbidden, nat_pmp: Service::NoMap, ..all() }, ByUpnp),
        (Behaviour { pcp: Service::Silent, nat_pmp: Service::Silent, ..all() }, ByUpnp),
    ] {
        assert_eq!(maps(&behaviour), expected, "{behaviour:?}");
    }
}

#[test]
fn answers_over_http_may_be_framed_in_any_way() {
    for page in [Page::Chunked, Page::Unmeasured] {
        for version in [1, 2] {
            let (description, control) = (page.clone(), page.clone());
            let upnp = Upnp { description, control, ..Upnp::version(version) };
            assert_eq!(maps(&Behaviour::only(upnp)), Protocol::Upnp);
        }
    }
}

#[test]
fn another_port_than_asked_is_told_or_refused() {
    for behaviour in [Behaviour::pcp(), Behaviour::nat_pmp(), Behaviour::upnp(2)] {
        let behaviour = behaviour.ports(Ports::Others);
        let mut home = Home::new(1, &behaviour, 0.0);
        let id = home.map();
        let mapping = home.outcome(id, 60).unwrap().unwrap();
        assert_ne!(mapping.external.port(), 4000, "{behaviour:?}");
        assert!(home.stands(&mapping), "{behaviour:?}");

        let mut home = Home::new(1, &behaviour, 0.0);
        let mut wanted = request();
        wanted.prefer_failure = true;
        let id = home.map_as(wanted);
        let outcome = home.outcome(id, 60).unwrap();
        assert!(outcome.is_err(), "{behaviour:?}: {outcome:?}");
        home.run(Duration::from_secs(30));
        assert!(home.forwarded().is_empty(), "{behaviour:?}");
    }
}

#[test]
fn a_port_that_is_taken_is_not_the_end() {
    for behaviour in
        [Behaviour::pcp(), Behaviour::nat_pmp(), Behaviour::upnp(1), Behaviour::upnp(2)]
    {
        let taken = behaviour.ports(Ports::Taken(3));
        let mut home = Home::new(1, &taken, 0.0);
        let id = home.map();
        let mapping = home.outcome(id, 60).unwrap().unwrap();
        assert_ne!(mapping.external.port(), 4000, "{taken:?}");
        assert!(home.stands(&mapping), "{taken:?}");
    }
    // A gateway that finds every port taken is asked so often and no more.
    let mut home = Home::new(1, &Behaviour::upnp(1).ports(Ports::Others), 0.0);
    let id = home.map();
    assert!(home.outcome(id, 120).expect("an outcome").is_err());
}

#[test]
fn the_same_port_inside_and_outside_is_what_some_insist_on() {
    let mut home = Home::new(1, &Behaviour::upnp(1).ports(Ports::Same), 0.0);
    let mut wanted = request();
    wanted.external_port = Some(4444);
    let id = home.map_as(wanted);
    let mapping = home.outcome(id, 60).unwrap().unwrap();
    assert_eq!(mapping.external.port(), 4000);
    assert!(home.stands(&mapping));
}

#[test]
fn a_permanent_lease_is_removed_by_hand() {
    for version in [1, 2] {
        let upnp = Upnp { permanent_only: true, ..Upnp::version(version) };
        let mut home = Home::new(1, &Behaviour::only(upnp), 0.0);
        let id = home.map();
        let mapping = home.outcome(id, 60).unwrap().unwrap();
        assert_eq!(mapping.lease, None);
        home.run(Duration::from_hours(30));
        assert!(home.stands(&mapping));
        home.restart();
        home.run(Duration::from_mins(5));
        assert!(home.stands(&mapping), "{:?}", home.events);
        home.client(portmap::Client::close);
        home.run(Duration::from_secs(3));
        assert!(home.forwarded().is_empty());
    }
}

#[test]
fn a_short_lifetime_is_renewed_in_time() {
    for behaviour in
        [Behaviour::pcp(), Behaviour::nat_pmp(), Behaviour::upnp(1), Behaviour::upnp(2)]
    {
        let limit = Some(Duration::from_secs(60));
        let behaviour = Behaviour { lifetime_limit: limit, ..behaviour };
        let mut home = Home::new(1, &behaviour, 0.0);
        let id = home.map();
        let mapping = home.outcome(id, 60).unwrap().unwrap();
        for minute in 0..60 {
            assert!(home.stands(&mapping), "{behaviour:?} after {minute} minutes");
            home.run(Duration::from_mins(1));
        }
    }
}

#[test]
fn a_gateway_without_an_address_of_the_world_is_named_for_what_it_is() {
    for behaviour in [Behaviour::nat_pmp(), Behaviour::upnp(1), Behaviour::upnp(2)] {
        let ip = |ip: &str| ip.parse::<std::net::IpAddr>().unwrap();
        for (external, expected) in [
            (ip("0.0.0.0"), Trouble::NotConnected),
            (ip("192.168.7.2"), Trouble::PrivateExternal(ip("192.168.7.2"))),
            (ip("100.64.1.2"), Trouble::CarrierNat(ip("100.64.1.2"))),
        ] {
            let mut home = Home::new(1, &behaviour.clone().external(external), 0.0);
            home.found();
            let trouble = home.client(|client, _| {
                client.gateways().filter(|g| g.address.is_ipv4()).find_map(|g| g.trouble)
            });
            assert_eq!(trouble, Some(expected), "{behaviour:?}");
        }
    }
    // PCP tells with a mapping, or with the refusal of one.
    let mut home = Home::new(1, &Behaviour::pcp().unconnected(), 0.0);
    let id = home.map();
    let outcome = home.outcome(id, 60).expect("an outcome");
    assert!(
        matches!(&outcome, Err(Error::Refused { code: 7, .. } | Error::Trouble(_))),
        "{outcome:?}"
    );
}

/// Who cannot hear announcements, or gets none, notices a restart all the same.
#[test]
fn a_restart_without_announcements_is_noticed_in_time() {
    for behaviour in
        [Behaviour::pcp(), Behaviour::nat_pmp(), Behaviour::upnp(1), Behaviour::upnp(2)]
    {
        let behaviour = Behaviour { announces: false, ..behaviour };
        let mut home = Home::new(1, &behaviour, 0.0);
        let id = home.map();
        let mapping = home.outcome(id, 60).unwrap().unwrap();
        home.run(Duration::from_mins(10));
        home.restart();
        // At the latest when half of its lifetime is over.
        home.run(Duration::from_mins(65));
        let restarted = |(_, event): &(_, Event)| matches!(event, Event::Restarted { .. });
        assert!(home.events.iter().any(restarted), "{behaviour:?}: {:?}", home.events);
        assert!(home.stands(&mapping), "{behaviour:?}");
    }
}

/// A gateway that is gone leaves an error, not a mapping that is believed in.
#[test]
fn a_gateway_that_falls_silent_is_noticed() {
    for behaviour in [Behaviour::pcp(), Behaviour::nat_pmp(), Behaviour::only(upnp1())] {
        let mut home = Home::new(1, &behaviour, 0.0);
        let id = home.map();
        home.outcome(id, 60).unwrap().unwrap();
        home.behave(&Behaviour::none());
        home.restart();
        let lost = home.wait(Duration::from_hours(4), |event| match event {
            Event::Lost { id: of, error } if *of == id => Some(error.clone()),
            _ => None,
        });
        assert!(lost.is_some(), "{behaviour:?}: {:?}", home.events);
    }
}
