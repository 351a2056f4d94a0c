//! What a payload is, in a few words.

use sip::{Message, name};
use stun::{AttributeType, Class, Method};
use turn::{ChannelData, TurnMessage as _};

use super::Topic;

/// What a datagram carries, or a frame of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Something to show by itself.
    Message(Said),
    /// RTP or RTCP, of which there are many.
    Media,
}

/// Something to show by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// What it belongs to.
    pub topic: Topic,
    /// What it is.
    pub label: String,
    /// The message itself, where people can read it.
    pub text: Option<String>,
}

impl Said {
    /// Something that people cannot read as it is.
    pub fn new(topic: Topic, label: impl Into<String>) -> Self {
        Self { topic, label: label.into(), text: None }
    }
}

impl Kind {
    /// The same with a word on how it travels; of media there is nothing to say.
    pub fn by(self, how: &str) -> Self {
        match self {
            Self::Message(said) => {
                let label = format!("{} ({how})", said.label);
                Self::Message(Said { label, ..said })
            }
            Self::Media => Self::Media,
        }
    }
}

/// Classifies by the first byte (RFC 7983), SIP by what is left. What travels to or from a relay is
/// classified by what it carries.
pub fn classify(payload: &[u8]) -> Kind {
    if stun::is_stun(payload) {
        return stun_kind(payload);
    }
    if let Some(carried) = channel_data(payload) {
        return classify(carried).by("chan");
    }
    match payload.first() {
        Some(128..=191) => Kind::Media,
        Some(_) => Kind::Message(sip(payload)),
        None => Kind::Message(Said::new(Topic::Other, "empty")),
    }
}

/// What ChannelData carries. The text of SIP begins with bytes that channels have too, but its next
/// ones are never its length.
fn channel_data(payload: &[u8]) -> Option<&[u8]> {
    let data = ChannelData::parse(payload)?.data;
    (payload.len() - data.len() < 2 * turn::channel::HEADER_BYTES).then_some(data)
}

fn stun_kind(payload: &[u8]) -> Kind {
    let Ok(message) = stun::Message::parse(payload) else {
        return Kind::Message(Said::new(Topic::Other, "STUN, broken"));
    };
    match (message.class(), message.method()) {
        (_, Method::BINDING) => Kind::Message(binding(&message)),
        (Class::Indication, method @ (Method::SEND | Method::DATA)) => match message.data() {
            Some(data) => classify(data).by(&format!("{method:?}")),
            None => Kind::Message(Said::new(Topic::Relay, format!("{method:?}, empty"))),
        },
        _ => Kind::Message(Said::new(Topic::Relay, turn_label(&message))),
    }
}

fn binding(message: &stun::Message<'_>) -> Said {
    // Checks of ICE carry a user name, questions to the server do not; of their answers, those to
    // checks are signed.
    let check = message.username().is_some()
        || message.attribute(AttributeType::MESSAGE_INTEGRITY).is_some();
    let topic = if check { Topic::Check } else { Topic::Address };
    let label = match message.class() {
        Class::Request if check && message.use_candidate() => "check, nominating".to_owned(),
        Class::Request if check => "check".to_owned(),
        Class::Request => "STUN: my address?".to_owned(),
        Class::Indication => "keepalive".to_owned(),
        Class::Success => match message.reflexive_address() {
            Some(address) => format!("STUN: {address}"),
            None => "STUN: yes".to_owned(),
        },
        Class::Error => match message.error_code() {
            Some(error) => format!("STUN: error {}", error.code),
            None => "STUN: error".to_owned(),
        },
    };
    Said::new(topic, label)
}

/// A request to a relay, or its answer.
fn turn_label(message: &stun::Message<'_>) -> String {
    let method = format!("{:?}", message.method());
    let released = message.lifetime().is_some_and(|lifetime| lifetime.is_zero());
    match message.class() {
        Class::Error => match message.error_code() {
            Some(error) => format!("{method}: error {}", error.code),
            None => format!("{method}: error"),
        },
        Class::Success => match message.relayed_addresses().next() {
            Some(relayed) => format!("at {relayed}"),
            None => format!("{method}: yes"),
        },
        Class::Request | Class::Indication => {
            let peer = message.peer_address().map(|peer| format!(" {peer}"));
            let end = if released { ", release" } else { "" };
            format!("{method}{}{end}", peer.unwrap_or_default())
        }
    }
}

