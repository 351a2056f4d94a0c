//! A running phone: its events as they come, its verbs, its end.

use std::convert::Infallible;
use std::future::Future;

use anyhow::Context as _;
use machine::Now;
use phone::{Event, Phone, Reason};
use runtime::{Handle, Running};
use tokio::sync::mpsc;

use super::args::Setup;
use crate::events;
use crate::failure::{Exit, Failure};
use crate::signal::{self, Signal};
use crate::ui::Ui;

/// What happens next to a phone.
pub enum Next {
    /// The phone says something.
    Event(Event),
    /// The user wants to stop.
    Signal,
    /// The time that was set is up.
    Time,
}

/// A phone on real sockets, registered.
pub struct Line<'a> {
    ui: &'a Ui,
    running: Running<Phone>,
    events: mpsc::UnboundedReceiver<Event>,
    signal: tokio::task::JoinHandle<std::io::Result<Signal>>,
    deadline: Option<tokio::time::Instant>,
}

struct World(mpsc::UnboundedSender<Event>);

impl runtime::World<Phone> for World {
    fn event(&mut self, _: Now, event: Event) {
        // The command has ended, and the phone is about to.
        let _ = self.0.send(event);
    }

    fn answer(&mut self, question: Infallible) -> impl Future<Output = ()> + Send + 'static {
        match question {}
        #[expect(unreachable_code, reason = "a phone asks nothing; the future needs a type")]
        std::future::ready(())
    }
}

impl<'a> Line<'a> {
    /// Starts a phone and registers it.
    pub async fn open(setup: Setup, ui: &'a Ui) -> Result<Self, Failure> {
        let (sender, events) = mpsc::unbounded_channel();
        let phone = Phone::new(setup.config, runtime::entropy().context("no randomness")?);
        let config = runtime::Config { name: "phone", ..runtime::Config::default() };
        let running = runtime::spawn(phone, World(sender), config);
        let signal = tokio::spawn(signal::stop());
        let mut line = Self { ui, running, events, signal, deadline: None };
        line.verb(|phone, now| phone.register(now)).await?;
        loop {
            match line.next().await? {
                Next::Event(Event::Registered { .. }) => return Ok(line),
                Next::Event(Event::RegistrationFailed { reason, .. }) => {
                    line.close().await?;
                    return Err(registration_failure(&reason));
                }
                Next::Signal => {
                    line.close().await?;
                    return Err(Failure::interrupted());
                }
                Next::Event(_) | Next::Time => {}
            }
        }
    }

    /// Calls a verb of the phone.
    pub async fn verb<R: Send + 'static>(
        &self,
        verb: impl FnOnce(&mut Phone, Now) -> R + Send + 'static,
    ) -> Result<R, Failure> {
        let handle: Handle<Phone> = self.running.handle();
        handle.verb(verb).await.map_err(|error| anyhow::Error::from(error).into())
    }

    /// Makes [`Next::Time`] come after `duration`.
    pub fn set_deadline(&mut self, duration: std::time::Duration) {
        self.deadline = Some(tokio::time::Instant::now() + duration);
    }

    /// What happens next. Events are told to the user on the way.
    pub async fn next(&mut self) -> Result<Next, Failure> {
        let deadline = self.deadline;
        let time = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            event = self.events.recv() => match event {
                Some(event) => {
                    self.tell(&event);
                    Ok(Next::Event(event))
                }
                None => Err(Failure::new(Exit::Failed, "failed", "the phone has stopped")),
            },
            signal = &mut self.signal, if !self.signal.is_finished() => {
                signal.map_err(anyhow::Error::from)?.map_err(anyhow::Error::from)?;
                Ok(Next::Signal)
            }
            () = time => {
                self.deadline = None;
                Ok(Next::Time)
            }
        }
    }

    /// Ends calls in peace, unregisters, and closes the sockets.
    pub async fn close(mut self) -> Result<(), Failure> {
        self.verb(|phone, now| phone.stop(now)).await?;
        while let Some(event) = self.events.recv().await {
            self.tell(&event);
            if event == Event::Stopped {
                break;
            }
        }
        self.signal.abort();
        self.running.stop().await.map_err(anyhow::Error::from)?;
        Ok(())
    }

    fn tell(&self, event: &Event) {
        if let Some((name, fields)) = events::fields(event) {
            self.ui.event(name, fields);
        }
        // People read the reports of a running call at its end; `NoPath` is told as a failure.
        if !self.ui.is_json()
            && !matches!(event, Event::Media { .. } | Event::NoPath { .. })
            && let Some(words) = events::words(event)
        {
            self.ui.say(words);
        }
    }
}

fn registration_failure(reason: &Reason) -> Failure {
    let message = format!("not registered: {reason}");
    match reason {
        Reason::Unauthorized | Reason::NoCredentials => {
            Failure::new(Exit::Authentication, "authentication", message)
                .with_remedy("check the address and the password")
        }
        Reason::Refused { status, .. } if matches!(status.code(), 403 | 404) => {
            Failure::new(Exit::Unreachable, "registration", message)
                .with_remedy("check the domain in your address: the core does not serve it")
        }
        Reason::TimedOut | Reason::Transport(_) => {
            Failure::new(Exit::Unreachable, "registration", message)
                .with_remedy("check that the core runs, and name it with --server HOST:PORT")
        }
        _ => Failure::new(Exit::Failed, "registration", message),
    }
}
