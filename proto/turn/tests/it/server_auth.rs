//! Credentials: algorithms, USERHASH, time-limited ones from a shared secret, what is asked of the
//! world and what is not.

use std::time::Duration;

use crypto::Secret;
use stun::attribute::SecurityFeatures;
use stun::{Integrity, Method, PasswordAlgorithm};
use turn::TurnBuilder;
use turn::server::defaults::{CACHED_KEYS_LIFETIME, WAITING_PER_ADDRESS};
use turn::server::{Question, Refusal, User};
use wayleave_turn as turn;

use crate::server_rig::{Client, Over, Rig, at, config};

#[test]
fn the_challenge_offers_what_there_is() {
    let mut rig = Rig::new();
    let mut alice = Client::udp("198.51.100.1:4000", "alice");
    let reply = alice.greet(&mut rig);
    let message = reply.message();
    assert_eq!(message.realm(), Some("example.org"));
    let algorithms = [PasswordAlgorithm::Sha256, PasswordAlgorithm::Md5];
    assert_eq!(message.password_algorithms().as_deref(), Some(&algorithms[..]));
    let features = SecurityFeatures::of(message.nonce().unwrap()).unwrap();
    assert!(features.password_algorithms && features.username_anonymity);
    assert_eq!(message.integrity(), None);
}

#[test]
fn clients_of_rfc_5389_sign_with_md5() {
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    let reply = alice.allocate_with(&mut rig, |_| {});
    assert_eq!(reply.message().verify_integrity(&alice.key()), Ok(Integrity::Sha1));
}

#[test]
fn clients_of_rfc_8489_sign_with_sha_256_and_hide_their_name() {
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    let offered = vec![PasswordAlgorithm::Sha256, PasswordAlgorithm::Md5];
    alice.algorithms = Some((offered.clone(), PasswordAlgorithm::Sha256));
    alice.anonymous = true;
    let reply = alice.allocate_with(&mut rig, |_| {});
    assert_eq!(reply.code(), 200);
    assert_eq!(reply.message().verify_integrity(&alice.key()), Ok(Integrity::Sha256));
    // The other algorithm, and the name in clear, are the same user.
    alice.algorithms = Some((offered, PasswordAlgorithm::Md5));
    assert_eq!(alice.refresh(&mut rig, 600).code(), 200);
    alice.anonymous = false;
    assert_eq!(alice.refresh(&mut rig, 600).code(), 200);
}

#[test]
fn a_nonce_without_its_features_is_stale() {
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    alice.nonce.drain(..13);
    assert_eq!(alice.allocate_with(&mut rig, |_| {}).code(), 438);
}

#[test]
fn both_spellings_of_a_name() {
    let mut rig = Rig::new();
    let mut alice = Client::udp("198.51.100.1:4000", "alice@example.org");
    alice.greet(&mut rig);
    alice.allocate(&mut rig);
}

fn rest_password(secret: &str, user: &str) -> String {
    let mac = crypto::hmac_sha1(secret.as_bytes(), &[user.as_bytes()]);
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: String = mac.iter().map(|byte| format!("{byte:08b}")).collect();
    let digit = |six: &[u8]| {
        let six = format!("{:0<6}", std::str::from_utf8(six).unwrap());
        char::from(alphabet[usize::from_str_radix(&six, 2).unwrap()])
    };
    let text: String = bits.as_bytes().chunks(6).map(digit).collect();
    format!("{text}=")
}

#[test]
fn time_limited_credentials() {
    let mut config = config();
    config.secrets = vec![Secret::new("north"), Secret::new("south")];
    config.limits.allocations_per_user = 1;
    let mut rig = Rig::with(config);
    let end = rig.now().unix_secs() + 60;
    let user = format!("{end}:carol");
    for (n, (secret, code)) in [("north", 200), ("east", 401), ("south", 486)].iter().enumerate() {
        let mut carol = Client::udp(&format!("198.51.100.1:{}", 4000 + n), &user);
        carol.password = rest_password(secret, &user);
        carol.greet(&mut rig);
        assert_eq!(carol.allocate_with(&mut rig, |_| {}).code(), *code, "{secret}");
    }
    assert_eq!(rig.asked, 1, "only about what no secret explains");
    // Whoever has an account of this name has a quota besides.
    let user = format!("{end}:alice");
    let mut guest = Client::udp("198.51.100.1:4500", &user);
    guest.password = rest_password("north", &user);
    guest.greet(&mut rig);
    guest.allocate(&mut rig);
    let mut alice = Client::udp("198.51.100.1:4501", "alice");
    alice.greet(&mut rig);
    alice.allocate(&mut rig);
    // Another time, the same Carol.
    let later = format!("{}:carol", end + 60);
    let mut carol = Client::udp("198.51.100.1:5000", &later);
    carol.password = rest_password("south", &later);
    carol.greet(&mut rig);
    assert_eq!(carol.allocate_with(&mut rig, |_| {}).code(), 486);
    rig.pass(Duration::from_secs(700));
    carol.greet(&mut rig);
    assert_eq!(carol.allocate_with(&mut rig, |_| {}).code(), 401, "its time is over");
}

