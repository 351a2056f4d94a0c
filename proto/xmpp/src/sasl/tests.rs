//! Exchanges between both sides, and the published ones.

use crypto::Secret;
use machine::{ConnectionBinding, Entropy};
use proptest::collection::vec;
use proptest::prelude::*;

use super::keys::Decoy;
use super::message::{self, ClientFinal, ClientFirst, Flag, ServerFinal, ServerFirst};
use super::server::{self, Reply, offered};
use super::{Binding, BindingType, Choice, Mechanism, Policy, ScramKeys, choose, client};
use crate::defaults::{
    SASL_MESSAGE_MAX, SCRAM_ITERATIONS, SCRAM_ITERATIONS_MAX, SCRAM_NONCE_MAX, SCRAM_SALT_LEN,
};

fn tls() -> ConnectionBinding {
    ConnectionBinding { exporter: Some(vec![7; 32]), server_end_point: Some(vec![9; 32]) }
}

fn decoy() -> Decoy {
    Decoy::new([5; 32])
}

fn keys(password: &str) -> Option<ScramKeys> {
    ScramKeys::derive(password, b"sixteen bytes ok", 4096)
}

fn choice(mechanism: Mechanism, binding: Binding) -> Choice {
    Choice { mechanism, binding }
}

/// What came of an exchange, and every byte that the server sent in it.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    client: Result<(), client::Error>,
    server: Result<(), server::Error>,
    said: Vec<Vec<u8>>,
    derivations: u32,
}

/// Both sides to the end. `theirs` and `ours` are what TLS gives to the client and to the server.
fn exchange(
    choice: &Choice,
    ours: Option<&ConnectionBinding>,
    user: &str,
    password: &str,
    keys: Option<ScramKeys>,
) -> Outcome {
    let mut said = Vec::new();
    let mut client_entropy = Entropy::seeded(1);
    let mut server_entropy = Entropy::seeded(2);
    let (mut client, initial) =
        client::Login::start(choice, user, &Secret::new(password), &mut client_entropy).unwrap();
    let mut login = match server::Login::start(choice.mechanism, ours, &initial) {
        Ok(login) => login,
        Err(error) => {
            let client = Err(client::Error::Unproven);
            return Outcome { client, server: Err(error), said, derivations: 0 };
        }
    };
    assert_eq!(login.user(), user);
    let mut reply = login.credentials(keys, user, &decoy(), &mut server_entropy);
    let (client, server) = loop {
        match reply {
            Ok(Reply::Challenge(challenge)) => {
                let response = match client.challenge(&challenge) {
                    Ok(response) => response,
                    Err(error) => break (Err(error), Ok(())),
                };
                said.push(challenge);
                reply = login.response(&response);
            }
            Ok(Reply::Success(data)) => {
                let client = client.success(&data);
                said.push(data);
                break (client, Ok(()));
            }
            Err(error) => break (Err(client::Error::Unproven), Err(error)),
        }
    };
    Outcome { client, server, said, derivations: login.derivations() }
}

