//! `wayleave demo`: the whole story on one machine, in virtual time.
//!
//! Two phones behind NATs of the user's choice, a core, a real call with real speech between them,
//! over SIP, over XMPP, or over each in turn; and what the same call does without ICE.
//!
//! | module | what |
//! |---|---|
//! | `view` | what a terminal shows while it happens |
//! | `outcome` | what was simulated, and what came of it |
//! | `why` | why a relay was needed, and what would have spared it |
//! | `summary` | what came of it: path, quality, NAT tables, the call without ICE |
//! | `report` | the same for programs: `report.json` |
//! | `page` | the same as a page to look at: `report.html` |
//! | `files` | what `--out` holds afterwards |

mod files;
mod outcome;
mod page;
mod report;
mod summary;
mod view;
mod why;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use phone::IceMode;
use scenarios::{Access, Spec, Told, Via, What, Who, run as simulate};
use serde_json::{Value, json};

use self::outcome::{Call, Outcome};
use crate::events;
use crate::failure::{Exit, Failure};
use crate::phone::account::unusable;
use crate::ui::{self, Ui};

const ALICE: &[u8] = include_bytes!("../../assets/alice.wav");
const BOB: &[u8] = include_bytes!("../../assets/bob.wav");

/// A call between two people behind NATs, simulated: over SIP, over XMPP, or over both.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// What Alice is behind: open, full-cone, address-restricted, port-restricted, symmetric,
    /// symmetric-sequential, double, symmetric-then-cone, udp-blocked, or mapping=apd,filtering=ad,…
    #[arg(long, value_name = "NAT", default_value = "port-restricted")]
    alice: Access,
    /// What Bob is behind
    #[arg(long, value_name = "NAT", default_value = "port-restricted")]
    bob: Access,
    /// Over what they call: sip, xmpp, or sip,xmpp for both, side by side
    #[arg(long, value_name = "PROTOCOL", default_value = "sip")]
    via: Vias,
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

/// Over what they call: each once.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Vias(Vec<Via>);

impl std::str::FromStr for Vias {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let mut vias = Vec::new();
        for name in text.split(',').map(str::trim) {
            let via = [Via::Sip, Via::Xmpp].into_iter().find(|via| via.name() == name);
            let via = via.ok_or_else(|| format!("{name} is neither sip nor xmpp"))?;
            if vias.contains(&via) {
                return Err(format!("{name} stands there twice"));
            }
            vias.push(via);
        }
        Ok(Self(vias))
    }
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

/// Runs the call over each signalling, with ICE and without, and tells what came of it.
pub fn run(args: Args, ui: &Ui) -> Result<(), Failure> {
    let spec = spec(&args)?;
    let mut view = view::View::new(ui, ui::is_terminal() && !ui.is_json());
    view.topology(&spec, &args.via.0);
    let several = args.via.0.len() > 1;
    let calls = args.via.0.iter().map(|&via| {
        if several {
            view.over(via);
        }
        let spec = Spec { via, ..spec.clone() };
        let report = simulate(&spec, |told| {
            tell(ui, via, told);
            view.happened(told);
        });
        view.end();
        let without = Spec { ice: IceMode::Off, capture: false, ..spec.clone() };
        let without = simulate(&without, |_| {});
        Call::new(spec, report, without)
    });
    let outcome = Outcome { calls: calls.collect() };
    summary::show(ui, &outcome);
    let files = files::write(&args.out, &outcome)?;
    summary::files(ui, &outcome, &files);
    outcome.failed().map_or(Ok(()), |call| Err(no_path(call)))
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
fn tell(ui: &Ui, via: Via, told: &Told<'_>) {
    let What::Phone(event) = told.what else { return };
    if let Some((name, mut fields)) = events::fields(event) {
        if let Value::Object(fields) = &mut fields {
            fields.insert("who".to_owned(), json!(told.who.name()));
            fields.insert("via".to_owned(), json!(via.name()));
        }
        ui.event_at(told.now.mono.as_millis(), name, fields);
    }
}

fn no_path(call: &Call) -> Failure {
    let mut message = match call.report.alice.answered {
        Some(_) => "the call was answered, and no media path was found".to_owned(),
        None => "the call did not come about: signalling did not get through".to_owned(),
    };
    let mut remedies = Vec::new();
    if let Some(verdict) = call.verdict(Who::Alice) {
        message = format!("{}\n  {}", verdict.verdict, verdict.causes.join("\n  "));
        remedies = verdict.remedies;
    }
    let failure = Failure::new(Exit::NoMediaPath, "media", message);
    if remedies.is_empty() { failure } else { failure.with_remedy(remedies.join("; or ")) }
}

#[cfg(test)]
mod tests {
    use scenarios::Via;

    use super::{Loss, Vias};

    #[test]
    fn over_what_is_one_protocol_or_both() {
        assert_eq!("xmpp".parse(), Ok(Vias(vec![Via::Xmpp])));
        assert_eq!("sip,xmpp".parse(), Ok(Vias(vec![Via::Sip, Via::Xmpp])));
        assert!(["h323", "sip,sip", ""].iter().all(|text| text.parse::<Vias>().is_err()));
    }

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
