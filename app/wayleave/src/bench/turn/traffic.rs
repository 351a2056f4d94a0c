//! Packets through the relay: as many as are wanted, in flight no more than a window, and a rate
//! kept where there is one.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use udp::{Batch, Socket, Transmit};

use super::client::Client;
use super::flow::{Flow, Tag};
use super::link;
use super::setup::PAUSE;
use super::wire;
use crate::bench::stop::Stop;

/// Packets that are so late are lost.
const LOSS_LIMIT: Duration = Duration::from_secs(1);

/// After a pause of its own the load catches up with its rate in bursts of so many packets.
const CATCH_UP: u64 = 64;

/// Who sends to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Direction {
    /// The clients send, one peer receives
    ClientToPeer,
    /// One peer sends, the clients receive
    PeerToClient,
    /// The clients send to each other, in pairs
    ClientToClient,
}

/// How much traffic.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Who sends to whom.
    pub direction: Direction,
    /// Packets in all.
    pub packets: u64,
    /// Packets in a train, which is one system call and stays together where kernels can.
    pub train: u64,
    /// Packets in flight.
    pub window: u64,
    /// Packets a second.
    pub rate: Option<u64>,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Packets that were sent.
    pub sent: u64,
    /// Packets that arrived.
    pub received: u64,
    /// Packets that are none of this load's.
    pub foreign: u64,
    /// How long it took, without the wait for what is lost.
    pub elapsed: Duration,
}

impl Passed {
    /// Packets that did not arrive.
    pub const fn lost(&self) -> u64 {
        self.sent.saturating_sub(self.received)
    }
}

/// Everybody who sends or receives.
pub struct Parties<'a> {
    /// The clients, each with its flow.
    pub clients: &'a mut [Client],
    /// The flows.
    pub flows: &'a [Flow],
    /// The peer.
    pub peer: &'a Socket,
    /// What marks this load's packets.
    pub tag: Tag,
}

/// Sends and receives what `plan` says; ends with [`ErrorKind::Interrupted`] when told to stop.
pub fn run(plan: Plan, parties: Parties<'_>, batch: &mut Batch, stop: &Stop) -> io::Result<Passed> {
    let started = Instant::now();
    let credit = vec![0; parties.flows.len()];
    let mut run = Run {
        plan,
        parties,
        passed: Passed::default(),
        next: 0,
        written_off: 0,
        expected: VecDeque::new(),
        credit,
    };
    let mut last = started;
    loop {
        if stop.is_requested() {
            return Err(ErrorKind::Interrupted.into());
        }
        let now = Instant::now();
        let sent = run.send(now.saturating_duration_since(started))?;
        let received = run.receive(batch)?;
        if received > 0 {
            last = Instant::now();
        }
        if run.outstanding() == 0 && run.passed.sent >= plan.packets {
            break;
        }
        if sent == 0 && received == 0 {
            if run.outstanding() == 0 {
                last = now;
            } else if now.saturating_duration_since(last) > LOSS_LIMIT {
                run.write_off();
                last = now;
            }
            std::thread::sleep(PAUSE);
        }
    }
    run.passed.elapsed = last.saturating_duration_since(started);
    Ok(run.passed)
}

struct Run<'a> {
    plan: Plan,
    parties: Parties<'a>,
    passed: Passed,
    /// The flow that sends next.
    next: usize,
    /// Packets that are waited for no more.
    written_off: u64,
    /// Clients that a packet is on the way to, in the order of sending.
    expected: VecDeque<usize>,
    /// What each client received beyond what was expected of it so far.
    credit: Vec<u64>,
}

impl Run<'_> {
    const fn outstanding(&self) -> u64 {
        self.passed.sent.saturating_sub(self.passed.received + self.written_off)
    }

    /// Gives up what is outstanding.
    fn write_off(&mut self) {
        self.written_off += self.outstanding();
        self.expected.clear();
        self.credit.fill(0);
    }

    /// Sends what window and rate allow, and says how many packets that were.
    fn send(&mut self, elapsed: Duration) -> io::Result<u64> {
        let due = match self.plan.rate {
            Some(rate) => {
                let so_far = (rate as f64 * elapsed.as_secs_f64()) as u64;
                so_far.min(self.passed.sent + CATCH_UP)
            }
            None => u64::MAX,
        };
        let before = self.passed.sent;
        while self.passed.sent < due.min(self.plan.packets)
            && self.outstanding() + self.plan.train <= self.plan.window.max(self.plan.train)
        {
            let flow = self.next;
            match self.send_train(flow) {
                Ok(()) => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                // An ICMP error about an earlier packet of the peer's, which counts as lost.
                Err(e)
                    if e.kind() == ErrorKind::ConnectionRefused
                        && self.plan.direction == Direction::PeerToClient =>
                {
                    continue;
                }
                Err(e) => return Err(e),
            }
            self.next = (flow + 1) % self.parties.flows.len().max(1);
            self.passed.sent += self.plan.train;
        }
        Ok(self.passed.sent - before)
    }

    fn send_train(&mut self, at: usize) -> io::Result<()> {
        let Parties { clients, flows, peer, .. } = &mut self.parties;
        let (Some(flow), Some(client)) = (flows.get(at), clients.get_mut(at)) else {
            return Ok(());
        };
        let segment_size = (self.plan.train > 1).then_some(flow.message_bytes);
        match self.plan.direction {
            Direction::PeerToClient => {
                let remote = flow.relayed;
                peer.send(Transmit { source: None, remote, segment_size, bytes: &flow.train })?;
            }
            Direction::ClientToPeer | Direction::ClientToClient => {
                client.link.send(&flow.train, segment_size)?;
            }
        }
        if self.plan.direction != Direction::ClientToPeer {
            self.expected.extend(std::iter::repeat_n(flow.receiver, self.plan.train as usize));
        }
        Ok(())
    }

    /// Takes what arrived, and says how many packets of this load that were.
    fn receive(&mut self, batch: &mut Batch) -> io::Result<u64> {
        let before = self.passed.received;
        let Self { parties, passed, expected, credit, .. } = self;
        let tag = parties.tag;
        if self.plan.direction == Direction::ClientToPeer {
            while link::receive(parties.peer, batch, |_, bytes| passed.count(is_ours(tag, bytes)))?
                > 0
            {}
            return Ok(self.passed.received - before);
        }
        // A packet that is late must not hide those behind it: every one is looked for once.
        for _ in 0..expected.len() {
            let Some(at) = expected.pop_front() else { break };
            let (Some(client), Some(credit)) = (parties.clients.get_mut(at), credit.get_mut(at))
            else {
                continue;
            };
            if *credit == 0 {
                client.link.receive(batch, &mut |bytes| {
                    let ours = is_ours(tag, bytes);
                    passed.count(ours);
                    *credit += u64::from(ours);
                })?;
            }
            match credit.checked_sub(1) {
                Some(rest) => *credit = rest,
                None => expected.push_back(at),
            }
        }
        Ok(self.passed.received - before)
    }
}

/// Whether `bytes` are this load's: as they are, or wrapped. A peer gets them wrapped from a bare
/// forwarder, which takes nothing off.
fn is_ours(tag: Tag, bytes: &[u8]) -> bool {
    tag.marks(bytes) || wire::payload(bytes).is_some_and(|bytes| tag.marks(bytes))
}

impl Passed {
    const fn count(&mut self, ours: bool) {
        if ours {
            self.received += 1;
        } else {
            self.foreign += 1;
        }
    }
}
