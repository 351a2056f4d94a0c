use std::time::Duration;

use machine::{Endpoint, Input, Machine as _, Transport};

use self::world::{HOST, Mode, OUTSIDE, ROUTER, World, granted, wire};
use super::{Client, Config, Error, Event, Refusal};
use crate::defaults::{CLOSE, MAX_MAPPINGS, MAX_REFUSALS, MAX_WISHES, RELEASE, SEARCH};
use crate::{Gateway, Mapping, Protocol, Request, Trouble, pcp};

mod world;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

fn gateways(events: &[Event]) -> Vec<Gateway> {
    let gateways = events.iter().filter_map(|event| match event {
        Event::Gateway(gateway) => Some((**gateway).clone()),
        _ => None,
    });
    gateways.collect()
}

#[test]
fn a_probe_tells_who_is_there_and_maps_nothing() {
    let mut world = World::new(Mode::Speaks, Mode::Speaks);
    assert_eq!(world.take(), [], "nothing is asked unasked");
    world.verb(Client::probe);
    let events = world.take();
    let found = gateways(&events);
    let protocols: Vec<Protocol> = found.iter().map(|gateway| gateway.protocol).collect();
    assert!(protocols.contains(&Protocol::Pcp) && protocols.contains(&Protocol::NatPmp));
    assert!(found.iter().all(|gateway| gateway.address == std::net::IpAddr::from(ROUTER)));
    assert!(found.iter().any(|gateway| gateway.external == Some(OUTSIDE.into())));
    assert_eq!(events.last(), Some(&Event::Searched));
    assert!(world.router.asked.is_empty() && world.router.mappings.is_empty());
    // Once more: told again, without another socket.
    world.verb(Client::probe);
    assert_eq!(gateways(&world.take()).len(), 2);
    assert_eq!(world.client.get().paths.len(), 1);
}

#[test]
fn one_protocol_maps_the_best_that_answers() {
    for (pcp, natpmp, by) in [
        (Mode::Speaks, Mode::Speaks, Protocol::Pcp),
        (Mode::Speaks, Mode::Silent, Protocol::Pcp),
        (Mode::Refuses, Mode::Speaks, Protocol::NatPmp),
        (Mode::Silent, Mode::Speaks, Protocol::NatPmp),
        // Forbidden, without the opcode, without room.
        (Mode::Fails(2), Mode::Speaks, Protocol::NatPmp),
        (Mode::Fails(4), Mode::Speaks, Protocol::NatPmp),
        (Mode::Fails(8), Mode::Speaks, Protocol::NatPmp),
        (Mode::NoMapping, Mode::Speaks, Protocol::NatPmp),
    ] {
        let mut world = World::new(pcp, natpmp);
        let id = world.map(5060);
        world.pass(SECOND * 30);
        let mapping = granted(by, 5060, 5060);
        assert_eq!(world.take_mappings(), [Event::Mapped { id, mapping }], "{pcp:?} {natpmp:?}");
        assert_eq!(world.router.mappings.len(), 1, "no rivals");
    }
}

#[test]
fn nobody_is_there() {
    // Silence takes a search, an answer of the network no time at all.
    for (off, time) in [(false, SEARCH), (true, Duration::ZERO)] {
        let mut world = World::new(Mode::Silent, Mode::Silent);
        world.off = off;
        let id = world.map(5060);
        world.pass(time);
        let failed = Event::Failed { id, error: Error::NoGateway };
        assert_eq!(world.take_mappings(), [failed], "{off}");
    }
    // A straggler is heard all the same.
    let mut world = World::new(Mode::Silent, Mode::Silent);
    world.verb(Client::probe);
    world.pass(SEARCH);
    assert_eq!(world.take(), [Event::Searched]);
    world.router.natpmp = Mode::Speaks;
    world.pass(SECOND * 10);
    assert_eq!(gateways(&world.take()).len(), 1);
}

