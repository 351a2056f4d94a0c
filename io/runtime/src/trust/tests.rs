//! Handshakes of rustls in memory, and the text of pins.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{
    ClientConfig, ClientConnection, ServerConfig, ServerConnection, SupportedProtocolVersion,
    version,
};

use super::{BadPin, Pin, Refused, Roots, Trust, Verifier};
use crate::tls::{provider, tls_kind};

const NAME: &str = "core.example.org";

#[test]
fn pins_are_written_and_read() {
    let pin = Pin::new("Core.Example.org.", b"a certificate").unwrap();
    assert_eq!(pin.host(), NAME);
    let text = pin.to_string();
    assert_eq!(text.parse(), Ok(pin.clone()));
    let (host, digits) = text.split_once(" sha256:").unwrap();
    let pairs: Vec<&str> = (0..32).map(|at| &digits[2 * at..][..2]).collect();
    let openssl = format!("{host}\tSHA256:{}", pairs.join(":").to_uppercase());
    assert_eq!(openssl.parse(), Ok(pin));
    let address = format!("2001:DB8::1 sha256:{digits}").parse::<Pin>().unwrap();
    assert_eq!(address.host(), "2001:db8::1");
}

#[test]
fn what_is_no_pin_is_told() {
    let read = |text: &str| text.parse::<Pin>().unwrap_err();
    assert_eq!(read(NAME), BadPin::Form);
    assert_eq!(read("a b c"), BadPin::Form);
    assert_eq!(read("core..org sha256:00"), BadPin::Host);
    for print in ["sha1:00", "sha256:00", "sha256:", "é", &format!("sha256:{}", "0".repeat(65))] {
        assert_eq!(read(&format!("{NAME} {print}")), BadPin::Fingerprint, "{print}");
    }
}

#[test]
fn a_refusal_has_the_pin_in_it() {
    let pin = Pin::new(NAME, b"x").unwrap();
    let refused = Refused { pin: pin.clone(), why: "no (sha256:00)".to_owned() };
    assert_eq!(Pin::for_refusal(&format!("failed: {refused} and so on")), Some(pin));
    assert_eq!(Pin::for_refusal("the certificate shown for x (sha256:12) is refused"), None);
    assert_eq!(Pin::for_refusal("expired"), None);
}

/// A server: what it shows and the key that it has.
struct Peer {
    chain: Vec<Vec<u8>>,
    key: Vec<u8>,
}

/// An authority, and what a test makes of the certificates that it signs.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    der: Vec<u8>,
}

impl Authority {
    fn new() -> Self {
        Self::named("an authority")
    }

    fn named(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let der = params.self_signed(&key).unwrap().der().to_vec();
        Self { issuer: Issuer::new(params, key), der }
    }

    /// A server that shows its own certificate and the authority's.
    fn peer(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Peer {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        change(&mut params);
        let der = params.signed_by(&key, &self.issuer).unwrap().der().to_vec();
        Peer { chain: vec![der, self.der.clone()], key: key.serialize_der() }
    }
}

/// One that vouches for itself, as `openssl req -x509` makes it: an authority too.
fn self_signed(name: &str) -> Peer {
    self_signed_but(name, |_| {})
}

fn self_signed_but(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Peer {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    change(&mut params);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let der = params.self_signed(&key).unwrap().der().to_vec();
    Peer { chain: vec![der], key: key.serialize_der() }
}

fn expired(params: &mut CertificateParams) {
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
}

/// Shows a certificate whatever the key.
#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesServerCert for Always {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

/// What the client says of the server in a handshake.
fn handshake(
    peer: &Peer,
    roots: &Roots,
    of: &'static SupportedProtocolVersion,
) -> Result<(), String> {
    let verifier = Verifier::new(roots)?;
    let client = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[of])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(peer.key.clone()));
    let key = provider().key_provider.load_private_key(key).unwrap();
    let chain = peer.chain.iter().cloned().map(CertificateDer::from).collect();
    let shown = Always(Arc::new(CertifiedKey::new(chain, key)));
    let server = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[of])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(shown));
    let name = ServerName::try_from(NAME).unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
    let mut server = ServerConnection::new(Arc::new(server)).unwrap();
    while client.is_handshaking() || server.is_handshaking() {
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).unwrap();
        server.read_tls(&mut &bytes[..]).unwrap();
        server.process_new_packets().map_err(|error| format!("server: {error}"))?;
        bytes.clear();
        server.write_tls(&mut bytes).unwrap();
        client.read_tls(&mut &bytes[..]).unwrap();
        client.process_new_packets().map_err(|error| format!("{:?}", tls_kind(&error)))?;
    }
    Ok(())
}

/// The same in both versions of TLS, which must agree.
fn judge(peer: &Peer, roots: &Roots) -> Result<(), String> {
    let newer = handshake(peer, roots, &version::TLS13);
    assert_eq!(newer, handshake(peer, roots, &version::TLS12));
    newer
}

fn pinned(host: &str, der: &[u8]) -> Roots {
    let pins = vec![Pin::new(host, der).unwrap()];
    Roots::SystemAnd(Trust { anchors: Vec::new(), pins })
}

