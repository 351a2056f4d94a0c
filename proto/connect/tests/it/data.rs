//! Telling packets apart, and whose they are.

use std::time::Duration;

use connect::{SendError, StreamSpec};
use machine::{Input, Machine};

use crate::town::{ALICE, BOB, Plan, Town, first_socket};

#[test]
fn each_protocol_of_rfc_7983_goes_where_it_belongs() {
    let mut town = Town::new(&Plan::default());
    let (sessions, connected) = town.call();
    assert!(connected);
    // ZRTP, DTLS, TURN channel, RTP; then broken STUN and nothing at all.
    for first in [16, 22, 64, 128] {
        town.send(ALICE, sessions[ALICE], 1, &[first, 1, 2]).unwrap();
    }
    let dropped = town.connect(BOB).stats().dropped;
    town.send(ALICE, sessions[ALICE], 1, &[0, 1, 2]).unwrap();
    town.send(ALICE, sessions[ALICE], 1, &[]).unwrap();
    town.run(Duration::from_millis(50));
    let firsts: Vec<u8> = town.received(BOB, 1).iter().map(|bytes| bytes[0]).collect();
    assert_eq!(firsts, [16, 22, 64, 128]);
    assert_eq!(town.connect(BOB).stats().dropped, dropped + 2);
}

#[test]
fn data_of_strangers_is_dropped() {
    let mut town = Town::new(&Plan::default());
    let (_, connected) = town.call();
    assert!(connected);
    let base = town.path(BOB).unwrap().base;
    let friend = town.path(BOB).unwrap().remote;
    let before = town.received(BOB, 1).len();
    for remote in [friend, "192.0.2.66:666".parse().unwrap()] {
        town.verb(BOB, |connect, now| {
            connect.handle_input(
                now,
                Input::Datagram {
                    socket: first_socket(),
                    local: base,
                    remote,
                    ecn: None,
                    segment_size: Some(2),
                    bytes: b"\x80a\x80b\x80",
                },
            );
        });
    }
    town.run(Duration::from_millis(1));
    let received = town.received(BOB, 1);
    assert_eq!(received[before..], [&b"\x80a"[..], b"\x80b", b"\x80"], "a train is taken apart");
    assert_eq!(town.connect(BOB).stats().from_strangers, 3);
}

#[test]
fn what_cannot_be_sent_says_why() {
    let mut town = Town::new(&Plan::default());
    town.spec.streams = vec![StreamSpec { components: 2 }];
    let sessions = town.gather();
    let alice = sessions[ALICE];
    assert_eq!(town.send(ALICE, alice, 1, b"\x80"), Err(SendError::NoPath));
    assert_eq!(town.send(ALICE, alice, 3, b"\x80"), Err(SendError::NoSession));
    assert_eq!(town.send(ALICE, alice, 0, b"\x80"), Err(SendError::NoSession));
    let stream = town.verb(ALICE, |connect, now| connect.send(now, alice, 1, 1, b"\x80"));
    assert_eq!(stream, Err(SendError::NoSession));
    town.exchange(sessions, Duration::ZERO);
    assert!(town.settle());
    let large = vec![0x80; connect::defaults::MAX_DATAGRAM_BYTES + 1];
    assert_eq!(town.send(ALICE, alice, 1, &large), Err(SendError::TooLarge));
    town.verb(ALICE, |connect, now| connect.close(now, alice));
    assert_eq!(town.send(ALICE, alice, 1, b"\x80"), Err(SendError::NoSession));
}

#[test]
fn a_closed_session_hears_nothing_and_wants_nothing() {
    let mut town = Town::new(&Plan { access: ["port-restricted", "open"], ..Plan::default() });
    let (sessions, connected) = town.call();
    assert!(connected);
    town.verb(ALICE, |connect, now| connect.close(now, sessions[ALICE]));
    let connect = town.connect(ALICE);
    assert_eq!((connect.sessions(), connect.poll_timeout()), (0, None));
    assert_eq!(connect.local(sessions[ALICE]), None);
    town.send(BOB, sessions[BOB], 1, b"\x80late").unwrap();
    town.run(Duration::from_millis(50));
    assert!(town.received(ALICE, 1).is_empty());
    // Its own Close lets the phone bind and call again.
    let (_, connected) = town.call();
    assert!(connected);
}
