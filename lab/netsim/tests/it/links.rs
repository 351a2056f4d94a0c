//! Links, routers and the sockets of hosts.

use std::time::Duration;

use machine::{FailKind, Icmp, Instant, InterfaceKind, ResolveError};
use netsim::{Direction, Link, NodeId, World};

use crate::talker::{Talker, Told, bind, hears, told};

fn pair(link: Link) -> (World<Talker>, NodeId, NodeId) {
    let mut world = World::new(1);
    let a = world.host("a", Talker::new(), &["192.0.2.1/24", "2001:db8::1/64"]);
    let b = world.host("b", Talker::new(), &["192.0.2.2/24", "2001:db8::2/64"]);
    let router = world.router("router");
    world.link(a, router, Link::default());
    world.link(router, b, link);
    world.start();
    (world, a, b)
}

/// What `b` hears of datagrams of these sizes.
fn sizes_heard(
    world: &mut World<Talker>,
    a: NodeId,
    b: NodeId,
    v4: bool,
    sizes: &[usize],
) -> Vec<usize> {
    let (any, to) = if v4 { ("0.0.0.0:0", "192.0.2.2:7") } else { ("[::]:0", "[2001:db8::2]:7") };
    let socket = bind(world, a, any);
    bind(world, b, if v4 { "0.0.0.0:7" } else { "[::]:7" });
    told(world, b, 1.0);
    let mut heard = Vec::new();
    for &size in sizes {
        let bytes: Vec<u8> = (0..size).map(|n| n as u8).collect();
        world.verb(a, |talker, _| talker.send(socket, to, &bytes));
        for told in told(world, b, 2.0) {
            if let Told::Heard { bytes: heard_bytes, .. } = told {
                assert_eq!(heard_bytes, bytes);
                heard.push(size);
            }
        }
    }
    heard
}

#[test]
fn latency_adds_up() {
    let (mut world, a, b) = pair(Link::with_latency(Duration::from_millis(40)));
    let socket = bind(&mut world, a, "0.0.0.0:0");
    bind(&mut world, b, "0.0.0.0:7");
    told(&mut world, b, 1.0);
    world.verb(a, |talker, _| talker.send(socket, "192.0.2.2:7", b"x"));
    let heard = world.next_before(Instant::from_nanos(u64::MAX)).unwrap();
    assert_eq!(heard.host, b);
    assert_eq!(heard.now.mono.as_nanos(), 1_040_000_000);
    // The wall clock goes along.
    assert_eq!(heard.now.unix.subsec_millis(), 40);
}

#[test]
fn routers_cut_ipv4_and_hosts_put_it_together() {
    let (mut world, a, b) = pair(Link::default().mtu(576));
    assert_eq!(
        sizes_heard(&mut world, a, b, true, &[0, 100, 548, 549, 1472, 1473, 9000]),
        [0, 100, 548, 549, 1472, 1473, 9000]
    );
    assert!(world.stats().fragmented > 0);
}

#[test]
fn ipv6_senders_learn_the_path_mtu() {
    let (mut world, a, b) = pair(Link::default().mtu(1280));
    // The first one is too big for the far link: an ICMP error, and from then on fragments.
    assert_eq!(sizes_heard(&mut world, a, b, false, &[1000, 1400, 1400, 9000]), [1000, 1400, 9000]);
}

#[test]
fn what_must_not_be_cut_comes_back() {
    let (mut world, a, b) = pair(Link::default().mtu(576));
    world.set_dont_fragment(a, true);
    let socket = bind(&mut world, a, "0.0.0.0:0");
    bind(&mut world, b, "0.0.0.0:7");
    told(&mut world, a, 1.0);
    let remote = "192.0.2.2:7".parse().unwrap();
    for _ in 0..2 {
        world.verb(a, |talker, _| talker.send(socket, "192.0.2.2:7", &[0; 1000]));
        let too_big = Told::Unreachable(remote, Icmp::TooBig { mtu: 576 });
        assert_eq!(told(&mut world, a, 1.0), [too_big]);
    }
}