/// RFC 5802 §5 and RFC 7677 §3: the messages, read and written again.
#[test]
fn published_messages() {
    let cases = [
        (
            "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
            "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
            "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        ),
        (
            "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        ),
    ];
    for (first, challenge, last, success) in cases {
        let read = ClientFirst::parse(first.as_bytes()).unwrap();
        assert_eq!((read.user.as_str(), &read.flag), ("user", &Flag::No));
        assert_eq!(read.write(), first.as_bytes());
        let read = ServerFirst::parse(challenge.as_bytes()).unwrap();
        assert_eq!((read.iterations, read.write().as_str()), (4096, challenge));
        let read = ClientFinal::parse(last.as_bytes()).unwrap();
        assert_eq!((&read.binding[..], &*read.write()), (&b"n,,"[..], last.as_bytes()));
        let read = ServerFinal::parse(success.as_bytes()).unwrap();
        assert_eq!(read.write(), success.as_bytes());
    }
}

#[test]
fn every_mechanism_and_binding() {
    let tls = tls();
    for mechanism in Mechanism::ALL {
        let bindings = if mechanism.is_bound() {
            BindingType::ALL
                .map(|kind| Binding::Bound { kind, data: kind.of(&tls).unwrap().to_vec() })
                .to_vec()
        } else {
            vec![Binding::Unsupported]
        };
        for binding in bindings {
            let choice = choice(mechanism, binding);
            let outcome = exchange(&choice, Some(&tls), "al,i=ce", "pëncil", keys("pëncil"));
            assert_eq!((outcome.client, outcome.server), (Ok(()), Ok(())), "{mechanism}");
            assert_eq!(outcome.derivations, u32::from(mechanism == Mechanism::Plain));
        }
    }
}

#[test]
fn the_password_is_prepared() {
    for mechanism in [Mechanism::Plain, Mechanism::SCRAM_SHA_256] {
        let choice = choice(mechanism, Binding::Unsupported);
        let typed = exchange(&choice, Some(&tls()), "user", "I\u{ad}X", keys("\u{2168}"));
        assert_eq!((typed.client, typed.server), (Ok(()), Ok(())));
    }
}

#[test]
fn a_wrong_password_and_nobody_look_the_same() {
    for mechanism in [Mechanism::Plain, Mechanism::SCRAM_SHA_1, Mechanism::SCRAM_SHA_256] {
        let choice = choice(mechanism, Binding::Unsupported);
        let tried = |keys| exchange(&choice, Some(&tls()), "mallory", "guess", keys);
        let nobody = tried(None);
        // A real account with the salt that is made up for the name, so that bytes can be compared.
        let salt = decoy().keys("mallory").sha256.salt;
        let somebody = tried(ScramKeys::derive("secret", &salt, SCRAM_ITERATIONS));
        assert_eq!(nobody, somebody);
        assert_eq!(nobody.server, Err(server::Error::NotAuthorized));
        assert_eq!(nobody, tried(None));
    }
}

#[test]
fn what_is_made_up_is_stable_and_shaped_like_an_account() {
    let (ours, keys) = (keys("x").unwrap(), decoy().keys("nobody"));
    assert_eq!(keys, decoy().keys("nobody"));
    assert_ne!(keys.sha256.salt, decoy().keys("nobodi").sha256.salt);
    assert_ne!(keys.sha256.salt, Decoy::new([6; 32]).keys("nobody").sha256.salt);
    assert_eq!(keys.sha1.salt, keys.sha256.salt);
    assert_eq!((keys.sha1.salt.len(), keys.sha1.iterations), (SCRAM_SALT_LEN, SCRAM_ITERATIONS));
    for (made_up, real) in [(&keys.sha1, &ours.sha1), (&keys.sha256, &ours.sha256)] {
        assert_eq!(made_up.stored_key.len(), real.stored_key.len());
        assert_eq!(made_up.server_key.len(), real.server_key.len());
        assert_ne!(made_up.stored_key, made_up.server_key);
    }
}

#[test]
fn another_channel_is_refused() {
    // Somebody in the middle has a TLS connection of their own to each side.
    for kind in BindingType::ALL {
        let bound = choice(
            Mechanism::SCRAM_SHA_256_PLUS,
            Binding::Bound { kind, data: b"the middle's".to_vec() },
        );
        let outcome = exchange(&bound, Some(&tls()), "alice", "secret", keys("secret"));
        assert_eq!(outcome.server, Err(server::Error::NotAuthorized));
    }
}

#[test]
fn a_list_without_plus_is_noticed() {
    let stripped = [Mechanism::SCRAM_SHA_256, Mechanism::SCRAM_SHA_1];
    let chosen = choose(&stripped, None, Some(&tls()), &Policy::default()).unwrap();
    let outcome = exchange(&chosen, Some(&tls()), "alice", "secret", keys("secret"));
    assert_eq!(outcome.server, Err(server::Error::Downgrade));
    // The same client at a server that has nothing to bind to.
    let none = ConnectionBinding::default();
    let outcome = exchange(&chosen, Some(&none), "alice", "secret", keys("secret"));
    assert_eq!((outcome.client, outcome.server), (Ok(()), Ok(())));
}

#[test]
fn what_a_server_offers() {
    use Mechanism as M;
    assert_eq!(offered(Some(&tls())), M::ALL);
    assert_eq!(offered(None), [M::SCRAM_SHA_256, M::SCRAM_SHA_1]);
    let bare = ConnectionBinding::default();
    assert_eq!(offered(Some(&bare)), [M::SCRAM_SHA_256, M::SCRAM_SHA_1, M::Plain]);
    let started = |mechanism, tls: Option<&ConnectionBinding>, initial: &[u8]| {
        server::Login::start(mechanism, tls, initial).map(|login| login.user().to_owned())
    };
    assert_eq!(started(M::Plain, None, b"\0u\0p"), Err(server::Error::Mechanism));
    assert_eq!(started(M::Plain, Some(&bare), b"\0u"), Err(server::Error::Form));
    let first = b"p=tls-exporter,,n=u,r=12345678";
    assert_eq!(started(M::SCRAM_SHA_1_PLUS, Some(&bare), first), Err(server::Error::Mechanism));
    assert_eq!(started(M::SCRAM_SHA_1, Some(&tls()), first), Err(server::Error::Binding));
    for unbound in
        [&b"n,,n=u,r=12345678"[..], b"y,,n=u,r=12345678", b"p=tls-unique,,n=u,r=12345678"]
    {
        let bound = started(M::SCRAM_SHA_1_PLUS, Some(&tls()), unbound);
        assert_eq!(bound, Err(server::Error::Binding));
    }
}

/// A client in the middle of an exchange, and its nonce.
fn asked() -> (client::Login, String) {
    let choice = choice(Mechanism::SCRAM_SHA_1, Binding::Unsupported);
    let (login, initial) =
        client::Login::start(&choice, "u", &Secret::new("p"), &mut Entropy::seeded(1)).unwrap();
    (login, ClientFirst::parse(&initial).unwrap().nonce)
}

#[test]
fn what_a_client_refuses_of_a_challenge() {
    let (_, nonce) = asked();
    let answered = |challenge: String| asked().0.challenge(challenge.as_bytes()).unwrap_err();
    let counted = |count: u32| answered(format!("r={nonce}12345678,s=c2FsdA==,i={count}"));
    assert_eq!(counted(1), client::Error::FewIterations(1));
    assert_eq!(counted(4095), client::Error::FewIterations(4095));
    let many = SCRAM_ITERATIONS_MAX + 1;
    assert_eq!(counted(many), client::Error::ManyIterations(many));
    let form = |what| client::Error::Message(message::Error::Form(what));
    assert_eq!(counted(0), form("iteration count"));
    for nonce in [nonce.clone(), format!("{nonce}1234567"), format!("x{nonce}12345678")] {
        assert_eq!(answered(format!("r={nonce},s=c2FsdA==,i=4096")), client::Error::Nonce);
    }
    let long = "x".repeat(SCRAM_NONCE_MAX);
    assert_eq!(answered(format!("r={nonce}{long},s=c2FsdA==,i=4096")), form("nonce"));
    assert_eq!(answered(format!("r={nonce}12345678,s=,i=4096")), form("salt"));
    let too_long = answered("r".repeat(SASL_MESSAGE_MAX + 1));
    assert_eq!(too_long, client::Error::Message(message::Error::TooLong));
    let extension = answered(format!("m=x,r={nonce}12345678,s=c2FsdA==,i=4096"));
    assert_eq!(extension, client::Error::Message(message::Error::Extension));
}

#[test]
fn a_server_that_does_not_know_the_account() {
    let (mut early, _) = asked();
    assert_eq!(early.success(b"v=AAAA"), Err(client::Error::Unproven));
    let answered = |last: &[u8]| {
        let (mut login, nonce) = asked();
        let challenge = format!("r={nonce}12345678,s=c2FsdA==,i=4096");
        login.challenge(challenge.as_bytes()).unwrap();
        login.success(last)
    };
    assert_eq!(answered(b""), Err(client::Error::Unproven));
    assert_eq!(answered(b"v=AAAA"), Err(client::Error::Unproven));
    let refused = client::Error::Refused("other-error".to_owned());
    assert_eq!(answered(b"e=other-error"), Err(refused));
}

#[test]
fn the_servers_proof_may_come_as_a_challenge() {
    let choice = choice(Mechanism::SCRAM_SHA_256, Binding::Unsupported);
    let start = || {
        let mut entropy = Entropy::seeded(1);
        client::Login::start(&choice, "u", &Secret::new("p"), &mut entropy).unwrap()
    };
    let (mut client, initial) = start();
    let mut login = server::Login::start(choice.mechanism, None, &initial).unwrap();
    let reply = login.credentials(keys("p"), "u", &decoy(), &mut Entropy::seeded(2)).unwrap();
    let Reply::Challenge(challenge) = reply else { panic!("no challenge: {reply:?}") };
    let response = client.challenge(&challenge).unwrap();
    let Reply::Success(data) = login.response(&response).unwrap() else { panic!("no success") };
    assert_eq!(client.challenge(&data), Ok(Vec::new()));
    assert_eq!(client.success(b""), Ok(()));
    assert_eq!(client.success(b""), Err(client::Error::OutOfTurn));
    assert_eq!(login.response(&response), Err(server::Error::OutOfTurn));
}

#[test]
fn credentials_that_nobody_can_have() {
    let started = |mechanism, user, password: &[u8]| {
        let choice = choice(mechanism, Binding::Unsupported);
        let password = Secret::new(password);
        client::Login::start(&choice, user, &password, &mut Entropy::seeded(1)).map(|_| ())
    };
    for mechanism in [Mechanism::Plain, Mechanism::SCRAM_SHA_1] {
        for (user, password) in [("", &b"p"[..]), ("u", b""), ("u", b"\xff"), ("u\0", b"p")] {
            let refused = Err(client::Error::Credentials);
            assert_eq!(started(mechanism, user, password), refused, "{user:?}");
        }
    }
    assert_eq!(started(Mechanism::SCRAM_SHA_1, "u", b"bell\x07"), Err(client::Error::Credentials));
}

fn word() -> impl Strategy<Value = String> {
    "[^\0,]{1,12}".prop_filter("empty", |word| !word.is_empty())
}

proptest! {
    #[test]
    fn first_messages_come_back(
        flag in prop_oneof![Just(Flag::No), Just(Flag::Yes), "[a-z0-9.-]{1,9}".prop_map(Flag::Bound)],
        authzid in proptest::option::of("[^\0]{1,9}"),
        user in "[^\0]{1,9}",
        nonce in "[!-+\\--~]{8,40}",
        extension in proptest::option::of(word()),
    ) {
        let extensions = extension.map(|word| format!(",x={word}")).unwrap_or_default();
        let message = ClientFirst { flag, authzid, user, nonce, extensions };
        prop_assert_eq!(ClientFirst::parse(&message.write()), Ok(message));
    }

    #[test]
    fn other_messages_come_back(
        binding in vec(any::<u8>(), 0..40),
        nonce in "[!-+\\--~]{8,40}",
        salt in vec(any::<u8>(), 1..40),
        iterations in 1_u32..,
    ) {
        let (proof, extensions) = (salt.clone(), ",y=z".to_owned());
        let last = ClientFinal { binding, nonce: nonce.clone(), extensions, proof };
        prop_assert_eq!(ClientFinal::parse(&last.write()), Ok(last));
        let success = ServerFinal::Signature(salt.clone());
        prop_assert_eq!(ServerFinal::parse(&success.write()), Ok(success));
        let first = ServerFirst { nonce, salt, iterations };
        prop_assert_eq!(ServerFirst::parse(first.write().as_bytes()), Ok(first));
    }

    #[test]
    fn nothing_panics(bytes in vec(any::<u8>(), 0..64), text in "[rsicpvnay=,0-9A-Za-z+/é]{0,64}") {
        for bytes in [&bytes[..], text.as_bytes()] {
            // What is read is written as it stood, since it is signed.
            if let Ok(message) = ClientFirst::parse(bytes) {
                prop_assert_eq!(&message.write()[..], bytes);
            }
            if let Ok(message) = ClientFinal::parse(bytes) {
                prop_assert_eq!(&message.write()[..], bytes);
            }
            let _ = (ServerFirst::parse(bytes), ServerFinal::parse(bytes));
            let _ = asked().0.challenge(bytes);
            let _ = server::Login::start(Mechanism::SCRAM_SHA_1, None, bytes);
        }
    }
}
