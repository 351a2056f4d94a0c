//! Why a call has the path that it has, or none: a verdict, causes, remedies.

use ice::Answer;
use machine::{AddressClass, FailKind, Transport};
use phone::{Candidate, CandidateKind, Explanation, Fate, Path};
use serde_json::{Value, json};

use crate::events::transport_name;

/// What there is to say about one side's view of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// One sentence.
    pub verdict: String,
    /// Why it is so.
    pub causes: Vec<String>,
    /// What would change it.
    pub remedies: Vec<String>,
}

/// The verdict on what ICE did. With a path, why it won; without, why there is none.
pub fn verdict(explanation: &Explanation, path: Option<&Path>) -> Verdict {
    match path {
        Some(path) if path.relayed => relayed(explanation, path),
        Some(path) => direct(explanation, path),
        None => failed(explanation),
    }
}

/// The fields of an `explain` event.
pub fn fields(explanation: &Explanation, path: Option<&Path>) -> Value {
    verdict_fields(verdict(explanation, path), path)
}

/// The same for a verdict that is there already.
pub fn verdict_fields(verdict: Verdict, path: Option<&Path>) -> Value {
    let Verdict { verdict, causes, remedies } = verdict;
    let kind = |kind: Option<CandidateKind>| kind.map(CandidateKind::name);
    json!({
        "verdict": verdict,
        "causes": causes,
        "remedies": remedies,
        "relayed": path.map(|path| path.relayed),
        "local_type": path.and_then(|path| kind(path.local_type)),
        "remote_type": path.and_then(|path| kind(path.remote_type)),
        "transport": path.map(|path| transport_name(path.transport)),
    })
}

fn direct(explanation: &Explanation, path: &Path) -> Verdict {
    let (local, remote) = (path.local_type, path.remote_type);
    let behind = |kind| matches!(kind, Some(CandidateKind::Host));
    let verdict = if behind(local) && behind(remote) {
        "Connected directly, from address to address: no NAT is in between."
    } else {
        "Connected directly, through the NATs."
    };
    let mut causes = Vec::new();
    causes.extend(local.map(|kind| side("Our", kind)));
    causes.extend(remote.map(|kind| side("Their", kind)));
    causes.extend(fates(explanation));
    Verdict { verdict: verdict.to_owned(), causes, remedies: Vec::new() }
}

fn relayed(explanation: &Explanation, path: &Path) -> Verdict {
    let over = match path.transport {
        Transport::Udp => "",
        Transport::Tcp => ", reached over TCP",
        Transport::Tls => ", reached over TLS",
    };
    let theirs = path.remote_type == Some(CandidateKind::Relayed);
    let verdict = match (path.relay, theirs) {
        (Some(relay), true) => {
            format!("Connected through a relay on each side: ours is {relay}{over}.")
        }
        (Some(relay), false) => format!("Connected through our relay at {relay}{over}."),
        (None, _) => "Connected through the other side's relay.".to_owned(),
    };
    let Verdict { mut causes, remedies, .. } = obstacles(explanation);
    causes.extend(fates(explanation));
    Verdict { verdict, causes, remedies }
}

fn failed(explanation: &Explanation) -> Verdict {
    let mut causes = Vec::new();
    causes.extend(explanation.reason.map(|reason| format!("{reason}.")));
    let tried = explanation.pairs_tried();
    causes.push(format!(
        "{tried} pairs of addresses were tried with {} checks; {} checks of the other side came in.",
        explanation.checks_sent, explanation.checks_received
    ));
    let Verdict { causes: why, mut remedies, .. } = obstacles(explanation);
    causes.extend(why);
    causes.extend(relays(explanation));
    let offered = |side: &[(usize, Candidate)]| side.iter().any(|(_, c)| is_relayed(c));
    if !offered(&explanation.local) && !offered(&explanation.remote) {
        remedies.insert(0, "a relay (TURN) that either side can reach".to_owned());
    }
    Verdict { verdict: "There is no path for the media.".to_owned(), causes, remedies }
}

fn is_relayed(candidate: &Candidate) -> bool {
    candidate.kind == CandidateKind::Relayed
}