#[test]
fn refusals_say_why() {
    let refused =
        |protocol, code, reason: &str| Error::Refused { protocol, code, reason: reason.to_owned() };
    for (pcp, natpmp, error) in [
        (Mode::Fails(2), Mode::Silent, refused(Protocol::Pcp, 2, "not authorized")),
        (Mode::Refuses, Mode::Fails(4), refused(Protocol::NatPmp, 4, "out of resources")),
        (Mode::Fails(7), Mode::Silent, Error::Trouble(Trouble::NotConnected)),
        (Mode::Refuses, Mode::Fails(3), Error::Trouble(Trouble::NotConnected)),
        (Mode::Fails(11), Mode::Speaks, Error::NotThatOne),
        (Mode::Refuses, Mode::NoMapping, Error::NoAnswer(Protocol::NatPmp)),
    ] {
        let mut world = World::new(pcp, natpmp);
        let id = world.map(5060);
        world.pass(SECOND * 200);
        let failed = Event::Failed { id, error };
        assert_eq!(world.take_mappings(), [failed], "{pcp:?} {natpmp:?}");
    }
}

#[test]
fn what_cannot_be_asked_for_is_not() {
    let mut world = World::new(Mode::Speaks, Mode::Speaks);
    let here = Endpoint::new(HOST, 5060);
    let elsewhere = Endpoint::new([10, 0, 0, 9], 5060);
    let peer = "[2001:db8::1]:9".parse().ok();
    world.map(5060);
    world.take();
    for (request, error) in [
        (Request::new(Transport::Udp, here), Error::Twice),
        (Request::new(Transport::Udp, Endpoint::UNSPECIFIED_V4.with_port(5060)), Error::Twice),
        (Request::new(Transport::Udp, elsewhere), Error::NotOurs(elsewhere.ip())),
        (Request::new(Transport::Udp, here.with_port(0)), Error::Unusable),
        (Request { peer, ..Request::new(Transport::Tcp, here) }, Error::Unusable),
    ] {
        let id = world.verb(|client, now| client.map(now, request.clone()));
        assert_eq!(world.take_mappings(), [Event::Failed { id, error }]);
    }
    for port in 1..MAX_MAPPINGS {
        world.map(u16::try_from(port).expect("a port"));
    }
    world.take();
    let id = world.map(6000);
    assert_eq!(world.take(), [Event::Failed { id, error: Error::TooMany }]);
}

#[test]
fn a_mapping_is_renewed_as_long_as_it_is_wanted() {
    for (pcp, by) in [(Mode::Speaks, Protocol::Pcp), (Mode::Refuses, Protocol::NatPmp)] {
        let mut world = World::new(pcp, Mode::Speaks);
        let id = world.map(5060);
        let mapping = granted(by, 5060, 5060);
        assert_eq!(world.take_mappings(), [Event::Mapped { id, mapping }]);
        world.pass(HOUR * 12);
        assert_eq!(world.take_mappings(), [], "renewals are silent");
        let asked: Vec<Duration> = world.router.asked.iter().map(|(at, ..)| *at).collect();
        for pair in asked.windows(2) {
            let part = (pair[1] - pair[0]).as_secs_f64() / 7200.0;
            assert!((0.5..=0.625).contains(&part), "{by}: {part}");
        }
        world.verb(|client, now| client.unmap(now, id));
        assert_eq!(world.take_mappings(), [Event::Unmapped { id }]);
        assert!(world.router.mappings.is_empty());
        world.pass(HOUR * 3);
        assert_eq!(world.router.asked.last().map(|(_, _, remove)| *remove), Some(true));
    }
}

