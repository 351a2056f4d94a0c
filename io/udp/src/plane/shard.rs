//! One thread of a plane: wait, receive, forward, send.

use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::sync::Arc;

use machine::{Endpoint, Entropy, Id, Instant};
use relay::{Client, Forward, HEADROOM_LEN, Packet, Table};
use rustix::event::epoll;

use super::budget::Budget;
use super::incoming::{Arrival, Arrivals, Control};
use super::mailbox::{Command, Mailbox, WAKE};
use super::outgoing::{Outgoing, Queue};
use super::sockets::Sockets;
use super::sys::{Meta, Receiver};
use super::{PlaneConfig, PlaneCounters};
use crate::Unreachable;
use crate::defaults::{
    AT_ONCE, BATCH_LEN, ENOUGH_LEN, EVENTS_LEN, MAX_ERRORS_READ, OFTEN, REST, SLOT_LEN, SLOTS_LEN,
};
use crate::icmp;

/// A shard, on its own thread.
pub(super) struct Shard {
    mailbox: Arc<Mailbox>,
    control: Control,
    clock: fn() -> Instant,
    table: Table,
    sockets: Sockets,
    receiver: Receiver,
    /// For each filled slot the socket that it came from.
    filled: Vec<(u32, Id)>,
    queue: Queue,
    arrivals: Arrivals,
    commands: Vec<Command>,
    answer: Vec<u8>,
    budget: Budget,
    counters: PlaneCounters,
    /// When packets were last forwarded.
    woken: std::time::Instant,
    stopping: bool,
}

impl Shard {
    pub(super) fn new(
        mailbox: Arc<Mailbox>,
        control: Control,
        config: &PlaneConfig,
        number: usize,
    ) -> Self {
        let mut entropy = config.entropy.fork(&format!("udp.shard.{number}"));
        Self {
            mailbox,
            control,
            clock: config.clock,
            table: Table::replica(&mut entropy),
            sockets: Sockets::new(&mut Entropy::new(entropy.bytes()), config.connections()),
            // One more, for the datagrams of a train that is cut apart.
            receiver: Receiver::new(SLOTS_LEN + 1),
            filled: Vec::with_capacity(SLOTS_LEN),
            queue: Queue::new(SLOTS_LEN),
            arrivals: Arrivals::default(),
            commands: Vec::new(),
            answer: Vec::with_capacity(256),
            budget: Budget::new(config.count()),
            counters: PlaneCounters::default(),
            woken: std::time::Instant::now(),
            stopping: false,
        }
    }

    /// Runs until told to stop.
    pub(super) fn run(mut self) {
        let mut events = [MaybeUninit::<epoll::Event>::uninit(); EVENTS_LEN];
        while !self.stopping {
            let mailbox = Arc::clone(&self.mailbox);
            // Interrupted by a signal: nothing has happened.
            let Ok((events, _)) = epoll::wait(&mailbox.epoll, &mut events, None) else { continue };
            for event in events {
                let (number, flags) = (event.data.u64(), event.flags);
                if number == WAKE {
                    self.mailbox.woken();
                    self.obey();
                } else {
                    self.serve(number, flags);
                }
            }
            let some = self.process();
            self.counters.relay = *self.table.counters();
            self.counters.send_failed = self.queue.failed;
            self.mailbox.publish(&self.counters);
            self.rest(some);
        }
    }

    /// Waits for company where packets come often but few at a time: being woken costs as much as
    /// forwarding, and a tenth of a millisecond is nothing to those who talk.
    fn rest(&mut self, some: usize) {
        let woken = std::time::Instant::now();
        let since = woken.duration_since(self.woken);
        self.woken = woken;
        // One alone has found no company by waiting, unless it follows at once.
        let often = if some > 1 { OFTEN } else { AT_ONCE };
        if since < often && (1..ENOUGH_LEN).contains(&some) {
            std::thread::sleep(REST);
        }
    }