fn sip(payload: &[u8]) -> Said {
    if payload.iter().all(|b| matches!(b, b'\r' | b'\n')) {
        return Said::new(Topic::Other, "keepalive");
    }
    let (label, method) = match Message::parse(payload) {
        Ok(Message::Request(request)) => {
            let signed = [name::AUTHORIZATION, name::PROXY_AUTHORIZATION]
                .iter()
                .any(|field| request.headers.first(field).is_some());
            let with = if signed { ", signed" } else { "" };
            let label = format!("{}{}{with}", request.method, body_label(&request.body));
            (label, request.method.to_string())
        }
        Ok(Message::Response(response)) => {
            let code = response.status.code();
            let label = format!("{code} {}{}", response.reason, body_label(&response.body));
            // CSeq says what it answers (RFC 3261 §8.2.6.2).
            let sequence = response.headers.first(name::CSEQ).unwrap_or_default();
            (label, sequence.split_whitespace().last().unwrap_or_default().to_owned())
        }
        Err(_) => return Said::new(Topic::Other, format!("{} bytes", payload.len())),
    };
    let topic = if method == "REGISTER" { Topic::Login } else { Topic::Signalling };
    Said { topic, label, text: Some(String::from_utf8_lossy(payload).into_owned()) }
}

fn body_label(body: &[u8]) -> &'static str {
    if body.is_empty() { "" } else { " + SDP" }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use stun::{AttributeType, Builder, Message, Method, TransactionId};
    use turn::{ChannelData, ChannelNumber, TurnBuilder as _};

    use super::{Kind, classify};

    const ID: TransactionId = TransactionId([7; 12]);

    fn label(payload: &[u8]) -> String {
        match classify(payload) {
            Kind::Message(said) => said.label,
            Kind::Media => "media".to_owned(),
        }
    }

    fn on_channel(data: &[u8]) -> Vec<u8> {
        let mut packet = Vec::new();
        assert!(ChannelData { number: ChannelNumber::FIRST, data }.write(true, &mut packet));
        packet
    }

    #[test]
    fn requests_to_a_relay_and_its_answers() {
        let allocate = Builder::request(Method::ALLOCATE, ID).finish();
        assert_eq!(label(&allocate), "Allocate");
        let request = Message::parse(&allocate).unwrap();
        let mut granted = Builder::success(&request);
        let relayed = "192.0.2.1:50000".parse().unwrap();
        granted.xor_address(AttributeType::XOR_RELAYED_ADDRESS, relayed);
        assert_eq!(label(&granted.finish()), "at 192.0.2.1:50000");
        assert_eq!(label(&Builder::error(&request, 401).finish()), "Allocate: error 401");
        let mut permit = Builder::request(Method::CREATE_PERMISSION, ID);
        permit.peer_address("203.0.113.5:4000".parse().unwrap());
        assert_eq!(label(&permit.finish()), "CreatePermission 203.0.113.5:4000");
        let mut release = Builder::request(Method::REFRESH, ID);
        release.lifetime(Duration::ZERO);
        assert_eq!(label(&release.finish()), "Refresh, release");
    }

    #[test]
    fn what_a_relay_carries_is_shown_as_what_it_is() {
        let check = Builder::request(Method::BINDING, ID).username("a:b").finish();
        assert_eq!(label(&on_channel(&check)), "check (chan)");
        let mut send = Builder::indication(Method::SEND, ID);
        send.data(&check);
        assert_eq!(label(&send.finish()), "check (Send)");
        let rtp = [&[0x80, 0][..], &[0; 170]].concat();
        assert_eq!(classify(&on_channel(&rtp)), Kind::Media);
        let mut data = Builder::indication(Method::DATA, ID);
        data.data(&rtp);
        assert_eq!(classify(&data.finish()), Kind::Media);
    }

    #[test]
    fn sip_is_no_channel() {
        for text in ["INVITE sip:bob@example.org SIP/2.0\r\n", "BYE sip:b SIP/2.0\r\n", "MESSAGE"] {
            assert!(label(text.as_bytes()).ends_with("bytes"), "{text}");
        }
    }
}
