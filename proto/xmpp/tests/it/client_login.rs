//! From nothing to being online, and everything that can stand in the way.

use std::time::Duration;

use machine::{CloseReason, FailKind, Input, Interface, RecordData, ResolveError};
use xmpp::client::{Client, Config, Error, Event, defaults};
use xmpp::sasl::{Mechanism, Policy, choice};
use xmpp::stream::client::Failure;
use xmpp::{Stanza, ns};

use crate::client_rig::{DOMAIN, ME, Rig, SERVER, config};

/// Up to the handshake.
fn handshaking(config: Config) -> Rig {
    let mut rig = Rig::new(config);
    rig.verb(Client::connect);
    rig.resolve_plainly();
    rig.connect();
    rig.start_tls();
    rig
}

/// Up to SASL.
fn secured(config: Config) -> Rig {
    let mut rig = handshaking(config);
    rig.secure();
    rig
}

#[test]
fn by_services_and_starttls() {
    let mut rig = Rig::new(config());
    rig.verb(Client::connect);
    rig.resolve(|name| match name {
        "_xmpp-client._tcp.example.org" => {
            let target = "xmpp.example.net".to_owned();
            Ok(vec![RecordData::Srv { priority: 0, weight: 0, port: 5222, target }])
        }
        "xmpp.example.net" => Ok(vec![RecordData::Address("192.0.2.1".parse().unwrap())]),
        _ => Err(ResolveError::NoSuchName),
    });
    rig.connect();
    rig.start_tls();
    // The certificate has to be for the domain, not for what DNS made of it.
    assert_eq!(rig.handshakes[0].1, DOMAIN);
    assert!(rig.handshakes[0].2.is_empty());
    rig.secure();
    rig.offer_mechanisms(&["PLAIN", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "X-UNKNOWN"]);
    assert_eq!(rig.authenticate("secret"), Mechanism::SCRAM_SHA_1_PLUS);
    rig.bind();
    let Event::Online(online) = rig.event() else { panic!("not online") };
    assert_eq!((online.jid.as_str(), online.server), (ME, SERVER.parse().unwrap()));
    assert!(online.secured && !online.direct_tls && online.channel_bound);
    assert_eq!(online.local, "10.0.0.1:50000".parse().unwrap());
    rig.give_roster("");
    assert!(rig.client.get().is_online());
}

#[test]
fn by_direct_tls() {
    let mut config = config();
    config.server = Some(("192.0.2.1".to_owned(), 5223));
    let mut rig = Rig::new(config);
    rig.verb(Client::connect);
    let (conn, remote) = rig.connects.pop_front().unwrap();
    assert_eq!(remote, "192.0.2.1:5223".parse().unwrap());
    rig.connect_to(conn, remote);
    assert_eq!(rig.handshakes[0].2, [b"xmpp-client".to_vec()]);
    rig.secure();
    rig.offer_mechanisms(&["SCRAM-SHA-256", "PLAIN"]);
    assert_eq!(rig.authenticate("secret"), Mechanism::SCRAM_SHA_256);
    rig.bind();
    let Event::Online(online) = rig.event() else { panic!("not online") };
    assert!(online.secured && online.direct_tls && !online.channel_bound);
}

#[test]
fn a_wrong_password_is_final() {
    for mechanism in ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1", "PLAIN"] {
        let mut rig = secured(config());
        rig.offer_mechanisms(&[mechanism]);
        rig.authenticate("another");
        let (error, retry) = rig.offline();
        assert!(error.is_unauthorized() && error.is_final(), "{error}");
        assert_eq!(retry, None);
        // Nothing more is tried by itself; the owner may.
        rig.pass(Duration::from_secs(3600));
        assert!(rig.connects.is_empty() && rig.lookups.is_empty() && rig.conn.is_none());
        rig.verb(Client::connect);
        assert!(!rig.lookups.is_empty());
    }
}

#[test]
fn a_failure_that_may_pass_is_tried_again() {
    let mut rig = secured(config());
    rig.offer_mechanisms(&["PLAIN"]);
    rig.sent_one();
    let failure =
        "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><temporary-auth-failure/></failure>";
    rig.say(failure);
    let (error, retry) = rig.offline();
    assert!(!error.is_final() && !error.is_unauthorized());
    rig.pass(retry.unwrap());
    assert!(!rig.lookups.is_empty());
}

