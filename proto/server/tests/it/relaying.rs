//! Relayed addresses: whose they are, whom they reach, what becomes of them.

use std::collections::BTreeMap;

use machine::{Endpoint, Transport};
use netsim::{NodeId, Preset};
use turn::client::{Cause, Event, Server};
use turn::server::Refusal;
use wayleave_server::{self as server, Config, Question, Release, user_hash};

use crate::lab::{CORE, Lab, Node, SEC, Said};
use crate::relay_client::RelayClient;

const SECRET: &str = "correct horse battery staple";

fn core() -> Config {
    Config::new("example.org", [CORE.parse().unwrap()])
}

fn lab_with(config: Config) -> Lab {
    Lab::with(1, config, BTreeMap::new())
}

fn over(transport: Transport) -> Server {
    let endpoint = format!("{CORE}:3478").parse().unwrap();
    Server { endpoint, transport, name: String::new() }
}

impl Lab {
    /// A client of the relay that has asked for an address. `n` tells clients apart.
    fn relay_client(&mut self, n: u8, transport: Transport, who: (&str, &str)) -> NodeId {
        let now = self.world.now();
        let client = RelayClient::new(now, u64::from(n), over(transport), who);
        let host = self.join(n, &format!("client{n}"), Node::Relayed(client), Preset::Open);
        self.run(SEC);
        host
    }

    fn alice(&mut self, n: u8) -> NodeId {
        self.relay_client(n, Transport::Udp, ("alice", "alice's secret"))
    }

    fn with_client<R>(
        &mut self,
        host: NodeId,
        mut verb: impl FnMut(&mut RelayClient, machine::Now) -> R,
    ) -> R {
        self.world.verb(host, |node, now| match node {
            Node::Relayed(client) => verb(client, now),
            _ => panic!("no client of the relay"),
        })
    }

    fn relayed(&mut self, host: NodeId) -> Option<Endpoint> {
        self.with_client(host, |client, _| client.client.allocation().map(|a| a.relayed[0]))
    }

    /// Why a client got no address.
    fn failure(&mut self, host: NodeId) -> Option<Cause> {
        self.said.iter().find_map(|(at, said)| match said {
            Said::Relayed(event) if *at == host => match &**event {
                Event::Failed(failure) | Event::Waiting { failure, .. } => {
                    Some(failure.cause.clone())
                }
                _ => None,
            },
            _ => None,
        })
    }

    pub(crate) fn core_verb(&mut self, mut verb: impl FnMut(&mut server::Server, machine::Now)) {
        self.world.verb(self.core, |node, now| match node {
            Node::Core(core) => verb(core.get_mut(), now),
            _ => panic!("not the core"),
        });
    }

    /// One client sends to another's relayed address, which lets it in.
    fn assert_relays(&mut self, from: NodeId, to: NodeId) {
        let (from_ip, target) = (self.relayed(from).unwrap().ip(), self.relayed(to).unwrap());
        self.with_client(to, |to, now| to.client.permit(now, from_ip).unwrap());
        self.with_client(from, |from, now| from.client.permit(now, target.ip()).unwrap());
        self.run(SEC);
        self.with_client(from, |from, now| from.client.send(now, target, b"hello").unwrap());
        self.run(SEC);
        let got = self.with_client(to, |to, _| to.received.pop_front());
        assert_eq!(got.as_deref(), Some(&b"hello"[..]));
    }
}

#[test]
fn accounts_are_good_by_both_names_over_every_transport() {
    let mut lab = lab_with(core());
    let mut hosts = Vec::new();
    for (n, (user, transport)) in [
        ("alice", Transport::Udp),
        ("alice@example.org", Transport::Udp),
        ("bob", Transport::Tcp),
        ("bob@example.org", Transport::Tcp),
    ]
    .into_iter()
    .enumerate()
    {
        let password = format!("{}'s secret", user.split('@').next().unwrap());
        let host = lab.relay_client(n as u8 + 1, transport, (user, &password));
        assert!(lab.relayed(host).is_some(), "{user} {transport:?}: {:?}", lab.failure(host));
        hosts.push(host);
    }
    lab.assert_relays(hosts[0], hosts[3]);
    lab.assert_relays(hosts[2], hosts[1]);
    let stats = lab.server().stats().turn;
    assert_eq!((stats.allocations, stats.allocated_over_streams), (4, 2));
    lab.assert_serves();
    lab.assert_replays();
}

