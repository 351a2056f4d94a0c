//! Sessions that work.

use std::time::Duration;

use ice::agent::{Config, Event};
use ice::{CandidateKind, Fate, PairState, Pruned, Role};

use crate::world::{ALICE, BOB, Behaviour, World};

#[test]
fn two_hosts_find_each_other_in_two_round_trips() {
    let mut world = World::new(1);
    world.start(1);
    let took = world.settle(Duration::from_secs(5));
    world.agreed(1);
    // A check and its answer, and the same again with USE-CANDIDATE; Ta lies in between.
    assert!(took <= Duration::from_millis(150), "{took:?}");
    let way = world.agents[ALICE].way(0, 1).unwrap();
    assert_eq!(way.local.kind, CandidateKind::Host);
    assert_eq!(way.rtt, Some(Duration::from_millis(40)));
    for side in [ALICE, BOB] {
        let events = &world.events[side];
        let writable = Event::Writable { stream: 0, component: 1 };
        let selected = Event::Selected { stream: 0, component: 1 };
        let at = |event: &Event| events.iter().position(|e| e == event).unwrap();
        assert!(at(&writable) < at(&selected) && at(&selected) < at(&Event::Completed));
        assert_eq!(world.agents[side].explain().reason, None);
    }
}

/// Of a check that was sent again one cannot tell which of its transmissions was answered: no round
/// trip is told that is shorter than the way is long.
#[test]
fn a_round_trip_is_never_told_too_short() {
    let truth = Duration::from_millis(600);
    for (seed, loss) in (0..200).map(|seed| (seed, f64::from(u8::from(seed > 0)) * 0.2)) {
        let roles = [Role::Controlling, Role::Controlled];
        let mut world = World::with(1, Config::default(), roles, seed);
        (world.latency, world.loss) = (truth / 2, loss);
        world.start(1);
        world.settle(Duration::from_secs(60));
        for side in [ALICE, BOB] {
            let Some(way) = world.agents[side].way(0, 1) else { continue };
            let rtt = way.rtt.unwrap();
            assert!(rtt >= truth, "seed {seed}: {rtt:?}");
            assert!(loss > 0.0 || rtt == truth, "without loss: {rtt:?}");
        }
    }
}

/// A check that was sent once says exactly how long the way is, whatever those before it said.
#[test]
fn a_round_trip_is_exact_where_it_can_be() {
    let mut world = World::new(1);
    world.dead = world.addresses.concat();
    world.start(1);
    world.run(Duration::from_millis(1000));
    world.dead.clear();
    world.settle(Duration::from_secs(10));
    world.agreed(1);
    // Their first checks were answered at their third transmission, her nomination at its first.
    assert_eq!(world.agents[ALICE].way(0, 1).unwrap().rtt, Some(Duration::from_millis(40)));
    assert!(world.agents[BOB].way(0, 1).unwrap().rtt.unwrap() >= Duration::from_millis(40));
}

#[test]
fn two_components_and_two_families() {
    let mut world = World::new(2);
    for (side, v6) in [(ALICE, "2001:db8:a::1"), (BOB, "2001:db8:b::1")] {
        world.addresses[side].insert(0, v6.parse().unwrap());
    }
    world.start(2);
    world.settle(Duration::from_secs(5));
    world.agreed(2);
    // Nothing is paired across families: two addresses and two components give four pairs.
    let explanation = world.agents[ALICE].explain();
    assert_eq!(explanation.pairs.len(), 4);
    let way = world.agents[ALICE].way(0, 2).unwrap();
    assert!(way.local.endpoint.is_ipv6(), "the first address is preferred");
}

