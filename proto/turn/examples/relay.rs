//! A TURN client, and the server for it, on nothing but the standard library's UDP sockets: a
//! datagram to a peer and its answer, both through the relay.
//!
//! `cargo run -p wayleave-turn --example relay` asks a server of its own on loopback;
//! `… --example relay 192.0.2.1:3478 alice swordfish 198.51.100.7:4000` asks that one, as that user,
//! to reach that peer.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the machines are pure; the sockets and the clock are the example's"
)]

use std::collections::BTreeMap;
use std::error::Error;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use machine::{Endpoint, Entropy, Id, Ids, Input, Machine, Now, Output, Transport};
use stun::Credentials;
use wayleave_turn::client::{self, Client};
use wayleave_turn::server::{self, Answer, Keys, Listener, Question, User};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [server, user, password, peer] = arguments.as_slice() {
        return relay(server.parse()?, user, password, peer.parse()?, None);
    }
    // A server of our own, which may relay to loopback, and a peer that answers.
    let local = "127.0.0.1:3478".parse()?;
    let config = server::Config {
        allow_peers: vec!["127.0.0.0/8".parse()?],
        listeners: vec![Listener { transport: Transport::Udp, local }],
        ..server::Config::default()
    };
    let server = server::Server::new(config, Ids::new(1), &entropy()?);
    let peer = UdpSocket::bind("127.0.0.1:0")?;
    let address = peer.local_addr()?.into();
    std::thread::spawn(move || {
        let mut bytes = [0; 1500];
        while let Ok((len, from)) = peer.recv_from(&mut bytes) {
            println!("peer: {from} says {:?}", String::from_utf8_lossy(&bytes[..len]));
            let _ = peer.send_to(b"good to hear from you", from);
        }
    });
    relay(local, "alice", "swordfish", address, Some(Sockets::new(server)))
}

/// Allocates, permits the peer, says hello, and waits for what it answers.
fn relay(
    server: Endpoint,
    user: &str,
    password: &str,
    peer: Endpoint,
    mut own: Option<Sockets<server::Server>>,
) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let config = client::Config {
        servers: vec![client::Server::udp(server)],
        credentials: Some(Credentials::new(user, password)?),
        ..client::Config::default()
    };
    let mut client = Sockets::new(Client::new(now(start), config, Ids::new(0), entropy()?));
    while start.elapsed() < Duration::from_secs(10) {
        if let Some(own) = &mut own {
            own.turn(now(start), answer, |_, _, _| Ok(()))?;
        }
        let done = client.turn(
            now(start),
            |never| match never {},
            |client, event, payload| {
                println!("client: {event:?}");
                match event {
                    client::Event::Allocated(_) => client.permit(now(start), peer.ip())?,
                    client::Event::Permitted { .. } => client.send(now(start), peer, b"hello")?,
                    client::Event::Received { .. } => {
                        println!("client: {peer} says {:?}", String::from_utf8_lossy(payload));
                        client.close(now(start));
                    }
                    client::Event::Failed(failure) => {
                        return Err(format!("{failure}: {}", failure.cause.remedy()).into());
                    }
                    _ => {}
                }
                Ok(())
            },
        );
        done?;
        if client.machine.is_over() {
            return Ok(());
        }
    }
    Err("no answer from the peer".into())
}

/// The least that drives a machine: its UDP sockets, looked at in turn.
struct Sockets<M> {
    machine: M,
    sockets: BTreeMap<Id, UdpSocket>,
}

impl<M: Machine> Sockets<M> {
    fn new(machine: M) -> Self {
        Self { machine, sockets: BTreeMap::new() }
    }

    /// One round: what arrived, what is due, and everything that the machine wants done.
    fn turn(
        &mut self,
        now: Now,
        mut answer: impl FnMut(M::Question) -> M::Answer,
        mut event: impl FnMut(&mut M, M::Event, &[u8]) -> Result<(), Box<dyn Error>>,
    ) -> Result<(), Box<dyn Error>> {
        if self.machine.poll_timeout().is_some_and(|due| due <= now.mono) {
            self.machine.handle_timeout(now);
        }
        self.drain(now, &mut answer, &mut event)?;
        let ids: Vec<Id> = self.sockets.keys().copied().collect();
        let mut bytes = [0; 1500];
        for id in ids {
            let Some(socket) = self.sockets.get(&id) else { continue };
            let local = socket.local_addr()?.into();
            while let Some(socket) = self.sockets.get(&id)
                && let Ok((len, remote)) = socket.recv_from(&mut bytes)
            {
                self.machine.handle_input(
                    now,
                    Input::Datagram {
                        socket: id,
                        local,
                        remote: remote.into(),
                        ecn: None,
                        segment_size: None,
                        bytes: &bytes[..len],
                    },
                );
                self.drain(now, &mut answer, &mut event)?;
            }
        }
        Ok(())
    }

    fn drain(
        &mut self,
        now: Now,
        answer: &mut impl FnMut(M::Question) -> M::Answer,
        event: &mut impl FnMut(&mut M, M::Event, &[u8]) -> Result<(), Box<dyn Error>>,
    ) -> Result<(), Box<dyn Error>> {
        let mut buf = Vec::new();
        // A machine is drained before its next input: what comes of this round waits until then.
        let (mut events, mut inputs) = (Vec::new(), Vec::new());
        loop {
            while let Some(output) = self.machine.poll_output(&mut buf) {
                match output {
                    Output::Bind { id, local, .. } => {
                        let socket = UdpSocket::bind(SocketAddr::from(local))?;
                        socket.set_read_timeout(Some(Duration::from_millis(1)))?;
                        inputs.push(Input::Bound { id, local: socket.local_addr()?.into() });
                        self.sockets.insert(id, socket);
                    }
                    Output::Datagram { socket, remote, .. } => {
                        if let Some(socket) = self.sockets.get(&socket) {
                            socket.send_to(&buf, SocketAddr::from(remote))?;
                        }
                    }
                    Output::Ask { id, question } => {
                        inputs.push(Input::Answer { id, answer: answer(question) });
                    }
                    Output::Close { id } => drop(self.sockets.remove(&id)),
                    Output::Event(happened) => events.push((happened, buf.clone())),
                    _ => return Err("this example knows UDP alone".into()),
                }
                buf.clear();
            }
            if !inputs.is_empty() {
                self.machine.handle_input(now, inputs.remove(0));
            } else if !events.is_empty() {
                let (happened, payload) = events.remove(0);
                event(&mut self.machine, happened, &payload)?;
            } else {
                return Ok(());
            }
        }
    }
}

/// The accounts of our own server: everybody's password is the same.
fn answer(question: Question) -> Answer {
    let Question::Credentials { user, realm } = question;
    let alice = |user| Answer::Credentials(Some(Keys::derive(user, &realm, b"swordfish")));
    match user {
        User::Name(name) => alice(&name),
        User::Hash(hash) if hash == stun::integrity::userhash("alice", &realm) => alice("alice"),
        User::Hash(_) => Answer::Credentials(None),
    }
}

fn now(start: Instant) -> Now {
    let unix = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Now { mono: machine::Instant::ORIGIN + start.elapsed(), unix: unix.unwrap_or_default() }
}

/// A real program seeds this from the operating system.
fn entropy() -> Result<Entropy, Box<dyn Error>> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    Ok(Entropy::seeded(since.as_nanos() as u64))
}
