//! Packets from strangers.

use ice::{CandidateKind, LocalCandidate};
use machine::{Endpoint, Entropy};
use proptest::prelude::*;
use stun::{AttributeType, Builder, Key, Message, Method, TransactionId};

use crate::world::{ALICE, BOB, World};

const STRANGER: &str = "192.0.2.66:6666";

type Build<'b> = dyn for<'a> Fn(&'a mut Builder) -> &'a mut Builder + 'b;

/// Sends a request, and reads the answer's error code; `Some(0)` is a success.
fn answer(world: &mut World, build: &Build<'_>) -> Option<u16> {
    let mut builder = Builder::request(Method::BINDING, TransactionId([9; 12]));
    build(&mut builder);
    let bytes = builder.finish();
    let before = world.log.len();
    let base = world.base(ALICE, 0, 0, 1);
    world.inject(ALICE, base, STRANGER.parse().unwrap(), &bytes);
    let (_, _, to, bytes) = world.log.get(before)?;
    assert_eq!(to.to_string(), STRANGER);
    let message = Message::parse(bytes).unwrap();
    assert!(message.has_fingerprint());
    Some(message.error_code().map_or(0, |error| error.code))
}

#[test]
fn each_flaw_gets_its_status() {
    let mut world = World::new(1);
    world.gather(ALICE, 1, 1);
    let ours = world.agents[ALICE].credentials().clone();
    let user = format!("{}:them", ours.ufrag);
    let key = Key::short_term(&ours.pwd);
    let mut ask = |build: &Build<'_>| answer(&mut world, build);

    assert_eq!(ask(&|b| b.fingerprint()), Some(400), "no user name");
    assert_eq!(ask(&|b| b.username(&user).fingerprint()), Some(400), "no integrity");
    let wrong = Key::short_term("wrong");
    assert_eq!(ask(&|b| b.username(&user).integrity(&wrong)), Some(401));
    assert_eq!(ask(&|b| b.username("you:them").integrity(&key)), Some(401));
    assert_eq!(ask(&|b| b.username("nocolon").integrity(&key)), Some(401));
    assert_eq!(ask(&|b| b.username(&user).integrity(&key)), Some(400), "no priority");
    let unknown = AttributeType(0x7777);
    assert_eq!(
        ask(&|b| b.username(&user).priority(1).attribute(unknown, &[]).integrity(&key)),
        Some(420)
    );
    assert_eq!(ask(&|b| b.username(&user).priority(1).integrity(&key)), Some(0));
    assert_eq!(ask(&|b| b.username(&user).priority(1).integrity_sha256(&key)), Some(0));
    let stats = world.agents[ALICE].stats();
    assert_eq!((stats.checks_refused, stats.checks_received), (7, 2));
}

#[test]
fn answers_prove_themselves() {
    let mut world = World::new(1);
    world.start(1);
    world.step(world.now.mono);
    let (_, base, remote, bytes) = world.log[0].clone();
    let request = Message::parse(&bytes).unwrap();
    let forged = Builder::success(&request)
        .xor_mapped_address("192.0.2.1:1".parse().unwrap())
        .integrity(&Key::short_term("guess"))
        .finish();
    let unproven =
        Builder::success(&request).xor_mapped_address("192.0.2.1:1".parse().unwrap()).finish();
    let conflict = Builder::error(&request, 487).finish();
    for bytes in [forged, unproven, conflict] {
        world.inject(ALICE, base, remote, &bytes);
    }
    assert_eq!(world.agents[ALICE].stats().responses_refused, 3);
    assert_eq!(world.agents[ALICE].role(), ice::Role::Controlling);
    assert_eq!(world.agents[ALICE].way(0, 1), None);
}

#[test]
fn an_answer_from_elsewhere_fails_the_pair() {
    let mut world = World::new(1);
    world.start(1);
    world.step(world.now.mono);
    let (_, base, _, bytes) = world.log[0].clone();
    let key = Key::short_term(&world.agents[BOB].credentials().pwd);
    let answer = Builder::success(&Message::parse(&bytes).unwrap())
        .xor_mapped_address(base)
        .integrity(&key)
        .finish();
    let elsewhere: Endpoint = STRANGER.parse().unwrap();
    world.inject(ALICE, base, elsewhere, &answer);
    let fate = &world.agents[ALICE].explain().pairs[0].fate;
    assert_eq!(*fate, ice::Fate::WrongAddress { from: elsewhere, to: base });
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>, seed: u64) {
        let mut agent = ice::Agent::new(
            ice::agent::Config::default(),
            ice::Role::Controlling,
            Entropy::seeded(seed),
        );
        agent.add_stream(1);
        let base: Endpoint = "10.0.0.1:5000".parse().unwrap();
        let host = LocalCandidate::host(1, base, 65535, "eth0");
        assert_eq!(host.kind, CandidateKind::Host);
        agent.add_local(0, host).unwrap();
        let mut stunlike = b"\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl".to_vec();
        stunlike.extend(&bytes);
        let len = u16::try_from(bytes.len()).unwrap();
        stunlike[2..4].copy_from_slice(&len.to_be_bytes());
        for bytes in [bytes, stunlike] {
            agent.handle_stun(machine::Now::default(), base, STRANGER.parse().unwrap(), &bytes);
        }
    }
}
