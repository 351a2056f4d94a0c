//! Registrations with digest: a REGISTER, its challenge, and the REGISTER that answers it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::SocketAddr;

use machine::Entropy;
use sip::auth::{Covered, Login, answer};
use sip::header::name;
use sip::{Message, Response};

use super::load::{Progress, Refusal, Workload};

/// Whose registrations: users `PREFIX0` … `PREFIX(N-1)`, or the prefix alone when there is one.
#[derive(Clone, Debug)]
pub struct Users {
    /// The domain, which is the Request-URI's host and the realm.
    pub domain: String,
    /// What every user's name begins with.
    pub prefix: String,
    /// How many users there are.
    pub count: u64,
    /// The password that all of them have.
    pub password: String,
}

/// Registrations, each with a new Call-ID that carries the operation's number.
pub struct Registrations {
    users: Users,
    local: SocketAddr,
    entropy: Entropy,
    run: String,
    /// Operations that were challenged: a second challenge means refusal.
    challenged: BTreeSet<u64>,
}

impl Registrations {
    /// A run that no other run's answers fit. `local` stands in Via and Contact.
    pub fn new(users: Users, local: SocketAddr, entropy: &mut Entropy) -> Self {
        let run = entropy.token(12);
        let entropy = entropy.fork("bench.register");
        Self { users, local, entropy, run, challenged: BTreeSet::new() }
    }

    fn user(&self, n: u64) -> String {
        match self.users.count {
            0 | 1 => self.users.prefix.clone(),
            count => format!("{}{}", self.users.prefix, n % count),
        }
    }

    fn request(&mut self, n: u64, cseq: u32, authorization: Option<(&str, String)>) -> String {
        let (user, domain, local) = (self.user(n), &self.users.domain, self.local);
        let branch = self.entropy.token(10);
        let mut text = format!(
            "REGISTER sip:{domain} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {local};rport;branch=z9hG4bK{branch}\r\n\
             Max-Forwards: 70\r\n\
             From: <sip:{user}@{domain}>;tag={run}\r\n\
             To: <sip:{user}@{domain}>\r\n\
             Call-ID: {n}-{run}\r\n\
             CSeq: {cseq} REGISTER\r\n\
             Contact: <sip:{user}@{local}>\r\n\
             Expires: 3600\r\n",
            run = self.run,
        );
        if let Some((field, value)) = authorization {
            let _ = write!(text, "{field}: {value}\r\n");
        }
        text.push_str("Content-Length: 0\r\n\r\n");
        text
    }

    fn operation(&self, response: &Response) -> Option<u64> {
        let (n, run) = response.call_id().ok()?.split_once('-')?;
        (run == self.run).then(|| n.parse().ok()).flatten()
    }

    fn challenge(&mut self, n: u64, response: &Response, out: &mut Vec<u8>) -> Progress {
        if !self.challenged.insert(n) {
            // The first challenge again, for a request that was sent twice, or a refusal: the
            // second answer tells, and comes when it was one.
            let second = response.cseq().is_ok_and(|cseq| cseq.number > 1);
            return match second {
                true => Progress::Refused(n, Refusal::Unauthorized),
                false => Progress::Foreign,
            };
        }
        let challenges = response.headers.challenges(name::WWW_AUTHENTICATE);
        let user = self.user(n);
        let login = Login::new(user, self.users.password.as_bytes().to_vec());
        let uri = format!("sip:{}", self.users.domain);
        let covered = Covered { method: "REGISTER", uri: &uri, body: b"" };
        let cnonce = self.entropy.token(8);
        match answer(&challenges, &login, covered, 1, &cnonce) {
            Ok(credentials) => {
                let value = credentials.to_string();
                out.extend(self.request(n, 2, Some((name::AUTHORIZATION, value))).bytes());
                Progress::Next(n)
            }
            Err(error) => Progress::Refused(n, Refusal::Other(error.to_string())),
        }
    }
}

impl Workload for Registrations {
    fn begin(&mut self, n: u64, out: &mut Vec<u8>) {
        out.extend(self.request(n, 1, None).bytes());
    }

    fn answer(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Progress {
        let Ok(Message::Response(response)) = Message::parse(bytes) else {
            return Progress::Foreign;
        };
        let Some(n) = self.operation(&response) else { return Progress::Foreign };
        match response.status.code() {
            100..200 => Progress::Foreign,
            200..300 => {
                self.challenged.remove(&n);
                Progress::Done(n)
            }
            401 => self.challenge(n, &response, out),
            code => {
                let words = format!("{code} {}", response.reason);
                Progress::Refused(n, Refusal::Other(words))
            }
        }
    }
}
