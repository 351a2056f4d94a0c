//! Keys that were answered a moment ago, so that the requests that set a call up ask once.
//!
//! They are remembered for the source that they were asked for: how fast an answer comes tells a
//! stranger nothing about what others have just done. That there is no such user is remembered as
//! well, so that both look the same.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use machine::{Entropy, Instant, KeyedMap};

use super::defaults::{CACHED_KEYS, CACHED_KEYS_LIFETIME};
use super::proof::Identity;
use super::{Keys, User};

/// What the world knows of a user.
#[derive(Clone, Debug)]
pub(super) enum Found {
    /// Who it is.
    User(Arc<Identity>),
    /// There is no such user.
    Nobody,
    /// That cannot be told now.
    Failed,
}

impl Found {
    /// What an answer about `user` says.
    pub(super) fn new(user: User, realm: String, keys: Option<Keys>) -> Self {
        match keys {
            Some(keys) => Self::User(Arc::new(Identity { user, realm, keys })),
            None => Self::Nobody,
        }
    }
}

/// Whose question it was.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Whose {
    /// Who holds the address that the request came from.
    pub(super) holder: IpAddr,
    pub(super) user: User,
    pub(super) realm: String,
}

/// Keys by whose question they answered.
#[derive(Debug)]
pub(super) struct Keyring {
    found: KeyedMap<Arc<Whose>, Found>,
    order: VecDeque<(Instant, Arc<Whose>)>,
    entropy: Entropy,
}

impl Keyring {
    pub(super) fn new(mut entropy: Entropy) -> Self {
        Self { found: KeyedMap::new(&mut entropy), order: VecDeque::new(), entropy }
    }

    /// Remembers an answer, unless it is none.
    pub(super) fn keep(&mut self, now: Instant, whose: Whose, found: &Found) {
        self.forget(now);
        if matches!(found, Found::Failed) {
            return;
        }
        let whose = Arc::new(whose);
        if self.found.insert(Arc::clone(&whose), found.clone()).is_none() {
            self.order.push_back((now + CACHED_KEYS_LIFETIME, whose));
        }
    }

    /// What was answered.
    pub(super) fn of(&self, whose: &Whose) -> Option<&Found> {
        self.found.get(whose)
    }

    /// Drops what is too old or too much.
    pub(super) fn forget(&mut self, now: Instant) {
        while let Some((until, whose)) = self.order.front()
            && (*until <= now || self.order.len() >= CACHED_KEYS)
        {
            self.found.remove(whose.as_ref());
            self.order.pop_front();
        }
    }

    /// Drops everything: passwords may have changed.
    pub(super) fn clear(&mut self) {
        self.found = KeyedMap::new(&mut self.entropy);
        self.order.clear();
    }

    /// When the oldest is too old.
    pub(super) fn next(&self) -> Option<Instant> {
        self.order.front().map(|(until, _)| *until)
    }
}

#[cfg(test)]
mod tests {
    use machine::{Entropy, Instant};

    use super::{Found, Keyring, Whose};
    use crate::server::User;
    use crate::server::defaults::{CACHED_KEYS, CACHED_KEYS_LIFETIME};

    #[test]
    fn keys_have_a_limit_and_a_lifetime_and_belong_to_a_source() {
        let mut keyring = Keyring::new(Entropy::seeded(1));
        let now = Instant::ORIGIN;
        let whose = |n: u32| Whose {
            holder: n.to_be_bytes().into(),
            user: User::Name("alice".into()),
            realm: "example.org".into(),
        };
        keyring.keep(now, whose(0), &Found::Failed);
        assert!(keyring.of(&whose(0)).is_none());
        for n in 1..2 * CACHED_KEYS as u32 {
            keyring.keep(now, whose(n), &Found::Nobody);
        }
        assert!(keyring.found.len() <= CACHED_KEYS && keyring.order.len() <= CACHED_KEYS);
        let last = 2 * CACHED_KEYS as u32 - 1;
        assert!(keyring.of(&whose(last)).is_some());
        assert!(keyring.of(&whose(1)).is_none() && keyring.of(&whose(last + 1)).is_none());
        keyring.forget(now + CACHED_KEYS_LIFETIME);
        assert!(keyring.found.is_empty() && keyring.next().is_none());
        keyring.keep(now, whose(1), &Found::Nobody);
        keyring.clear();
        assert!(keyring.of(&whose(1)).is_none() && keyring.next().is_none());
    }
}
