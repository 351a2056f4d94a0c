//! Both ends against each other, and the server's against what it should refuse.

mod bad_input;
mod pair;
mod script;

use std::time::Duration;

use machine::{ConnectionBinding, Instant, Now};

use crate::sasl::ScramKeys;
use crate::sasl::keys::Decoy;
use crate::stream::server::Config;
use crate::{BareJid, DomainPart};

const DOMAIN: &str = "example.org";
const PASSWORD: &str = "pencil";

fn at(millis: u64) -> Now {
    let since = Duration::from_millis(millis);
    Now { mono: Instant::ORIGIN + since, unix: Duration::from_secs(1_700_000_000) + since }
}

fn server_config() -> Config {
    let mut decoy = Decoy::new([5; 32]);
    decoy.iterations = 4096;
    Config::new(DomainPart::new(DOMAIN).unwrap().into_owned(), decoy)
}

/// The store: alice is the only one who is here.
fn keys(user: &str) -> Option<ScramKeys> {
    (user == "alice").then(|| ScramKeys::derive(PASSWORD, b"sixteen bytes ok", 4096).unwrap())
}

fn account(user: &str) -> BareJid {
    BareJid::new(&format!("{user}@{DOMAIN}")).unwrap()
}

fn both_bindings() -> ConnectionBinding {
    ConnectionBinding { exporter: Some(vec![7; 32]), server_end_point: Some(vec![9; 32]) }
}

fn no_binding() -> ConnectionBinding {
    ConnectionBinding { exporter: None, server_end_point: None }
}
