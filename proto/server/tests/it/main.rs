//! The core in the simulated internet: phones behind NATs, strangers, restarts.

mod calls;
mod lab;
mod refusals;
mod registrations;
mod starting;
