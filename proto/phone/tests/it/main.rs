//! Phones in the simulated internet, with a core and with a stranger who speaks bare SIP.

#![expect(clippy::unwrap_used, reason = "a test fails by panic")]

mod calls;
mod changes;
mod devices;
mod ends;
mod intruders;
mod jingle;
mod lab;
mod messages;
mod recordings;
mod registrations;
mod relays;
mod strangers;
