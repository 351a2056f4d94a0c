//! A machine that exercises every kind of input and output, in two roles: a server that answers,
//! and a client that goes through a script and says at each step what came of it.
//!
//! It knows nothing of what drives it. The simulator and tokio run it unchanged, which is the
//! proof that the shape covers what machines need of the world.

mod client;
mod server;

use std::collections::BTreeSet;
use std::net::IpAddr;

use machine::{Endpoint, Entropy, Ids, Input, Instant, Machine, Now, Output, Outputs, Timers};

use client::Client;
use server::Server;

/// What the client needs to know of the world it runs in.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// An address of the client that it would not choose by itself, to send from.
    pub(crate) source: IpAddr,
    /// The server's UDP socket.
    pub(crate) udp: Endpoint,
    /// The server's listener.
    pub(crate) tcp: Endpoint,
    /// A name that resolves to the server's address.
    pub(crate) name: String,
    /// More bytes than the driver, both kernels and the network hold for a connection that is not
    /// read.
    pub(crate) flood_len: usize,
}

/// What an exerciser tells its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The server listens here.
    Ready { udp: Endpoint, tcp: Endpoint },
    /// The client has done a step, with this outcome.
    Did(&'static str, String),
    /// Something was not as it should be; the client stops.
    Wrong(String),
    /// The client has done all steps.
    Done,
    /// The interfaces changed after the start.
    InterfacesChanged(usize),
}

/// What an exerciser asks the world, and what it wants to hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question(pub(crate) u32);

impl Question {
    /// The right answer.
    pub(crate) fn answer(&self) -> u64 {
        u64::from(self.0) * u64::from(self.0)
    }
}

type Out = Outputs<Event, Question>;

/// The machine.
pub(crate) struct Exerciser {
    role: Role,
    outputs: Out,
    timers: Timers<Timer>,
    seen: BTreeSet<&'static str>,
    given: BTreeSet<&'static str>,
}

enum Role {
    Server(Server),
    Client(Box<Client>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// Send the datagram again.
    Again,
    /// The step has taken too long.
    Limit,
}

/// Every kind of input that there is.
pub(crate) const INPUTS: [&str; 13] = [
    "Accepted",
    "Answer",
    "Bound",
    "Closed",
    "Connected",
    "Data",
    "Datagram",
    "Failed",
    "Interfaces",
    "Resolved",
    "Secured",
    "Unreachable",
    "Writable",
];

/// Every kind of output that there is.
pub(crate) const OUTPUTS: [&str; 10] = [
    "Ask", "Bind", "Close", "Connect", "Datagram", "Event", "Pause", "Resolve", "StartTls", "Write",
];

impl Exerciser {
    /// A server that listens on `ip`.
    pub(crate) fn server(ip: IpAddr) -> Self {
        Self::new(Role::Server(Server::new(ip, Ids::new(1))))
    }

    /// A client that waits for [`begin`](Self::begin).
    pub(crate) fn client(entropy: Entropy) -> Self {
        Self::new(Role::Client(Box::new(Client::new(Ids::new(2), entropy))))
    }

    fn new(role: Role) -> Self {
        Self {
            role,
            outputs: Outputs::new(),
            timers: Timers::new(),
            seen: BTreeSet::new(),
            given: BTreeSet::new(),
        }
    }

    /// The kinds of input that it has had.
    pub(crate) fn seen(&self) -> &BTreeSet<&'static str> {
        &self.seen
    }

    /// The kinds of output that it has given.
    pub(crate) fn given(&self) -> &BTreeSet<&'static str> {
        &self.given
    }

    /// A verb: the client starts its script.
    pub(crate) fn begin(&mut self, now: Now, plan: Plan) {
        if let Role::Client(client) = &mut self.role {
            client.begin(now, plan, &mut self.outputs, &mut self.timers);
        }
    }
}

impl Machine for Exerciser {
    type Event = Event;
    type Question = Question;
    type Answer = u64;

    fn handle_input(&mut self, now: Now, input: Input<'_, u64>) {
        self.seen.insert(input_kind(&input));
        match &mut self.role {
            Role::Server(server) => server.handle_input(input, &mut self.outputs),
            Role::Client(client) => {
                client.handle_input(now, input, &mut self.outputs, &mut self.timers);
            }
        }
    }

    fn handle_timeout(&mut self, now: Now) {
        while let Some(timer) = self.timers.expire(now.mono) {
            if let Role::Client(client) = &mut self.role {
                client.handle_timer(now, timer, &mut self.outputs, &mut self.timers);
            }
        }
    }

    fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Event, Question>> {
        let output = self.outputs.poll(buf)?;
        self.given.insert(output_kind(&output));
        Some(output)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }
}

fn input_kind(input: &Input<'_, u64>) -> &'static str {
    match input {
        Input::Accepted { .. } => "Accepted",
        Input::Answer { .. } => "Answer",
        Input::Bound { .. } => "Bound",
        Input::Closed { .. } => "Closed",
        Input::Connected { .. } => "Connected",
        Input::Data { .. } => "Data",
        Input::Datagram { .. } => "Datagram",
        Input::Failed { .. } => "Failed",
        Input::Interfaces(_) => "Interfaces",
        Input::Resolved { .. } => "Resolved",
        Input::Secured { .. } => "Secured",
        Input::Unreachable { .. } => "Unreachable",
        Input::Writable { .. } => "Writable",
    }
}

fn output_kind(output: &Output<Event, Question>) -> &'static str {
    match output {
        Output::Ask { .. } => "Ask",
        Output::Bind { .. } => "Bind",
        Output::Close { .. } => "Close",
        Output::Connect { .. } => "Connect",
        Output::Datagram { .. } => "Datagram",
        Output::Pause { .. } => "Pause",
        Output::Event(_) => "Event",
        Output::Resolve { .. } => "Resolve",
        Output::StartTls { .. } => "StartTls",
        Output::Write { .. } => "Write",
    }
}

/// What the client sends to the server's sink, and what both sum up.
fn pattern(position: usize) -> u8 {
    (position * 31 + position / 251) as u8
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
