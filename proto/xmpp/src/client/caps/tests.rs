//! One question for a hash, and nobody's lie for everybody.

use super::{Caps, Learnt, Ver};
use crate::FullJid;
use crate::client::defaults::{MAX_CAPS, MAX_CAPS_QUESTIONS};
use crate::client::disco::{Identity, Info};

fn info(name: &str) -> Info {
    let identities = vec![Identity::new("client", "phone", name)];
    Info { identities, features: vec!["urn:x".to_owned()], forms: Vec::new() }
}

fn ver(name: &str) -> Ver {
    Ver::of(&info(name), "https://example.org").unwrap()
}

fn jid(n: usize) -> FullJid {
    FullJid::new(&format!("user{n}@example.org/x")).unwrap()
}

#[test]
fn one_is_asked_for_all() {
    let mut caps = Caps::default();
    assert!(!caps.told(&ver("a"), &jid(1)) && !caps.told(&ver("a"), &jid(2)));
    assert_eq!(caps.next_question(), Some((ver("a"), jid(1))));
    assert_eq!(caps.next_question(), None);
    let learnt = caps.answered(&ver("a"), &jid(1), Some(info("a")));
    assert_eq!(learnt, Learnt::ForAll(vec![jid(1), jid(2)]));
    assert_eq!(caps.known(&ver("a")), Some(&info("a")));
    assert!(caps.told(&ver("a"), &jid(3)));
    assert_eq!(caps.next_question(), None);
    assert_eq!(Ver::parse(&ver("a").element()), Some(ver("a")));
}

#[test]
fn who_tells_a_wrong_hash_speaks_for_itself_alone() {
    let mut caps = Caps::default();
    caps.told(&ver("a"), &jid(1));
    caps.told(&ver("a"), &jid(2));
    caps.next_question().unwrap();
    let learnt = caps.answered(&ver("a"), &jid(1), Some(info("b")));
    assert_eq!(learnt, Learnt::ForOne(info("b")));
    assert_eq!(caps.known(&ver("a")), None);
    // The next one is asked, who does not answer; then nobody is left.
    assert_eq!(caps.next_question(), Some((ver("a"), jid(2))));
    assert_eq!(caps.answered(&ver("a"), &jid(2), None), Learnt::Nothing);
    assert_eq!(caps.next_question(), None);
}

#[test]
fn who_is_gone_is_not_asked() {
    let mut caps = Caps::default();
    caps.told(&ver("a"), &jid(1));
    caps.untold(&ver("a"), &jid(1));
    assert_eq!(caps.next_question(), None);
    caps.told(&ver("a"), &jid(1));
    caps.disconnected();
    assert_eq!(caps.next_question(), None);
}

#[test]
fn limits() {
    let mut caps = Caps::default();
    (0..100).for_each(|n| assert!(!caps.told(&ver(&n.to_string()), &jid(n))));
    let asked = std::iter::from_fn(|| caps.next_question()).count();
    assert_eq!(asked, MAX_CAPS_QUESTIONS);
    let mut caps = Caps::default();
    for n in 0..MAX_CAPS + 2 {
        let (ver, info) = (ver(&n.to_string()), info(&n.to_string()));
        caps.told(&ver, &jid(n));
        caps.next_question().unwrap();
        caps.answered(&ver, &jid(n), Some(info));
        // The first one is used all the time.
        assert!(caps.told(&self::ver("0"), &jid(0)));
    }
    assert_eq!(caps.known.len(), MAX_CAPS);
    assert!(caps.known(&ver("0")).is_some() && caps.known(&ver("1")).is_none());
}
