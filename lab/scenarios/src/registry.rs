//! The core of a scenario, and the world that answers its questions.

use machine::Entropy;
use server::{Config, Memory, Server};

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

/// Alice's and Bob's accounts. Each is in the other's roster: over XMPP they see when the other is
/// there.
pub(crate) fn accounts() -> Memory {
    let mut memory = Memory::new(DOMAIN);
    for who in [Who::Alice, Who::Bob] {
        memory.add(who.name(), &password(who));
    }
    memory.befriend(Who::Alice.name(), Who::Bob.name());
    memory
}
