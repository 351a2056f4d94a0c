//! The client: a script of steps, one after the other.

use std::net::Ipv4Addr;
use std::time::Duration;

use machine::{
    BindKind, CloseReason, Endpoint, Entropy, FailKind, Icmp, Id, Ids, Input, Now, Output,
    RecordData, RecordKind, Timers, TlsRole,
};

use super::server::add;
use super::{Event, Out, Plan, Question, Timer, hex, pattern};

/// How long to wait for an answer before the datagram goes out again.
const AGAIN: Duration = Duration::from_millis(200);
/// What every step must do with. Only a broken driver or a dead network takes as long.
const LIMIT: Duration = Duration::from_secs(120);
/// More than any driver buffers for a connection.
const SINK_LEN: usize = 2 * 1024 * 1024;
/// The datagrams of the train: two whole ones and a shorter one.
const TRAIN: (usize, usize) = (10, 25);
/// What fits into an Ethernet frame whole, and not into everything.
const WHOLE_LEN: usize = 1200;

pub(super) struct Client {
    plan: Option<Plan>,
    step: Step,
    ids: Ids,
    entropy: Entropy,
    interfaces: Option<usize>,
    /// The socket of the datagram steps.
    socket: Option<Id>,
    local: Option<Endpoint>,
    /// Whatever the step is waiting for.
    current: Option<Id>,
    /// What the step has received so far.
    heard: Vec<u8>,
    written: usize,
    waited: bool,
    /// What the server had poured when it was asked last.
    poured: usize,
    /// How much of the flood has come, and its sum.
    flood: (usize, u64),
    exporter: Option<Vec<u8>>,
    question: Question,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Idle,
    Bind,
    BindTaken,
    BindForeign,
    Datagram,
    Train,
    Whole,
    Unreachable,
    Resolve,
    ResolveNothing,
    Ask,
    Listen,
    Back,
    Refused,
    Echo,
    Sink,
    /// The server floods a connection that we have paused.
    Paused,
    /// The flood comes through.
    Resumed,
    Tls,
    Done,
}

impl Client {
    pub(super) fn new(ids: Ids, entropy: Entropy) -> Self {
        Self {
            plan: None,
            step: Step::Idle,
            ids,
            entropy,
            interfaces: None,
            socket: None,
            local: None,
            current: None,
            heard: Vec::new(),
            written: 0,
            waited: false,
            poured: 0,
            flood: (0, 0),
            exporter: None,
            question: Question(0),
        }
    }

    pub(super) fn begin(
        &mut self,
        now: Now,
        plan: Plan,
        out: &mut Out,
        timers: &mut Timers<Timer>,
    ) {
        self.plan = Some(plan);
        match self.interfaces {
            Some(count) if count > 0 => {
                out.event(Event::Did("interfaces", "some".to_owned()));
                self.enter(now, Step::Bind, out, timers);
            }
            _ => self.wrong("no interfaces before the start", out, timers),
        }
    }

    /// Starts a step.
    fn enter(&mut self, now: Now, step: Step, out: &mut Out, timers: &mut Timers<Timer>) {
        let Some(plan) = &self.plan else { return };
        self.step = step;
        self.heard.clear();
        let id = self.ids.next_id();
        self.current = Some(id);
        timers.set(Timer::Limit, now.mono + LIMIT);
        timers.cancel(&Timer::Again);
        let any = any(plan.udp);
        match step {
            Step::Bind => {
                self.socket = Some(id);
                bind(id, BindKind::RelayUdp, any, out);
            }
            Step::BindTaken => {
                let taken = self.local.unwrap_or(any);
                bind(id, BindKind::Udp, taken, out);
            }
            Step::BindForeign => {
                let foreign = Endpoint::new(Ipv4Addr::new(203, 0, 113, 254), 0);
                bind(id, BindKind::TcpListener, foreign, out);
            }
            Step::Datagram | Step::Train | Step::Whole | Step::Unreachable => {
                self.send(now, out, timers);
            }
            Step::Resolve => {
                let kinds = vec![RecordKind::A, RecordKind::Aaaa];
                out.push(Output::Resolve { id, name: plan.name.clone(), kinds });
            }
            Step::ResolveNothing => {
                let (name, kinds) = ("nothing.invalid".to_owned(), vec![RecordKind::Srv]);
                out.push(Output::Resolve { id, name, kinds });
            }
            Step::Ask => {
                self.question = Question(self.entropy.u32());
                out.push(Output::Ask { id, question: self.question.clone() });
            }
            Step::Listen => {
                let local = Endpoint::new(plan.source, 0);
                bind(id, BindKind::TcpListener, local, out);
            }
            Step::Back => {
                // From the listener's own port, as RFC 6062 has it of relayed addresses.
                out.push(Output::Connect { id, local: self.local, remote: plan.tcp });
            }
            Step::Refused => {
                // Nobody listens where we just listened.
                let remote = self.local.unwrap_or(plan.tcp);
                out.push(Output::Connect { id, local: None, remote });
            }
            Step::Echo | Step::Sink | Step::Tls => {
                out.push(Output::Connect { id, local: None, remote: plan.tcp });
            }
            Step::Paused => bind(id, BindKind::SharedUdp, any, out),
            Step::Idle | Step::Resumed => {}
            Step::Done => {
                timers.cancel(&Timer::Limit);
                out.event(Event::Done);
            }
        }
    }

