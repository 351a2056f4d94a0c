//! The system calls of the data plane that no safe wrapper offers without copying: many datagrams
//! received and sent at once, and trains of them (GRO, GSO).
//!
//! This is the only module of the crate that is `unsafe`. Its callers see slices and endpoints.

#![expect(unsafe_code, reason = "recvmmsg, sendmmsg and control messages take raw pointers")]
#![allow(clippy::unnecessary_cast, reason = "C libraries differ in the types of lengths")]

use std::io;
use std::marker::PhantomData;
use std::mem::{size_of, zeroed};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};

use machine::Endpoint;

use crate::defaults::{MAX_SEND_MESSAGES, MAX_SEND_PIECES, RECEIVE_LEN, SLOT_LEN};

/// A socket address of either family, as the kernel takes and gives it.
#[derive(Clone, Copy)]
#[repr(C)]
union Name {
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
}

impl Name {
    const fn unspecified() -> Self {
        // SAFETY: both are plain integers, for which zeros are a value.
        unsafe { zeroed() }
    }

    /// Fills in `endpoint`; says how long it is.
    fn set(&mut self, endpoint: Endpoint, scope: u32) -> libc::socklen_t {
        match endpoint.ip() {
            IpAddr::V4(ip) => {
                self.v4 = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: endpoint.port().to_be(),
                    sin_addr: libc::in_addr { s_addr: ip.to_bits().to_be() },
                    sin_zero: [0; 8],
                };
                size_of::<libc::sockaddr_in>() as libc::socklen_t
            }
            IpAddr::V6(ip) => {
                self.v6 = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: endpoint.port().to_be(),
                    sin6_flowinfo: 0,
                    sin6_addr: libc::in6_addr { s6_addr: ip.octets() },
                    sin6_scope_id: scope,
                };
                size_of::<libc::sockaddr_in6>() as libc::socklen_t
            }
        }
    }

    fn endpoint(&self) -> Endpoint {
        // SAFETY: the family is the first field of both, and any bytes are values of either.
        unsafe {
            if libc::c_int::from(self.v4.sin_family) == libc::AF_INET6 {
                let port = u16::from_be(self.v6.sin6_port);
                Endpoint::new(Ipv6Addr::from(self.v6.sin6_addr.s6_addr), port)
            } else {
                let ip = Ipv4Addr::from_bits(u32::from_be(self.v4.sin_addr.s_addr));
                Endpoint::new(ip, u16::from_be(self.v4.sin_port))
            }
        }
    }
}

/// Room for the control messages of one datagram: an address of ours and a segment size.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Ancillary([u8; 96]);

/// Where and how a datagram arrived.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meta {
    /// Its sender.
    pub(super) remote: Endpoint,
    /// The address that it was sent to, where the socket asks for that.
    pub(super) local: Option<IpAddr>,
    /// The bytes received.
    pub(super) len: usize,
    /// The size of each datagram of a train.
    pub(super) segment_size: Option<usize>,
}

/// Buffers for many datagrams and what the kernel says of each. A slot's datagram stands at
/// [`relay::HEADROOM_LEN`].
pub(super) struct Receiver {
    headers: Box<[libc::mmsghdr]>,
    iovecs: Box<[libc::iovec]>,
    names: Box<[Name]>,
    ancillary: Box<[Ancillary]>,
    buffer: Box<[u8]>,
}

impl Receiver {
    pub(super) fn new(slots: usize) -> Self {
        // SAFETY: integers and pointers, for which zeros are a value.
        let (header, iovec) = unsafe { (zeroed(), zeroed()) };
        Self {
            headers: vec![header; slots].into_boxed_slice(),
            iovecs: vec![iovec; slots].into_boxed_slice(),
            names: vec![Name::unspecified(); slots].into_boxed_slice(),
            ancillary: vec![Ancillary([0; 96]); slots].into_boxed_slice(),
            // Pages that no datagram touches take no memory.
            buffer: vec![0; slots * SLOT_LEN].into_boxed_slice(),
        }
    }