#[test]
fn requests_are_sent_again_as_their_protocol_has_it() {
    // NAT-PMP: 250 ms, 500 ms, … and the third is answered.
    let mut world = World::new(Mode::Refuses, Mode::Speaks);
    world.verb(Client::probe);
    let begin = world.elapsed;
    (world.sent, world.lose) = (Vec::new(), 2);
    let id = world.map(5060);
    world.pass(SECOND * 5);
    let sent: Vec<u128> = world.sent.iter().map(|at| (*at - begin).as_millis()).collect();
    assert_eq!(sent, [0, 250, 750]);
    let mapping = granted(Protocol::NatPmp, 5060, 5060);
    assert_eq!(world.take_mappings(), [Event::Mapped { id, mapping }]);
    // PCP: about three seconds, then about six.
    let mut world = World::new(Mode::Speaks, Mode::Silent);
    world.verb(Client::probe);
    world.pass(SECOND * 200);
    (world.sent, world.lose) = (Vec::new(), 2);
    let (id, begin) = (world.map(5060), world.elapsed);
    world.pass(SECOND * 30);
    let sent: Vec<f64> = world.sent.iter().map(|at| (*at - begin).as_secs_f64()).collect();
    assert!(sent.len() == 3 && (2.7..=3.3).contains(&sent[1]), "{sent:?}");
    assert!((1.8..=2.2).contains(&((sent[2] - sent[1]) / sent[1])), "{sent:?}");
    assert!(matches!(world.take_mappings()[..], [Event::Mapped { id: of, .. }] if of == id));
}

#[test]
fn a_restart_is_noticed_and_mappings_are_made_again_one_by_one() {
    for (pcp, by) in [(Mode::Speaks, Protocol::Pcp), (Mode::Refuses, Protocol::NatPmp)] {
        let mut world = World::new(pcp, Mode::Speaks);
        let ids: Vec<_> = (0..3).map(|n| world.map(5060 + n)).collect();
        world.pass(SECOND * 60);
        world.take();
        world.router.restart(world.elapsed);
        world.router.asked.clear();
        match by {
            Protocol::Pcp => world.announce_pcp(world.router.from),
            _ => world.announce_natpmp(OUTSIDE.into()),
        }
        let gateway = ROUTER.into();
        assert_eq!(world.take_mappings(), [Event::Restarted { gateway, protocol: by }]);
        let restarted = world.elapsed;
        assert!(world.router.asked.is_empty(), "not at once");
        world.pass(SECOND * 5);
        assert_eq!(world.router.mappings.len(), 3);
        assert!(world.router.asked.iter().all(|(at, ..)| *at > restarted));
        assert_eq!(world.take_mappings(), [], "the ports are the same");
        // The router restarts unheard, and has other ports: the next answer shows it.
        world.pass(SECOND * 60);
        world.router.restart(world.elapsed);
        world.router.shift = 100;
        world.pass(HOUR * 2);
        let events = world.take_mappings();
        let changed = events.iter().filter_map(|event| match event {
            Event::Changed { id, mapping } => Some((*id, mapping.external.port())),
            _ => None,
        });
        let mut changed: Vec<_> = changed.collect();
        changed.sort_unstable();
        assert_eq!(changed, [(ids[0], 5160), (ids[1], 5161), (ids[2], 5162)], "{by}");
        assert_eq!(world.router.mappings.len(), 3);
    }
}

#[test]
fn announcements_of_others_are_ignored() {
    let mut world = World::new(Mode::Speaks, Mode::Speaks);
    world.map(5060);
    world.pass(SECOND * 60);
    world.take();
    world.router.restart(world.elapsed);
    world.announce_pcp(Endpoint::new([192, 168, 1, 66], 5351));
    assert_eq!(world.take(), []);
    // Without the port for announcements nothing else is missing.
    let mut world = World::new(Mode::Speaks, Mode::Speaks);
    world.verb(Client::probe);
    let listener = world.socket(pcp::CLIENT_PORT);
    world.fail(listener);
    world.take();
    world.map(5060);
    assert!(matches!(world.take_mappings()[..], [Event::Mapped { .. }]));
}