#[test]
fn falls_back_to_the_family_that_works() {
    let mut world = World::new(1);
    for (side, v6) in [(ALICE, "2001:db8:a::1"), (BOB, "2001:db8:b::1")] {
        world.addresses[side].insert(0, v6.parse().unwrap());
        world.dead.push(v6.parse().unwrap());
    }
    world.start(1);
    let took = world.settle(Duration::from_secs(5));
    world.agreed(1);
    assert!(world.agents[BOB].way(0, 1).unwrap().local.endpoint.is_ipv4());
    // The better pair gets its time, and no more.
    assert!(took < Duration::from_millis(500), "{took:?}");
}

#[test]
fn several_streams_share_foundations() {
    let mut world = World::new(1);
    for side in [ALICE, BOB] {
        world.agents[side].add_stream(1);
        world.gather(side, 2, 1);
    }
    world.tell(ALICE);
    world.tell(BOB);
    // One pair of the foundation is Waiting, the one of the second stream is Frozen.
    world.step(world.now.mono);
    let states: Vec<_> = world.agents[ALICE].explain().pairs.iter().map(|p| p.state).collect();
    assert_eq!(states, [PairState::InProgress, PairState::Frozen]);
    world.settle(Duration::from_secs(5));
    for stream in [0, 1] {
        assert!(world.agents[ALICE].way(stream, 1).unwrap().selected);
        assert!(world.agents[BOB].way(stream, 1).unwrap().selected);
    }
}

#[test]
fn slots_are_ta_apart_and_alternate_between_streams() {
    let mut world = World::new(2);
    for side in [ALICE, BOB] {
        world.addresses[side].push(format!("192.0.2.{}", side + 1).parse().unwrap());
        world.agents[side].add_stream(2);
        world.gather(side, 2, 2);
    }
    world.tell(ALICE);
    world.tell(BOB);
    world.settle(Duration::from_secs(10));
    let slots = &world.slots[ALICE];
    assert!(slots.windows(2).all(|w| w[1] - w[0] >= world.ta));
    assert!(world.agents.iter().all(|agent| agent.is_completed()));
}

#[test]
fn survives_loss() {
    for seed in 0..40 {
        let roles = [Role::Controlling, Role::Controlled];
        let mut world = World::with(2, Config::default(), roles, seed);
        world.loss = 0.2;
        world.start(2);
        world.settle(Duration::from_secs(60));
        assert!(
            world.agents.iter().all(|agent| agent.is_completed()),
            "seed {seed}: {}",
            world.agents[ALICE].explain()
        );
        world.agreed(2);
    }
}

#[test]
fn a_reflexive_candidate_of_ours_is_pruned_for_its_base() {
    let mut world = World::new(1).behind(ALICE, Behaviour::Independent, Behaviour::Independent);
    world.start(1);
    world.settle(Duration::from_secs(5));
    world.agreed(1);
    let explanation = world.agents[ALICE].explain();
    let pruned: Vec<_> = explanation
        .pairs
        .iter()
        .filter(|pair| matches!(pair.fate, Fate::Pruned(Pruned::Redundant { .. })))
        .collect();
    assert_eq!(pruned.len(), 1);
    assert_eq!(pruned[0].local.kind, CandidateKind::ServerReflexive);
    // The chosen way names the outside address all the same.
    let way = world.agents[ALICE].way(0, 1).unwrap();
    assert_eq!(way.local.kind, CandidateKind::ServerReflexive);
    assert_eq!(way.local.base.to_string(), "10.1.0.2:5001");
}

#[test]
fn checks_before_the_answer_are_kept() {
    let mut world = World::new(1);
    for side in [ALICE, BOB] {
        world.gather(side, 1, 1);
    }
    // Bob knows Alice, and checks; his answer takes a second longer than his checks.
    world.tell(ALICE);
    world.run(Duration::from_secs(1));
    assert!(world.agents[BOB].way(0, 1).is_some(), "answered without knowing Bob's candidates");
    assert!(world.agents[ALICE].way(0, 1).is_none());
    world.tell(BOB);
    let took = world.settle(Duration::from_secs(5));
    world.agreed(1);
    assert!(took <= Duration::from_millis(100), "{took:?}");
}

