//! Limits and timeouts of the client, each with its reason.

use std::time::Duration;

/// The time between the start of one attempt and that of the next: longer than most round trips, so
/// that a server that answers is seldom asked twice, and short for somebody who waits for a call.
/// RFC 8305 §5 has 250 ms for the two round trips of TCP; an allocation over UDP takes two more.
pub const STAGGER: Duration = Duration::from_millis(500);
