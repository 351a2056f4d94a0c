//! What a server's stream refuses, and in which words (RFC 6120 §4.9.3, §6.5).

use proptest::collection::vec;
use proptest::prelude::*;

use super::script::{BIND, HEADER, Script, plain};
use super::{PASSWORD, server_config};
use crate::sasl::base64;
use crate::stream::server::{Action, End, Entry, Limits, Refusal};
use crate::{defaults, xml};

const STARTTLS: &str = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";

fn auth(mechanism: &str, payload: &str) -> String {
    format!(
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='{mechanism}'>{payload}</auth>"
    )
}

fn response(payload: &str) -> String {
    format!("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{payload}</response>")
}

fn failure(condition: &str) -> String {
    format!("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><{condition}/></failure>")
}

fn message(attributes: &str) -> String {
    format!("<message to='bob@example.org'{attributes}><body>hi</body></message>")
}

#[test]
fn a_wrong_password_and_nobody_get_the_same_bytes_for_the_same_work() {
    // PLAIN: one derivation each.
    let tried = |user: &str, password: &str| {
        let mut script = Script::offered();
        let heard = script.says(&plain(user, password));
        (heard, script.said.clone(), script.stream.derivations())
    };
    let wrong = tried("alice", "wrong");
    assert_eq!(wrong.0, failure("not-authorized"));
    assert_eq!(wrong.2, 1);
    assert_eq!(wrong, tried("nobody", PASSWORD));
    // SCRAM: none, and a salt that stays the same for each name.
    let challenged = |user: &str| {
        let mut script = Script::offered();
        let first = base64::encode(format!("n,,n={user},r=0123456789abcdef").as_bytes());
        let heard = script.says(&auth("SCRAM-SHA-256", &first));
        let challenge = heard.split(['>', '<']).nth(2).unwrap().to_owned();
        let challenge = String::from_utf8(base64::decode(&challenge).unwrap()).unwrap();
        let (nonce, salt) = challenge.split_once(",s=").unwrap();
        let proof = base64::encode(&[0; 32]);
        let last = base64::encode(format!("c=biws,{nonce},p={proof}").as_bytes());
        let heard = script.says(&response(&last));
        let derivations = script.stream.derivations();
        ((heard, script.said.clone(), derivations, challenge.len()), salt.to_owned())
    };
    let (known, known_salt) = challenged("alice");
    let (unknown, unknown_salt) = challenged("nobody");
    assert_eq!(known.0, failure("not-authorized"));
    assert_eq!(known.2, 0);
    assert_eq!(known, unknown);
    assert_eq!(known_salt.len(), unknown_salt.len());
    assert_eq!(challenged("nobody").1, unknown_salt);
    assert_ne!(challenged("somebody").1, unknown_salt);
}

#[test]
fn a_few_attempts_and_no_more() {
    let mut script = Script::offered();
    for attempt in 1..=defaults::ATTEMPTS {
        let heard = script.says(&plain("alice", "wrong"));
        assert!(heard.starts_with(&failure("not-authorized")));
        assert_eq!(heard.contains("<policy-violation"), attempt == defaults::ATTEMPTS);
    }
    assert!(matches!(script.said.last(), Some(Action::Closed(End::Refused(_)))));
    // One that comes right in time is well.
    let mut script = Script::offered();
    script.says(&plain("alice", "wrong"));
    assert!(script.says(&plain("alice", PASSWORD)).starts_with("<success"));
}