#[test]
fn a_refused_certificate_says_whose_and_why() {
    let mut rig = handshaking(config());
    let (id, ..) = rig.handshakes.pop_front().unwrap();
    rig.conn = None;
    rig.input(Input::Failed { id, kind: FailKind::Certificate("it has expired".to_owned()) });
    let (error, retry) = rig.offline();
    let server = SERVER.parse().unwrap();
    let (domain, why) = (DOMAIN.to_owned(), "it has expired".to_owned());
    let text = "the certificate of 192.0.2.1:5222 was refused for example.org: it has expired";
    assert_eq!(error.to_string(), text);
    assert_eq!((error, retry), (Error::Certificate { domain, server, why }, None));
}

#[test]
fn a_server_without_tls_is_refused() {
    let start = |require_tls| {
        let mut config = config();
        config.require_tls = require_tls;
        let mut rig = Rig::new(config);
        rig.verb(Client::connect);
        rig.resolve_plainly();
        rig.connect();
        rig.offer_mechanisms(&["SCRAM-SHA-256", "PLAIN"]);
        rig
    };
    let mut rig = start(true);
    // Nothing was said of the password.
    assert!(rig.sent().iter().all(|sent| !sent.is("auth", ns::SASL)));
    assert_eq!(rig.offline(), (Error::Stream(Failure::NoTls), None));
    // Unless told otherwise; and the password itself is not sent then either.
    let mut rig = start(false);
    assert_eq!(rig.authenticate("secret"), Mechanism::SCRAM_SHA_256);
    rig.bind();
    let Event::Online(online) = rig.event() else { panic!("not online") };
    assert!(!online.secured);
    let mut config = config();
    config.require_tls = false;
    let mut rig = Rig::new(config);
    rig.verb(Client::connect);
    rig.resolve_plainly();
    rig.connect();
    rig.offer_mechanisms(&["PLAIN"]);
    assert!(rig.sent().iter().all(|sent| !sent.is("auth", ns::SASL)));
    let refused = Error::Stream(Failure::NoMechanism(choice::Error::PlainInClear));
    assert_eq!(rig.offline().0, refused);
}

