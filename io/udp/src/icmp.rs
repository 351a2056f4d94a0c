//! What the network says about datagrams that were sent: the error queue of `IP_RECVERR` and
//! `IPV6_RECVERR` (ip(7), ipv6(7)), in the words of machines.

use std::io;
use std::os::fd::AsFd;

use machine::{Endpoint, Icmp};

use crate::Socket;

/// An ICMP error that came back, or an error of our own about the path's MTU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreachable {
    /// Where the datagram was sent; without a port (0) if our own kernel refused it, which failed
    /// the send.
    pub remote: Endpoint,
    /// What came of it.
    pub icmp: Icmp,
}

impl<S: AsFd> Socket<S> {
    /// Takes the next error from the socket's queue. While there is one, the kernel fails the next
    /// send or receive once.
    ///
    /// # Errors
    /// `WouldBlock` when there is none.
    pub fn unreachable(&self) -> io::Result<Unreachable> {
        loop {
            // What is no error of a path is left out.
            if let Some(unreachable) = next(self.owner())? {
                return Ok(unreachable);
            }
        }
    }
}

#[cfg(target_os = "linux")]
pub(crate) use imp::enable;
pub(crate) use imp::next;

#[cfg(target_os = "linux")]
mod imp {
    use std::io;
    use std::net::UdpSocket;
    use std::os::fd::{AsFd, AsRawFd as _};

    use machine::{Endpoint, Icmp};
    use nix::libc;
    use nix::sys::socket::{
        ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt,
    };

    use super::Unreachable;

    /// Asks the kernel to queue the errors of `socket`.
    pub(crate) fn enable(socket: &UdpSocket, local: Endpoint) -> io::Result<()> {
        if local.is_ipv4() {
            setsockopt(socket, sockopt::Ipv4RecvErr, &true)?;
        } else {
            setsockopt(socket, sockopt::Ipv6RecvErr, &true)?;
        }
        Ok(())
    }

    /// The next entry of the queue; `None` is one of another kind.
    pub(crate) fn next(socket: &impl AsFd) -> io::Result<Option<Unreachable>> {
        // The error, the router's address, and whatever else the socket asked to be told.
        let mut control = nix::cmsg_space!([u8; 256]);
        // The datagram itself comes too; nobody needs it.
        let mut nothing = [];
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let fd = socket.as_fd().as_raw_fd();
        let message = recvmsg::<SockaddrStorage>(fd, &mut nothing, Some(&mut control), flags)?;
        let Some(remote) = message.address.as_ref().and_then(endpoint) else { return Ok(None) };
        let error = message.cmsgs()?.find_map(|message| match message {
            ControlMessageOwned::Ipv4RecvErr(error, _)
            | ControlMessageOwned::Ipv6RecvErr(error, _) => Some(error),
            _ => None,
        });
        Ok(error.and_then(|error| {
            // The kernel tells the port with IPv6 alone.
            let ours = error.ee_origin == libc::SO_EE_ORIGIN_LOCAL;
            let remote = if ours { remote.with_port(0) } else { remote };
            Some(Unreachable { remote, icmp: icmp(&error)? })
        }))
    }

    fn endpoint(address: &SockaddrStorage) -> Option<Endpoint> {
        let v4 = address.as_sockaddr_in().map(|v4| Endpoint::new(v4.ip(), v4.port()));
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| Endpoint::new(v6.ip(), v6.port())))
    }

    /// RFC 792 and RFC 1122 §3.2.2.1 for ICMP, RFC 4443 §3 for ICMPv6.
    fn icmp(error: &libc::sock_extended_err) -> Option<Icmp> {
        let too_big = || Icmp::TooBig { mtu: u16::try_from(error.ee_info).unwrap_or(u16::MAX) };
        Some(match (error.ee_origin, error.ee_type, error.ee_code) {
            (libc::SO_EE_ORIGIN_LOCAL, _, _) if error.ee_errno == libc::EMSGSIZE as u32 => {
                too_big()
            }
            (libc::SO_EE_ORIGIN_ICMP, 3, 4) | (libc::SO_EE_ORIGIN_ICMP6, 2, _) => too_big(),
            (libc::SO_EE_ORIGIN_ICMP, 3, 2 | 3) | (libc::SO_EE_ORIGIN_ICMP6, 1, 4) => {
                Icmp::PortUnreachable
            }
            (libc::SO_EE_ORIGIN_ICMP, 3, 0 | 6 | 11) | (libc::SO_EE_ORIGIN_ICMP6, 1, 0) => {
                Icmp::NetworkUnreachable
            }
            (libc::SO_EE_ORIGIN_ICMP, 3, 9 | 10 | 13)
            | (libc::SO_EE_ORIGIN_ICMP6, 1, 1 | 5 | 6) => Icmp::Prohibited,
            (libc::SO_EE_ORIGIN_ICMP, 3, _) | (libc::SO_EE_ORIGIN_ICMP6, 1, _) => {
                Icmp::HostUnreachable
            }
            (libc::SO_EE_ORIGIN_ICMP, 11, _) | (libc::SO_EE_ORIGIN_ICMP6, 3, _) => {
                Icmp::TimeExceeded
            }
            _ => return None,
        })
    }

    #[cfg(test)]
    mod tests {
        use machine::Icmp;
        use nix::libc;

        fn error(origin: u8, kind: u8, code: u8, info: u32) -> libc::sock_extended_err {
            let errno = if origin == libc::SO_EE_ORIGIN_LOCAL { libc::EMSGSIZE as u32 } else { 0 };
            libc::sock_extended_err {
                ee_errno: errno,
                ee_origin: origin,
                ee_type: kind,
                ee_code: code,
                ee_pad: 0,
                ee_info: info,
                ee_data: 0,
            }
        }

        #[test]
        fn what_the_numbers_mean() {
            let v4 = |kind, code| super::icmp(&error(libc::SO_EE_ORIGIN_ICMP, kind, code, 1400));
            let v6 = |kind, code| super::icmp(&error(libc::SO_EE_ORIGIN_ICMP6, kind, code, 70_000));
            assert_eq!(v4(3, 0), Some(Icmp::NetworkUnreachable));
            assert_eq!(v4(3, 1), Some(Icmp::HostUnreachable));
            assert_eq!(v4(3, 3), Some(Icmp::PortUnreachable));
            assert_eq!(v4(3, 4), Some(Icmp::TooBig { mtu: 1400 }));
            assert_eq!(v4(3, 13), Some(Icmp::Prohibited));
            assert_eq!(v4(11, 0), Some(Icmp::TimeExceeded));
            assert_eq!(v4(12, 0), None);
            assert_eq!(v6(1, 0), Some(Icmp::NetworkUnreachable));
            assert_eq!(v6(1, 1), Some(Icmp::Prohibited));
            assert_eq!(v6(1, 3), Some(Icmp::HostUnreachable));
            assert_eq!(v6(1, 4), Some(Icmp::PortUnreachable));
            assert_eq!(v6(2, 0), Some(Icmp::TooBig { mtu: u16::MAX }));
            assert_eq!(v6(3, 1), Some(Icmp::TimeExceeded));
            let local = super::icmp(&error(libc::SO_EE_ORIGIN_LOCAL, 0, 0, 1280));
            assert_eq!(local, Some(Icmp::TooBig { mtu: 1280 }));
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use std::io;
    use std::os::fd::AsFd;

    use super::Unreachable;

    /// Nothing is queued here.
    pub(crate) fn next(_: &impl AsFd) -> io::Result<Option<Unreachable>> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}
