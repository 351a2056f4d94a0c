//! Properties of the codec: what is written is read back, and no bytes panic.

use proptest::prelude::*;
use sip::header::{AuthParams, ContentType, Date, Expires, MaxForwards, Reason, RetryAfter};
use sip::{
    CSeq, Challenge, Contact, Credentials, Host, Message, Method, NameAddr, Request, Response,
    Status, Uri, Via, name, validate,
};

fn token() -> impl Strategy<Value = String> {
    "[A-Za-z0-9.!%*_+'~-]{1,12}"
}

fn host() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z][a-z0-9-]{0,8}(\\.[a-z]{2,3})?",
        any::<[u8; 4]>().prop_map(|ip| std::net::Ipv4Addr::from(ip).to_string()),
        any::<[u16; 8]>().prop_map(|ip| format!("[{}]", std::net::Ipv6Addr::from(ip))),
    ]
}

fn uri() -> impl Strategy<Value = String> {
    let sip = (
        "sips?",
        prop::option::of("([a-z0-9&=+$,;?/_.-]|%[0-9A-F]{2}){1,10}"),
        host(),
        prop::option::of(any::<u16>()),
        prop::collection::vec(("[a-z]{1,6}", prop::option::of("[a-z0-9.%]{0}[a-z0-9]{1,5}")), 0..3),
    )
        .prop_map(|(scheme, user, host, port, params)| {
            let user = user.map_or_else(String::new, |user| user + "@");
            let port = port.map_or_else(String::new, |port| format!(":{port}"));
            let params: String = params
                .into_iter()
                .map(|(n, v)| v.map_or(format!(";{n}"), |v| format!(";{n}={v}")))
                .collect();
            format!("{scheme}:{user}{host}{port}{params}")
        });
    prop_oneof![4 => sip, 1 => "tel:\\+?[0-9.-]{1,12}", 1 => "urn:[a-z]{1,6}:[a-z]{1,6}"]
}

fn name_addr() -> impl Strategy<Value = NameAddr> {
    (prop::option::of("[^\r\n]{1,12}"), uri(), prop::option::of(token())).prop_map(
        |(display, uri, tag)| {
            let address = NameAddr::new(uri.parse().unwrap());
            let address = address.with_display(display.unwrap_or_default());
            tag.map_or(address.clone(), |tag| address.with_tag(&tag))
        },
    )
}

fn field() -> impl Strategy<Value = (String, String)> {
    (token(), "[^\r\n]{0,40}").prop_map(|(name, value)| (name, value.trim().to_owned()))
}

fn message() -> impl Strategy<Value = Message> {
    let essentials = (name_addr(), name_addr(), token(), 0..1u32 << 31);
    let rest = (prop::collection::vec(field(), 0..6), prop::collection::vec(any::<u8>(), 0..60));
    let start = prop_oneof![
        (token(), uri()).prop_map(|(method, uri)| (Some((method, uri)), 0, String::new())),
        (100..700u16, "[^\r\n]{0,20}").prop_map(|(code, reason)| (None, code, reason)),
    ];
    (start, essentials, rest).prop_map(|((request, code, reason), essentials, (fields, body))| {
        let (from, to, call_id, number) = essentials;
        let method: Method = request.as_ref().map_or("OPTIONS", |(m, _)| m).parse().unwrap();
        let cseq = CSeq::new(number, method.clone());
        let mut message = match request {
            Some((_, uri)) => Message::from(Request::new(method, uri.parse().unwrap())),
            None => Response::new(Status::new(code).unwrap()).with_reason(&reason).into(),
        };
        let headers = message.headers_mut();
        headers.push(name::VIA, "SIP/2.0/UDP h;branch=z9hG4bKa");
        headers.push(name::FROM, from);
        headers.push(name::TO, to);
        headers.push(name::CALL_ID, call_id);
        headers.push(name::CSEQ, cseq);
        fields.iter().for_each(|(name, value)| headers.push(name, value));
        headers.set(name::CONTENT_LENGTH, body.len());
        match &mut message {
            Message::Request(request) => request.body = body,
            Message::Response(response) => response.body = body,
        }
        message
    })
}

