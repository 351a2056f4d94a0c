//! XMPP on real sockets: a core, calls, messages, and what becomes of those who may not.

use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::process::Output;

use serde_json::Value;

use crate::calls::{check_paths, has_ipv6, speak};
use crate::program::{Core, End, Process, Stage, events, run, stderr, wayleave};

#[test]
fn a_call_with_starttls() {
    call("127.0.0.1", "tcp", &[]);
}

#[test]
fn a_call_over_direct_tls() {
    call("127.0.0.1", "tls", &[]);
}

#[test]
fn a_call_over_ipv6() {
    if has_ipv6() {
        call("::1", "tcp", &[]);
        call("::1", "tls", &[]);
    }
}

#[test]
fn a_call_without_ice() {
    call("127.0.0.1", "tcp", &["--ice", "off"]);
}

/// Alice calls Bob; both speak, both are heard, and no relay is in between.
fn call(listen: &str, transport: &'static str, flags: &[&str]) {
    let stage = Stage::at(listen, &[]).by_xmpp(transport);
    let (alice, bob) = speak(&stage, flags, flags);
    assert_eq!(alice.event("registered")["transport"], "tls");
    assert_eq!(alice.event("registered")["server"], stage.core.address("xmpp", transport));
    check_paths(alice.event("path"), bob.event("path"), flags.contains(&"off"));
}

#[test]
fn an_address_without_a_scheme_takes_that_of_the_account() {
    let stage = Stage::set().by_xmpp("tcp");
    let bob = stage.answer("bob", &["--once"]);
    let alice = stage.call("bob@localhost", "alice", &["--duration", "300ms"]).end();
    assert_eq!((alice.code, bob.end().code), (Some(0), Some(0)), "{alice:#?}");
    let other = stage.call("sip:bob@localhost", "alice", &[]).end();
    assert_eq!(other.code, Some(2), "there is no bridge yet: {other:#?}");
}

/// The kind and the remedy of the error that it ended with.
fn error(end: &End) -> (&str, &str) {
    let error = end.event("error");
    (error["kind"].as_str().unwrap(), error["remedy"].as_str().unwrap_or_default())
}

#[test]
fn a_wrong_password_and_an_unknown_user_are_refused_alike() {
    let stage = Stage::set().by_xmpp("tcp");
    std::fs::write(stage.file("password"), "wrong").unwrap();
    for end in [
        stage.call("bob@localhost", "alice", &[]).end(),
        stage.call("bob@localhost", "mallory", &[]).end(),
        stage.phone(&["answer"], "alice", &[]).end(),
        stage.phone(&["chat", "bob@localhost"], "alice", &[]).end(),
    ] {
        assert_eq!(end.code, Some(10), "{end:#?}");
        assert_eq!(error(&end).0, "authentication", "{end:#?}");
    }
}

#[test]
fn whom_nobody_knows_cannot_be_called() {
    let stage = Stage::set().by_xmpp("tls");
    for (target, why) in [
        ("nobody@localhost", "the core does not say which"),
        ("bob@elsewhere.example", "does not reach the domain elsewhere.example"),
    ] {
        let end = stage.call(target, "alice", &[]).end();
        assert_eq!(end.code, Some(14), "{target}: {end:#?}");
        assert_eq!(error(&end).0, "unreachable");
        assert!(end.event("error")["message"].as_str().unwrap().contains(why), "{end:#?}");
    }
}

