//! Limits and parameters of the store.

use std::time::Duration;

/// The name of the database in the data folder.
pub const FILE_NAME: &str = "wayleave.db";

/// Iterations of PBKDF2 for SCRAM. RFC 7677 §4 asks for 4096 at least and for more where clients
/// can: a phone computes this many at every login, and twice that when it does not remember.
pub const SCRAM_ITERATIONS: u32 = 10_000;

/// Bytes of salt for SCRAM: as many as its smaller hash gives security against guessing.
pub const SCRAM_SALT_LEN: usize = 16;

/// The longest password in bytes. A digest is as strong with much less; the limit is against
/// mistakes, a file piped in for one.
pub const PASSWORD_MAX_LEN: usize = 1024;

/// The longest local part in bytes (RFC 7622 §3.3.1).
pub const LOCAL_MAX_LEN: usize = 1023;

/// The longest domain in bytes (RFC 1035 §2.3.4).
pub const DOMAIN_MAX_LEN: usize = 253;

/// How long to wait while another process writes. A write takes milliseconds.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The largest binding state of one address in bytes: ten contacts with long URIs and paths fit.
pub const BINDING_MAX_LEN: usize = 64 * 1024;

/// The contacts of one account, whatever the core allows. RFC 6121 §2.1 sets no limit; a roster
/// travels whole at every login, and this one makes a megabyte.
pub const ROSTER_MAX: usize = 10_000;

/// The largest contact of a roster in bytes, its address included: an address of 3071 bytes
/// (RFC 7622 §3.1), a name, fifty groups and the words of a request fit.
pub const CONTACT_MAX_LEN: usize = 64 * 1024;

/// Changes of accounts that are kept for a server to read. It reads them every few seconds, in which
/// nobody removes so many.
pub const CHANGES_KEPT: i64 = 10_000;

/// Bytes of a secret: as many as its hash gives security.
pub const SECRET_LEN: usize = 32;
