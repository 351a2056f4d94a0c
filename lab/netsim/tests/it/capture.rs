//! pcapng files.

use std::time::Duration;

use netsim::{Link, NodeId, Tap, TapId, World};

use crate::talker::{Talker, bind, hears, told};

fn world(seed: u64) -> (World<Talker>, [NodeId; 2], Vec<TapId>) {
    let mut world = World::new(seed);
    let a = world.host("a", Talker::new(), &["192.168.0.2/24", "2001:db8::1/64"]);
    let b = world.host("b", Talker::echo(), &["198.51.100.1/24", "2001:db8:1::1/64"]);
    let spec = "mapping=apd".parse().unwrap();
    let nat = world.nat("nat", spec, &["192.168.0.1/24"], &["203.0.113.1/24"]);
    world.link(a, nat, Link::default());
    let link = Link::with_latency(Duration::from_millis(10)).loss(0.05).duplicate(0.1).mtu(1280);
    let far = world.link(nat.outside(), b, link);
    let taps = [Tap::Link(far), Tap::Interface(a, "eth0")];
    let taps = taps.map(|tap| world.tap(tap).unwrap()).to_vec();
    world.start();
    (world, [a, b], taps)
}

/// A little of everything: UDP small and large, TCP, refusals, over both families.
fn play(world: &mut World<Talker>, [a, b]: [NodeId; 2]) {
    for (any, server) in [("0.0.0.0:0", "198.51.100.1"), ("[::]:0", "[2001:db8:1::1]")] {
        let listen = any.replace(":0", ":7");
        let socket = bind(world, a, any);
        bind(world, b, &listen);
        world.verb(b, |talker, _| talker.listen(&listen));
        told(world, b, 1.0);
        for size in [0, 1, 100, 1400, 4000, 4000] {
            let to = format!("{server}:7");
            world.verb(a, |talker, _| talker.send(socket, &to, &vec![0; size]));
            world.run_for(Duration::from_secs(1));
        }
        hears(world, (a, socket), &format!("{server}:9"), b);
        let conn = world.verb(a, |talker, _| talker.connect(&format!("{server}:7")));
        world.run_for(Duration::from_secs(70));
        world.verb(a, |talker, _| {
            talker.write(conn, &[7; 20_000]);
            talker.close(conn);
        });
        world.verb(a, |talker, _| talker.connect(&format!("{server}:9")));
        world.run_for(Duration::from_secs(70));
    }
}

/// The blocks of a pcapng file: type and body.
fn blocks(file: &[u8]) -> Vec<(u32, Vec<u8>)> {
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    let mut blocks = Vec::new();
    let mut at = 0;
    while at < file.len() {
        let len = word(at + 4) as usize;
        assert_eq!(word(at + len - 4) as usize, len, "both lengths of a block agree");
        blocks.push((word(at), file[at + 8..at + len - 4].to_vec()));
        at += len;
    }
    blocks
}

#[test]
fn a_file_has_a_header_its_interfaces_and_the_packets() {
    let (mut world, hosts, taps) = world(1);
    play(&mut world, hosts);
    let file = world.pcapng(&taps);
    let blocks = blocks(&file);
    let kinds: Vec<u32> = blocks.iter().take(3).map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [0x0a0d_0d0a, 1, 1]);
    let names = ["nat.outside-b.eth0", "a.eth0"];
    for ((_, body), name) in blocks[1..3].iter().zip(names) {
        assert!(body.windows(name.len()).any(|window| window == name.as_bytes()));
    }
    assert!(blocks[3..].iter().all(|(kind, _)| *kind == 6));
    assert!(blocks.len() > 100);
    // One tap alone: its packets, and no others.
    let alone = self::blocks(&world.pcapng(&taps[1..]));
    assert!(alone.len() < blocks.len() && alone[1].0 == 1 && alone[2].0 == 6);
}

#[test]
fn the_same_seed_gives_the_same_file() {
    let run = |seed| {
        let (mut world, hosts, taps) = world(seed);
        play(&mut world, hosts);
        (world.digest(), world.pcapng(&taps))
    };
    assert!(run(1) == run(1));
    assert!(run(1).0 != run(2).0);
}

#[test]
fn there_is_no_tap_where_there_is_no_interface() {
    let (mut world, [a, _], _) = world(1);
    let error = world.tap(Tap::Interface(a, "eth7")).unwrap_err();
    assert_eq!(error.to_string(), "a has no interface eth7");
}

/// For looking at a capture with other tools: writes it where `NETSIM_PCAPNG` says.
#[test]
fn a_capture_can_be_kept() {
    if let Ok(path) = std::env::var("NETSIM_PCAPNG") {
        let (mut world, hosts, taps) = world(1);
        play(&mut world, hosts);
        std::fs::write(path, world.pcapng(&taps)).unwrap();
    }
}