    /// Does what other threads said.
    fn obey(&mut self) {
        let mut commands = std::mem::take(&mut self.commands);
        if self.mailbox.take(&mut commands) {
            for command in commands.drain(..) {
                match command {
                    Command::Flow(change) => self.table.apply(change),
                    Command::Open(id, sock) => self.sockets.insert(id, sock),
                    Command::Close(id) => self.sockets.remove(id),
                    Command::Stop => self.stopping = true,
                }
            }
        }
        self.commands = commands;
    }

    /// Receives what waits on the socket that has the number `number`, as long as there are slots:
    /// the rest has its turn after the other sockets.
    fn serve(&mut self, number: u64, flags: epoll::EventFlags) {
        let mut place = self.sockets.place(number);
        if place.is_none() {
            // It is newer than what was last looked at, or closed.
            self.obey();
            place = self.sockets.place(number);
        }
        let Some(place) = place else { return };
        if flags.contains(epoll::EventFlags::ERR) {
            self.serve_errors(place);
        }
        if !flags.contains(epoll::EventFlags::IN) {
            return;
        }
        if self.filled.len() == SLOTS_LEN {
            self.process();
        }
        let mut errors = 0;
        while errors < MAX_ERRORS_READ && self.filled.len() < SLOTS_LEN {
            let first = self.filled.len();
            let Some(open) = self.sockets.open_mut(place) else { return };
            let most = open.most.min(SLOTS_LEN - first);
            let got = match self.receiver.receive(open.sock.as_fd(), first, most) {
                Ok(got) => got,
                // What the network said of an earlier datagram; the error queue has it too.
                Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => {
                    errors += 1;
                    continue;
                }
                Err(_) => return,
            };
            self.filled.extend(std::iter::repeat_n((place, open.id), got));
            if got < most {
                open.most = got.max(1);
                return;
            }
            open.most = (2 * open.most).min(BATCH_LEN);
        }
    }

    /// Hands over what the network said of what was sent from a socket.
    fn serve_errors(&mut self, place: u32) {
        let Some(open) = self.sockets.open(place) else { return };
        for _ in 0..BATCH_LEN {
            match icmp::next(&*open.sock) {
                // Without a port it is an error of our own kernel's, told when the datagram was sent.
                Ok(Some(Unreachable { remote, .. })) if remote.port() == 0 => {}
                Ok(Some(Unreachable { remote, icmp })) => {
                    let arrival = Arrival::Unreachable { socket: open.id, remote, icmp };
                    self.counters.control_dropped += u64::from(!self.arrivals.push(arrival));
                }
                Ok(None) => {}
                Err(_) => return,
            }
        }
    }

    /// Forwards what was received, and sends it; says how much it was.
    fn process(&mut self) -> usize {
        // Everything said before these packets arrived counts for them.
        self.obey();
        let some = self.filled.len();
        if some > 0 {
            let now = (self.clock)();
            for slot in 0..some {
                self.process_slot(slot, now);
            }
            self.filled.clear();
            self.queue.flush(&self.sockets, self.receiver.buffer());
        }
        if !self.arrivals.is_empty() {
            self.counters.control += self.arrivals.len() as u64;
            self.counters.control_dropped += self.control.push(self.arrivals.iter());
            self.arrivals.clear();
        }
        some
    }

    fn process_slot(&mut self, slot: usize, now: Instant) {
        let Some(&(place, id)) = self.filled.get(slot) else { return };
        let meta = self.receiver.meta(slot);
        if self.decide(slot, place, id, meta, now) {
            return;
        }
        // A train that does not stay together: what was decided before it goes first.
        self.queue.flush(&self.sockets, self.receiver.buffer());
        let segment = meta.segment_size.unwrap_or(meta.len).max(1);
        for start in (0..meta.len).step_by(segment) {
            let len = segment.min(meta.len - start);
            self.receiver.copy(slot, start, len, SLOTS_LEN);
            let one = Meta { len, segment_size: None, ..meta };
            self.decide(SLOTS_LEN, place, id, one, now);
            self.queue.flush(&self.sockets, self.receiver.buffer());
        }
    }

