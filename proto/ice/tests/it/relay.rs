//! Relayed candidates: last choice, refusals, allocations that end.

use std::time::Duration;

use ice::agent::Event;
use ice::{CandidateKind, Fate, LocalCandidate, PairReport, Reason};

use crate::world::{ALICE, BOB, Behaviour, World};

use Behaviour::{AddressAndPort, Independent};

const LONG: Duration = Duration::from_secs(60);

fn symmetric() -> World {
    World::new(1).behind(ALICE, AddressAndPort, AddressAndPort).behind(
        BOB,
        AddressAndPort,
        AddressAndPort,
    )
}

fn is_direct(pair: &PairReport) -> bool {
    [pair.local.kind, pair.remote.kind].iter().all(|kind| *kind != CandidateKind::Relayed)
}

#[test]
fn one_relay_is_enough_for_two_symmetric_nats() {
    for side in [ALICE, BOB] {
        let mut world = symmetric().relayed(side);
        world.start(1);
        let took = world.settle(LONG);
        assert!(took < ice::defaults::RELAYED_NOMINATION_PATIENCE + Duration::from_secs(1));
        world.agreed(1);
        let way = world.agents[side].way(0, 1).unwrap();
        assert_eq!((way.local.kind, way.local.base), (CandidateKind::Relayed, way.local.endpoint));
        // Why nothing better was taken, pair by pair.
        let explanation = world.agents[side].explain();
        let direct = explanation.pairs.iter().filter(|pair| is_direct(pair));
        let fates: Vec<&Fate> = direct.map(|pair| &pair.fate).collect();
        assert!(fates.contains(&&Fate::NoAnswer { heard: false }), "{fates:?}");
    }
}

#[test]
fn data_need_not_wait_for_the_choice_of_a_relay() {
    let mut world = symmetric().relayed(ALICE).relayed(BOB);
    world.start(1);
    world.run(Duration::from_millis(600));
    let writable = Event::Writable { stream: 0, component: 1 };
    assert!(world.events.iter().all(|events| events.contains(&writable)));
    assert!(world.agents.iter().all(|agent| !agent.is_completed()));
}

#[test]
fn a_direct_pair_wins_though_its_first_checks_were_lost() {
    let mut world = World::new(1)
        .behind(ALICE, Independent, AddressAndPort)
        .behind(BOB, Independent, AddressAndPort)
        .relayed(ALICE)
        .relayed(BOB);
    world.dead = vec!["198.51.100.10".parse().unwrap(), "203.0.113.10".parse().unwrap()];
    world.start(1);
    world.run(Duration::from_millis(800));
    assert!(world.agents[ALICE].way(0, 1).is_some_and(|way| !way.selected));
    world.dead.clear();
    world.settle(LONG);
    world.agreed(1);
    assert_eq!(world.agents[ALICE].way(0, 1).unwrap().local.kind, CandidateKind::ServerReflexive);
}

#[test]
fn a_direct_pair_that_works_at_once_is_not_held_up() {
    let mut world = World::new(1).relayed(ALICE).relayed(BOB);
    world.start(1);
    assert!(world.settle(LONG) < Duration::from_millis(300));
    world.agreed(1);
    assert_eq!(world.agents[ALICE].way(0, 1).unwrap().local.kind, CandidateKind::Host);
}

#[test]
fn a_peer_that_the_relay_refuses_fails_its_pairs_alone() {
    let mut world = symmetric().relayed(ALICE);
    world.start(1);
    let base = world.relayed_base(ALICE, 1);
    let private = "10.2.0.2".parse().unwrap();
    world.run(Duration::from_millis(120));
    world.agents[ALICE].refuse_peer(world.now, base, private, 403);
    world.settle(LONG);
    world.agreed(1);
    let explanation = world.agents[ALICE].explain();
    let refused = |pair: &&PairReport| pair.fate == Fate::NotPermitted { code: 403 };
    let refused: Vec<_> = explanation.pairs.iter().filter(refused).collect();
    assert_eq!(refused.len(), 1);
    assert_eq!((refused[0].local.endpoint, refused[0].remote.endpoint.ip()), (base, private));
    assert!(explanation.to_string().contains("the relay refuses"), "{explanation}");
}