    /// The step is done: says so and starts the next one.
    fn did(&mut self, now: Now, what: &str, out: &mut Out, timers: &mut Timers<Timer>) {
        let (name, next) = match self.step {
            Step::Idle => ("idle", Step::Idle),
            Step::Bind => ("bind", Step::BindTaken),
            Step::BindTaken => ("bind a taken address", Step::BindForeign),
            Step::BindForeign => ("bind a foreign address", Step::Datagram),
            Step::Datagram => ("datagram from a chosen source", Step::Train),
            Step::Train => ("train of datagrams", Step::Whole),
            Step::Whole => ("datagram kept whole", Step::Unreachable),
            Step::Unreachable => ("unreachable", Step::Resolve),
            Step::Resolve => ("resolve", Step::ResolveNothing),
            Step::ResolveNothing => ("resolve nothing", Step::Ask),
            Step::Ask => ("ask", Step::Listen),
            Step::Listen => ("listen", Step::Back),
            Step::Back => ("accept", Step::Refused),
            Step::Refused => ("refused", Step::Echo),
            Step::Echo => ("echo", Step::Sink),
            Step::Sink => ("backpressure", Step::Paused),
            Step::Paused | Step::Resumed => ("pause", Step::Tls),
            Step::Tls => ("tls", Step::Done),
            Step::Done => ("done", Step::Done),
        };
        out.event(Event::Did(name, what.to_owned()));
        self.enter(now, next, out, timers);
    }

    fn wrong(&mut self, what: &str, out: &mut Out, timers: &mut Timers<Timer>) {
        out.event(Event::Wrong(format!("{:?}: {what}", self.step)));
        self.step = Step::Idle;
        timers.cancel(&Timer::Limit);
        timers.cancel(&Timer::Again);
    }

    pub(super) fn handle_timer(
        &mut self,
        now: Now,
        timer: Timer,
        out: &mut Out,
        timers: &mut Timers<Timer>,
    ) {
        match timer {
            Timer::Again => self.send(now, out, timers),
            Timer::Limit => self.wrong("takes too long", out, timers),
        }
    }

    /// Sends what the step says, and again until there is an answer.
    fn send(&mut self, now: Now, out: &mut Out, timers: &mut Timers<Timer>) {
        let (Some(socket), Some(plan)) = (self.socket, &self.plan) else { return };
        let (source, remote) = (Some(plan.source), plan.udp);
        timers.set(Timer::Again, now.mono + AGAIN);
        match self.step {
            Step::Datagram => {
                let datagram = Output::Datagram {
                    socket,
                    source,
                    remote,
                    segment_size: None,
                    dont_fragment: false,
                };
                out.push_with(datagram, b"who am I?");
            }
            Step::Train => {
                let segment_size = Some(TRAIN.0);
                let train =
                    Output::Datagram { socket, source, remote, segment_size, dont_fragment: false };
                out.push_with(train, &[7; TRAIN.1]);
            }
            Step::Whole => {
                let segment_size = None;
                let whole =
                    Output::Datagram { socket, source, remote, segment_size, dont_fragment: true };
                out.push_with(whole, &[7; WHOLE_LEN]);
            }
            Step::Unreachable => out.datagram(socket, remote.with_port(9), b"nobody"),
            Step::Paused => out.datagram(socket, remote, b"poured?"),
            _ => _ = timers.cancel(&Timer::Again),
        }
    }

