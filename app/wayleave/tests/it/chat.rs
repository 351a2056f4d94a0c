//! What becomes of the lines of a chat whose core goes, and how people are told.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use crate::program::{Process, Stage};

/// Alice chats with herself: who is told that she is logged in can be written to.
fn soliloquy(stage: &Stage, server: &str) -> Process {
    let mut alice = stage.phone_at(server, &["chat", "alice@localhost"], "alice", &[]);
    alice.wait_for("registered");
    alice
}

#[test]
fn a_line_waits_for_a_core_that_comes_back() {
    let mut stage = Stage::set().by_xmpp("tcp");
    let address = stage.core.address("xmpp", "tcp");
    let port = address.rsplit_once(':').unwrap().1;
    let mut alice = soliloquy(&stage, &address);
    stage.core.process.signal("TERM");
    let lost = alice.wait_for("error");
    assert!(lost["message"].as_str().unwrap().starts_with("not logged in: "), "{lost}");
    alice.say("are you there?");
    alice.say("and now?");
    alice.fall_silent();
    stage.restart_with(&["--set", &format!("xmpp.ports=[{port}]")]);
    let end = alice.end();
    assert_eq!(end.code, Some(0), "{end:#?}");
    let said = |direction: &str| {
        let messages = end.events.iter().filter(|event| event["event"] == "message");
        let of = messages.filter(|message| message["direction"] == direction);
        of.map(|message| message["text"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(said("out"), ["are you there?", "and now?"]);
    assert!(end.said.contains("logged in at"), "people are told that they are back: {}", end.said);
    // The core had them before the chat ended: it gave them back to her.
    assert_eq!(said("in"), said("out"));
}

/// Passes bytes on between a phone and its core, until it swallows what the phone says.
struct Tunnel {
    address: String,
    swallows: Arc<AtomicBool>,
    phone: Receiver<TcpStream>,
}

impl Tunnel {
    /// For one connection; it takes no other.
    fn to(core: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let swallows = Arc::new(AtomicBool::new(false));
        let (core, swallowing) = (core.to_owned(), Arc::clone(&swallows));
        let (sender, phone) = channel();
        thread::spawn(move || {
            let (phone, _) = listener.accept().unwrap();
            drop(listener);
            sender.send(phone.try_clone().unwrap()).unwrap();
            let core = TcpStream::connect(core).unwrap();
            let (from, to) = (core.try_clone().unwrap(), phone.try_clone().unwrap());
            thread::spawn(move || pass(from, to, &AtomicBool::new(false)));
            pass(phone, core, &swallowing);
        });
        Self { address, swallows, phone }
    }

    fn hang_up(&self) {
        self.phone.recv().unwrap().shutdown(Shutdown::Both).unwrap();
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, swallows: &AtomicBool) {
    let mut bytes = [0; 4096];
    while let Ok(len @ 1..) = from.read(&mut bytes) {
        if !swallows.load(Ordering::SeqCst) && to.write_all(&bytes[..len]).is_err() {
            break;
        }
    }
}

#[test]
fn a_line_that_the_core_may_not_have_is_named_and_is_no_success() {
    let stage = Stage::set().by_xmpp("tcp");
    let tunnel = Tunnel::to(&stage.core.address("xmpp", "tcp"));
    let mut alice = soliloquy(&stage, &tunnel.address);
    alice.say("this comes");
    while alice.wait_for("message")["direction"] != "in" {}
    tunnel.swallows.store(true, Ordering::SeqCst);
    alice.say("this does not");
    assert_eq!(alice.wait_for("message")["text"], "this does not");
    alice.fall_silent();
    tunnel.hang_up();
    let end = alice.end();
    assert_eq!(end.code, Some(14), "{end:#?}");
    let doubtful: Vec<_> =
        end.events.iter().filter(|event| event["event"] == "message_failed").collect();
    let sent = end.events.iter().rfind(|event| event["direction"] == "out").unwrap();
    assert_eq!(sent["text"], "this does not");
    assert!(doubtful.iter().any(|event| event["id"] == sent["id"]), "{doubtful:?}");
    assert!(doubtful.iter().all(|event| event["certain"] == false), "{doubtful:?}");
    assert!(end.said.contains("message 2 (“this does not”) may be lost"), "{}", end.said);
    assert!(end.said.contains("messages that the core may not have, "), "{}", end.said);
}

#[test]
fn what_comes_back_is_named_and_is_no_success() {
    let stage = Stage::set().by_xmpp("tcp");
    for (target, why) in [
        ("bob@localhost", "the core does not say which"),
        ("bob@elsewhere.example", "does not reach the domain elsewhere.example"),
    ] {
        let mut alice = stage.phone(&["chat", target], "alice", &[]);
        alice.say("one");
        alice.say("two");
        alice.fall_silent();
        let end = alice.end();
        assert_eq!(end.code, Some(14), "{end:#?}");
        let words = format!("message 1 (“one”) did not reach xmpp:{target}: ");
        let line = end.said.lines().find(|line| line.contains(&words));
        assert!(line.is_some_and(|line| line.contains(why)), "{}", end.said);
        let error = end.event("error")["message"].as_str().unwrap();
        assert!(error.ends_with("2 of 2: message 1 (“one”), message 2 (“two”)"), "{error}");
    }
}
