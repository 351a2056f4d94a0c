//! What a batch of received packets became, sent with as few system calls as it takes: sorted by
//! socket and destination, equal datagrams to one destination as a train.

use std::io;
use std::net::IpAddr;
use std::ops::Range;
use std::os::fd::AsFd;

use machine::Endpoint;

use super::sockets::Sockets;
use super::sys::{SendBatch, Sender};
use crate::defaults::{MAX_SEND_MESSAGES, MAX_TRAIN_LEN, MAX_TRAIN_SEGMENTS};

/// One packet to send.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outgoing {
    /// The place of the socket in [`Sockets`].
    pub(super) socket: u32,
    pub(super) source: IpAddr,
    pub(super) remote: Endpoint,
    /// Where the packet stands in the receiver's buffer.
    pub(super) start: usize,
    pub(super) len: usize,
    /// The size of each datagram of a train, `len` for one datagram.
    pub(super) segment: usize,
}

impl Outgoing {
    const fn bytes(&self) -> Range<usize> {
        self.start..self.start + self.len
    }

    const fn count(&self) -> usize {
        if self.segment < self.len { self.len.div_ceil(self.segment) } else { 1 }
    }
}

/// Packets to send, and the memory that sending them takes.
pub(super) struct Queue {
    packets: Vec<Outgoing>,
    /// Socket, destination and place of each packet in one number, to sort by.
    order: Vec<u64>,
    /// For each message of a batch, the packets of `order` that are in it.
    spans: Vec<Range<usize>>,
    /// Spans whose trains the kernel did not take.
    broken: Vec<Range<usize>>,
    sender: Sender,
    /// Whether the kernel takes trains.
    trains: bool,
    /// Datagrams that were lost here.
    pub(super) failed: u64,
}

/// What became of a message.
enum Sent {
    Again,
    Broken,
    Full,
    Lost,
}

impl Queue {
    pub(super) fn new(slots: usize) -> Self {
        Self {
            packets: Vec::with_capacity(slots),
            order: Vec::with_capacity(slots),
            spans: Vec::with_capacity(MAX_SEND_MESSAGES),
            broken: Vec::with_capacity(MAX_SEND_MESSAGES),
            sender: Sender::new(),
            trains: true,
            failed: 0,
        }
    }

    pub(super) fn push(&mut self, packet: Outgoing) {
        self.packets.push(packet);
    }

    /// Sends all packets, whose bytes stand in `buffer`, and forgets them.
    pub(super) fn flush(&mut self, sockets: &Sockets, buffer: &[u8]) {
        if self.packets.is_empty() {
            return;
        }
        self.sort();
        let mut at = 0;
        while at < self.order.len() {
            at = self.send_from(at, sockets, buffer);
        }
        while let Some(span) = self.broken.pop() {
            self.send_apart(span, sockets, buffer);
        }
        self.packets.clear();
    }

    /// Puts packets of one socket and one destination side by side, each destination's in order.
    fn sort(&mut self) {
        self.order.clear();
        self.order.extend((0_u64..).zip(&self.packets).map(|(n, packet)| {
            u64::from(packet.socket) << 40 | spread(packet.remote) << 16 | n & 0xffff
        }));
        self.order.sort_unstable();
    }

    fn packet(&self, at: usize) -> Option<&Outgoing> {
        self.packets.get((*self.order.get(at)? & 0xffff) as usize)
    }

    /// Sends the packets from the place `at` of the order on, as many as one system call takes; says
    /// where to go on.
    fn send_from(&mut self, at: usize, sockets: &Sockets, buffer: &[u8]) -> usize {
        let Self { packets, order, spans, broken, sender, trains, failed } = self;
        let packet = |at: usize| packets.get((*order.get(at)? & 0xffff) as usize);
        let Some(first) = packet(at) else { return usize::MAX };
        let Some(sock) = sockets.at(first.socket) else { return at + 1 };
        spans.clear();
        let mut batch = sender.batch();
        let mut next = at;
        while let Some(packet) = packet(next).filter(|packet| packet.socket == first.socket) {
            if !batch.has_room() {
                break;
            }
            let end = add_message(&mut batch, next, *packet, sock, *trains, buffer, |at| {
                packets.get((*order.get(at)? & 0xffff) as usize)
            });
            spans.push(next..end);
            next = end;
        }
        let mut sent = 0;
        let mut tried = None;
        while sent < batch.len() {
            let result = match batch.send(sock.as_fd(), sent) {
                Ok(n) => {
                    sent += n;
                    continue;
                }
                Err(error) => outcome(&error, tried == Some(sent), trains),
            };
            let lost = |spans: &[Range<usize>]| -> u64 {
                let packets = spans.iter().cloned().flatten().filter_map(packet);
                packets.map(|packet| packet.count() as u64).sum()
            };
            match result {
                Sent::Again => tried = Some(sent),
                Sent::Broken if batch.is_train(sent) => {
                    broken.extend(spans.get(sent).cloned());
                    sent += 1;
                }
                Sent::Full => {
                    *failed += lost(spans.get(sent..).unwrap_or_default());
                    break;
                }
                Sent::Broken | Sent::Lost => {
                    *failed += lost(spans.get(sent..=sent).unwrap_or_default());
                    sent += 1;
                }
            }
        }
        next
    }

