use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use machine::{Entropy, Instant, Now};
use proptest::prelude::*;

use super::{Authenticator, Config, Examined, Proof};
use crate::auth::{Client, Ha1, Hash, Login, Side};
use crate::header::{Credentials, name};
use crate::message::Request;
use crate::method::Method;
use crate::status::Status;

const REALM: &str = "example.org";
const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

fn at(secs: u64) -> Now {
    Now { mono: Instant::ORIGIN, unix: Duration::from_secs(secs) }
}

fn authenticator(algorithms: &[Hash]) -> Authenticator {
    let config = Config { algorithms: algorithms.to_vec(), ..Config::default() };
    Authenticator::new(config, Entropy::seeded(2))
}

fn register() -> Request {
    Request::new(Method::Register, "sip:example.org".parse().unwrap())
}

/// A request that answers a challenge of `server` with this password.
fn answered(server: &mut Authenticator, now: Now, side: Side, password: &str) -> Request {
    let mut client = Client::new(Login::new("alice", password), Entropy::seeded(3));
    let mut request = register();
    let challenge = server.challenge(now, &request, side, REALM, SOURCE, false);
    client.handle_challenge(&request, &challenge).unwrap();
    client.authorize(&mut request);
    request
}

fn key(hash: Hash) -> Ha1 {
    Ha1::derive(hash, "alice", REALM, b"secret")
}

fn check(server: &mut Authenticator, now: Now, request: &Request, ha1: Option<&Ha1>) -> Proof {
    match server.examine(now, request, Side::Server, REALM, SOURCE) {
        Examined::Claim(claim) => server.verify(now, request, &claim, ha1),
        other => panic!("{other:?}"),
    }
}

#[test]
fn rounds_with_every_algorithm() {
    for hash in Hash::ALL {
        let mut server = authenticator(&[hash]);
        let request = answered(&mut server, at(1), Side::Server, "secret");
        assert_eq!(check(&mut server, at(1), &request, Some(&key(hash))), Proof::Good);
        let request = answered(&mut server, at(1), Side::Server, "wrong");
        assert_eq!(check(&mut server, at(1), &request, Some(&key(hash))), Proof::Bad);
        assert_eq!(check(&mut server, at(1), &request, None), Proof::Bad);
    }
}

#[test]
fn challenges_in_order_of_preference() {
    let mut server = authenticator(&[Hash::Sha256, Hash::Md5]);
    let response = server.challenge(at(1), &register(), Side::Proxy, REALM, SOURCE, true);
    assert_eq!(response.status, Status::PROXY_AUTHENTICATION_REQUIRED);
    let challenges = response.headers.challenges(name::PROXY_AUTHENTICATE);
    let algorithms: Vec<_> = challenges.iter().map(|c| c.get("algorithm").unwrap()).collect();
    assert_eq!(algorithms, ["SHA-256", "MD5"]);
    assert!(challenges.iter().all(|c| c.get("stale").as_deref() == Some("true")));
    assert_eq!(Config::default().algorithms, [Hash::Md5]);
}

#[test]
fn an_unknown_user_looks_like_a_wrong_password() {
    let mut server = authenticator(&[Hash::Md5]);
    let request = answered(&mut server, at(1), Side::Server, "");
    // Even the password that stands in for the missing one opens nothing.
    assert_eq!(check(&mut server, at(1), &request, None), Proof::Bad);
    let other = key(Hash::Sha256);
    assert_eq!(check(&mut server, at(1), &request, Some(&other)), Proof::Bad);
}

#[test]
fn a_request_is_good_once() {
    let mut server = authenticator(&[Hash::Md5]);
    let ha1 = key(Hash::Md5);
    let request = answered(&mut server, at(1), Side::Server, "secret");
    assert_eq!(check(&mut server, at(1), &request, Some(&ha1)), Proof::Good);
    assert_eq!(check(&mut server, at(1), &request, Some(&ha1)), Proof::Stale);
    assert_eq!(server.nonces_in_use(), 1);
}

#[test]
fn strangers_leave_no_trace() {
    let mut server = authenticator(&[Hash::Md5]);
    let ha1 = key(Hash::Md5);
    for _ in 0..100 {
        let request = answered(&mut server, at(1), Side::Server, "guess");
        assert_eq!(check(&mut server, at(1), &request, Some(&ha1)), Proof::Bad);
    }
    assert_eq!(server.nonces_in_use(), 0);
}

#[test]
fn remembered_nonces_are_bounded() {
    let config = Config { max_nonces: 5, ..Config::default() };
    let mut server = Authenticator::new(config, Entropy::seeded(2));
    let ha1 = key(Hash::Md5);
    for secs in 1..100 {
        let request = answered(&mut server, at(secs), Side::Server, "secret");
        assert_eq!(check(&mut server, at(secs), &request, Some(&ha1)), Proof::Good);
        assert!(server.nonces_in_use() <= 5);
    }
}

