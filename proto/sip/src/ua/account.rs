//! Who a user agent is.

use std::time::Duration;

use machine::Redacted;

use crate::defaults;
use crate::uri::Uri;

/// An account at a SIP server.
#[derive(Clone, Debug)]
pub struct Account {
    /// The address of record: `sip:alice@example.org`.
    pub address: Uri,
    /// The name that callees see; may be empty.
    pub display_name: String,
    /// The user name for authentication, the local part of the address as a rule.
    pub user: String,
    /// The password.
    pub password: Redacted<String>,
    /// Where requests go (`sip:192.0.2.1:5060;transport=tcp`); `None`: the domain of the address,
    /// by RFC 3263.
    pub server: Option<Uri>,
    /// How long a registration is asked to hold.
    pub expires: Duration,
    /// The URN that names this device (RFC 5626 §4.1): `urn:uuid:…`. Empty: no outbound.
    pub instance: String,
}

impl Account {
    /// An account with a password and defaults for the rest; the user name is the local part.
    #[must_use]
    pub fn new(address: Uri, password: impl Into<String>) -> Self {
        let user = address.as_sip().and_then(|uri| uri.user()).unwrap_or_default();
        Self {
            address,
            display_name: String::new(),
            user,
            password: Redacted(password.into()),
            server: None,
            expires: defaults::REGISTER_EXPIRES,
            instance: String::new(),
        }
    }
}
