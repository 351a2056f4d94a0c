//! Limits and timeouts, each with its reason.
