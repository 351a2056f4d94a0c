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

/// Whether the process or the system has no descriptors or no memory for sockets left.
#[cfg(unix)]
fn is_exhausted(error: &Error) -> bool {
    use rustix::io::Errno;
    let exhausted = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    Errno::from_io_error(error).is_some_and(|errno| exhausted.contains(&errno))
}

#[cfg(not(unix))]
fn is_exhausted(_: &Error) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::Error;

    use machine::FailKind;
    use rustix::io::Errno;

    use super::fail_kind;

    #[test]
    fn what_ends_is_told_from_what_is_taken() {
        for errno in [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM] {
            assert_eq!(fail_kind(&Error::from(errno)), FailKind::OutOfResources);
        }
        assert_eq!(fail_kind(&Error::from(Errno::ADDRINUSE)), FailKind::AddressInUse);
        let foreign = fail_kind(&Error::from(Errno::ADDRNOTAVAIL));
        assert_eq!(foreign, FailKind::AddressNotAvailable);
        assert!(matches!(fail_kind(&Error::from(Errno::PROTO)), FailKind::Other(_)));
    }
}
