//! `wayleave demo`: the whole story on one machine, in virtual time.
//!
//! Two phones behind NATs of the user's choice, a core, a real call with real speech between them;
//! and what the same call does without ICE.
//!
//! | module | what |
//! |---|---|
//! | `view` | what a terminal shows while it happens |
//! | `why` | why a relay was needed, and what would have spared it |
//! | `summary` | what came of it: path, quality, NAT tables, the call without ICE |
//! | `report` | the same for programs: `report.json` |
//! | `files` | what `--out` holds afterwards |

mod files;
mod report;
mod summary;
mod view;
mod why;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use phone::IceMode;
use scenarios::{Access, Report, Spec, What, Who, run as simulate};
use serde_json::{Value, json};

use crate::events;
use crate::explain::{self, Verdict};
use crate::failure::{Exit, Failure};
use crate::phone::args::unusable;
use crate::ui::{self, Ui};

const ALICE: &[u8] = include_bytes!("../../assets/alice.wav");
const BOB: &[u8] = include_bytes!("../../assets/bob.wav");

/// A call between two people behind NATs, simulated.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// What Alice is behind: open, full-cone, address-restricted, port-restricted, symmetric,
    /// symmetric-sequential, double, symmetric-then-cone, udp-blocked, or mapping=apd,filtering=ad,…
    #[arg(long, value_name = "NAT", default_value = "port-restricted")]
    alice: Access,
    /// What Bob is behind
    #[arg(long, value_name = "NAT", default_value = "port-restricted")]
    bob: Access,
    /// Over what they call: sip (xmpp comes with a later version)
    #[arg(long, default_value = "sip")]
    via: String,
    /// Without a relay (TURN)
    #[arg(long)]
    no_turn: bool,
    /// Round-trip time between any two of Alice, Bob and the core, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 40)]
    rtt: u64,
    /// Packets lost of a hundred on the way from Alice and from Bob: 5 for both, 5,0 for Alice's
    #[arg(long, value_name = "PERCENT", default_value = "0")]
    loss: Loss,
    /// What Alice says: a PCM WAV file of 8 to 48 kHz
    #[arg(long, value_name = "FILE.wav")]
    play: Option<PathBuf>,
    /// Where the files go
    #[arg(long, value_name = "DIR", default_value = "wayleave-demo")]
    out: PathBuf,
    /// All chance comes from this number
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// Percent of packets lost, from Alice and from Bob.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Loss {
    alice: f64,
    bob: f64,
}

impl std::str::FromStr for Loss {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let percent = |text: &str| match text.trim_end_matches('%').parse::<f64>() {
            Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent),
            _ => Err(format!("{text} is no percentage from 0 to 100")),
        };
        let (alice, bob) = text.split_once(',').unwrap_or((text, text));
        Ok(Self { alice: percent(alice)?, bob: percent(bob)? })
    }
}

/// Runs the call, with ICE and without, and tells what came of it.
pub fn run(args: Args, ui: &Ui) -> Result<(), Failure> {
    if args.via != "sip" {
        return Err(Failure::usage(format!("--via {} is not built yet: sip is", args.via)));
    }
    let spec = spec(&args)?;
    let mut view = view::View::new(ui, ui::is_terminal() && !ui.is_json());
    view.topology(&spec);
    let report = simulate(&spec, |told| {
        tell(ui, told.who, told.now.mono.as_millis(), &told.what);
        view.happened(told);
    });
    view.end();
    let without = Spec { ice: IceMode::Off, capture: false, ..spec.clone() };
    let without = simulate(&without, |_| {});
    let at_ms = report.world.now().mono.as_millis();
    let outcome = Outcome { spec: &spec, call: &report, without: &without };
    summary::show(ui, at_ms, &outcome);
    let files = files::write(&args.out, &outcome)?;
    summary::files(ui, at_ms, &files);
    if report.connected() { Ok(()) } else { Err(no_path(&outcome)) }
}

/// What was simulated, and what came of it.
struct Outcome<'a> {
    spec: &'a Spec,
    call: &'a Report,
    /// The same call without ICE.
    without: &'a Report,
}

impl Outcome<'_> {
    /// Why one side has the path that it has, or none: by what its ICE saw, and by what both sides
    /// are known to be behind.
    fn verdict(&self, who: Who) -> Option<Verdict> {
        let side = self.call.side(who);
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
}

fn spec(args: &Args) -> Result<Spec, Failure> {
    let voice = |bytes: &[u8]| audio::wav::decode(bytes).context("a built-in voice is broken");
    let alice_says = match &args.play {
        Some(path) => audio::wav::read(path).map_err(|error| unusable("play", path, &error))?,
        None => voice(ALICE)?,
    };
    let rtt = Duration::from_millis(args.rtt);
    if rtt > Duration::from_secs(10) {
        return Err(Failure::usage("--rtt goes up to 10000 ms"));
    }
    Ok(Spec {
        alice: args.alice.clone(),
        bob: args.bob.clone(),
        rtt,
        alice_loss: args.loss.alice / 100.0,
        bob_loss: args.loss.bob / 100.0,
        alice_says: Arc::from(alice_says),
        bob_says: Arc::from(voice(BOB)?),
        capture: true,
        turn: !args.no_turn,
        seed: args.seed,
        ..Spec::default()
    })
}

/// Tells programs what happened, with the name of whom it happened to.
fn tell(ui: &Ui, who: Who, at_ms: u64, what: &What<'_>) {
    let What::Phone(event) = what else { return };
    if let Some((name, mut fields)) = events::fields(event) {
        if let Value::Object(fields) = &mut fields {
            fields.insert("who".to_owned(), json!(who.name()));
        }
        ui.event_at(at_ms, name, fields);
    }
}

fn no_path(outcome: &Outcome<'_>) -> Failure {
    let mut message = match outcome.call.alice.answered {
        Some(_) => "the call was answered, and no media path was found".to_owned(),
        None => "the call did not come about: signalling did not get through".to_owned(),
    };
    let mut remedies = Vec::new();
    if let Some(verdict) = outcome.verdict(Who::Alice) {
        message = format!("{}\n  {}", verdict.verdict, verdict.causes.join("\n  "));
        remedies = verdict.remedies;
    }
    let failure = Failure::new(Exit::NoMediaPath, "media", message);
    if remedies.is_empty() { failure } else { failure.with_remedy(remedies.join("; or ")) }
}

#[cfg(test)]
mod tests {
    use super::Loss;

    #[test]
    fn loss_is_one_number_or_two() {
        assert_eq!("5".parse(), Ok(Loss { alice: 5.0, bob: 5.0 }));
        assert_eq!("5%,0".parse(), Ok(Loss { alice: 5.0, bob: 0.0 }));
        assert!("101".parse::<Loss>().is_err() && "x".parse::<Loss>().is_err());
    }

    #[test]
    fn the_voices_are_sound() {
        for (voice, secs) in [(super::ALICE, 6..11), (super::BOB, 2..9)] {
            let samples = audio::wav::decode(voice).unwrap();
            assert!(secs.contains(&(samples.len() / 8000)), "{}", samples.len());
        }
    }
}
