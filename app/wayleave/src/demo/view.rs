//! What a person sees while the call happens.

use std::collections::BTreeMap;
use std::time::Duration;

use machine::Instant;
use phone::{CandidateKind, Event, PairReport, PairState};
use scenarios::topology::{CORE, DOMAIN};
use scenarios::{Access, Spec, Told, Via, What, Who};

use super::outcome::via_name;
use crate::events;
use crate::ui::Ui;

/// On a terminal, virtual time passes this much faster than real time, but no pause is longer than
/// [`LONGEST`].
const SPEED: u32 = 1;
const LONGEST: Duration = Duration::from_millis(150);

/// Prints what happens, on a terminal at a pace that one can follow.
pub struct View<'a> {
    ui: &'a Ui,
    paced: bool,
    last: Instant,
    /// What was last said of each pair.
    pairs: BTreeMap<(Who, u32), PairState>,
}

impl<'a> View<'a> {
    pub fn new(ui: &'a Ui, paced: bool) -> Self {
        Self { ui, paced, last: Instant::ORIGIN, pairs: BTreeMap::new() }
    }

    /// The story begins, over this signalling.
    pub fn over(&mut self, via: Via) {
        self.last = Instant::ORIGIN;
        self.pairs.clear();
        self.ui.say(self.ui.paint("1", &format!("Over {}", via_name(via))));
    }

    /// Who is where, before anything happens.
    pub fn topology(&self, spec: &Spec, vias: &[Via]) {
        let side = |access: &Access, public: &str, private: &str| {
            if access.nats().is_empty() {
                format!("{public:<14}──── no NAT ")
            } else {
                format!("{private:<14}──┤ {access}, outside {public} ├")
            }
        };
        let alice = side(&spec.alice, "212.50.4.18", "192.168.0.12");
        let bob = side(&spec.bob, "60.55.68.53", "10.0.0.7");
        let width = alice.chars().count().max(bob.chars().count());
        let pad = |line: &str| format!("{line}{}", "─".repeat(width - line.chars().count() + 2));
        let ui = self.ui;
        let over: Vec<&str> = vias.iter().map(|via| via_name(*via)).collect();
        ui.say(ui.paint("1", &format!("Alice calls Bob over {}.", over.join(", then over "))));
        ui.say(format!(
            "Simulated, in virtual time: round trip {} ms, seed {}, loss {}.",
            spec.rtt.as_millis(),
            spec.seed,
            loss(spec)
        ));
        ui.say("");
        ui.say(format!("  {} {}┐", self.name(Who::Alice), pad(&alice)));
        let gap = " ".repeat(width + 2);
        ui.say(format!(
            "        {gap}├── internet ── {} {CORE}: {}, STUN{} for {DOMAIN}",
            self.name(Who::Core),
            over.join(", "),
            if spec.turn { " and TURN" } else { "" }
        ));
        ui.say(format!("  {} {}┘", self.name(Who::Bob), pad(&bob)));
        ui.say("");
    }

    /// Something happened.
    pub fn happened(&mut self, told: &Told<'_>) {
        let What::Phone(event) = &told.what else { return };
        let Some(words) = self.words(told.who, event) else { return };
        self.pace(told.now.mono);
        let at = told.now.mono.as_nanos() as f64 / 1e9;
        self.ui.say(format!("{at:>9.3}  {} {words}", self.name(told.who)));
    }

    /// Nothing more happens.
    pub fn end(&self) {
        self.ui.say("");
    }

    fn words(&mut self, who: Who, event: &Event) -> Option<String> {
        match event {
            Event::Pair { pair, .. } => self.check(who, pair),
            Event::Candidate { candidate, .. } if candidate.component != 1 => None,
            Event::Candidate { candidate, .. } => {
                let what = match candidate.kind {
                    CandidateKind::Host => "own address",
                    CandidateKind::ServerReflexive => "outside address, from STUN",
                    CandidateKind::PeerReflexive => "outside address, seen by the other side",
                    CandidateKind::Relayed => "address on a relay",
                };
                Some(format!("candidate {} ({what})", candidate.endpoint))
            }
            Event::RemoteCandidates { candidates, .. } => {
                let mut list: Vec<String> = candidates
                    .iter()
                    .filter(|candidate| candidate.component == 1)
                    .map(|candidate| candidate.endpoint.to_string())
                    .collect();
                list.sort();
                // The rest is RTCP's.
                (!list.is_empty()).then(|| format!("is told to try {}", list.join(" and ")))
            }
            Event::Path { path, .. } => {
                let words = events::words(event)?;
                let colour = if path.relayed { "33" } else { "32" };
                Some(self.ui.paint(colour, &words))
            }
            Event::FirstMedia { .. } => Some("hears something".to_owned()),
            Event::PresenceChanged { who, available, .. } => {
                Some(format!("sees that {who} is {}", if *available { "there" } else { "gone" }))
            }
            // The last of these is the summary's.
            Event::Media { .. } | Event::NoPath { .. } => None,
            other => events::words(other),
        }
    }

    /// Checks of the first component as they go out and come to something.
    fn check(&mut self, who: Who, pair: &PairReport) -> Option<String> {
        let before = self.pairs.insert((who, pair.id), pair.state);
        // A pair that works is checked once more to be nominated.
        let again = before == Some(PairState::Succeeded) || before == Some(pair.state);
        if pair.component != 1 || again {
            return None;
        }
        let way = format!("{} → {}", pair.local.base, pair.remote.endpoint);
        match pair.state {
            PairState::InProgress => Some(format!("check {way}")),
            PairState::Succeeded => Some(self.ui.paint("32", &format!("check {way}: answered"))),
            PairState::Failed => Some(self.ui.paint("31", &format!("check {way}: {}", pair.fate))),
            PairState::Frozen | PairState::Waiting => None,
        }
    }

    fn name(&self, who: Who) -> String {
        let (name, colour) = match who {
            Who::Alice => ("Alice", "36"),
            Who::Core => ("core ", "1"),
            Who::Bob => ("Bob  ", "35"),
        };
        self.ui.paint(colour, name)
    }

    fn pace(&mut self, now: Instant) {
        if self.paced {
            let pause = (now - self.last) / SPEED;
            std::thread::sleep(pause.min(LONGEST));
        }
        self.last = now;
    }
}

fn loss(spec: &Spec) -> String {
    let (alice, bob) = (spec.alice_loss * 100.0, spec.bob_loss * 100.0);
    if alice == 0.0 && bob == 0.0 {
        "none".to_owned()
    } else {
        format!("{alice} % from Alice and {bob} % from Bob")
    }
}
