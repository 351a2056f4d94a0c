//! A client's stream against a server's, in virtual time, with bytes cut anywhere.

use std::sync::Arc;

use crypto::Secret;
use machine::{ConnectionBinding, Entropy, Now};
use proptest::collection::vec;
use proptest::prelude::*;

use super::{PASSWORD, account, at, both_bindings, keys, no_binding, server_config};
use crate::sasl::{Mechanism, Policy};
use crate::stanza::{self, MessageType, StanzaError};
use crate::stream::client::{self, Failure};
use crate::stream::server::{self, End, Entry, Refusal};
use crate::stream::{Condition, StreamError};
use crate::{BareJid, Element, FullJid, Jid, ResourcePart, Stanza, ns};

/// How the two are set up.
#[derive(Clone)]
struct Setup {
    direct_tls: bool,
    user: &'static str,
    password: &'static str,
    resource: Option<&'static str>,
    policy: Policy,
    /// What the server may offer.
    mechanisms: Vec<Mechanism>,
    client_tls: ConnectionBinding,
    server_tls: ConnectionBinding,
    /// What the store says when it is asked for keys, and for a resource.
    store_works: bool,
    bind: Option<StanzaError>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            direct_tls: false,
            user: "alice",
            password: PASSWORD,
            resource: Some("phone"),
            policy: Policy::default(),
            mechanisms: Mechanism::ALL.to_vec(),
            client_tls: both_bindings(),
            server_tls: both_bindings(),
            store_works: true,
            bind: None,
        }
    }
}

/// Both ends, and what each told its owner besides bytes.
struct Pair {
    setup: Setup,
    client: client::Stream,
    server: server::Stream,
    now: Now,
    to_client: Vec<u8>,
    to_server: Vec<u8>,
    /// Which ends wait for TLS.
    tls: (bool, bool),
    client_said: Vec<client::Action>,
    server_said: Vec<server::Action>,
    /// Everything that went over the wire in the clear.
    clear: Vec<u8>,
}

impl Pair {
    fn new(setup: Setup) -> Self {
        let now = at(1000);
        let mut config = server_config();
        config.mechanisms.clone_from(&setup.mechanisms);
        let config = Arc::new(config);
        let entry = if setup.direct_tls { Entry::DirectTls } else { Entry::StartTls };
        let login = client::Config {
            account: account(setup.user),
            password: Secret::new(setup.password),
            resource: setup.resource.map(|name| ResourcePart::new(name).unwrap().into_owned()),
            policy: setup.policy.clone(),
            direct_tls: setup.direct_tls,
            allow_plaintext: false,
        };
        let mut client = client::Stream::new(login, &Entropy::seeded(1), now);
        client.connected(now);
        Self {
            client,
            server: server::Stream::new(config, entry, &Entropy::seeded(2), now),
            now,
            to_client: Vec::new(),
            to_server: Vec::new(),
            tls: (setup.direct_tls, setup.direct_tls),
            client_said: Vec::new(),
            server_said: Vec::new(),
            clear: Vec::new(),
            setup,
        }
    }

    fn collect(&mut self) {
        while let Some(action) = self.client.poll() {
            match action {
                client::Action::Write(bytes) => self.to_server.extend(bytes),
                client::Action::StartTls => self.tls.0 = true,
                action => self.client_said.push(action),
            }
        }
        while let Some(action) = self.server.poll() {
            match action {
                server::Action::Write(bytes) => self.to_client.extend(bytes),
                server::Action::StartTls => self.tls.1 = true,
                server::Action::AskCredentials { user, .. } => {
                    let keys = self.setup.store_works.then(|| keys(user.as_str())).ok_or(());
                    self.server.credentials(self.now, keys);
                }
                server::Action::AskBind { user, resource } => {
                    let jid = bind(&user, resource.as_deref().map(AsRef::as_ref));
                    let jid = self.setup.bind.clone().map_or(Ok(jid), Err);
                    self.server.bound(self.now, jid);
                }
                action => self.server_said.push(action),
            }
        }
    }

