//! A STUN client and the stateless Binding server over loopback, with nothing but the standard
//! library's sockets: no runtime, no threads of the library's own.
//!
//! `cargo run -p wayleave-stun --example binding` asks a server of its own;
//! `… --example binding 192.0.2.1:3478` asks that one.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the machine is pure; the sockets, the clock and the thread are the example's"
)]

use std::error::Error;
use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use machine::{Endpoint, Entropy};
use wayleave_stun::transaction::{Output, Timing, Transaction};
use wayleave_stun::{Builder, Message, Method, TransactionId, binding};

fn main() -> Result<(), Box<dyn Error>> {
    let server = match std::env::args().nth(1) {
        Some(server) => server.parse()?,
        None => serve_on_loopback()?,
    };
    let socket = UdpSocket::bind(if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })?;
    let address = ask(&socket, server)?;
    println!("{server} sees us as {address}");
    Ok(())
}

/// A server is one function: bytes in, bytes out.
fn serve_on_loopback() -> std::io::Result<SocketAddr> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let address = socket.local_addr()?;
    thread::spawn(move || -> std::io::Result<()> {
        let (mut request, mut answer) = ([0; 1500], Vec::new());
        loop {
            let (len, remote) = socket.recv_from(&mut request)?;
            if binding::answer(&request[..len], remote.into(), &mut answer) {
                socket.send_to(&answer, remote)?;
            }
        }
    });
    Ok(address)
}

/// The driver of a client: time and bytes go in, bytes and deadlines come out.
fn ask(socket: &UdpSocket, server: SocketAddr) -> Result<Endpoint, Box<dyn Error>> {
    let start = Instant::now();
    let now = || machine::Instant::ORIGIN + start.elapsed();

    // A real client seeds this from the operating system.
    let seed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_nanos();
    let mut entropy = Entropy::seeded(seed as u64);
    let id = TransactionId::random(&mut entropy);
    let request = Builder::request(Method::BINDING, id).fingerprint().finish();
    let mut transaction = Transaction::new(now(), request, Timing::UDP);

    let (mut buf, mut received) = (Vec::new(), [0; 1500]);
    loop {
        while let Some(output) = transaction.poll_output(&mut buf) {
            match output {
                Output::Send => socket.send_to(&buf, server)?,
                Output::TimedOut => return Err("no answer".into()),
            };
            buf.clear();
        }
        let wait = transaction.poll_timeout().map_or(Duration::MAX, |at| at - now());
        socket.set_read_timeout(Some(wait.max(Duration::from_millis(1))))?;
        if let Ok((len, from)) = socket.recv_from(&mut received)
            && from == server
            && let Ok(message) = Message::parse(&received[..len])
            && transaction.matches(&message)
        {
            return message.reflexive_address().ok_or_else(|| format!("{message:?}").into());
        }
        transaction.handle_timeout(now());
    }
}
