//! Peer-reflexive candidates and NATs, all combinations of mapping and filtering.

use std::time::Duration;

use ice::agent::Event;
use ice::{CandidateKind, Fate, Origin};

use crate::world::{ALICE, BOB, Behaviour, World};

use Behaviour::{Address, AddressAndPort, Independent};

/// Full cone, address-restricted, port-restricted, symmetric.
const NATS: [(Behaviour, Behaviour); 4] = [
    (Independent, Independent),
    (Independent, Address),
    (Independent, AddressAndPort),
    (AddressAndPort, AddressAndPort),
];

/// Whether two NATs of [`NATS`] let a direct path through.
fn possible(alice: usize, bob: usize) -> bool {
    !matches!((alice, bob), (2, 3) | (3, 2) | (3, 3))
}

#[test]
fn every_nat_against_every_nat() {
    for (a, b) in (0..NATS.len()).flat_map(|a| (0..NATS.len()).map(move |b| (a, b))) {
        let mut world =
            World::new(1).behind(ALICE, NATS[a].0, NATS[a].1).behind(BOB, NATS[b].0, NATS[b].1);
        world.start(1);
        let took = world.settle(Duration::from_secs(120));
        let completed = world.agents.iter().all(|agent| agent.is_completed());
        assert_eq!(completed, possible(a, b), "{a} against {b}: {}", world.agents[ALICE].explain());
        if completed {
            world.agreed(1);
            assert!(took < Duration::from_secs(2), "{a} against {b} took {took:?}");
        } else {
            assert!(world.agents.iter().all(|agent| agent.is_failed()), "{a} against {b}");
        }
    }
}

#[test]
fn every_nat_against_every_nat_with_two_components_and_loss() {
    for (a, b) in (0..NATS.len()).flat_map(|a| (0..NATS.len()).map(move |b| (a, b))) {
        let mut world =
            World::new(2).behind(ALICE, NATS[a].0, NATS[a].1).behind(BOB, NATS[b].0, NATS[b].1);
        world.loss = 0.1;
        world.start(2);
        world.settle(Duration::from_secs(120));
        let completed = world.agents.iter().all(|agent| agent.is_completed());
        assert_eq!(completed, possible(a, b), "{a} against {b}: {}", world.agents[ALICE].explain());
    }
}

#[test]
fn symmetric_against_open_gives_peer_reflexive_candidates_on_both_sides() {
    let mut world = World::new(1).behind(ALICE, AddressAndPort, AddressAndPort);
    world.start(1);
    world.settle(Duration::from_secs(5));
    world.agreed(1);
    let alice = world.agents[ALICE].way(0, 1).unwrap();
    assert_eq!(
        (alice.local.kind, &alice.local.origin),
        (CandidateKind::PeerReflexive, &Origin::Check)
    );
    let bob = world.agents[BOB].way(0, 1).unwrap();
    assert_eq!(bob.remote.kind, CandidateKind::PeerReflexive);
    assert_eq!(bob.remote.priority, alice.local.priority, "as the check said");
    // What only checks revealed is not told.
    assert!(world.candidates(ALICE).iter().all(|(_, c)| c.kind != CandidateKind::PeerReflexive));
}

#[test]
fn a_peer_reflexive_candidate_that_is_told_later_becomes_what_it_is() {
    let mut world = World::new(1).behind(BOB, Independent, Independent);
    for side in [ALICE, BOB] {
        world.gather(side, 1, 1);
    }
    world.tell(ALICE);
    let credentials = world.agents[BOB].credentials().clone();
    let candidates = world.candidates(BOB);
    world.agents[ALICE].set_remote(world.now, credentials, false);
    world.agents[ALICE].remote_ready(world.now, false);
    world.run(Duration::from_millis(100));
    let kind = |world: &World| world.agents[ALICE].way(0, 1).unwrap().remote.kind;
    assert_eq!(kind(&world), CandidateKind::PeerReflexive);
    for (stream, candidate) in candidates {
        world.agents[ALICE].add_remote(stream, candidate);
    }
    world.agents[ALICE].remote_ready(world.now, true);
    assert_eq!(kind(&world), CandidateKind::ServerReflexive);
    world.settle(Duration::from_secs(5));
    world.agreed(1);
}

#[test]
fn two_symmetric_nats_fail_with_a_reason() {
    let symmetric = (AddressAndPort, AddressAndPort);
    let mut world =
        World::new(1).behind(ALICE, symmetric.0, symmetric.1).behind(BOB, symmetric.0, symmetric.1);
    world.start(1);
    let took = world.settle(Duration::from_secs(120));
    assert!(took >= ice::defaults::PATIENCE && took < Duration::from_secs(50), "{took:?}");
    for side in [ALICE, BOB] {
        let reason = ice::Reason::NoPairWorked { stream: 0, component: 1 };
        assert!(world.events[side].contains(&Event::Failed(reason)));
        let explanation = world.agents[side].explain();
        assert!(explanation.pairs.iter().all(|pair| {
            matches!(pair.fate, Fate::NoAnswer { heard: false } | Fate::Pruned(_))
        }));
        let words = explanation.to_string();
        assert!(words.contains("relay"), "{words}");
    }
}
