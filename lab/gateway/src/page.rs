//! A connection of the gateway's HTTP server, and what an answer on it looks like.

use std::fmt::Write as _;

use machine::{Endpoint, Id, Now, Outbox, Output};
use portmap::upnp::http;

use crate::behaviour::Page;
use crate::defaults::{CONNECTIONS, DEPTH, DRIP_INTERVAL, ENDLESS_BYTES, HUGE_BYTES, OUTBOX_BYTES};
use crate::gateway::{Gateway, Timer};

/// A connection: one request, one answer.
#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) local: Endpoint,
    pub(crate) remote: Endpoint,
    reader: http::Reader<http::Request>,
    outbox: Outbox,
    tail: Tail,
}

/// What comes behind what has been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tail {
    /// The request is not complete.
    Asking,
    /// Its answer is being thought about.
    Thinking,
    /// The end.
    End,
    /// So many bytes, as fast as they go.
    Flood(usize),
    /// A byte now and then.
    Drip,
}

impl Gateway {
    pub(crate) fn accepted(&mut self, conn: Id, local: Endpoint, remote: Endpoint, room: usize) {
        if self.conns.len() >= CONNECTIONS {
            return self.outputs.push(Output::Close { id: conn });
        }
        let (reader, outbox) = (http::Reader::new(), Outbox::new(conn, room, OUTBOX_BYTES));
        self.conns.insert(conn, Conn { local, remote, reader, outbox, tail: Tail::Asking });
    }

    pub(crate) fn requested(&mut self, now: Now, id: Id, bytes: &[u8]) {
        let Some(conn) = self.conns.get_mut(&id).filter(|conn| conn.tail == Tail::Asking) else {
            return;
        };
        match conn.reader.push(bytes) {
            Ok(Some(request)) => {
                conn.tail = Tail::Thinking;
                self.serve(now, id, &request);
            }
            Ok(None) => {}
            Err(_) => {
                self.conns.remove(&id);
                self.outputs.push(Output::Close { id });
            }
        }
    }

    pub(crate) fn writable(&mut self, id: Id, room: usize) {
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.outbox.writable(room, &mut self.outputs);
            self.go_on(id);
        }
    }

    /// The next byte of an answer that drips.
    pub(crate) fn drip(&mut self, now: Now, id: Id) {
        if let Some(conn) = self.conns.get_mut(&id) {
            // When the other side reads no more, there is no room, and the drop is lost.
            _ = conn.outbox.send(b" ", &mut self.outputs);
            self.timers.set(Timer::Drip(id), now.mono + DRIP_INTERVAL);
        }
    }

    /// Sends an answer that looks like `page`.
    pub(crate) fn send(&mut self, now: Now, id: Id, honest: http::Response, page: &Page) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        conn.tail = match page {
            Page::Silent => return,
            Page::Endless => Tail::Flood(ENDLESS_BYTES),
            Page::Drip => Tail::Drip,
            _ => Tail::End,
        };
        let bytes = render(honest, page);
        conn.outbox.send(&bytes, &mut self.outputs).expect("the longest page fits");
        if conn.tail == Tail::Drip {
            self.timers.set(Timer::Drip(id), now.mono + DRIP_INTERVAL);
        }
        self.go_on(id);
    }

    fn go_on(&mut self, id: Id) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        if let Tail::Flood(left) = conn.tail {
            let part = conn.outbox.room().min(left);
            let flood = vec![b' '; part];
            conn.outbox.send(&flood, &mut self.outputs).expect("there is room for it");
            conn.tail = if left == part { Tail::End } else { Tail::Flood(left - part) };
        }
        if conn.tail == Tail::End && conn.outbox.waiting() == 0 {
            self.conns.remove(&id);
            self.outputs.push(Output::Close { id });
        }
    }
}

/// The bytes of an answer, as far as they have an end.
fn render(mut honest: http::Response, page: &Page) -> Vec<u8> {
    let body = honest.body.clone();
    let with_length = |len: usize, body: &[u8]| {
        let mut bytes = head(&[("Content-Length", &len.to_string())]);
        bytes.extend_from_slice(body);
        bytes
    };
    match page {
        Page::Honest | Page::Silent => honest.to_bytes(),
        Page::Chunked => {
            let mut bytes = head(&[("Transfer-Encoding", "chunked")]);
            for chunk in body.chunks(100) {
                bytes.extend_from_slice(format!("{:x};why=not\r\n", chunk.len()).as_bytes());
                bytes.extend_from_slice(chunk);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"0\r\n\r\n");
            bytes
        }
        Page::Unmeasured => [head(&[]), body].concat(),
        Page::Empty => with_length(0, b""),
        Page::Huge => {
            honest.body.resize(HUGE_BYTES, b' ');
            honest.to_bytes()
        }
        Page::Short => with_length(body.len() + 1000, &body),
        Page::Long => with_length(body.len() / 2, &body),
        Page::Endless | Page::Drip => head(&[]),
        Page::Bomb => with_body(honest, bomb()),
        Page::Deep => with_body(honest, ["<a>".repeat(DEPTH), "</a>".repeat(DEPTH)].concat()),
        Page::Garbage => b"\x00\xff\r\n\r\n<hello/>".to_vec(),
        Page::Redirect(to) => {
            format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n")
                .into_bytes()
        }
    }
}

fn with_body(honest: http::Response, body: String) -> Vec<u8> {
    http::Response { body: body.into_bytes(), ..honest }.to_bytes()
}

fn head(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut head = "HTTP/1.1 200 OK\r\nConnection: close\r\n".to_owned();
    for (name, value) in fields {
        _ = write!(head, "{name}: {value}\r\n");
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// A document of a few hundred bytes that would be billions.
fn bomb() -> String {
    let mut bomb = "<?xml version=\"1.0\"?>\n<!DOCTYPE root [\n<!ENTITY e0 \"ha\">\n".to_owned();
    for n in 1..10 {
        let references = format!("&e{};", n - 1).repeat(10);
        _ = writeln!(bomb, "<!ENTITY e{n} \"{references}\">");
    }
    bomb.push_str("]>\n<root>&e9;</root>");
    bomb
}
