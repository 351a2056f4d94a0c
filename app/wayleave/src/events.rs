//! The events of a phone as `--json` tells them, and as people read them.
//!
//! `call`, `answer` and `demo` share these, so that a script that reads one reads all.

use std::time::Duration;

use phone::{CallId, Candidate, Event, PairReport, Path, RegistrationError, Stats};
use serde_json::{Value, json};

use crate::explain;

/// The name and the fields of an event, for `--json`; none for what programs do not want to hear.
///
/// What belongs to a call has its number in `call`.
pub fn fields(event: &Event) -> Option<(&'static str, Value)> {
    let (name, mut fields) = own_fields(event)?;
    if let (Some(call), Value::Object(fields)) = (call_of(event), &mut fields) {
        fields.insert("call".to_owned(), call.as_u64().into());
    }
    Some((name, fields))
}

/// The call that an event belongs to.
pub const fn call_of(event: &Event) -> Option<CallId> {
    match event {
        Event::Incoming { call, .. }
        | Event::Ringing { call }
        | Event::Answered { call, .. }
        | Event::Candidate { call, .. }
        | Event::RemoteCandidates { call, .. }
        | Event::Pair { call, .. }
        | Event::Path { call, .. }
        | Event::FirstMedia { call }
        | Event::Heard { call, .. }
        | Event::Played { call }
        | Event::Media { call, .. }
        | Event::NoPath { call, .. }
        | Event::Ended { call, .. } => Some(*call),
        Event::ListenFailed { .. }
        | Event::Registered { .. }
        | Event::RegistrationFailed { .. }
        | Event::Refused { .. }
        | Event::Message { .. }
        | Event::MessageFailed { .. }
        | Event::Pinged { .. }
        | Event::PresenceChanged { .. }
        | Event::SubscriptionAsked { .. }
        | Event::Stopped => None,
    }
}

fn own_fields(event: &Event) -> Option<(&'static str, Value)> {
    Some(match event {
        Event::ListenFailed { local, kind } => (
            "error",
            json!({
                "kind": "bind",
                "message": format!("cannot use {local}: {kind:?}"),
                "remedy": Value::Null,
            }),
        ),
        Event::Registered { server, transport, reflexive, expires, .. } => (
            "registered",
            json!({
                "server": server.to_string(),
                "transport": transport_name(*transport),
                "reflexive": reflexive.map(|seen| seen.to_string()),
                "expires_secs": expires.map(|expires| expires.as_secs()),
            }),
        ),
        Event::RegistrationFailed { reason, retry_in, .. } => (
            "error",
            json!({
                "kind": "registration",
                "message": unregistered(reason),
                "remedy": retry_in.map(|wait| format!("tried again in {} s", wait.as_secs())),
            }),
        ),
        Event::Incoming { from, display_name, .. } => {
            ("incoming", json!({ "from": from, "name": display_name }))
        }
        // A call that nobody was told of ends where it would have begun.
        Event::Refused { from, reason, .. } => {
            ("ended", json!({ "from": from, "reason": reason.to_string(), "by": "us" }))
        }
        Event::Ringing { .. } => ("ringing", json!({})),
        Event::Answered { codec, .. } => ("answered", json!({ "codec": codec })),
        Event::Candidate { candidate, .. } => ("candidate", candidate_fields(candidate)),
        Event::Pair { pair, .. } => ("pair", pair_fields(pair)),
        Event::Path { path, .. } => ("path", path_fields(path)),
        Event::Media { stats, .. } => ("media", media_fields(stats)),
        Event::NoPath { explanation, .. } => ("explain", explain::fields(explanation, None)),
        Event::Ended { reason, by, .. } => {
            ("ended", json!({ "reason": reason.to_string(), "by": by_name(*by) }))
        }
        Event::Message { from, text, .. } => {
            ("message", json!({ "direction": "in", "from": from, "text": text }))
        }
        Event::MessageFailed { message, condition, reason, .. } => (
            "message_failed",
            json!({
                "id": message.as_str(),
                "condition": condition.name(),
                "reason": reason,
                "certain": true,
            }),
        ),
        Event::PresenceChanged { who, available, .. } => {
            ("presence", json!({ "who": who, "available": available }))
        }
        Event::SubscriptionAsked { from, .. } => ("subscription_asked", json!({ "from": from })),
        Event::RemoteCandidates { .. }
        | Event::FirstMedia { .. }
        | Event::Heard { .. }
        | Event::Played { .. }
        | Event::Pinged { .. }
        | Event::Stopped => return None,
    })
}

/// The same for people, one line; none for what is too much to read.
pub fn words(event: &Event) -> Option<String> {
    Some(match event {
        Event::ListenFailed { local, kind } => format!("cannot use {local}: {kind:?}"),
        Event::Registered { server, transport, reflexive, expires, .. } => {
            let seen = reflexive.map(|seen| format!("; seen there as {seen}")).unwrap_or_default();
            // What holds as long as its stream is a login of XMPP.
            let how = if expires.is_some() { "registered" } else { "logged in" };
            format!("{how} at {server} over {}{seen}", transport_name(*transport))
        }
        Event::RegistrationFailed { reason, retry_in, .. } => match retry_in {
            Some(wait) => format!("{}; trying again in {} s", unregistered(reason), wait.as_secs()),
            None => unregistered(reason),
        },
        Event::Incoming { from, display_name, .. } if display_name.is_empty() => {
            format!("{from} calls")
        }
        Event::Incoming { from, display_name, .. } => format!("{display_name} <{from}> calls"),
        Event::Refused { from, reason, .. } => format!("{from} called and was refused: {reason}"),
        Event::Ringing { .. } => "it rings".to_owned(),
        Event::Answered { codec, .. } => format!("answered; sound in {codec}"),
        // RTCP's candidates say nothing new to people.
        Event::Candidate { candidate, .. } if candidate.component == 1 => {
            format!("candidate {candidate} ({})", candidate.origin)
        }
        Event::Path { path, .. } => path_words(path),
        Event::Media { stats, .. } => media_words(stats),
        Event::NoPath { explanation, .. } => explanation.words().join("\n  "),
        Event::Ended { reason, by, .. } => format!("call ended by {}: {reason}", by_name(*by)),
        Event::RemoteCandidates { .. }
        | Event::Candidate { .. }
        | Event::Pair { .. }
        | Event::FirstMedia { .. }
        | Event::Heard { .. }
        | Event::Played { .. }
        | Event::Message { .. }
        | Event::MessageFailed { .. }
        | Event::Pinged { .. }
        | Event::PresenceChanged { .. }
        | Event::SubscriptionAsked { .. }
        | Event::Stopped => return None,
    })
}

