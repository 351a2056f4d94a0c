//! The clocks: monotonic since the process began to count, and the wall's.

use std::sync::OnceLock;
use std::time::SystemTime;

use machine::{Instant, Now};

static ORIGIN: OnceLock<tokio::time::Instant> = OnceLock::new();

fn origin() -> tokio::time::Instant {
    *ORIGIN.get_or_init(tokio::time::Instant::now)
}

/// The present. Every machine of the process counts from the same origin.
#[must_use]
pub fn now() -> Now {
    let mono = tokio::time::Instant::now().saturating_duration_since(origin());
    let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Now { mono: Instant::ORIGIN + mono, unix }
}

/// When tokio's clock shows `at`.
pub(crate) fn to_tokio(at: Instant) -> tokio::time::Instant {
    let since = at.saturating_since(Instant::ORIGIN);
    // A deadline past what the platform can count never comes.
    origin()
        .checked_add(since)
        .unwrap_or_else(|| origin() + std::time::Duration::from_secs(1 << 30))
}
