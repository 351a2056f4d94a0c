//! Whatever is refused is refused with the right status, and the core serves on.

use netsim::Preset;

use crate::lab::{CORE, Lab, first_line};
use wayleave_server::{Config, Keys, Question};

/// A request of the stranger's, from parts that tests vary.
struct Draft {
    method: &'static str,
    uri: String,
    from: &'static str,
    number: u32,
    more: String,
    body: String,
}

impl Draft {
    fn new(method: &'static str, uri: &str) -> Self {
        let from = "sip:mallory@elsewhere.example";
        Self {
            method,
            uri: uri.to_owned(),
            from,
            number: 1,
            more: String::new(),
            body: String::new(),
        }
    }

    fn with(mut self, header: &str) -> Self {
        self.more += header;
        self.more += "\n";
        self
    }

    fn text(&self, transport: &str) -> String {
        let Self { method, uri, from, number, more, body } = self;
        let max = if more.contains("Max-Forwards") { "" } else { "Max-Forwards: 70\n" };
        format!(
            "{method} {uri} SIP/2.0\n\
             Via: SIP/2.0/{transport} 192.0.2.66:5090;branch=z9hG4bK{method}{number};rport\n\
             {max}From: <{from}>;tag=f\nTo: <{uri}>\nCall-ID: c\nCSeq: {number} {method}\n\
             Contact: <sip:m@192.0.2.66:5090>\n{more}Content-Length: {}\n\n{body}",
            body.len()
        )
    }

    fn udp(&self, lab: &mut Lab) -> String {
        answer(&lab.say(&self.text("UDP")))
    }
}

/// The final response among what came, each once.
fn answer(got: &[String]) -> String {
    let last = got.iter().rfind(|text| !text.starts_with("SIP/2.0 1"));
    last.cloned().unwrap_or_default()
}

fn assert_refused(draft: &Draft, status: &str) {
    let mut lab = Lab::new(1);
    let response = draft.udp(&mut lab);
    assert_eq!(first_line(&response), format!("SIP/2.0 {status}"), "{}", draft.text("UDP"));
    lab.assert_serves();
    lab.assert_replays();
}

#[test]
fn a_stranger_calls() {
    assert_refused(
        &Draft::new("INVITE", "sip:bob@example.org"),
        "407 Proxy Authentication Required",
    );
}

#[test]
fn a_stranger_calls_nobody() {
    // No word about who exists to whoever has not proven who it is.
    assert_refused(
        &Draft::new("INVITE", "sip:nobody@example.org"),
        "407 Proxy Authentication Required",
    );
}

#[test]
fn another_domain() {
    assert_refused(&Draft::new("INVITE", "sip:bob@elsewhere.example"), "403 Forbidden");
    assert_refused(&Draft::new("REGISTER", "sip:elsewhere.example"), "403 Forbidden");
}

#[test]
fn a_relay_by_route() {
    let draft = Draft::new("INVITE", "sip:bob@example.org")
        .with("Route: <sip:example.org;lr>, <sip:192.0.2.99;lr>");
    assert_refused(&draft, "403 Forbidden");
}

#[test]
fn too_many_hops() {
    let draft = Draft::new("INVITE", "sip:bob@example.org").with("Max-Forwards: 0");
    assert_refused(&draft, "483 Too Many Hops");
}

#[test]
fn an_unknown_method() {
    assert_refused(&Draft::new("FROBNICATE", "sip:bob@example.org"), "405 Method Not Allowed");
    assert_refused(&Draft::new("INVITE", "sip:example.org"), "405 Method Not Allowed");
}

#[test]
fn an_unknown_extension() {
    let draft = Draft::new("REGISTER", "sip:example.org").with("Require: teleport");
    assert_refused(&draft, "420 Bad Extension");
    let draft = Draft::new("INVITE", "sip:bob@example.org").with("Proxy-Require: teleport");
    assert_refused(&draft, "420 Bad Extension");
}