    /// Receives what waits on `socket` into at most `most` slots from the slot `first` on; says how
    /// many it filled.
    pub(super) fn receive(
        &mut self,
        socket: BorrowedFd<'_>,
        first: usize,
        most: usize,
    ) -> io::Result<usize> {
        let most = most.min(self.headers.len().saturating_sub(first));
        for slot in first..first + most {
            let at = slot * SLOT_LEN + relay::HEADROOM_LEN;
            let room = &mut self.buffer[at..at + RECEIVE_LEN];
            self.iovecs[slot] =
                libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: room.len() };
            let header = &mut self.headers[slot].msg_hdr;
            header.msg_name = ptr::from_mut(&mut self.names[slot]).cast();
            header.msg_namelen = size_of::<Name>() as libc::socklen_t;
            header.msg_iov = ptr::from_mut(&mut self.iovecs[slot]);
            header.msg_iovlen = 1;
            header.msg_control = ptr::from_mut(&mut self.ancillary[slot]).cast();
            header.msg_controllen = size_of::<Ancillary>() as _;
        }
        let headers = &mut self.headers[first..first + most];
        let (fd, len) = (socket.as_raw_fd(), headers.len() as libc::c_uint);
        // SAFETY: every header points to a name, control room and a buffer of the lengths that it
        // says, each its own and owned by `self`, which is borrowed mutably.
        let n = unsafe {
            libc::recvmmsg(fd, headers.as_mut_ptr(), len, libc::MSG_DONTWAIT as _, ptr::null_mut())
        };
        usize::try_from(n).map_err(|_| io::Error::last_os_error())
    }

    /// What the kernel said of the datagram in `slot`.
    pub(super) fn meta(&self, slot: usize) -> Meta {
        let header = &self.headers[slot];
        let mut meta = Meta {
            remote: self.names[slot].endpoint(),
            local: None,
            len: (header.msg_len as usize).min(RECEIVE_LEN),
            segment_size: None,
        };
        for_each_ancillary(&header.msg_hdr, |level, kind, data| match (level, kind) {
            (libc::SOL_UDP, libc::UDP_GRO) => {
                let size: Option<libc::c_int> = read(data);
                meta.segment_size = size.and_then(|size| usize::try_from(size).ok());
            }
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                let info: Option<libc::in_pktinfo> = read(data);
                let ip = info.map(|info| u32::from_be(info.ipi_addr.s_addr));
                meta.local = ip.map(|ip| Ipv4Addr::from_bits(ip).into());
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                let info: Option<libc::in6_pktinfo> = read(data);
                meta.local = info.map(|info| Ipv6Addr::from(info.ipi6_addr.s6_addr).into());
            }
            _ => {}
        });
        meta
    }

    /// The buffer of `slot`, headroom and all.
    pub(super) fn slot_mut(&mut self, slot: usize) -> &mut [u8] {
        let at = slot * SLOT_LEN;
        self.buffer.get_mut(at..at + SLOT_LEN).unwrap_or_default()
    }

    /// Copies `len` bytes at `start` of the datagram in the slot `from` to the slot `to`.
    pub(super) fn copy(&mut self, from: usize, start: usize, len: usize, to: usize) {
        let at = from * SLOT_LEN + relay::HEADROOM_LEN + start;
        self.buffer.copy_within(at..at + len, to * SLOT_LEN + relay::HEADROOM_LEN);
    }

    /// The buffers of all slots, one after the other, [`SLOT_LEN`] each.
    pub(super) fn buffer(&self) -> &[u8] {
        &self.buffer
    }
}

/// Calls `f` with level, type and data of every control message.
fn for_each_ancillary(header: &libc::msghdr, mut f: impl FnMut(libc::c_int, libc::c_int, &[u8])) {
    // SAFETY: the kernel wrote `msg_controllen` bytes of control messages to `msg_control`, which
    // belongs to whoever owns the header, and the macros stay inside of them.
    unsafe {
        let mut next = libc::CMSG_FIRSTHDR(header);
        while let Some(message) = next.as_ref() {
            let whole = message.cmsg_len as usize;
            let len = whole.saturating_sub(libc::CMSG_LEN(0) as usize);
            let data = std::slice::from_raw_parts(libc::CMSG_DATA(message), len);
            f(message.cmsg_level, message.cmsg_type, data);
            next = libc::CMSG_NXTHDR(header, message);
        }
    }
}

/// Reads a plain value of the kernel's from the start of `data`.
fn read<T: Plain>(data: &[u8]) -> Option<T> {
    // SAFETY: there are enough bytes, and any bytes are a value of a plain type.
    (data.len() >= size_of::<T>()).then(|| unsafe { ptr::read_unaligned(data.as_ptr().cast()) })
}

/// Types of which any bytes are a value.
///
/// # Safety
/// They hold integers alone.
unsafe trait Plain: Copy {}
// SAFETY: integers.
unsafe impl Plain for libc::c_int {}
// SAFETY: integers.
unsafe impl Plain for libc::in_pktinfo {}
// SAFETY: integers.
unsafe impl Plain for libc::in6_pktinfo {}

