//! A model of TLS: the round trips, sizes and verdicts of TLS 1.3, without its cryptography.
//!
//! One flight each way and the client's finish, then records that a capture cannot read. Both
//! sides get the same exporter value. A certificate is a list of names and a verdict.

use machine::{ConnectionBinding, Entropy, FailKind, Instant, Reader, TlsRole, Writer};

use crate::defaults::TLS_RECORD_LIMIT;
use crate::digest::Digest;

/// What a host shows when it is the server of a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The names it is for.
    pub names: Vec<String>,
    /// Why nobody accepts it, if so (`expired`, `self-signed`).
    pub trouble: Option<String>,
}

impl Certificate {
    /// A certificate for `names` that everybody accepts.
    #[must_use]
    pub fn new(names: &[&str]) -> Self {
        Self { names: names.iter().map(|&name| name.to_owned()).collect(), trouble: None }
    }

    /// The same, but for a reason not to accept it.
    #[must_use]
    pub fn with_trouble(self, trouble: &str) -> Self {
        Self { trouble: Some(trouble.to_owned()), ..self }
    }

    /// What stands for its DER form.
    fn to_bytes(&self) -> Vec<u8> {
        format!("simulated certificate for {}", self.names.join(", ")).into_bytes()
    }

    fn verdict(&self, name: &str) -> Result<(), String> {
        if let Some(trouble) = &self.trouble {
            return Err(trouble.clone());
        }
        if self.names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            return Ok(());
        }
        Err(format!("the certificate is for {}, not for {name}", self.names.join(", ")))
    }
}

/// One side of a connection's TLS.
#[derive(Debug)]
pub(crate) struct Tls {
    side: Side,
    stage: Stage,
    random: [u8; 32],
    incoming: Vec<u8>,
    seal: Entropy,
    unseal: Entropy,
}

#[derive(Debug)]
enum Side {
    Client { name: String },
    Server { certificate: Option<Certificate>, alpn: Vec<Vec<u8>> },
}

#[derive(Debug)]
enum Stage {
    /// A server waits for the client's hello, a client for the server's flight.
    Hello,
    /// A server waits for the client's finish.
    Finish(Box<Secured>),
    Open,
    Broken,
}

/// What a finished handshake gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Secured {
    pub(crate) peer_certs: Vec<Vec<u8>>,
    pub(crate) alpn: Option<Vec<u8>>,
    pub(crate) binding: ConnectionBinding,
}

/// What came of the bytes that were fed.
#[derive(Debug)]
pub(crate) enum Progress {
    Secured(Box<Secured>),
    Data(Vec<u8>),
    Failed(FailKind),
    /// The peer broke the protocol after the handshake.
    Broken,
}

const CLIENT_HELLO: u8 = 1;
const SERVER_FLIGHT: u8 = 2;
const FINISHED: u8 = 20;
const ALERT: u8 = 21;
const DATA: u8 = 23;

const HEADER: usize = 5;
const OVERHEAD: usize = HEADER + 1 + 16;

impl Tls {
    /// Starts a handshake; a client's first flight is appended to `out`.
    pub(crate) fn start(
        role: TlsRole,
        alpn: Vec<Vec<u8>>,
        certificate: Option<Certificate>,
        random: [u8; 32],
        out: &mut Vec<u8>,
    ) -> Self {
        let side = match role {
            TlsRole::Client { name } => {
                let mut hello = Vec::new();
                let mut w = Writer::new(&mut hello);
                w.u8(CLIENT_HELLO).bytes(&random);
                string(&mut w, name.as_bytes());
                w.u8(alpn.len() as u8);
                alpn.iter().for_each(|protocol| string(&mut w, protocol));
                w.pad(256);
                record(&hello, out);
                Side::Client { name }
            }
            TlsRole::Server => Side::Server { certificate, alpn },
        };
        let (seal, unseal) = (Entropy::new(random), Entropy::new(random));
        Self { side, stage: Stage::Hello, random, incoming: Vec::new(), seal, unseal }
    }

