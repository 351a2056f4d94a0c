//! A telephone registers and proves its password: messages and digest authentication alone, no
//! network, no runtime. `cargo run -p wayleave-sip --example digest`.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use machine::{Entropy, Instant, Now};
use sip::auth::{Authenticator, Client, Config, Examined, Ha1, Hash, Login, Proof, Side};
use sip::header::{Contact, Protocol};
use sip::{Message, Method, NameAddr, Request, Response, Status, Uri, Via, name, validate};

const REALM: &str = "example.org";
/// Where the client is.
const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn main() -> Result<(), Box<dyn Error>> {
    let now = Now { mono: Instant::ORIGIN, unix: Duration::from_secs(1_700_000_000) };
    let mut server = Authenticator::new(Config::default(), Entropy::seeded(1));
    let mut phone = Client::new(Login::new("alice", "swordfish"), Entropy::seeded(2));

    let mut register = register(1)?;
    let challenge = over_the_wire(&serve(&mut server, now, &over_the_wire_up(&register)?))?;
    phone.handle_challenge(&register, &challenge)?;

    register.headers.set(name::CSEQ, "2 REGISTER");
    phone.authorize(&mut register);
    let answer = over_the_wire(&serve(&mut server, now, &over_the_wire_up(&register)?))?;
    phone.handle_success(&answer);
    assert_eq!(answer.status, Status::OK);
    Ok(())
}

/// What a telephone sends first.
fn register(cseq: u32) -> Result<Request, Box<dyn Error>> {
    let alice: Uri = "sip:alice@example.org".parse()?;
    let via = Via::new(Protocol::Udp, "192.0.2.7".parse()?, Some(5060), "z9hG4bKnashds7");
    let contact = Contact::new("sip:alice@192.0.2.7:5060".parse()?);
    let from = NameAddr::new(alice.clone()).with_tag("456248");
    let to = NameAddr::new(alice);
    let registrar = "sip:example.org".parse()?;
    Ok(Request::with_essentials(Method::Register, registrar, &from, &to, "843817637684230", cseq)
        .with_header(name::VIA, via)
        .with_header(name::CONTACT, contact.with_expires(Duration::from_secs(3600))))
}

/// What a registrar does before it looks at the contacts.
fn serve(server: &mut Authenticator, now: Now, request: &Request) -> Response {
    if let Err(invalid) = validate::request(request) {
        return request.response(invalid.status()).with_reason(invalid.reason());
    }
    let stale = match server.examine(now, request, Side::Server, REALM, SOURCE) {
        Examined::Nothing => false,
        Examined::Stale => true,
        Examined::Claim(claim) => {
            // Here a server asks its store for the key of `claim.user`.
            let key = Ha1::derive(Hash::Md5, "alice", REALM, b"swordfish");
            let key = (claim.user == "alice").then_some(&key);
            match server.verify(now, request, &claim, key) {
                Proof::Good => return request.response(Status::OK),
                Proof::Bad => false,
                Proof::Stale => true,
            }
        }
    };
    server.challenge(now, request, Side::Server, REALM, SOURCE, stale)
}

fn over_the_wire_up(request: &Request) -> Result<Request, Box<dyn Error>> {
    let bytes = request.to_bytes();
    println!("{}", String::from_utf8_lossy(&bytes));
    match Message::parse(&bytes)? {
        Message::Request(request) => Ok(request),
        Message::Response(_) => Err("a response".into()),
    }
}

fn over_the_wire(response: &Response) -> Result<Response, Box<dyn Error>> {
    let bytes = response.to_bytes();
    println!("{}", String::from_utf8_lossy(&bytes));
    match Message::parse(&bytes)? {
        Message::Response(response) => Ok(response),
        Message::Request(_) => Err("a request".into()),
    }
}