#[test]
fn a_new_address_outside_changes_the_mapping() {
    let mut world = World::new(Mode::Refuses, Mode::Speaks);
    let id = world.map(5060);
    world.pass(SECOND * 60);
    world.take();
    world.announce_natpmp([203, 0, 113, 8].into());
    let external = "203.0.113.8:5060".parse().expect("an address");
    let mapping = Mapping { external, ..granted(Protocol::NatPmp, 5060, 5060) };
    assert_eq!(world.take_mappings(), [Event::Changed { id, mapping }]);
}

#[test]
fn a_gateway_that_falls_silent_loses_the_mapping_in_the_end() {
    let mut world = World::new(Mode::Speaks, Mode::Silent);
    let id = world.map(5060);
    world.pass(SECOND * 60);
    world.take();
    world.router.pcp = Mode::Silent;
    world.pass(HOUR * 2 - SECOND * 70);
    assert_eq!(world.take_mappings(), [], "it holds as long as it was granted");
    world.pass(SECOND * 80);
    let error = Error::NoAnswer(Protocol::Pcp);
    assert_eq!(world.take_mappings(), [Event::Lost { id, error }]);
    // Where another protocol answers, it takes over.
    let mut world = World::new(Mode::Speaks, Mode::Speaks);
    let id = world.map(5060);
    world.take();
    world.router.pcp = Mode::Silent;
    world.router.mappings.clear();
    world.pass(HOUR * 2 + SECOND * 10);
    let mapping = granted(Protocol::NatPmp, 5060, 5060);
    assert_eq!(world.take_mappings(), [Event::Changed { id, mapping }]);
}

#[test]
fn the_exact_port_or_none() {
    let exactly = |world: &mut World| {
        let internal = Endpoint::new(HOST, 5060);
        let request = Request { prefer_failure: true, ..Request::new(Transport::Udp, internal) };
        world.verb(|client, now| client.map(now, request.clone()))
    };
    for (pcp, by) in [(Mode::Speaks, Protocol::Pcp), (Mode::Refuses, Protocol::NatPmp)] {
        let mut world = World::new(pcp, Mode::Speaks);
        let id = exactly(&mut world);
        let mapping = granted(by, 5060, 5060);
        assert_eq!(world.take_mappings(), [Event::Mapped { id, mapping }]);
        // A router that grants another port all the same, as NAT-PMP must.
        let mut world = World::new(pcp, Mode::Speaks);
        world.router.shift = 1;
        let id = exactly(&mut world);
        assert_eq!(world.take_mappings(), [Event::Failed { id, error: Error::NotThatOne }]);
        assert!(world.router.mappings.is_empty(), "nothing remains");
    }
}

#[test]
fn mappings_that_lead_elsewhere_are_refused() {
    for ip in [[127, 0, 0, 1], [224, 0, 0, 1], HOST, ROUTER, [169, 254, 1, 1]] {
        let mut world = World::new(Mode::Speaks, Mode::Silent);
        world.router.external = ip.into();
        let id = world.map(5060);
        world.pass(SECOND * 10);
        let external = Endpoint::new(ip, 5060);
        let events = world.take();
        let why = Refusal::Elsewhere(external);
        let refused = Event::Refused { from: world.router.from, why };
        let failed = Event::Failed { id, error: Error::Elsewhere(external) };
        assert!(events.contains(&refused) && events.contains(&failed), "{events:?}");
        assert!(world.router.mappings.is_empty(), "nothing remains");
    }
}

