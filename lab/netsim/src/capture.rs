//! What went over the wires, as pcapng (draft-ietf-opsawg-pcapng): raw IP packets, one interface
//! block for each link or host interface that is tapped, nanosecond timestamps. And what the tapped
//! hosts said under TLS, which no packet shows.

use std::time::Duration;

use machine::Endpoint;

/// The name of a tapped link or interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TapId(pub(crate) u32);

/// Where a packet was going, seen from a tapped interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heading {
    /// A tapped link knows no in and out.
    Along,
    In,
    Out,
}

/// A packet that passed a tap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Captured<'a> {
    /// The tap.
    pub tap: TapId,
    /// When, on the wall clock.
    pub at: Duration,
    /// Where it was going, as seen from a tapped interface; `None` on a link.
    pub inbound: Option<bool>,
    /// Whether the link lost it.
    pub lost: bool,
    /// The IP packet.
    pub bytes: &'a [u8],
}

/// What a host said under TLS, past a tapped interface: the plaintext of one write.
///
/// What its packets look like is [`Captured`]; this is what a key log would let one read in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plaintext<'a> {
    /// The tap of the sender's interface.
    pub tap: TapId,
    /// When it was written, on the wall clock.
    pub at: Duration,
    /// The sender's end of the connection.
    pub local: Endpoint,
    /// The other end, as the sender sees it.
    pub remote: Endpoint,
    /// What was said.
    pub bytes: &'a [u8],
}

/// Something that a tap noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overheard<'a> {
    /// A packet passed.
    Packet(Captured<'a>),
    /// A host wrote something under TLS.
    Plaintext(Plaintext<'a>),
}

/// The packets of all taps, in the order in which they passed.
#[derive(Debug, Default)]
pub(crate) struct Capture {
    taps: Vec<String>,
    records: Vec<Record>,
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct Record {
    tap: TapId,
    at: Duration,
    start: usize,
    end: usize,
    content: Content,
}

#[derive(Clone, Copy, Debug)]
enum Content {
    Packet { heading: Heading, lost: bool },
    Plaintext { local: Endpoint, remote: Endpoint },
}

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const LINKTYPE_RAW: u16 = 101;

impl Capture {
    pub(crate) fn tap(&mut self, name: String) -> TapId {
        self.taps.push(name);
        TapId(self.taps.len() as u32 - 1)
    }

    /// Keeps a packet that passes a tap; `at` is wall-clock time.
    pub(crate) fn record(
        &mut self,
        tap: TapId,
        at: Duration,
        packet: &[u8],
        heading: Heading,
        lost: bool,
    ) {
        self.keep(tap, at, packet, Content::Packet { heading, lost });
    }

    /// Keeps what a host writes under TLS from one end of a connection to the other.
    pub(crate) fn plaintext(
        &mut self,
        tap: TapId,
        at: Duration,
        (local, remote): (Endpoint, Endpoint),
        bytes: &[u8],
    ) {
        self.keep(tap, at, bytes, Content::Plaintext { local, remote });
    }

    fn keep(&mut self, tap: TapId, at: Duration, bytes: &[u8], content: Content) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.records.push(Record { tap, at, start, end: self.bytes.len(), content });
    }

    /// What was noticed, in order.
    pub(crate) fn overheard(&self) -> impl Iterator<Item = Overheard<'_>> {
        self.records.iter().map(|record| {
            let &Record { tap, at, start, end, content } = record;
            let bytes = &self.bytes[start..end];
            match content {
                Content::Packet { heading, lost } => {
                    let inbound = match heading {
                        Heading::Along => None,
                        Heading::In => Some(true),
                        Heading::Out => Some(false),
                    };
                    Overheard::Packet(Captured { tap, at, inbound, lost, bytes })
                }
                Content::Plaintext { local, remote } => {
                    Overheard::Plaintext(Plaintext { tap, at, local, remote, bytes })
                }
            }
        })
    }

    /// The file, with those taps only.
    pub(crate) fn pcapng(&self, taps: &[TapId]) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes.len() + 64 * self.records.len() + 256);
        section_header(&mut out);
        for tap in taps {
            interface(&mut out, &self.taps[tap.0 as usize]);
        }
        for record in &self.records {
            let Content::Packet { heading, lost } = record.content else { continue };
            if let Some(interface) = taps.iter().position(|tap| *tap == record.tap) {
                self.packet(&mut out, interface as u32, record, (heading, lost));
            }
        }
        out
    }

    fn packet(
        &self,
        out: &mut Vec<u8>,
        interface: u32,
        record: &Record,
        (heading, lost): (Heading, bool),
    ) {
        let bytes = &self.bytes[record.start..record.end];
        let nanos = u64::try_from(record.at.as_nanos()).unwrap_or(u64::MAX);
        let len = bytes.len() as u32;
        block(out, ENHANCED_PACKET, |body| {
            for word in [interface, (nanos >> 32) as u32, nanos as u32, len, len] {
                body.extend_from_slice(&word.to_le_bytes());
            }
            body.extend_from_slice(bytes);
            pad(body);
            let flags: u32 = match heading {
                Heading::Along => 0,
                Heading::In => 1,
                Heading::Out => 2,
            };
            if flags != 0 {
                option(body, 2, &flags.to_le_bytes());
            }
            if lost {
                option(body, 1, b"lost on this link");
            }
            if flags != 0 || lost {
                option(body, 0, b"");
            }
        });
    }
}

fn section_header(out: &mut Vec<u8>) {
    block(out, SECTION_HEADER, |body| {
        body.extend_from_slice(&0x1a2b_3c4d_u32.to_le_bytes());
        body.extend_from_slice(&1_u16.to_le_bytes());
        body.extend_from_slice(&0_u16.to_le_bytes());
        body.extend_from_slice(&u64::MAX.to_le_bytes());
        option(body, 4, b"wayleave netsim");
        option(body, 0, b"");
    });
}

fn interface(out: &mut Vec<u8>, name: &str) {
    block(out, INTERFACE_DESCRIPTION, |body| {
        body.extend_from_slice(&LINKTYPE_RAW.to_le_bytes());
        body.extend_from_slice(&[0; 2]);
        body.extend_from_slice(&0_u32.to_le_bytes());
        option(body, 2, name.as_bytes());
        // Timestamps count 10^-9 s.
        option(body, 9, &[9]);
        option(body, 0, b"");
    });
}

fn block(out: &mut Vec<u8>, kind: u32, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    write(out);
    let len = (out.len() - start + 4) as u32;
    out[start + 4..start + 8].copy_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&len.to_le_bytes());
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    body.extend_from_slice(&code.to_le_bytes());
    body.extend_from_slice(&(value.len() as u16).to_le_bytes());
    body.extend_from_slice(value);
    pad(body);
}

/// Every part of a block is a multiple of four bytes long, so the file's length tells the padding.
fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}
