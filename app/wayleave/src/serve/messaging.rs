//! `[xmpp]` in the words of the XMPP server.

use store::defaults::{SCRAM_ITERATIONS, SCRAM_SALT_LEN};
use xmpp::server::Limits;

use crate::config::{Config, XmppLimits};

/// What the XMPP server does by this configuration. The core lays its own domain and secret over it.
pub fn xmpp_config(config: &Config) -> xmpp::server::Config {
    xmpp::server::Config {
        // Users that do not exist look like those that the store has.
        salt_bytes: SCRAM_SALT_LEN,
        iterations: SCRAM_ITERATIONS,
        limits: limits(config),
        ..xmpp::server::Config::new(config.domain.to_lowercase(), [0; 32])
    }
}

/// How much who may do by this configuration.
pub fn limits(config: &Config) -> Limits {
    let XmppLimits {
        connections,
        logins: unauthenticated_per_address,
        sessions: sessions_per_account,
        contacts,
        stanza_bytes,
        stanzas_per_second,
        bytes_per_second,
        idle,
    } = config.xmpp.limits;
    Limits {
        connections,
        unauthenticated_per_address,
        sessions_per_account,
        contacts,
        stanza_bytes,
        stanzas_per_second,
        bytes_per_second,
        idle: idle.0,
        ..Limits::default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{limits, xmpp_config};
    use crate::config::Config;

    #[test]
    fn what_the_keys_say_is_done() {
        let mut config = Config::default();
        assert_eq!(xmpp_config(&config).iterations, store::defaults::SCRAM_ITERATIONS);
        config.xmpp.limits.sessions = 3;
        config.xmpp.limits.idle = "30s".parse().unwrap();
        let limits = limits(&config);
        assert_eq!((limits.sessions_per_account, limits.idle), (3, Duration::from_secs(30)));
    }
}