    /// How much may be sealed so that the records fit into `room`.
    pub(crate) const fn room(&self, room: usize) -> usize {
        if !matches!(self.stage, Stage::Open) {
            return 0;
        }
        room.saturating_sub(OVERHEAD * room.div_ceil(TLS_RECORD_LIMIT + OVERHEAD))
    }

    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open)
    }

    /// Appends records that carry `plain` to `out`.
    pub(crate) fn seal(&mut self, plain: &[u8], out: &mut Vec<u8>) {
        for chunk in plain.chunks(TLS_RECORD_LIMIT) {
            let mut body = vec![0; chunk.len() + 1 + 16];
            self.seal.fill(&mut body);
            body[0] ^= DATA;
            body[1..].iter_mut().zip(chunk).for_each(|(key, byte)| *key ^= byte);
            record(&body, out);
        }
    }

    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.incoming.extend_from_slice(bytes);
    }

    /// What came next of what was fed; answers are appended to `out`.
    pub(crate) fn next(&mut self, out: &mut Vec<u8>) -> Option<Progress> {
        if matches!(self.stage, Stage::Broken) {
            return None;
        }
        let body = match take_record(&mut self.incoming) {
            Ok(Some(body)) => body,
            Ok(None) => return None,
            Err(()) => return Some(self.fail("what came is not TLS")),
        };
        match std::mem::replace(&mut self.stage, Stage::Broken) {
            Stage::Hello => match self.take_hello(&body, out) {
                Ok(progress) => progress.or_else(|| self.next(out)),
                Err(text) => Some(self.fail(&text)),
            },
            Stage::Finish(secured) => match body.first() {
                Some(&FINISHED) => {
                    self.stage = Stage::Open;
                    Some(Progress::Secured(secured))
                }
                Some(&ALERT) => {
                    let text = String::from_utf8_lossy(&body[1..]);
                    Some(self.fail(&format!("the peer says: {text}")))
                }
                _ => Some(self.fail("the handshake is broken")),
            },
            Stage::Open => self.unseal(body),
            Stage::Broken => None,
        }
    }

    fn fail(&mut self, text: &str) -> Progress {
        let open = self.is_open();
        self.stage = Stage::Broken;
        if open { Progress::Broken } else { Progress::Failed(FailKind::Tls(text.to_owned())) }
    }

    fn take_hello(&mut self, body: &[u8], out: &mut Vec<u8>) -> Result<Option<Progress>, String> {
        let broken = |_| "the handshake is broken".to_owned();
        let mut r = Reader::new(body);
        let kind = r.u8().map_err(broken)?;
        if kind == ALERT {
            return Err(format!("the peer says: {}", String::from_utf8_lossy(r.rest())));
        }
        let peer_random: [u8; 32] = r.array().map_err(broken)?;
        let shared = std::array::from_fn(|n| self.random[n] ^ peer_random[n]);
        match &self.side {
            Side::Server { certificate, alpn } if kind == CLIENT_HELLO => {
                read_string(&mut r)?;
                let mut offered = Vec::new();
                for _ in 0..r.u8().map_err(broken)? {
                    offered.push(read_string(&mut r)?.to_vec());
                }
                let Some(certificate) = certificate else {
                    alert("no certificate", out);
                    return Err("this host has no certificate".to_owned());
                };
                let chosen = match choose(alpn, &offered) {
                    Ok(chosen) => chosen,
                    Err(text) => {
                        alert(text, out);
                        return Err(text.to_owned());
                    }
                };
                server_flight(&self.random, certificate, chosen.as_deref(), out);
                let binding = binding(shared, certificate);
                let secured = Secured { peer_certs: Vec::new(), alpn: chosen, binding };
                self.keys(shared, "server", "client");
                self.stage = Stage::Finish(Box::new(secured));
                Ok(None)
            }
            Side::Client { name } if kind == SERVER_FLIGHT => {
                let (certificate, alpn) = read_flight(&mut r)?;
                if let Err(reason) = certificate.verdict(name) {
                    alert("bad certificate", out);
                    return Ok(Some(Progress::Failed(FailKind::Certificate(reason))));
                }
                record(&[[FINISHED; 1].as_slice(), &[0; 35]].concat(), out);
                let binding = binding(shared, &certificate);
                let peer_certs = vec![certificate.to_bytes()];
                self.keys(shared, "client", "server");
                self.stage = Stage::Open;
                Ok(Some(Progress::Secured(Box::new(Secured { peer_certs, alpn, binding }))))
            }
            _ => Err("the handshake is broken".to_owned()),
        }
    }

    fn keys(&mut self, shared: [u8; 32], ours: &str, theirs: &str) {
        let shared = Entropy::new(shared);
        self.seal = shared.fork(ours);
        self.unseal = shared.fork(theirs);
    }

    fn unseal(&mut self, body: Vec<u8>) -> Option<Progress> {
        let mut keys = vec![0; body.len()];
        self.unseal.fill(&mut keys);
        let mut plain: Vec<u8> = body.iter().zip(&keys).map(|(byte, key)| byte ^ key).collect();
        let tag = plain.len().saturating_sub(16);
        if plain.first() != Some(&DATA) || tag == 0 || plain[tag..].iter().any(|&byte| byte != 0) {
            return Some(Progress::Broken);
        }
        self.stage = Stage::Open;
        plain.truncate(tag);
        plain.remove(0);
        Some(Progress::Data(plain))
    }
}

