//! The server: says of each datagram how long it was and where it came from (of `poured?`, how much
//! it has poured), and takes one command a connection.
//!
//! | first line | what it does |
//! |---|---|
//! | `echo` | sends back what comes |
//! | `back ENDPOINT` | connects there, says `hello`, and closes |
//! | `sink N` | takes N bytes, says their sum, and closes |
//! | `flood N` | pours N bytes as fast as they go, and closes |
//! | `tls` | says `go`, starts TLS, says its exporter value, sends back what comes |

use std::collections::BTreeMap;
use std::net::IpAddr;

use machine::{BindKind, Endpoint, Id, Ids, Input, Outbox, Output, TlsRole};

use super::{Event, Out, hex, pattern};

/// Bytes that wait for a client that does not read.
const OUTBOX_LIMIT: usize = 64 * 1024;
/// Bytes of a flood that are made at a time.
const DROP_LEN: usize = 16 * 1024;

pub(super) struct Server {
    ip: IpAddr,
    ids: Ids,
    udp: Option<(Id, Option<Endpoint>)>,
    listener: Option<(Id, Option<Endpoint>)>,
    conns: BTreeMap<Id, Conn>,
    /// Bytes of floods that found room.
    poured: usize,
}

struct Conn {
    outbox: Outbox,
    line: Vec<u8>,
    mode: Mode,
}

enum Mode {
    Command,
    Echo,
    Sink { left: usize, sum: u64 },
    Flood { position: usize, len: usize },
    Handshake,
    Hello,
}

impl Server {
    pub(super) const fn new(ip: IpAddr, ids: Ids) -> Self {
        Self { ip, ids, udp: None, listener: None, conns: BTreeMap::new(), poured: 0 }
    }

    pub(super) fn handle_input(&mut self, input: Input<'_, u64>, out: &mut Out) {
        match input {
            Input::Interfaces(_) if self.udp.is_none() => self.listen(out),
            Input::Bound { id, local } => self.bound(id, local, out),
            Input::Datagram { socket, local, remote, segment_size, bytes, .. } => {
                for part in machine::train::datagrams(bytes, segment_size) {
                    let text = match part {
                        b"poured?" => format!("poured {}", self.poured),
                        _ => format!("{} bytes from {remote}", part.len()),
                    };
                    let source = Some(local.ip());
                    let answer = Output::Datagram {
                        socket,
                        source,
                        remote,
                        segment_size: None,
                        dont_fragment: false,
                    };
                    out.push_with(answer, text.as_bytes());
                }
            }
            Input::Accepted { conn, room, .. } => self.open(conn, room, Mode::Command),
            Input::Connected { conn, room, .. } => {
                self.open(conn, room, Mode::Hello);
                self.say(conn, b"hello\n", out);
                out.push(Output::Close { id: conn });
                self.conns.remove(&conn);
            }
            Input::Secured { conn, binding, room, .. } => {
                self.open(conn, room, Mode::Echo);
                let exporter = hex(&binding.exporter.unwrap_or_default());
                self.say(conn, format!("{exporter}\n").as_bytes(), out);
            }
            Input::Writable { conn, room } => {
                if let Some(conn) = self.conns.get_mut(&conn) {
                    conn.outbox.writable(room, out);
                }
                self.pour(conn, out);
            }
            Input::Data { conn, bytes } => self.data(conn, bytes, out),
            Input::Closed { conn, .. } | Input::Failed { id: conn, .. } => {
                self.conns.remove(&conn);
            }
            _ => {}
        }
    }

    fn listen(&mut self, out: &mut Out) {
        let (udp, listener) = (self.ids.next_id(), self.ids.next_id());
        self.udp = Some((udp, None));
        self.listener = Some((listener, None));
        // Every interface for UDP, so that the answer's source address is the server's choice.
        let any =
            if self.ip.is_ipv4() { Endpoint::UNSPECIFIED_V4 } else { Endpoint::UNSPECIFIED_V6 };
        let local = Endpoint::new(self.ip, 0);
        let kind = BindKind::SharedUdp;
        out.push(Output::Bind { id: udp, kind, local: any, interface: None });
        let kind = BindKind::TcpListener;
        out.push(Output::Bind { id: listener, kind, local, interface: None });
    }

