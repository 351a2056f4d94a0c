//! An [`Explanation`] in words.

use std::fmt;

use machine::{AddressClass, FailKind, Icmp};

use crate::candidate::transport_name;
use crate::explain::{
    Answer, Explanation, Fate, Ignored, PairReport, Pruned, Reason, Relay, Role, Source,
};
use crate::{Candidate, CandidateKind, Origin};

/// One sentence a line: what happened, what would have helped, then each pair.
pub(crate) fn of(explanation: &Explanation) -> Vec<String> {
    let mut words = Vec::new();
    words.extend(explanation.reason.map(|reason| format!("No path: {reason}.")));
    words.extend(explanation.pairs.iter().filter_map(|pair| chosen(explanation, pair)));
    words.push(effort(explanation));
    words.extend(hints(explanation));
    words.extend(explanation.sources.iter().filter_map(source));
    words.extend(explanation.pairs.iter().map(pair));
    words.extend(
        explanation.ignored.iter().map(|(_, candidate, why)| {
            format!("{candidate} of the other side was not used: {why}.")
        }),
    );
    words
}

/// The path of a component, and why it is this one.
fn chosen(explanation: &Explanation, pair: &PairReport) -> Option<String> {
    let PairReport { stream, component, local, remote, .. } = pair;
    if pair.fate != Fate::Selected {
        return None;
    }
    let better = explanation.pairs.iter().filter(|other| {
        (other.stream, other.component) == (*stream, *component)
            && other.priority > pair.priority
            && !matches!(other.fate, Fate::Pruned(_))
    });
    let why = match better.count() {
        0 => "no pair has a higher priority".to_owned(),
        1 => "the one pair of higher priority did not work in time".to_owned(),
        n => format!("{n} pairs of higher priority did not work in time"),
    };
    let via = match &local.origin {
        Origin::TurnServer { .. } => format!("through {}; ", local.origin),
        _ if remote.kind == CandidateKind::Relayed => {
            "through a relay of the other side; ".to_owned()
        }
        _ => String::new(),
    };
    let local = pair.seen_as.as_ref().unwrap_or(local);
    let rtt = pair.rtt.map(|rtt| format!(", {} ms there and back", rtt.as_millis()));
    let rtt = rtt.unwrap_or_default();
    Some(format!("Path of component {component}: {local} to {remote}{rtt}; {via}{why}."))
}

fn effort(explanation: &Explanation) -> String {
    let role = match explanation.role {
        Role::Controlling => "this side chooses the path",
        Role::Controlled => "the other side chooses the path",
    };
    let (tried, sent) = (explanation.pairs_tried(), explanation.checks_sent);
    let received = explanation.checks_received;
    let tried = if tried == 1 { "1 pair was".to_owned() } else { format!("{tried} pairs were") };
    let checks = |n: u64| if n == 1 { "1 check".to_owned() } else { format!("{n} checks") };
    format!("{tried} tried with {}, {} came in; {role}.", checks(sent), checks(received))
}

/// What the pattern of failures suggests.
fn hints(explanation: &Explanation) -> Vec<String> {
    let mut hints = Vec::new();
    let Some(reason) = explanation.reason else { return hints };
    if explanation.checks_refused > 0 {
        hints.push(format!(
            "{} checks came in with wrong credentials: something else than the other side of this \
             call sends here.",
            explanation.checks_refused
        ));
    }
    if !matches!(reason, Reason::NoPairWorked { .. }) {
        return hints;
    }
    let fates = || explanation.pairs.iter().map(|pair| &pair.fate);
    if fates().any(|fate| *fate == Fate::NoAnswer { heard: true }) {
        hints.push(
            "Only one direction works: checks of the other side arrive here, the answers to ours \
             do not come back."
                .to_owned(),
        );
    }
    let reflexive = |side: &[(usize, Candidate)]| {
        side.iter().any(|(_, candidate)| candidate.kind == CandidateKind::ServerReflexive)
    };
    let only_private = |side: &[(usize, Candidate)]| {
        !side.is_empty() && side.iter().all(|(_, c)| !AddressClass::of(c.endpoint.ip()).is_public())
    };
    if only_private(&explanation.local) {
        hints.push(
            "This side offered private addresses only: a STUN server would have told its outside \
             address."
                .to_owned(),
        );
    }
    if only_private(&explanation.remote) {
        hints.push("The other side gave private addresses only.".to_owned());
    }
    let relayed = |side: &[(usize, Candidate)]| {
        side.iter().any(|(_, candidate)| candidate.kind == CandidateKind::Relayed)
    };
    let relay = relayed(&explanation.local) || relayed(&explanation.remote);
    if reflexive(&explanation.local) && reflexive(&explanation.remote) && !relay {
        hints.push(
            "Both sides know their outside addresses and no packet got through: one NAT at least \
             maps every destination anew, or a firewall stops UDP. A relay (TURN) would have helped."
                .to_owned(),
        );
    }
    hints
}

