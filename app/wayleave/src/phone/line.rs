//! A running phone: its events as they come, its verbs, its end.

use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

use anyhow::Context as _;
use machine::Now;
use phone::{Event, Phone, Reason};
use runtime::{Handle, Running};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::args::Setup;
use crate::events;
use crate::failure::{Exit, Failure};
use crate::signal::{self, Signal};
use crate::ui::Ui;

/// How long a person waits for a core before it counts as unreachable. By then a request over UDP
/// has gone out six times (RFC 3261 §17.1.2.2); SIP itself would go on for 32 s.
const REGISTRATION_LIMIT: Duration = Duration::from_secs(10);

/// What happens next to a phone.
pub enum Next {
    /// The phone says something.
    Event(Event),
    /// The user wants to stop.
    Signal,
    /// The time that was set is up.
    Time,
}

/// A phone on real sockets.
pub struct Line<'a> {
    ui: &'a Ui,
    running: Running<Phone>,
    events: mpsc::UnboundedReceiver<Event>,
    /// Until it has come.
    signal: Option<tokio::task::JoinHandle<Signal>>,
    deadline: Option<Instant>,
    registered: bool,
    stopped: bool,
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
        let stop = signal::stop().context("cannot wait for signals")?;
        let signal = Some(tokio::spawn(stop));
        let running = runtime::spawn(phone, World(sender), config);
        let (deadline, registered, stopped) = (None, false, false);
        let mut line = Self { ui, running, events, signal, deadline, registered, stopped };
        match line.register().await {
            Ok(()) => Ok(line),
            // The core may have heard us by now.
            Err(failure) if failure.exit == Exit::Interrupted => {
                line.close().await?;
                Err(failure)
            }
            Err(failure) => {
                line.shut().await?;
                Err(failure)
            }
        }
    }

    async fn register(&mut self) -> Result<(), Failure> {
        self.verb(|phone, now| phone.register(now)).await?;
        self.set_deadline(REGISTRATION_LIMIT);
        loop {
            match self.next().await? {
                Next::Event(Event::Registered { .. }) => break,
                Next::Event(Event::RegistrationFailed { reason, .. }) => {
                    return Err(registration_failure(&reason));
                }
                Next::Event(_) => {}
                Next::Signal => return Err(Failure::interrupted()),
                Next::Time => return Err(registration_failure(&Reason::TimedOut)),
            }
        }
        self.registered = true;
        self.clear_deadline();
        Ok(())
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
    pub fn set_deadline(&mut self, duration: Duration) {
        self.deadline = Some(Instant::now() + duration);
    }

    /// Keeps [`Next::Time`] from coming.
    pub const fn clear_deadline(&mut self) {
        self.deadline = None;
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
        let signal = async {
            match &mut self.signal {
                Some(signal) => signal.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            event = self.events.recv() => match event {
                Some(event) => {
                    self.stopped |= event == Event::Stopped;
                    self.tell(&event);
                    Ok(Next::Event(event))
                }
                None => Err(Failure::new(Exit::Failed, "failed", "the phone has stopped")),
            },
            signal = signal => {
                self.signal = None;
                signal.map_err(anyhow::Error::from)?;
                Ok(Next::Signal)
            }
            () = time => {
                self.deadline = None;
                Ok(Next::Time)
            }
        }
    }

    /// Ends calls in peace and unregisters; [`Event::Stopped`] follows within seconds.
    pub async fn stop(&mut self) -> Result<(), Failure> {
        self.clear_deadline();
        self.verb(|phone, now| phone.stop(now)).await
    }

    /// Stops the phone if that was not done, and closes the sockets.
    pub async fn close(mut self) -> Result<(), Failure> {
        if !self.stopped {
            self.stop().await?;
        }
        while !self.stopped {
            self.next().await?;
        }
        self.shut().await
    }

    /// Closes the sockets, whatever goes on.
    async fn shut(self) -> Result<(), Failure> {
        if let Some(signal) = self.signal {
            signal.abort();
        }
        self.running.stop().await.map_err(anyhow::Error::from)?;
        Ok(())
    }

    fn tell(&self, event: &Event) {
        // A phone that was never registered fails with the reason.
        if matches!(event, Event::RegistrationFailed { .. }) && !self.registered {
            return;
        }
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

/// Why a phone cannot be used: it is not registered.
pub fn registration_failure(reason: &Reason) -> Failure {
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
