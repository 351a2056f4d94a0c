//! Ctrl-C and SIGTERM, and the runtime that asynchronous commands run on.

use std::future::Future;

use anyhow::Context as _;

use crate::failure::Failure;

/// What told the process to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// A service manager or `kill`.
    Terminate,
}

/// Waits until the process is told to stop. From then on a second Ctrl-C ends it at once.
pub async fn stop() -> std::io::Result<Signal> {
    #[cfg(unix)]
    let terminate = async {
        use tokio::signal::unix::{SignalKind, signal};
        signal(SignalKind::terminate())?.recv().await;
        Ok(Signal::Terminate)
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending();
    let signal = tokio::select! {
        result = tokio::signal::ctrl_c() => result.map(|()| Signal::Interrupt),
        result = terminate => result,
    }?;
    tokio::spawn(async {
        if tokio::signal::ctrl_c().await.is_ok() {
            std::process::exit(crate::failure::Exit::Interrupted as i32);
        }
    });
    Ok(signal)
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
