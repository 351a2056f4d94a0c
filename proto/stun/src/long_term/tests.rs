use super::{Credentials, Error, LongTerm, Refusal, Verdict};
use crate::attribute::{SecurityFeatures, UNDERSTOOD};
use crate::defaults::{MAX_CHALLENGES, MAX_USERNAME_WRITTEN_BYTES};
use crate::integrity::userhash;
use crate::{Builder, Integrity, Key, Message, Method, PasswordAlgorithm, TransactionId};

const REALM: &str = "example.org";

/// A server that knows one user, as a peer for the client.
struct Server {
    features: SecurityFeatures,
    offered: Vec<PasswordAlgorithm>,
    password: &'static str,
    nonce: Vec<u8>,
}

impl Server {
    /// One of RFC 5389.
    fn old() -> Self {
        let features = SecurityFeatures::default();
        Self { features, offered: vec![], password: "swordfish", nonce: b"nonce-1".to_vec() }
    }

    /// One of RFC 8489.
    fn new(username_anonymity: bool) -> Self {
        let features = SecurityFeatures { password_algorithms: true, username_anonymity };
        let mut nonce = features.prefix().to_vec();
        nonce.extend(b"nonce-1");
        let offered = vec![PasswordAlgorithm::Unknown(77), PasswordAlgorithm::Sha256];
        Self { features, offered, password: "swordfish", nonce }
    }

    fn challenge(&self, request: &Message<'_>, code: u16) -> Vec<u8> {
        let mut response = Builder::error(request, code);
        response.realm(REALM).nonce(&self.nonce);
        if !self.offered.is_empty() {
            response.password_algorithms(&self.offered);
        }
        response.finish()
    }

    fn answer(&self, request: &[u8]) -> Vec<u8> {
        let request = Message::parse(request).unwrap();
        assert_eq!(request.unknown_required(UNDERSTOOD), []);
        let Some(integrity) = request.integrity() else { return self.challenge(&request, 401) };
        if request.nonce() != Some(&self.nonce) {
            return self.challenge(&request, 438);
        }
        let algorithm = request.password_algorithm().unwrap_or(PasswordAlgorithm::Md5);
        let key = Key::long_term(algorithm, "alice", REALM, self.password.as_bytes()).unwrap();
        if self.features.username_anonymity {
            assert_eq!(request.userhash(), Some(userhash("alice", REALM)));
            assert_eq!(request.username(), None);
        } else {
            assert_eq!(request.username(), Some("alice"));
        }
        if self.features.password_algorithms {
            assert_eq!(request.password_algorithms().as_deref(), Some(&self.offered[..]));
            assert_eq!((algorithm, integrity), (PasswordAlgorithm::Sha256, Integrity::Sha256));
        } else {
            assert_eq!((algorithm, integrity), (PasswordAlgorithm::Md5, Integrity::Sha1));
        }
        if request.verify_integrity(&key).is_err() {
            return self.challenge(&request, 401);
        }
        Builder::success(&request).integrity_of(integrity, &key).fingerprint().finish()
    }
}

fn client() -> LongTerm {
    LongTerm::new(Credentials::new("alice", "swordfish").unwrap())
}

fn request(auth: &LongTerm) -> Vec<u8> {
    let mut request = Builder::request(Method::BINDING, TransactionId([7; 12]));
    auth.authenticate(&mut request);
    request.fingerprint().finish()
}

/// Sends a request and judges the response.
fn exchange(auth: &mut LongTerm, server: &Server) -> Verdict {
    let request = request(auth);
    judge(auth, &request, &server.answer(&request))
}

fn judge(auth: &mut LongTerm, request: &[u8], response: &[u8]) -> Verdict {
    auth.handle_response(&Message::parse(request).unwrap(), &Message::parse(response).unwrap())
}

#[test]
fn challenge_retry_success() {
    for server in [Server::old(), Server::new(false), Server::new(true)] {
        let mut auth = client();
        assert_eq!(exchange(&mut auth, &server), Verdict::Retry);
        assert_eq!(exchange(&mut auth, &server), Verdict::Accept);
        assert_eq!(exchange(&mut auth, &server), Verdict::Accept);
        assert_eq!(auth.realm(), Some(REALM));
    }
}

