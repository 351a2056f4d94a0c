//! How a client logs in.

use crypto::Secret;

use crate::sasl::Policy;
use crate::{BareJid, ResourcePart};

/// How to log in.
#[derive(Clone, Debug)]
pub struct Config {
    /// The account.
    pub account: BareJid,
    /// Its password.
    pub password: Secret,
    /// The resource to ask for; `None` lets the server choose.
    pub resource: Option<ResourcePart>,
    /// Which mechanisms may be used, and which is good enough. The strongest that the server has is
    /// taken.
    pub policy: Policy,
    /// Whether the connection is under TLS before the stream begins.
    pub direct_tls: bool,
    /// Whether to go on in the clear where the server has no STARTTLS. PLAIN is not sent then.
    pub allow_plaintext: bool,
}