#[test]
fn a_lost_fragment_loses_the_datagram() {
    let (mut world, a, b) = pair(Link::default().mtu(576).loss(0.2));
    let heard = sizes_heard(&mut world, a, b, true, &[5000; 200]).len();
    // Ten fragments each: a tenth of the datagrams gets through.
    assert!((5..60).contains(&heard), "{heard}");
}

#[test]
fn loss_is_a_matter_of_direction() {
    let mut world = World::new(1);
    let a = world.host("a", Talker::new(), &["192.0.2.1/24"]);
    let b = world.host("b", Talker::echo(), &["192.0.2.2/24"]);
    let link = world.link(a, b, Link::default());
    world.start();
    let socket = bind(&mut world, a, "0.0.0.0:0");
    bind(&mut world, b, "0.0.0.0:7");
    told(&mut world, a, 1.0);
    world.set_link(link, Direction::Backward, Link::default().loss(1.0));
    let heard = hears(&mut world, (a, socket), "192.0.2.2:7", b);
    assert_eq!(heard.len(), 1);
    assert_eq!(world.link_stats(link, Direction::Forward).lost, 0);
    assert_eq!(world.link_stats(link, Direction::Backward).lost, 1);
    world.set_link(link, Direction::Backward, Link::default());
    assert_eq!(hears(&mut world, (a, socket), "192.0.2.2:7", a), ["192.0.2.2:7"]);
}

#[test]
fn duplicates_arrive_twice() {
    let (mut world, a, b) = pair(Link::default().duplicate(1.0));
    assert_eq!(sizes_heard(&mut world, a, b, true, &[10, 20]), [10, 10, 20, 20]);
}

#[test]
fn the_longest_prefix_and_the_chosen_source_decide_the_way() {
    let mut world = World::new(1);
    let a = world.host("a", Talker::new(), &["192.0.2.1/24"]);
    world.interface(a, "wg0", InterfaceKind::Tunnel, &["10.8.0.1/24"]);
    let b = world.host("b", Talker::new(), &["198.51.100.1", "198.51.100.2", "10.9.0.1"]);
    let (wire, tunnel) = (world.router("wire"), world.router("tunnel"));
    world.link(a.port("eth0"), wire, Link::default());
    world.link(a.port("wg0"), tunnel, Link::default());
    let end = world.router("end");
    world.link(wire, end, Link::default());
    world.link(tunnel, end, Link::default());
    world.link(end, b, Link::default());
    world.route("10.0.0.0/8", a.port("wg0"));
    world.route("198.51.100.0/24", a.port("wg0"));
    world.route("198.51.100.1", a.port("eth0"));
    world.start();
    let socket = bind(&mut world, a, "0.0.0.0:5000");
    bind(&mut world, b, "0.0.0.0:7");
    told(&mut world, b, 1.0);
    for (to, from) in [
        ("10.9.0.1:7", "10.8.0.1:5000"),
        ("198.51.100.1:7", "192.0.2.1:5000"),
        ("198.51.100.2:7", "10.8.0.1:5000"),
    ] {
        assert_eq!(hears(&mut world, (a, socket), to, b), [from], "{to}");
    }
    world.verb(a, |talker, _| talker.send_from(socket, "192.0.2.1", "10.9.0.1:7", b"x"));
    let told = told(&mut world, b, 1.0);
    assert!(
        matches!(&told[..], [Told::Heard { remote, .. }] if remote.to_string() == "192.0.2.1:5000")
    );
}