#[test]
fn sasl_that_is_none() {
    let scram = |text: &str| auth("SCRAM-SHA-256", &base64::encode(text.as_bytes()));
    let authzid = base64::encode(format!("bob@example.org\0alice\0{PASSWORD}").as_bytes());
    for (said, condition) in [
        (auth("EXTERNAL", "="), "invalid-mechanism"),
        (auth("PLAIN", "!!!"), "incorrect-encoding"),
        (auth("PLAIN", "="), "malformed-request"),
        (auth("PLAIN", &base64::encode(b"alice")), "malformed-request"),
        (auth("PLAIN", &authzid), "invalid-authzid"),
        (scram("alice"), "malformed-request"),
        (scram("n,,n=alice,r="), "malformed-request"),
        (scram("p=tls-exporter,,n=alice,r=0123456789abcdef"), "malformed-request"),
        (scram("y,,n=alice,r=0123456789abcdef"), "not-authorized"),
        (scram("n,a=bob@example.org,n=alice,r=0123456789abcdef"), "invalid-authzid"),
        (plain("a@b", PASSWORD), "not-authorized"),
    ] {
        let mut script = Script::offered();
        assert_eq!(script.says(&said), failure(condition), "{said}");
        assert!(matches!(script.said[..], [Action::Refused(_)]), "{said}");
        assert!(script.says(&plain("alice", PASSWORD)).starts_with("<success"));
    }
    // In the middle of an exchange.
    for (said, condition) in [
        (response("!!!"), "incorrect-encoding"),
        (response("biws"), "malformed-request"),
        (response(""), "malformed-request"),
        ("<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>".to_owned(), "aborted"),
    ] {
        let mut script = Script::offered();
        assert!(script.says(&scram("n,,n=alice,r=0123456789abcdef")).starts_with("<challenge"));
        assert_eq!(script.says(&said), failure(condition), "{said}");
    }
    // A client that waits to be asked, and one that acts as itself.
    let mut script = Script::offered();
    assert!(script.says(&auth("PLAIN", "")).starts_with("<challenge"));
    let own = base64::encode(format!("alice@example.org\0alice\0{PASSWORD}").as_bytes());
    assert!(script.says(&response(&own)).starts_with("<success"));
}

