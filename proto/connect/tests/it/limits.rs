//! Every limit, reached.

use std::time::Duration;

use connect::{Config, OpenError, SessionError, SessionSpec, StreamSpec};

use crate::town::{ALICE, BOB, Plan, STUN, Town};

#[test]
fn sessions() {
    let config = Config { max_sessions: 3, ..Config::default() };
    let mut town = Town::new(&Plan { config, ..Plan::default() });
    let sessions: Vec<_> = (0..3).map(|_| town.open(ALICE)).collect();
    let spec = town.spec.clone();
    let open = |town: &mut Town| town.verb(ALICE, |connect, now| connect.open(now, spec.clone()));
    assert_eq!(open(&mut town), Err(OpenError::TooManySessions(3)));
    assert_eq!(town.connect(ALICE).stats().sessions_refused, 1);
    town.verb(ALICE, |connect, now| connect.close(now, sessions[0]));
    assert!(open(&mut town).is_ok());
}

#[test]
fn specs() {
    let mut town = Town::new(&Plan::default());
    let good = town.spec.clone();
    let stream = |components| vec![StreamSpec { components }];
    for spec in [
        SessionSpec { streams: Vec::new(), ..good.clone() },
        SessionSpec { streams: stream(0), ..good.clone() },
        SessionSpec { streams: stream(3), ..good.clone() },
        SessionSpec { streams: stream(1).repeat(9), ..good.clone() },
        SessionSpec { stun_servers: vec![STUN.parse().unwrap(); 5], ..good.clone() },
    ] {
        let refused = town.verb(ALICE, |connect, now| connect.open(now, spec.clone()));
        assert_eq!(refused, Err(OpenError::Spec), "{spec:?}");
    }
}

#[test]
fn addresses() {
    let many: Vec<String> = (1..=40).map(|n| format!("203.0.113.{}/24", 100 + n)).collect();
    let many: Vec<&'static str> = many.into_iter().map(|s| &*s.leak()).collect();
    let mut town = Town::new(&Plan { more: [many, vec![]], ..Plan::default() });
    let session = town.open(ALICE);
    town.run(Duration::from_secs(3));
    let local = town.connect(ALICE).local(session).unwrap();
    assert_eq!(local.streams[0].candidates.len(), connect::defaults::MAX_ADDRESSES);
}

#[test]
fn credentials_of_the_remote() {
    let mut town = Town::new(&Plan::default());
    let sessions = town.gather();
    let mut remote = town.described(BOB, sessions[BOB]);
    if let Some(ice) = &mut remote.ice {
        ice.credentials.pwd = "short".to_owned();
    }
    let alice = sessions[ALICE];
    let refused = town.verb(ALICE, |connect, now| connect.set_remote(now, alice, &remote));
    assert!(matches!(refused, Err(SessionError::Credentials(_))));
    town.verb(ALICE, |connect, now| connect.close(now, alice));
    let refused = town.verb(ALICE, |connect, now| connect.set_remote(now, alice, &remote));
    assert_eq!(refused, Err(SessionError::NoSession));
}
