//! `wayleave call`: one call, from ringing to its end.

use std::time::Duration;

use phone::{
    EndKind, EndReason, Event, Explanation, JingleEnd, Path, Reason, Source, Stats, Target,
};

use super::line::{Line, Next};
use super::record::Tape;
use super::{absent, args};
use crate::failure::{Exit, Failure};
use crate::ui::Ui;
use crate::{events, explain, signal};

/// Call somebody.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Whom: sip:bob@example.org, xmpp:bob@example.org, or bob@example.org in the protocol of --as
    #[arg(value_name = "TARGET")]
    target: String,
    #[command(flatten)]
    phone: args::Args,
}

/// After the last word of `--play`, before hanging up: the other side has yet to hear it.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Calls, and comes back when the call is over.
///
/// It hangs up after `--duration`, or when what `--play` gave has been said, or at Ctrl-C.
pub fn run(args: Args, ui: &Ui) -> Result<(), Failure> {
    let target = args.phone.account.target(&args.target)?;
    let setup = args.phone.setup(ui)?;
    signal::block_on(async {
        let (source, plays) = (setup.source.clone(), setup.plays);
        let tape = Tape::new(args.phone.record.clone())?;
        let mut line = Line::open(setup, ui).await?;
        let mut conversation = Conversation::new(tape, plays, &args.phone);
        let held = conversation.hold(&mut line, target.clone(), source).await;
        let closed = line.close().await;
        held.and(closed)?;
        conversation.end(&target, ui)
    })
}

/// What is known of the call under way.
struct Conversation<'a> {
    tape: Tape,
    plays: bool,
    args: &'a args::Args,
    answered: bool,
    path: Option<(Path, Option<Box<Explanation>>)>,
    failure: Option<Box<Explanation>>,
    stats: Option<Box<Stats>>,
    /// `--duration` runs, or the last words do.
    timed: bool,
    /// How it went; none until it is over.
    outcome: Option<Outcome>,
}

enum Outcome {
    /// The user stopped it.
    Interrupted,
    /// All that was to be said is said.
    Done,
    /// It ended by itself.
    Ended(EndReason),
}

impl<'a> Conversation<'a> {
    fn new(tape: Tape, plays: bool, args: &'a args::Args) -> Self {
        Self {
            tape,
            plays,
            args,
            answered: false,
            path: None,
            failure: None,
            stats: None,
            timed: false,
            outcome: None,
        }
    }

    /// Calls, and comes back when the phone has stopped.
    async fn hold(
        &mut self,
        line: &mut Line<'_>,
        target: Target,
        source: Source,
    ) -> Result<(), Failure> {
        let call = line.verb(move |phone, now| phone.call(now, 0, &target, source)).await?;
        let call = call.map_err(anyhow::Error::from)?;
        loop {
            match line.next().await? {
                Next::Event(Event::Stopped) => return Ok(()),
                // One call at a time: our own, which may be to ourselves.
                Next::Event(Event::Incoming { call, .. }) => {
                    line.verb(move |phone, now| phone.reject(now, call, true)).await?;
                }
                Next::Event(event) if events::call_of(&event) != Some(call) => {}
                Next::Event(Event::Ended { reason, .. }) => {
                    self.stop(line, Outcome::Ended(reason)).await?;
                }
                Next::Event(event) => self.handle(event, line)?,
                Next::Signal => self.stop(line, Outcome::Interrupted).await?,
                Next::Time => self.stop(line, Outcome::Done).await?,
            }
        }
    }

    /// Hangs up, if that was not done; the first reason counts.
    async fn stop(&mut self, line: &mut Line<'_>, outcome: Outcome) -> Result<(), Failure> {
        self.outcome.get_or_insert(outcome);
        line.stop().await
    }

    fn handle(&mut self, event: Event, line: &mut Line<'_>) -> Result<(), Failure> {
        match event {
            Event::Answered { .. } => self.answered = true,
            Event::Path { path, explanation, .. } => self.path = Some((path, explanation)),
            Event::Heard { samples, .. } => self.tape.write(&samples)?,
            Event::Played { .. } if self.plays && self.args.duration.is_none() => {
                self.set_deadline(line, LAST_WORDS);
            }
            Event::Media { stats, .. } => self.stats = Some(stats),
            Event::NoPath { explanation, .. } => self.failure = Some(explanation),
            _ => {}
        }
        // A conversation needs both: media may come early, and a path may change.
        if let (true, Some(_), Some(duration)) = (self.answered, &self.path, self.args.duration) {
            self.set_deadline(line, duration);
        }
        Ok(())
    }

    fn set_deadline(&mut self, line: &mut Line<'_>, duration: Duration) {
        if !std::mem::replace(&mut self.timed, true) {
            line.set_deadline(duration);
        }
    }

    /// Tells how it went.
    fn end(mut self, target: &Target, ui: &Ui) -> Result<(), Failure> {
        self.tape.end()?;
        self.explain(ui);
        if let (Some(stats), false) = (&self.stats, ui.is_json()) {
            ui.say(events::media_words(stats));
        }
        match self.outcome {
            Some(Outcome::Done) => Ok(()),
            Some(Outcome::Interrupted) => Err(Failure::interrupted()),
            Some(Outcome::Ended(reason)) => outcome(&reason, &target.to_string()),
            None => Err(Failure::new(Exit::Failed, "failed", "the phone has stopped")),
        }
    }