#[test]
fn a_stale_nonce_is_replaced() {
    for mut server in [Server::old(), Server::new(true)] {
        let mut auth = client();
        exchange(&mut auth, &server);
        for _ in 0..3 * MAX_CHALLENGES {
            server.nonce.push(b'x');
            assert_eq!(exchange(&mut auth, &server), Verdict::Retry);
            assert_eq!(exchange(&mut auth, &server), Verdict::Accept);
        }
    }
}

#[test]
fn a_wrong_password_is_given_up() {
    let server = Server { password: "other", ..Server::old() };
    let mut auth = client();
    assert_eq!(exchange(&mut auth, &server), Verdict::Retry);
    assert_eq!(exchange(&mut auth, &server), Verdict::GiveUp(Refusal::Credentials));
}

#[test]
fn a_server_that_only_challenges_is_given_up() {
    let mut server = Server::old();
    let mut auth = client();
    for _ in 0..MAX_CHALLENGES {
        assert_eq!(exchange(&mut auth, &server), Verdict::Retry);
        server.nonce.push(b'x');
    }
    assert_eq!(exchange(&mut auth, &server), Verdict::GiveUp(Refusal::TooManyChallenges));
}

#[test]
fn bid_down_is_noticed() {
    let mut server = Server::new(false);
    server.offered.clear();
    assert_eq!(exchange(&mut client(), &server), Verdict::GiveUp(Refusal::BidDown));
    server.offered.push(PasswordAlgorithm::Unknown(77));
    assert_eq!(exchange(&mut client(), &server), Verdict::GiveUp(Refusal::UnknownAlgorithms));
}

#[test]
fn responses_without_the_right_integrity_are_discarded() {
    let server = Server::new(false);
    let mut auth = client();
    exchange(&mut auth, &server);
    let request = request(&auth);
    let parsed = Message::parse(&request).unwrap();
    let key = |password: &[u8]| {
        Key::long_term(PasswordAlgorithm::Sha256, "alice", REALM, password).unwrap()
    };
    for forged in [
        Builder::success(&parsed).finish(),
        Builder::error(&parsed, 400).finish(),
        Builder::success(&parsed).integrity_sha256(&key(b"guess")).finish(),
        // The right key and a weaker integrity than was asked for.
        Builder::success(&parsed).integrity(&key(b"swordfish")).finish(),
    ] {
        assert_eq!(judge(&mut auth, &request, &forged), Verdict::Discard);
    }
    let refusal = Builder::error(&parsed, 500).integrity_sha256(&key(b"swordfish")).finish();
    assert_eq!(judge(&mut auth, &request, &refusal), Verdict::Accept);
}

#[test]
fn a_server_without_credentials_is_accepted() {
    let mut auth = client();
    let request = request(&auth);
    let parsed = Message::parse(&request).unwrap();
    let response = Builder::success(&parsed).finish();
    assert_eq!(judge(&mut auth, &request, &response), Verdict::Accept);
}

#[test]
fn a_challenge_must_be_complete() {
    let mut auth = client();
    let request = request(&auth);
    let parsed = Message::parse(&request).unwrap();
    for challenge in [
        Builder::error(&parsed, 401).realm(REALM).finish(),
        Builder::error(&parsed, 401).nonce(b"n").finish(),
        Builder::error(&parsed, 438).nonce(b"n").finish(),
    ] {
        let verdict = judge(&mut auth, &request, &challenge);
        assert_eq!(verdict, Verdict::GiveUp(Refusal::BadChallenge));
    }
}

#[test]
fn a_user_name_has_a_limit() {
    let name = "a".repeat(MAX_USERNAME_WRITTEN_BYTES);
    assert!(Credentials::new(&name, "x").is_ok());
    let longer = Credentials::new(&(name + "a"), "x").map(|_| ());
    assert_eq!(longer, Err(Error::UsernameTooLong));
}

#[test]
fn answers_that_cross_count_as_one_challenge() {
    let (mut auth, mut server) = (client(), Server::new(true));
    assert_eq!(exchange(&mut auth, &server), Verdict::Retry);
    assert_eq!(exchange(&mut auth, &server), Verdict::Accept);
    // Many requests are on their way when the nonce goes stale.
    let request = request(&auth);
    server.nonce = [&server.features.prefix()[..], b"nonce-2"].concat();
    for _ in 0..3 * MAX_CHALLENGES {
        assert_eq!(judge(&mut auth, &request, &server.answer(&request)), Verdict::Retry);
    }
    assert_eq!(exchange(&mut auth, &server), Verdict::Accept);
}
