use machine::Entropy;

use super::{AnswerError, Client, Covered, Login, answer};
use crate::header::{Challenge, name};
use crate::message::{Request, Response};
use crate::method::Method;
use crate::status::Status;

fn login() -> Login {
    Login::new("Mufasa", "Circle of Life")
}

fn covered() -> Covered<'static> {
    Covered { method: "GET", uri: "/dir/index.html", body: b"" }
}

fn challenges(texts: &[&str]) -> Vec<Challenge> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

const MD5: &str = "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=MD5, \
     nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
     opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";

/// RFC 7616 §3.9.1: both challenges, and the answers to each.
#[test]
fn the_first_known_algorithm_is_answered() {
    let sha256 = MD5.replace("=MD5", "=SHA-256");
    let unknown = MD5.replace("=MD5", "=SHA3-512");
    let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
    let respond = |texts: &[&str]| answer(&challenges(texts), &login(), covered(), 1, cnonce);
    let first = respond(&[&unknown, "Basic realm=\"x\"", &sha256, MD5]).unwrap();
    assert_eq!(
        first.get("response").as_deref(),
        Some("753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1")
    );
    assert_eq!(first.get("algorithm").as_deref(), Some("SHA-256"));
    let second = respond(&[MD5]).unwrap();
    assert_eq!(second.get("response").as_deref(), Some("8ca523f5e9506fed4657c9700eebdbec"));
    assert_eq!(second.get("nc").as_deref(), Some("00000001"));
    assert_eq!(
        second.get("opaque").as_deref(),
        Some("FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS")
    );
    assert!(second.to_string().contains("qop=auth, nc=00000001"));
    assert_eq!(respond(&[&unknown]), Err(AnswerError::Unknown));
    assert_eq!(
        respond(&["Digest realm=\"a\", nonce=\"b\", qop=\"magic\""]),
        Err(AnswerError::Unknown)
    );
    assert_eq!(respond(&[]), Err(AnswerError::NoChallenge));
}

#[test]
fn peers_without_qop_get_neither_count_nor_cnonce() {
    let old = challenges(&["Digest realm=\"r\", nonce=\"n\""]);
    let credentials = answer(&old, &login(), covered(), 1, "c").unwrap();
    for absent in ["qop", "nc", "cnonce", "algorithm", "opaque"] {
        assert_eq!(credentials.get(absent), None, "{absent}");
    }
    let session = challenges(&["Digest realm=\"r\", nonce=\"n\", algorithm=MD5-sess"]);
    let credentials = answer(&session, &login(), covered(), 1, "c").unwrap();
    assert_eq!(credentials.get("cnonce").as_deref(), Some("c"));
}

fn register() -> Request {
    Request::new(Method::Register, "sip:example.org".parse().unwrap())
}

fn challenged(realms: &[(&str, &str, bool)]) -> Response {
    realms.iter().fold(Response::new(Status::UNAUTHORIZED), |response, (realm, nonce, stale)| {
        let text =
            format!("Digest realm=\"{realm}\", nonce=\"{nonce}\", qop=\"auth\", stale={stale}");
        response.with_header(name::WWW_AUTHENTICATE, text)
    })
}

#[test]
fn a_client_counts_and_gives_up() {
    let mut client = Client::new(login(), Entropy::seeded(1));
    let mut request = register();
    assert_eq!(
        client.handle_challenge(&request, &Response::new(Status::UNAUTHORIZED)),
        Err(AnswerError::NoChallenge)
    );
    assert_eq!(client.handle_challenge(&request, &challenged(&[("r", "1", false)])), Ok(()));
    client.authorize(&mut request);
    client.authorize(&mut request);
    let sent = request.headers.credentials(name::AUTHORIZATION);
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].get("nc").as_deref(), Some("00000002"));
    assert_eq!(
        client.handle_challenge(&request, &challenged(&[("r", "2", false)])),
        Err(AnswerError::Refused)
    );
    assert_eq!(client.handle_challenge(&request, &challenged(&[("r", "3", true)])), Ok(()));
    client.authorize(&mut request);
    client.handle_success(&Response::new(Status::OK));
    // That nonce was good; a server may forget it without saying so.
    assert_eq!(client.handle_challenge(&request, &challenged(&[("r", "4", false)])), Ok(()));
    client.authorize(&mut request);
    assert_eq!(
        client.handle_challenge(&request, &challenged(&[("r", "5", false)])),
        Err(AnswerError::Refused)
    );
}

#[test]
fn realms_stand_side_by_side_up_to_a_limit() {
    let mut client = Client::new(login(), Entropy::seeded(1));
    let mut request = register();
    client
        .handle_challenge(
            &request,
            &challenged(&[("a", "1", false), ("b", "2", false), ("a", "3", false)]),
        )
        .unwrap();
    client.authorize(&mut request);
    let nonces: Vec<_> = request
        .headers
        .credentials(name::AUTHORIZATION)
        .iter()
        .map(|c| c.get("nonce").unwrap().into_owned())
        .collect();
    assert_eq!(nonces, ["1", "2"]);
    for n in 0..100 {
        let realm = format!("realm {n}");
        client.handle_challenge(&register(), &challenged(&[(&realm, "n", false)])).unwrap();
    }
    client.authorize(&mut request);
    let answers = request.headers.credentials(name::AUTHORIZATION).len();
    assert_eq!(answers, crate::defaults::AUTH_REALMS);
}

#[test]
fn the_next_nonce_is_taken() {
    let mut client = Client::new(login(), Entropy::seeded(1));
    let mut request = register();
    client.handle_challenge(&request, &challenged(&[("r", "1", false)])).unwrap();
    client.authorize(&mut request);
    let ok = Response::new(Status::OK)
        .with_header(name::AUTHENTICATION_INFO, "nextnonce=\"2\", qop=auth");
    client.handle_success(&ok);
    client.authorize(&mut request);
    let sent = request.headers.credentials(name::AUTHORIZATION);
    assert_eq!(sent[0].get("nonce").as_deref(), Some("2"));
    assert_eq!(sent[0].get("nc").as_deref(), Some("00000001"));
}

#[test]
fn the_registrars_challenge_is_answered_to_the_registrar_alone() {
    let mut client = Client::new(login(), Entropy::seeded(1));
    client.handle_challenge(&register(), &challenged(&[("r", "1", false)])).unwrap();
    let mut invite = Request::new(Method::Invite, "sip:bob@elsewhere.test".parse().unwrap());
    client.authorize(&mut invite);
    assert!(invite.headers.credentials(name::AUTHORIZATION).is_empty());
    let mut refresh = register();
    client.authorize(&mut refresh);
    assert_eq!(refresh.headers.credentials(name::AUTHORIZATION).len(), 1);
}