#[test]
fn nobody_logs_in_without_tls() {
    let mut script = Script::new(Entry::StartTls);
    let heard = script.says(HEADER);
    assert!(heard.contains("<required/>") && !heard.contains("mechanism"), "{heard}");
    assert_eq!(script.says(&plain("alice", PASSWORD)), failure("encryption-required"));
    assert_eq!(script.stream.derivations(), 0);
    assert_eq!(script.says(STARTTLS), "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    assert_eq!(script.said.last(), Some(&Action::StartTls));
}

#[test]
fn stanzas_before_authentication() {
    let stages: [fn() -> Script; 4] = [
        || {
            let mut script = Script::new(Entry::StartTls);
            script.says(HEADER);
            script
        },
        Script::offered,
        || {
            let mut script = Script::offered();
            let first = base64::encode(b"n,,n=alice,r=0123456789abcdef");
            script.says(&auth("SCRAM-SHA-256", &first));
            script
        },
        || {
            let mut script = Script::offered();
            script.says(&plain("alice", PASSWORD));
            script.says(HEADER);
            script.said.clear();
            script
        },
    ];
    for (n, stage) in stages.iter().enumerate() {
        for said in [message(""), "<presence/>".to_owned(), "<r xmlns='urn:xmpp:sm:3'/>".to_owned()]
        {
            let mut script = stage();
            let heard = script.says(&said);
            assert_eq!(script.stanzas(), 0, "{n} {said}");
            script.is_refused(&heard, Refusal::Unauthenticated, "not-authorized");
        }
    }
    // A request to bind before there is anybody to bind.
    let mut script = Script::offered();
    let heard = script.says(BIND);
    script.is_refused(&heard, Refusal::Unauthenticated, "not-authorized");
}

#[test]
fn between_authentication_and_binding() {
    let mut script = Script::offered();
    script.says(&plain("alice", PASSWORD));
    script.says(HEADER);
    //= RFC 6120 §7.1: a request to the server itself may come; it is not answered well
    let ping = "<iq id='p' type='get'><ping xmlns='urn:xmpp:ping'/></iq>";
    let heard = script.says(ping);
    assert!(heard.contains("type='error'") && heard.contains("<not-authorized"), "{heard}");
    //= RFC 6120 §7.7.2.1: no resource that is none
    let long = "x".repeat(1024);
    let bad = BIND.replace("bind'/>", &format!("bind'><resource>{long}</resource></bind>"));
    let heard = script.says(&bad);
    assert!(heard.contains("id='b'") && heard.contains("<bad-request"), "{heard}");
    let heard = script.says(&BIND.replace("bind'/>", "bind'><resource>desk</resource></bind>"));
    assert!(heard.contains("<jid>alice@example.org/desk</jid>"), "{heard}");
}

#[test]
fn a_spoofed_from() {
    for from in ["bob@example.org", "alice@example.org/y", "example.org", "alice@example.com/x"] {
        let mut script = Script::bound();
        let heard = script.says(&message(&format!(" from='{from}'")));
        assert_eq!(script.stanzas(), 0);
        script.is_refused(&heard, Refusal::SpoofedFrom, "invalid-from");
    }
    let mut script = Script::bound();
    for from in ["", " from='alice@example.org'", " from='Alice@EXAMPLE.org/x'"] {
        script.says(&message(from));
        match script.said.pop() {
            Some(Action::Stanza(stanza)) => {
                assert_eq!(stanza.from().unwrap().as_str(), "alice@example.org/x");
            }
            other => panic!("{other:?}"),
        }
    }
    // In the header of whoever is authenticated.
    let mut script = Script::offered();
    script.says(&plain("alice", PASSWORD));
    script.said.clear();
    let heard = script.says(&HEADER.replace(" to=", " from='bob@example.org' to="));
    script.is_refused(&heard, Refusal::BadHeader, "invalid-from");
}

#[test]
fn plaintext_after_starttls() {
    for after in ["<auth/>", " ", HEADER, "\x16\x03\x01"] {
        let mut script = Script::new(Entry::StartTls);
        script.says(HEADER);
        let heard = script.says(&format!("{STARTTLS}{after}"));
        assert!(!heard.contains("<proceed"));
        script.is_refused(&heard, Refusal::PlaintextAfterStartTls, "policy-violation");
    }
    // In a packet of its own, before TLS stands.
    let mut script = Script::new(Entry::StartTls);
    script.says(HEADER);
    script.says(STARTTLS);
    assert_eq!(script.says(HEADER), "");
    assert!(script.said.contains(&Action::Refused(Refusal::PlaintextAfterStartTls)));
    assert!(matches!(script.said.last(), Some(Action::Closed(End::Refused(_)))));
    // Once more, under TLS.
    let mut script = Script::offered();
    let heard = script.says(STARTTLS);
    assert_eq!(heard, "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>");
}

#[test]
fn a_second_header() {
    for mut script in [Script::offered(), Script::bound()] {
        let heard = script.says(&HEADER.replace("<?xml version='1.0'?>", ""));
        script.is_refused(&heard, Refusal::OutOfPlace, "unsupported-stanza-type");
    }
    for mut script in [Script::offered(), Script::bound()] {
        let heard = script.says(HEADER);
        script.is_refused(&heard, Refusal::BadXml, "restricted-xml");
    }
}

#[test]
fn headers_for_somebody_else() {
    let to = |to: &str| HEADER.replace("example.org'", &format!("{to}'"));
    for (header, refusal, condition) in [
        (to("example.com"), Refusal::BadHeader, "host-unknown"),
        (to(""), Refusal::BadHeader, "host-unknown"),
        (HEADER.replace(" to='example.org'", ""), Refusal::BadHeader, "improper-addressing"),
        (
            HEADER.replace(" version='1.0' xmlns=", " xmlns="),
            Refusal::BadHeader,
            "unsupported-version",
        ),
        (HEADER.replace("'1.0' xmlns=", "'0.9' xmlns="), Refusal::BadHeader, "unsupported-version"),
        (
            HEADER.replace("etherx.jabber.org", "example.org"),
            Refusal::BadHeader,
            "invalid-namespace",
        ),
        ("<stream:stream>".to_owned(), Refusal::BadXml, "bad-namespace-prefix"),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), Refusal::BadXml, "not-well-formed"),
    ] {
        let mut script = Script::new(Entry::StartTls);
        let heard = script.says(&header);
        //= RFC 6120 §4.9.1.2: our header comes first, then the error
        assert!(heard.starts_with("<?xml version='1.0'?><stream:stream "), "{heard}");
        assert!(heard.contains(" from='example.org'") && heard.contains(" id='"), "{heard}");
        script.is_refused(&heard, refusal, condition);
    }
    // A later version, and the domain in capitals.
    let mut script = Script::new(Entry::StartTls);
    let heard = script.says(&to("EXAMPLE.org").replace("'1.0' xmlns=", "'2.3' xmlns="));
    assert!(heard.contains("version='1.0'") && heard.contains("<starttls"), "{heard}");
}

