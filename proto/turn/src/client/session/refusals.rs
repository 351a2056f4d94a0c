//! What a session makes of a server that says no (RFC 8656 §7.4, §8.3, §10.3, §12.3).

use machine::Endpoint;
use stun::Message;
use stun::attribute::error_code as code;

use super::link::Link;
use super::requests::Purpose;
use super::{Context, Session, State, Timer, Verdict};
use crate::client::config::{Families, Server};
use crate::client::defaults::{MAX_CONCESSIONS, MAX_REBINDS, OPEN, RETRY};
use crate::client::event::{Cause, Event};

impl Session {
    /// The server answered a request with an error.
    pub(super) fn handle_error(
        &mut self,
        context: &mut Context<'_>,
        purpose: Purpose,
        response: &Message<'_>,
    ) {
        let Some(error) = response.error_code() else {
            self.refused(context, purpose, Cause::BadAnswer);
            return;
        };
        if purpose == Purpose::Allocate && self.recover(context, error.code, response) {
            return;
        }
        let cause = match error.code {
            code::UNAUTHENTICATED if self.auth.is_none() => Cause::CredentialsMissing,
            //= RFC 8656 §8.3: on 437 the client takes the allocation for gone.
            code::ALLOCATION_MISMATCH if purpose != Purpose::Allocate => Cause::Lost,
            code => Cause::Refused { code, reason: error.reason.to_owned() },
        };
        self.refused(context, purpose, cause);
    }

    /// What `purpose` was for is not to be had.
    pub(super) fn refused(&mut self, context: &mut Context<'_>, purpose: Purpose, cause: Cause) {
        if cause == Cause::Lost && purpose != Purpose::Release {
            self.fail(context, cause, None);
            return;
        }
        match purpose {
            Purpose::Allocate if self.state == State::Abandoned => self.end(context),
            Purpose::Allocate => {
                //= RFC 8656 §7.4: after 486 and 508 the client waits a minute at least.
                let retry = matches!(
                    cause.code(),
                    Some(code::ALLOCATION_QUOTA_REACHED | code::INSUFFICIENT_CAPACITY)
                );
                self.fail(context, cause, retry.then_some(RETRY));
            }
            // From the old address there may be no way to the server; the move will tell.
            Purpose::Refresh if self.is_moving() => {}
            Purpose::Refresh | Purpose::Move => self.fail(context, cause, None),
            Purpose::Release => self.end(context),
            Purpose::Permit(peers) => match peers.as_slice() {
                [peer] => {
                    self.peers.forget_permission(*peer);
                    let peer = Endpoint::new(*peer, 0);
                    context.out.event(Event::PeerRefused { peer, cause });
                }
                // One of them is to blame, and the server does not say which.
                peers => {
                    for peer in peers {
                        self.start(context, Purpose::Permit(vec![*peer]));
                    }
                }
            },
            Purpose::Bind(peer) => {
                self.timers.cancel(&Timer::Channel(peer));
                self.peers.forget_channel(peer);
                context.out.event(Event::PeerRefused { peer, cause });
            }
            Purpose::Connect(conn) => self.connection_failed(context, conn, cause),
            Purpose::ConnectionBind(conn) => {
                context.out.push(machine::Output::Close { id: conn });
                self.connection_failed(context, conn, cause);
            }
        }
    }

    /// Asks for an allocation in another way, if there is one after the error `error`; says whether
    /// there is.
    fn recover(&mut self, context: &mut Context<'_>, error: u16, response: &Message<'_>) -> bool {
        if self.state != State::Allocating {
            return false;
        }
        match error {
            code::TRY_ALTERNATE => {
                let Some(endpoint) = response.alternate_server() else { return false };
                //= RFC 8489 §10: without ALTERNATE-DOMAIN the certificate carries the same name.
                let name = response.alternate_domain().unwrap_or(&self.server.name).to_owned();
                let transport = self.server.transport;
                self.shut(context);
                self.verdict = Some(Verdict::Redirected(Server { endpoint, transport, name }));
                true
            }
            //= RFC 8656 §7.4: on 437 the client tries again from another port.
            code::ALLOCATION_MISMATCH | code::WRONG_CREDENTIALS if self.rebinds < MAX_REBINDS => {
                self.rebinds += 1;
                self.link.close(context);
                let (local, interface) = (context.config.local, context.config.interface);
                self.link = Link::open(context, &self.server, local, interface);
                self.state = State::Opening;
                self.timers.set(Timer::Open, context.now.mono + OPEN);
                true
            }
            code::MOBILITY_FORBIDDEN if self.wishes.mobility => {
                self.wishes.mobility = false;
                self.start(context, Purpose::Allocate);
                true
            }
            code::ADDRESS_FAMILY_NOT_SUPPORTED if self.wishes.families == Families::Both => {
                self.wishes.families = Families::V6;
                self.start(context, Purpose::Allocate);
                true
            }
            code::UNKNOWN_ATTRIBUTE if self.concessions < MAX_CONCESSIONS => {
                self.concessions += 1;
                let conceded = self.wishes.concede(response.unknown_attributes());
                if conceded {
                    self.start(context, Purpose::Allocate);
                }
                conceded
            }
            _ => false,
        }
    }
}
