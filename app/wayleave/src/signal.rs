//! Ctrl-C, SIGTERM and SIGHUP, and the runtime that asynchronous commands run on.

use std::future::Future;

use anyhow::Context as _;

use crate::failure::Failure;

/// What told the process to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// A service manager or `kill`, or the terminal was closed.
    Terminate,
}

/// Comes when the process is told to stop; what comes before it is awaited is not lost. After that a
/// second Ctrl-C ends the process at once.
pub fn stop() -> std::io::Result<impl Future<Output = Signal> + Send + 'static> {
    #[cfg(unix)]
    use tokio::signal::unix::{SignalKind, signal};
    #[cfg(unix)]
    let (mut interrupt, mut terminate, mut hang_up) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
        signal(SignalKind::hangup())?,
    );
    #[cfg(windows)]
    let (mut interrupt, mut terminate, mut hang_up) = (
        tokio::signal::windows::ctrl_c()?,
        tokio::signal::windows::ctrl_shutdown()?,
        tokio::signal::windows::ctrl_close()?,
    );
    Ok(async move {
        let signal = tokio::select! {
            _ = interrupt.recv() => Signal::Interrupt,
            _ = terminate.recv() => Signal::Terminate,
            _ = hang_up.recv() => Signal::Terminate,
        };
        tokio::spawn(async move {
            if interrupt.recv().await.is_some() {
                std::process::exit(crate::failure::Exit::Interrupted as i32);
            }
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