#[test]
fn invalid_utf_8() {
    for mut script in [Script::offered(), Script::bound()] {
        let heard = script.sends(b"<message><body>\xc3\x28</body></message>");
        script.is_refused(&heard, Refusal::BadXml, "unsupported-encoding");
    }
}

#[test]
fn xml_that_streams_do_not_have() {
    for (said, condition) in [
        ("<!-- hello -->", "restricted-xml"),
        ("<!DOCTYPE a [<!ENTITY lol 'lol'>]>", "restricted-xml"),
        ("<message><body>&lol;</body></message>", "restricted-xml"),
        ("<?php ?>", "restricted-xml"),
        ("<message></presence>", "not-well-formed"),
        ("<x:message/>", "bad-namespace-prefix"),
        ("hello", "bad-format"),
    ] {
        let mut script = Script::bound();
        let heard = script.says(&format!("{said}<presence/>"));
        script.is_refused(&heard, Refusal::BadXml, condition);
    }
    let mut script = Script::bound();
    let heard = script.says("<message xmlns='jabber:server'/>");
    script.is_refused(&heard, Refusal::OutOfPlace, "unsupported-stanza-type");
}

#[test]
fn depth_and_size_bombs() {
    let depth = "<a>".repeat(defaults::DEPTH + 1);
    let size = "x".repeat(defaults::STANZA_BYTES);
    let elements = "<a/>".repeat(defaults::ELEMENTS);
    let attributes: String = (0..=defaults::ATTRIBUTES).map(|n| format!(" a{n}=''")).collect();
    for bomb in [
        format!("<message>{depth}"),
        format!("<message><body>{size}"),
        format!("<message>{elements}"),
        format!("<message{attributes}>"),
        format!("<message id='{}'/>", "x".repeat(defaults::TOKEN_BYTES + 1)),
    ] {
        let mut script = Script::bound();
        let heard = script.says(&bomb);
        assert_eq!(script.stanzas(), 0);
        script.is_refused(&heard, Refusal::TooBig, "policy-violation");
    }
    // Before authentication there is less room.
    for bomb in [
        auth("PLAIN", &"A".repeat(defaults::UNAUTHENTICATED_STANZA_BYTES)),
        "<a>".repeat(defaults::UNAUTHENTICATED_DEPTH + 1),
        format!("<auth>{}", "<a/>".repeat(defaults::UNAUTHENTICATED_ELEMENTS)),
    ] {
        let mut script = Script::offered();
        let heard = script.says(&bomb);
        script.is_refused(&heard, Refusal::TooBig, "policy-violation");
    }
    let mut script = Script::new(Entry::StartTls);
    let heard = script.says(&format!("<stream:stream {}", "a='' ".repeat(1000)));
    script.is_refused(&heard, Refusal::TooBig, "policy-violation");
}