/// What is worth saying of a source: that it did not help.
fn source(source: &Source) -> Option<String> {
    let Source { component, base, answer, .. } = source;
    let what = match answer {
        Answer::Pending | Answer::Address(_) | Answer::Released(_) => return None,
        Answer::Silence => "no answer".to_owned(),
        Answer::Refused { code } => format!("refused with {code}"),
        Answer::Unreachable(icmp) => icmp_words(*icmp),
        Answer::NotBound(kind) => format!("could not be bound ({})", bind_words(kind)),
        Answer::NotConnected(kind) => format!("no connection ({})", bind_words(kind)),
        Answer::NotFound => "its name leads nowhere".to_owned(),
        Answer::Credentials => "user name or password not accepted".to_owned(),
        Answer::NotMapped(why) => format!("no port mapping ({why})"),
        Answer::Lost => "gave an address that ended too early".to_owned(),
        Answer::Broken => "its answer made no sense".to_owned(),
    };
    Some(match (&source.relay, source.server) {
        (Some(Relay { name, transport }), server) => {
            let at = server.map(|server| format!(" at {server}")).unwrap_or_default();
            let over = transport_name(*transport);
            format!("TURN server {name}{at} over {over}, for component {component}: {what}.")
        }
        (None, Some(server)) => {
            format!("STUN server {server}, asked from {base} for component {component}: {what}.")
        }
        (None, None) => format!("The address {base} for component {component}: {what}."),
    })
}

fn bind_words(kind: &FailKind) -> &str {
    match kind {
        FailKind::AddressInUse => "in use",
        FailKind::AddressNotAvailable => "not an address of this host",
        FailKind::PermissionDenied => "not permitted",
        FailKind::OutOfResources => "out of ports or memory",
        FailKind::Refused | FailKind::Unreachable => "unreachable",
        FailKind::TimedOut => "timed out",
        FailKind::Certificate(text) | FailKind::Tls(text) | FailKind::Other(text) => text,
    }
}

fn pair(pair: &PairReport) -> String {
    let PairReport { id, local, remote, fate, component, .. } = pair;
    let sent = match pair.checks_sent {
        0 => String::new(),
        1 => " (1 check)".to_owned(),
        n => format!(" ({n} checks)"),
    };
    format!(
        "Pair {id}, component {component}: {local} [{}] to {remote} [{}]: {fate}{sent}.",
        local.origin, remote.origin
    )
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLocalCandidates => f.write_str("this side has no address to offer"),
            Self::NoRemoteCandidates => {
                f.write_str("the other side gave no address that can be used")
            }
            Self::NoPairs => f.write_str("no address of this side fits one of the other side"),
            Self::NoPairWorked { stream, component } => {
                write!(f, "no pair of addresses works (component {component} of stream {stream})")
            }
        }
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pruned(Pruned::Redundant { with }) => {
                write!(f, "not tried, it takes the way of pair {with}")
            }
            Self::Pruned(Pruned::Limit) => f.write_str("not tried, there were too many pairs"),
            Self::NotTried => f.write_str("not tried"),
            Self::Trying => f.write_str("being tried"),
            Self::Selected => f.write_str("works, and was chosen"),
            Self::Works => f.write_str("works"),
            Self::Superseded => f.write_str("given up, another pair was chosen"),
            Self::NoAnswer { heard: false } => f.write_str("no answer"),
            Self::NoAnswer { heard: true } => {
                f.write_str("one direction only, checks came in on it and no answer did")
            }
            Self::Unreachable(icmp) => write!(f, "no answer, {}", icmp_words(*icmp)),
            Self::WrongAddress { from, to } => {
                write!(f, "the answer came from {from} to {to}, not the way that was asked")
            }
            Self::Refused { code } => write!(f, "refused by the other side with {code}"),
            Self::NotPermitted { code } => {
                write!(f, "not tried, the relay refuses with {code} to send there")
            }
            Self::Withdrawn => f.write_str("its relayed address ended"),
        }
    }
}

fn icmp_words(icmp: Icmp) -> String {
    match icmp {
        Icmp::PortUnreachable => "nobody listens there".to_owned(),
        Icmp::HostUnreachable => "the host cannot be reached".to_owned(),
        Icmp::NetworkUnreachable => "there is no route to it".to_owned(),
        Icmp::Prohibited => "a filter forbids it".to_owned(),
        Icmp::TooBig { mtu } => format!("the path takes {mtu} bytes at most"),
        Icmp::TimeExceeded => "it is too many hops away".to_owned(),
    }
}

impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport(transport) => write!(f, "only UDP is checked, this is {transport:?}"),
            Self::Component => f.write_str("there is no such component"),
            Self::Address => f.write_str("nothing can be sent to such an address"),
            Self::Foundation => f.write_str("its foundation is empty or too long"),
            Self::Limit => f.write_str("there were too many"),
        }
    }
}