/// That an account cannot be reached, and why: SIP registers, XMPP logs in.
pub fn unregistered(reason: &RegistrationError) -> String {
    match reason {
        RegistrationError::Sip(_) => format!("not registered: {reason}"),
        RegistrationError::Xmpp(_) => format!("not logged in: {reason}"),
    }
}

fn candidate_fields(candidate: &Candidate) -> Value {
    json!({
        "type": candidate.kind.name(),
        "component": candidate.component,
        "address": candidate.endpoint.to_string(),
        "base": candidate.base.to_string(),
        "priority": candidate.priority,
        "transport": transport_name(candidate.transport),
        "origin": candidate.origin.to_string(),
    })
}

fn pair_fields(pair: &PairReport) -> Value {
    json!({
        "id": pair.id,
        "component": pair.component,
        "local": pair.local.endpoint.to_string(),
        "local_type": pair.local.kind.name(),
        "remote": pair.remote.endpoint.to_string(),
        "remote_type": pair.remote.kind.name(),
        "state": format!("{:?}", pair.state).to_lowercase(),
        "fate": pair.fate.to_string(),
        "checks_sent": pair.checks_sent,
        "rtt_ms": pair.rtt.map(millis),
    })
}

/// The fields of a `path` event.
pub fn path_fields(path: &Path) -> Value {
    json!({
        "local": path.local.to_string(),
        "base": path.base.to_string(),
        "remote": path.remote.to_string(),
        "local_type": path.local_type.map(|kind| kind.name()),
        "remote_type": path.remote_type.map(|kind| kind.name()),
        "relayed": path.relayed,
        "transport": transport_name(path.transport),
        "relay": path.relay.map(|relay| relay.to_string()),
        "rtt_ms": path.rtt.map(millis),
        "pairs_tried": path.pairs_tried,
        "checks_sent": path.checks_sent,
    })
}

fn path_words(path: &Path) -> String {
    let kind = |kind: Option<phone::CandidateKind>| {
        kind.map_or_else(String::new, |kind| format!("{} ", kind.name()))
    };
    let way = match (path.relayed, path.transport, path.local_type) {
        (true, machine::Transport::Udp, _) => "relayed",
        (true, machine::Transport::Tcp, _) => "relayed over TCP",
        (true, machine::Transport::Tls, _) => "relayed over TLS",
        (false, _, Some(_)) => "direct",
        (false, _, None) => "as described, without ICE",
    };
    let rtt =
        path.rtt.map_or_else(String::new, |rtt| format!(", round trip {:.0} ms", millis(rtt)));
    format!(
        "path: {}{} to {}{} ({way}{rtt}; {} pairs tried, {} checks)",
        kind(path.local_type),
        path.local,
        kind(path.remote_type),
        path.remote,
        path.pairs_tried,
        path.checks_sent
    )
}

/// The fields of a `media` event.
pub fn media_fields(stats: &Stats) -> Value {
    json!({
        "sent": stats.sent,
        "received": stats.received,
        "lost": stats.lost,
        "late": stats.late,
        "concealed_ms": millis(stats.concealed),
        "jitter_ms": millis(stats.jitter),
        "rtt_ms": stats.round_trip.map(millis),
        "mos": stats.mos().map(|mos| (mos * 100.0).round() / 100.0),
    })
}

/// A `media` event for people.
pub fn media_words(stats: &Stats) -> String {
    let mos = stats.mos().map_or_else(|| "–".to_owned(), |mos| format!("{mos:.2}"));
    format!(
        "sent {}, received {}, lost {}, jitter {:.1} ms, MOS {mos}",
        stats.sent,
        stats.received,
        stats.lost,
        millis(stats.jitter)
    )
}

/// Who ended a call.
pub const fn by_name(by: phone::By) -> &'static str {
    match by {
        phone::By::Us => "us",
        phone::By::Them => "them",
    }
}

/// The name of a transport in events.
pub const fn transport_name(transport: machine::Transport) -> &'static str {
    match transport {
        machine::Transport::Udp => "udp",
        machine::Transport::Tcp => "tcp",
        machine::Transport::Tls => "tls",
    }
}

fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use phone::{EndReason, Event};

    use super::{fields, words};

    #[test]
    fn a_call_that_cannot_be_taken_is_told_with_who_and_why() {
        let from = "xmpp:bob@example.org/desk".to_owned();
        let refused = Event::Refused { account: 0, from, reason: EndReason::Description };
        let why = EndReason::Description.to_string();
        let line = format!("xmpp:bob@example.org/desk called and was refused: {why}");
        assert_eq!(words(&refused).unwrap(), line);
        let (name, fields) = fields(&refused).unwrap();
        assert_eq!((name, &fields["by"]), ("ended", &"us".into()));
        assert_eq!((&fields["from"], &fields["reason"]), (&line[..25].into(), &why.into()));
    }
}
