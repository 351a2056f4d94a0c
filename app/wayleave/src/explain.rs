//! Why a call has the path that it has, or none: a verdict, causes, remedies.

use machine::AddressClass;
use phone::{CandidateKind, Explanation, Fate, Path};
use serde_json::{Value, json};

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
        Some(path) => connected(explanation, path),
        None => failed(explanation),
    }
}

/// The fields of an `explain` event.
pub fn fields(explanation: &Explanation, path: Option<&Path>) -> Value {
    let Verdict { verdict, causes, remedies } = verdict(explanation, path);
    json!({ "verdict": verdict, "causes": causes, "remedies": remedies })
}

fn connected(explanation: &Explanation, path: &Path) -> Verdict {
    let (local, remote) = (path.local_type, path.remote_type);
    let behind = |kind| matches!(kind, Some(CandidateKind::Host));
    let verdict = match (path.relayed, behind(local) && behind(remote)) {
        (true, _) => "Connected through a relay.",
        (false, true) => "Connected directly, from address to address: no NAT is in between.",
        (false, false) => "Connected directly, through the NATs.",
    };
    let mut causes = Vec::new();
    causes.extend(local.map(|kind| side("Our", kind)));
    causes.extend(remote.map(|kind| side("Their", kind)));
    let better = explanation.pairs.iter().filter(|pair| {
        pair.component == 1 && matches!(pair.fate, Fate::NoAnswer { .. } | Fate::Unreachable(_))
    });
    causes.extend(better.map(|pair| {
        format!("{} to {}: {}.", pair.local.endpoint, pair.remote.endpoint, pair.fate)
    }));
    Verdict { verdict: verdict.to_owned(), causes, remedies: Vec::new() }
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

fn failed(explanation: &Explanation) -> Verdict {
    let mut causes = Vec::new();
    let mut remedies = Vec::new();
    causes.extend(explanation.reason.map(|reason| format!("{reason}.")));
    let tried = explanation.pairs_tried();
    causes.push(format!(
        "{tried} pairs of addresses were tried with {} checks; {} checks of the other side came in.",
        explanation.checks_sent, explanation.checks_received
    ));
    let reflexive = |side: &[(usize, phone::Candidate)]| {
        side.iter().any(|(_, c)| AddressClass::of(c.endpoint.ip()).is_public())
    };
    match (reflexive(&explanation.local), reflexive(&explanation.remote)) {
        (true, true) => {
            causes.push(
                "Both sides know their outside addresses, and no packet got through. That is so \
                 when a NAT gives each destination another outside address and the other side's \
                 NAT or firewall lets in only what comes from an address and port that was sent \
                 to; or when something on the way loses or stops UDP."
                    .to_owned(),
            );
            remedies.push("a relay (TURN), which a later version brings".to_owned());
            remedies.push("a NAT with endpoint-independent mapping on either side".to_owned());
            remedies.push("a port opened for the call on either side, or IPv6".to_owned());
        }
        (false, _) => {
            causes.push("This side knows no outside address of its own.".to_owned());
            remedies.push("a STUN server that this side can reach".to_owned());
        }
        (true, false) => {
            causes.push("The other side told no outside address.".to_owned());
            remedies.push("a STUN server that the other side can reach, or ICE there".to_owned());
        }
    }
    Verdict { verdict: "There is no path for the media.".to_owned(), causes, remedies }
}
