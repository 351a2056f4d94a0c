//! Candidates that come one by one (RFC 8838).

use std::time::Duration;

use ice::agent::Event;
use ice::defaults::{MAX_REMOTE_CANDIDATES, PATIENCE, TRICKLE_PATIENCE};
use ice::{Candidate, CandidateKind, Fate, Ignored, LocalCandidate, Reason};
use machine::{Endpoint, Now};

use crate::world::{ALICE, BOB, World};

/// Tells a side the credentials of the other, and no candidate.
fn introduce(world: &mut World, to: usize) {
    let credentials = world.agents[1 - to].credentials().clone();
    world.agents[to].set_remote(world.now, credentials, false);
    world.agents[to].remote_ready(world.now, false);
    world.drain(to);
}

/// Tells a side what the other has found so far.
fn trickle(world: &mut World, to: usize, complete: bool) {
    for (stream, candidate) in world.candidates(1 - to) {
        world.agents[to].add_remote(stream, candidate);
    }
    world.agents[to].remote_ready(world.now, complete);
    world.drain(to);
}

/// Both know each other's credentials and nothing else.
fn strangers() -> World {
    let mut world = World::new(1);
    introduce(&mut world, ALICE);
    introduce(&mut world, BOB);
    world
}

fn add_host(world: &mut World, side: usize, n: usize) {
    let host = LocalCandidate::host(1, world.base(side, n, 0, 1), 65_535, "eth0");
    world.agents[side].add_local(0, host).unwrap();
    world.drain(side);
}

fn failed(world: &World, side: usize) -> Option<Reason> {
    world.events[side].iter().find_map(|event| match event {
        Event::Failed(reason) => Some(*reason),
        _ => None,
    })
}

#[test]
fn checks_begin_with_the_first_candidates() {
    let mut world = strangers();
    world.run(Duration::from_secs(5));
    add_host(&mut world, ALICE, 0);
    add_host(&mut world, BOB, 0);
    trickle(&mut world, ALICE, false);
    trickle(&mut world, BOB, false);
    let took = world.settle(Duration::from_secs(5));
    world.agreed(1);
    // More may come, so that the controlling side waits a moment for something better.
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[test]
fn a_better_candidate_that_comes_later_is_checked() {
    let mut world = strangers();
    for (side, v6) in [(ALICE, "2001:db8:a::1"), (BOB, "2001:db8:b::1")] {
        world.addresses[side].push(v6.parse().unwrap());
        world.dead.push(world.addresses[side][0]);
        add_host(&mut world, side, 0);
    }
    trickle(&mut world, ALICE, false);
    trickle(&mut world, BOB, false);
    world.run(Duration::from_secs(3));
    assert!(world.agents.iter().all(|agent| agent.way(0, 1).is_none()));
    add_host(&mut world, ALICE, 1);
    add_host(&mut world, BOB, 1);
    trickle(&mut world, ALICE, true);
    trickle(&mut world, BOB, true);
    world.settle(Duration::from_secs(5));
    world.agreed(1);
    assert!(world.agents[ALICE].way(0, 1).unwrap().local.endpoint.is_ipv6());
}

#[test]
fn nothing_fails_while_either_side_may_have_more_to_tell() {
    for incomplete in [ALICE, BOB] {
        let mut world = World::new(1);
        world.dead = world.addresses.concat();
        for side in [ALICE, BOB] {
            world.gather(side, 1, 1);
            introduce(&mut world, side);
        }
        trickle(&mut world, incomplete, false);
        trickle(&mut world, 1 - incomplete, true);
        world.run(PATIENCE + Duration::from_secs(1));
        assert_eq!(failed(&world, incomplete), None);
        assert!(failed(&world, 1 - incomplete).is_some());
        world.agents[incomplete].remote_ready(world.now, true);
        world.drain(incomplete);
        assert!(failed(&world, incomplete).is_some(), "the end was told");
    }
}

#[test]
fn a_side_that_never_ends_is_given_up() {
    let mut world = strangers();
    world.run(TRICKLE_PATIENCE - Duration::from_millis(1));
    assert_eq!(failed(&world, ALICE), None);
    world.run(Duration::from_millis(1));
    assert_eq!(failed(&world, ALICE), Some(Reason::NoLocalCandidates));
    let at = Now { mono: world.now.mono, ..Now::default() };
    assert_eq!(at.mono, machine::Instant::ORIGIN + TRICKLE_PATIENCE);
}

#[test]
fn candidates_without_end_are_ignored() {
    let mut world = strangers();
    add_host(&mut world, ALICE, 0);
    for n in 0..3 * MAX_REMOTE_CANDIDATES {
        let at = Endpoint::new([192, 0, 2, 1], u16::try_from(1000 + n).unwrap());
        let late = Candidate::signalled(CandidateKind::Host, 1, &n.to_string(), 1, at);
        world.agents[ALICE].add_remote(0, late);
        world.agents[ALICE].remote_ready(world.now, false);
    }
    world.drain(ALICE);
    let explanation = world.agents[ALICE].explain();
    assert_eq!(explanation.pairs.len(), MAX_REMOTE_CANDIDATES);
    assert!(explanation.pairs.iter().all(|pair| !matches!(pair.fate, Fate::Pruned(_))));
    let over = explanation.ignored.iter().filter(|(.., why)| *why == Ignored::Limit);
    assert_eq!(over.count(), MAX_REMOTE_CANDIDATES, "and no more are remembered");
}
