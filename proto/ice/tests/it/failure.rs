//! Sessions that fail, and say why.

use std::time::Duration;

use ice::agent::{Config, Event};
use ice::{Candidate, CandidateKind, Fate, Ignored, Reason, Role};
use machine::{Icmp, Transport};

use crate::world::{ALICE, BOB, World};

fn failure(world: &World) -> Reason {
    world.events[ALICE]
        .iter()
        .find_map(|event| match event {
            Event::Failed(reason) => Some(*reason),
            _ => None,
        })
        .expect("it failed")
}

#[test]
fn no_answer() {
    let mut world = World::new(1);
    world.dead = world.addresses.concat();
    world.start(1);
    let took = world.settle(Duration::from_secs(100));
    assert!(took >= ice::defaults::PATIENCE, "{took:?}");
    assert_eq!(failure(&world), Reason::NoPairWorked { stream: 0, component: 1 });
    let explanation = world.agents[ALICE].explain();
    assert_eq!(explanation.pairs[0].fate, Fate::NoAnswer { heard: false });
    assert_eq!(explanation.pairs_tried(), 1);
    // Seven times, as RFC 8489 has it.
    assert_eq!(world.log.iter().filter(|(side, ..)| *side == ALICE).count(), 7);
}

#[test]
fn one_way() {
    let mut world = World::new(1);
    // What Alice sends gets lost; Bob's checks arrive.
    world.dead = world.addresses[BOB].clone();
    world.start(1);
    world.settle(Duration::from_secs(200));
    let explanation = world.agents[ALICE].explain();
    assert_eq!(explanation.pairs[0].fate, Fate::NoAnswer { heard: true });
    assert!(explanation.to_string().contains("one direction"), "{explanation}");
}

#[test]
fn unreachable() {
    let mut world = World::new(1);
    world.dead = world.addresses.concat();
    world.start(1);
    world.run(Duration::from_millis(10));
    let (from, to) = (world.base(ALICE, 0, 0, 1), world.base(BOB, 0, 0, 1));
    world.agents[ALICE].handle_unreachable(from, to, Icmp::PortUnreachable);
    world.settle(Duration::from_secs(100));
    let explanation = world.agents[ALICE].explain();
    assert_eq!(explanation.pairs[0].fate, Fate::Unreachable(Icmp::PortUnreachable));
}

#[test]
fn nothing_to_pair() {
    let mut world = World::new(1);
    world.addresses[BOB] = vec!["2001:db8::1".parse().unwrap()];
    world.start(1);
    world.settle(Duration::from_secs(100));
    assert_eq!(failure(&world), Reason::NoPairs);

    let mut world = World::new(1);
    world.addresses[BOB].clear();
    world.start(1);
    world.settle(Duration::from_secs(100));
    assert_eq!(failure(&world), Reason::NoRemoteCandidates);

    let mut world = World::new(1);
    world.addresses[ALICE].clear();
    world.start(1);
    world.settle(Duration::from_secs(100));
    assert_eq!(failure(&world), Reason::NoLocalCandidates);
}

#[test]
fn wrong_credentials_are_refused_and_told() {
    let mut world = World::new(1);
    for side in [ALICE, BOB] {
        world.gather(side, 1, 1);
    }
    let candidates = world.candidates(BOB);
    let mut wrong = world.agents[BOB].credentials().clone();
    wrong.pwd = "x".repeat(24);
    world.agents[ALICE].set_remote(world.now, wrong, false);
    for (stream, candidate) in candidates {
        world.agents[ALICE].add_remote(stream, candidate);
    }
    world.agents[ALICE].remote_ready(world.now, true);
    world.settle(Duration::from_secs(60));
    let explanation = world.agents[ALICE].explain();
    assert_eq!(explanation.pairs[0].fate, Fate::Refused { code: 401 });
    assert_eq!(world.agents[BOB].explain().checks_refused, 1);
    assert!(explanation.to_string().contains("401"), "{explanation}");
}

