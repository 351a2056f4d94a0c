//! A core on real sockets.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, UdpSocket};

use crate::program::{Core, events, run, stderr};

/// A REGISTER of alice's from `local`, as far as it goes without an Authorization.
pub(crate) fn register(transport: &str, local: &str, more: &str) -> String {
    format!(
        "REGISTER sip:localhost SIP/2.0\r\n\
         Via: SIP/2.0/{transport} {local};rport;branch=z9hG4bKregister\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:alice@localhost>;tag=1\r\n\
         To: <sip:alice@localhost>\r\n\
         Call-ID: test@{local}\r\n\
         CSeq: 1 REGISTER\r\n\
         Contact: <sip:alice@{local};transport={transport}>\r\n\
         {more}Content-Length: 0\r\n\r\n"
    )
}

/// Sends a datagram and waits for the answer.
pub(crate) fn ask(socket: &UdpSocket, to: &str, message: &[u8]) -> Vec<u8> {
    socket.send_to(message, to).unwrap();
    let mut answer = vec![0; 2048];
    let (len, from) = socket.recv_from(&mut answer).unwrap();
    assert_eq!(from.to_string(), to);
    answer.truncate(len);
    answer
}

/// An empty Binding request (RFC 8489 §5).
pub(crate) const BINDING: [u8; 20] =
    [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

#[test]
fn sip_and_stun_answer_on_every_address() {
    let data = tempfile::tempdir().unwrap();
    let core = Core::start(&[], data.path());
    let (udp, tcp) = (core.address("sip", "udp"), core.address("sip", "tcp"));
    assert_eq!(udp, tcp, "one port for both");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let local = socket.local_addr().unwrap().to_string();

    for address in [&udp, &core.address("stun", "udp")] {
        let answer = ask(&socket, address, &BINDING);
        assert_eq!(answer[..2], [1, 1], "a success response");
    }
    let challenge = ask(&socket, &udp, register("UDP", &local, "").as_bytes());
    assert!(challenge.starts_with(b"SIP/2.0 401 "));

    let mut stream = TcpStream::connect(&tcp).unwrap();
    let local = stream.local_addr().unwrap().to_string();
    stream.write_all(register("TCP", &local, "").as_bytes()).unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).unwrap();
    assert_eq!(&status, b"SIP/2.0 401 ");

    let end = core.stop("TERM");
    assert_eq!(end.code, Some(0), "{end:#?}");
}

#[test]
fn an_account_added_while_it_runs_can_register() {
    let data = tempfile::tempdir().unwrap();
    let mut core = Core::start(&[], data.path());
    let server = core.address("sip", "udp");
    let added = run(&["user", "add", "alice", "--password-stdin"], data.path(), "secret\n");
    assert_eq!(added.status.code(), Some(0));

    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let local = socket.local_addr().unwrap().to_string();
    let challenge = ask(&socket, &server, register("UDP", &local, "").as_bytes());
    let challenge = String::from_utf8(challenge).unwrap();
    let nonce = challenge.split("nonce=\"").nth(1).unwrap().split('"').next().unwrap();
    let proof = authorization(nonce, "secret");
    let request = register("UDP", &local, &proof).replace("CSeq: 1", "CSeq: 2");
    let request = request.replace("z9hG4bKregister", "z9hG4bKagain");
    let answer = ask(&socket, &server, request.as_bytes());
    assert!(answer.starts_with(b"SIP/2.0 200 "), "{}", String::from_utf8_lossy(&answer));

    let registered = core.process.wait_for("registered");
    assert_eq!(registered["address"], "alice@localhost");
    assert_eq!(core.stop("INT").code, Some(130));
}

/// Alice's answer to a challenge (RFC 7616 §3.4.1).
fn authorization(nonce: &str, password: &str) -> String {
    let md5 = |text: String| crypto::to_hex(&crypto::md5(&[text.as_bytes()]));
    let ha1 = md5(format!("alice:localhost:{password}"));
    let ha2 = md5("REGISTER:sip:localhost".to_owned());
    let response = md5(format!("{ha1}:{nonce}:00000001:abc:auth:{ha2}"));
    format!(
        "Authorization: Digest username=\"alice\", realm=\"localhost\", nonce=\"{nonce}\", \
         uri=\"sip:localhost\", algorithm=MD5, qop=auth, nc=00000001, cnonce=\"abc\", \
         response=\"{response}\"\r\n"
    )
}

#[test]
fn a_core_that_cannot_bind_says_which_address_and_what_to_do() {
    let data = tempfile::tempdir().unwrap();
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let holder = UdpSocket::bind(taken).unwrap();
    let listen = taken.to_string();
    let refused = run(&["serve", "--json", "--listen", &listen], data.path(), "");
    assert_eq!(refused.status.code(), Some(1));
    let error = events(&refused).remove(0);
    assert_eq!(error["kind"], "bind");
    assert!(error["message"].as_str().unwrap().contains(&listen), "{error}");
    assert!(stderr(&refused).contains("remedy:"));
    drop(holder);

    let foreign = run(&["serve", "--listen", "203.0.113.1"], data.path(), "");
    assert_eq!(foreign.status.code(), Some(1));
    assert!(stderr(&foreign).contains("203.0.113.1"));
}

#[test]
fn the_relay_on_another_port_is_told_as_a_flag() {
    let data = tempfile::tempdir().unwrap();
    let core = Core::start(&[], data.path());
    let flag = core.ready["turn_flag"].as_str().unwrap().to_owned();
    assert_eq!(flag, format!("--turn turn:{}", core.address("turn", "udp")));
    let end = core.stop("TERM");
    assert!(end.said.contains(&flag), "{}", end.said);
}
