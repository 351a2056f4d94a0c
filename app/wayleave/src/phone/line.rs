//! A running phone: its events as they come, its verbs, its end.

use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

use anyhow::Context as _;
use machine::Now;
use phone::{Event, Phone, Reason, RegistrationError, RegistrationErrorKind};
use runtime::{Handle, Running, Tls};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::args::Setup;
use super::pins::Pins;
use crate::failure::{Exit, Failure};
use crate::signal::{self, Signal};
use crate::ui::Ui;
use crate::{events, explain};

/// How long a person waits for a core before it counts as unreachable. By then a request over UDP
/// has gone out six times (RFC 3261 §17.1.2.2); SIP itself would go on for 32 s.
const REGISTRATION_LIMIT: Duration = Duration::from_secs(10);

/// Events that wait for a command that is busy, with a terminal that does not read for one: what a
/// call tells in a minute. What comes on top of them is lost if it is sound, and ends the phone else.
const EVENTS: usize = 4096;

/// The part of [`EVENTS`] that is kept free of sound.
const EVENTS_OTHER_THAN_SOUND: usize = 1024;

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
    events: mpsc::Receiver<Event>,
    /// Until it has come.
    signal: Option<tokio::task::JoinHandle<Signal>>,
    deadline: Option<Instant>,
    registered: bool,
    stopped: bool,
    pins: Pins,
    /// Refused certificates that were told.
    told: Vec<String>,
    /// Whether people read on stdout what the command itself says, and nothing else.
    quiet: bool,
}

/// Where a phone's events go, until nobody can take them any more.
struct World(Option<mpsc::Sender<Event>>);

impl runtime::World<Phone> for World {
    fn event(&mut self, _: Now, event: Event) {
        let Some(sender) = &self.0 else { return };
        let sound = matches!(event, Event::Heard { .. });
        if sound && sender.capacity() <= EVENTS_OTHER_THAN_SOUND {
            return;
        }
        // The command has ended and the phone is about to, or it does not keep up: it is told by the
        // end of its events.
        if sender.try_send(event).is_err() {
            self.0 = None;
        }
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
        let (sender, events) = mpsc::channel(EVENTS);
        let phone = Phone::new(setup.config, runtime::entropy().context("no randomness")?);
        let tls = Tls { roots: setup.pins.roots(), ..Tls::default() };
        let config = runtime::Config { name: "phone", tls, ..runtime::Config::default() };
        let stop = signal::stop().context("cannot wait for signals")?;
        let signal = Some(tokio::spawn(stop));
        let running = runtime::spawn(phone, World(Some(sender)), config);
        let (deadline, registered, stopped) = (None, false, false);
        let (pins, told, quiet) = (setup.pins, Vec::new(), setup.quiet);
        let mut line =
            Self { ui, running, events, signal, deadline, registered, stopped, pins, told, quiet };
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
                    return Err(self.registration_failure(&reason));
                }
                Next::Event(_) => {}
                Next::Signal => return Err(Failure::interrupted()),
                Next::Time => return Err(self.registration_failure(&Reason::TimedOut.into())),
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
                None => {
                    let message = "the phone has stopped, or more happened than could be told";
                    Err(Failure::new(Exit::Failed, "failed", message))
                }
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

    /// Why the phone cannot be used, and what to do: a certificate that is refused can be pinned.
    pub fn registration_failure(&self, reason: &RegistrationError) -> Failure {
        let failure = registration_failure(reason);
        match self.pins.remedy(&failure.message) {
            Some(remedy) => failure.with_remedy(remedy),
            None => failure,
        }
    }

    /// Closes the sockets, whatever goes on.
    async fn shut(self) -> Result<(), Failure> {
        if let Some(signal) = self.signal {
            signal.abort();
        }
        self.running.stop().await.map_err(anyhow::Error::from)?;
        Ok(())
    }

