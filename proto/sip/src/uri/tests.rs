use super::{Host, SipUri, Uri};

fn uri(text: &str) -> Uri {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

#[test]
fn parts_and_round_trips() {
    for text in [
        "sip:alice@atlanta.com",
        "sip:alice:secretword@atlanta.com;transport=tcp",
        "sips:alice@atlanta.com?subject=project%20x&priority=urgent",
        "sip:+1-212-555-1212:1234@gateway.com;user=phone",
        "sips:1212@gateway.com",
        "sip:alice@192.0.2.4",
        "sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com",
        "sip:alice;day=tuesday@atlanta.com",
        "sip:[2001:db8::10]:5070;lr",
        "sip:a?b@c",
        "tel:+1-201-555-0123;phone-context=example.com",
        "urn:service:sos",
    ] {
        assert_eq!(uri(text).to_string(), text);
    }
    let Uri::Sip(parts) = uri("sip:%6A:p%3aw@[2001:DB8::1]:5070;lr;transport=tcp?a=b%20c") else {
        panic!()
    };
    assert_eq!(parts.user().as_deref(), Some("j"));
    assert_eq!(parts.password().as_deref(), Some("p:w"));
    assert_eq!(parts.host.ip(), Some("2001:db8::1".parse().unwrap()));
    assert_eq!(parts.port, Some(5070));
    assert!(parts.is_loose_router());
    assert_eq!(parts.headers().next(), Some(("a".to_owned(), "b c".to_owned())));
}

#[test]
fn refused() {
    for text in [
        "",
        "sip:",
        "sip:@host",
        "sip::p@host",
        "sip:a@",
        "sip:a@b@c",
        "sip:a@b:port",
        "sip:a@b:99999",
        "sip:a@b:",
        "sip:a@b;",
        "sip:a@b?x",
        "sip:a%4@b",
        "sip:2001:db8::10",
        "sip:a@[2001:db8:::192.0.2.1]",
        "sip:a b@c",
        "<sip:a@b>",
        "1x:y",
        "tel:abcxyz",
        "tel:",
        "x:",
    ] {
        assert!(text.parse::<Uri>().is_err(), "{text}");
    }
}

/// The examples of RFC 3261 §19.1.4.
#[test]
fn comparison() {
    for (a, b) in [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
        ("sip:a;h=0;h", "sip:a;h=0;h"),
        ("sip:a@[2001:DB8::1]", "sip:a@[2001:db8:0:0::1]"),
        ("tel:+1-201-555-0123", "tel:+12015550123"),
    ] {
        assert!(uri(a).is_equivalent(&uri(b)), "{a} {b}");
        assert!(uri(b).is_equivalent(&uri(a)), "{b} {a}");
    }
    for (a, b) in [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:a@b", "sips:a@b"),
        ("sip:a%3Bb@c", "sip:a;b@c"),
        ("sip:a@b", "sip:b"),
        ("tel:+1", "sip:+1@b"),
    ] {
        assert!(!uri(a).is_equivalent(&uri(b)), "{a} {b}");
        assert!(!uri(b).is_equivalent(&uri(a)), "{b} {a}");
    }
}

#[test]
fn addresses_of_record() {
    let record = |text: &str| uri(text).as_sip().map(SipUri::address_of_record);
    assert_eq!(
        record("sip:%61lice:pw@EXAMPLE.org;user=phone?a=b").as_deref(),
        Some("sip:alice@example.org")
    );
    assert_eq!(record("sips:a%00b@x").as_deref(), Some("sips:a\0b@x"));
    assert_eq!(record("tel:+1"), None);
}

#[test]
fn built() {
    let built = Uri::sip("a b@c", "example.org".parse::<Host>().unwrap());
    assert_eq!(built.to_string(), "sip:a%20b%40c@example.org");
    let v6 = SipUri::new(Host::from("2001:db8::1".parse::<std::net::IpAddr>().unwrap()))
        .with_port(Some(5070))
        .with_param("lr", "")
        .with_param("transport", "tcp");
    assert_eq!(v6.to_string(), "sip:[2001:db8::1]:5070;lr;transport=tcp");
}