#[test]
fn unusable_candidates_are_named() {
    let mut world = World::new(1);
    world.gather(ALICE, 1, 1);
    let credentials = world.agents[BOB].credentials().clone();
    world.agents[ALICE].set_remote(world.now, credentials, false);
    let good =
        Candidate::signalled(CandidateKind::Host, 1, "1", 100, "192.0.2.1:1000".parse().unwrap());
    for (candidate, why) in [
        (
            Candidate { transport: Transport::Tcp, ..good.clone() },
            Ignored::Transport(Transport::Tcp),
        ),
        (Candidate { component: 2, ..good.clone() }, Ignored::Component),
        (Candidate { component: 0, ..good.clone() }, Ignored::Component),
        (Candidate { endpoint: "192.0.2.1:0".parse().unwrap(), ..good.clone() }, Ignored::Address),
        (Candidate { endpoint: "224.0.0.1:9".parse().unwrap(), ..good.clone() }, Ignored::Address),
        (Candidate { endpoint: "[::]:9".parse().unwrap(), ..good.clone() }, Ignored::Address),
        (Candidate { foundation: String::new(), ..good.clone() }, Ignored::Foundation),
        (Candidate { foundation: "f".repeat(33), ..good.clone() }, Ignored::Foundation),
    ] {
        world.agents[ALICE].add_remote(0, candidate.clone());
        let candidate = Candidate { base: candidate.endpoint, ..candidate };
        let explanation = world.agents[ALICE].explain();
        assert_eq!(explanation.ignored.last(), Some(&(0, candidate, why)));
        assert!(explanation.pairs.is_empty());
    }
    world.agents[ALICE].add_remote(7, good.clone());
    world.agents[ALICE].add_remote(0, good);
    assert_eq!(world.agents[ALICE].explain().pairs.len(), 1);
}

#[test]
fn a_nomination_that_fails_falls_back_to_another_pair() {
    let config = Config { check_lifetime: Duration::from_secs(3), ..Config::default() };
    let mut world = World::with(1, config, [Role::Controlling, Role::Controlled], 1);
    world.addresses[ALICE].push("198.51.100.2".parse().unwrap());
    world.addresses[BOB].push("203.0.113.2".parse().unwrap());
    for side in [ALICE, BOB] {
        world.gather(side, 1, 1);
    }
    world.tell(ALICE);
    world.tell(BOB);
    // Once two pairs work, the better one breaks, before its nomination arrives.
    let worked = |world: &World| {
        let explanation = world.agents[ALICE].explain();
        explanation.pairs.iter().filter(|pair| pair.fate == Fate::Works).count()
    };
    let end = world.now.mono + Duration::from_secs(1);
    while worked(&world) < 2 && world.step(end) {
        if worked(&world) == 1 {
            world.dead = vec!["203.0.113.1".parse().unwrap(), "198.51.100.1".parse().unwrap()];
        }
    }
    world.settle(Duration::from_secs(30));
    world.agreed(1);
    assert_eq!(
        world.agents[ALICE].way(0, 1).unwrap().remote.endpoint.ip(),
        world.addresses[BOB][1]
    );
}

#[test]
fn a_path_says_why_it_is_this_one() {
    let mut world = World::new(1);
    for (side, v6) in [(ALICE, "2001:db8:a::1"), (BOB, "2001:db8:b::1")] {
        world.addresses[side].insert(0, v6.parse().unwrap());
        world.dead.push(v6.parse().unwrap());
    }
    world.start(1);
    world.settle(Duration::from_secs(5));
    let words = world.agents[ALICE].explain().words();
    let says = "Path of component 1: host 198.51.100.1:5001 to host 203.0.113.1:5001, 40 ms there \
                and back; the one pair of higher priority did not work in time.";
    assert_eq!(words[0], says);
}