#[test]
fn a_nonce_is_good_where_it_was_given() {
    let mut server = authenticator(&[Hash::Md5]);
    let request = answered(&mut server, at(1), Side::Server, "secret");
    let elsewhere = "192.0.2.8".parse().unwrap();
    let examined = server.examine(at(1), &request, Side::Server, REALM, elsewhere);
    assert_eq!(examined, Examined::Stale);
    assert_eq!(check(&mut server, at(1), &request, Some(&key(Hash::Md5))), Proof::Good);
}

#[test]
fn old_and_foreign_nonces_are_stale() {
    let mut server = authenticator(&[Hash::Md5]);
    let request = answered(&mut server, at(1), Side::Server, "secret");
    assert_eq!(server.examine(at(100_000), &request, Side::Server, REALM, SOURCE), Examined::Stale);
    let mut restarted = Authenticator::new(Config::default(), Entropy::seeded(99));
    assert_eq!(restarted.examine(at(1), &request, Side::Server, REALM, SOURCE), Examined::Stale);
    assert_eq!(
        restarted.examine(at(1), &request, Side::Server, "other", SOURCE),
        Examined::Nothing
    );
    assert_eq!(restarted.examine(at(1), &request, Side::Proxy, REALM, SOURCE), Examined::Nothing);
    let mut bare = register();
    bare.headers.push(name::AUTHORIZATION, "Basic YTpi");
    assert_eq!(restarted.examine(at(1), &bare, Side::Server, REALM, SOURCE), Examined::Nothing);
    // A client learns that it may try again without asking for the password.
    let challenge = restarted.challenge(at(1), &request, Side::Server, REALM, SOURCE, true);
    let mut client = Client::new(Login::new("alice", "secret"), Entropy::seeded(4));
    assert_eq!(client.handle_challenge(&request, &challenge), Ok(()));
}

/// The same credentials without what qop brings, as peers of RFC 2069 send them.
fn without_qop(server: &mut Authenticator, now: Now) -> Request {
    let mut challenge = server.challenge(now, &register(), Side::Server, REALM, SOURCE, false);
    let text =
        challenge.headers.first(name::WWW_AUTHENTICATE).unwrap().replace(", qop=\"auth\"", "");
    challenge.headers.set(name::WWW_AUTHENTICATE, text);
    let mut client = Client::new(Login::new("alice", "secret"), Entropy::seeded(3));
    let mut request = register();
    client.handle_challenge(&request, &challenge).unwrap();
    client.authorize(&mut request);
    request
}

#[test]
fn peers_without_qop_use_a_nonce_once() {
    let mut server = authenticator(&[Hash::Md5]);
    let ha1 = key(Hash::Md5);
    let request = without_qop(&mut server, at(1));
    assert_eq!(request.headers.credentials(name::AUTHORIZATION)[0].get("qop"), None);
    assert_eq!(check(&mut server, at(1), &request, Some(&ha1)), Proof::Good);
    assert_eq!(check(&mut server, at(1), &request, Some(&ha1)), Proof::Stale);
}

#[test]
fn what_was_signed_is_what_is_asked() {
    let mut server = authenticator(&[Hash::Md5]);
    let ha1 = key(Hash::Md5);
    let request = answered(&mut server, at(1), Side::Server, "secret");
    let with = |uri: &str| Request { uri: uri.parse().unwrap(), ..request.clone() };
    assert_eq!(check(&mut server, at(1), &with("sip:bob@example.org"), Some(&ha1)), Proof::Bad);
    assert_eq!(check(&mut server, at(1), &with("sip:example.com"), Some(&ha1)), Proof::Bad);
    let other_method = Request { method: Method::Invite, ..request.clone() };
    assert_eq!(check(&mut server, at(1), &other_method, Some(&ha1)), Proof::Bad);
    let with_port = with("sip:EXAMPLE.org:5060;transport=udp");
    assert_eq!(check(&mut server, at(1), &with_port, Some(&ha1)), Proof::Good);
}

#[test]
fn counts_are_eight_digits() {
    for (nc, count) in [
        ("00000001", Some(1)),
        ("ff", Some(255)),
        ("00000000", None),
        ("+1", None),
        ("", None),
        ("000000001", None),
    ] {
        assert_eq!(super::hex_count(nc), count, "{nc}");
    }
}

proptest! {
    #[test]
    fn arbitrary_credentials_never_panic(text in "(Digest )?([a-z]{0,9}=\"?[ -~]{0,12}\"?,? ?){0,9}", raw: String) {
        let mut server = authenticator(&[Hash::Md5]);
        for text in [&text, &raw] {
            let mut request = register();
            request.headers.push(name::AUTHORIZATION, text);
            if let Examined::Claim(claim) = server.examine(at(1), &request, Side::Server, REALM, SOURCE) {
                prop_assert_eq!(server.verify(at(1), &request, &claim, None), Proof::Bad);
            }
            if let Ok(credentials) = text.parse::<Credentials>() {
                prop_assert_eq!(credentials.to_string().parse::<Credentials>(), Ok(credentials));
            }
        }
    }
}