#[test]
fn an_unknown_scheme() {
    assert_refused(&Draft::new("OPTIONS", "tel:+33123"), "416 Unsupported URI Scheme");
    assert_refused(&Draft::new("OPTIONS", "sips:bob@example.org"), "416 Unsupported URI Scheme");
}

#[test]
fn a_broken_message() {
    let mut lab = Lab::new(1);
    let text = Draft::new("OPTIONS", "sip:example.org").text("UDP");
    let broken = text.replace("CSeq: 1 OPTIONS", "CSeq: one OPTIONS");
    assert!(answer(&lab.say(&broken)).starts_with("SIP/2.0 400 "));
    // Nothing is owed for what has no way back, or is no SIP.
    assert!(lab.say(&text.replace("Via: ", "Vie: ")).is_empty());
    assert!(lab.say("GET / HTTP/1.1\nHost: example.org\n\n").is_empty());
    assert!(lab.say_to(&format!("{CORE}:5060"), &[0xff; 100]).is_empty());
    assert!(lab.say_to(&format!("{CORE}:5060"), &[]).is_empty());
    assert!(lab.say_to(&format!("{CORE}:3478"), b"hello").is_empty());
    lab.assert_serves();
    lab.assert_replays();
}

#[test]
fn too_large() {
    let mut lab = Lab::new(1);
    let mut draft = Draft::new("MESSAGE", "sip:bob@example.org");
    draft.body = "x".repeat(100_000);
    let response = answer(&lab.say_over_tcp(&draft.text("TCP")));
    assert_eq!(first_line(&response), "SIP/2.0 513 Message Too Large");
    lab.assert_serves();
    lab.assert_replays();
}

#[test]
fn an_ack_from_nowhere_is_dropped() {
    let mut lab = Lab::new(1);
    assert_eq!(Draft::new("ACK", "sip:bob@example.org").udp(&mut lab), "");
    let bye = Draft::new("BYE", "sip:bob@example.org").udp(&mut lab);
    assert!(bye.starts_with("SIP/2.0 407"));
    let cancel = Draft::new("CANCEL", "sip:bob@example.org").udp(&mut lab);
    assert!(cancel.starts_with("SIP/2.0 481"));
    lab.assert_serves();
}

#[test]
fn options_of_the_core_itself() {
    let mut lab = Lab::new(1);
    let response = Draft::new("OPTIONS", "sip:example.org").udp(&mut lab);
    assert_eq!(first_line(&response), "SIP/2.0 200 OK");
    let response = Draft::new("OPTIONS", &format!("sip:{CORE}")).udp(&mut lab);
    assert_eq!(first_line(&response), "SIP/2.0 200 OK");
}

/// What stands in quotes after `name=`.
fn quoted<'a>(text: &'a str, name: &str) -> &'a str {
    let start = text.find(&format!("{name}=\"")).unwrap() + name.len() + 2;
    text[start..].split('"').next().unwrap()
}

/// The answer to a REGISTER of `user` that proves to know `password`.
fn prove(lab: &mut Lab, user: &str, password: &str) -> String {
    let mut draft = Draft::new("REGISTER", "sip:example.org");
    draft.from = "sip:x@example.org";
    let first = draft.udp(lab);
    let nonce = quoted(&first, "nonce");
    let Keys { md5: ha1, .. } = Keys::derive(user, "example.org", password);
    let md5 = |text: &str| crypto::to_hex(&crypto::md5(&[text.as_bytes()]));
    let ha2 = md5("REGISTER:sip:example.org");
    let response = md5(&format!("{ha1}:{nonce}:00000001:c:auth:{ha2}"));
    draft.number = 2;
    let draft = draft.with(&format!(
        "Authorization: Digest username=\"{user}\", realm=\"example.org\", nonce=\"{nonce}\", \
         uri=\"sip:example.org\", response=\"{response}\", algorithm=MD5, cnonce=\"c\", \
         qop=auth, nc=00000001"
    ));
    draft.udp(lab)
}