#[test]
fn a_flood_is_read_no_faster_than_the_rate() {
    let limits = Limits { stanzas_per_second: 10, burst_secs: 2, ..Limits::default() };
    let mut script =
        Script::bound_with(crate::stream::server::Config { limits, ..server_config() });
    script.waits(10_000);
    script.says(&message("").repeat(50));
    // The burst, and the one that empties it.
    assert_eq!(script.stanzas(), 21);
    assert_eq!(script.said.last(), Some(&Action::Pause(true)));
    let resume = script.stream.poll_timeout().unwrap();
    assert!(
        resume > script.now.mono
            && resume <= script.now.mono + std::time::Duration::from_millis(100)
    );
    script.waits(1000);
    assert!((30..=32).contains(&script.stanzas()), "{}", script.stanzas());
    (0..50).for_each(|_| {
        script.waits(100);
    });
    assert_eq!(script.stanzas(), 50);
    assert_eq!(script.said.last(), Some(&Action::Pause(false)));
    assert_eq!(script.stream.poll_timeout(), None);
    let pauses = script.said.iter().filter(|action| matches!(action, Action::Pause(_))).count();
    assert!(pauses >= 2 && pauses % 2 == 0);
}

#[test]
fn a_flood_that_does_not_stop_is_cut_off() {
    // By stanzas, by bytes, and by white space, which is no stanza.
    for flood in [message(""), format!("<message>{}</message>", "x".repeat(1000)), " ".repeat(1000)]
    {
        let mut script = Script::bound();
        let flood = flood.repeat(1 + 64 * 1024 / flood.len());
        let (mut heard, mut sent) = (String::new(), 0);
        while heard.is_empty() {
            heard = script.says(&flood);
            sent += flood.len();
            let burst = defaults::BYTES_PER_SECOND * defaults::BURST_SECS;
            assert!(sent < 2 * (defaults::UNREAD_BYTES + burst as usize), "it is cut off in time");
        }
        let limit = defaults::STANZAS_PER_SECOND * defaults::BURST_SECS + 1;
        assert!(script.stanzas() <= limit as usize);
        assert!(script.said.contains(&Action::Pause(true)));
        script.is_refused(&heard, Refusal::Flood, "policy-violation");
    }
    // Before authentication nobody has much to say while we look something up.
    let mut script = Script::offered();
    script.stream.handle_bytes(script.now, plain("alice", PASSWORD).as_bytes());
    script.stream.handle_bytes(script.now, " ".repeat(20_000).as_bytes());
    let heard = script.hears();
    script.is_refused(&heard, Refusal::Flood, "policy-violation");
}

#[test]
fn who_does_not_log_in_in_time() {
    let limit = u64::try_from(defaults::UNTIL_BOUND.as_millis()).unwrap();
    // Whoever says nothing, dribbles, or stops half-way.
    let stages: [fn() -> Script; 3] = [
        || Script::new(Entry::StartTls),
        Script::offered,
        || {
            let mut script = Script::offered();
            script.says(&plain("alice", PASSWORD));
            script.says(HEADER);
            script
        },
    ];
    for stage in stages {
        let mut script = stage();
        assert_eq!(script.waits(limit - 1), "");
        assert_eq!(script.says(" "), "");
        let heard = script.waits(1);
        script.is_refused(&heard, Refusal::TooSlow, "connection-timeout");
    }
    let mut script = Script::new(Entry::StartTls);
    script.says(HEADER);
    script.says(STARTTLS);
    assert_eq!(script.waits(limit), "");
    assert!(script.said.contains(&Action::Refused(Refusal::TooSlow)));
    // Once bound, there is no hurry.
    assert_eq!(Script::bound().stream.poll_timeout(), None);
}

#[test]
fn a_stanza_that_is_none_is_answered_and_the_stream_goes_on() {
    let mut script = Script::bound();
    for (said, condition) in [
        ("<iq id='1' type='get'/>", "bad-request"),
        ("<iq type='get'><a/></iq>", "bad-request"),
        ("<iq id='1' type='fetch'><a/></iq>", "bad-request"),
        ("<presence type='here'/>", "bad-request"),
        ("<message to='@'/>", "jid-malformed"),
    ] {
        let heard = script.says(said);
        assert!(heard.contains("type='error'") && heard.contains(condition), "{heard}");
        assert!(heard.contains("to='alice@example.org/x'"), "{heard}");
        assert_eq!(script.said.pop(), Some(Action::Refused(Refusal::MalformedStanza)));
    }
    assert_eq!(script.says("<message type='error' to='@'/>"), "");
    script.says(&message(""));
    assert_eq!(script.stanzas(), 1);
}

