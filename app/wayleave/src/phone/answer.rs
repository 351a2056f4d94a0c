//! `wayleave answer`: takes calls by itself.

use phone::{CallId, EndKind, EndReason, Event, Source, Stats};

use super::args;
use super::call::outcome;
use super::line::{Line, Next};
use super::record::Tape;
use crate::events;
use crate::failure::Failure;
use crate::signal;
use crate::ui::Ui;

/// Answer every call.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    phone: args::Args,
    /// End after the first call
    #[arg(long)]
    once: bool,
}

/// Answers one call at a time; a second caller hears busy.
pub fn run(args: Args, ui: &Ui) -> Result<(), Failure> {
    let setup = args.phone.setup(ui)?;
    signal::block_on(async {
        let source = setup.source.clone();
        let tape = Tape::new(args.phone.record.clone())?;
        let mut line = Line::open(setup, ui).await?;
        if !ui.is_json() {
            ui.say("waiting for calls; Ctrl-C ends");
        }
        let (current, result) = (None, Ok(()));
        let mut desk = Desk { args: &args, source, tape, current, result };
        let served = desk.serve(&mut line, ui).await;
        let closed = line.close().await;
        served.and(closed).and(desk.result)
    })
}

/// Who is spoken with.
struct Desk<'a> {
    args: &'a Args,
    source: Source,
    tape: Tape,
    current: Option<Conversation>,
    /// How it ends.
    result: Result<(), Failure>,
}

struct Conversation {
    call: CallId,
    /// `--duration` runs: since there is a path.
    timed: bool,
    stats: Option<Box<Stats>>,
}

impl Desk<'_> {
    async fn serve(&mut self, line: &mut Line<'_>, ui: &Ui) -> Result<(), Failure> {
        loop {
            match line.next().await? {
                Next::Event(Event::Stopped) => return Ok(()),
                Next::Event(Event::Incoming { call, .. }) => self.incoming(call, line).await?,
                Next::Event(Event::Ended { call, reason, .. }) if self.speaks(call) => {
                    self.ended(&reason, line, ui).await?;
                }
                Next::Event(Event::RegistrationFailed { reason, retry_in: None, .. }) => {
                    // Nobody can call any more.
                    self.result = Err(line.registration_failure(&reason));
                    if self.current.is_none() {
                        line.stop().await?;
                    }
                }
                Next::Event(event) => self.handle(event, line, ui)?,
                Next::Signal => {
                    self.result = Err(Failure::interrupted());
                    line.stop().await?;
                }
                Next::Time => {
                    if let Some(Conversation { call, .. }) = self.current {
                        line.verb(move |phone, now| phone.hang_up(now, call)).await?;
                    }
                }
            }
        }
    }

    fn speaks(&self, call: CallId) -> bool {
        self.current.as_ref().is_some_and(|current| current.call == call)
    }

    async fn incoming(&mut self, call: CallId, line: &Line<'_>) -> Result<(), Failure> {
        if self.current.is_some() {
            return line.verb(move |phone, now| phone.reject(now, call, true)).await;
        }
        self.current = Some(Conversation { call, timed: false, stats: None });
        self.tape.begin()?;
        let source = self.source.clone();
        line.verb(move |phone, now| phone.answer(now, call, source)).await
    }

    async fn ended(
        &mut self,
        reason: &EndReason,
        line: &mut Line<'_>,
        ui: &Ui,
    ) -> Result<(), Failure> {
        line.clear_deadline();
        self.tape.end()?;
        let stats = self.current.take().and_then(|current| current.stats);
        if let (Some(stats), false) = (stats, ui.is_json()) {
            ui.say(events::media_words(&stats));
        }
        // Who gave up before the answer was no call.
        let abandoned = reason.kind() == EndKind::Abandoned;
        if self.result.is_ok() && self.args.once && !abandoned {
            self.result = outcome(reason, "the caller");
            return line.stop().await;
        }
        if self.result.is_err() { line.stop().await } else { Ok(()) }
    }

    fn handle(&mut self, event: Event, line: &mut Line<'_>, ui: &Ui) -> Result<(), Failure> {
        let Some(current) = &mut self.current else { return Ok(()) };
        match event {
            Event::Path { call, .. } if call == current.call => {
                // A path may change; the time goes on.
                if let (Some(duration), false) = (self.args.phone.duration, current.timed) {
                    current.timed = true;
                    line.set_deadline(duration);
                }
            }
            Event::Heard { call, samples } if call == current.call => self.tape.write(&samples)?,
            Event::Media { call, stats } if call == current.call => current.stats = Some(stats),
            Event::NoPath { call, explanation } if call == current.call && !ui.is_json() => {
                explanation.words().iter().for_each(|line| ui.say(format!("  {line}")));
            }
            _ => {}
        }
        Ok(())
    }
}