    /// Moves everything that is on its way, in pieces of at most these sizes, round and round.
    fn run(&mut self, sizes: &[usize]) {
        let mut sizes = sizes.iter().copied().cycle();
        let mut next = || sizes.next().unwrap_or(usize::MAX).max(1);
        loop {
            self.collect();
            if self.to_client.is_empty() && self.to_server.is_empty() {
                if self.tls != (true, true) {
                    return;
                }
                // Both have said all that they had to say in the clear.
                self.tls = (false, false);
                self.client.secured(self.now, self.setup.client_tls.clone());
                self.server.secured(self.now, self.setup.server_tls.clone());
                continue;
            }
            let secured = self.server.is_secured();
            let n = next().min(self.to_server.len());
            let bytes: Vec<u8> = self.to_server.drain(..n).collect();
            if !bytes.is_empty() {
                self.server.handle_bytes(self.now, &bytes);
            }
            let n = next().min(self.to_client.len());
            let back: Vec<u8> = self.to_client.drain(..n).collect();
            if !back.is_empty() {
                self.client.handle_bytes(self.now, &back);
            }
            if !secured {
                self.clear.extend(bytes);
                self.clear.extend(back);
            }
        }
    }

    fn online(&self) -> Option<(&FullJid, Mechanism, bool)> {
        self.client_said.iter().find_map(|action| match action {
            client::Action::Online { jid, mechanism, channel_bound, .. } => {
                Some((jid, *mechanism, *channel_bound))
            }
            _ => None,
        })
    }

    fn failure(&self) -> Option<&Failure> {
        self.client_said.iter().find_map(|action| match action {
            client::Action::Failed(failure) => Some(failure),
            _ => None,
        })
    }

    fn refusals(&self) -> Vec<Refusal> {
        let refusal = |action: &server::Action| match action {
            server::Action::Refused(refusal) => Some(*refusal),
            _ => None,
        };
        self.server_said.iter().filter_map(refusal).collect()
    }
}

fn bind(user: &BareJid, resource: Option<&str>) -> FullJid {
    user.with_resource_str(resource.unwrap_or("chosen")).unwrap()
}

fn run(setup: Setup) -> Pair {
    let mut pair = Pair::new(setup);
    pair.run(&[]);
    pair
}

fn only(mechanism: Mechanism) -> Setup {
    let policy = Policy { allow: vec![mechanism], at_least: None };
    Setup { policy, ..Setup::default() }
}

#[test]
fn every_mechanism_over_both_entries() {
    for mechanism in Mechanism::ALL {
        for direct_tls in [false, true] {
            let pair = run(Setup { direct_tls, ..only(mechanism) });
            let (jid, used, bound) = pair.online().expect("logged in");
            assert_eq!(jid.as_str(), "alice@example.org/phone");
            assert_eq!((used, bound), (mechanism, mechanism.is_bound()));
            assert_eq!(pair.server.jid(), Some(jid));
            let user = account("alice");
            let authenticated =
                server::Action::Authenticated { user, mechanism, channel_bound: bound };
            assert_eq!(pair.server_said, [authenticated]);
            assert_eq!(pair.server.derivations(), u64::from(mechanism == Mechanism::Plain));
            assert_eq!((pair.client.poll_timeout(), pair.server.poll_timeout()), (None, None));
        }
    }
}

#[test]
fn the_strongest_is_taken_and_bound_to_what_both_have() {
    let used = |setup| run(setup).online().map(|(_, mechanism, _)| mechanism);
    let end_point = ConnectionBinding { exporter: None, ..both_bindings() };
    let plus = Some(Mechanism::SCRAM_SHA_256_PLUS);
    assert_eq!(used(Setup::default()), plus);
    let (client_tls, server_tls) = (both_bindings(), end_point.clone());
    assert_eq!(used(Setup { client_tls, server_tls, ..Setup::default() }), plus);
    let (client_tls, server_tls) = (end_point, both_bindings());
    assert_eq!(used(Setup { client_tls, server_tls, ..Setup::default() }), plus);
    let sha256 = Some(Mechanism::SCRAM_SHA_256);
    for (client_tls, server_tls) in [
        (no_binding(), both_bindings()),
        (both_bindings(), no_binding()),
        (no_binding(), no_binding()),
    ] {
        assert_eq!(used(Setup { client_tls, server_tls, ..Setup::default() }), sha256);
    }
}