#[test]
fn what_was_not_chosen_is_withdrawn_without_a_trace() {
    let mut world = World::new(1).relayed(ALICE).relayed(BOB);
    world.start(1);
    world.settle(LONG);
    let before = world.agents[ALICE].explain().pairs;
    for side in [ALICE, BOB] {
        let base = world.relayed_base(side, 1);
        world.agents[side].withdraw_local(world.now, base);
        world.drain(side);
        assert!(world.agents[side].is_completed());
        assert!(world.candidates(side).iter().all(|(_, c)| c.kind != CandidateKind::Relayed));
    }
    let fates = |pairs: &[PairReport]| pairs.iter().map(|p| p.fate.clone()).collect::<Vec<_>>();
    assert_eq!(fates(&before), fates(&world.agents[ALICE].explain().pairs));
    // After a restart nothing is paired with it, until it is found again.
    for side in [ALICE, BOB] {
        world.agents[side].restart();
    }
    world.tell(ALICE);
    world.tell(BOB);
    world.settle(LONG);
    world.agreed(1);
    assert!(world.agents[ALICE].explain().pairs.iter().all(is_direct));
    world.gather(ALICE, 1, 1);
    assert!(world.candidates(ALICE).iter().any(|(_, c)| c.kind == CandidateKind::Relayed));
}

#[test]
fn a_chosen_relay_that_ends_gives_way_to_what_works_or_fails_the_session() {
    let mut world = symmetric().relayed(ALICE).relayed(BOB);
    world.start(1);
    world.settle(LONG);
    world.agreed(1);
    let way = world.agents[ALICE].way(0, 1).unwrap();
    world.agents[ALICE].withdraw_local(world.now, way.local.base);
    world.drain(ALICE);
    world.settle(LONG);
    let next = world.agents[ALICE].way(0, 1).expect("the other side's relay still works");
    assert!(next.selected && next.local.base != way.local.base);

    let mut world = symmetric().relayed(ALICE);
    world.start(1);
    world.settle(LONG);
    let base = world.relayed_base(ALICE, 1);
    world.agents[ALICE].withdraw_local(world.now, base);
    world.run(LONG);
    let reason = Reason::NoPairWorked { stream: 0, component: 1 };
    assert!(world.events[ALICE].contains(&Event::Failed(reason)));
    let explanation = world.agents[ALICE].explain();
    assert!(explanation.pairs.iter().any(|pair| pair.fate == Fate::Withdrawn));
}

#[test]
fn a_component_that_needs_its_relay_does_not_wait_for_one_that_does_not() {
    let mut world = World::new(2).relayed(ALICE).relayed(BOB);
    let via = (crate::world::SERVER.parse().unwrap(), machine::Transport::Udp);
    for side in [ALICE, BOB] {
        let host = world.base(side, 0, 0, 1);
        let found = LocalCandidate::host(1, host, 65_535, "eth0");
        world.agents[side].add_local(0, found).unwrap();
        // The second component has nothing but its relayed address.
        for component in [1, 2] {
            let base = world.relayed_base(side, component);
            let found = LocalCandidate::relayed(component, base, host, 65_535, via);
            world.agents[side].add_local(0, found).unwrap();
        }
        world.agents[side].local_complete(world.now);
    }
    world.tell(ALICE);
    world.tell(BOB);
    assert!(world.settle(LONG) < Duration::from_secs(3));
    world.agreed(2);
    let kinds = [1, 2].map(|n| world.agents[ALICE].way(0, n).unwrap().local.kind);
    assert_eq!(kinds, [CandidateKind::Host, CandidateKind::Relayed]);
}