#[test]
fn no_way_and_no_hops_left_come_back() {
    let (mut world, a, _) = pair(Link::default());
    let socket = bind(&mut world, a, "0.0.0.0:0");
    told(&mut world, a, 1.0);
    for (to, icmp) in [
        ("203.0.113.9:7", Icmp::NetworkUnreachable),
        ("192.0.2.2:7", Icmp::PortUnreachable),
        ("127.0.0.1:7", Icmp::PortUnreachable),
    ] {
        world.verb(a, |talker, _| talker.send(socket, to, b"x"));
        assert_eq!(told(&mut world, a, 1.0), [Told::Unreachable(to.parse().unwrap(), icmp)]);
    }
    // Two routers that send a packet back and forth.
    let mut world = World::new(1);
    let a = world.host("a", Talker::new(), &["192.0.2.1/24"]);
    let (left, right) = (world.router("left"), world.router("right"));
    world.link(a, left, Link::default());
    world.link(left.port("to right"), right.port("to left"), Link::default());
    world.route("0.0.0.0/0", left.port("to right"));
    world.route("0.0.0.0/0", right.port("to left"));
    world.start();
    let socket = bind(&mut world, a, "0.0.0.0:0");
    told(&mut world, a, 1.0);
    world.verb(a, |talker, _| talker.send(socket, "203.0.113.9:7", b"x"));
    let expected = Told::Unreachable("203.0.113.9:7".parse().unwrap(), Icmp::TimeExceeded);
    assert_eq!(told(&mut world, a, 1.0), [expected]);
}

#[test]
fn binds_fail_as_real_ones_do() {
    let (mut world, a, _) = pair(Link::default());
    told(&mut world, a, 1.0);
    let mut try_bind = |listen: bool, local: &str| {
        let id = world.verb(
            a,
            |talker, _| {
                if listen { talker.listen(local) } else { talker.bind(local) }
            },
        );
        match told(&mut world, a, 1.0).pop() {
            Some(Told::Bound(bound, _)) if bound == id => Ok(()),
            Some(Told::Failed(failed, kind)) if failed == id => Err(kind),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(try_bind(false, "192.0.2.1:5060"), Ok(()));
    assert_eq!(try_bind(false, "192.0.2.1:5060"), Err(FailKind::AddressInUse));
    assert_eq!(try_bind(false, "0.0.0.0:5060"), Err(FailKind::AddressInUse));
    assert_eq!(try_bind(false, "127.0.0.1:5060"), Ok(()));
    assert_eq!(try_bind(false, "[::]:5060"), Ok(()));
    assert_eq!(try_bind(true, "0.0.0.0:5060"), Ok(()));
    assert_eq!(try_bind(true, "192.0.2.1:5060"), Err(FailKind::AddressInUse));
    assert_eq!(try_bind(false, "192.0.2.9:5061"), Err(FailKind::AddressNotAvailable));
}

#[test]
fn an_address_that_goes_takes_its_traffic_along() {
    let (mut world, a, b) = pair(Link::default());
    let socket = bind(&mut world, a, "192.0.2.1:5000");
    bind(&mut world, b, "0.0.0.0:7");
    told(&mut world, a, 1.0);
    world.set_addresses(a.port("eth0"), &["192.0.2.77/24"]);
    assert_eq!(told(&mut world, a, 1.0), [Told::Interfaces(2)]);
    world.verb(a, |talker, _| talker.send(socket, "192.0.2.2:7", b"x"));
    let gone = Told::Unreachable("192.0.2.2:7".parse().unwrap(), Icmp::NetworkUnreachable);
    assert_eq!(told(&mut world, a, 1.0), [gone]);
    let again = bind(&mut world, a, "0.0.0.0:5001");
    assert_eq!(hears(&mut world, (a, again), "192.0.2.2:7", b), ["192.0.2.77:5001"]);
}

#[test]
fn names_resolve_after_a_while() {
    let (mut world, a, _) = pair(Link::default());
    world.dns().address("Core.Example", [192, 0, 2, 2]).service(
        "_sip._udp.x",
        "core.example",
        5060,
    );
    world.dns().fail("broken.example", ResolveError::Failed);
    told(&mut world, a, 1.0);
    for (name, records) in [
        ("core.example", 1),
        ("192.0.2.7", 1),
        ("_sip._udp.x", 0),
        ("nobody", 0),
        ("broken.example", 0),
    ] {
        world.verb(a, |talker, _| talker.resolve(name));
        assert_eq!(told(&mut world, a, 0.019), []);
        assert_eq!(told(&mut world, a, 0.001), [Told::Resolved(records)], "{name}");
    }
    // A look-up that was closed is not answered.
    world.verb(a, |talker, _| {
        let id = talker.resolve("core.example");
        talker.close(id);
    });
    assert_eq!(told(&mut world, a, 1.0), []);
}
