//! Who controls.

use std::time::Duration;

use ice::Role::{self, Controlled, Controlling};
use ice::agent::Config;

use crate::world::{ALICE, BOB, Behaviour, World};

fn conflict(role: Role, nats: bool) {
    for seed in 0..20 {
        let mut world = World::with(1, Config::default(), [role, role], seed);
        if nats {
            for side in [ALICE, BOB] {
                let port = Behaviour::AddressAndPort;
                world = world.behind(side, Behaviour::Independent, port);
            }
        }
        world.start(1);
        world.settle(Duration::from_secs(5));
        world.agreed(1);
        let roles = world.agents.each_ref().map(ice::Agent::role);
        assert_ne!(roles[ALICE], roles[BOB], "seed {seed}");
        let switches: u32 = world.agents.iter().map(|a| a.explain().role_switches).sum();
        assert_eq!(switches, 1, "seed {seed}: exactly one gives in");
    }
}

#[test]
fn both_controlling() {
    conflict(Controlling, false);
    conflict(Controlling, true);
}

#[test]
fn both_controlled() {
    conflict(Controlled, false);
    conflict(Controlled, true);
}

#[test]
fn both_controlling_under_loss() {
    for seed in 0..20 {
        let mut world = World::with(2, Config::default(), [Controlling, Controlling], seed);
        world.loss = 0.2;
        world.start(2);
        world.settle(Duration::from_secs(60));
        world.agreed(2);
    }
}