#[test]
fn secrets_rotate_and_calls_go_on() {
    let mut config = config();
    config.secrets = vec![Secret::new("north")];
    let mut rig = Rig::with(config);
    let user = format!("{}:carol", rig.now().unix_secs() + 60);
    let mut carol = Client::udp("198.51.100.1:4000", &user);
    carol.password = rest_password("north", &user);
    carol.greet(&mut rig);
    carol.allocate(&mut rig);
    rig.verb(|server, _| server.set_shared_secrets(vec![Secret::new("south")]));
    rig.pass(Duration::from_secs(120));
    assert_eq!(carol.refresh(&mut rig, 600).code(), 200, "who has an allocation keeps it");
    let mut other = Client::udp("198.51.100.1:4001", &user);
    other.password = carol.password.clone();
    other.greet(&mut rig);
    assert_eq!(other.allocate_with(&mut rig, |_| {}).code(), 401);
}

#[test]
fn keys_are_asked_for_once_in_a_while() {
    let mut rig = Rig::new();
    let mut first = Client::alice(&mut rig);
    first.allocate(&mut rig);
    for _ in 0..5 {
        first.permit(&mut rig, &["203.0.113.5:0"]);
    }
    assert_eq!(rig.asked, 1, "an allocation keeps its keys");
    let mut second = Client::udp("198.51.100.1:4001", "alice");
    second.greet(&mut rig);
    second.allocate(&mut rig);
    assert_eq!(rig.asked, 1, "and they are remembered for a while");
    // For the same source alone: others learn nothing from how fast an answer comes.
    let mut third = Client::udp("198.51.100.2:4001", "alice");
    third.greet(&mut rig);
    third.allocate(&mut rig);
    assert_eq!(rig.asked, 2);
    rig.pass(CACHED_KEYS_LIFETIME);
    let mut fourth = Client::udp("198.51.100.1:4002", "alice");
    fourth.greet(&mut rig);
    fourth.allocate(&mut rig);
    assert_eq!(rig.asked, 3);
    rig.verb(|server, _| server.reload(config()));
    let mut fifth = Client::udp("198.51.100.1:4003", "alice");
    fifth.greet(&mut rig);
    fifth.allocate(&mut rig);
    assert_eq!(rig.asked, 4, "a reload forgets");
}

#[test]
fn what_is_asked() {
    let mut rig = Rig::new();
    rig.hold = true;
    let mut alice = Client::alice(&mut rig);
    alice.anonymous = true;
    let mut request = alice.request(Method::ALLOCATE);
    request.requested_transport(turn::RelayTransport::Udp);
    let bytes = alice.sign(request);
    alice.send(&mut rig, &bytes);
    let (_, question) = rig.questions.front().unwrap();
    let user = User::Hash(stun::integrity::userhash("alice", "example.org"));
    assert_eq!(*question, Question::Credentials { user, realm: "example.org".to_owned() });
}

#[test]
fn questions_of_one_source_have_a_limit() {
    let mut rig = Rig::new();
    rig.hold = true;
    let mut alice = Client::alice(&mut rig);
    for _ in 0..WAITING_PER_ADDRESS + 10 {
        let mut request = alice.request(Method::ALLOCATE);
        request.requested_transport(turn::RelayTransport::Udp);
        let bytes = alice.sign(request);
        alice.send(&mut rig, &bytes);
    }
    assert_eq!(rig.questions.len(), WAITING_PER_ADDRESS);
    assert_eq!(rig.refused(Refusal::Capacity), 10);
    assert_eq!(rig.stats().waiting, WAITING_PER_ADDRESS as u64);
    let mut bob = Client::udp("198.51.100.2:4000", "bob");
    bob.greet(&mut rig);
    let mut request = bob.request(Method::ALLOCATE);
    request.requested_transport(turn::RelayTransport::Udp);
    let bytes = bob.sign(request);
    bob.send(&mut rig, &bytes);
    assert_eq!(rig.questions.len(), WAITING_PER_ADDRESS + 1, "others may ask");
    rig.take();
    while !rig.questions.is_empty() {
        rig.answer();
    }
    assert_eq!(rig.stats().waiting, 0);
    // One of them succeeded, the others found an allocation.
    assert_eq!(rig.server.get().allocations(), 2);
}

#[test]
fn all_addresses_of_a_prefix_are_one_source() {
    let mut rig = Rig::new();
    rig.hold = true;
    let ask = |rig: &mut Rig, remote: &str| {
        let mut client = Client::udp(remote, "alice");
        client.greet(rig);
        let mut request = client.request(Method::ALLOCATE);
        request.requested_transport(turn::RelayTransport::Udp);
        let bytes = client.sign(request);
        client.send(rig, &bytes);
    };
    for n in 1..=WAITING_PER_ADDRESS + 10 {
        ask(&mut rig, &format!("[2001:db8:1:2::{n:x}]:4000"));
    }
    assert_eq!(rig.questions.len(), WAITING_PER_ADDRESS);
    ask(&mut rig, "[2001:db8:1:3::1]:4000");
    assert_eq!(rig.questions.len(), WAITING_PER_ADDRESS + 1, "others may ask");
    // What was answered to one of them is remembered for all of them.
    while !rig.questions.is_empty() {
        rig.answer();
    }
    let asked = rig.asked;
    rig.take();
    ask(&mut rig, "[2001:db8:1:2::ffff]:4000");
    assert_eq!((rig.asked, rig.stats().waiting), (asked, 0));
}

#[test]
fn realms_are_served_side_by_side() {
    let mut config = config();
    config.realms.push("example.net".to_owned());
    let mut rig = Rig::with(config);
    let mut alice = Client::alice(&mut rig);
    alice.realm = "example.net".to_owned();
    alice.allocate(&mut rig);
    let mut other = Client::new(Over::Udp(at("198.51.100.1:4000")), "alice");
    other.nonce = alice.nonce.clone();
    other.ids = 1000;
    assert_eq!(other.refresh(&mut rig, 600).code(), 441, "another realm's Alice");
}
