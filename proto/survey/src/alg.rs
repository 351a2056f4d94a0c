//! Whether something on the way rewrites SIP (an application layer gateway): a message that tells
//! our address comes back as the core got it (RFC 3420).
//!
//! The message is an OPTIONS with a session description, as calls have it; whoever rewrites calls
//! rewrites it. The core shows what came, and every line is compared with what was sent.

use machine::{Endpoint, Entropy};
use sip::header::name;
use sip::{Message, Status};

use crate::defaults::FILLING_BYTES;

/// What became of a message that tells an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alg {
    /// It came as it was sent.
    None,
    /// It was changed on the way.
    Altered(Vec<Change>),
}

/// One line that was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// As it was sent; `None`: it was not.
    pub sent: Option<String>,
    /// As it came; `None`: it did not.
    pub came: Option<String>,
}

/// Why a response tells nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is no response, or one to something else.
    #[error("no response to this request")]
    NotOurs,
    /// It shows nothing: no server of this project, most likely.
    #[error("the server does not show what it got")]
    NotShown,
}

/// One such message.
#[derive(Clone, Debug)]
pub struct Probe {
    text: String,
    call_id: String,
}

impl Probe {
    /// A message from `local` to the SIP server at `server`, by its address: a core takes that for
    /// itself, whatever its domain is.
    #[must_use]
    pub fn new(local: Endpoint, server: Endpoint, entropy: &mut Entropy) -> Self {
        let mut word = || format!("{:016x}", entropy.u64());
        let (branch, tag, call_id) = (word(), word(), word());
        let (ip, port) = (local.ip(), local.port());
        let (family, host) =
            if local.is_ipv4() { ("IP4", format!("{ip}")) } else { ("IP6", format!("[{ip}]")) };
        let body = format!(
            "v=0\r\no=- 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP 0\r\na=rtcp:{port} IN {family} {ip}\r\na=x-filling:{}\r\n",
            "x".repeat(FILLING_BYTES)
        );
        let text = format!(
            "OPTIONS sip:{server} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{branch};rport\r\n\
             Max-Forwards: 70\r\n\
             From: <sip:survey@{host}:{port}>;tag={tag}\r\n\
             To: <sip:{server}>\r\n\
             Call-ID: {call_id}@{ip}\r\n\
             CSeq: 1 OPTIONS\r\n\
             Contact: <sip:survey@{host}:{port}>\r\n\
             Accept: message/sipfrag\r\n\
             Content-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Self { text, call_id }
    }

    /// Its bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// What a response shows.
    ///
    /// # Errors
    /// If it shows nothing of this message.
    pub fn judge(&self, response: &[u8]) -> Result<Alg, Error> {
        let Ok(Message::Response(response)) = Message::parse(response) else {
            return Err(Error::NotOurs);
        };
        // An ALG may change the host after the @, and change it back.
        let ours = response.headers.first(name::CALL_ID);
        if ours.is_none_or(|id| !id.starts_with(&self.call_id)) || response.status < Status::OK {
            return Err(Error::NotOurs);
        }
        if response.body.is_empty() {
            return Err(Error::NotShown);
        }
        Ok(self.compare(&String::from_utf8_lossy(&response.body)))
    }

    /// Compares the beginning of the message, as it came, with the whole as it was sent.
    fn compare(&self, came: &str) -> Alg {
        // The last line may be cut.
        let whole = came.rsplit_once("\r\n").map_or("", |(whole, _)| whole);
        let came: Vec<&str> = whole.split("\r\n").map(comparable).collect();
        let sent: Vec<&str> = self.text.split("\r\n").map(comparable).collect();
        let lines = sent.len().min(came.len());
        let sent = sent.get(..lines).unwrap_or_default();
        let missing = sent.iter().filter(|line| !came.contains(line));
        let extra = came.iter().filter(|line| !sent.contains(line) && !self.text.contains(**line));
        let (mut missing, mut extra) = (missing.peekable(), extra.peekable());
        let mut changes = Vec::new();
        while missing.peek().is_some() || extra.peek().is_some() {
            let text = |line: Option<&&str>| line.map(|line| (*line).to_owned());
            changes.push(Change { sent: text(missing.next()), came: text(extra.next()) });
        }
        if changes.is_empty() { Alg::None } else { Alg::Altered(changes) }
    }
}

/// A line without what the receiver adds to its top Via (RFC 3261 §18.2.1, RFC 3581 §4).
fn comparable(line: &str) -> &str {
    if line.starts_with("Via:") { line.split(";branch=").next().unwrap_or(line) } else { line }
}

#[cfg(test)]
mod tests {
    use machine::Entropy;

    use super::{Alg, Change, Error, Probe};

    fn probe() -> Probe {
        Probe::new(
            "192.168.0.12:5062".parse().unwrap(),
            "198.51.100.10:5060".parse().unwrap(),
            &mut Entropy::seeded(1),
        )
    }

    fn response(probe: &Probe, shown: &str) -> Vec<u8> {
        format!(
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.168.0.12:5062;branch=z9hG4bK1\r\n\
             From: <sip:a@b>;tag=1\r\nTo: <sip:example.org>;tag=2\r\nCall-ID: {}@192.168.0.12\r\n\
             CSeq: 1 OPTIONS\r\nContent-Type: message/sipfrag\r\nContent-Length: {}\r\n\r\n{shown}",
            probe.call_id,
            shown.len()
        )
        .into_bytes()
    }

    fn judge(change: impl Fn(&str) -> String) -> Result<Alg, Error> {
        let probe = probe();
        let came = change(&probe.text).replace(";rport", ";rport=5062;received=203.0.113.1");
        let shown: String = came.chars().take(came.len() - 300).collect();
        probe.judge(&response(&probe, &shown))
    }

    #[test]
    fn what_comes_as_it_was_sent() {
        assert_eq!(judge(str::to_owned), Ok(Alg::None));
    }

    #[test]
    fn an_address_that_was_rewritten() {
        let altered = judge(|text| {
            let text = text.replace(
                "Contact: <sip:survey@192.168.0.12:5062>",
                "Contact: <sip:survey@203.0.113.1:40000>",
            );
            text.replace("c=IN IP4 192.168.0.12", "c=IN IP4 203.0.113.1")
        });
        let change = |sent: &str, came: &str| Change {
            sent: Some(sent.to_owned()),
            came: Some(came.to_owned()),
        };
        let expected = vec![
            change(
                "Contact: <sip:survey@192.168.0.12:5062>",
                "Contact: <sip:survey@203.0.113.1:40000>",
            ),
            change("c=IN IP4 192.168.0.12", "c=IN IP4 203.0.113.1"),
        ];
        assert_eq!(altered, Ok(Alg::Altered(expected)));
    }

    #[test]
    fn what_tells_nothing() {
        let probe = probe();
        assert_eq!(probe.judge(&response(&probe, "")), Err(Error::NotShown));
        assert_eq!(probe.judge(b"nonsense"), Err(Error::NotOurs));
        let other = Probe::new(
            "10.0.0.1:1".parse().unwrap(),
            "192.0.2.1:5060".parse().unwrap(),
            &mut Entropy::seeded(2),
        );
        assert_eq!(other.judge(&response(&probe, "OPTIONS")), Err(Error::NotOurs));
    }
}
