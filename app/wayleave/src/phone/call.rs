//! `wayleave call`: one call, from ringing to its end.

use phone::{CallId, EndReason, Event, Explanation, Path, Reason, Stats};

use super::args::{self, Setup};
use super::line::{Line, Next};
use super::record::Tape;
use crate::failure::{Exit, Failure};
use crate::ui::Ui;
use crate::{events, explain, signal};

/// Call somebody.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Whom: sip:bob@example.org
    #[arg(value_name = "TARGET")]
    target: String,
    #[command(flatten)]
    phone: args::Args,
}

/// Calls, and comes back when the call is over.
///
/// It hangs up after `--duration`, or when what `--play` gave has been said, or at Ctrl-C.
pub fn run(args: Args, ui: &Ui) -> Result<(), Failure> {
    let target = args::uri(&args.target)?;
    let setup = args.phone.setup(ui)?;
    signal::block_on(async {
        let Setup { source, plays, .. } = setup.clone();
        let line = Line::open(setup, ui).await?;
        let call = line.verb(move |phone, now| phone.call(now, 0, &target, source)).await?;
        let call = call.map_err(anyhow::Error::from)?;
        let tape = Tape::new(args.phone.record.clone());
        let conversation = Conversation::new(call, tape, plays, &args.phone);
        conversation.run(line, ui).await
    })
}

/// What is known of a call under way.
struct Conversation<'a> {
    call: CallId,
    tape: Tape,
    plays: bool,
    args: &'a args::Args,
    path: Option<(Path, Option<Box<Explanation>>)>,
    failure: Option<Box<Explanation>>,
    stats: Option<Box<Stats>>,
    interrupted: bool,
}

impl<'a> Conversation<'a> {
    fn new(call: CallId, tape: Tape, plays: bool, args: &'a args::Args) -> Self {
        let (path, failure, stats) = (None, None, None);
        Self { call, tape, plays, args, path, failure, stats, interrupted: false }
    }

    async fn run(mut self, mut line: Line<'_>, ui: &Ui) -> Result<(), Failure> {
        self.tape.begin()?;
        let reason = loop {
            match line.next().await? {
                Next::Event(Event::Ended { reason, .. }) => break reason,
                Next::Event(event) => self.handle(event, &mut line).await?,
                Next::Signal => {
                    self.interrupted = true;
                    self.hang_up(&line).await?;
                }
                Next::Time => self.hang_up(&line).await?,
            }
        };
        self.tape.end()?;
        line.close().await?;
        self.explain(ui);
        if let (Some(stats), false) = (&self.stats, ui.is_json()) {
            ui.say(events::media_words(stats));
        }
        if self.interrupted {
            return Err(Failure::interrupted());
        }
        outcome(&reason)
    }

    async fn handle(&mut self, event: Event, line: &mut Line<'_>) -> Result<(), Failure> {
        match event {
            Event::Path { path, explanation, .. } => {
                if self.path.is_none()
                    && let Some(duration) = self.args.duration
                {
                    line.set_deadline(duration);
                }
                self.path = Some((path, explanation));
            }
            Event::Heard { samples, .. } => self.tape.write(&samples)?,
            Event::Played { .. } if self.plays && self.args.duration.is_none() => {
                self.hang_up(line).await?;
            }
            Event::Media { stats, .. } => self.stats = Some(stats),
            Event::NoPath { explanation, .. } => self.failure = Some(explanation),
            _ => {}
        }
        Ok(())
    }

    async fn hang_up(&self, line: &Line<'_>) -> Result<(), Failure> {
        let call = self.call;
        line.verb(move |phone, now| phone.hang_up(now, call)).await
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

/// How a call's end is told to scripts.
pub fn outcome(reason: &EndReason) -> Result<(), Failure> {
    let message = format!("the call failed: {reason}");
    let failure = |exit, kind| Err(Failure::new(exit, kind, message.clone()));
    match reason {
        EndReason::Signalling(Reason::Bye) => Ok(()),
        EndReason::NoPath => failure(Exit::NoMediaPath, "media"),
        EndReason::Signalling(reason) => match reason {
            Reason::Unauthorized | Reason::NoCredentials => {
                failure(Exit::Authentication, "authentication")
            }
            Reason::Refused { status, .. } => match status.code() {
                486 | 600 => failure(Exit::Busy, "busy"),
                603 => failure(Exit::Declined, "declined"),
                408 | 480 => failure(Exit::NoAnswer, "no-answer"),
                403 | 404 | 410 | 416 | 484 | 502 | 503 | 604 => {
                    failure(Exit::Unreachable, "unreachable")
                }
                _ => failure(Exit::Failed, "refused"),
            },
            Reason::TimedOut => failure(Exit::NoAnswer, "no-answer"),
            Reason::Transport(_) => failure(Exit::Unreachable, "unreachable"),
            _ => failure(Exit::Failed, "failed"),
        },
        EndReason::Call(_) | EndReason::Description => failure(Exit::Failed, "negotiation"),
    }
}

#[cfg(test)]
mod tests {
    use phone::{EndReason, Reason};
    use sip::Status;

    use super::outcome;
    use crate::failure::Exit;

    #[test]
    fn ends_have_exit_codes() {
        let refused = |code| {
            let status = Status::new(code).unwrap();
            EndReason::Signalling(Reason::Refused { status, phrase: String::new() })
        };
        assert!(outcome(&EndReason::Signalling(Reason::Bye)).is_ok());
        for (reason, exit) in [
            (refused(486), Exit::Busy),
            (refused(603), Exit::Declined),
            (refused(480), Exit::NoAnswer),
            (refused(404), Exit::Unreachable),
            (EndReason::NoPath, Exit::NoMediaPath),
            (EndReason::Signalling(Reason::Unauthorized), Exit::Authentication),
        ] {
            assert_eq!(outcome(&reason).unwrap_err().exit, exit);
        }
    }
}