#[test]
fn late_candidates_are_checked() {
    let mut world = World::new(1);
    for side in [ALICE, BOB] {
        world.gather(side, 1, 1);
    }
    let late = world.candidates(BOB);
    world.tell(ALICE);
    let credentials = world.agents[BOB].credentials().clone();
    world.agents[ALICE].set_remote(world.now, credentials, false);
    world.agents[ALICE].remote_ready(world.now, false);
    world.dead = vec!["198.51.100.1".parse().unwrap()];
    world.run(Duration::from_secs(50));
    assert!(!world.agents[BOB].is_completed());
    world.dead.clear();
    for (stream, candidate) in late {
        world.agents[ALICE].add_remote(stream, candidate);
    }
    assert!(world.agents[ALICE].is_failed(), "50 s without any candidate are too much");

    let mut world = World::new(1);
    for side in [ALICE, BOB] {
        world.gather(side, 1, 1);
    }
    let late = world.candidates(BOB);
    let credentials = world.agents[BOB].credentials().clone();
    world.agents[ALICE].set_remote(world.now, credentials, false);
    world.agents[ALICE].remote_ready(world.now, false);
    world.run(Duration::from_secs(5));
    world.tell(ALICE);
    for (stream, candidate) in late {
        world.agents[ALICE].add_remote(stream, candidate);
    }
    world.agents[ALICE].remote_ready(world.now, true);
    world.settle(Duration::from_secs(5));
    world.agreed(1);
}

#[test]
fn keepalives_flow_when_data_does_not() {
    let mut world = World::new(1);
    world.start(1);
    world.settle(Duration::from_secs(5));
    let before = world.log.len();
    world.run(Duration::from_secs(61));
    let sent = &world.log[before..];
    assert_eq!(sent.iter().filter(|(side, ..)| *side == ALICE).count(), 4);
    let indication = stun::Message::parse(&sent[0].3).unwrap();
    assert_eq!(indication.class(), stun::Class::Indication);
    assert!(indication.has_fingerprint() && indication.integrity().is_none());
    // With data there are none.
    let before = world.log.len();
    for _ in 0..60 {
        world.run(Duration::from_secs(1));
        for side in [ALICE, BOB] {
            let now = world.now;
            world.agents[side].data_sent(now, 0, 1);
        }
    }
    assert_eq!(world.log.len(), before);
}

#[test]
fn multiplexing_drops_the_second_component() {
    let mut world = World::new(2);
    for side in [ALICE, BOB] {
        world.gather(side, 1, 2);
    }
    for side in [ALICE, BOB] {
        let now = world.now;
        world.agents[side].keep_components(now, 0, 1);
    }
    world.tell(ALICE);
    world.tell(BOB);
    world.settle(Duration::from_secs(5));
    world.agreed(1);
    assert_eq!(world.agents[ALICE].way(0, 2), None);
    assert_eq!(world.agents[ALICE].explain().pairs.len(), 1);
}

#[test]
fn a_lite_remote_is_controlled_by_us() {
    let mut world = World::new(1);
    for side in [ALICE, BOB] {
        world.gather(side, 1, 1);
    }
    // Bob offered, so that Alice would be controlled; but Bob is lite.
    world.agents[ALICE].set_role(Role::Controlled);
    let credentials = world.agents[BOB].credentials().clone();
    let candidates = world.candidates(BOB);
    world.agents[ALICE].set_remote(world.now, credentials, true);
    for (stream, candidate) in candidates {
        world.agents[ALICE].add_remote(stream, candidate);
    }
    world.agents[ALICE].remote_ready(world.now, true);
    world.agents[ALICE].set_role(Role::Controlled);
    assert_eq!(world.agents[ALICE].role(), Role::Controlling);
    // Bob answers and never checks, as a lite agent does: he was not told of Alice.
    world.run(Duration::from_secs(2));
    assert!(world.agents[ALICE].is_completed());
}
