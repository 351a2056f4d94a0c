//! How calls end, and what scripts are told about it.

use std::net::{TcpListener, UdpSocket};
use std::time::{Duration, Instant};

use crate::program::{End, Process, Stage, run, stderr};
use crate::stub::Stub;

/// The kind and the remedy of the error that it ended with.
fn error(end: &End) -> (String, bool) {
    let error = end.event("error");
    assert!(end.said.contains("error:"), "{}", end.said);
    (error["kind"].as_str().unwrap().to_owned(), error["remedy"].is_string())
}

#[test]
fn a_wrong_password_is_refused() {
    let stage = Stage::set();
    std::fs::write(stage.file("password"), "wrong").unwrap();
    for end in [
        stage.call("bob@localhost", "alice", &[]).end(),
        stage.phone(&["answer"], "alice", &[]).end(),
        stage.call("bob@localhost", "mallory", &[]).end(),
    ] {
        assert_eq!(end.code, Some(10), "{end:#?}");
        assert_eq!(error(&end), ("authentication".to_owned(), true));
    }
}

#[test]
fn whom_nobody_knows_and_who_is_not_there() {
    let stage = Stage::set();
    let unknown = stage.call("nobody@localhost", "alice", &[]).end();
    assert_eq!(unknown.code, Some(14), "{unknown:#?}");
    assert_eq!(error(&unknown), ("unreachable".to_owned(), true));
    let foreign = stage.call("bob@example.com", "alice", &[]).end();
    assert_eq!(foreign.code, Some(14), "{foreign:#?}");
    let away = stage.call("bob@localhost", "alice", &[]).end();
    assert_eq!(away.code, Some(13), "{away:#?}");
    assert_eq!(error(&away), ("no-answer".to_owned(), true));
}

#[test]
fn a_core_that_does_not_run() {
    let stage = Stage::set();
    let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let begun = Instant::now();
    let silent = stage.phone_at(&free, &["call", "bob@localhost"], "alice", &[]);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let tcp = ["--transport", "tcp"];
    let closed = stage.phone_at(&closed, &["call", "bob@localhost"], "alice", &tcp).end();
    assert_eq!(closed.code, Some(14), "{closed:#?}");
    let silent = silent.end();
    assert_eq!(silent.code, Some(14), "{silent:#?}");
    // SIP's own patience is 32 s; nobody has that.
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
    assert_eq!(error(&silent), ("registration".to_owned(), true));
}

#[test]
fn refusals_have_their_codes() {
    let stage = Stage::set();
    let bob = Stub::register(&stage.core.address("sip", "udp"), "bob");
    for (status, code, kind) in [
        ("486 Busy Here", 11, "busy"),
        ("600 Busy Everywhere", 11, "busy"),
        ("603 Decline", 12, "declined"),
        ("480 Temporarily Unavailable", 13, "no-answer"),
        ("408 Request Timeout", 13, "no-answer"),
        ("404 Not Found", 14, "unreachable"),
        ("488 Not Acceptable Here", 1, "refused"),
    ] {
        let alice = stage.call("bob@localhost", "alice", &[]);
        let invite = bob.receive("INVITE ");
        bob.respond(&invite, "180 Ringing");
        bob.respond(&invite, status);
        bob.receive("ACK ");
        let alice = alice.end();
        assert_eq!(alice.code, Some(code), "{status}: {alice:#?}");
        assert_eq!(error(&alice).0, kind);
        assert_eq!(alice.event("ended")["by"], "them");
    }
}

#[test]
fn a_second_caller_hears_busy() {
    let stage = Stage::set();
    stage.add("carol");
    let mut bob = stage.answer("bob", &[]);
    let mut alice = stage.call("bob@localhost", "alice", &[]);
    alice.wait_for("path");
    bob.wait_for("path");
    let carol = stage.call("bob@localhost", "carol", &[]).end();
    assert_eq!(carol.code, Some(11), "{carol:#?}");
    // The first call is none the worse for it.
    alice.wait_for("media");
    bob.wait_for("media");
    assert_eq!(alice.stop("INT").code, Some(130));
    let ended = wait_for_end_of(&mut bob, 0);
    assert_eq!(ended["by"], "them");
    // And the next one is taken.
    let carol = stage.call("bob@localhost", "carol", &["--duration", "500ms"]).end();
    assert_eq!(carol.code, Some(0), "{carol:#?}");
}

