//! A machine on real sockets for as long as a command lasts: its events as they come, its verbs,
//! Ctrl-C.

use std::convert::Infallible;
use std::future::Future;

use anyhow::Context as _;
use machine::{Machine, Now};
use runtime::Running;
use tokio::sync::mpsc;

use crate::failure::Failure;
use crate::signal::{self, Signal};

/// Events that wait for a command that is busy printing.
const EVENTS: usize = 256;

/// A machine at work, and what it says.
pub struct Station<M: Machine> {
    running: Running<M>,
    events: mpsc::Receiver<M::Event>,
    signal: tokio::task::JoinHandle<Signal>,
}

/// Where a machine's events go.
struct World<E>(mpsc::Sender<E>);

impl<M> runtime::World<M> for World<M::Event>
where
    M: Machine<Question = Infallible, Answer = Infallible>,
    M::Event: Send + 'static,
{
    fn event(&mut self, _: Now, event: M::Event) {
        // A command that does not keep up loses what it would print, and nothing else.
        let _ = self.0.try_send(event);
    }

    fn answer(
        &mut self,
        question: Infallible,
    ) -> impl Future<Output = Infallible> + Send + 'static {
        match question {}
        #[expect(unreachable_code, reason = "nothing is asked; the future needs a type")]
        std::future::pending()
    }
}

impl<M> Station<M>
where
    M: Machine<Question = Infallible, Answer = Infallible> + Send + 'static,
    M::Event: Send + 'static,
{
    /// Starts `machine`; `name` is for the log.
    pub fn open(machine: M, name: &'static str) -> Result<Self, Failure> {
        let (sender, events) = mpsc::channel(EVENTS);
        let signal = tokio::spawn(signal::stop().context("cannot wait for signals")?);
        let config = runtime::Config { name, ..runtime::Config::default() };
        let running = runtime::spawn(machine, World(sender), config);
        Ok(Self { running, events, signal })
    }

    /// The next event; `None` at Ctrl-C.
    pub async fn next(&mut self) -> Result<Option<M::Event>, Failure> {
        tokio::select! {
            event = self.events.recv() => match event {
                Some(event) => Ok(Some(event)),
                None => Err(anyhow::anyhow!("the machine has stopped").into()),
            },
            _ = &mut self.signal, if !self.signal.is_finished() => Ok(None),
        }
    }

    /// Calls a verb of the machine.
    pub async fn verb<R: Send + 'static>(
        &self,
        verb: impl FnOnce(&mut M, Now) -> R + Send + 'static,
    ) -> Result<R, Failure> {
        let handle = self.running.handle();
        handle.verb(verb).await.map_err(|error| anyhow::Error::from(error).into())
    }

    /// Closes the sockets.
    pub async fn close(self) -> Result<M, Failure> {
        self.signal.abort();
        self.running.stop().await.map_err(|error| anyhow::Error::from(error).into())
    }
}
