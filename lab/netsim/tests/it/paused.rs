//! Connections that their machine has stopped reading.

use std::time::Duration;

use machine::{CloseReason, TlsRole};
use netsim::{Certificate, Direction, defaults};

use crate::streams::{Line, bytes, handshake, latency};
use crate::talker::{Told, told};

/// What both buffers of a plain connection hold.
const HELD: usize = defaults::TCP_SEND_BUFFER + defaults::TCP_WINDOW as usize;

#[test]
fn nothing_is_read_the_window_closes_and_the_sender_has_no_room() {
    let mut line = Line::new(1, latency());
    let (ours, theirs) = line.open();
    let sent = bytes(400_000);
    line.world.verb(line.b, |talker, _| talker.pause(theirs, true));
    line.world.verb(line.a, |talker, _| talker.write(ours, &sent));
    let b = line.b;
    assert_eq!(line.data(b, 10.0), b"");
    let waiting = line.world.machine(line.a).waiting(ours);
    assert!(waiting >= sent.len() - HELD, "{waiting} bytes wait, the buffers hold {HELD}");
    // However long: only probes of the closed window pass.
    let before = line.world.link_stats(line.link, Direction::Forward).packets;
    assert_eq!(line.data(b, 3600.0), b"");
    let probes = line.world.link_stats(line.link, Direction::Forward).packets - before;
    assert!((55..=75).contains(&probes), "one a minute in the end: {probes}");
    line.world.verb(line.b, |talker, _| talker.pause(theirs, false));
    assert!(line.data(b, 10.0) == sent, "all of it, in order");
}

#[test]
fn what_had_come_is_read_on_resuming_and_the_end_waits_behind_it() {
    let mut line = Line::new(1, latency());
    let (ours, theirs) = line.open();
    line.world.verb(line.b, |talker, _| talker.pause(theirs, true));
    line.world.verb(line.a, |talker, _| {
        talker.write(ours, b"last words");
        talker.close(ours);
    });
    assert_eq!(told(&mut line.world, line.b, 30.0), []);
    line.world.verb(line.b, |talker, _| talker.pause(theirs, false));
    let heard = told(&mut line.world, line.b, 1.0);
    let words = Told::Data(theirs, b"last words".to_vec());
    assert_eq!(heard, [words, Told::Closed(theirs, CloseReason::Peer)]);
}

#[test]
fn the_other_direction_flows_on() {
    let mut line = Line::new(1, latency());
    let (ours, theirs) = line.open();
    line.world.verb(line.b, |talker, _| talker.pause(theirs, true));
    let sent = bytes(200_000);
    line.world.verb(line.a, |talker, _| talker.write(ours, &sent));
    line.world.verb(line.b, |talker, _| talker.write(theirs, &sent));
    let a = line.a;
    assert!(line.data(a, 10.0) == sent);
}

#[test]
fn a_lost_window_update_is_asked_for() {
    let mut line = Line::new(1, latency());
    let (ours, theirs) = line.open();
    let sent = bytes(300_000);
    line.world.verb(line.b, |talker, _| talker.pause(theirs, true));
    line.world.verb(line.a, |talker, _| talker.write(ours, &sent));
    told(&mut line.world, line.b, 10.0);
    // The update goes astray; the next probe finds the window open.
    line.world.set_link(line.link, Direction::Backward, latency().loss(1.0));
    line.world.verb(line.b, |talker, _| talker.pause(theirs, false));
    let b = line.b;
    let first = line.data(b, 0.1);
    assert_eq!(first.len(), usize::from(defaults::TCP_WINDOW));
    line.world.set_link(line.link, Direction::Backward, latency());
    let rest = line.data(b, 120.0);
    assert!([first, rest].concat() == sent);
}

#[test]
fn a_peer_that_died_with_a_closed_window_is_noticed() {
    let mut line = Line::new(1, latency());
    let (ours, theirs) = line.open();
    line.world.verb(line.b, |talker, _| talker.pause(theirs, true));
    line.world.verb(line.a, |talker, _| talker.write(ours, &bytes(300_000)));
    told(&mut line.world, line.b, 60.0);
    line.world.set_link(line.link, Direction::Forward, latency().loss(1.0));
    let told = told(&mut line.world, line.a, 1200.0);
    assert_eq!(told, [Told::Closed(ours, CloseReason::TimedOut)]);
}