/// What stood between the two sides, relays aside, and what would take it away.
fn obstacles(explanation: &Explanation) -> Verdict {
    let mut found = Verdict::default();
    let outside = |side: &[(usize, Candidate)]| {
        side.iter().any(|(_, c)| !is_relayed(c) && AddressClass::of(c.endpoint.ip()).is_public())
    };
    let mut say = |cause: &str, remedies: &[&str]| {
        found.causes.push(cause.to_owned());
        found.remedies.extend(remedies.iter().map(|&remedy| remedy.to_owned()));
    };
    match (outside(&explanation.local), outside(&explanation.remote)) {
        (true, true) => say(
            "Both sides know their outside addresses, and no packet got through directly. That is \
             so when a NAT gives each destination another outside address and the other side's NAT \
             or firewall lets in only what comes from an address and port that was sent to; or when \
             something on the way loses or stops UDP.",
            &[
                "a NAT with endpoint-independent mapping on either side",
                "a port opened for the call on either side, or IPv6",
            ],
        ),
        (false, _) if wants_relay_only(explanation) => {
            say("This side was told to use a relay and nothing else.", &["--ice on"]);
        }
        (false, _) if is_silent(explanation) => say(
            "UDP does not get out of this side's network: no STUN server answers.",
            &["a firewall on this side that lets UDP out"],
        ),
        (false, _) => say(
            "This side knows no outside address of its own.",
            &["a STUN server that this side can reach"],
        ),
        (true, false) => say(
            "The other side told no outside address of its own: nothing answers it over UDP, or it \
             wants a relay and nothing else.",
            &["a firewall on the other side that lets UDP out, or ICE with STUN there"],
        ),
    }
    found
}

/// Whether this side offered relayed addresses and asked for no others.
fn wants_relay_only(explanation: &Explanation) -> bool {
    let local = &explanation.local;
    !local.is_empty()
        && local.iter().all(|(_, candidate)| is_relayed(candidate))
        && explanation.sources.iter().all(|source| source.relay.is_some())
}

/// Whether every STUN server that was asked has kept silent so far.
fn is_silent(explanation: &Explanation) -> bool {
    let mut asked = explanation
        .sources
        .iter()
        .filter(|source| source.relay.is_none() && source.server.is_some())
        .peekable();
    asked.peek().is_some()
        && asked.all(|source| matches!(source.answer, Answer::Silence | Answer::Pending))
}

/// What TURN servers said that gave no address.
fn relays(explanation: &Explanation) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    for source in &explanation.sources {
        let Some(relay) = &source.relay else { continue };
        let what = match &source.answer {
            Answer::Pending | Answer::Address(_) | Answer::Released(_) => continue,
            Answer::Silence => "no answer".to_owned(),
            Answer::Refused { code } => format!("refused with {code}"),
            Answer::Unreachable(_) => "unreachable".to_owned(),
            Answer::NotBound(_) => "no socket for it".to_owned(),
            Answer::NotConnected(FailKind::Certificate(why)) => why.clone(),
            Answer::NotConnected(_) => "no connection".to_owned(),
            Answer::NotFound => "not found".to_owned(),
            Answer::Credentials => "user name or password not accepted".to_owned(),
            Answer::Broken => "its answer made no sense".to_owned(),
            Answer::NotMapped(why) => why.clone(),
            Answer::Lost => "its relayed address ended".to_owned(),
        };
        let over = transport_name(relay.transport);
        let line = format!("TURN server {} over {over}: {what}.", relay.name);
        // The components of a stream ask the same.
        if !said.contains(&line) {
            said.push(line);
        }
    }
    said
}

/// What is said of the certificates of TURN servers that were refused.
pub fn refused_certificates(explanation: &Explanation) -> impl Iterator<Item = &str> {
    explanation.sources.iter().filter_map(|source| match &source.answer {
        Answer::NotConnected(FailKind::Certificate(why)) => Some(why.as_str()),
        _ => None,
    })
}

/// What was tried in vain: pairs, and TURN servers.
pub fn attempts(explanation: &Explanation) -> Vec<String> {
    fates(explanation).chain(relays(explanation)).collect()
}

/// Pairs that were tried and did not work.
fn fates(explanation: &Explanation) -> impl Iterator<Item = String> {
    let without_answer = explanation.pairs.iter().filter(|pair| {
        pair.component == 1 && matches!(pair.fate, Fate::NoAnswer { .. } | Fate::Unreachable(_))
    });
    without_answer
        .map(|pair| format!("{} to {}: {}.", pair.local.endpoint, pair.remote.endpoint, pair.fate))
}

fn side(whose: &str, kind: CandidateKind) -> String {
    match kind {
        CandidateKind::Host => format!("{whose} own address was reachable."),
        CandidateKind::ServerReflexive => {
            format!("{whose} NAT kept for this call the outside address that STUN had told.")
        }
        CandidateKind::PeerReflexive => format!(
            "{whose} NAT gave this call an outside address of its own, which only a check revealed."
        ),
        CandidateKind::Relayed => format!("{whose} side is reached through a relay."),
    }
}