fn choose(ours: &[Vec<u8>], offered: &[Vec<u8>]) -> Result<Option<Vec<u8>>, &'static str> {
    if ours.is_empty() || offered.is_empty() {
        return Ok(None);
    }
    //= RFC 7301 §3.2: no protocol in common ends the handshake.
    let chosen = ours.iter().find(|protocol| offered.contains(protocol));
    chosen.cloned().map(Some).ok_or("no application protocol")
}

fn server_flight(
    random: &[u8; 32],
    certificate: &Certificate,
    alpn: Option<&[u8]>,
    out: &mut Vec<u8>,
) {
    let mut flight = Vec::new();
    let mut w = Writer::new(&mut flight);
    w.u8(SERVER_FLIGHT).bytes(random).u8(u8::from(alpn.is_some()));
    string(&mut w, alpn.unwrap_or_default());
    w.u8(u8::from(certificate.trouble.is_some()));
    string(&mut w, certificate.trouble.as_deref().unwrap_or_default().as_bytes());
    w.u8(certificate.names.len() as u8);
    certificate.names.iter().for_each(|name| string(&mut w, name.as_bytes()));
    w.pad(2048);
    record(&flight, out);
}

fn read_flight(r: &mut Reader<'_>) -> Result<(Certificate, Option<Vec<u8>>), String> {
    let broken = |_| "the handshake is broken".to_owned();
    let has_alpn = r.u8().map_err(broken)? == 1;
    let alpn = read_string(r)?.to_vec();
    let has_trouble = r.u8().map_err(broken)? == 1;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let trouble = text(read_string(r)?);
    let mut names = Vec::new();
    for _ in 0..r.u8().map_err(broken)? {
        names.push(text(read_string(r)?));
    }
    let certificate = Certificate { names, trouble: has_trouble.then_some(trouble) };
    Ok((certificate, has_alpn.then_some(alpn)))
}

/// What both sides can bind to.
fn binding(shared: [u8; 32], certificate: &Certificate) -> ConnectionBinding {
    let exporter = Entropy::new(shared).fork("exporter").bytes::<32>();
    let mut digest = Digest::default();
    digest.packet(Instant::ORIGIN, 0, false, &certificate.to_bytes());
    let server_end_point = Entropy::seeded(digest.0).bytes::<32>();
    ConnectionBinding {
        exporter: Some(exporter.to_vec()),
        server_end_point: Some(server_end_point.to_vec()),
    }
}

fn alert(text: &str, out: &mut Vec<u8>) {
    record(&[&[ALERT], text.as_bytes()].concat(), out);
}

/// A record of application data, as all records but the first look in TLS 1.3.
fn record(body: &[u8], out: &mut Vec<u8>) {
    let mut w = Writer::new(out);
    w.u8(23).u16(0x0303).u16(body.len() as u16).bytes(body);
}

fn take_record(incoming: &mut Vec<u8>) -> Result<Option<Vec<u8>>, ()> {
    let Some(&[kind, major, minor, hi, lo]) = incoming.first_chunk::<HEADER>() else {
        return if incoming.first().is_none_or(|&kind| kind == 23) { Ok(None) } else { Err(()) };
    };
    let len = usize::from(u16::from_be_bytes([hi, lo]));
    if (kind, major, minor) != (23, 3, 3) || len > TLS_RECORD_LIMIT + OVERHEAD {
        return Err(());
    }
    if incoming.len() < HEADER + len {
        return Ok(None);
    }
    let body = incoming[HEADER..HEADER + len].to_vec();
    incoming.drain(..HEADER + len);
    Ok(Some(body))
}

fn string(w: &mut Writer<'_>, bytes: &[u8]) {
    w.u16(bytes.len() as u16).bytes(bytes);
}

fn read_string<'a>(r: &mut Reader<'a>) -> Result<&'a [u8], String> {
    let broken = |_| "the handshake is broken".to_owned();
    let len = r.u16().map_err(broken)?;
    r.take(usize::from(len)).map_err(broken)
}