    fn tell(&mut self, event: &Event) {
        self.tell_certificates(event);
        // A phone that was never registered fails with the reason.
        if matches!(event, Event::RegistrationFailed { .. }) && !self.registered {
            return;
        }
        if let Some((name, fields)) = events::fields(event) {
            self.ui.event(name, fields);
        }
        // People read the reports of a running call at its end; `NoPath` is told as a failure.
        if !self.ui.is_json()
            && !self.quiet
            && !matches!(event, Event::Media { .. } | Event::NoPath { .. })
            && let Some(words) = events::words(event)
        {
            self.ui.say(words);
        }
    }

    /// A relay whose certificate is refused is done without: the call may stand all the same, but
    /// somebody should know, and what to do.
    fn tell_certificates(&mut self, event: &Event) {
        let explanation = match event {
            Event::Path { explanation: Some(explanation), .. }
            | Event::NoPath { explanation, .. } => explanation,
            _ => return,
        };
        for refused in explain::refused_certificates(explanation) {
            if self.told.iter().any(|told| told == refused) {
                continue;
            }
            self.ui.warn(refused);
            if let Some(remedy) = self.pins.remedy(refused) {
                self.ui.warn(remedy);
            }
            self.told.push(refused.to_owned());
        }
    }
}

/// Why a phone cannot be used: it is not registered.
fn registration_failure(reason: &RegistrationError) -> Failure {
    let message = events::unregistered(reason);
    match reason.kind() {
        RegistrationErrorKind::Unauthorized => {
            Failure::new(Exit::Authentication, "authentication", message)
                .with_remedy("check the address and the password")
        }
        RegistrationErrorKind::NotServed => {
            Failure::new(Exit::Unreachable, "registration", message)
                .with_remedy("check the domain in your address: the core does not serve it")
        }
        RegistrationErrorKind::Unreachable => {
            Failure::new(Exit::Unreachable, "registration", message)
                .with_remedy("check that the core runs, and name it with --server HOST:PORT")
        }
        RegistrationErrorKind::Untrusted => Failure::new(Exit::Encryption, "certificate", message),
        RegistrationErrorKind::Failed => Failure::new(Exit::Failed, "registration", message),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use machine::{Entropy, Instant, Now};
    use phone::{Account, Address, CallId, Config, Event, Phone, Secret, Source};
    use runtime::World as _;
    use tokio::sync::mpsc;

    use super::{EVENTS, EVENTS_OTHER_THAN_SOUND, World};

    const NOW: Now = Now { mono: Instant::ORIGIN, unix: Duration::ZERO };

    fn some_call() -> CallId {
        let address: Address = "sip:alice@example.org".parse().unwrap();
        let account = Account::new(address, Secret::from("x"));
        let config = Config { accounts: vec![account], ..Config::default() };
        let mut phone = Phone::new(config, Entropy::seeded(1));
        phone.call(NOW, 0, &"sip:bob@example.org".parse().unwrap(), Source::silence()).unwrap()
    }

    #[test]
    fn sound_that_nobody_takes_is_lost_and_other_events_end_the_phone() {
        let (sender, mut events) = mpsc::channel(EVENTS);
        let mut world = World(Some(sender));
        let call = some_call();
        for _ in 0..2 * EVENTS {
            world.event(NOW, Event::Heard { call, samples: vec![0; 160] });
        }
        assert_eq!(events.len(), EVENTS - EVENTS_OTHER_THAN_SOUND);
        for _ in 0..=EVENTS_OTHER_THAN_SOUND {
            world.event(NOW, Event::Ringing { call });
        }
        assert_eq!(events.len(), EVENTS);
        let mut taken = 0;
        while let Ok(event) = events.try_recv() {
            taken += usize::from(matches!(event, Event::Ringing { .. }));
        }
        assert_eq!(taken, EVENTS_OTHER_THAN_SOUND);
        assert!(events.is_closed());
    }
}
