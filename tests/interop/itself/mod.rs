//! Our own program against itself between hosts: over SIP and XMPP, IPv4 and IPv6, through NATs; what
//! was recorded is what was played. (On loopback, where no root is needed, the program's own tests do
//! it.)

use std::path::PathBuf;

use serde_json::Value;

use crate::harness::need::available;
use crate::harness::net::{Host, Lan, Nat, TwoNats};
use crate::harness::program::{Call, Core, Phone, address};
use crate::harness::sound::{read, share_heard, write_speech};

/// Longer than either voice speaks.
const TALK: &str = "9s";

/// The share of what was said that must have been heard: on a loaded machine a jitter buffer may
/// give up a little.
const HEARD: f64 = 0.9;

/// The same over TCP to a relay, where media that have become old are dropped instead of queued.
const HEARD_ON_A_STREAM: f64 = 0.6;

/// Over what they call.
enum Via<'a> {
    Sip {
        transport: Option<&'a str>,
    },
    /// With the certificate of the core.
    Xmpp {
        transport: &'a str,
        certificate: PathBuf,
    },
}

impl Via<'_> {
    /// SIP as it is without flags.
    const SIP: Self = Self::Sip { transport: None };

    const fn protocol(&self) -> &'static str {
        match self {
            Self::Sip { .. } => "sip",
            Self::Xmpp { .. } => "xmpp",
        }
    }

    /// The phone of `name`, which records what it hears.
    fn phone(&self, host: &Host, name: &str, verb: &[&str], server: &str) -> Phone {
        let phone = Phone::over(self.protocol(), host, name, verb, server).recording();
        match self {
            Self::Sip { transport: None } => phone,
            Self::Sip { transport: Some(transport) } => phone.with(&["--transport", transport]),
            Self::Xmpp { transport, certificate } => {
                phone.with(&["--transport", transport]).trusting(certificate)
            }
        }
    }
}

/// Alice calls Bob over the core at `server`, both speak, and both recordings are compared with what
/// was played. Gives Alice's `path` event.
fn alice_calls_bob(alice: &Host, bob: &Host, server: &str, via: &Via<'_>) -> Value {
    let (path, heard) = heard(alice, bob, server, via);
    let share = if path["transport"] == "udp" { HEARD } else { HEARD_ON_A_STREAM };
    for (name, heard) in [("bob", heard[0]), ("alice", heard[1])] {
        assert!(heard >= share, "{name} heard {heard} of what was said: {path}");
    }
    path
}

/// Alice's `path` event, and the shares that Bob and Alice heard.
fn heard(alice: &Host, bob: &Host, server: &str, via: &Via<'_>) -> (Value, [f64; 2]) {
    let mut bob = via
        .phone(bob, "bob", &["answer", "--once"], server)
        .playing(|file| write_speech(file, "bob"))
        .start();
    bob.event("registered");
    let target = format!("{}:{}", via.protocol(), address("bob"));
    let mut alice = via
        .phone(alice, "alice", &["call", &target], server)
        .with(&["--duration", TALK])
        .playing(|file| write_speech(file, "alice"))
        .start();
    let path = alice.event("path");
    let (alice, bob) = (alice.succeed(), bob.succeed());
    let share = |listener: &Call, speaker: &Call| {
        share_heard(&read(&speaker.played), &read(&listener.heard))
    };
    (path, [share(&bob, &alice), share(&alice, &bob)])
}

fn on_a_lan(core_ip: &str, transport: &str) -> Value {
    let lan = Lan::new();
    let core = Core::start(&lan.core, core_ip);
    core.add_users(&["alice", "bob"]);
    let path =
        alice_calls_bob(&lan.alice, &lan.bob, core_ip, &Via::Sip { transport: Some(transport) });
    core.stop();
    path
}

fn over_xmpp_on_a_lan(core_ip: &str, transport: &str) -> Value {
    let lan = Lan::new();
    let core = Core::start(&lan.core, core_ip);
    core.add_users(&["alice", "bob"]);
    let via = Via::Xmpp { transport, certificate: core.certificate() };
    let path = alice_calls_bob(&lan.alice, &lan.bob, core_ip, &via);
    core.stop();
    path
}

fn through_nats(alices: Nat, bobs: Nat) -> Value {
    through_nats_via(alices, bobs, |_| Via::SIP)
}

fn over_xmpp_through_nats(alices: Nat, bobs: Nat) -> Value {
    let via = |core: &Core| Via::Xmpp { transport: "tcp", certificate: core.certificate() };
    through_nats_via(alices, bobs, via)
}

fn through_nats_via(alices: Nat, bobs: Nat, via: impl Fn(&Core) -> Via<'static>) -> Value {
    let net = TwoNats::new(alices, bobs);
    let core = Core::start(&net.core, TwoNats::CORE);
    core.add_users(&["alice", "bob"]);
    let path = alice_calls_bob(&net.alice, &net.bob, TwoNats::CORE, &via(&core));
    core.stop();
    path
}

#[test]
fn calls_over_udp() {
    if available(&["ip"]) {
        on_a_lan(Lan::CORE, "udp");
    }
}

#[test]
fn calls_over_tcp() {
    if available(&["ip"]) {
        on_a_lan(Lan::CORE, "tcp");
    }
}

#[test]
fn calls_over_ipv6() {
    if available(&["ip"]) {
        on_a_lan(Lan::CORE_V6, "udp");
    }
}

#[test]
fn calls_through_two_nats() {
    if available(&["ip", "nft"]) {
        let path = through_nats(Nat::PortRestricted, Nat::PortRestricted);
        assert_eq!(path["relayed"], false, "{path}");
    }
}

