//! Other people's programs against ours, on real sockets: a module a peer.
//!
//! Skipped, with the reason printed, where root or the peer is missing; under `CI=true` that is a
//! failure. `install.sh` installs the peers.

mod baresip;
mod coturn;
mod harness;
mod itself;
mod sipp;
mod tshark;
mod turnutils;