#[test]
fn both_names_are_one_account() {
    let mut config = core();
    config.turn.limits.allocations_per_user = 1;
    let mut lab = lab_with(config);
    let first = lab.alice(1);
    assert!(lab.relayed(first).is_some());
    let second = lab.relay_client(2, Transport::Udp, ("alice@example.org", "alice's secret"));
    assert_eq!(lab.relayed(second), None);
    assert_eq!(lab.failure(second).and_then(|cause| cause.code()), Some(486));
    assert_eq!(lab.server().stats().turn.refused(Refusal::Quota), 1);
}

#[test]
fn who_hides_its_name_is_found() {
    let mut lab = lab_with(core());
    let alice = lab.alice(1);
    assert!(lab.relayed(alice).is_some());
    let hash = user_hash("alice", "example.org");
    let hidden = Question::HashedCredentials { hash, realm: "example.org".to_owned() };
    assert!(lab.asked.contains(&hidden), "{:?}", lab.asked);
}

#[test]
fn strangers_get_nothing() {
    let mut lab = lab_with(core());
    for (n, who) in [(1, ("alice", "bob's secret")), (2, ("nobody", "nobody's secret"))] {
        let host = lab.relay_client(n, Transport::Udp, who);
        assert_eq!(lab.relayed(host), None);
        assert!(matches!(lab.failure(host), Some(Cause::Credentials(_))), "{who:?}");
    }
    assert_eq!(lab.server().stats().turn.refused(Refusal::Credentials), 2);
}

#[test]
fn a_store_that_fails_is_no_wrong_password() {
    let mut lab = lab_with(core());
    lab.store_tells = false;
    let alice = lab.alice(1);
    assert_eq!(lab.relayed(alice), None);
    lab.store_tells = true;
    lab.run(SEC * 60);
    assert!(lab.relayed(alice).is_some(), "it tries again: {:?}", lab.failure(alice));
}

/// The credential of a user name by the TURN REST convention.
fn credential(user: &str) -> String {
    let key = [SECRET.as_bytes()];
    let mac = crypto::hmac_sha1(key[0], &[user.as_bytes()]);
    base64(&mac)
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            let at = (bits >> (18 - 6 * digit)) & 63;
            let padding = digit > chunk.len();
            text.push(if padding { '=' } else { DIGITS[at as usize].into() });
        }
    }
    text
}

#[test]
fn a_shared_secret_makes_credentials_and_can_be_replaced() {
    let mut config = core();
    config.turn.secrets = vec![crypto::Secret::new(SECRET)];
    let mut lab = lab_with(config.clone());
    let good = lab.world.now().unix_secs() + 3600;
    let (alice, stale) = (format!("{good}:alice"), "1000:alice".to_owned());
    let host = lab.relay_client(1, Transport::Udp, (&alice, &credential(&alice)));
    assert!(lab.relayed(host).is_some(), "{:?}", lab.failure(host));
    let late = lab.relay_client(2, Transport::Udp, (&stale, &credential(&stale)));
    assert_eq!(lab.relayed(late), None, "its time is over");

    config.turn.secrets = vec![crypto::Secret::new("another")];
    lab.core_verb(|core, _| core.reload(config.turn.clone(), config.xmpp.limits.clone()));
    let host = lab.relay_client(3, Transport::Udp, (&alice, &credential(&alice)));
    assert_eq!(lab.relayed(host), None, "the secret is another now");
    assert_eq!(lab.server().stats().turn.allocations, 1, "who is there stays");
}

