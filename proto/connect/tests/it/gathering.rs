//! Candidates, and nothing that waits for the dead.

use std::time::Duration;

use connect::{CandidateKind, Event, IceMode, Origin, StreamSpec};
use machine::InterfaceKind;

use crate::town::{ALICE, Plan, STUN, Town};

fn gathered_after(town: &Town) -> Duration {
    let gathered = |event: &Event| matches!(event, Event::Gathered { .. });
    let at = town.events[ALICE].iter().find(|(_, event)| gathered(event)).expect("gathered").0;
    at - machine::Instant::ORIGIN
}

#[test]
fn host_and_reflexive_candidates_with_their_origins() {
    let mut town = Town::new(&Plan { access: ["full-cone", "open"], ..Plan::default() });
    town.spec.streams = vec![StreamSpec { components: 2 }];
    let session = town.open(ALICE);
    town.run(Duration::from_secs(1));
    let local = town.connect(ALICE).local(session).unwrap();
    let candidates = &local.streams[0].candidates;
    assert_eq!(candidates.len(), 4);
    let [host, reflexive] = [CandidateKind::Host, CandidateKind::ServerReflexive]
        .map(|kind| candidates.iter().find(|c| c.kind == kind && c.component == 1).unwrap());
    assert_eq!(host.origin, Origin::Interface("eth0".to_owned()));
    assert_eq!(reflexive.origin, Origin::StunServer(STUN.parse().unwrap()));
    assert_eq!(reflexive.related, Some(host.endpoint));
    assert!(host.priority > reflexive.priority && host.foundation != reflexive.foundation);
    assert_eq!(local.streams[0].defaults[0], Some(reflexive.endpoint));
    let told = |event: &&(machine::Instant, Event)| matches!(event.1, Event::Candidate { .. });
    assert_eq!(town.events[ALICE].iter().filter(told).count(), 4);
    // Two questions, Ta apart, and a round trip.
    assert_eq!(gathered_after(&town), Duration::from_millis(90));
}

#[test]
fn a_dead_interface_costs_a_moment() {
    let mut town = Town::new(&Plan::default());
    let kind = InterfaceKind::Tunnel;
    town.world.interface(town.phones[ALICE], "tun0", kind, &["10.99.0.2/24"]);
    town.run(Duration::from_millis(1));
    let session = town.open(ALICE);
    town.run(Duration::from_secs(3));
    let after = gathered_after(&town);
    assert!(after < Duration::from_secs(1), "{after:?}");
    let local = town.connect(ALICE).local(session).unwrap();
    assert_eq!(local.streams[0].candidates.len(), 2, "its address is a candidate all the same");
}

#[test]
fn a_dead_server_beside_a_live_one_costs_nothing() {
    let mut town = Town::new(&Plan::default());
    town.spec.stun_servers = vec!["198.51.100.77:3478".parse().unwrap(), STUN.parse().unwrap()];
    town.open(ALICE);
    town.run(Duration::from_secs(3));
    assert!(gathered_after(&town) < Duration::from_millis(150));
}

#[test]
fn dead_servers_alone_cost_the_limit() {
    let mut town = Town::new(&Plan { silent_server: true, ..Plan::default() });
    let session = town.open(ALICE);
    town.run(Duration::from_secs(60));
    assert_eq!(gathered_after(&town), connect::defaults::GATHER_LIMIT);
    let explanation = town.connect(ALICE).explain(session).unwrap();
    assert!(explanation.to_string().contains("STUN server 198.51.100.10:3478"), "{explanation}");
}

#[test]
fn loopback_when_there_is_nothing_else_or_on_demand() {
    let mut town = Town::new(&Plan { v4: false, ..Plan::default() });
    let session = town.open(ALICE);
    town.run(Duration::from_secs(3));
    let ips = |town: &Town, session| {
        let local = town.connect(ALICE).local(session).unwrap();
        let candidates = local.streams[0].candidates.iter();
        candidates.map(|c| c.endpoint.ip().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(ips(&town, session), ["::1", "127.0.0.1"]);
    let mut town = Town::new(&Plan::default());
    town.spec.include_loopback = true;
    let session = town.open(ALICE);
    town.run(Duration::from_secs(3));
    assert_eq!(ips(&town, session), ["203.0.113.1", "::1", "127.0.0.1"]);
}

#[test]
fn the_default_follows_the_address_that_signalling_uses() {
    let mut town = Town::new(&Plan { more: [vec!["2001:db8:a::1/64"], vec![]], ..Plan::default() });
    let default = |town: &mut Town| {
        let session = town.open(ALICE);
        town.run(Duration::from_secs(1));
        town.connect(ALICE).local(session).unwrap().streams[0].defaults[0].unwrap()
    };
    assert!(default(&mut town).is_ipv4());
    town.spec.preferred = Some("2001:db8:a::1".parse().unwrap());
    assert!(default(&mut town).is_ipv6());
    town.spec.ice = IceMode::Off;
    assert!(default(&mut town).is_ipv6());
}

#[test]
fn sessions_that_open_before_the_interfaces_are_known_wait_for_them() {
    use connect::{Config, Connect, Role, SessionSpec};
    use machine::{Entropy, Ids, Input, Machine, Now, Output};

    let mut connect = Connect::new(Config::default(), Ids::new(1), Entropy::seeded(1));
    let spec = SessionSpec {
        streams: vec![StreamSpec { components: 1 }],
        ice: IceMode::On,
        role: Role::Controlling,
        stun_servers: Vec::new(),
        include_loopback: false,
        preferred: None,
        ..SessionSpec::default()
    };
    let now = Now::default();
    let session = connect.open(now, spec).unwrap();
    let mut buf = Vec::new();
    assert_eq!(connect.poll_output(&mut buf), None);
    let address = machine::InterfaceAddress {
        ip: "fe80::7".parse().unwrap(),
        prefix_len: 64,
        temporary: false,
        deprecated: false,
    };
    let interface = machine::Interface {
        index: 9,
        name: "eth0".to_owned(),
        kind: InterfaceKind::Physical,
        addresses: vec![address],
        routers: Vec::new(),
    };
    connect.handle_input(now, Input::Interfaces(vec![interface]));
    let Some(Output::Bind { id, interface, local, .. }) = connect.poll_output(&mut buf) else {
        panic!("it binds")
    };
    assert_eq!((interface, local.port()), (Some(9), 0));
    // No other socket: it cannot be bound, and the session fails.
    connect.handle_input(now, Input::Failed { id, kind: machine::FailKind::AddressNotAvailable });
    let Some(Output::Event(Event::Failed { explanation, .. })) = connect.poll_output(&mut buf)
    else {
        panic!("it fails")
    };
    assert!(explanation.to_string().contains("not an address of this host"), "{explanation}");
    connect.close(now, session);
    assert_eq!(
        connect.poll_output(&mut buf),
        Some(Output::Event(Event::Closed { session })),
        "nothing is left to close"
    );
}

#[test]
fn one_pace_for_all_sessions() {
    let mut town = Town::new(&Plan { access: ["full-cone", "open"], ..Plan::default() });
    let start = town.now();
    (0..20).for_each(|_| {
        town.open(ALICE);
    });
    let asked = |town: &Town| town.asked();
    town.run(Duration::from_millis(25));
    assert_eq!(asked(&town), 1);
    town.run(Duration::from_millis(500));
    let elapsed = town.now() - start;
    let most = elapsed.as_millis() / 50 + 1;
    assert!(u128::from(asked(&town)) <= most, "{} in {elapsed:?}", asked(&town));
}
