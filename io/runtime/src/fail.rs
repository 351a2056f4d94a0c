//! What the operating system says, in the words of machines.

use std::io::{Error, ErrorKind};

use machine::{CloseReason, FailKind};

/// Why a bind or a connection attempt failed.
pub(crate) fn fail_kind(error: &Error) -> FailKind {
    match error.kind() {
        ErrorKind::AddrInUse => FailKind::AddressInUse,
        ErrorKind::AddrNotAvailable => FailKind::AddressNotAvailable,
        ErrorKind::PermissionDenied => FailKind::PermissionDenied,
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => FailKind::Refused,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => {
            FailKind::Unreachable
        }
        ErrorKind::TimedOut => FailKind::TimedOut,
        ErrorKind::OutOfMemory | ErrorKind::QuotaExceeded => FailKind::OutOfResources,
        _ if is_exhausted(error) => FailKind::OutOfResources,
        _ => FailKind::Other(error.to_string()),
    }
}

/// Why a connection ended.
pub(crate) fn close_reason(error: &Error) -> CloseReason {
    match error.kind() {
        ErrorKind::TimedOut | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
            CloseReason::TimedOut
        }
        // What rustls calls data that break its protocol.
        ErrorKind::InvalidData => CloseReason::Protocol,
        _ => CloseReason::Reset,
    }
}

/// Whether the process or the system has no descriptors left.
fn is_exhausted(error: &Error) -> bool {
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    matches!(error.raw_os_error(), Some(ENFILE | EMFILE))
}
