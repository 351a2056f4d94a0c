//! A user agent registers with a registrar: datagrams are carried by hand and time is a variable, so
//! the same values run under any runtime. `cargo run -p wayleave-sip --example register`.

use std::error::Error;
use std::time::Duration;

use machine::{Endpoint, Entropy, Id, Ids, Input, Instant, Now, Output, Transport};
use sip::auth::{Authenticator, Config, Examined, Ha1, Hash, Proof, Side};
use sip::registrar::{self, Outcome};
use sip::stack::{self, Stack};
use sip::transport::Flow;
use sip::ua::{self, Account, UserAgent};
use sip::{Request, Response};

const REALM: &str = "192.0.2.1";

fn main() -> Result<(), Box<dyn Error>> {
    let now = Now { mono: Instant::ORIGIN, unix: Duration::from_secs(1_700_000_000) };
    let mut phone = UserAgent::new(ua::Config::default(), Ids::new(1), &Entropy::seeded(1));
    let mut server = Server {
        stack: Stack::new(stack::Config::default(), Ids::new(1), Entropy::seeded(2)),
        gate: Authenticator::new(Config::default(), Entropy::seeded(3)),
    };
    let (alice, core): (Endpoint, Endpoint) =
        ("192.0.2.7:5060".parse()?, "192.0.2.1:5060".parse()?);
    let phone_socket = phone.listen(Transport::Udp, alice);
    let server_socket = server.stack.listen(Transport::Udp, core);
    let account = phone.add_account(Account::new("sip:alice@192.0.2.1".parse()?, "swordfish"));
    phone.register(now, account);

    // The driver: what one side puts out, the other takes in, until neither has anything left.
    let mut buf = Vec::new();
    loop {
        if let Some(output) = server.stack.poll_output(&mut buf) {
            if let Output::Bind { id, local, .. } = output {
                server.stack.handle_input(now, &bound(id, local));
            } else {
                phone.handle_input(now, &datagram(phone_socket, alice, core, &buf));
            }
        } else if let Some(output) = phone.poll_output(&mut buf) {
            if let Output::Bind { id, local, .. } = output {
                phone.handle_input(now, &bound(id, local));
            } else {
                server.stack.handle_input(now, &datagram(server_socket, core, alice, &buf));
                server.serve(now);
            }
        } else {
            break;
        }
        buf.clear();
    }
    while let Some(event) = phone.poll_event() {
        println!("phone: {event:?}");
    }
    Ok(())
}

/// The answer to a bind.
fn bound(id: Id, local: Endpoint) -> Input<'static, ()> {
    Input::Bound { id, local }
}

/// A datagram as its receiver meets it.
fn datagram(socket: Id, local: Endpoint, remote: Endpoint, bytes: &[u8]) -> Input<'_, ()> {
    println!("{remote} > {local}\n{}", String::from_utf8_lossy(bytes));
    Input::Datagram { socket, local, remote, ecn: None, segment_size: None, bytes }
}

struct Server {
    stack: Stack,
    gate: Authenticator,
}

impl Server {
    /// Answers the requests that have come.
    fn serve(&mut self, now: Now) {
        while let Some(event) = self.stack.poll_event() {
            if let stack::Event::Request { transaction, flow, request } = event {
                let response = self.answer(now, &request, flow);
                self.stack.respond(now, transaction, &response);
            }
        }
    }

    fn answer(&mut self, now: Now, request: &Request, flow: Flow) -> Response {
        let source = flow.remote.ip();
        let claim = match self.gate.examine(now, request, Side::Server, REALM, source) {
            Examined::Claim(claim) => claim,
            examined => {
                let stale = examined == Examined::Stale;
                return self.gate.challenge(now, request, Side::Server, REALM, source, stale);
            }
        };
        // Where a server asks its store for the user's key.
        let key = Ha1::derive(Hash::Md5, "alice", REALM, b"swordfish");
        let key = (claim.user == "alice").then_some(&key);
        let proof = self.gate.verify(now, request, &claim, key);
        if proof != Proof::Good {
            let stale = proof == Proof::Stale;
            return self.gate.challenge(now, request, Side::Server, REALM, source, stale);
        }
        match registrar::register(&registrar::Config::default(), now, request, flow, &[]) {
            Outcome::Changed { bindings, response } => {
                println!("server: bindings of alice: {bindings:?}\n");
                response
            }
            Outcome::Query(response) | Outcome::Refused(response) => response,
        }
    }
}