#[test]
fn peers_are_allowed_by_a_reload() {
    let mut lab = lab_with(core());
    let alice = lab.alice(1);
    let private = "10.0.0.1".parse().unwrap();
    let refused = |lab: &Lab| {
        let refused = |said: &Said| {
            matches!(said, Said::Relayed(event)
                if matches!(**event, Event::PeerRefused { peer, .. } if peer.ip() == private))
        };
        lab.said.iter().any(|(_, said)| refused(said))
    };
    lab.with_client(alice, |alice, now| alice.client.permit(now, private).unwrap());
    lab.run(SEC);
    assert!(refused(&lab));
    assert_eq!(lab.server().stats().turn.refused(Refusal::PeerForbidden), 1);
    lab.said.clear();
    let mut turn = core().turn;
    turn.allow_peers = vec!["10.0.0.0/8".parse().unwrap()];
    lab.core_verb(|core, _| core.reload(turn.clone(), xmpp::server::Limits::default()));
    lab.with_client(alice, |alice, now| alice.client.permit(now, private).unwrap());
    lab.run(SEC);
    assert!(!refused(&lab));
    assert_eq!(lab.server().stats().turn.refused(Refusal::PeerForbidden), 1);
}

#[test]
fn relayed_addresses_are_those_that_the_world_sees() {
    let outside = "203.0.113.200".parse().unwrap();
    let mut config = core();
    config.turn.relays[0].external = outside;
    config.external.insert(CORE.parse().unwrap(), outside);
    let mut lab = lab_with(config);
    let (alice, bob) = (lab.alice(1), lab.alice(2));
    assert_eq!(lab.relayed(alice).map(|at| at.ip()), Some(outside));
    lab.assert_relays(alice, bob);
}

#[test]
fn a_core_that_drains_takes_no_new_clients_and_says_when_the_last_has_gone() {
    let mut lab = lab_with(core());
    let alice = lab.alice(1);
    lab.core_verb(|core, now| core.drain(now));
    let late = lab.alice(2);
    assert_eq!(lab.relayed(late), None);
    assert_eq!(lab.failure(late).and_then(|cause| cause.code()), Some(508));
    lab.run(SEC * 700);
    assert!(lab.relayed(alice).is_some(), "who is there goes on");
    let events = lab.core_said();
    assert!(!events.contains(&server::Event::Drained));
    lab.with_client(alice, |alice, now| alice.client.close(now));
    lab.run(SEC);
    let events = lab.core_said();
    assert!(events.contains(&server::Event::Drained), "{events:?}");
    let released = |event: &server::Event| {
        matches!(event, server::Event::Released { user, cause: Release::Client, .. }
            if user == "alice@example.org")
    };
    assert!(events.iter().any(released), "{events:?}");
}

#[test]
fn a_train_is_looked_at_one_by_one() {
    let mut lab = lab_with(core());
    let id = stun::TransactionId::random(&mut machine::Entropy::seeded(1));
    let binding = stun::Builder::request(stun::Method::BINDING, id).finish();
    let options = "OPTIONS sip:example.org SIP/2.0\r\n\
                   Via: SIP/2.0/UDP 192.0.2.66:5090;branch=z9hG4bKtrain\r\nMax-Forwards: 70\r\n\
                   From: <sip:x@example.net>;tag=1\r\nTo: <sip:example.org>\r\nCall-ID: train\r\n\
                   CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
    // The datagrams of a train are of one length, but for the last.
    let mut train = options.as_bytes().to_vec();
    train.extend_from_slice(&binding);
    let (before, core) = (lab.server().stats(), lab.core);
    lab.world.verb(core, |node, now| {
        let Node::Core(core) = node else { panic!("not the core") };
        let socket = machine::Ids::new(1).next_id();
        let input = machine::Input::Datagram {
            socket,
            local: format!("{CORE}:5060").parse().unwrap(),
            remote: "192.0.2.66:5090".parse().unwrap(),
            ecn: None,
            segment_size: Some(options.len()),
            bytes: &train,
        };
        machine::Machine::handle_input(core, now, input);
    });
    let after = lab.server().stats();
    assert_eq!(after.stun_answered - before.stun_answered, 1);
    assert_eq!(after.sip.received - before.sip.received, 1);
    assert_eq!(after.sip.malformed, before.sip.malformed);
}
