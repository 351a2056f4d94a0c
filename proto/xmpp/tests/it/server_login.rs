//! Logging in: STARTTLS and direct TLS, right and wrong passwords.

use std::time::Duration;

use machine::{ConnectionBinding, Endpoint, Entropy};
use xmpp::sasl::{Binding, BindingType, Choice, Mechanism, base64, client};
use xmpp::server::{Event, Refusal};
use xmpp::{FullJid, ns};

use crate::server_rig::{HEADER, ROOM, Rig, at, config, password, plain};

const STARTTLS: &str = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";

#[test]
fn starttls_then_a_session() {
    let mut rig = Rig::new();
    let remote = at("198.51.100.7:40000");
    let conn = rig.accept(false, remote, ROOM);
    rig.send(conn, HEADER);
    let features = rig.text(conn);
    assert!(features.contains("<starttls") && features.contains("<required"), "{features}");
    assert!(!features.contains("<mechanisms"), "{features}");
    rig.send(conn, STARTTLS);
    assert!(rig.text(conn).contains("<proceed "));
    assert!(rig.tls.contains(&conn));
    rig.log_in(conn, "alice");
    rig.bind(conn, "phone");
    assert!(rig.text(conn).contains("<jid>alice@example.org/phone</jid>"));
    let jid = FullJid::new("alice@example.org/phone").unwrap();
    assert_eq!(rig.events, [Event::SessionStarted { jid, remote, direct_tls: false }]);
    assert_eq!((rig.stats().sessions, rig.server.get().sessions()), (1, 1));
}

#[test]
fn a_resource_is_made_up_where_none_is_asked_for() {
    let mut rig = Rig::new();
    let conn = rig.connect();
    rig.log_in(conn, "alice");
    assert!(rig.text(conn).contains("<sub xmlns='urn:xmpp:features:pre-approval'/>"));
    rig.send(conn, &format!("<iq type='set' id='1'><bind xmlns='{}'/></iq>", ns::BIND));
    let text = rig.text(conn);
    let (_, rest) = text.split_once("<jid>alice@example.org/").unwrap();
    assert_eq!(rest.split_once('<').unwrap().0.len(), 12, "{text}");
}

/// One SCRAM exchange by hand; what the server wrote of it, and the keys that it derived for it.
fn scram(rig: &mut Rig, mechanism: Mechanism, user: &str, password: &str) -> (String, u64) {
    let conn = rig.connect();
    rig.send(conn, HEADER);
    let before = rig.stats().derivations;
    let mut said = rig.text(conn);
    // The stream's id is another each time.
    said = said.split_once("<stream:features").unwrap().1.to_owned();
    let binding = ConnectionBinding { exporter: Some(vec![9; 32]), server_end_point: None };
    let (mut login, first) = start(mechanism, &binding, user, password);
    let first = base64::encode(&first);
    let name = mechanism.name();
    rig.send(conn, &format!("<auth xmlns='{}' mechanism='{name}'>{first}</auth>", ns::SASL));
    let challenge = rig.elements(conn).remove(0);
    assert_eq!(challenge.name(), "challenge");
    let challenge = base64::decode(&challenge.text()).unwrap();
    let text = String::from_utf8(challenge.clone()).unwrap();
    // Nonce, salt and count: the shapes of the first two, the third as it is.
    let parts: Vec<_> = text.split(',').collect();
    let [r, s, i] = parts[..] else { panic!("{text}") };
    said += &format!(" {} {} {i}", r.len(), s.len());
    let response = base64::encode(&login.challenge(&challenge).unwrap());
    rig.send(conn, &format!("<response xmlns='{}'>{response}</response>", ns::SASL));
    said += &rig.text(conn);
    (said, rig.stats().derivations - before)
}