#[test]
fn a_reset_is_told_at_once() {
    let mut line = Line::new(1, latency());
    let (ours, theirs) = line.open();
    line.world.verb(line.b, |talker, _| talker.pause(theirs, true));
    line.world.verb(line.a, |talker, _| talker.write(ours, &bytes(300_000)));
    told(&mut line.world, line.b, 1.0);
    // The path dies, a gives up, and says so when the path is back.
    line.world.set_link(line.link, Direction::Backward, latency().loss(1.0));
    let told = told(&mut line.world, line.b, 1200.0);
    assert_eq!(told, [Told::Closed(theirs, CloseReason::Reset)]);
}

#[test]
fn closing_reads_and_forgets() {
    let mut line = Line::new(1, latency());
    let (ours, theirs) = line.open();
    line.world.verb(line.b, |talker, _| talker.pause(theirs, true));
    line.world.verb(line.a, |talker, _| talker.write(ours, &bytes(300_000)));
    assert_eq!(told(&mut line.world, line.b, 1.0), []);
    line.world.verb(line.b, |talker, _| {
        talker.close(theirs);
        // Of no effect on what is closed.
        talker.pause(theirs, true);
    });
    let closed = Told::Closed(ours, CloseReason::Peer);
    assert_eq!(told(&mut line.world, line.a, 60.0), [closed]);
    assert_eq!(told(&mut line.world, line.b, 60.0), []);
}

#[test]
fn whatever_the_link_does_and_however_often_it_pauses() {
    let bad = latency().loss(0.1).reorder(0.1).duplicate(0.1).jitter(Duration::from_millis(10));
    for seed in 0..8 {
        let mut line = Line::new(seed, bad.clone());
        let (ours, theirs) = line.open();
        let sent = bytes(300_000);
        line.world.verb(line.a, |talker, _| talker.write(ours, &sent));
        let mut heard = Vec::new();
        let b = line.b;
        for round in 0..40 {
            let paused = round % 2 == 0;
            line.world.verb(line.b, |talker, _| talker.pause(theirs, paused));
            let new = line.data(b, 3.0 + f64::from(round));
            assert!(!paused || new.is_empty(), "seed {seed}, round {round}");
            heard.extend(new);
        }
        assert!(heard == sent, "seed {seed}: {} bytes", heard.len());
    }
}

#[test]
fn under_tls_too() {
    let certificate = Certificate::new(&["b.example"]);
    let (mut line, (ours, theirs), _) = handshake(Some(certificate), "b.example", [&[], &[]]);
    let sent = bytes(300_000);
    line.world.verb(line.b, |talker, _| talker.pause(theirs, true));
    line.world.verb(line.a, |talker, _| talker.write(ours, &sent));
    let b = line.b;
    assert_eq!(line.data(b, 60.0), b"");
    let waiting = line.world.machine(line.a).waiting(ours);
    assert!(waiting >= sent.len() - HELD, "{waiting}");
    line.world.verb(line.b, |talker, _| talker.pause(theirs, false));
    assert!(line.data(b, 60.0) == sent);
}

#[test]
fn a_handshake_reads_what_waited() {
    let mut line = Line::new(1, latency());
    line.world.set_certificate(line.b, Certificate::new(&["b.example"]));
    let (ours, theirs) = line.open();
    line.world.verb(line.b, |talker, _| talker.pause(theirs, true));
    let role = TlsRole::Client { name: "b.example".to_owned() };
    line.world.verb(line.a, |talker, _| talker.start_tls(ours, role.clone(), &[]));
    assert_eq!(told(&mut line.world, line.b, 1.0), []);
    line.world.verb(line.b, |talker, _| talker.start_tls(theirs, TlsRole::Server, &[]));
    assert!(matches!(told(&mut line.world, line.b, 1.0)[..], [Told::Secured(..)]));
    line.world.verb(line.a, |talker, _| talker.write(ours, b"sealed"));
    assert_eq!(told(&mut line.world, line.b, 1.0), [Told::Data(theirs, b"sealed".to_vec())]);
}

#[test]
fn before_a_connection_stands_there_is_nothing_to_pause() {
    let mut line = Line::new(1, latency());
    let ours = line.world.verb(line.a, |talker, _| {
        let conn = talker.connect("192.0.2.2:80");
        talker.pause(conn, true);
        conn
    });
    assert_eq!(told(&mut line.world, line.a, 1.0), [Told::Connected(ours)]);
}
