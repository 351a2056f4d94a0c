//! The whole network core as one machine: SIP registrar and proxy on UDP and TCP with STUN on the
//! same ports, TURN, and XMPP on TCP and TLS.
//!
//! [`Server`] is a [`machine::Machine`]. It asks the world two kinds of thing: the keys of a user
//! ([`Question::Credentials`], [`Question::ScramCredentials`]), and to keep the bindings of an address
//! of record and the contacts of a roster so that they survive a restart
//! ([`Question::SaveBindings`], [`Question::SaveContact`], …). A REGISTER is answered with 200 only
//! after its bindings are kept, and a change of a roster with a result only after it is.
//!
//! Whom it serves: users of its own domains, once they have proven their password, call users of
//! its own domains. A stranger's INVITE is challenged, another domain's user is refused. Requests
//! within a dialog that it routed carry a token of its own in Route and need no password. Methods
//! that SIP does not define are refused with a 405, not forwarded.
//!
//! | module | what |
//! |---|---|
//! | [`config`] | [`Config`]: domains, listeners, digest algorithms |
//! | [`event`] | [`Event`], [`Question`], [`Answer`], [`Keys`] |
//! | [`stats`] | [`Stats`]: what was counted |
//! | [`memory`] | [`Memory`]: a world that keeps everything in memory, for tests and simulations |
//! | [`defaults`] | limits |
//! | `server` | [`Server`]: dispatch between its parts |
//! | `listen` | listeners, what to do when one cannot be bound, the Binding answer of STUN |
//! | `places` | two addresses, for clients that look into their NATs |
//! | `relaying` | TURN: the core's realms, accounts and events around it |
//! | `messaging` | XMPP: the core's domain, accounts and events around it |
//! | `admit` | challenges and proofs: who is it? |
//! | `register` | REGISTER |
//! | `route` | all other requests: where do they go? |

pub mod config;
pub mod defaults;
pub mod event;
pub mod memory;
pub mod stats;

mod admit;
mod echo;
mod listen;
mod messaging;
mod places;
mod register;
mod relaying;
mod route;
mod server;

pub use config::{Config, Listener, Service};
pub use event::{
    Address, Answer, BareJid, Cause, Event, Keys, Places, Question, Release, RosterItem,
    SavedAddress, ScramKey, ScramKeys, Subscription, user_hash,
};
pub use memory::Memory;
pub use server::Server;
pub use stats::Stats;