/// One message of a batch: where to, where from, and how it is cut.
#[derive(Clone, Copy, Debug)]
pub(super) struct Address {
    pub(super) remote: Endpoint,
    /// The interface of a link-local `remote`.
    pub(super) scope: u32,
    /// The source, for a socket that has several.
    pub(super) source: Option<IpAddr>,
    /// Whether the socket is connected to `remote`.
    pub(super) connected: bool,
}

/// Headers for many messages to send, used again for each batch.
pub(super) struct Sender {
    headers: Box<[libc::mmsghdr]>,
    iovecs: Box<[libc::iovec]>,
    names: Box<[Name]>,
    ancillary: Box<[Ancillary]>,
}

impl Sender {
    pub(super) fn new() -> Self {
        // SAFETY: integers and pointers, for which zeros are a value.
        let (header, iovec) = unsafe { (zeroed(), zeroed()) };
        Self {
            headers: vec![header; MAX_SEND_MESSAGES].into_boxed_slice(),
            iovecs: vec![iovec; MAX_SEND_PIECES].into_boxed_slice(),
            names: vec![Name::unspecified(); MAX_SEND_MESSAGES].into_boxed_slice(),
            ancillary: vec![Ancillary([0; 96]); MAX_SEND_MESSAGES].into_boxed_slice(),
        }
    }

    /// An empty batch, of pieces that live for `'a`.
    pub(super) const fn batch<'s, 'a>(&'s mut self) -> SendBatch<'s, 'a> {
        SendBatch { sender: self, messages: 0, pieces: 0, lives: PhantomData }
    }
}

/// Messages to send from one socket.
pub(super) struct SendBatch<'s, 'a> {
    sender: &'s mut Sender,
    messages: usize,
    pieces: usize,
    lives: PhantomData<&'a [u8]>,
}

impl<'a> SendBatch<'_, 'a> {
    /// Whether another message with one piece has room.
    pub(super) const fn has_room(&self) -> bool {
        self.messages < MAX_SEND_MESSAGES && self.has_room_for_piece()
    }

    /// Whether the last message can get another piece.
    pub(super) const fn has_room_for_piece(&self) -> bool {
        self.pieces < MAX_SEND_PIECES
    }

    pub(super) const fn len(&self) -> usize {
        self.messages
    }

    /// Whether the message at `n` is a train.
    pub(super) fn is_train(&self, n: usize) -> bool {
        // A piece each, or cut into several.
        self.sender.headers.get(n).is_some_and(|header| header.msg_hdr.msg_controllen > 0)
    }

    /// Adds a message with its first piece.
    pub(super) fn push(&mut self, address: Address, piece: &'a [u8]) {
        assert!(self.has_room(), "asked before");
        let (n, sender) = (self.messages, &mut *self.sender);
        let header = &mut sender.headers[n].msg_hdr;
        (header.msg_name, header.msg_namelen) = (ptr::null_mut(), 0);
        if !address.connected {
            header.msg_namelen = sender.names[n].set(address.remote, address.scope);
            header.msg_name = ptr::from_mut(&mut sender.names[n]).cast();
        }
        header.msg_iov = ptr::from_mut(&mut sender.iovecs[self.pieces]);
        header.msg_iovlen = 0;
        header.msg_control = ptr::from_mut(&mut sender.ancillary[n]).cast();
        header.msg_controllen = 0;
        header.msg_flags = 0;
        if let Some(source) = address.source {
            push_source(header, source);
        }
        self.messages += 1;
        self.push_piece(piece);
    }

    /// Adds a piece to the last message.
    pub(super) fn push_piece(&mut self, piece: &'a [u8]) {
        assert!(self.messages > 0 && self.has_room_for_piece(), "asked before");
        self.sender.iovecs[self.pieces] =
            libc::iovec { iov_base: piece.as_ptr().cast_mut().cast(), iov_len: piece.len() };
        self.sender.headers[self.messages - 1].msg_hdr.msg_iovlen += 1;
        self.pieces += 1;
    }

    /// Has the last message cut into datagrams of `size` bytes.
    pub(super) fn segment(&mut self, size: usize) {
        let header = &mut self.sender.headers[self.messages - 1].msg_hdr;
        let size = u16::try_from(size).unwrap_or(u16::MAX);
        push_ancillary(header, libc::SOL_UDP, libc::UDP_SEGMENT, &size.to_ne_bytes());
    }

    /// Sends the messages from `first` on; says how many went.
    pub(super) fn send(&mut self, socket: BorrowedFd<'_>, first: usize) -> io::Result<usize> {
        const FLAGS: libc::c_int = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        let fd = socket.as_raw_fd();
        let headers = &mut self.sender.headers[first..self.messages];
        let sent = match headers {
            // One datagram alone: the kernel copies no header and no list of pieces for it.
            [one] if one.msg_hdr.msg_iovlen == 1 && one.msg_hdr.msg_controllen == 0 => {
                let header = &one.msg_hdr;
                let name = header.msg_name.cast_const().cast();
                // SAFETY: the header points to a name and to a piece of the lengths that it says;
                // the piece lives for `'a`, and the kernel only reads them.
                unsafe {
                    let piece = header.msg_iov.read();
                    let (base, len) = (piece.iov_base.cast_const(), piece.iov_len);
                    libc::sendto(fd, base, len, FLAGS, name, header.msg_namelen).min(1) as _
                }
            }
            _ => {
                let len = headers.len() as libc::c_uint;
                // SAFETY: every header points to a name, control messages and pieces of the lengths
                // that it says; the pieces live for `'a`, and the kernel only reads them.
                unsafe { libc::sendmmsg(fd, headers.as_mut_ptr(), len, FLAGS as _) }
            }
        };
        match usize::try_from(sent) {
            // An empty datagram has no bytes.
            Ok(sent) => Ok(sent.max(1)),
            Err(_) => Err(io::Error::last_os_error()),
        }
    }
}

