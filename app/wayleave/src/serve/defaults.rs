//! Limits of the program around the core, each with its reason.

/// Connections to the metrics at once: a few collectors and a balancer. Others wait in the
/// listener's queue.
pub const HTTP_CONNECTIONS: usize = 64;

/// Events on their way to whoever reports them. A reader of `--json` that stalls makes the rest be
/// dropped and counted, since the core waits for nobody.
pub const EVENTS_MAX: usize = 4096;

/// Questions on their way to the store. Above, the answer is that the store fails, which phones
/// take for a reason to try again: the core has thousands of questions open only if the disk stalls.
pub const QUESTIONS_MAX: usize = 16_384;

/// How often a log line sums up what was refused: a flood makes one line a minute.
pub const SUMMARY_INTERVAL: std::time::Duration = std::time::Duration::from_secs(60);

/// How often it is looked whether relayed addresses ran out: an operator need not wait for the log.
pub const SHORTAGE_INTERVAL: std::time::Duration = std::time::Duration::from_secs(5);

/// How often it is looked which accounts were removed or got another password: whoever removes one
/// waits no longer until it is called no more, and a look that finds nothing reads one page.
pub const ACCOUNTS_INTERVAL: std::time::Duration = std::time::Duration::from_secs(2);

/// Descriptors below which an operator is warned: every relayed address and connection takes one.
pub const DESCRIPTORS_MIN: u64 = 4096;