#[test]
fn a_core_that_does_not_run_is_unreachable() {
    let stage = Stage::set().by_xmpp("tcp");
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let end = stage.phone_at(&free, &["call", "bob@localhost"], "alice", &[]).end();
    assert_eq!(end.code, Some(14), "{end:#?}");
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused_until_it_is_pinned() {
    for transport in ["tcp", "tls"] {
        let stage = Stage::set().by_xmpp(transport);
        let pins = stage.file("pins");
        std::fs::write(&pins, "# nobody yet\n").unwrap();
        let refused = stage.phone(&["chat", "bob@localhost"], "alice", &[]).end();
        assert_eq!(refused.code, Some(16), "{refused:#?}");
        let (kind, remedy) = error(&refused);
        assert_eq!(kind, "certificate");
        assert!(refused.said.contains("not logged in: the certificate"), "{}", refused.said);
        assert!(remedy.contains(pins.to_str().unwrap()), "{remedy}");
        let line = remedy.lines().last().unwrap().trim();
        let told = stage.core.ready["tls"]["sha256"].as_str().unwrap();
        assert_eq!(line, format!("localhost sha256:{told}"));

        std::fs::write(&pins, line).unwrap();
        let mut chat = stage.phone(&["chat", "bob@localhost"], "alice", &[]);
        chat.fall_silent();
        let accepted = chat.end();
        assert_eq!(accepted.code, Some(0), "{accepted:#?}");
    }
}

#[test]
fn messages_go_both_ways() {
    let stage = Stage::set().by_xmpp("tcp");
    let mut bob = stage.phone(&["chat", "alice@localhost"], "bob", &[]);
    bob.wait_for("registered");
    let mut alice = stage.phone(&["chat", "bob@localhost"], "alice", &[]);
    alice.wait_for("registered");
    for text in ["hello", "zoë says <b>&amp; ☎", "  spaces stay  "] {
        alice.say(text);
        assert_eq!(incoming(&next_from(&mut bob, "xmpp:alice@localhost")), text);
        bob.say(&format!("re: {text}"));
        assert_eq!(incoming(&next_from(&mut alice, "xmpp:bob@localhost")), format!("re: {text}"));
    }
    alice.fall_silent();
    let alice = alice.end();
    assert_eq!(alice.code, Some(0), "{alice:#?}");
    assert_eq!(bob.stop("INT").code, Some(130));
}

/// The next message that comes in, which must be from `from`.
fn next_from(process: &mut Process, from: &str) -> Value {
    loop {
        let message = process.wait_for("message");
        if message["direction"] == "in" {
            assert!(message["from"].as_str().unwrap().starts_with(from), "{message}");
            return message;
        }
    }
}

fn incoming(message: &Value) -> &str {
    message["text"].as_str().unwrap()
}

/// Alice says something to Bob, and ends.
fn say(stage: &Stage, more: &[&str], text: &str) -> Output {
    let account = stage.account(&stage.core.address("xmpp", "tcp"), "alice");
    let account: Vec<&str> = account.iter().map(String::as_str).collect();
    run(&[&["chat", "bob@localhost"], &account[..], more].concat(), &stage.file(""), text)
}

#[test]
fn people_read_messages_and_nothing_else_on_stdout() {
    let stage = Stage::set().by_xmpp("tcp");
    let account = stage.account(&stage.core.address("xmpp", "tcp"), "bob");
    let account: Vec<&str> = account.iter().map(String::as_str).collect();
    let args = [&["chat", "xmpp:alice@localhost"], &account[..]].concat();
    let mut bob = wayleave(&args, &stage.file("")).spawn().unwrap();
    // Until Bob is there, what Alice says comes back.
    let mut attempts = 0;
    while say(&stage, &[], "one\n").status.code() != Some(0) {
        attempts += 1;
        assert!(attempts < 200, "Bob does not come");
    }
    assert_eq!(say(&stage, &[], "two\n").status.code(), Some(0));
    let lines = BufReader::new(bob.stdout.take().unwrap()).lines();
    let read: Vec<String> = lines.take(2).map(Result::unwrap).collect();
    drop(bob.stdin.take());
    assert_eq!(
        (read, bob.wait().unwrap().code()),
        (vec!["one".to_owned(), "two".to_owned()], Some(0))
    );
}

#[test]
fn a_message_that_comes_back_is_told() {
    let stage = Stage::set().by_xmpp("tcp");
    let sent = say(&stage, &["--json"], "hello\n\nagain\n");
    assert_eq!(sent.status.code(), Some(14), "{}", stderr(&sent));
    let told = events(&sent);
    let named = |name: &str| told.iter().filter(|event| event["event"] == name).collect::<Vec<_>>();
    let (sent, failed) = (named("message"), named("message_failed"));
    assert_eq!((sent.len(), failed.len()), (2, 2), "{told:#?}");
    assert_eq!(sent[0]["id"], failed[0]["id"]);
    assert!(!failed[0]["reason"].as_str().unwrap().is_empty());
}

#[test]
fn what_is_not_built_says_so() {
    let data = tempfile::tempdir().unwrap();
    let code = |args: &[&str]| run(args, data.path(), "").status.code();
    let chat = ["chat", "bob@localhost", "--as"];
    assert_eq!(code(&[&chat[..], &["sip:alice@localhost"]].concat()), Some(2));
    assert_eq!(
        code(&[&chat[..], &["xmpp:alice@localhost", "--otr", "require"]].concat()),
        Some(16)
    );
    let udp = ["xmpp:alice@localhost", "--transport", "udp"];
    assert_eq!(code(&[&chat[..], &udp].concat()), Some(2));
}

#[test]
fn the_core_makes_a_certificate_once_and_tells_it() {
    let data = tempfile::tempdir().unwrap();
    let core = Core::start(&[], data.path());
    let first = core.ready["tls"].clone();
    assert_eq!(first["own"], true);
    for transport in ["tcp", "tls"] {
        TcpStream::connect(core.address("xmpp", transport)).unwrap();
    }
    let end = core.stop("TERM");
    assert_eq!(end.code, Some(0), "{end:#?}");
    assert!(end.said.contains(first["sha256"].as_str().unwrap()), "{}", end.said);
    let again = Core::start(&[], data.path());
    assert_eq!(again.ready["tls"], first, "clients have pinned it");
}

#[test]
fn a_port_of_xmpp_that_is_taken_is_told_with_a_way_out() {
    let data = tempfile::tempdir().unwrap();
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().port();
    let ports = [format!("xmpp.ports=[{taken}]"), "xmpp.tls_ports=[]".to_owned()];
    let set = ["--set", &ports[0], "--set", &ports[1], "--set", "turn.ports=[]"];
    let serve = ["serve", "--json", "--listen", "127.0.0.1:0"];
    let refused = run(&[&serve[..], &set].concat(), data.path(), "");
    assert_eq!(refused.status.code(), Some(1));
    let error = events(&refused).remove(0);
    assert!(error["message"].as_str().unwrap().contains(&taken.to_string()), "{error}");
    assert!(error["remedy"].as_str().unwrap().contains("xmpp.ports = []"), "{error}");
}

#[test]
fn without_xmpp_no_certificate_is_made() {
    let data = tempfile::tempdir().unwrap();
    let none = ["--set", "xmpp.ports=[]", "--set", "xmpp.tls_ports=[]"];
    let core = Core::start(&none, data.path());
    assert_eq!(core.ready["tls"], Value::Null);
    let listed = core.ready["addresses"].as_array().unwrap();
    assert!(listed.iter().all(|address| address["service"] != "xmpp"), "{listed:?}");
    let left = std::fs::read_dir(data.path().join("wayleave")).unwrap();
    let names: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert!(
        names.iter().all(|name| name.to_str().unwrap().starts_with("wayleave.db")),
        "{names:?}"
    );
}

#[test]
fn a_core_that_stops_sends_its_clients_away_and_they_come_back() {
    let mut stage = Stage::set().by_xmpp("tcp");
    let mut bob = stage.answer("bob", &[]);
    let started = stage.core.process.wait_for("session_started");
    assert!(started["jid"].as_str().unwrap().starts_with("bob@localhost/"), "{started}");
    let address = stage.core.address("xmpp", "tcp");
    let port = address.rsplit_once(':').unwrap().1;
    stage.core.process.signal("TERM");
    let ended = stage.core.process.wait_for("session_ended");
    assert_eq!(ended["cause"], "shutdown");
    let lost = bob.wait_for("error");
    assert!(lost["remedy"].as_str().unwrap().contains("tried again"), "{lost}");
    stage.restart_with(&["--set", &format!("xmpp.ports=[{port}]")]);
    bob.wait_for("registered");
}

#[test]
fn who_is_removed_or_gets_another_password_is_sent_away() {
    let mut stage = Stage::set().by_xmpp("tcp");
    let (alice, bob) = (stage.answer("alice", &[]), stage.answer("bob", &[]));
    for _ in 0..2 {
        stage.core.process.wait_for("session_started");
    }
    let user = |args: &[&str], password| {
        let done = run(&[&["user"], args].concat(), &stage.file(""), password);
        assert!(done.status.success(), "{}", stderr(&done));
    };
    user(&["remove", "bob@localhost"], "");
    user(&["passwd", "alice@localhost", "--password-stdin"], "another\n");
    let ended = [(), ()].map(|()| stage.core.process.wait_for("session_ended"));
    assert!(ended.iter().all(|ended| ended["cause"] == "shutdown"), "{ended:?}");
    // They try again, and are refused.
    for phone in [alice, bob] {
        assert_eq!(phone.end().code, Some(10));
    }
}
