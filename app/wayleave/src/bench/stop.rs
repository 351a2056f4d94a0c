//! Whether the user said to stop: a load that holds something at the server gives it back first.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;

use crate::signal;

/// Set once the process is told to stop.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Watches for signals from now on, on a thread of its own. A second Ctrl-C ends the process.
    pub fn watch() -> anyhow::Result<Self> {
        let stop = Self::default();
        let told = stop.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("cannot start the runtime")?;
        let signal = {
            let _context = runtime.enter();
            signal::stop().context("cannot catch signals")?
        };
        std::thread::spawn(move || {
            runtime.block_on(async move {
                signal.await;
                told.0.store(true, Ordering::Relaxed);
                std::future::pending::<()>().await;
            });
        });
        Ok(stop)
    }

    /// Whether it was said.
    pub fn is_requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
