//! A world that keeps everything in memory: accounts, bindings, rosters. Tests and simulations answer
//! the core's questions with it.

use std::collections::BTreeMap;

use crypto::scram;

use crate::event::{
    Answer, BareJid, Keys, Question, RosterItem, SavedAddress, ScramKey, ScramKeys, Subscription,
    user_hash,
};

/// The accounts of one domain.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    domain: String,
    /// By user; the password is known, so that every key can be made when it is asked for.
    passwords: BTreeMap<String, String>,
    bindings: BTreeMap<String, SavedAddress>,
    rosters: BTreeMap<String, BTreeMap<BareJid, RosterItem>>,
}

impl Memory {
    /// No accounts at a domain.
    #[must_use]
    pub fn new(domain: &str) -> Self {
        Self { domain: domain.to_owned(), ..Self::default() }
    }

    /// Adds an account, or gives it another password.
    pub fn add(&mut self, user: &str, password: &str) {
        self.passwords.insert(user.to_owned(), password.to_owned());
    }

    /// Puts two accounts into each other's rosters: each sees when the other is there.
    ///
    /// # Panics
    /// If one of them cannot be the name of an account.
    pub fn befriend(&mut self, one: &str, other: &str) {
        for (user, friend) in [(one, other), (other, one)] {
            let contact: BareJid = self.address(friend).parse().expect("a name of an account");
            let item = RosterItem {
                listed: true,
                subscription: Subscription::Both,
                ..RosterItem::new(contact)
            };
            self.save(&self.address(user), item);
        }
    }

    /// What is in somebody's roster.
    pub fn roster(&self, user: &str) -> impl Iterator<Item = &RosterItem> {
        self.rosters.get(&self.address(user)).into_iter().flat_map(BTreeMap::values)
    }

    /// Answers what a core asks.
    pub fn answer(&mut self, question: &Question) -> Answer {
        match question {
            Question::Credentials { user, realm } => {
                let local = user.strip_suffix(&format!("@{}", self.domain)).unwrap_or(user);
                let password = self.passwords.get(local);
                Answer::Credentials(password.map(|password| Keys::derive(user, realm, password)))
            }
            Question::HashedCredentials { hash, realm } => {
                let keys = self.passwords.iter().find_map(|(local, password)| {
                    let forms = [local.clone(), self.address(local)];
                    let user = forms.into_iter().find(|user| user_hash(user, realm) == *hash)?;
                    Some(Keys::derive(&user, realm, password))
                });
                Answer::Credentials(keys)
            }
            Question::LoadBindings => Answer::Bindings(self.bindings.values().cloned().collect()),
            Question::SaveBindings(saved) => {
                self.bindings.insert(saved.address.clone(), saved.clone());
                Answer::Saved(true)
            }
            Question::ScramCredentials { address } => {
                let password = self.passwords.get(self.user(address));
                Answer::ScramCredentials(password.map(|password| scram_keys(address, password)))
            }
            Question::Roster { address } => {
                let known = self.passwords.contains_key(self.user(address));
                let items = self.rosters.get(address).cloned().unwrap_or_default();
                Answer::Roster(known.then(|| items.into_values().collect()))
            }
            Question::SaveContact { address, item } => {
                let known = self.passwords.contains_key(self.user(address));
                if known {
                    self.save(address, item.clone());
                }
                Answer::Saved(known)
            }
            Question::RemoveContact { address, contact } => {
                if let Some(roster) = self.rosters.get_mut(address) {
                    roster.remove(contact);
                }
                Answer::Saved(self.passwords.contains_key(self.user(address)))
            }
        }
    }

    fn save(&mut self, address: &str, item: RosterItem) {
        self.rosters.entry(address.to_owned()).or_default().insert(item.contact.clone(), item);
    }

    fn address(&self, user: &str) -> String {
        format!("{user}@{}", self.domain)
    }

    fn user<'a>(&self, address: &'a str) -> &'a str {
        let local = address.strip_suffix(self.domain.as_str());
        local.and_then(|local| local.strip_suffix('@')).unwrap_or_default()
    }
}

/// The keys of a password, with a salt that is the account's own.
fn scram_keys(address: &str, password: &str) -> ScramKeys {
    let hash = crypto::sha256(&[address.as_bytes()]);
    let config = xmpp::server::Config::new("", [0; 32]);
    let (salt, iterations) = (&hash[..config.salt_bytes.min(hash.len())], config.iterations);
    let key = |hash| {
        let keys = scram::derive(hash, password.as_bytes(), salt, iterations);
        ScramKey {
            salt: salt.to_vec(),
            iterations,
            stored_key: keys.stored_key.reveal().to_vec(),
            server_key: keys.server_key.reveal().to_vec(),
        }
    };
    ScramKeys { sha1: key(scram::Hash::Sha1), sha256: key(scram::Hash::Sha256) }
}
