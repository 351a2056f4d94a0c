//! The mapping tables of the talk ("How do NATs work"), slide by slide, with its addresses.
//!
//! The slides write the NAT's public address in two ways, 212.50.2.18 in the messages and
//! 212.50.4.18 in the picture. Here it is 212.50.4.18 throughout.

use machine::Id;
use netsim::{Link, NodeId, World};

use crate::talker::{Talker, bind, hears, told};

/// The picture of the slides: Alice behind the NAT, the server and Bob outside.
struct Picture {
    world: World<Talker>,
    alice: (NodeId, Id),
    server: (NodeId, Id),
    bob: NodeId,
    bob_80: Id,
    bob_9595: Id,
    nat: NodeId,
}

const SERVER: &str = "130.79.200.22:80";
const BOB: &str = "60.55.68.53:80";
const NAT_8632: &str = "212.50.4.18:8632";

impl Picture {
    fn new(nat: &str) -> Self {
        let mut world = World::new(1);
        let alice = world.host("alice", Talker::new(), &["192.168.0.12/24"]);
        let server = world.host("server", Talker::new(), &["130.79.200.22"]);
        let bob = world.host("bob", Talker::new(), &["60.55.68.53"]);
        let spec = nat.parse().unwrap();
        let nat = world.nat("nat", spec, &["192.168.0.254/24"], &["212.50.4.18"]);
        let internet = world.router("internet");
        world.link(alice, nat, Link::default());
        world.link(nat.outside(), internet, Link::default());
        world.link(server, internet, Link::default());
        world.link(bob, internet, Link::default());
        world.start();
        let alice_2368 = bind(&mut world, alice, "192.168.0.12:2368");
        let server_80 = bind(&mut world, server, SERVER);
        let bob_80 = bind(&mut world, bob, BOB);
        let bob_9595 = bind(&mut world, bob, "60.55.68.53:9595");
        told(&mut world, alice, 1.0);
        let (alice, server) = ((alice, alice_2368), (server, server_80));
        Self { world, alice, server, bob, bob_80, bob_9595, nat }
    }

    /// Alice's message reaches the server, from the NAT's port 8632, and the answer comes back.
    fn alice_and_server(&mut self) {
        let seen = hears(&mut self.world, self.alice, SERVER, self.server.0);
        assert_eq!(seen, [NAT_8632]);
        let heard = hears(&mut self.world, self.server, NAT_8632, self.alice.0);
        assert_eq!(heard, [SERVER]);
    }

    /// What Alice hears of Bob, sent from one of his sockets.
    fn bob_to_alice(&mut self, socket: Id, remote: &str) -> Vec<String> {
        hears(&mut self.world, (self.bob, socket), remote, self.alice.0)
    }

    /// The NAT's table: internal host:port, NAT port, active connections.
    fn table(&self) -> Vec<String> {
        let table = self.world.nat_table(self.nat);
        let row = |m: &netsim::Mapping| {
            let active: Vec<_> = m.remotes.iter().map(ToString::to_string).collect();
            format!("{} {} {}", m.inside, m.outside.port(), active.join(" "))
        };
        table.mappings.iter().map(row).collect()
    }
}

#[test]
fn endpoint_independent_mapping_endpoint_independent_filtering() {
    let mut picture = Picture::new("mapping=ei,filtering=ei,ports=list:8632");
    picture.alice_and_server();
    assert_eq!(picture.table(), ["192.168.0.12:2368 8632 130.79.200.22:80"]);
    // Bob, whom Alice never talked to, reaches her from any port.
    let from_9595 = picture.bob_to_alice(picture.bob_9595, NAT_8632);
    assert_eq!(from_9595, ["60.55.68.53:9595"]);
}

#[test]
fn endpoint_independent_mapping_endpoint_dependent_filtering() {
    for (filtering, from_9595) in [("ad", vec!["60.55.68.53:9595"]), ("apd", vec![])] {
        let mut picture =
            Picture::new(&format!("mapping=ei,filtering={filtering},ports=list:8632"));
        picture.alice_and_server();
        // STOP: Alice has not talked to Bob.
        assert!(picture.bob_to_alice(picture.bob_80, NAT_8632).is_empty());
        assert_eq!(picture.table(), ["192.168.0.12:2368 8632 130.79.200.22:80"]);
        // She does, through the same port, and he is an active connection.
        assert_eq!(hears(&mut picture.world, picture.alice, BOB, picture.bob), [NAT_8632]);
        assert_eq!(picture.table(), ["192.168.0.12:2368 8632 60.55.68.53:80 130.79.200.22:80"]);
        assert_eq!(picture.bob_to_alice(picture.bob_80, NAT_8632), [BOB]);
        // With "(and port)" in force, Bob's other port stays outside.
        assert_eq!(picture.bob_to_alice(picture.bob_9595, NAT_8632), from_9595);
    }
}

#[test]
fn endpoint_dependent_mapping_endpoint_dependent_filtering() {
    for dependence in ["ad", "apd"] {
        let mut picture = Picture::new(&format!(
            "mapping={dependence},filtering={dependence},ports=list:8632,9391"
        ));
        picture.alice_and_server();
        assert_eq!(picture.table(), ["192.168.0.12:2368 8632 130.79.200.22:80"]);
        // Bob sees another port than the server saw, so what the server told is of no use to him.
        let seen = hears(&mut picture.world, picture.alice, BOB, picture.bob);
        assert_eq!(seen, ["212.50.4.18:9391"]);
        assert_eq!(
            picture.table(),
            ["192.168.0.12:2368 8632 130.79.200.22:80", "192.168.0.12:2368 9391 60.55.68.53:80"]
        );
        assert!(picture.bob_to_alice(picture.bob_80, NAT_8632).is_empty());
        assert_eq!(picture.bob_to_alice(picture.bob_80, "212.50.4.18:9391"), [BOB]);
    }
}
