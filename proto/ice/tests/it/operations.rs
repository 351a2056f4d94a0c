//! Any sequence of verbs, packets and times: no panic, no broken law.

use std::time::Duration;

use ice::{Candidate, CandidateKind, Credentials, Role};
use machine::Endpoint;
use proptest::prelude::*;

use crate::world::{ALICE, World};

#[derive(Clone, Debug)]
enum Operation {
    Gather(usize),
    Tell(usize),
    Run(u16),
    Restart(usize),
    SetRole(usize, bool),
    KeepComponents(usize, u16),
    AddRemote { side: usize, component: u16, ip: [u8; 4], port: u16, priority: u32 },
    StrangeRemote(usize, bool),
    Replay { side: usize, n: usize },
    Garble { side: usize, n: usize, at: usize, with: u8 },
    Loss(u8),
    Move(usize, u8),
    DataSent(usize),
    Relay(usize),
    RefusePeer { side: usize, component: u16, n: usize },
    Withdraw { side: usize, n: usize },
}

fn operation() -> impl Strategy<Value = Operation> {
    let side = || 0..2usize;
    prop_oneof![
        3 => side().prop_map(Operation::Gather),
        3 => side().prop_map(Operation::Tell),
        6 => (0..2000u16).prop_map(Operation::Run),
        1 => Just(Operation::Run(60_000)),
        1 => side().prop_map(Operation::Restart),
        1 => (side(), any::<bool>()).prop_map(|(s, c)| Operation::SetRole(s, c)),
        1 => (side(), 0..3u16).prop_map(|(s, n)| Operation::KeepComponents(s, n)),
        2 => (side(), 0..4u16, any::<[u8; 4]>(), any::<u16>(), any::<u32>()).prop_map(
            |(side, component, ip, port, priority)| Operation::AddRemote {
                side, component, ip, port, priority,
            }
        ),
        1 => (side(), any::<bool>()).prop_map(|(s, lite)| Operation::StrangeRemote(s, lite)),
        2 => (side(), any::<usize>()).prop_map(|(side, n)| Operation::Replay { side, n }),
        2 => (side(), any::<usize>(), any::<usize>(), any::<u8>())
            .prop_map(|(side, n, at, with)| Operation::Garble { side, n, at, with }),
        1 => (0..60u8).prop_map(Operation::Loss),
        1 => (side(), 1..5u8).prop_map(|(s, n)| Operation::Move(s, n)),
        1 => side().prop_map(Operation::DataSent),
        1 => side().prop_map(Operation::Relay),
        1 => (side(), 1..3u16, any::<usize>())
            .prop_map(|(side, component, n)| Operation::RefusePeer { side, component, n }),
        1 => (side(), any::<usize>()).prop_map(|(side, n)| Operation::Withdraw { side, n }),
    ]
}

fn apply(world: &mut World, operation: Operation) {
    let now = world.now;
    match operation {
        Operation::Gather(side) => world.gather(side, 1, 2),
        Operation::Tell(side) => world.tell(side),
        Operation::Run(millis) => world.run(Duration::from_millis(millis.into())),
        Operation::Restart(side) => world.agents[side].restart(),
        Operation::SetRole(side, controlling) => {
            let role = if controlling { Role::Controlling } else { Role::Controlled };
            world.agents[side].set_role(role);
        }
        Operation::KeepComponents(side, n) => world.agents[side].keep_components(now, 0, n),
        Operation::AddRemote { side, component, ip, port, priority } => {
            let kind = CandidateKind::ServerReflexive;
            let endpoint = Endpoint::new(ip, port);
            let candidate = Candidate::signalled(kind, component, "9", priority, endpoint);
            world.agents[side].add_remote(0, candidate);
        }
        Operation::StrangeRemote(side, lite) => {
            let credentials = Credentials { ufrag: "them".into(), pwd: "p".repeat(22) };
            world.agents[side].set_remote(now, credentials, lite);
        }
        Operation::Replay { side, n } => replay(world, side, n, |_| {}),
        Operation::Garble { side, n, at, with } => replay(world, side, n, |bytes| {
            let at = at % bytes.len();
            bytes[at] ^= with;
        }),
        Operation::Loss(percent) => world.loss = f64::from(percent) / 100.0,
        Operation::Move(side, n) => {
            let net = if side == ALICE { "198.51.100" } else { "203.0.113" };
            world.addresses[side] =
                (1..=n).map(|n| format!("{net}.{n}").parse().unwrap()).collect();
        }
        Operation::DataSent(side) => world.agents[side].data_sent(now, 0, 1),
        Operation::Relay(side) => world.give_relay(side),
        Operation::RefusePeer { side, component, n } => {
            if world.relays[side].is_some() && !world.addresses[1 - side].is_empty() {
                let base = world.relayed_base(side, component);
                let peer = world.addresses[1 - side][n % world.addresses[1 - side].len()];
                world.agents[side].refuse_peer(now, base, peer, 403);
            }
        }
        Operation::Withdraw { side, n } => {
            let local = world.agents[side].explain().local;
            if !local.is_empty() {
                world.agents[side].withdraw_local(now, local[n % local.len()].1.base);
            }
        }
    }
    for side in [0, 1] {
        world.drain(side);
        check(world, side);
    }
}

/// Delivers a packet that was sent before, changed perhaps.
fn replay(world: &mut World, side: usize, n: usize, change: impl FnOnce(&mut Vec<u8>)) {
    if !world.log.is_empty() {
        let (_, from, to, mut bytes) = world.log[n % world.log.len()].clone();
        change(&mut bytes);
        world.inject(side, to, from, &bytes);
    }
}

/// What holds at any time.
fn check(world: &World, side: usize) {
    let agent = &world.agents[side];
    let explanation = agent.explain();
    let checked = explanation.pairs.iter().filter(|p| !matches!(p.fate, ice::Fate::Pruned(_)));
    assert!(checked.count() <= ice::defaults::MAX_PAIRS);
    for component in 1..=2 {
        let selected = explanation
            .pairs
            .iter()
            .filter(|pair| pair.component == component && pair.fate == ice::Fate::Selected)
            .count();
        assert!(selected <= 1);
        if let Some(way) = agent.way(0, component) {
            assert!(agent.knows_remote(0, component, way.remote.endpoint));
        }
    }
    assert!(!(agent.is_completed() && agent.is_failed()));
}

proptest! {
    #[test]
    fn any_sequence(operations in proptest::collection::vec(operation(), 1..40), seed in 0..1000u64) {
        let roles = [Role::Controlling, Role::Controlled];
        let mut world = World::with(2, ice::agent::Config::default(), roles, seed);
        for operation in operations {
            apply(&mut world, operation);
        }
    }

    /// Whatever happened before: after both restart and tell each other, they connect.
    #[test]
    fn a_restart_heals(operations in proptest::collection::vec(operation(), 1..20)) {
        let roles = [Role::Controlling, Role::Controlled];
        let mut world = World::with(2, ice::agent::Config::default(), roles, 5);
        for operation in operations {
            if !matches!(operation, Operation::KeepComponents(..) | Operation::StrangeRemote(_, true)) {
                apply(&mut world, operation);
            }
        }
        world.loss = 0.0;
        for side in [0, 1] {
            world.agents[side].restart();
            world.gather(side, 1, 2);
        }
        world.tell(0);
        world.tell(1);
        world.settle(Duration::from_secs(30));
        prop_assert!(world.agents.iter().all(ice::Agent::is_completed));
        world.agreed(2);
    }
}