#[test]
fn trouble_is_recognised() {
    let carrier = std::net::IpAddr::from([100, 64, 3, 4]);
    let private = std::net::IpAddr::from([10, 0, 0, 5]);
    for (external, trouble) in [
        (OUTSIDE.into(), None),
        (carrier, Some(Trouble::CarrierNat(carrier))),
        (private, Some(Trouble::PrivateExternal(private))),
        ([0, 0, 0, 0].into(), Some(Trouble::NotConnected)),
    ] {
        let mut world = World::new(Mode::Speaks, Mode::Speaks);
        world.router.external = external;
        world.map(5060);
        let events = world.take();
        for gateway in world.client.get().gateways() {
            assert_eq!(gateway.trouble, trouble, "{gateway:?}");
        }
        // Behind another NAT a mapping may still be of use; without an address it cannot stand.
        let mapped = events.iter().any(|event| matches!(event, Event::Mapped { .. }));
        assert_eq!(mapped, trouble != Some(Trouble::NotConnected));
    }
    let mut world = World::new(Mode::Speaks, Mode::Speaks);
    world.verb(Client::probe);
    let gateway = world.client.get().gateways().next().expect("one").clone();
    assert_eq!(gateway.trouble_against(OUTSIDE.into()), None);
    let reflexive = std::net::IpAddr::from([198, 51, 100, 1]);
    let trouble = Trouble::OtherExternal { external: OUTSIDE.into(), reflexive };
    assert_eq!(gateway.trouble_against(reflexive), Some(trouble));
}

#[test]
fn strangers_and_nonsense_are_refused_in_moderation() {
    let mut world = World::new(Mode::Speaks, Mode::Speaks);
    world.router.from = Endpoint::new([192, 168, 1, 66], 5351);
    let id = world.map(5060);
    let from = world.router.from;
    let stranger = Event::Refused { from, why: Refusal::Stranger };
    assert!(world.take().contains(&stranger));
    world.pass(SEARCH);
    let error = Error::NoGateway;
    assert_eq!(world.take_mappings(), [Event::Failed { id, error }]);
    // The right address, nonsense.
    let mut world = World::new(Mode::Speaks, Mode::Speaks);
    world.map(5060);
    world.take();
    let (socket, from) = (world.socket(0), world.router.from);
    for _ in 0..MAX_REFUSALS * 2 {
        for bytes in [&b""[..], &[0, 128], &[2, 129, 0, 0], &[0, 129, 0, 0, 0, 0, 0, 0]] {
            world.datagram(socket, from, bytes);
        }
    }
    assert_eq!(world.take().len(), MAX_REFUSALS);
}

#[test]
fn a_mapping_with_another_nonce_is_not_ours() {
    let mut world = World::new(Mode::Speaks, Mode::Speaks);
    world.map(5060);
    world.take();
    let forged = pcp::Map {
        nonce: pcp::Nonce([1; 12]),
        protocol: pcp::UDP,
        internal_port: 5060,
        external: Endpoint::new(OUTSIDE, 9),
    };
    let mut bytes = Vec::new();
    pcp::Response {
        result: pcp::ResultCode::SUCCESS,
        lifetime_secs: 600,
        epoch_secs: 10,
        operation: pcp::Operation::Map(forged),
        options: pcp::Options::default(),
    }
    .write(&mut bytes);
    world.datagram(world.socket(0), world.router.from, &bytes);
    let refused = Event::Refused { from: world.router.from, why: Refusal::Unasked };
    assert_eq!(world.take(), [refused]);
}

#[test]
fn closing_removes_everything_in_bounded_time() {
    for (lose, time) in [(0, Duration::ZERO), (usize::MAX, CLOSE)] {
        let mut world = World::new(Mode::Speaks, Mode::Speaks);
        let ids = [world.map(5060), world.map(5062)];
        world.take();
        world.lose = lose;
        world.verb(Client::close);
        let id = world.map(7000);
        assert!(world.take().contains(&Event::Failed { id, error: Error::Closed }) || lose == 0);
        world.pass(time);
        assert_eq!(world.client.poll_timeout(), None);
        assert!(!world.has_sockets(), "all are closed");
        if lose > 0 {
            let [first, second] = ids.map(|id| Event::Unmapped { id });
            assert_eq!(world.take(), [first, second, Event::Closed]);
        } else {
            assert!(world.router.mappings.is_empty());
        }
        // Whatever comes then is not heard.
        world.input(Input::Interfaces(vec![wire(HOST, ROUTER)]));
        world.verb(Client::probe);
        assert_eq!(world.take(), []);
    }
}