#[test]
fn plaintext_after_proceed_is_nobodys_word() {
    let mut rig = Rig::new(config());
    rig.verb(Client::connect);
    rig.resolve_plainly();
    rig.connect();
    rig.offer("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    rig.sent_one();
    rig.say("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><presence/>");
    assert!(matches!(rig.offline().0, Error::Stream(Failure::Protocol(_))));
}

#[test]
fn a_downgrade_is_refused() {
    let mut rig = Rig::new(config());
    rig.come_online("");
    rig.close(CloseReason::Reset);
    let (error, retry) = rig.offline();
    assert_eq!(error, Error::Lost(CloseReason::Reset));
    rig.pass(retry.unwrap());
    rig.resolve_plainly();
    rig.connect();
    rig.start_tls();
    rig.secure();
    rig.offer_mechanisms(&["SCRAM-SHA-256", "PLAIN"]);
    assert!(rig.sent().iter().all(|sent| !sent.is("auth", ns::SASL)));
    let downgrade = choice::Error::Downgrade {
        offered: Mechanism::SCRAM_SHA_256,
        before: Mechanism::SCRAM_SHA_256_PLUS,
    };
    assert_eq!(rig.offline(), (Error::Stream(Failure::NoMechanism(downgrade)), None));
    // What the owner remembers counts from the start.
    let mut config = config();
    config.policy = Policy { at_least: Some(Mechanism::SCRAM_SHA_1), ..config.policy };
    let mut rig = secured(config);
    rig.offer_mechanisms(&["PLAIN"]);
    assert!(matches!(rig.offline().0, Error::Stream(Failure::NoMechanism(_))));
}

#[test]
fn a_server_that_does_not_prove_itself() {
    let mut rig = secured(config());
    rig.offer_mechanisms(&["SCRAM-SHA-1"]);
    rig.sent_one();
    rig.say("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
    let (error, retry) = rig.offline();
    assert!(matches!(error, Error::Stream(Failure::ServerNotProven(_))), "{error}");
    assert_eq!(retry, None);
}

#[test]
fn one_address_after_the_other() {
    let mut rig = Rig::new(config());
    rig.verb(Client::connect);
    rig.resolve(|name| match name {
        DOMAIN => Ok(["2001:db8::1", "192.0.2.1"]
            .map(|ip| RecordData::Address(ip.parse().unwrap()))
            .to_vec()),
        _ => Err(ResolveError::NoRecords),
    });
    rig.fail(FailKind::Unreachable);
    rig.connect();
    rig.log_in();
}

#[test]
fn an_address_that_says_nothing() {
    let mut rig = Rig::new(config());
    rig.verb(Client::connect);
    rig.resolve_plainly();
    let (id, server) = rig.connects.pop_front().unwrap();
    rig.pass(defaults::CONNECT);
    assert_eq!(rig.closed, [id]);
    let cause = FailKind::TimedOut;
    assert_eq!(rig.offline().0, Error::Unreachable { server, cause });
    // Direct TLS that says nothing.
    let mut config = config();
    config.server = Some(("192.0.2.1".to_owned(), 5223));
    let mut rig = Rig::new(config);
    rig.verb(Client::connect);
    let (conn, remote) = rig.connects.pop_front().unwrap();
    rig.connect_to(conn, remote);
    rig.pass(defaults::CONNECT);
    assert!(matches!(rig.offline().0, Error::Tls { .. }));
    // A stream that says nothing.
    let mut rig = Rig::new(self::config());
    rig.verb(Client::connect);
    rig.resolve_plainly();
    rig.connect();
    rig.pass(Duration::from_secs(300));
    assert!(matches!(rig.offline().0, Error::Stream(Failure::TimedOut)));
}

#[test]
fn no_server_and_no_dns() {
    let mut rig = Rig::new(config());
    rig.verb(Client::connect);
    rig.resolve(|_| Err(ResolveError::NoSuchName));
    let (domain, cause) = (DOMAIN.to_owned(), ResolveError::NoSuchName);
    let (error, retry) = rig.offline();
    assert_eq!(error, Error::NotFound { domain, cause });
    rig.pass(retry.unwrap());
    // No answer at all.
    let asked = rig.lookups.len();
    assert!(asked > 0);
    rig.pass(defaults::LOOKUP);
    assert_eq!(rig.closed.len(), asked);
    assert!(matches!(rig.offline().0, Error::NotFound { cause: ResolveError::TimedOut, .. }));
}

#[test]
fn reconnects_with_longer_and_longer_pauses() {
    let mut rig = Rig::new(config());
    rig.come_online("<item jid='bob@example.org' subscription='both'/>");
    let contacts = |rig: &Rig| rig.client.get().roster().count();
    rig.close(CloseReason::Peer);
    let mut pauses = Vec::new();
    for _ in 0..12 {
        let (_, retry) = rig.offline();
        pauses.push(retry.unwrap());
        assert_eq!(contacts(&rig), 1);
        rig.pass(retry.unwrap());
        rig.resolve_plainly();
        rig.fail(FailKind::Refused);
    }
    assert!(pauses[0] <= defaults::BACKOFF_FIRST);
    assert!(pauses.iter().all(|pause| *pause <= defaults::BACKOFF_MAX));
    assert!(pauses[11] >= defaults::BACKOFF_MAX / 2);
    let (_, retry) = rig.offline();
    rig.pass(retry.unwrap());
    rig.resolve_plainly();
    rig.connect();
    rig.log_in();
    rig.give_roster("");
    assert_eq!(contacts(&rig), 0);
    assert_eq!(rig.client.get().stats().logins, 2);
}

#[test]
fn does_not_come_back_where_it_is_not_to() {
    let mut config = config();
    config.reconnect = false;
    let mut rig = Rig::new(config);
    rig.come_online("");
    rig.close(CloseReason::Reset);
    assert_eq!(rig.offline().1, None);
    // Who was replaced by another client of the same account does not replace it in turn.
    let mut rig = Rig::new(self::config());
    rig.come_online("");
    rig.say(
        "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>\
         </stream:stream>",
    );
    assert_eq!(rig.offline().1, None);
    // Who was thrown out by a restart does come back.
    let mut rig = Rig::new(self::config());
    rig.come_online("");
    rig.say(
        "<stream:error><system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
         </stream:error></stream:stream>",
    );
    assert!(rig.offline().1.is_some());
}

#[test]
fn a_silent_server_is_asked_and_then_left() {
    let mut config = config();
    config.keepalive = Duration::from_secs(60);
    let mut rig = Rig::new(config);
    rig.come_online("");
    rig.pass(Duration::from_secs(59));
    assert_eq!(rig.sent(), []);
    rig.pass(Duration::from_secs(1));
    let ping = rig.sent_stanza();
    assert!(ping.payload("ping", ns::PING).is_some());
    // Anything is an answer.
    rig.say(" ");
    rig.pass(Duration::from_secs(59));
    assert_eq!((rig.sent(), rig.events.len()), (vec![], 0));
    rig.pass(Duration::from_secs(1));
    let ping = rig.sent_stanza();
    rig.say(&format!("<iq from='{DOMAIN}' type='result' id='{}'/>", ping.id().unwrap()));
    rig.pass(Duration::from_secs(60));
    rig.sent_one();
    rig.pass(defaults::PING);
    let (error, retry) = rig.offline();
    assert_eq!(error, Error::Silent);
    assert!(retry.is_some() && rig.conn.is_none());
}

#[test]
fn stops_in_order() {
    let mut rig = Rig::new(config());
    rig.come_online("");
    let request = rig.verb(|client, now| client.request(now, None, ping(), false)).unwrap();
    rig.sent_one();
    rig.verb(Client::stop);
    let sent = rig.sent();
    let leave = Stanza::parse(sent[0].clone()).unwrap();
    assert_eq!((leave.type_(), sent.len()), (Some("unavailable"), 2));
    assert!(sent[1].is("closed", ns::STREAMS) && rig.conn.is_some());
    assert!(!rig.client.get().is_online());
    rig.say("</stream:stream>");
    assert!(rig.conn.is_none());
    let Event::Response { request: answered, result: Err(_) } = rig.event() else { panic!() };
    assert_eq!((answered, rig.event()), (request, Event::Stopped));
    // A server that does not close its side.
    let mut rig = Rig::new(config());
    rig.come_online("");
    rig.verb(Client::stop);
    rig.pass(defaults::STOP);
    assert_eq!((rig.event(), rig.conn), (Event::Stopped, None));
    rig.pass(Duration::from_secs(3600));
    assert!(rig.events.is_empty() && rig.connects.is_empty() && rig.lookups.is_empty());
}

#[test]
fn stops_at_every_step() {
    let stopped = |mut rig: Rig| {
        rig.verb(Client::stop);
        assert_eq!(rig.event(), Event::Stopped);
        rig.pass(Duration::from_secs(3600));
        assert!(rig.events.is_empty() && rig.lookups.is_empty() && rig.connects.is_empty());
    };
    stopped(Rig::new(config()));
    let mut rig = Rig::new(config());
    rig.verb(Client::connect);
    let asked = rig.lookups.len();
    rig.lookups.clear();
    rig.verb(Client::stop);
    assert_eq!(rig.closed.len(), asked);
    assert_eq!(rig.event(), Event::Stopped);
    stopped(handshaking(config()));
    stopped(secured(config()));
    let mut rig = Rig::new(config());
    rig.come_online("");
    rig.close(CloseReason::Reset);
    rig.offline();
    stopped(rig);
}

#[test]
fn an_address_that_is_gone() {
    let interface = |ip: &str| Interface {
        index: 2,
        name: "eth0".to_owned(),
        kind: machine::InterfaceKind::Physical,
        addresses: vec![machine::InterfaceAddress {
            ip: ip.parse().unwrap(),
            prefix_len: 24,
            temporary: false,
            deprecated: false,
        }],
        routers: Vec::new(),
    };
    let mut rig = Rig::new(config());
    rig.come_online("");
    rig.input(Input::Interfaces(vec![interface("10.0.0.1")]));
    assert!(rig.events.is_empty());
    rig.input(Input::Interfaces(vec![interface("10.7.7.7")]));
    assert_eq!(rig.offline().0, Error::NetworkChanged);
    // Not after the usual pause, but soon.
    rig.pass(Duration::from_secs(1));
    rig.resolve_plainly();
    rig.connect();
    rig.log_in();
}

fn ping() -> xmpp::Element {
    xmpp::Element::bare("ping", ns::PING)
}