fn start(
    mechanism: Mechanism,
    binding: &ConnectionBinding,
    user: &str,
    password: &str,
) -> (client::Login, Vec<u8>) {
    let data = binding.exporter.clone().unwrap();
    let binding = match mechanism {
        Mechanism::Scram(scram) if scram.plus => {
            Binding::Bound { kind: BindingType::TlsExporter, data }
        }
        _ => Binding::Unsupported,
    };
    let choice = Choice { mechanism, binding };
    client::Login::start(&choice, user, &password.into(), &mut Entropy::seeded(1)).unwrap()
}

#[test]
fn unknown_users_and_wrong_passwords_look_alike() {
    let mut config = config();
    // Clients want as many.
    config.iterations = xmpp::defaults::SCRAM_ITERATIONS_MIN;
    for mechanism in Mechanism::ALL.into_iter().filter(|m| *m != Mechanism::Plain) {
        let mut rig = Rig::with(config.clone());
        let wrong = scram(&mut rig, mechanism, "alice", "wrong");
        let unknown = scram(&mut rig, mechanism, "nobody", "wrong");
        assert_eq!(wrong, unknown, "{mechanism:?}");
        assert!(wrong.0.ends_with("<not-authorized/></failure>"), "{}", wrong.0);
        assert_eq!(rig.refused(Refusal::Credentials), 2);
        let right = scram(&mut rig, mechanism, "alice", &password("alice"));
        assert!(right.0.contains("<success "), "{}", right.0);
    }
    let plainly = |user: &str| {
        let mut rig = Rig::new();
        let conn = rig.connect();
        rig.send(conn, HEADER);
        rig.text(conn);
        rig.send(conn, &plain(user, "wrong"));
        (rig.text(conn), rig.stats().derivations)
    };
    let (wrong, unknown) = (plainly("alice"), plainly("nobody"));
    assert_eq!(wrong, unknown);
    assert!(wrong.0.contains("<not-authorized/>"), "{}", wrong.0);
    assert_eq!(wrong.1, 1);
}

/// The salt that a user's challenge has.
fn salt(rig: &mut Rig, user: &str) -> String {
    let conn = rig.connect();
    rig.send(conn, HEADER);
    rig.text(conn);
    let first = base64::encode(format!("n,,n={user},r=0123456789abcdef").as_bytes());
    let name = Mechanism::SCRAM_SHA_256.name();
    // Without channel binding, as a client that does not know it.
    rig.send(conn, &format!("<auth xmlns='{}' mechanism='{name}'>{first}</auth>", ns::SASL));
    let challenge = rig.elements(conn).remove(0).text();
    let challenge = String::from_utf8(base64::decode(&challenge).unwrap()).unwrap();
    challenge.split(',').nth(1).unwrap().to_owned()
}

#[test]
fn made_up_salts_stay_as_those_of_users_do() {
    let mut rig = Rig::new();
    let nobody = salt(&mut rig, "nobody");
    assert_eq!(salt(&mut rig, "nobody"), nobody);
    assert_ne!(salt(&mut rig, "nobody-else"), nobody);
    assert_eq!(nobody.len(), salt(&mut rig, "alice").len());
    // After a restart with the same secret too; with another one, others.
    assert_eq!(salt(&mut Rig::new(), "nobody"), nobody);
    let mut config = config();
    config.salt_secret = [8; 32];
    assert_ne!(salt(&mut Rig::with(config), "nobody"), nobody);
}

