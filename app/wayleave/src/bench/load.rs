//! A closed-loop load over UDP: so many operations under way at a time, a new one for each that ends.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::Context;

/// An operation whose answer has not come by then is sent again, and given up after the third time.
const ANSWER_LIMIT: Duration = Duration::from_millis(500);
const TRANSMISSIONS: u8 = 3;

/// What the load consists of. Operations are numbered from 0; messages carry the number, so that an
/// answer finds its operation without a table of the workload's own.
pub trait Workload {
    /// Writes the first message of operation `n`.
    fn begin(&mut self, n: u64, out: &mut Vec<u8>);

    /// Reads an answer; writes the operation's next message where there is one.
    fn answer(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Progress;
}

/// What an answer meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Operation `n` goes on with the message that was written.
    Next(u64),
    /// Operation `n` is done.
    Done(u64),
    /// Operation `n` was refused.
    Refused(u64, Refusal),
    /// It answers nothing of ours.
    Foreign,
}

/// Why a server refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It wants another name or password.
    #[error("the password was not accepted")]
    Unauthorized,
    /// It says so, with a code.
    #[error("{0} {1}")]
    Code(u16, String),
    /// For another reason.
    #[error("{0}")]
    Other(String),
}

/// How much load.
#[derive(Clone, Copy, Debug)]
pub struct Amount {
    /// Operations in all.
    pub operations: u64,
    /// Operations under way at a time.
    pub window: usize,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Operations that were done.
    pub done: u64,
    /// Operations that were refused.
    pub refused: u64,
    /// Operations given up without an answer.
    pub lost: u64,
    /// Messages that were sent again.
    pub repeated: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// The first refusal.
    pub refusal: Option<Refusal>,
    /// Nobody listens where the server should: what was under way then is lost.
    pub closed: bool,
}

struct Slot {
    operation: u64,
    message: Vec<u8>,
    sent: Instant,
    transmissions: u8,
}

/// Runs `amount` of `workload` against `server`, from one socket.
pub fn run(
    server: SocketAddr,
    amount: Amount,
    workload: &mut impl Workload,
    mut progress: impl FnMut(&Outcome),
) -> anyhow::Result<Outcome> {
    let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).context("cannot open a UDP socket")?;
    socket.connect(server).with_context(|| format!("cannot reach {server}"))?;
    socket.set_read_timeout(Some(ANSWER_LIMIT / 5))?;
    let mut load = Load::new(&socket, amount);
    let started = Instant::now();
    load.fill(workload);
    let mut buf = vec![0; 65_536];
    let mut reported = started;
    while !load.slots.is_empty() && !load.outcome.closed {
        match socket.recv(&mut buf) {
            Ok(n) => load.receive(&buf[..n], workload),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(e) if e.kind() == ErrorKind::ConnectionRefused => load.outcome.closed = true,
            Err(e) => return Err(e).context("cannot receive"),
        }
        load.fill(workload);
        let now = Instant::now();
        if now - reported > Duration::from_millis(200) {
            reported = now;
            load.give_up(now);
            load.outcome.elapsed = now - started;
            progress(&load.outcome);
            load.fill(workload);
        }
    }
    load.outcome.lost += load.slots.len() as u64;
    load.outcome.elapsed = started.elapsed();
    Ok(load.outcome)
}

struct Load<'a> {
    socket: &'a UdpSocket,
    amount: Amount,
    begun: u64,
    slots: Vec<Slot>,
    outcome: Outcome,
}

impl<'a> Load<'a> {
    fn new(socket: &'a UdpSocket, amount: Amount) -> Self {
        Self { socket, amount, begun: 0, slots: Vec::new(), outcome: Outcome::default() }
    }

    fn fill(&mut self, workload: &mut impl Workload) {
        while self.slots.len() < self.amount.window && self.begun < self.amount.operations {
            let mut message = Vec::new();
            workload.begin(self.begun, &mut message);
            self.send(&message);
            let (operation, sent) = (self.begun, Instant::now());
            self.slots.push(Slot { operation, message, sent, transmissions: 1 });
            self.begun += 1;
        }
    }

    fn send(&mut self, message: &[u8]) {
        send(self.socket, message, &mut self.outcome);
    }

    fn receive(&mut self, bytes: &[u8], workload: &mut impl Workload) {
        let mut out = Vec::new();
        match workload.answer(bytes, &mut out) {
            Progress::Foreign => {}
            Progress::Next(n) => {
                if let Some(at) = self.position(n) {
                    self.send(&out);
                    let slot = &mut self.slots[at];
                    (slot.message, slot.sent, slot.transmissions) = (out, Instant::now(), 1);
                }
            }
            Progress::Done(n) => {
                if let Some(at) = self.position(n) {
                    self.slots.swap_remove(at);
                    self.outcome.done += 1;
                }
            }
            Progress::Refused(n, why) => {
                if let Some(at) = self.position(n) {
                    self.slots.swap_remove(at);
                    self.outcome.refused += 1;
                    self.outcome.refusal.get_or_insert(why);
                }
            }
        }
    }

    fn position(&self, operation: u64) -> Option<usize> {
        self.slots.iter().position(|slot| slot.operation == operation)
    }

    fn give_up(&mut self, now: Instant) {
        let (socket, outcome) = (self.socket, &mut self.outcome);
        self.slots.retain_mut(|slot| {
            if now - slot.sent < ANSWER_LIMIT {
                return true;
            }
            if slot.transmissions == TRANSMISSIONS {
                outcome.lost += 1;
                return false;
            }
            slot.transmissions += 1;
            slot.sent = now;
            outcome.repeated += 1;
            send(socket, &slot.message, outcome);
            true
        });
    }
}

/// A datagram that the kernel does not take counts as lost and is sent again. What it tells of is
/// an earlier one that nobody took.
fn send(socket: &UdpSocket, message: &[u8], outcome: &mut Outcome) {
    if let Err(e) = socket.send(message) {
        outcome.closed |= e.kind() == ErrorKind::ConnectionRefused;
    }
}
