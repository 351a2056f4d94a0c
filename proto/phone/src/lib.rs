//! The whole user agent as one machine.