    /// Decides on the packet in `slot`; false if it has to be cut apart first.
    fn decide(&mut self, slot: usize, place: u32, id: Id, meta: Meta, now: Instant) -> bool {
        // The socket may have closed, and another have taken its place.
        let Some(open) = self.sockets.open(place).filter(|open| open.id == id) else { return true };
        let (shared, bound) = (open.sock.shared, open.sock.bound);
        let local = meta.local.unwrap_or(bound.ip());
        let Meta { remote, len, segment_size, .. } = meta;
        let end = HEADROOM_LEN + len;
        let buf = self.receiver.slot_mut(slot);
        let is_binding = shared && is_binding(buf) && segment_size.is_none_or(|size| size >= len);
        if is_binding
            && self.answer_binding(slot, place, Endpoint::new(local, bound.port()), meta, now)
        {
            return true;
        }
        let buf = self.receiver.slot_mut(slot);
        let mut packet = Packet::train(buf, HEADROOM_LEN, end, segment_size);
        let forward = if is_binding {
            Forward::Control
        } else if shared {
            let client = Client::Datagram { socket: id, local, remote };
            self.table.from_client(now, client, &mut packet)
        } else {
            self.table.from_peer(now, id, remote, &mut packet)
        };
        match forward {
            Forward::Send { socket, source, remote } => {
                let range = packet.range();
                let segment = packet.segment_size().unwrap_or(range.len());
                // Gone already: the packet is lost, as the network may lose it.
                let Some(socket) = self.sockets.place(socket.as_u64()) else { return true };
                let socket = self.towards(socket, remote);
                let start = slot * SLOT_LEN + range.start;
                let len = range.len();
                self.queue.push(Outgoing { socket, source, remote, start, len, segment });
            }
            Forward::Control => {
                let arrival = Arrival::Datagram {
                    socket: id,
                    local: Endpoint::new(local, bound.port()),
                    remote,
                    segment_size: packet.segment_size(),
                    relayed: !shared,
                    bytes: packet.bytes(),
                };
                self.counters.control_dropped += u64::from(!self.arrivals.push(arrival));
            }
            Forward::Split => return false,
            // A replica writes to no connection.
            Forward::Drop(_) | Forward::Write { .. } => {}
        }
        true
    }

    /// The place of the socket to send to `remote` from: the one at `place`, or the connected one
    /// beside it.
    fn towards(&mut self, place: u32, remote: Endpoint) -> u32 {
        let (place, connect) = self.sockets.towards(place, remote);
        if !connect {
            return place;
        }
        // What goes by the old way goes first.
        self.queue.flush(&self.sockets, self.receiver.buffer());
        self.sockets.connect(place, remote, &self.mailbox.epoll).unwrap_or(place)
    }

    /// Answers the Binding request in `slot`, if it is one to answer; false if the answer has to go
    /// from another socket, which is for control to do.
    fn answer_binding(
        &mut self,
        slot: usize,
        socket: u32,
        local: Endpoint,
        meta: Meta,
        now: Instant,
    ) -> bool {
        let buf = self.receiver.slot_mut(slot);
        let request = buf.get(HEADROOM_LEN..HEADROOM_LEN + meta.len).unwrap_or_default();
        let (places, answer) = (self.table.places(), &mut self.answer);
        let route = stun::binding::answer_at(places, request, local, meta.remote, answer);
        let Some(route) = route else { return true };
        if route.from != local {
            return false;
        }
        let len = self.answer.len();
        if !self.budget.admit(now, meta.remote.ip(), len) {
            self.counters.bindings_limited += 1;
            return true;
        }
        let Some(to) = buf.get_mut(HEADROOM_LEN..HEADROOM_LEN + len) else { return true };
        to.copy_from_slice(&self.answer);
        self.counters.bindings += 1;
        let start = slot * SLOT_LEN + HEADROOM_LEN;
        let (source, remote) = (local.ip(), route.to);
        self.queue.push(Outgoing { socket, source, remote, start, len, segment: len });
        true
    }
}

/// Whether a slot holds what begins like a Binding request.
fn is_binding(slot: &[u8]) -> bool {
    slot.get(HEADROOM_LEN..HEADROOM_LEN + 2) == Some(&[0x00, 0x01])
}