#[test]
fn a_removal_that_nobody_confirms_ends() {
    for pcp in [Mode::Speaks, Mode::Refuses] {
        let mut world = World::new(pcp, Mode::Speaks);
        let id = world.map(5060);
        world.take();
        world.lose = usize::MAX;
        world.verb(|client, now| client.unmap(now, id));
        assert_eq!(world.take_mappings(), []);
        world.pass(RELEASE);
        assert_eq!(world.take_mappings(), [Event::Unmapped { id }]);
    }
}

#[test]
fn another_network() {
    let mut world = World::new(Mode::Speaks, Mode::Speaks);
    let id = world.map(5060);
    let anywhere = Request::new(Transport::Tcp, Endpoint::UNSPECIFIED_V4.with_port(80));
    let other = world.verb(|client, now| client.map(now, anywhere.clone()));
    world.take();
    // The address is gone, and with it what was mapped to it; what goes anywhere waits.
    world.input(Input::Interfaces(Vec::new()));
    let error = Error::NotOurs(HOST.into());
    assert_eq!(world.take_mappings(), [Event::Lost { id, error }]);
    assert_eq!(world.client.get().paths.len(), 0);
    world.input(Input::Interfaces(vec![wire(HOST, ROUTER)]));
    world.pass(SECOND);
    // The router had it still, and has it again under the same nonce.
    assert_eq!(world.take_mappings(), []);
    world.verb(|client, now| client.unmap(now, other));
    assert_eq!(world.take_mappings(), [Event::Unmapped { id: other }]);
}

#[test]
fn peers_are_for_pcp_alone() {
    let internal = Endpoint::new(HOST, 5060);
    let peer = "198.51.100.9:5060".parse().ok();
    let request = Request { peer, ..Request::new(Transport::Udp, internal) };
    let mut world = World::new(Mode::Speaks, Mode::Speaks);
    let id = world.verb(|client, now| client.map(now, request.clone()));
    let mapping = granted(Protocol::Pcp, 5060, 5060);
    assert_eq!(world.take_mappings(), [Event::Mapped { id, mapping }]);
    world.router.asked.clear();
    world.verb(|client, now| client.unmap(now, id));
    assert_eq!(world.take_mappings(), [Event::Unmapped { id }]);
    assert!(world.router.asked.is_empty(), "it runs out");
    let mut world = World::new(Mode::Refuses, Mode::Speaks);
    let id = world.verb(|client, now| client.map(now, request.clone()));
    assert_eq!(world.take_mappings(), [Event::Failed { id, error: Error::NoGateway }]);
}

#[test]
fn lists_wait_for_a_search_and_are_bounded() {
    let mut world = World::new(Mode::Silent, Mode::Silent);
    for _ in 0..=MAX_WISHES {
        world.verb(Client::list);
    }
    assert_eq!(world.take(), [Event::Listed(Err(Error::TooMany))]);
    world.verb(|client, now| client.remove_at(now, Transport::Udp, 9));
    world.take();
    world.pass(SEARCH);
    let events = world.take();
    let unlisted = Event::Listed(Err(Error::NoGateway));
    assert_eq!(events.iter().filter(|event| **event == unlisted).count(), MAX_WISHES);
}

#[test]
fn a_lifetime_too_short_to_live_is_bounded() {
    let mut world = World::new(Mode::Speaks, Mode::Speaks);
    world.router.lifetime = Some(1);
    let id = world.map(5060);
    let lease = Some(SECOND);
    let mapping = Mapping { lease, ..granted(Protocol::Pcp, 5060, 5060) };
    assert_eq!(world.take_mappings(), [Event::Mapped { id, mapping }]);
    world.router.asked.clear();
    world.pass(SECOND * 100);
    let asked = world.router.asked.len();
    assert!((20..=26).contains(&asked), "every four seconds, not {asked} times");
}

#[test]
fn by_default_all_three_are_spoken() {
    assert_eq!(Config::default().protocols, Protocol::ALL);
}
