//! Starting a machine, speaking to it, stopping it.

use std::fmt;
use std::future::Future;

use machine::{Machine, Now};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tracing::Instrument as _;
use udp::{Incoming, Plane};

use crate::defaults::VERBS_MAX;
use crate::dns::Dns;
use crate::driver::Driver;
use crate::inherited::Inherited;
use crate::tls::Tls;

/// What stands around a machine: its owner, who hears its events, and whoever answers its
/// questions.
pub trait World<M: Machine>: Send + 'static {
    /// Takes an event. Called in the machine's own task: it must not block.
    fn event(&mut self, now: Now, event: M::Event);

    /// Answers a question. The answer may take its time, though it must not block: like
    /// [`event`](Self::event) it runs in the machine's own task. It is dropped when the machine
    /// closes the question.
    fn answer(&mut self, question: M::Question)
    -> impl Future<Output = M::Answer> + Send + 'static;
}

/// How to drive a machine.
#[derive(Debug)]
pub struct Config {
    /// What the machine is called in the log.
    pub name: &'static str,
    /// Who answers look-ups.
    pub dns: Dns,
    /// Whom TLS connections trust, and the certificate that is shown on them.
    pub tls: Tls,
    /// Sockets that were bound before we started.
    pub inherited: Inherited,
    /// The data plane that serves [`BindKind::SharedUdp`] and [`BindKind::RelayUdp`]; without one
    /// they are sockets like others.
    ///
    /// [`BindKind::SharedUdp`]: machine::BindKind::SharedUdp
    /// [`BindKind::RelayUdp`]: machine::BindKind::RelayUdp
    pub plane: Option<(Plane, Incoming)>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: "machine",
            dns: Dns::System,
            tls: Tls::default(),
            inherited: Inherited::none(),
            plane: None,
        }
    }
}

/// The machine is not running any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the machine has stopped")]
pub struct Stopped;

type Verb<M> = dyn FnOnce(&mut M, Now) + Send;

pub(crate) enum Command<M> {
    Verb(Box<Verb<M>>),
    Stop,
}

/// Speaks to a running machine; cheap to clone. The machine stops when every handle and its
/// [`Running`] are gone.
pub struct Handle<M> {
    commands: mpsc::Sender<Command<M>>,
}

impl<M> Clone for Handle<M> {
    fn clone(&self) -> Self {
        Self { commands: self.commands.clone() }
    }
}

impl<M> fmt::Debug for Handle<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

impl<M> Handle<M> {
    /// Calls a verb of the machine in its own task, and drains the machine afterwards.
    ///
    /// # Errors
    /// [`Stopped`] if the machine runs no more.
    pub async fn verb<R: Send + 'static>(
        &self,
        verb: impl FnOnce(&mut M, Now) -> R + Send + 'static,
    ) -> Result<R, Stopped> {
        let (reply, answer) = oneshot::channel();
        let verb = Box::new(move |machine: &mut M, now: Now| {
            // Nobody waits any more if the caller was dropped; the verb is done all the same.
            let _ = reply.send(verb(machine, now));
        });
        self.commands.send(Command::Verb(verb)).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }

    /// Asks the machine to stop; see [`Running::stop`].
    ///
    /// # Errors
    /// [`Stopped`] if it has stopped already.
    pub async fn stop(&self) -> Result<(), Stopped> {
        self.commands.send(Command::Stop).await.map_err(|_| Stopped)
    }
}

/// A machine in its task.
#[derive(Debug)]
pub struct Running<M> {
    handle: Handle<M>,
    task: JoinHandle<M>,
}

impl<M> Running<M> {
    /// Speaks to the machine.
    #[must_use]
    pub fn handle(&self) -> Handle<M> {
        self.handle.clone()
    }

    /// Stops the machine: what it wrote is delivered (for [`defaults::LINGER`] at most), then every
    /// socket closes. Returns the machine as it was then.
    ///
    /// A machine that has goodbyes to say is told so by a verb before.
    ///
    /// # Errors
    /// [`Stopped`] if the task died of a panic.
    ///
    /// [`defaults::LINGER`]: crate::defaults::LINGER
    pub async fn stop(self) -> Result<M, Stopped> {
        // It may have stopped already; joining tells.
        let _ = self.handle.stop().await;
        self.join().await
    }

    /// Waits until the machine has been stopped through a handle.
    ///
    /// # Errors
    /// [`Stopped`] if the task died of a panic.
    pub async fn join(self) -> Result<M, Stopped> {
        self.task.await.map_err(|_| Stopped)
    }
}

/// Runs `machine` in a task of the current tokio runtime.
///
/// Its first input is the list of interfaces.
///
/// # Panics
/// Outside of a tokio runtime.
pub fn spawn<M, W>(machine: M, world: W, config: Config) -> Running<M>
where
    M: Machine<Answer: Send> + Send + 'static,
    W: World<M>,
{
    let (commands, inbox) = mpsc::channel(VERBS_MAX);
    let span = tracing::debug_span!("machine", name = config.name);
    let driver = Driver::new(machine, world, config, inbox);
    Running { handle: Handle { commands }, task: tokio::spawn(driver.run().instrument(span)) }
}
