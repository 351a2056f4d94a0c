//! How many sockets the process may hold.

use std::io;

/// The limit of open descriptors (`RLIMIT_NOFILE`); `None` is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DescriptorLimit {
    /// What holds now.
    pub soft: Option<u64>,
    /// What the process may raise it to by itself.
    pub hard: Option<u64>,
}

/// Raises the limit of open descriptors as far as the system allows, and says what it is now.
///
/// A privileged process could raise the hard limit too; that is for whoever starts it
/// (`LimitNOFILE=` of systemd, `ulimit -n`).
///
/// # Errors
/// What the operating system says; the limit is as it was.
#[cfg(unix)]
pub fn raise_descriptor_limit() -> io::Result<DescriptorLimit> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    }
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    Ok(DescriptorLimit { soft: current, hard: maximum })
}

/// Raises the limit of open descriptors as far as the system allows: here there is none.
///
/// # Errors
/// Never.
#[cfg(not(unix))]
pub fn raise_descriptor_limit() -> io::Result<DescriptorLimit> {
    Ok(DescriptorLimit { soft: None, hard: None })
}

#[cfg(all(test, unix))]
mod tests {
    use super::raise_descriptor_limit;

    #[test]
    fn as_far_as_allowed() {
        let limit = raise_descriptor_limit().unwrap();
        assert_eq!(limit.soft, limit.hard);
        assert_eq!(raise_descriptor_limit().unwrap(), limit);
    }
}
