//! The whole network core as one machine.