/// Two that only a relay joins: each way to it, and what the caller is told.
#[test]
fn relayed_between_symmetric_nats() {
    if available(&["ip", "nft"]) {
        let path = through_nats(Nat::Symmetric, Nat::Symmetric);
        assert_eq!(path["relayed"], true, "{path}");
    }
}

#[test]
fn relayed_where_udp_is_blocked() {
    if available(&["ip", "nft"]) {
        let path = through_nats(Nat::UdpBlocked, Nat::PortRestricted);
        assert_eq!((&path["relayed"], &path["transport"]), (&true.into(), &"tcp".into()), "{path}");
    }
}

#[test]
fn calls_over_xmpp_with_starttls() {
    if available(&["ip"]) {
        over_xmpp_on_a_lan(Lan::CORE, "tcp");
    }
}

#[test]
fn calls_over_xmpp_with_direct_tls_and_ipv6() {
    if available(&["ip"]) {
        over_xmpp_on_a_lan(Lan::CORE_V6, "tls");
    }
}

/// The ways through NATs are the same over XMPP.
#[test]
fn calls_over_xmpp_through_nats() {
    use Nat::{PortRestricted, Symmetric, UdpBlocked};
    if !available(&["ip", "nft"]) {
        return;
    }
    let direct = over_xmpp_through_nats(PortRestricted, PortRestricted);
    assert_eq!(direct["relayed"], false, "{direct}");
    let relayed = over_xmpp_through_nats(Symmetric, Symmetric);
    assert_eq!(relayed["relayed"], true, "{relayed}");
    let tcp = over_xmpp_through_nats(UdpBlocked, PortRestricted);
    assert_eq!((&tcp["relayed"], &tcp["transport"]), (&true.into(), &"tcp".into()), "{tcp}");
}

/// Two devices of one account ring together: one of them takes the call, the other is told so, and both
/// are free for the next.
#[test]
fn two_devices_of_one_account() {
    if !available(&["ip"]) {
        return;
    }
    let lan = Lan::new();
    let core = Core::start(&lan.core, Lan::CORE);
    core.add_users(&["alice", "bob"]);
    let phone = |host: &Host, name: &str, verb: &[&str]| {
        Phone::over("xmpp", host, name, verb, Lan::CORE).trusting(&core.certificate())
    };
    let mut devices = [&lan.bob, &lan.core].map(|host| phone(host, "bob", &["answer"]).start());
    for device in &mut devices {
        device.event("registered");
    }
    let target = format!("xmpp:{}", address("bob"));
    for n in 0..5 {
        let mut alice =
            phone(&lan.alice, "alice", &["call", &target]).with(&["--duration", "700ms"]).start();
        alice.event("answered");
        alice.succeed();
        let told = devices.each_mut().map(|device| device.events_until("ended"));
        let took = |events: &Vec<Value>| events.iter().any(|event| event["event"] == "path");
        assert_eq!(told.iter().filter(|events| took(events)).count(), 1, "call {n}: {told:?}");
        for events in &told {
            let calls = events.iter().filter(|event| event["event"] == "incoming").count();
            let reason = events.last().map(|ended| ended["reason"].to_string());
            let busy = reason.is_none_or(|reason| reason.contains("busy"));
            assert!(calls == 1 && !busy, "call {n}: {events:?}");
        }
    }
    for device in devices {
        assert_eq!(device.interrupt(), Some(130));
    }
    core.stop();
}

/// Two people write to each other over our core: STARTTLS over IPv4, direct TLS over IPv6.
#[test]
fn chats_over_xmpp() {
    if !available(&["ip"]) {
        return;
    }
    for (core_ip, transport) in [(Lan::CORE, "tcp"), (Lan::CORE_V6, "tls")] {
        let lan = Lan::new();
        let core = Core::start(&lan.core, core_ip);
        core.add_users(&["alice", "bob"]);
        let certificate = core.certificate();
        let chat = |host: &Host, name: &str, with: &str| {
            let verb = ["chat", &format!("xmpp:{}", address(with))];
            let phone = Phone::over("xmpp", host, name, &verb, core_ip).trusting(&certificate);
            phone.with(&["--transport", transport]).start_talking()
        };
        let mut alice = chat(&lan.alice, "alice", "bob");
        let mut bob = chat(&lan.bob, "bob", "alice");
        alice.event("registered");
        bob.event("registered");
        alice.say("hello, Grüße & <3");
        assert_eq!(bob.hears(), "hello, Grüße & <3");
        bob.say("the same to you");
        assert_eq!(alice.hears(), "the same to you");
        alice.fall_silent();
        alice.succeed();
        bob.fall_silent();
        bob.succeed();
        core.stop();
    }
}

/// Without a relay these two cannot meet: the call ends with exit code 15 and an explanation.
#[test]
fn says_why_two_nats_cannot_meet() {
    if !available(&["ip", "nft"]) {
        return;
    }
    let net = TwoNats::new(Nat::PortRestricted, Nat::Symmetric);
    let core = Core::start_with(&net.core, &[TwoNats::CORE], &["--set", "turn.ports=[]"]);
    core.add_users(&["alice", "bob"]);
    let mut bob = Phone::new(&net.bob, "bob", &["answer"], TwoNats::CORE).start();
    bob.event("registered");
    let target = format!("sip:{}", address("bob"));
    let mut alice = Phone::new(&net.alice, "alice", &["call", &target], TwoNats::CORE).start();
    let explanation = alice.event("explain");
    assert!(explanation["causes"].as_array().is_some_and(|c| !c.is_empty()), "{explanation}");
    assert_eq!(alice.finish().0, Some(15));
    assert_eq!(bob.interrupt(), Some(130));
    core.stop();
}
