//! What a shard is told: flows and sockets that come, change and go.
//!
//! Telling costs no system call: a shard looks after every receive, so that a packet which arrived
//! later than a change is forwarded by it. It is woken only for what should not wait for a packet.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use machine::Id;
use rustix::event::{EventfdFlags, epoll, eventfd};

use super::PlaneCounters;
use super::sock::Sock;
use crate::defaults::MAX_UNREAD_COMMANDS;

/// One thing that a shard is told.
#[derive(Debug)]
pub(super) enum Command {
    Flow(relay::Change),
    Open(Id, Arc<Sock>),
    Close(Id),
    Stop,
}

/// The side of a shard that other threads see.
#[derive(Debug)]
pub(super) struct Mailbox {
    commands: Mutex<Vec<Command>>,
    some: AtomicBool,
    wake: OwnedFd,
    pub(super) epoll: OwnedFd,
    counters: [AtomicU64; PlaneCounters::LEN],
}

/// What epoll says of the descriptor that wakes a shard; no [`Id`] is this number.
pub(super) const WAKE: u64 = u64::MAX;

impl Mailbox {
    pub(super) fn new() -> io::Result<Self> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &wake, epoll::EventData::new_u64(WAKE), epoll::EventFlags::IN)?;
        Ok(Self {
            commands: Mutex::default(),
            some: AtomicBool::new(false),
            wake,
            epoll,
            counters: [const { AtomicU64::new(0) }; PlaneCounters::LEN],
        })
    }

    /// Tells the shard; wakes it if it is to know at once, or has not looked for long.
    pub(super) fn tell(&self, command: Command, at_once: bool) {
        let waiting = {
            let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
            commands.push(command);
            self.some.store(true, Ordering::Release);
            commands.len()
        };
        if at_once || waiting % MAX_UNREAD_COMMANDS == 0 {
            // It fails only when the shard has been woken very often and has not looked yet.
            let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
        }
    }

    /// Forgets that the shard was woken.
    pub(super) fn woken(&self) {
        let _ = rustix::io::read(&self.wake, &mut [0; 8]);
    }

    /// Takes what the shard was told into `into`, which is empty; says whether there is something.
    pub(super) fn take(&self, into: &mut Vec<Command>) -> bool {
        if !self.some.load(Ordering::Acquire) {
            return false;
        }
        let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        self.some.store(false, Ordering::Relaxed);
        std::mem::swap(&mut *commands, into);
        true
    }

    /// Shows what the shard has done.
    pub(super) fn publish(&self, counters: &PlaneCounters) {
        let cells = self.counters.iter().zip(counters.to_array());
        cells.for_each(|(cell, count)| cell.store(count, Ordering::Relaxed));
    }

    /// What the shard has done.
    pub(super) fn counters(&self) -> PlaneCounters {
        PlaneCounters::from_array(std::array::from_fn(|n| {
            self.counters.get(n).map_or(0, |cell| cell.load(Ordering::Relaxed))
        }))
    }
}