    fn bound(&mut self, id: Id, local: Endpoint, out: &mut Out) {
        for known in [&mut self.udp, &mut self.listener].into_iter().flatten() {
            if known.0 == id {
                known.1 = Some(local);
            }
        }
        if let (Some((_, Some(udp))), Some((_, Some(tcp)))) = (self.udp, self.listener) {
            out.event(Event::Ready { udp: Endpoint::new(self.ip, udp.port()), tcp });
        }
    }

    fn open(&mut self, conn: Id, room: usize, mode: Mode) {
        let outbox = Outbox::new(conn, room, OUTBOX_LIMIT);
        self.conns.insert(conn, Conn { outbox, line: Vec::new(), mode });
    }

    fn say(&mut self, conn: Id, text: &[u8], out: &mut Out) {
        if let Some(conn) = self.conns.get_mut(&conn)
            && conn.outbox.send(text, out).is_err()
        {
            out.event(Event::Wrong("the server's outbox is full".to_owned()));
        }
    }

    /// Pours as much of a flood as there is room for.
    fn pour(&mut self, id: Id, out: &mut Out) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let Mode::Flood { position, len } = &mut conn.mode else { return };
        while conn.outbox.waiting() == 0 && position < len {
            let end = *len.min(&mut (*position + DROP_LEN));
            let drop: Vec<u8> = (*position..end).map(pattern).collect();
            *position = end;
            self.poured += drop.len();
            if conn.outbox.send(&drop, out).is_err() {
                out.event(Event::Wrong("the server's outbox is full".to_owned()));
            }
        }
        if conn.outbox.waiting() == 0 {
            out.push(Output::Close { id });
            self.conns.remove(&id);
        }
    }

    fn data(&mut self, id: Id, bytes: &[u8], out: &mut Out) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        match &mut conn.mode {
            Mode::Command => {
                conn.line.extend_from_slice(bytes);
                let Some(end) = conn.line.iter().position(|&byte| byte == b'\n') else { return };
                let rest = conn.line.split_off(end + 1);
                let line = String::from_utf8_lossy(&conn.line).trim_end().to_owned();
                self.command(id, &line, out);
                if !rest.is_empty() {
                    self.data(id, &rest, out);
                }
            }
            Mode::Echo => self.say(id, bytes, out),
            Mode::Sink { left, sum } => {
                *left = left.saturating_sub(bytes.len());
                *sum = bytes.iter().fold(*sum, |sum, &byte| add(sum, byte));
                if *left == 0 {
                    let text = format!("{sum}\n");
                    self.say(id, text.as_bytes(), out);
                    out.push(Output::Close { id });
                    self.conns.remove(&id);
                }
            }
            Mode::Flood { .. } | Mode::Handshake | Mode::Hello => {}
        }
    }

    fn command(&mut self, id: Id, line: &str, out: &mut Out) {
        let (command, argument) = line.split_once(' ').unwrap_or((line, ""));
        let Some(conn) = self.conns.get_mut(&id) else { return };
        match command {
            "echo" => conn.mode = Mode::Echo,
            "sink" => {
                conn.mode = Mode::Sink { left: argument.parse().unwrap_or(0), sum: 0 };
            }
            "flood" => {
                conn.mode = Mode::Flood { position: 0, len: argument.parse().unwrap_or(0) };
                self.poured = 0;
                self.pour(id, out);
            }
            "back" => {
                if let Ok(remote) = argument.parse() {
                    out.push(Output::Connect { id: self.ids.next_id(), local: None, remote });
                }
            }
            "tls" => {
                conn.mode = Mode::Handshake;
                self.say(id, b"go\n", out);
                let alpn = vec![b"other".to_vec(), b"exercise".to_vec()];
                out.push(Output::StartTls { conn: id, role: TlsRole::Server, alpn });
            }
            _ => out.event(Event::Wrong(format!("the server got `{line}`"))),
        }
    }
}

/// A sum in which the order of bytes counts.
pub(super) const fn add(sum: u64, byte: u8) -> u64 {
    sum.wrapping_mul(31).wrapping_add(byte as u64)
}
