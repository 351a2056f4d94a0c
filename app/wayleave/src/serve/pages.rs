//! What `/metrics` and `/healthz` are made from: the running core, its data plane, its queues.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use runtime::Handle;
use udp::Plane;

use super::core::Core;
use super::http;
use super::metrics::{Family, Snapshot};
use super::world::Queues;

/// Looks at a running core.
pub struct Watch<C> {
    core: Handle<C>,
    plane: Option<Plane>,
    queues: Queues,
    draining: Arc<AtomicBool>,
}

impl<C> Clone for Watch<C> {
    fn clone(&self) -> Self {
        Self {
            core: self.core.clone(),
            plane: self.plane.clone(),
            queues: self.queues.clone(),
            draining: Arc::clone(&self.draining),
        }
    }
}

impl<C: Core> Watch<C> {
    pub fn new(core: Handle<C>, plane: Option<Plane>, queues: Queues) -> Self {
        Self { core, plane, queues, draining: Arc::default() }
    }

    /// From now on no new work is taken.
    pub fn drain(&self) {
        self.draining.store(true, Relaxed);
    }

    /// What is counted now; nothing when the core has stopped.
    pub async fn snapshot(&self) -> Option<Snapshot> {
        let stats = self.core.verb(|core, _| core.get().stats()).await.ok()?;
        let plane = self.plane.as_ref().map(Plane::counters).unwrap_or_default();
        let draining = self.draining.load(Relaxed);
        Some(Snapshot { stats, plane, queues: self.queues.all(), draining })
    }
}

impl<C: Core> http::Pages for Watch<C> {
    async fn families(&self) -> Option<Vec<Family>> {
        Some(self.snapshot().await?.families())
    }

    fn is_open(&self) -> bool {
        !self.draining.load(Relaxed)
    }
}