    pub(super) fn handle_input(
        &mut self,
        now: Now,
        input: Input<'_, u64>,
        out: &mut Out,
        timers: &mut Timers<Timer>,
    ) {
        match input {
            Input::Interfaces(list) => {
                let count = list.iter().map(|interface| interface.addresses.len()).sum();
                if self.interfaces.replace(count).is_some() {
                    out.event(Event::InterfacesChanged(count));
                }
            }
            Input::Datagram { remote, bytes, .. } => self.datagram(now, remote, bytes, out, timers),
            Input::Bound { id, local } if Some(id) == self.current => {
                self.bound(now, id, local, out, timers);
            }
            Input::Failed { id, kind } if Some(id) == self.current => {
                self.failed(now, &kind, out, timers);
            }
            Input::Unreachable { remote, icmp, .. } => {
                self.unreachable(now, remote, icmp, out, timers);
            }
            Input::Resolved { id, records } if Some(id) == self.current => {
                let wanted = self.plan.as_ref().map(|plan| plan.tcp.ip());
                match (self.step, records) {
                    (Step::Resolve, Ok(records))
                        if records.iter().any(|record| match record.data {
                            RecordData::Address(ip) => Some(ip) == wanted,
                            _ => false,
                        }) =>
                    {
                        self.did(now, "an address", out, timers);
                    }
                    (Step::ResolveNothing, Err(_)) => self.did(now, "an error", out, timers),
                    (_, other) => self.wrong(&format!("{other:?}"), out, timers),
                }
            }
            Input::Answer { id, answer } if Some(id) == self.current => {
                if answer == self.question.answer() {
                    self.did(now, "the right answer", out, timers);
                } else {
                    self.wrong("the wrong answer", out, timers);
                }
            }
            other => self.stream_input(now, other, out, timers),
        }
    }

    fn unreachable(
        &mut self,
        now: Now,
        remote: Endpoint,
        icmp: Icmp,
        out: &mut Out,
        timers: &mut Timers<Timer>,
    ) {
        match (self.step, icmp) {
            (Step::Unreachable, Icmp::PortUnreachable) if remote.port() == 9 => {
                self.did(now, "port", out, timers);
            }
            (Step::Unreachable, other) if remote.port() == 9 => {
                self.wrong(&format!("{other:?}"), out, timers);
            }
            (Step::Whole, Icmp::TooBig { mtu }) if usize::from(mtu) < WHOLE_LEN + 28 => {
                self.did(now, "too big", out, timers);
            }
            // Late answers to what was sent again.
            _ => {}
        }
    }

    fn datagram(
        &mut self,
        now: Now,
        remote: Endpoint,
        bytes: &[u8],
        out: &mut Out,
        timers: &mut Timers<Timer>,
    ) {
        let Some(plan) = &self.plan else { return };
        if remote != plan.udp {
            self.wrong(&format!("an answer from {remote}"), out, timers);
            return;
        }
        let text = String::from_utf8_lossy(bytes).into_owned();
        if let Some(poured) = text.strip_prefix("poured ") {
            self.heard_of_flood(poured.parse().unwrap_or(0), out, timers);
            return;
        }
        let Some((len, from)) = text.split_once(" bytes from ") else { return };
        let from_source = from.parse::<Endpoint>().is_ok_and(|from| from.ip() == plan.source);
        match (self.step, len) {
            (Step::Datagram, "9") if from_source => self.did(now, "as chosen", out, timers),
            (Step::Datagram, "9") => self.wrong(&format!("sent from {from}"), out, timers),
            (Step::Train, "10" | "5") => {
                self.heard.push(if len == "5" { 5 } else { 10 });
                if self.heard.contains(&5) && self.heard.contains(&10) {
                    self.did(now, "cut", out, timers);
                }
            }
            (Step::Whole, "1200") => self.did(now, "arrived", out, timers),
            (Step::Train, "25") => self.wrong("the train was not cut", out, timers),
            // Late answers to what was sent again.
            _ => {}
        }
    }

