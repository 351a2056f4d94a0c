//! Mobility: the allocation follows its client to another address (RFC 8016).

use std::net::IpAddr;

use machine::Interface;
use stun::Message;

use super::link::Link;
use super::requests::Purpose;
use super::{Context, Session, State, Timer};
use crate::client::defaults::{MOVE, MOVE_AGAIN, OPEN};
use crate::client::event::{Event, SendError};

impl Session {
    /// Takes the allocation to another address of ours.
    pub(in crate::client) fn move_to(
        &mut self,
        context: &mut Context<'_>,
        local: Option<IpAddr>,
        interface: Option<u32>,
    ) -> Result<(), SendError> {
        if self.state != State::Allocated {
            return Err(SendError::NotAllocated);
        }
        if self.ticket.is_none() {
            return Err(SendError::Unsupported);
        }
        self.destination = (local, interface);
        self.timers.set(Timer::Moved, context.now.mono + MOVE);
        self.try_move(context);
        Ok(())
    }

    /// Whether the allocation is on its way to another address.
    pub(super) fn is_moving(&self) -> bool {
        self.timers.at(&Timer::Moved).is_some()
    }

    /// Opens another link, in place of one that is being opened.
    pub(super) fn try_move(&mut self, context: &mut Context<'_>) {
        if let Some(moving) = self.moving.take() {
            moving.close(context);
        }
        let attempts = self.pending.iter().filter(|(_, (purpose, _))| *purpose == Purpose::Move);
        let attempts: Vec<_> = attempts.map(|(id, _)| *id).collect();
        attempts.into_iter().for_each(|id| drop(self.forget(id)));
        let (local, interface) = self.destination;
        self.moving = Some(Link::open(context, &self.server, local, interface));
        self.timers.set(Timer::MoveAgain, context.now.mono + OPEN);
    }

    /// The other link is open: the allocation can follow.
    pub(super) fn moving_ready(&mut self, context: &mut Context<'_>) {
        self.timers.cancel(&Timer::MoveAgain);
        self.start(context, Purpose::Move);
    }

    /// The other link could not be opened, or broke. There may be no network just now.
    pub(super) fn moving_failed(&mut self, context: &mut Context<'_>) {
        self.moving = None;
        self.timers.set(Timer::MoveAgain, context.now.mono + MOVE_AGAIN);
    }

    /// The interfaces of the host changed.
    pub(super) fn handle_interfaces(
        &mut self,
        context: &mut Context<'_>,
        interfaces: &[Interface],
    ) {
        let ours = self.link.local().ip();
        let mut addresses = interfaces.iter().flat_map(|interface| &interface.addresses);
        if ours.is_unspecified() || addresses.any(|address| address.ip == ours) {
            return;
        }
        if self.is_moving() {
            self.try_move(context);
        } else {
            // An allocation that cannot move may still be good, should the address return.
            let _ = self.move_to(context, None, None);
        }
    }

    /// The allocation has come along to the new link.
    pub(super) fn moved(&mut self, context: &mut Context<'_>, response: &Message<'_>) {
        let Some(link) = self.moving.take() else { return };
        self.timers.cancel(&Timer::Moved);
        std::mem::replace(&mut self.link, link).close(context);
        self.refreshed(context, response);
        let reflexive = response.reflexive_address();
        if let Some(allocation) = &mut self.allocation {
            allocation.local = self.link.local();
            allocation.reflexive = reflexive.unwrap_or(allocation.reflexive);
        }
        // What was asked from the old address may never be answered there.
        let waiting: Vec<_> = self.pending.keys().copied().collect();
        for id in waiting {
            if let Some((purpose, _)) = self.forget(id) {
                self.start(context, purpose);
            }
        }
        self.schedule_keepalive(context.now.mono);
        context.out.event(Event::Moved { reflexive });
    }
}