#[test]
fn a_pinned_certificate_is_accepted_whatever_it_says() {
    let authority = Authority::new();
    let peers = [
        self_signed(NAME),
        self_signed("another.example.org"),
        authority.peer(NAME, |_| {}),
        authority.peer("another.example.org", expired),
    ];
    for peer in &peers {
        assert_eq!(judge(peer, &pinned(NAME, &peer.chain[0])), Ok(()));
        // For that name alone.
        judge(peer, &pinned("another.example.org", &peer.chain[0])).unwrap_err();
    }
}

#[test]
fn who_has_not_the_key_of_a_pinned_certificate_is_refused() {
    let (peer, stranger) = (self_signed(NAME), self_signed(NAME));
    let thief = Peer { chain: peer.chain.clone(), key: stranger.key };
    let roots = pinned(NAME, &peer.chain[0]);
    let refused = judge(&thief, &roots).unwrap_err();
    assert!(refused.contains("BadSignature"), "{refused}");
}

#[test]
fn a_pinned_authority_vouches_for_names_and_dates() {
    let authority = Authority::new();
    let roots = pinned(NAME, &authority.der);
    assert_eq!(judge(&authority.peer(NAME, |_| {}), &roots), Ok(()));
    let other = judge(&authority.peer("another.example.org", |_| {}), &roots).unwrap_err();
    assert!(other.contains("it is for another.example.org"), "{other}");
    let late = judge(&authority.peer(NAME, expired), &roots).unwrap_err();
    assert!(late.contains("it expired") && late.contains("days ago"), "{late}");
    // It is shown, and has signed nothing.
    let liar = self_signed(NAME);
    let liar = Peer { chain: vec![liar.chain[0].clone(), authority.der.clone()], key: liar.key };
    judge(&liar, &roots).unwrap_err();
}

#[test]
fn a_pinned_name_takes_nothing_else() {
    let authority = Authority::new();
    let trust = Trust {
        anchors: vec![authority.der.clone()],
        pins: vec![Pin::new(NAME, b"another certificate").unwrap()],
    };
    let peer = authority.peer(NAME, |_| {});
    let refused = judge(&peer, &Roots::SystemAnd(trust.clone())).unwrap_err();
    assert!(refused.contains("another one is pinned"), "{refused}");
    // One of several is enough.
    let mut both = trust;
    both.pins.push(Pin::new(NAME, &peer.chain[0]).unwrap());
    assert_eq!(judge(&peer, &Roots::SystemAnd(both)), Ok(()));
}

#[test]
fn a_private_authority_is_one_more() {
    let authority = Authority::new();
    let peer = authority.peer(NAME, |_| {});
    let trust = Trust { anchors: vec![authority.der.clone()], pins: Vec::new() };
    assert_eq!(judge(&peer, &Roots::SystemAnd(trust)), Ok(()));
    let trust = Trust { anchors: vec![Authority::named("another").der], pins: Vec::new() };
    let refused = judge(&peer, &Roots::SystemAnd(trust)).unwrap_err();
    assert!(refused.contains("no authority that is trusted here"), "{refused}");
    assert_eq!(Pin::for_refusal(&refused), Some(Pin::new(NAME, &peer.chain[0]).unwrap()));
}

#[test]
fn why_is_told_in_words() {
    let authority = Authority::new();
    let roots = Roots::Only(vec![authority.der.clone()]);
    let later = |params: &mut CertificateParams| params.not_before = date_time_ymd(4000, 1, 1);
    let own = self_signed(NAME);
    for (peer, roots, words) in [
        (authority.peer("a.example.org", |_| {}), &roots, "it is for a.example.org"),
        (authority.peer(NAME, later), &roots, "is this machine's clock right?"),
        (Authority::named("b").peer(NAME, |_| {}), &roots, "no authority that is trusted here"),
        (own, &Roots::Only(vec![]), "no certificate authority is trusted"),
    ] {
        let refused = judge(&peer, roots).unwrap_err();
        assert!(refused.contains(words), "{refused}");
    }
    let own = self_signed(NAME);
    let refused = judge(&own, &Roots::Only(own.chain.clone())).unwrap_err();
    assert!(refused.contains("it is made as an authority's"), "{refused}");
}

#[test]
fn a_certificate_that_is_trusted_in_whole_vouches_for_its_names() {
    let trusting =
        |peer: &Peer| Roots::SystemAnd(Trust { anchors: peer.chain.clone(), pins: Vec::new() });
    let own = self_signed(NAME);
    assert_eq!(judge(&own, &trusting(&own)), Ok(()));
    // For its names, in its time, and for who has its key.
    let other = self_signed("another.example.org");
    let refused = judge(&other, &trusting(&other)).unwrap_err();
    assert!(refused.contains("it is for another.example.org"), "{refused}");
    let late = self_signed_but(NAME, expired);
    let refused = judge(&late, &trusting(&late)).unwrap_err();
    assert!(refused.contains("it expired"), "{refused}");
    let thief = Peer { chain: own.chain.clone(), key: other.key };
    let refused = judge(&thief, &trusting(&own)).unwrap_err();
    assert!(refused.contains("BadSignature"), "{refused}");
    // One that is not the same, or is pinned otherwise, is refused as before.
    judge(&self_signed(NAME), &trusting(&own)).unwrap_err();
    let pins = vec![Pin::new(NAME, b"another certificate").unwrap()];
    judge(&own, &Roots::SystemAnd(Trust { anchors: own.chain.clone(), pins })).unwrap_err();
}