#[test]
fn a_few_attempts_a_stream_and_some_more_an_address() {
    let mut config = config();
    config.limits.attempts_per_address = 5;
    config.limits.attempts_per_stream = 3;
    let mut rig = Rig::with(config);
    let from = |n: u16| Endpoint::new("2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap(), n);
    let conn = rig.accept(true, from(1), ROOM);
    rig.send(conn, HEADER);
    for _ in 0..3 {
        rig.send(conn, &plain("alice", "wrong"));
    }
    assert!(rig.text(conn).contains("<policy-violation "));
    assert!(rig.closed.contains(&conn));
    assert_eq!((rig.refused(Refusal::Credentials), rig.refused(Refusal::Attempts)), (3, 1));
    // The next stream of its /64 has two more, and the right password is not even looked at then.
    let conn = rig.accept(true, at("[2001:db8::2]:1"), ROOM);
    rig.send(conn, HEADER);
    for _ in 0..2 {
        rig.send(conn, &plain("alice", "wrong"));
    }
    let derivations = rig.stats().derivations;
    rig.text(conn);
    rig.send(conn, &plain("alice", &password("alice")));
    assert!(rig.text(conn).contains("<policy-violation "));
    assert_eq!((rig.refused(Refusal::Credentials), rig.refused(Refusal::Attempts)), (5, 2));
    assert_eq!(rig.stats().derivations, derivations);
    // Elsewhere, and a while later, it is.
    rig.login("alice", "phone");
    rig.pass(Duration::from_secs(601));
    let conn = rig.accept(true, from(2), ROOM);
    rig.log_in(conn, "alice");
}

#[test]
fn logins_that_derive_a_key_count_whatever_comes_of_them() {
    let mut config = config();
    config.limits.attempts_per_address = 3;
    let mut rig = Rig::with(config);
    let from = at("198.51.100.200:1");
    let connect = |rig: &mut Rig| {
        let conn = rig.accept(true, from, ROOM);
        rig.send(conn, HEADER);
        rig.text(conn);
        conn
    };
    for password in [password("alice"), "wrong".to_owned(), password("alice")] {
        let conn = connect(&mut rig);
        rig.send(conn, &plain("alice", &password));
        rig.hang_up(conn);
    }
    let conn = connect(&mut rig);
    rig.send(conn, &plain("alice", &password("alice")));
    assert!(rig.text(conn).contains("<policy-violation "));
    assert_eq!((rig.stats().derivations, rig.refused(Refusal::Attempts)), (3, 1));
    // One of the three failed. Who has no keys derived is let in all the same.
    let conn = connect(&mut rig);
    // n,,n=alice,r=rOprNGfwEbeRWgbNEkqO
    let first = "biwsbj1hbGljZSxyPXJPcHJOR2Z3RWJlUldnYk5Fa3FP";
    rig.send(
        conn,
        &format!(
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-256'>{first}</auth>"
        ),
    );
    assert!(rig.text(conn).contains("<challenge "));
}

#[test]
fn so_many_keys_are_derived_and_no_more() {
    for user in ["alice", "nobody"] {
        let mut config = config();
        config.limits.derivations_per_second = 2;
        let mut rig = Rig::with(config);
        let told = |rig: &mut Rig| {
            let conn = rig.connect();
            rig.send(conn, HEADER);
            rig.text(conn);
            rig.send(conn, &plain(user, "wrong"));
            rig.elements(conn).remove(0).children().next().unwrap().name().to_owned()
        };
        let many: Vec<_> = (0..6).map(|_| told(&mut rig)).collect();
        assert_eq!(many[..4], ["not-authorized"; 4], "{user}");
        assert_eq!(many[4..], ["temporary-auth-failure"; 2], "{user}");
        assert_eq!((rig.stats().derivations, rig.refused(Refusal::Attempts)), (4, 2));
        rig.pass(Duration::from_millis(500));
        assert_eq!(told(&mut rig), "not-authorized");
        assert_eq!(told(&mut rig), "temporary-auth-failure");
    }
}

#[test]
fn who_cannot_be_looked_up_is_told_to_try_again() {
    let mut rig = Rig::new();
    rig.store.broken = true;
    let conn = rig.connect();
    rig.send(conn, HEADER);
    rig.send(conn, &plain("alice", &password("alice")));
    assert!(rig.text(conn).contains("<temporary-auth-failure/>"));
    assert_eq!((rig.refused(Refusal::World), rig.refused(Refusal::Credentials)), (1, 0));
    rig.store.broken = false;
    rig.send(conn, &plain("alice", &password("alice")));
    assert!(rig.text(conn).contains("<success "));
}
