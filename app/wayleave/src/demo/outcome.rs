//! What was simulated, and what came of it: all that the summary, the files and the page are made of.

use std::net::IpAddr;
use std::time::Duration;

use machine::{Endpoint, Instant};
use netsim::Overheard;
use scenarios::call::owner;
use scenarios::{Report, Spec, Via, Who};

use super::why;
use crate::explain::{self, Verdict};
use crate::ladder::read::{Seen, Sighting, read};
use crate::ladder::{Ladder, Row, Topic};

/// The same call over each signalling that was asked for, in that order; one at least.
#[derive(Debug)]
pub struct Outcome {
    /// The calls.
    pub calls: Vec<Call>,
}

/// One call.
#[derive(Debug)]
pub struct Call {
    /// What was simulated.
    pub spec: Spec,
    /// What came of it.
    pub report: Report,
    /// What came of it without ICE.
    pub without: Report,
    /// Who said what to whom.
    pub ladder: Ladder,
}

impl Outcome {
    /// The first call, which stands for all where one is enough.
    pub fn first(&self) -> &Call {
        self.calls.first().expect("at least one call was asked for")
    }

    /// The first call that did not connect.
    pub fn failed(&self) -> Option<&Call> {
        self.calls.iter().find(|call| !call.report.connected())
    }
}

impl Call {
    /// With the ladder that its captures show.
    pub fn new(spec: Spec, report: Report, without: Report) -> Self {
        let ladder = ladder(&report);
        Self { spec, report, without, ladder }
    }

    /// Why one side has the path that it has, or none: by what its ICE saw, and by what both sides
    /// are known to be behind.
    pub fn verdict(&self, who: Who) -> Option<Verdict> {
        let side = self.report.side(who);
        let explanation = side.explanation.as_ref()?;
        let mut verdict = explain::verdict(explanation, side.path.as_ref());
        let relayed = side.path.as_ref().is_none_or(|path| path.relayed);
        if let Some(why) = why::why(&self.spec.alice, &self.spec.bob).filter(|_| relayed) {
            verdict.causes = [why.causes, explain::attempts(explanation)].concat();
            verdict.remedies = why.remedies;
            if side.path.is_none() && !self.spec.turn {
                verdict.remedies.insert(0, "a relay (TURN)".to_owned());
            }
        }
        Some(verdict)
    }

    /// Checks of ICE that both sides sent.
    pub fn checks(&self) -> u64 {
        let sides = [&self.report.alice, &self.report.bob];
        sides.iter().filter_map(|side| side.explanation.as_ref()).map(|ice| ice.checks_sent).sum()
    }

    /// Messages of one topic that the ladder shows.
    pub fn messages(&self, wanted: Topic) -> usize {
        let of = |row: &&Row| matches!(row, Row::Message { topic, .. } if *topic == wanted);
        self.ladder.rows.iter().filter(of).count()
    }
}

/// The name of a signalling as people write it.
pub const fn via_name(via: Via) -> &'static str {
    match via {
        Via::Sip => "SIP",
        Via::Xmpp => "XMPP",
    }
}

/// The columns of a ladder.
pub const COLUMNS: [Who; 3] = [Who::Alice, Who::Core, Who::Bob];

fn column(who: Who) -> usize {
    COLUMNS.iter().position(|known| *known == who).unwrap_or_default()
}

/// The ladder that the captures of a call show, with the beginnings of its parts.
fn ladder(report: &Report) -> Ladder {
    let now = report.world.now();
    let start = now.unix - since_start(now.mono);
    let who = |tap| report.topology.taps.iter().find(|(_, known)| *known == tap);
    let sightings = report.world.overheard().filter_map(|overheard| {
        let (tap, at, what) = match overheard {
            Overheard::Packet(packet) => {
                let inbound = packet.inbound?;
                let what = if inbound { Seen::In(packet.bytes) } else { Seen::Out(packet.bytes) };
                (packet.tap, packet.at, what)
            }
            Overheard::Plaintext(said) => {
                (said.tap, said.at, Seen::Wrote(said.local, said.remote, said.bytes))
            }
        };
        let (who, _) = who(tap)?;
        Some(Sighting { at: at.saturating_sub(start), column: column(*who), what })
    });
    let column_of = |ip: IpAddr| owner(&report.topology, Endpoint::new(ip, 0)).map(column);
    let mut ladder = read(&COLUMNS.map(Who::name), sightings, column_of);
    ladder.origin = report.dialled.map(since_start).unwrap_or_default();
    ladder.note(notes(report));
    ladder
}

/// What begins when, for the reader.
fn notes(report: &Report) -> Vec<(Duration, String)> {
    let ended = report.alice.ended.as_ref().map(|(at, ..)| *at);
    let parts = [
        (Some(Instant::ORIGIN), "Alice and Bob make themselves reachable"),
        (report.dialled, "Alice calls Bob"),
        (report.taken, "Bob takes the call"),
        (report.alice.path_since.max(report.bob.path_since), "both have a path"),
        (ended, "the call is over"),
    ];
    let at = |(at, text): (Option<Instant>, &str)| Some((since_start(at?), text.to_owned()));
    parts.into_iter().filter_map(at).collect()
}

/// Time since a world's start.
pub fn since_start(at: Instant) -> Duration {
    at.saturating_since(Instant::ORIGIN)
}
