//! Ctrl-C, SIGTERM and SIGHUP, and the runtime that asynchronous commands run on.

use std::future::Future;
use std::io;

use anyhow::Context as _;

use crate::failure::Failure;

/// What a signal says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// A service manager or `kill`.
    Terminate,
    /// The terminal was closed; a server takes it for the wish to read its files again.
    HangUp,
}

/// The signals that the process gets; what comes before it is awaited is not lost.
#[derive(Debug)]
pub struct Signals {
    #[cfg(unix)]
    all: [tokio::signal::unix::Signal; 3],
    #[cfg(windows)]
    all: (
        tokio::signal::windows::CtrlC,
        tokio::signal::windows::CtrlShutdown,
        tokio::signal::windows::CtrlClose,
    ),
}

impl Signals {
    /// Catches signals from now on.
    pub fn new() -> io::Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let (interrupt, terminate) = (SignalKind::interrupt(), SignalKind::terminate());
            let all = [signal(interrupt)?, signal(terminate)?, signal(SignalKind::hangup())?];
            Ok(Self { all })
        }
        #[cfg(windows)]
        {
            use tokio::signal::windows;
            let all = (windows::ctrl_c()?, windows::ctrl_shutdown()?, windows::ctrl_close()?);
            Ok(Self { all })
        }
    }

    /// The next one.
    #[cfg(unix)]
    pub async fn next(&mut self) -> Signal {
        let [interrupt, terminate, hang_up] = &mut self.all;
        tokio::select! {
            _ = interrupt.recv() => Signal::Interrupt,
            _ = terminate.recv() => Signal::Terminate,
            _ = hang_up.recv() => Signal::HangUp,
        }
    }

    /// The next one; a window that is closed ends the program.
    #[cfg(windows)]
    pub async fn next(&mut self) -> Signal {
        let (interrupt, shutdown, close) = &mut self.all;
        tokio::select! {
            _ = interrupt.recv() => Signal::Interrupt,
            _ = shutdown.recv() => Signal::Terminate,
            _ = close.recv() => Signal::Terminate,
        }
    }
}

/// Comes when the process is told to stop; what comes before it is awaited is not lost. After that a
/// second Ctrl-C ends the process at once.
pub fn stop() -> io::Result<impl Future<Output = Signal> + Send + 'static> {
    let mut signals = Signals::new()?;
    Ok(async move {
        let signal = signals.next().await;
        tokio::spawn(async move {
            while signals.next().await != Signal::Interrupt {}
            std::process::exit(crate::failure::Exit::Interrupted as i32);
        });
        signal
    })
}

/// Runs a command's future to its end, on this thread alone: one task drives a machine, and waking
/// another thread for its sake would cost more than the machine does.
pub fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(future)
}
