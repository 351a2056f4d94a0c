//! Limits and timeouts, each with its reason and its RFC.
