//! A whole client (RFC 6120, RFC 6121): reach the server, log in, stay there; roster, presence,
//! messages, requests.
//!
//! [`Client`] is one account. It finds its server by DNS, takes the first address that lets it log
//! in, fetches the roster, tells its presence, and comes back by itself when the connection breaks.
//! It answers what every client answers (XEP-0030, XEP-0115, XEP-0199); other requests are its
//! owner's.
//!
//! | module | what |
//! |---|---|
//! | [`config`] | [`Config`]: the account, and how to reach its server |
//! | [`event`] | [`Event`], [`Error`] |
//! | `control` | [`Client`]: what it is at, and what ends that |
//! | `attempt` | from the domain to a login |
//! | `verbs` | what an owner may do |
//! | `locate` | from a domain to addresses (RFC 6120 §3.2, XEP-0368) |
//! | `link` | one connection |
//! | `backoff` | how long to wait (RFC 6120 §3.3) |
//! | `session` | what goes on while logged in |
//! | `requests` | requests that wait for their answers (RFC 6120 §8.2.3) |
//! | `roster` | our contacts (RFC 6121 §2) |
//! | `resources` | who is there (RFC 6121 §4) |
//! | [`disco`], `caps` | what others can do (XEP-0030, XEP-0115) |

mod attempt;
mod backoff;
mod caps;
pub mod config;
mod control;
pub mod defaults;
pub mod disco;
pub mod event;
mod link;
mod locate;
mod requests;
mod resources;
mod roster;
mod session;
mod stats;
mod verbs;

pub use config::{Config, Presence, Show};
pub use control::Client;
pub use event::{Error, Event, Online, RequestError, RequestId, SendError, Subscription};
pub use resources::Resource;
pub use roster::Contact;
pub use stats::Stats;