#[test]
fn somebody_in_the_middle_of_tls_gets_nothing() {
    // Both ends have TLS, but with somebody in between, so that it is not the same.
    let client_tls =
        ConnectionBinding { exporter: Some(vec![1; 32]), server_end_point: Some(vec![2; 32]) };
    let pair = run(Setup { client_tls, ..Setup::default() });
    assert!(pair.online().is_none());
    assert_eq!(pair.refusals(), [Refusal::WrongCredentials]);
    let condition = "not-authorized".to_owned();
    assert_eq!(pair.failure(), Some(&Failure::Sasl { condition, text: None }));
    // Who takes -PLUS out of the list is noticed: the client says that it could have bound.
    let mut pair = Pair::new(Setup { direct_tls: true, ..Setup::default() });
    pair.tls = (false, false);
    pair.client.secured(pair.now, both_bindings());
    pair.server.secured(pair.now, both_bindings());
    pair.collect();
    let bytes = std::mem::take(&mut pair.to_server);
    pair.server.handle_bytes(pair.now, &bytes);
    pair.collect();
    let stripped = String::from_utf8(pair.to_client.clone()).unwrap();
    assert!(stripped.contains("-PLUS") && stripped.contains("tls-exporter"));
    pair.to_client = stripped.replace("-PLUS", "-MINUS").into_bytes();
    pair.run(&[]);
    assert!(pair.online().is_none());
    assert!(matches!(pair.failure(), Some(Failure::Sasl { .. })));
}

#[test]
fn no_password_and_no_name_in_the_clear() {
    for mechanism in Mechanism::ALL {
        let pair = run(only(mechanism));
        let clear = String::from_utf8(pair.clear).unwrap();
        assert!(clear.contains("<starttls") && clear.contains("<proceed"));
        for secret in ["alice", "<auth", "mechanism"] {
            assert!(!clear.contains(secret), "{secret} in {clear}");
        }
    }
}

#[test]
fn a_wrong_password_and_nobody() {
    for mechanism in Mechanism::ALL {
        for (user, password) in [("alice", "pencils"), ("mallory", PASSWORD)] {
            let pair = run(Setup { user, password, ..only(mechanism) });
            let condition = "not-authorized".to_owned();
            assert_eq!(pair.failure(), Some(&Failure::Sasl { condition, text: None }));
            assert_eq!(pair.refusals(), [Refusal::WrongCredentials]);
            assert!(pair.online().is_none() && pair.server.jid().is_none());
            assert_eq!(pair.server.derivations(), u64::from(mechanism == Mechanism::Plain));
            let ends = [pair.client_said.last().cloned(), None];
            assert_eq!(ends[0], Some(client::Action::Closed));
            assert_eq!(pair.server_said.last(), Some(&server::Action::Closed(End::Orderly)));
        }
    }
}

#[test]
fn a_store_that_does_not_answer_is_not_a_wrong_password() {
    let pair = run(Setup { store_works: false, ..Setup::default() });
    let condition = "temporary-auth-failure".to_owned();
    assert_eq!(pair.failure(), Some(&Failure::Sasl { condition, text: None }));
    assert_eq!(pair.refusals(), [Refusal::Sasl]);
}

#[test]
fn what_a_client_does_not_put_up_with() {
    use crate::sasl::choice::Error;
    let mechanisms = vec![Mechanism::Plain];
    let scram = Policy { allow: vec![Mechanism::SCRAM_SHA_1], at_least: None };
    let pair = run(Setup { mechanisms, policy: scram, ..Setup::default() });
    assert_eq!(pair.failure(), Some(&Failure::NoMechanism(Error::NothingUsable)));
    let before = Mechanism::SCRAM_SHA_256_PLUS;
    let policy = Policy { at_least: Some(before), ..Policy::default() };
    let offered = Mechanism::SCRAM_SHA_256;
    let pair = run(Setup { mechanisms: vec![offered], policy, ..Setup::default() });
    assert_eq!(pair.failure(), Some(&Failure::NoMechanism(Error::Downgrade { offered, before })));
}

#[test]
fn resources() {
    let jid = |setup| run(setup).online().map(|(jid, ..)| jid.to_string());
    let chosen = Setup { resource: None, ..Setup::default() };
    assert_eq!(jid(chosen).as_deref(), Some("alice@example.org/chosen"));
    let error = StanzaError::from(stanza::Condition::ResourceConstraint);
    let pair = run(Setup { bind: Some(error.clone()), ..Setup::default() });
    assert_eq!(pair.failure(), Some(&Failure::Bind(error)));
}

fn message(body: &str) -> Stanza {
    let body = Element::builder("body", ns::CLIENT).append(body).build();
    let to = Jid::new("bob@example.org").unwrap();
    Stanza::message(to, MessageType::Chat, [body])
}

