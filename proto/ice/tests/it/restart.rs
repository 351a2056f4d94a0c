//! Restarts (RFC 8445 §9).

use std::time::Duration;

use crate::world::{ALICE, BOB, World};

#[test]
fn data_goes_on_while_a_new_way_is_sought() {
    let mut world = World::new(1);
    world.start(1);
    world.settle(Duration::from_secs(5));
    let (old, way) = (world.agents[ALICE].credentials().clone(), world.agents[ALICE].way(0, 1));
    for side in [ALICE, BOB] {
        world.agents[side].restart();
        world.drain(side);
    }
    assert_ne!(*world.agents[ALICE].credentials(), old);
    let kept = world.agents[ALICE].way(0, 1).unwrap();
    assert_eq!(kept.remote, way.unwrap().remote);
    assert!(!kept.selected && !world.agents[ALICE].is_completed());
    let remote = kept.remote.endpoint;
    assert!(world.agents[ALICE].knows_remote(0, 1, remote), "its data is still welcome");
    // Bob has moved.
    world.dead = world.addresses[BOB].clone();
    world.addresses[BOB] = vec!["203.0.113.77".parse().unwrap()];
    world.gather(BOB, 1, 1);
    world.tell(ALICE);
    world.tell(BOB);
    world.settle(Duration::from_secs(5));
    world.agreed(1);
    assert_eq!(
        world.agents[ALICE].way(0, 1).unwrap().remote.endpoint.ip(),
        world.addresses[BOB][0]
    );
}

#[test]
fn new_credentials_of_the_remote_are_a_restart() {
    let mut world = World::new(1);
    world.start(1);
    world.settle(Duration::from_secs(5));
    world.agents[BOB].restart();
    world.agents[ALICE].restart();
    world.tell(BOB);
    world.tell(ALICE);
    world.settle(Duration::from_secs(5));
    world.agreed(1);
    // Telling the same again changes nothing.
    world.tell(BOB);
    assert!(world.agents[ALICE].is_completed());
}

#[test]
fn a_restart_before_anything_was_told() {
    let mut world = World::new(1);
    world.gather(ALICE, 1, 1);
    world.agents[ALICE].restart();
    world.start(1);
    world.settle(Duration::from_secs(5));
    world.agreed(1);
}