/// Sends one datagram. What the network said of an earlier one comes out of the socket first; then it
/// is sent again.
pub(super) fn send(socket: BorrowedFd<'_>, address: Address, bytes: &[u8]) -> io::Result<()> {
    let (mut name, mut ancillary) = (Name::unspecified(), Ancillary([0; 96]));
    let name_len = name.set(address.remote, address.scope);
    let mut piece =
        libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    // SAFETY: integers and pointers, for which zeros are a value.
    let mut header: libc::msghdr = unsafe { zeroed() };
    header.msg_name = ptr::from_mut(&mut name).cast();
    header.msg_namelen = name_len;
    header.msg_iov = &raw mut piece;
    header.msg_iovlen = 1;
    header.msg_control = ptr::from_mut(&mut ancillary).cast();
    if let Some(source) = address.source {
        push_source(&mut header, source);
    }
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    let attempt = || {
        // SAFETY: the header points to a name, control messages and a piece that live here, and the
        // kernel only reads them.
        let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const header, flags) };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    };
    match attempt().map_err(|error| (error.raw_os_error(), error)) {
        Ok(()) => Ok(()),
        Err((Some(libc::EAGAIN | libc::EMSGSIZE | libc::EINVAL), error)) => Err(error),
        Err(_) => attempt(),
    }
}

fn push_source(header: &mut libc::msghdr, source: IpAddr) {
    match source {
        IpAddr::V4(ip) => {
            // `in_pktinfo`: interface, source, and an address that counts only when received.
            let mut info = [0; size_of::<libc::in_pktinfo>()];
            info[4..8].copy_from_slice(&ip.octets());
            push_ancillary(header, libc::IPPROTO_IP, libc::IP_PKTINFO, &info);
        }
        IpAddr::V6(ip) => {
            // `in6_pktinfo`: source and interface.
            let mut info = [0; size_of::<libc::in6_pktinfo>()];
            info[..16].copy_from_slice(&ip.octets());
            push_ancillary(header, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info);
        }
    }
}

/// Adds a control message to a header whose `msg_control` is an [`Ancillary`].
fn push_ancillary(header: &mut libc::msghdr, level: libc::c_int, kind: libc::c_int, data: &[u8]) {
    let len = data.len() as libc::c_uint;
    // SAFETY: both only compute.
    let (space, whole) = unsafe { (libc::CMSG_SPACE(len), libc::CMSG_LEN(len)) };
    let at = header.msg_controllen as usize;
    assert!(at + space as usize <= size_of::<Ancillary>(), "two messages fit");
    // SAFETY: the message lies inside the `Ancillary` that `msg_control` points to, which is
    // aligned for a `cmsghdr`, as every `CMSG_SPACE` is a multiple of.
    unsafe {
        let message: *mut libc::cmsghdr = header.msg_control.byte_add(at).cast();
        message.write(libc::cmsghdr { cmsg_len: whole as _, cmsg_level: level, cmsg_type: kind });
        ptr::copy_nonoverlapping(data.as_ptr(), libc::CMSG_DATA(message), data.len());
    }
    header.msg_controllen = (at + space as usize) as _;
}

/// Switches an option of `socket` that is a number.
pub(super) fn set_option(
    socket: BorrowedFd<'_>,
    level: libc::c_int,
    option: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    let value = NonNull::from(&value);
    let len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the value lives until the call returns, and has the length that is told.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, option, value.as_ptr().cast_const().cast(), len)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