fn wait_for_end_of(phone: &mut Process, call: u64) -> serde_json::Value {
    loop {
        let ended = phone.wait_for("ended");
        if ended["call"] == call {
            return ended;
        }
    }
}

#[test]
fn a_call_to_oneself_is_busy() {
    let stage = Stage::set();
    let alice = stage.call("alice@localhost", "alice", &[]).end();
    assert_eq!(alice.code, Some(11), "{alice:#?}");
}

#[test]
fn a_signal_while_it_rings_cancels() {
    for signal in ["INT", "TERM", "HUP"] {
        let mut stage = Stage::set();
        let bob = Stub::register(&stage.core.address("sip", "udp"), "bob");
        let mut alice = stage.call("bob@localhost", "alice", &[]);
        let invite = bob.receive("INVITE ");
        bob.respond(&invite, "180 Ringing");
        alice.wait_for("ringing");
        alice.signal(signal);
        let cancel = bob.receive("CANCEL ");
        bob.respond(&cancel, "200 OK");
        bob.respond(&invite, "487 Request Terminated");
        bob.receive("ACK ");
        let alice = alice.end();
        assert_eq!(alice.code, Some(130), "{alice:#?}");
        assert_eq!(alice.event("ended")["reason"], "cancelled");
        assert_eq!(stage.core.process.wait_for("unregistered")["address"], "alice@localhost");
    }
}

#[test]
fn a_signal_during_the_call_hangs_up_and_unregisters() {
    for (signal, caller) in [("INT", true), ("TERM", true), ("INT", false), ("TERM", false)] {
        let mut stage = Stage::set();
        let mut bob = stage.answer("bob", &["--once"]);
        let mut alice = stage.call("bob@localhost", "alice", &[]);
        alice.wait_for("path");
        bob.wait_for("path");
        if caller {
            alice.signal(signal)
        } else {
            bob.signal(signal)
        }
        let (alice, bob) = (alice.end(), bob.end());
        let codes = if caller { (130, 0) } else { (0, 130) };
        assert_eq!((alice.code, bob.code), (Some(codes.0), Some(codes.1)), "{alice:#?}\n{bob:#?}");
        let by = (alice.event("ended")["by"].clone(), bob.event("ended")["by"].clone());
        let told = if caller { ("us", "them") } else { ("them", "us") };
        assert_eq!(by, (told.0.into(), told.1.into()));
        assert_eq!(alice.event("ended")["reason"], "ended");
        let mut gone = [(); 2].map(|()| {
            let event = stage.core.process.wait_for("unregistered");
            event["address"].as_str().unwrap().to_owned()
        });
        gone.sort();
        assert_eq!(gone, ["alice@localhost", "bob@localhost"]);
        let again = stage.call("bob@localhost", "alice", &[]).end();
        assert_eq!(again.code, Some(13), "{again:#?}");
    }
}

