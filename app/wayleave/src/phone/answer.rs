//! `wayleave answer`: takes calls by itself.

use std::collections::BTreeSet;

use phone::{CallId, Event, Source};

use super::args;
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
        let line = Line::open(setup, ui).await?;
        if !ui.is_json() {
            ui.say("waiting for calls; Ctrl-C ends");
        }
        let tape = Tape::new(args.phone.record.clone());
        let desk = Desk { args: &args, source, tape, current: None, busy: BTreeSet::new() };
        desk.run(line, ui).await
    })
}

/// Who is spoken with, and who was told that we are busy.
struct Desk<'a> {
    args: &'a Args,
    source: Source,
    tape: Tape,
    current: Option<CallId>,
    busy: BTreeSet<CallId>,
}

impl Desk<'_> {
    async fn run(mut self, mut line: Line<'_>, ui: &Ui) -> Result<(), Failure> {
        loop {
            match line.next().await? {
                Next::Event(Event::Ended { call, .. }) => {
                    if self.busy.remove(&call) {
                        continue;
                    }
                    self.current = None;
                    self.tape.end()?;
                    if self.args.once {
                        return line.close().await;
                    }
                }
                Next::Event(event) => self.handle(event, &mut line, ui).await?,
                Next::Signal => {
                    line.close().await?;
                    self.tape.end()?;
                    return Err(Failure::interrupted());
                }
                Next::Time => {
                    if let Some(call) = self.current {
                        line.verb(move |phone, now| phone.hang_up(now, call)).await?;
                    }
                }
            }
        }
    }

    async fn handle(&mut self, event: Event, line: &mut Line<'_>, ui: &Ui) -> Result<(), Failure> {
        match event {
            Event::Incoming { call, .. } if self.current.is_some() => {
                self.busy.insert(call);
                line.verb(move |phone, now| phone.reject(now, call, true)).await?;
            }
            Event::Incoming { call, .. } => {
                self.current = Some(call);
                self.tape.begin()?;
                let source = self.source.clone();
                line.verb(move |phone, now| phone.answer(now, call, source)).await?;
            }
            Event::Path { .. } => {
                if let Some(duration) = self.args.phone.duration {
                    line.set_deadline(duration);
                }
            }
            Event::Heard { call, samples } if self.current == Some(call) => {
                self.tape.write(&samples)?;
            }
            Event::Media { stats, .. } if !ui.is_json() => {
                ui.say(events::media_words(&stats));
            }
            Event::NoPath { explanation, .. } if !ui.is_json() => {
                explanation.words().iter().for_each(|line| ui.say(format!("  {line}")));
            }
            _ => {}
        }
        Ok(())
    }
}
