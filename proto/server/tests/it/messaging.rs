//! XMPP as a part of the core: the core's accounts log in, and what happens is the core's events.

use machine::{Entropy, Ids, Transport};
use netsim::{NodeId, Preset};
use wayleave_server::{self as server, BareJid, Cause, Question, Subscription};
use xmpp::client::{Client, Config, Event};
use xmpp::server::Refusal;

use crate::lab::{CORE, Lab, Node, SEC, Said};

impl Lab {
    /// A client that connects to the core; `n` tells clients apart.
    fn chatter(&mut self, n: u8, user: &str, password: &str, direct_tls: bool) -> NodeId {
        let jid = format!("{user}@example.org").parse().unwrap();
        let port = if direct_tls { 5223 } else { 5222 };
        let config = Config {
            server: Some((CORE.to_owned(), port)),
            direct_tls: Some(direct_tls),
            reconnect: false,
            ..Config::new(jid, password)
        };
        let client = Client::new(config, Ids::new(9), &Entropy::seeded(u64::from(n)));
        let name = format!("{user}{n}");
        let host = self.join(n, &name, Node::Chatter(client), Preset::Open);
        self.with_chatter(host, |client, now| client.connect(now));
        self.run(SEC * 2);
        host
    }

    fn with_chatter<R>(
        &mut self,
        host: NodeId,
        mut verb: impl FnMut(&mut Client, machine::Now) -> R,
    ) -> R {
        self.world.verb(host, |node, now| match node {
            Node::Chatter(client) => verb(client, now),
            _ => panic!("no client of XMPP"),
        })
    }

    fn is_online(&mut self, host: NodeId) -> bool {
        self.with_chatter(host, |client, _| client.is_online())
    }

    fn heard(&self, host: NodeId, wanted: impl Fn(&Event) -> bool) -> bool {
        self.said
            .iter()
            .any(|(at, said)| *at == host && matches!(said, Said::Chatter(event) if wanted(event)))
    }
}

#[test]
fn accounts_log_in_over_both_ports_and_write_to_each_other() {
    let mut lab = Lab::new(1);
    let alice = lab.chatter(1, "alice", "alice's secret", false);
    let bob = lab.chatter(2, "bob", "bob's secret", true);
    assert!(lab.is_online(alice) && lab.is_online(bob), "{:?}", lab.said);
    let asked = |address: &str| Question::ScramCredentials { address: address.to_owned() };
    assert!(lab.asked.contains(&asked("alice@example.org")), "{:?}", lab.asked);
    let to = "bob@example.org".parse().unwrap();
    lab.with_chatter(alice, |client, now| client.send_message(now, &to, "hello").unwrap());
    lab.run(SEC);
    assert!(lab.heard(bob, |e| matches!(e, Event::Message { body, .. } if body == "hello")));

    let stats = lab.server().stats().xmpp;
    assert_eq!((stats.connections, stats.sessions, stats.sessions_started), (2, 2, 2));
    lab.with_chatter(alice, |client, now| client.stop(now));
    lab.run(SEC);
    let told: Vec<_> = lab.core_said().into_iter().filter_map(session).collect();
    assert_eq!(
        told,
        [
            ("alice@example.org".to_owned(), Some(Transport::Tcp), None),
            ("bob@example.org".to_owned(), Some(Transport::Tls), None),
            ("alice@example.org".to_owned(), None, Some(Cause::Client)),
        ]
    );
    lab.assert_replays();
}

/// Whose session began, over what, or ended, and why.
fn session(event: server::Event) -> Option<(String, Option<Transport>, Option<Cause>)> {
    let bare = |jid: &str| jid.split_once('/').unwrap().0.to_owned();
    match event {
        server::Event::SessionStarted { jid, transport, .. } => {
            Some((bare(&jid), Some(transport), None))
        }
        server::Event::SessionEnded { jid, cause, .. } => Some((bare(&jid), None, Some(cause))),
        _ => None,
    }
}

#[test]
fn strangers_are_refused_and_the_others_are_served() {
    let mut lab = Lab::new(1);
    let wrong = lab.chatter(1, "alice", "not alice's secret", false);
    let unknown = lab.chatter(2, "mallory", "whatever", false);
    assert!(!lab.is_online(wrong) && !lab.is_online(unknown));
    assert_eq!(lab.server().stats().xmpp.refused(Refusal::Credentials), 2);
    lab.assert_serves();
}

#[test]
fn a_store_that_does_not_answer_lets_nobody_in() {
    let mut lab = Lab::new(1);
    lab.store_tells = false;
    let alice = lab.chatter(1, "alice", "alice's secret", false);
    assert!(!lab.is_online(alice));
    let stats = lab.server().stats().xmpp;
    assert_eq!((stats.refused(Refusal::Credentials), stats.waiting), (0, 0));
}

#[test]
fn rosters_are_asked_for_and_kept_by_address() {
    let mut lab = Lab::new(1);
    let (alice, bob) = (
        lab.chatter(1, "alice", "alice's secret", false),
        lab.chatter(2, "bob", "bob's secret", false),
    );
    let jid = |text: &str| -> BareJid { text.parse().unwrap() };
    lab.with_chatter(alice, |client, now| client.subscribe(now, &jid("bob@example.org")).unwrap());
    lab.run(SEC);
    lab.with_chatter(bob, |client, now| client.approve(now, &jid("alice@example.org")).unwrap());
    lab.run(SEC);
    let kept: Vec<_> = lab.memory.roster("alice").map(|item| item.subscription).collect();
    assert_eq!(kept, [Subscription::To]);
    let kept: Vec<_> = lab.memory.roster("bob").map(|item| item.subscription).collect();
    assert_eq!(kept, [Subscription::From]);
}

#[test]
fn an_account_that_is_gone_is_logged_out() {
    let mut lab = Lab::new(1);
    let alice = lab.chatter(1, "alice", "alice's secret", false);
    let bob = lab.chatter(2, "bob", "bob's secret", false);
    for address in ["alice@example.net", "alice@example.org", "alice", "@"] {
        lab.core_verb(|core, now| core.disconnect(now, address));
    }
    lab.run(SEC);
    assert!(!lab.is_online(alice) && lab.is_online(bob));
    assert_eq!(lab.server().stats().xmpp.sessions, 1);
}

#[test]
fn a_core_that_drains_sends_everybody_away() {
    let mut lab = Lab::new(1);
    let alice = lab.chatter(1, "alice", "alice's secret", false);
    lab.core_verb(|core, now| core.drain(now));
    lab.run(SEC * 15);
    assert!(!lab.is_online(alice));
    let events = lab.core_said();
    let ended = |event: &server::Event| {
        matches!(event, server::Event::SessionEnded { cause: Cause::Shutdown, .. })
    };
    assert!(events.iter().any(ended), "{events:?}");
    assert_eq!(events.iter().filter(|event| **event == server::Event::Drained).count(), 1);
    let late = lab.chatter(2, "bob", "bob's secret", false);
    assert!(!lab.is_online(late));
}

#[test]
fn limits_are_reloaded() {
    let mut lab = Lab::new(1);
    let turn = server::Config::new("example.org", []).turn;
    let limits = xmpp::server::Limits { connections: 1, ..xmpp::server::Limits::default() };
    lab.core_verb(|core, _| core.reload(turn.clone(), limits.clone()));
    let alice = lab.chatter(1, "alice", "alice's secret", false);
    let bob = lab.chatter(2, "bob", "bob's secret", false);
    assert!(lab.is_online(alice) && !lab.is_online(bob));
    assert_eq!(lab.server().stats().xmpp.refused(Refusal::Connections), 1);
}