/// A REGISTER of `user` with `password` as far as the second answer, nonces taken out.
fn second_answer(user: &str, password: &str) -> String {
    let mut lab = Lab::new(1);
    let second = prove(&mut lab, user, password);
    assert!(second.starts_with("SIP/2.0 401"), "{second}");
    assert_eq!(lab.server().stats().wrong_proofs, 1);
    let nonce = quoted(&second, "nonce").to_owned();
    lab.assert_serves();
    second.replace(&nonce, "NONCE")
}

#[test]
fn a_wrong_password_and_an_unknown_user_look_the_same() {
    let wrong = second_answer("alice", "guess");
    let unknown = second_answer("nobody", "guess");
    assert_eq!(wrong, unknown);
    assert!(!wrong.contains("stale"));
}

#[test]
fn what_waits_for_keys_is_limited() {
    let config = Config { waiting_bytes: 0, ..Config::new("example.org", [CORE.parse().unwrap()]) };
    let mut lab = Lab::with(1, config, std::collections::BTreeMap::new());
    let refused = prove(&mut lab, "alice", "guess");
    assert!(refused.starts_with("SIP/2.0 503"), "{refused}");
    assert!(refused.contains("Retry-After: "), "{refused}");
    assert!(!lab.asked.iter().any(|question| matches!(question, Question::Credentials { .. })));
}

#[test]
fn nobody_registers_or_calls_under_another_name() {
    let mut lab = Lab::new(1);
    let alice = lab.registered(1, "alice", Preset::Open);
    let bob: sip::Uri = "sip:bob@example.org".parse().unwrap();
    // The account says bob, the credentials are Alice's.
    let (host, account) = {
        let (host, _) = alice;
        let mut account = sip::ua::Account::new(bob.as_sip().unwrap().clone(), "alice's secret");
        account.login = sip::auth::Login::new("alice", "alice's secret".as_bytes().to_vec());
        account.server = Some(format!("sip:{CORE}").parse().unwrap());
        (host, lab.on(host, move |agent, _| agent.add_account(account.clone())))
    };
    lab.on(host, |agent, now| agent.register(now, account));
    lab.run(crate::lab::SEC);
    let refused = lab.phone_said(host).into_iter().any(|event| {
        matches!(
            event,
            sip::ua::Event::RegistrationFailed {
                reason: sip::ua::Reason::Refused { status: sip::Status::FORBIDDEN, .. },
                ..
            }
        )
    });
    assert!(refused);
    lab.assert_serves();
}

#[test]
fn refusals_are_counted() {
    let mut lab = Lab::new(1);
    Draft::new("INVITE", "sip:bob@elsewhere.example").udp(&mut lab);
    let mut second = Draft::new("INVITE", "sip:bob@example.org");
    second.number = 2;
    second.udp(&mut lab);
    let stats = lab.server().stats();
    assert_eq!(stats.refusals.get(&403), Some(&1));
    assert_eq!(stats.challenges, 1);
}

#[test]
fn a_stranger_leaves_nothing_behind_and_gets_no_more_than_it_sends() {
    let mut lab = Lab::new(1);
    for method in ["INVITE", "REGISTER", "OPTIONS", "MESSAGE"] {
        let uri = if method == "REGISTER" { "sip:example.org" } else { "sip:bob@example.org" };
        let text = Draft::new(method, uri).text("UDP");
        for _ in 0..3 {
            assert_eq!(lab.say(&text).len(), 1, "{method}");
        }
    }
    lab.run(crate::lab::SEC * 2);
    let stats = lab.server().stats();
    assert_eq!((stats.sip.servers, stats.questions, stats.challenges), (0, 0, 12));
    assert_eq!(stats.sip.sent, 12);
}