#[test]
fn stanzas_that_are_held_back_come_later() {
    let mut script = Script::bound();
    script.stream.hold(script.now, true);
    script.says(&message(""));
    assert_eq!(script.said, [Action::Pause(true)]);
    assert_eq!(script.stream.poll_timeout(), None);
    script.stream.hold(script.now, false);
    script.hears();
    assert_eq!(script.stanzas(), 1);
    assert_eq!(script.said.last(), Some(&Action::Pause(false)));
    // A stream that ends is not held.
    script.stream.hold(script.now, true);
    script.says("</stream:stream>");
    script.stream.end(script.now, None);
    assert_eq!(script.hears(), "</stream:stream>");
    assert_eq!(script.said.last(), Some(&Action::Closed(End::Orderly)));
}

#[test]
fn a_language_of_any_length_is_not_stamped_on_stanzas() {
    for (lang, stamped) in [("de", Some("de")), (&*"x".repeat(1000), None)] {
        let mut script = Script::offered();
        script.says(&plain("alice", PASSWORD));
        script.says(&HEADER.replace(" to=", &format!(" xml:lang='{lang}' to=")));
        script.says(BIND);
        script.says(&message(""));
        match script.said.last() {
            Some(Action::Stanza(stanza)) => assert_eq!(stanza.lang(), stamped),
            other => panic!("{other:?}"),
        }
    }
}

/// Pieces of what clients say, in any order.
fn pieces() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let sensible = vec![
        HEADER.to_owned(),
        STARTTLS.to_owned(),
        plain("alice", PASSWORD),
        plain("alice", "wrong"),
        auth("SCRAM-SHA-1", &base64::encode(b"n,,n=alice,r=0123456789abcdef")),
        response(&base64::encode(b"c=biws,r=x,p=AAAA")),
        BIND.to_owned(),
        message(""),
        "<presence/>".to_owned(),
        "</stream:stream>".to_owned(),
        "<stream:error/>".to_owned(),
    ];
    let sensible = prop::sample::select(sensible).prop_map(String::into_bytes);
    vec(prop_oneof![4 => sensible, 1 => vec(any::<u8>(), 0..8)], 0..12)
}

proptest! {
    /// Whatever is said, in any order and cut anywhere: no panic, no stanza before a password, and
    /// what is written is one stream.
    #[test]
    fn whatever_is_said(pieces in pieces(), tls: bool, size in 1..200_usize) {
        let entry = if tls { Entry::DirectTls } else { Entry::StartTls };
        let mut script = Script::new(entry);
        let mut heard = String::new();
        for chunk in pieces.concat().chunks(size) {
            heard += &script.sends(chunk);
        }
        let authenticated = script.said.iter().position(|a| matches!(a, Action::Authenticated { .. }));
        let stanza = script.said.iter().position(|a| matches!(a, Action::Stanza(_)));
        if let Some(stanza) = stanza {
            prop_assert!(authenticated.is_some_and(|at| at < stanza));
        }
        if authenticated.is_some() {
            let said = pieces.concat();
            let good = plain("alice", PASSWORD);
            prop_assert!(said.windows(good.len()).any(|part| part == good.as_bytes()));
        }
        let closed = script.said.iter().filter(|a| matches!(a, Action::Closed(_))).count();
        prop_assert!(closed <= 1);
        prop_assert_eq!(closed == 1, heard.ends_with("</stream:stream>") || matches!(
            script.said.last(), Some(Action::Closed(_))));
        // What was written is a stream, or several: a client's parser understands it.
        let streams = heard.split("<?xml version='1.0'?>").filter(|part| !part.is_empty());
        for stream in streams {
            let mut parser = xml::Parser::new(xml::Limits::SERVER);
            parser.push(stream.as_bytes());
            while let Some(next) = parser.next() {
                prop_assert!(next.is_ok(), "{}", stream);
            }
        }
    }
}