#[test]
fn stanzas_both_ways_and_an_end() {
    let mut pair = run(Setup::default());
    pair.client.send(&message("one"));
    pair.client.send(&message("two"));
    pair.client.keep_alive();
    let mut greeting = message("three");
    greeting.set_from(Jid::new("bob@example.org/x").unwrap());
    pair.server.send(&greeting);
    pair.run(&[3]);
    let Some([server::Action::Stanza(one), server::Action::Stanza(two)]) =
        pair.server_said.get(1..)
    else {
        panic!("{:?}", pair.server_said);
    };
    assert_eq!((one.body().as_deref(), two.body().as_deref()), (Some("one"), Some("two")));
    assert_eq!(one.from().unwrap().as_str(), "alice@example.org/phone");
    //= RFC 6120 §4.7.4: the language of the client's stream
    assert_eq!(one.lang(), Some("en"));
    assert_eq!(pair.client_said.last(), Some(&client::Action::Stanza(greeting)));
    // Either may close; both tell their owner once.
    for by_client in [true, false] {
        let mut pair = run(Setup::default());
        if by_client {
            pair.client.end(pair.now);
        } else {
            pair.server.end(pair.now, None);
        }
        pair.run(&[1]);
        assert_eq!(pair.client_said.last(), Some(&client::Action::Closed));
        assert_eq!(pair.server_said.last(), Some(&server::Action::Closed(End::Orderly)));
        assert!(pair.failure().is_none() && pair.refusals().is_empty());
        pair.client.send(&message("too late"));
        pair.server.send(&message("too late"));
        pair.run(&[]);
        assert!(pair.to_client.is_empty() && pair.to_server.is_empty());
    }
}

#[test]
fn errors_of_the_server_reach_the_client() {
    let mut pair = run(Setup::default());
    let error = StreamError::new(Condition::SystemShutdown, "until tomorrow");
    pair.server.end(pair.now, Some(error.clone()));
    pair.run(&[]);
    assert_eq!(pair.failure(), Some(&Failure::Peer(error.clone())));
    assert_eq!(pair.server_said.last(), Some(&server::Action::Closed(End::Refused(error))));
}

#[test]
fn who_is_not_answered_gives_up() {
    let mut client = Pair::new(Setup::default()).client;
    let deadline = client.poll_timeout().unwrap();
    while client.poll().is_some() {}
    client.handle_timeout(Now { mono: deadline, ..Now::default() });
    let mut said: Vec<_> = std::iter::from_fn(|| client.poll()).collect();
    assert_eq!(said.pop(), Some(client::Action::Closed));
    assert_eq!(said.pop(), Some(client::Action::Failed(Failure::TimedOut)));
    // A side that was closed waits for the other a little.
    let mut pair = run(Setup::default());
    pair.client.end(pair.now);
    pair.server.end(pair.now, None);
    pair.collect();
    let deadline = pair.client.poll_timeout().unwrap();
    assert_eq!(pair.server.poll_timeout(), Some(deadline));
    pair.now = Now { mono: deadline, ..pair.now };
    pair.client.handle_timeout(pair.now);
    pair.server.handle_timeout(pair.now);
    pair.collect();
    assert_eq!(pair.client_said.last(), Some(&client::Action::Closed));
    assert_eq!(pair.server_said.last(), Some(&server::Action::Closed(End::Orderly)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Cut anywhere, with and without channel binding, over both entries: both end up where they do
    /// uncut, and the stanzas arrive whole.
    #[test]
    fn bytes_cut_anywhere(
        sizes in vec(1..40_usize, 1..30),
        direct_tls: bool,
        bound: bool,
        password in prop::sample::select(vec![PASSWORD, "wrong"]),
    ) {
        let binding = if bound { both_bindings() } else { no_binding() };
        let (client_tls, server_tls) = (binding.clone(), binding);
        let setup = Setup { direct_tls, password, client_tls, server_tls, ..Setup::default() };
        let whole = run(setup.clone());
        let mut pair = Pair::new(setup);
        pair.run(&sizes);
        prop_assert_eq!(&pair.client_said, &whole.client_said);
        prop_assert_eq!(&pair.server_said, &whole.server_said);
        prop_assert_eq!(pair.online().is_some(), password == PASSWORD);
        if pair.online().is_some() {
            prop_assert_eq!(pair.online().map(|(.., is_bound)| is_bound), Some(bound));
            (0..5).for_each(|n| pair.client.send(&message(&n.to_string())));
            pair.run(&sizes);
            prop_assert_eq!(pair.server_said.len(), 1 + 5);
        }
    }
}
