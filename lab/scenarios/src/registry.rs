//! The core of a scenario, and the world that answers its questions.

use machine::Entropy;
use server::{Answer, Config, Keys, Question, SavedAddress, Server};

use crate::node::Who;
use crate::topology::{CORE, DOMAIN};

/// A core on its address and the standard ports.
pub(crate) fn server(entropy: &Entropy) -> Server {
    let ip = CORE.parse::<std::net::IpAddr>().expect("an address");
    Server::new(Config::new(DOMAIN, [ip]), entropy)
}

/// The password of somebody.
pub(crate) fn password(who: Who) -> String {
    format!("{}'s secret", who.name())
}

/// Accounts and bindings, in memory.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    saved: Vec<SavedAddress>,
}

impl Registry {
    /// Answers what the core asks.
    pub(crate) fn answer(&mut self, question: &Question) -> Answer {
        match question {
            Question::Credentials { user, realm } => {
                let local = user.split('@').next().unwrap_or(user);
                let known = [Who::Alice, Who::Bob].into_iter().find(|who| who.name() == local);
                Answer::Credentials(known.map(|who| Keys::derive(user, realm, &password(who))))
            }
            Question::HashedCredentials { hash, realm } => {
                let hidden = |who: &Who| server::user_hash(who.name(), realm) == *hash;
                let known = [Who::Alice, Who::Bob].into_iter().find(hidden);
                let keys = |who: Who| Keys::derive(who.name(), realm, &password(who));
                Answer::Credentials(known.map(keys))
            }
            Question::LoadBindings => Answer::Bindings(self.saved.clone()),
            Question::SaveBindings(saved) => {
                self.saved.retain(|known| known.address != saved.address);
                if !saved.bindings.is_empty() {
                    self.saved.push(saved.clone());
                }
                Answer::Saved(true)
            }
        }
    }
}