    fn bound(
        &mut self,
        now: Now,
        id: Id,
        local: Endpoint,
        out: &mut Out,
        timers: &mut Timers<Timer>,
    ) {
        self.local = Some(local);
        match self.step {
            Step::Bind if local.port() != 0 => self.did(now, "a port", out, timers),
            Step::Listen => {
                // The listener stays for the next step, and so does its name.
                let done = self.socket.replace(id);
                done.into_iter().for_each(|id| out.push(Output::Close { id }));
                self.did(now, "a port", out, timers);
            }
            Step::Paused => {
                self.socket = Some(id);
                self.poured = 0;
                self.flood = (0, 0);
                let conn = self.ids.next_id();
                self.current = Some(conn);
                let remote = self.plan.as_ref().map_or(local, |plan| plan.tcp);
                out.push(Output::Connect { id: conn, local: None, remote });
            }
            _ => self.wrong(&format!("bound {local}"), out, timers),
        }
    }

    fn failed(&mut self, now: Now, kind: &FailKind, out: &mut Out, timers: &mut Timers<Timer>) {
        match (self.step, kind) {
            (Step::BindTaken, FailKind::AddressInUse) => self.did(now, "in use", out, timers),
            (Step::BindForeign, FailKind::AddressNotAvailable) => {
                self.did(now, "not available", out, timers);
            }
            (Step::Refused, FailKind::Refused) => self.did(now, "refused", out, timers),
            (Step::Tls, FailKind::Tls(_) | FailKind::Certificate(_)) => {
                self.did(now, &format!("{kind:?}"), out, timers);
            }
            _ => self.wrong(&format!("failed: {kind:?}"), out, timers),
        }
    }

    fn stream_input(
        &mut self,
        now: Now,
        input: Input<'_, u64>,
        out: &mut Out,
        timers: &mut Timers<Timer>,
    ) {
        match input {
            Input::Connected { conn, room, .. } if Some(conn) == self.current => {
                self.connected(now, (conn, room), out, timers);
            }
            Input::Accepted { listener, conn, .. } => {
                if self.step == Step::Back && Some(listener) == self.socket {
                    // What we said to the server is done; from now on its connection counts.
                    let asked = self.current.replace(conn);
                    asked.into_iter().for_each(|id| out.push(Output::Close { id }));
                } else {
                    self.wrong("accepted out of turn", out, timers);
                }
            }
            Input::Secured { conn, binding, alpn, room, .. } if Some(conn) == self.current => {
                if alpn.as_deref() != Some(b"exercise") || room == 0 {
                    self.wrong(&format!("alpn {alpn:?}, room {room}"), out, timers);
                    return;
                }
                self.heard.clear();
                self.exporter = binding.exporter;
                out.write(conn, b"sealed\n");
            }
            Input::Writable { conn, room } if Some(conn) == self.current => {
                self.waited = true;
                self.pour(conn, room, out);
            }
            Input::Data { conn, bytes } if Some(conn) == self.current => {
                if self.step == Step::Resumed {
                    let (len, sum) = self.flood;
                    self.flood = (len + bytes.len(), bytes.iter().copied().fold(sum, add));
                    return;
                }
                self.heard.extend_from_slice(bytes);
                self.heard_more(now, conn, out, timers);
            }
            Input::Closed { conn, reason } if Some(conn) == self.current => {
                let heard = String::from_utf8_lossy(&self.heard).into_owned();
                match (self.step, reason) {
                    (Step::Back, CloseReason::Peer) if heard == "hello\n" => {
                        self.socket.into_iter().for_each(|id| out.push(Output::Close { id }));
                        self.did(now, "hello", out, timers);
                    }
                    (Step::Resumed, CloseReason::Peer) => self.judge_flood(now, out, timers),
                    (Step::Sink, CloseReason::Peer) => self.judge_sink(now, &heard, out, timers),
                    _ => self.wrong(&format!("closed: {reason:?} after `{heard}`"), out, timers),
                }
            }
            _ => {}
        }
    }

