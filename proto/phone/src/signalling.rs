//! How one call is signalled: by SIP or by Jingle. All else that a call is, both share.
//!
//! | file | what |
//! |---|---|
//! | `sip.rs` | a call's descriptions in SDP, its place in the user agent |
//! | `jingle.rs` | how far a call over Jingle is: whom it is for, its session, what is asked and answered |
//! | `jingle/device.rs` | which device of a person's is called |
//! | `jingle/terms.rs` | a call's descriptions in Jingle |

pub(crate) mod jingle;
pub(crate) mod sip;

use std::collections::VecDeque;

use ::sip::ua::UserAgent;
use connect::Connect;
use machine::Now;

use crate::account::Line;
use crate::event::Event;

/// How one call is signalled.
#[derive(Debug)]
pub(crate) enum Signalling {
    /// By SIP.
    Sip(Box<sip::Leg>),
    /// By Jingle.
    Jingle(Box<jingle::Leg>),
}

/// What a call works with: the phone's other parts.
pub(crate) struct Context<'a> {
    pub(crate) now: Now,
    pub(crate) agent: &'a mut UserAgent,
    pub(crate) lines: &'a mut [Line],
    pub(crate) connect: &'a mut Connect,
    pub(crate) events: &'a mut VecDeque<Event>,
}