    /// Sends every datagram of the packets in `span` alone.
    fn send_apart(&mut self, span: Range<usize>, sockets: &Sockets, buffer: &[u8]) {
        for at in span {
            let Some(&packet) = self.packet(at) else { continue };
            let Some(sock) = sockets.at(packet.socket) else { continue };
            let bytes = buffer.get(packet.bytes()).unwrap_or_default();
            for datagram in bytes.chunks(packet.segment.max(1)) {
                let mut batch = self.sender.batch();
                batch.push(sock.address(packet.remote, packet.source), datagram);
                let sent = batch.send(sock.as_fd(), 0).or_else(|_| batch.send(sock.as_fd(), 0));
                self.failed += u64::from(sent.is_err());
            }
        }
    }
}

/// Adds the packet at `at` of the order to `batch`, and with it those behind it that can go in one
/// train; says where the next message begins.
fn add_message<'a, 'p>(
    batch: &mut SendBatch<'_, 'a>,
    at: usize,
    first: Outgoing,
    sock: &super::sock::Sock,
    trains: bool,
    buffer: &'a [u8],
    packet: impl Fn(usize) -> Option<&'p Outgoing>,
) -> usize {
    let bytes = |packet: &Outgoing| buffer.get(packet.bytes()).unwrap_or_default();
    batch.push(sock.address(first.remote, first.source), bytes(&first));
    let (segment, mut len, mut count) = (first.segment, first.len, first.count());
    let mut next = at + 1;
    let mut whole = segment > 0 && len.is_multiple_of(segment);
    while trains && whole && batch.has_room_for_piece() {
        let Some(more) = packet(next) else { break };
        let alike = more.remote == first.remote
            && more.socket == first.socket
            && more.source == first.source
            && (more.segment == segment || (more.count() == 1 && more.len < segment))
            && more.len > 0;
        if !alike || len + more.len > MAX_TRAIN_LEN || count + more.count() > MAX_TRAIN_SEGMENTS {
            break;
        }
        batch.push_piece(bytes(more));
        len += more.len;
        count += more.count();
        whole = more.len.is_multiple_of(segment);
        next += 1;
    }
    if count > 1 {
        batch.segment(segment);
    }
    next
}

/// What an error of sending means for the message that it is about.
fn outcome(error: &io::Error, again: bool, trains: &mut bool) -> Sent {
    match error.raw_os_error() {
        Some(libc::EINTR) => Sent::Again,
        Some(libc::EAGAIN | libc::ENOBUFS) => Sent::Full,
        // The device computes no checksums, without which there are no trains.
        Some(libc::EIO) => {
            *trains = false;
            Sent::Broken
        }
        // A segment that is longer than the path takes without fragments.
        Some(libc::EINVAL | libc::EMSGSIZE) => Sent::Broken,
        // Most likely the network's answer to an earlier datagram, of which the socket tells once.
        Some(_) if !again => Sent::Again,
        _ => Sent::Lost,
    }
}

/// 24 bits of `endpoint`, to bring equal ones together. That others may fall among them costs a train,
/// and no more.
fn spread(endpoint: Endpoint) -> u64 {
    let ip = match endpoint.ip() {
        IpAddr::V4(ip) => u64::from(ip.to_bits()),
        IpAddr::V6(ip) => {
            let bits = ip.to_bits();
            (bits >> 64) as u64 ^ bits as u64
        }
    };
    let mixed = (ip << 16 ^ u64::from(endpoint.port())).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed >> 40
}
