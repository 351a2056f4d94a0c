//! Drives any machine on tokio.
