//! Every limit that strangers or peers could push at.

use std::time::Duration;

use ice::agent::{Config, Error};
use ice::defaults::{
    MAX_EARLY_CHECKS, MAX_LOCAL_CANDIDATES, MAX_PAIRS, MAX_PEER_REFLEXIVE_CANDIDATES,
    MAX_REMOTE_CANDIDATES,
};
use ice::{Candidate, CandidateKind, Fate, Ignored, LocalCandidate, Pruned};
use machine::Endpoint;
use stun::{Builder, Key, Method, TransactionId};

use crate::world::{ALICE, BOB, World};

fn many(n: usize) -> impl Iterator<Item = Endpoint> {
    (0..n).map(|n| Endpoint::new([192, 0, 2, 1], u16::try_from(1000 + n).unwrap()))
}

/// Tells Alice of `n` candidates of Bob's.
fn flood(world: &mut World, n: usize) {
    let credentials = world.agents[BOB].credentials().clone();
    world.agents[ALICE].set_remote(world.now, credentials, false);
    for (n, endpoint) in many(n).enumerate() {
        let priority = 1000 + u32::try_from(n).unwrap();
        let kind = CandidateKind::Host;
        let candidate = Candidate::signalled(kind, 1, &n.to_string(), priority, endpoint);
        world.agents[ALICE].add_remote(0, candidate);
    }
    world.agents[ALICE].remote_ready(world.now, true);
}

#[test]
fn remote_candidates() {
    let mut world = World::new(1);
    world.gather(ALICE, 1, 1);
    flood(&mut world, 3 * MAX_REMOTE_CANDIDATES);
    let explanation = world.agents[ALICE].explain();
    assert_eq!(explanation.remote.len(), MAX_REMOTE_CANDIDATES);
    assert_eq!(explanation.ignored.len(), MAX_REMOTE_CANDIDATES);
    assert!(explanation.ignored.iter().all(|(_, _, why)| *why == Ignored::Limit));
}

#[test]
fn pairs_are_limited_and_the_best_stay() {
    let mut world = World::new(1);
    for n in 2..10 {
        world.addresses[ALICE].push(format!("198.51.100.{n}").parse().unwrap());
    }
    world.gather(ALICE, 1, 1);
    flood(&mut world, MAX_REMOTE_CANDIDATES);
    let explanation = world.agents[ALICE].explain();
    let (dropped, kept): (Vec<_>, Vec<_>) =
        explanation.pairs.iter().partition(|pair| pair.fate == Fate::Pruned(Pruned::Limit));
    assert_eq!(kept.len(), MAX_PAIRS);
    assert_eq!(dropped.len(), ice::defaults::MAX_PRUNED_REMEMBERED);
    let worst = kept.iter().map(|pair| pair.priority).min().unwrap();
    assert!(dropped.iter().all(|pair| pair.priority <= worst));
}

#[test]
fn local_candidates() {
    let mut world = World::new(1);
    for endpoint in many(MAX_LOCAL_CANDIDATES) {
        let host = LocalCandidate::host(1, endpoint, 1, "eth0");
        assert!(world.agents[ALICE].add_local(0, host).unwrap().is_some());
    }
    let known = LocalCandidate::host(1, many(1).next().unwrap(), 1, "eth0");
    assert_eq!(world.agents[ALICE].add_local(0, known), Ok(None));
    let more = LocalCandidate::host(1, "10.0.0.1:1".parse().unwrap(), 1, "eth0");
    assert_eq!(world.agents[ALICE].add_local(0, more.clone()), Err(Error::TooMany));
    let elsewhere = LocalCandidate { component: 2, ..more };
    assert_eq!(world.agents[ALICE].add_local(0, elsewhere.clone()), Err(Error::NoComponent));
    assert_eq!(world.agents[ALICE].add_local(1, elsewhere), Err(Error::NoComponent));
}

/// Sends Alice `n` checks with good credentials, each from another address.
fn checks(world: &mut World, n: usize, them: &str) {
    let ours = world.agents[ALICE].credentials().clone();
    let base = world.base(ALICE, 0, 0, 1);
    for (n, endpoint) in many(n).enumerate() {
        let mut id = [0; 12];
        id[..8].copy_from_slice(&n.to_be_bytes());
        let bytes = Builder::request(Method::BINDING, TransactionId(id))
            .username(&format!("{}:{them}", ours.ufrag))
            .priority(1)
            .ice_controlled(7)
            .integrity(&Key::short_term(&ours.pwd))
            .fingerprint()
            .finish();
        world.inject(ALICE, base, endpoint, &bytes);
    }
}

#[test]
fn early_checks() {
    let mut world = World::new(1);
    world.gather(ALICE, 1, 1);
    checks(&mut world, 3 * MAX_EARLY_CHECKS, "anybody");
    let stats = world.agents[ALICE].stats();
    assert_eq!(stats.early_checks_dropped, 2 * MAX_EARLY_CHECKS as u64);
    assert_eq!(stats.checks_received, 3 * MAX_EARLY_CHECKS as u64, "all were answered");
}

#[test]
fn peer_reflexive_candidates() {
    let mut world = World::new(1);
    for side in [ALICE, BOB] {
        world.gather(side, 1, 1);
    }
    world.tell(BOB);
    let them = world.agents[BOB].credentials().ufrag.clone();
    checks(&mut world, 5 * MAX_PEER_REFLEXIVE_CANDIDATES, &them);
    let explanation = world.agents[ALICE].explain();
    let learned = explanation.remote.iter().filter(|(_, c)| c.kind == CandidateKind::PeerReflexive);
    assert_eq!(learned.count(), MAX_PEER_REFLEXIVE_CANDIDATES);
    // Bob gets through all the same.
    world.tell(ALICE);
    world.settle(Duration::from_secs(10));
    world.agreed(1);
}

#[test]
fn retransmission_grows_with_the_load_up_to_its_limit() {
    let mut world = World::new(1);
    world.gather(ALICE, 1, 1);
    flood(&mut world, 40);
    world.step(world.now.mono);
    // The first check, and 40 × 40 × 50 ms as the formula has it, cut to the limit.
    let first = world.log[0].clone();
    let again = |world: &World| world.log.iter().filter(|packet| packet.3 == first.3).count();
    world.run(Config::default().rto_max - Duration::from_millis(1));
    assert_eq!(again(&world), 1);
    world.run(Duration::from_millis(1));
    assert_eq!(again(&world), 2);
}