    /// A call without a path is always explained, others when asked.
    fn explain(&self, ui: &Ui) {
        let (explanation, path) = match (&self.failure, &self.path) {
            (Some(explanation), _) => (explanation, None),
            (None, Some((path, Some(explanation)))) if self.args.explain => {
                ui.event("explain", explain::fields(explanation, Some(path)));
                (explanation, Some(path))
            }
            _ => return,
        };
        let verdict = explain::verdict(explanation, path);
        ui.say(verdict.verdict);
        verdict.causes.iter().for_each(|cause| ui.say(format!("  {cause}")));
        verdict.remedies.iter().for_each(|remedy| ui.say(format!("  would help: {remedy}")));
        if self.args.explain {
            explanation.words().iter().for_each(|line| ui.say(format!("  {line}")));
        }
    }
}

/// How the end of a call with `whom` is told to people and to scripts, whichever protocol it was over.
pub fn outcome(reason: &EndReason, whom: &str) -> Result<(), Failure> {
    let failed = format!("the call failed: {reason}");
    let (exit, kind, message, remedy) = match reason.kind() {
        EndKind::HungUp => return Ok(()),
        EndKind::Busy => (Exit::Busy, "busy", format!("{whom} is busy"), None),
        EndKind::Declined => (Exit::Declined, "declined", format!("{whom} declined"), None),
        EndKind::NoAnswer => (
            Exit::NoAnswer,
            "no-answer",
            format!("{whom} does not answer"),
            Some("their phone is off, or nobody took the call: try again later"),
        ),
        EndKind::NotFound => {
            (Exit::Unreachable, "unreachable", format!("the core knows no {whom}"), None)
        }
        EndKind::Unreachable => {
            let message = format!("the core or {whom} cannot be reached: {reason}");
            (Exit::Unreachable, "unreachable", message, None)
        }
        EndKind::Unauthorized => (Exit::Authentication, "authentication", failed, None),
        EndKind::NoMedia => (Exit::NoMediaPath, "media", failed, None),
        EndKind::Encryption => (
            Exit::Encryption,
            "encryption",
            failed,
            Some("the other side wants media to be encrypted, which is not built yet"),
        ),
        EndKind::Negotiation | EndKind::Failed if is_refusal(reason) => {
            (Exit::Failed, "refused", failed, None)
        }
        EndKind::Negotiation => (Exit::Failed, "negotiation", failed, None),
        EndKind::Cancelled | EndKind::Abandoned | EndKind::Failed => {
            (Exit::Failed, "failed", failed, None)
        }
    };
    let absence = absent::of_call(reason, whom);
    let (message, remedy) =
        absence.map_or((message, remedy), |absence| (absence.message, Some(absence.remedy)));
    let failure = Failure::new(exit, kind, message);
    Err(match remedy {
        Some(remedy) => failure.with_remedy(remedy),
        None => failure,
    })
}

/// Whether the other side said that the call is over, rather than something here.
const fn is_refusal(reason: &EndReason) -> bool {
    matches!(
        reason,
        EndReason::Signalling(Reason::Refused { .. })
            | EndReason::Jingle(JingleEnd::Terminated { .. } | JingleEnd::Refused { .. })
    )
}

#[cfg(test)]
mod tests {
    use phone::{Condition, EndReason, JingleEnd, Reason};
    use sip::Status;

    use super::outcome;
    use crate::failure::Exit;

    #[test]
    fn unknown_offline_and_elsewhere_are_told_apart() {
        let refused = |condition| JingleEnd::Refused { condition, text: None }.into();
        let status = Status::new(480).unwrap();
        let offline = EndReason::Signalling(Reason::Refused { status, phrase: String::new() });
        for (reason, words) in [
            (refused(Condition::ItemNotFound), "knows no bob@a.test"),
            (refused(Condition::ServiceUnavailable), "does not say which"),
            (refused(Condition::RemoteServerNotFound), "does not reach the domain a.test"),
            (offline, "is not there at the moment"),
        ] {
            let failure = outcome(&reason, "bob@a.test").unwrap_err();
            assert!(failure.message.contains(words), "{failure}");
            assert!(failure.remedy.is_some());
        }
    }

    #[test]
    fn ends_have_exit_codes() {
        let refused = |code| {
            let status = Status::new(code).unwrap();
            EndReason::Signalling(Reason::Refused { status, phrase: String::new() })
        };
        assert!(outcome(&EndReason::Signalling(Reason::Bye), "bob").is_ok());
        for (reason, exit) in [
            (refused(486), Exit::Busy),
            (refused(600), Exit::Busy),
            (refused(603), Exit::Declined),
            (refused(480), Exit::NoAnswer),
            (refused(408), Exit::NoAnswer),
            (refused(404), Exit::Unreachable),
            (refused(503), Exit::Unreachable),
            (refused(488), Exit::Failed),
            (EndReason::NoPath, Exit::NoMediaPath),
            (EndReason::Silent, Exit::NoMediaPath),
            (EndReason::Signalling(Reason::TimedOut), Exit::Unreachable),
            (EndReason::Signalling(Reason::Unauthorized), Exit::Authentication),
            (JingleEnd::Rejected { busy: true }.into(), Exit::Busy),
            (JingleEnd::TimedOut.into(), Exit::NoAnswer),
            (JingleEnd::Offline.into(), Exit::Unreachable),
        ] {
            assert_eq!(outcome(&reason, "bob").unwrap_err().exit, exit, "{reason}");
        }
    }
}
