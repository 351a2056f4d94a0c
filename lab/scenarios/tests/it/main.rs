//! Calls across the topologies of the talk.

mod first_call;
