//! Peers that behave otherwise than we do: older ones, forked ones, hasty ones.

use std::time::Duration;

use ice::agent::{Config, Event};
use ice::{Candidate, CandidateKind, Credentials, Fate, Role};
use machine::{Endpoint, Entropy};
use stun::{Builder, Key, Message, Method, TransactionId};

use crate::world::{ALICE, BOB, World};

/// A peer written by hand: it knows Bob's password and answers with its own.
struct Peer {
    credentials: Credentials,
    ids: Entropy,
}

impl Peer {
    fn new(seed: u64) -> Self {
        let mut ids = Entropy::seeded(seed);
        Self { credentials: Credentials::generate(&mut ids), ids }
    }

    /// Sends Bob a check that nominates, as peers of RFC 5245 do with every check.
    fn nominates(&mut self, world: &mut World, from: Endpoint, priority: u32) {
        let bob = world.agents[BOB].credentials().clone();
        let bytes = Builder::request(Method::BINDING, TransactionId::random(&mut self.ids))
            .username(&format!("{}:{}", bob.ufrag, self.credentials.ufrag))
            .priority(priority)
            .ice_controlling(1)
            .use_candidate()
            .integrity(&Key::short_term(&bob.pwd))
            .fingerprint()
            .finish();
        let base = world.base(BOB, 0, 0, 1);
        world.inject(BOB, base, from, &bytes);
    }

    /// Answers all that Bob has sent to `at` since packet `since`.
    fn answers(&self, world: &mut World, at: Endpoint, since: usize) {
        let base = world.base(BOB, 0, 0, 1);
        let asked: Vec<_> = world.log[since..]
            .iter()
            .filter(|(side, _, to, _)| *side == BOB && *to == at)
            .map(|(.., bytes)| bytes.clone())
            .collect();
        for bytes in asked {
            let request = Message::parse(&bytes).unwrap();
            if request.class() == stun::Class::Request {
                let answer = Builder::success(&request)
                    .xor_mapped_address(base)
                    .integrity(&Key::short_term(&self.credentials.pwd))
                    .fingerprint()
                    .finish();
                world.inject(BOB, base, at, &answer);
            }
        }
    }

    /// Tells Bob of itself, with candidates of falling priority.
    fn tells(&self, world: &mut World, candidates: &[Endpoint]) {
        world.agents[BOB].set_remote(world.now, self.credentials.clone(), false);
        for (n, endpoint) in (1u32..).zip(candidates) {
            let (kind, foundation) = (CandidateKind::Host, n.to_string());
            let candidate = Candidate::signalled(kind, 1, &foundation, 1_000_000 / n, *endpoint);
            world.agents[BOB].add_remote(0, candidate);
        }
        world.agents[BOB].remote_ready(world.now, true);
    }
}

fn endpoints() -> [Endpoint; 2] {
    ["192.0.2.1:1000", "192.0.2.2:2000"].map(|text| text.parse().unwrap())
}

#[test]
fn of_several_nominations_the_best_counts() {
    let mut world = World::new(1);
    world.gather(BOB, 1, 1);
    let [best, worse] = endpoints();
    let mut peer = Peer::new(1);
    peer.tells(&mut world, &[best, worse]);
    peer.nominates(&mut world, worse, 1);
    world.run(Duration::from_millis(200));
    peer.answers(&mut world, worse, 0);
    assert_eq!(world.agents[BOB].way(0, 1).unwrap().remote.endpoint, worse);
    assert!(world.agents[BOB].is_completed());
    // The better one works a moment later, and takes its place, for good.
    let since = world.log.len();
    peer.nominates(&mut world, best, 2);
    world.run(Duration::from_millis(200));
    peer.answers(&mut world, best, since);
    for _ in 0..2 {
        assert_eq!(world.agents[BOB].way(0, 1).unwrap().remote.endpoint, best);
        peer.nominates(&mut world, worse, 1);
        world.run(Duration::from_millis(200));
    }
    let selected = |event: &&Event| matches!(event, Event::Selected { .. });
    assert_eq!(world.events[BOB].iter().filter(selected).count(), 2);
}

#[test]
fn of_two_forks_the_one_that_answers_is_it() {
    let mut world = World::new(1);
    world.gather(BOB, 1, 1);
    let [home, mobile] = endpoints();
    let (mut at_home, mut on_the_road) = (Peer::new(1), Peer::new(2));
    at_home.nominates(&mut world, home, 1);
    on_the_road.nominates(&mut world, mobile, 1);
    assert!(world.agents[BOB].knows_remote(0, 1, home), "early data is welcome");
    // Both were answered; nobody was checked, since no password is known.
    world.run(Duration::from_secs(1));
    assert_eq!(world.log.len(), 2);
    on_the_road.tells(&mut world, &[]);
    world.run(Duration::from_millis(100));
    on_the_road.answers(&mut world, mobile, 0);
    assert_eq!(world.agents[BOB].way(0, 1).unwrap().remote.endpoint, mobile);
    let explanation = world.agents[BOB].explain();
    assert!(explanation.pairs.iter().all(|pair| pair.remote.endpoint == mobile));
}

#[test]
fn a_check_that_comes_after_the_choice_changes_nothing() {
    let mut world = World::new(1);
    world.start(1);
    world.settle(Duration::from_secs(5));
    let way = world.agents[BOB].way(0, 1);
    let (pairs, ours) =
        (world.agents[BOB].explain().pairs.len(), world.agents[BOB].credentials().clone());
    let them = world.agents[ALICE].credentials().ufrag.clone();
    let bytes = Builder::request(Method::BINDING, TransactionId([3; 12]))
        .username(&format!("{}:{them}", ours.ufrag))
        .priority(u32::MAX)
        .ice_controlling(1)
        .integrity(&Key::short_term(&ours.pwd))
        .finish();
    let base = world.base(BOB, 0, 0, 1);
    let [elsewhere, _] = endpoints();
    world.inject(BOB, base, elsewhere, &bytes);
    assert!(!world.agents[BOB].wants_slot());
    assert_eq!(world.agents[BOB].way(0, 1), way);
    assert_eq!(world.agents[BOB].explain().pairs.len(), pairs);
}

#[test]
fn a_controlled_agent_goes_on_without_a_nomination() {
    let mut world = World::new(1);
    for side in [ALICE, BOB] {
        world.gather(side, 1, 1);
    }
    world.tell(ALICE);
    world.tell(BOB);
    // Alice works, and then falls silent before she nominates.
    let works = |world: &World| {
        world.agents[BOB].explain().pairs.iter().any(|pair| pair.fate == Fate::Works)
    };
    let end = world.now.mono + Duration::from_secs(1);
    while !works(&world) && world.step(end) {}
    world.dead = world.addresses[BOB].clone();
    world.run(Duration::from_secs(120));
    assert!(world.agents[BOB].way(0, 1).is_some_and(|way| !way.selected));
    assert!(!world.agents[BOB].is_failed(), "it has a way");
}

#[test]
fn intervals_of_zero_do_not_stop_time() {
    let config = Config {
        ta: Duration::ZERO,
        rto_min: Duration::ZERO,
        rto_max: Duration::ZERO,
        check_lifetime: Duration::ZERO,
        trickle_patience: Duration::ZERO,
        patience: Duration::ZERO,
        nomination_patience: Duration::ZERO,
        relayed_nomination_patience: Duration::ZERO,
        keepalive: Duration::ZERO,
        max_pairs: 0,
    };
    let mut world = World::with(1, config, [Role::Controlling, Role::Controlled], 1);
    world.ta = Duration::from_millis(1);
    world.start(1);
    world.run(Duration::from_millis(200));
}
