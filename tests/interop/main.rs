//! Other people's programs against ours, on real sockets: a module a peer.
//!
//! Skipped, with the reason printed, where root or the peer is missing; under `CI=true` that is a
//! failure. `install.sh` installs the peers.

mod baresip;
mod chromium;
mod coturn;
mod harness;
mod itself;
mod miniupnpd;
mod natdiscovery;
mod profanity;
mod prosody;
mod sipp;
mod slixmpp;
mod tshark;
mod turnutils;
