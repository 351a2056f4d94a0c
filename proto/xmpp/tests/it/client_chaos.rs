//! Whatever a server says, in whatever order: the laws of the shape hold, nothing panics, nothing is
//! written to a connection that is gone, and every request has its answer.

use std::time::Duration;

use machine::{CloseReason, FailKind, Input, Interface};
use proptest::collection::vec;
use proptest::prelude::*;
use xmpp::client::{Client, Error, Event, Presence, RequestId, defaults};
use xmpp::{Element, Jid};

use crate::client_rig::{Rig, SERVER, binding, config};

/// What servers say, cut where it hurts.
const SAYINGS: &[&str] = &[
    "<?xml version='1.0'?><stream:stream from='example.org' id='s' version='1.0' xmlns='jabber:client' \
     xmlns:stream='http://etherx.jabber.org/streams'>",
    "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>",
    "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
    "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism>\
     </mechanisms></stream:features>",
    "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>\
     <mechanism>SCRAM-SHA-1</mechanism></mechanisms></stream:features>",
    "<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>cj0sPSw=</challenge>",
    "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
    "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><temporary-auth-failure/></failure>",
    "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features>",
    "<iq type='result' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>a@b/c</jid></bind></iq>",
    "<iq type='set' id='p'><query xmlns='jabber:iq:roster'><item jid='bob@example.org' subscription='to'/>\
     </query></iq>",
    "<presence from='bob@example.org/x'><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' \
     ver='v'/></presence>",
    "<presence from='bob@example.org' type='unavailable'/>",
    "<presence from='bob@example.org/x' type='subscribe'/>",
    "<message from='bob@example.org/x'><body>hi</body></message>",
    "<message from='bob@example.org/x' type='error'/>",
    "<iq from='bob@example.org/x' type='get' id='q'><ping xmlns='urn:xmpp:ping'/></iq>",
    "<iq from='bob@example.org/x' type='get' id='q'><other xmlns='urn:other'/></iq>",
    "<iq type='result' id='q'/>",
    "<iq type='get' id='q'/>",
    "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
    "</stream:stream>",
    " ",
    "<",
    "\u{0}",
];

#[derive(Clone, Debug)]
enum Step {
    Connect,
    Stop,
    Resolve(bool),
    Connected,
    Fail,
    Secure,
    LogIn,
    Say(usize),
    Bytes(Vec<u8>),
    Close,
    Pass(u64),
    Ask,
    Message,
    Presence(bool),
    Interfaces,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Connect),
        1 => Just(Step::Stop),
        3 => any::<bool>().prop_map(Step::Resolve),
        3 => Just(Step::Connected),
        1 => Just(Step::Fail),
        3 => Just(Step::Secure),
        4 => Just(Step::LogIn),
        12 => (0..SAYINGS.len()).prop_map(Step::Say),
        1 => vec(any::<u8>(), 0..40).prop_map(Step::Bytes),
        1 => Just(Step::Close),
        3 => (0..400_000_u64).prop_map(Step::Pass),
        2 => Just(Step::Ask),
        1 => Just(Step::Message),
        1 => any::<bool>().prop_map(Step::Presence),
        1 => Just(Step::Interfaces),
    ]
}

/// Goes as far as the client lets us to being online.
fn log_in(rig: &mut Rig) {
    if rig.conn.is_none() && rig.lookups.is_empty() && rig.connects.is_empty() {
        rig.verb(Client::connect);
        rig.resolve_plainly();
        if rig.connects.len() == 1 {
            rig.connect();
            rig.log_in();
        }
    }
}

fn take(rig: &mut Rig, step: Step, asked: &mut Vec<RequestId>) {
    match step {
        Step::Connect => rig.verb(Client::connect),
        Step::Stop => rig.verb(Client::stop),
        Step::Resolve(true) => rig.resolve_plainly(),
        Step::Resolve(false) => rig.resolve(|_| Err(machine::ResolveError::Failed)),
        Step::Connected => {
            if let Some((conn, _)) = rig.connects.pop_front() {
                // Of a connection that the client gave up, nothing more comes.
                if !rig.closed.contains(&conn) {
                    rig.connect_to(conn, SERVER.parse().unwrap());
                }
            }
        }
        Step::Fail => {
            if let Some((id, _)) = rig.connects.pop_front() {
                rig.input(Input::Failed { id, kind: FailKind::Refused });
            }
        }
        Step::Secure => {
            if let Some((conn, ..)) = rig.handshakes.pop_front()
                && rig.conn == Some(conn)
            {
                let (peer_certs, alpn, room) = (Vec::new(), None, 1 << 20);
                rig.input(Input::Secured { conn, peer_certs, alpn, binding: binding(), room });
            }
        }
        Step::LogIn => log_in(rig),
        Step::Say(n) if rig.conn.is_some() => rig.say(SAYINGS[n]),
        Step::Bytes(bytes) => {
            if let Some(conn) = rig.conn {
                rig.input(Input::Data { conn, bytes: &bytes });
            }
        }
        Step::Close if rig.conn.is_some() => rig.close(CloseReason::Reset),
        Step::Say(_) | Step::Close => {}
        Step::Pass(millis) => rig.pass(Duration::from_millis(millis)),
        Step::Ask => {
            let ask = || Element::bare("ask", "urn:ask");
            asked.extend(rig.verb(|client, now| client.request(now, None, ask(), true)));
        }
        Step::Message => {
            let bob = Jid::new("bob@example.org").unwrap();
            let _ = rig.verb(|client, now| client.send_message(now, &bob, "hi"));
        }
        Step::Presence(hidden) => rig.verb(|client, now| {
            client.set_presence(now, Presence { hidden, ..Presence::default() });
        }),
        Step::Interfaces => rig.input(Input::Interfaces(Vec::<Interface>::new())),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn whatever_happens(steps in vec(step(), 1..60)) {
        let mut rig = Rig::new(config());
        let (mut asked, mut events) = (Vec::new(), Vec::new());
        for step in steps {
            take(&mut rig, step, &mut asked);
            events.extend(rig.events.drain(..));
        }
        rig.verb(Client::stop);
        rig.pass(defaults::STOP + Duration::from_secs(1));
        events.extend(rig.events.drain(..));
        prop_assert!(events.contains(&Event::Stopped));
        prop_assert!(rig.conn.is_none());
        let answered = events.iter().filter_map(|event| match event {
            Event::Response { request, .. } => Some(*request),
            _ => None,
        });
        let mut answered: Vec<RequestId> = answered.collect();
        answered.sort();
        prop_assert_eq!(answered, asked);
        // What is over stays over.
        rig.pass(Duration::from_secs(100_000));
        prop_assert!(rig.events.is_empty() && rig.client.get().jid().is_none());
    }
}

#[test]
fn a_server_that_does_not_read() {
    let mut rig = Rig::new(config());
    rig.come_online("");
    // Nothing announces room again, so that what is sent waits, up to a limit.
    let bob = Jid::new("bob@example.org").unwrap();
    let text = "x".repeat(60_000);
    let offline = |rig: &mut Rig| {
        (0..100).any(|_| {
            let _ = rig.verb(|client, now| client.send_message(now, &bob, &text));
            !rig.events.is_empty()
        })
    };
    assert!(offline(&mut rig));
    let (error, retry) = rig.offline();
    assert!(error == Error::Stalled && retry.is_some() && rig.conn.is_none());
}