    fn connected(
        &mut self,
        now: Now,
        (conn, room): (Id, usize),
        out: &mut Out,
        timers: &mut Timers<Timer>,
    ) {
        match self.step {
            Step::Back => {
                let local = self.local.map(|local| local.to_string()).unwrap_or_default();
                out.write(conn, format!("back {local}\n").as_bytes());
            }
            Step::Echo => out.write(conn, b"echo\nthere and back"),
            Step::Sink => {
                let line = format!("sink {SINK_LEN}\n");
                out.write(conn, line.as_bytes());
                self.written = 0;
                self.waited = false;
                self.pour(conn, room - line.len(), out);
            }
            Step::Paused => {
                out.push(Output::Pause { conn, paused: true });
                let len = self.plan.as_ref().map_or(0, |plan| plan.flood_len);
                out.write(conn, format!("flood {len}\n").as_bytes());
                self.send(now, out, timers);
            }
            Step::Tls => out.write(conn, b"tls\n"),
            _ => self.wrong("connected", out, timers),
        }
    }

    /// Writes as much as there is room for.
    fn pour(&mut self, conn: Id, room: usize, out: &mut Out) {
        let end = SINK_LEN.min(self.written + room);
        if self.step == Step::Sink && end > self.written {
            let bytes: Vec<u8> = (self.written..end).map(pattern).collect();
            self.written = end;
            out.write(conn, &bytes);
        }
    }

    fn heard_more(&mut self, now: Now, conn: Id, out: &mut Out, timers: &mut Timers<Timer>) {
        match self.step {
            Step::Echo if self.heard == b"there and back" => {
                out.push(Output::Close { id: conn });
                self.did(now, "there and back", out, timers);
            }
            Step::Paused => self.wrong("heard something while paused", out, timers),
            Step::Tls if self.heard == b"go\n" => {
                let name = self.plan.as_ref().map(|plan| plan.name.clone()).unwrap_or_default();
                let alpn = vec![b"exercise".to_vec()];
                out.push(Output::StartTls { conn, role: TlsRole::Client { name }, alpn });
            }
            Step::Tls => {
                let exporter = hex(self.exporter.as_deref().unwrap_or_default());
                if self.heard == format!("{exporter}\nsealed\n").as_bytes() {
                    out.push(Output::Close { id: conn });
                    self.did(now, "secured", out, timers);
                }
            }
            _ => {}
        }
    }

    /// The server says how much of the flood it could pour: twice the same means that we hold it back.
    fn heard_of_flood(&mut self, poured: usize, out: &mut Out, timers: &mut Timers<Timer>) {
        let (Step::Paused, Some(conn), Some(plan)) = (self.step, self.current, &self.plan) else {
            return;
        };
        if poured >= plan.flood_len {
            self.wrong("the flood went on without a reader", out, timers);
        } else if std::mem::replace(&mut self.poured, poured) == poured && poured > 0 {
            self.step = Step::Resumed;
            timers.cancel(&Timer::Again);
            self.socket.take().into_iter().for_each(|id| out.push(Output::Close { id }));
            out.push(Output::Pause { conn, paused: false });
        }
    }

    fn judge_flood(&mut self, now: Now, out: &mut Out, timers: &mut Timers<Timer>) {
        let len = self.plan.as_ref().map_or(0, |plan| plan.flood_len);
        let sum = (0..len).map(pattern).fold(0, add);
        if self.flood == (len, sum) {
            self.did(now, "held back, then all of it", out, timers);
        } else {
            self.wrong(&format!("of {len} bytes came {}", self.flood.0), out, timers);
        }
    }

    fn judge_sink(&mut self, now: Now, heard: &str, out: &mut Out, timers: &mut Timers<Timer>) {
        let sum = (0..SINK_LEN).map(pattern).fold(0, add);
        if heard.trim_end() != sum.to_string() {
            self.wrong(&format!("the server's sum is {heard}, ours {sum}"), out, timers);
        } else if !self.waited {
            self.wrong("all was written without waiting for room", out, timers);
        } else {
            self.did(now, "waited for room", out, timers);
        }
    }
}

fn any(like: Endpoint) -> Endpoint {
    if like.is_ipv4() { Endpoint::UNSPECIFIED_V4 } else { Endpoint::UNSPECIFIED_V6 }
}

fn bind(id: Id, kind: BindKind, local: Endpoint, out: &mut Out) {
    out.push(Output::Bind { id, kind, local, interface: None });
}