/// Reads `text` as a `T` and, if it is one, writes it and reads it again.
fn round<T: std::str::FromStr + ToString + PartialEq + std::fmt::Debug>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        let written = value.to_string();
        match written.parse::<T>() {
            Ok(again) => assert_eq!(again, value, "{text:?} {written:?}"),
            Err(_) => panic!("{text:?} became {written:?}"),
        }
    }
}

fn round_all(text: &str) {
    round::<Uri>(text);
    round::<Host>(text);
    round::<Via>(text);
    round::<NameAddr>(text);
    round::<Contact>(text);
    round::<CSeq>(text);
    round::<ContentType>(text);
    round::<Reason>(text);
    round::<Date>(text);
    round::<Expires>(text);
    round::<MaxForwards>(text);
    round::<RetryAfter>(text);
    round::<AuthParams>(text);
    round::<Challenge>(text);
    round::<Credentials>(text);
    round::<Method>(text);
}

/// Asks a message everything that can be asked of it.
fn interrogate(message: &Message) {
    let headers = message.headers();
    let _ = (headers.via(), headers.vias(), headers.from(), headers.to(), headers.call_id());
    let _ = (headers.cseq(), headers.max_forwards(), headers.contacts(), headers.contact());
    let _ = (headers.routes(), headers.record_routes(), headers.paths(), headers.service_routes());
    let _ = (headers.expires(), headers.min_expires(), headers.content_length());
    let _ = (headers.content_type(), headers.allow(), headers.date(), headers.retry_after());
    let _ = (headers.reasons(), headers.challenges(name::WWW_AUTHENTICATE));
    match message {
        Message::Request(request) => {
            let _ = validate::scheme(request, &["sip"]);
            let _ = validate::extensions(request, name::REQUIRE, &[]);
            let _ = (validate::hops(request), validate::loops(request, |_| true));
            if let Err(invalid) = validate::request(request)
                && let Some(response) = invalid.response(request)
            {
                assert!(Message::parse(&response.to_bytes()).is_ok());
            }
        }
        Message::Response(response) => {
            let _ = validate::response(response);
        }
    }
}

proptest! {
    #[test]
    fn written_and_read_back(message in message()) {
        let bytes = message.to_bytes();
        let read = Message::parse(&bytes).unwrap();
        prop_assert_eq!(&read, &message);
        prop_assert_eq!(read.to_bytes(), bytes);
        interrogate(&read);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
        if let Ok(message) = Message::parse(&bytes) {
            interrogate(&message);
        }
    }

    #[test]
    fn almost_messages_never_panic(
        message in message(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut: prop::sample::Index,
    ) {
        let mut bytes = message.to_bytes();
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        for bytes in [&bytes[..], &bytes[..cut.index(bytes.len())]] {
            if let Ok(message) = Message::parse(bytes) {
                interrogate(&message);
                // What is read keeps its meaning when it is forwarded.
                let again = Message::parse(&message.to_bytes()).unwrap();
                prop_assert_eq!(again.headers().via(), message.headers().via());
                prop_assert_eq!(again.body(), message.body());
            }
        }
    }

    #[test]
    fn typed_values(text in "\\PC{0,40}", structured in "(<?sips?:|\"|tel:|Digest |SIP/2.0/UDP )?[a-z0-9@;=,.:%<>\" \\[\\]\\\\/?*-]{0,30}") {
        round_all(&text);
        round_all(&structured);
    }

    #[test]
    fn uris_keep_their_text(text in uri()) {
        let uri: Uri = text.parse().unwrap();
        prop_assert_eq!(uri.to_string(), &text[..]);
        prop_assert!(uri.is_equivalent(&uri));
    }
}
