//! A telephone of a few lines: it registers and answers as a test says, over UDP.

use std::io::ErrorKind;
use std::net::UdpSocket;

use crate::program::{PASSWORD, PATIENCE};

pub(crate) struct Stub {
    socket: UdpSocket,
    core: String,
    user: String,
}

impl Stub {
    /// A telephone that is registered at `core`.
    pub(crate) fn register(core: &str, user: &str) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let stub = Self { socket, core: core.to_owned(), user: user.to_owned() };
        stub.send(&stub.request(1, ""));
        let challenge = stub.receive("SIP/2.0 401 ");
        let nonce = challenge.split("nonce=\"").nth(1).unwrap().split('"').next().unwrap();
        stub.send(&stub.request(2, &stub.authorization(nonce)));
        stub.receive("SIP/2.0 200 ");
        stub
    }

    /// Waits for a message that begins so; others are passed over.
    pub(crate) fn receive(&self, beginning: &str) -> String {
        let mut bytes = [0; 65_536];
        loop {
            let len = match self.socket.recv_from(&mut bytes) {
                Ok((len, _)) => len,
                // Whoever stops and continues this process disturbs a socket with a time limit.
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => panic!("no {beginning:?}: {error}"),
            };
            let message = String::from_utf8_lossy(&bytes[..len]).into_owned();
            if message.starts_with(beginning) {
                return message;
            }
        }
    }

    /// Answers a request.
    pub(crate) fn respond(&self, request: &str, status: &str) {
        self.respond_with(request, status, "");
    }

    /// Answers a request with a session description, if it is not empty.
    pub(crate) fn respond_with(&self, request: &str, status: &str, body: &str) {
        let mut response = format!("SIP/2.0 {status}\r\n");
        for line in request.lines().take_while(|line| !line.is_empty()) {
            let name = line.split(':').next().unwrap().to_ascii_lowercase();
            match name.as_str() {
                "to" if !line.contains(";tag=") => response += &format!("{line};tag=stub\r\n"),
                "via" | "from" | "to" | "call-id" | "cseq" | "record-route" => {
                    response += &format!("{line}\r\n");
                }
                _ => {}
            }
        }
        let contact = format!("Contact: <sip:{}@{}>\r\n", self.user, self.local());
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let length = format!("{kind}Content-Length: {}\r\n\r\n{body}", body.len());
        self.send(&(response + &contact + &length));
    }

    pub(crate) fn port(&self) -> u16 {
        self.socket.local_addr().unwrap().port()
    }

    fn local(&self) -> String {
        self.socket.local_addr().unwrap().to_string()
    }

    fn send(&self, message: &str) {
        self.socket.send_to(message.as_bytes(), &self.core).unwrap();
    }

    fn request(&self, number: u32, more: &str) -> String {
        let (user, local) = (&self.user, self.local());
        format!(
            "REGISTER sip:localhost SIP/2.0\r\n\
             Via: SIP/2.0/UDP {local};rport;branch=z9hG4bKstub{number}\r\n\
             Max-Forwards: 70\r\n\
             From: <sip:{user}@localhost>;tag=1\r\n\
             To: <sip:{user}@localhost>\r\n\
             Call-ID: stub@{local}\r\n\
             CSeq: {number} REGISTER\r\n\
             Contact: <sip:{user}@{local}>\r\n\
             {more}Content-Length: 0\r\n\r\n"
        )
    }

    /// The answer to a challenge (RFC 7616 §3.4.1).
    fn authorization(&self, nonce: &str) -> String {
        let md5 = |text: String| crypto::to_hex(&crypto::md5(&[text.as_bytes()]));
        let user = &self.user;
        let ha1 = md5(format!("{user}:localhost:{PASSWORD}"));
        let ha2 = md5("REGISTER:sip:localhost".to_owned());
        let response = md5(format!("{ha1}:{nonce}:00000001:abc:auth:{ha2}"));
        format!(
            "Authorization: Digest username=\"{user}\", realm=\"localhost\", nonce=\"{nonce}\", \
             uri=\"sip:localhost\", algorithm=MD5, qop=auth, nc=00000001, cnonce=\"abc\", \
             response=\"{response}\"\r\n"
        )
    }
}
