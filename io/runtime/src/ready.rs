//! Which resources have something to do.
//!
//! Every resource is polled with a waker of its own, which puts its name on this queue and wakes
//! the driver's task. Serving a thousand connections costs what the busy ones cost.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Wake, Waker};

use machine::Id;

/// The queue of resources that woke.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Arc<Token>>,
    task: Option<Waker>,
}

/// What woke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// A resource of the machine.
    Resource(Id),
    /// The data plane.
    Plane,
}

/// One resource's place on the queue; it stands there once at most.
#[derive(Debug)]
pub(crate) struct Token {
    woken: Woken,
    queued: AtomicBool,
    ready: Arc<Ready>,
}

impl Ready {
    /// A token that puts `woken` on the queue.
    pub(crate) fn token(self: &Arc<Self>, woken: Woken) -> Arc<Token> {
        Arc::new(Token { woken, queued: AtomicBool::new(false), ready: self.clone() })
    }

    /// The resource that woke first.
    pub(crate) fn pop(&self) -> Option<Woken> {
        let token = self.lock().queue.pop_front()?;
        // From here on a wake-up queues it again, also one that comes while it is served.
        token.queued.store(false, Ordering::Release);
        Some(token.woken)
    }

    /// Waits until a resource wakes.
    pub(crate) async fn wait(&self) {
        poll_fn(|cx| {
            let mut state = self.lock();
            if !state.queue.is_empty() {
                return Poll::Ready(());
            }
            match &mut state.task {
                Some(waker) => waker.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
            Poll::Pending
        })
        .await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Token {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.queued.swap(true, Ordering::AcqRel) {
            return;
        }
        let task = {
            let mut state = self.ready.lock();
            state.queue.push_back(self.clone());
            state.task.take()
        };
        if let Some(task) = task {
            task.wake();
        }
    }
}
