//! Requests on their way, and what comes back (RFC 8489 §6.2, §6.3).

use stun::long_term::Verdict as Judgement;
use stun::transaction::Output as Step;
use stun::{Class, Message, Timing, Transaction, TransactionId};

use super::requests::Purpose;
use super::{Context, Session, Timer};
use crate::client::event::Cause;
use crate::message::UNDERSTOOD;

impl Session {
    /// Sends a request for `purpose`.
    pub(super) fn start(&mut self, context: &mut Context<'_>, purpose: Purpose) {
        let id = TransactionId::random(context.entropy);
        let request = self.request(context.config, &purpose, id);
        let timing = if self.link.is_stream() { Timing::RELIABLE } else { context.config.timing };
        let transaction = Transaction::new(context.now.mono, request, timing);
        self.pending.insert(id, (purpose, transaction));
        self.drive(context, id);
    }

    /// Does what the transaction `id` wants done.
    pub(super) fn drive(&mut self, context: &mut Context<'_>, id: TransactionId) {
        let Some((purpose, transaction)) = self.pending.get_mut(&id) else { return };
        self.scratch.clear();
        while let Some(step) = transaction.poll_output(&mut self.scratch) {
            match (step, &*purpose, &mut self.moving) {
                (Step::Send, Purpose::ConnectionBind(conn), _) => {
                    self.connections.send(context, *conn, &self.scratch);
                }
                (Step::Send, Purpose::Move, Some(moving)) => moving.send(context, &self.scratch),
                (Step::Send, ..) => self.link.send(context, &self.scratch),
                (Step::TimedOut, ..) => {
                    if let Some((purpose, _)) = self.forget(id) {
                        self.refused(context, purpose, Cause::NoAnswer);
                    }
                    return;
                }
            }
            self.scratch.clear();
        }
        match transaction.poll_timeout() {
            Some(at) => self.timers.set(Timer::Transaction(id), at),
            None => {
                self.timers.cancel(&Timer::Transaction(id));
            }
        }
    }

    pub(super) fn forget(&mut self, id: TransactionId) -> Option<(Purpose, Transaction)> {
        self.timers.cancel(&Timer::Transaction(id));
        self.pending.remove(&id)
    }

    /// Takes a STUN message from the server.
    pub(super) fn handle_message(&mut self, context: &mut Context<'_>, bytes: &[u8]) {
        let Ok(message) = Message::parse(bytes) else { return };
        match message.class() {
            Class::Success | Class::Error => self.handle_response(context, &message),
            Class::Indication => self.handle_indication(context, &message),
            Class::Request => {}
        }
    }

    pub(super) fn handle_response(&mut self, context: &mut Context<'_>, response: &Message<'_>) {
        let Some((_, transaction)) = self.pending.get(&response.id()) else { return };
        let request = Message::parse(transaction.request());
        let Some(request) = request.ok().filter(|_| transaction.matches(response)) else { return };
        let judgement = match &mut self.auth {
            Some(auth) => auth.handle_response(&request, response),
            None => Judgement::Accept,
        };
        if judgement == Judgement::Discard {
            return;
        }
        self.heard = true;
        let Some((purpose, _)) = self.forget(response.id()) else { return };
        match judgement {
            Judgement::Retry => self.start(context, purpose),
            Judgement::GiveUp(refusal) => {
                self.refused(context, purpose, Cause::Credentials(refusal));
            }
            Judgement::Accept | Judgement::Discard => {
                //= RFC 8489 §6.3.3: a response with an unknown comprehension-required attribute
                // fails the transaction.
                if !response.unknown_required(UNDERSTOOD).is_empty() {
                    self.refused(context, purpose, Cause::BadAnswer);
                } else if response.class() == Class::Error {
                    self.handle_error(context, purpose, response);
                } else {
                    self.succeeded(context, purpose, response);
                }
            }
        }
    }
}