#[test]
fn a_signal_while_the_core_is_silent_ends_it_within_seconds() {
    let stage = Stage::set();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let alice = stage.phone_at(&address, &["call", "bob@localhost"], "alice", &[]);
    silent.recv_from(&mut [0; 2048]).unwrap();
    let begun = Instant::now();
    assert_eq!(alice.stop("INT").code, Some(130));
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[test]
fn a_peer_that_dies_keeps_nobody_waiting() {
    let stage = Stage::set();
    let mut bob = stage.answer("bob", &[]);
    let mut alice = stage.call("bob@localhost", "alice", &["--duration", "1s"]);
    bob.wait_for("path");
    alice.wait_for("answered");
    bob.interrupt("KILL");
    let begun = Instant::now();
    let alice = alice.end();
    // The conversation took place; that nobody answers the BYE is no failure of it.
    assert_eq!(alice.code, Some(0), "{alice:#?}");
    assert_eq!(alice.event("ended")["by"], "us");
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
}

#[test]
fn a_call_without_a_path_is_explained() {
    let stage = Stage::set();
    let bob = Stub::register(&stage.core.address("sip", "udp"), "bob");
    let alice = stage.call("bob@localhost", "alice", &[]);
    let invite = bob.receive("INVITE ");
    // Bob's only candidate is his own port of SIP, which answers no checks.
    bob.respond_with(
        &invite,
        "200 OK",
        &format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 0\r\na=rtcp-mux\r\na=ice-ufrag:abcd\r\n\
         a=ice-pwd:abcdefghijklmnopqrstuvwx\r\n\
         a=candidate:1 1 UDP 2130706431 127.0.0.1 {port} typ host\r\n",
            port = bob.port(),
        ),
    );
    let bye = bob.receive("BYE ");
    bob.respond(&bye, "200 OK");
    let alice = alice.end();
    assert_eq!(alice.code, Some(15), "{alice:#?}");
    assert_eq!(error(&alice).0, "media");
    let explained = alice.event("explain");
    assert_eq!(explained["verdict"], "There is no path for the media.");
    assert!(!explained["remedies"].as_array().unwrap().is_empty());
    assert!(alice.said.contains("would help"), "{}", alice.said);
}

#[test]
fn what_is_not_built_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let call = |more: &[&str]| {
        let args = ["--json", "call", "bob@localhost", "--as", "alice@localhost"];
        run(&[&args, more].concat(), folder.path(), "")
    };
    for method in ["sdes", "dtls", "zrtp"] {
        let refused = call(&["--encrypt", method]);
        assert_eq!(refused.status.code(), Some(16));
        assert!(stderr(&refused).contains("remedy:"), "{}", stderr(&refused));
    }
    for flags in [
        &["--transport", "tls"] as &[&str],
        &["--transport", "ws"],
        &["--dtmf", "1"],
        &["--pcap", "x"],
    ] {
        let refused = call(flags);
        assert_eq!(refused.status.code(), Some(2), "{flags:?}");
        assert!(stderr(&refused).contains("not built yet"), "{}", stderr(&refused));
    }
}

#[test]
fn wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    for args in [
        &["call", "xmpp:bob@localhost", "--as", "alice@localhost"] as &[&str],
        &["call", "bob@localhost", "--as", "xmpp:alice@localhost"],
        &["call", "bob@localhost", "--as", "localhost"],
        &["call", "bob@localhost"],
        &["call", "--as", "alice@localhost"],
        &["call", "bob@localhost", "--as", "alice@localhost", "--duration", "soon"],
        &["call", "bob@localhost", "--as", "alice@localhost", "--server", "host:port"],
        &["answer", "--as", "alice@localhost", "--ice", "perhaps"],
        &["demo", "--alice", "wall"],
        &["bench", "stun"],
    ] {
        let refused = run(&[&["--json"], args].concat(), folder.path(), "");
        assert_eq!(refused.status.code(), Some(2), "{args:?}: {}", stderr(&refused));
        let error = crate::program::events(&refused).remove(0);
        assert_eq!((&error["event"], &error["kind"]), (&"error".into(), &"usage".into()));
    }
    std::fs::write(folder.path().join("password"), "secret").unwrap();
    let password = folder.path().join("password");
    let password = ["--password-file", password.to_str().unwrap()];
    for more in [
        &["--password-file", "/nowhere"] as &[&str],
        &[&password as &[&str], &["--play", "/nowhere.wav"]].concat(),
        &[&password as &[&str], &["--record", "/nowhere/heard.wav"]].concat(),
    ] {
        for command in [&["call", "bob@localhost"] as &[&str], &["answer"]] {
            let args = [&["--json"], command, &["--as", "alice@localhost"], more].concat();
            let refused = run(&args, folder.path(), "");
            assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
            assert!(stderr(&refused).contains("/nowhere"), "{}", stderr(&refused));
        }
    }
}
