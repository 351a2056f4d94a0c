//! One request and its response on a connection of their own.

use std::net::IpAddr;

use machine::{CloseReason, Endpoint, FailKind, Id, Ids, Input, Instant, Outbox, Output, Outputs};

use super::event::{Error, Event};
use crate::upnp::http::{Reader, Request, Response};

/// An exchange under way.
#[derive(Debug)]
pub(super) struct Exchange {
    conn: Id,
    request: Vec<u8>,
    /// Since the connection stands.
    outbox: Option<Outbox>,
    reader: Reader<Response>,
    /// When it is given up.
    ends: Instant,
}

impl Exchange {
    /// Connects from `local` to `remote`.
    pub(super) fn begin<Q>(
        ids: &mut Ids,
        out: &mut Outputs<Event, Q>,
        (local, remote): (IpAddr, Endpoint),
        request: &Request,
        ends: Instant,
    ) -> Self {
        let conn = ids.next_id();
        out.push(Output::Connect { id: conn, local: Some(Endpoint::new(local, 0)), remote });
        Self { conn, request: request.to_bytes(), outbox: None, reader: Reader::new(), ends }
    }

    pub(super) const fn conn(&self) -> Id {
        self.conn
    }

    pub(super) const fn ends(&self) -> Instant {
        self.ends
    }

    /// Takes an input of this connection; the response when there is one, with which it is over.
    pub(super) fn handle_input<Q, A>(
        &mut self,
        input: &Input<'_, A>,
        out: &mut Outputs<Event, Q>,
    ) -> Option<Result<Response, Error>> {
        let result = match input {
            Input::Connected { room, .. } => {
                let mut outbox = Outbox::new(self.conn, *room, self.request.len());
                outbox.send(&self.request, out).expect("as much may wait as there is");
                self.outbox = Some(outbox);
                return None;
            }
            Input::Writable { room, .. } => {
                if let Some(outbox) = &mut self.outbox {
                    outbox.writable(*room, out);
                }
                return None;
            }
            Input::Data { bytes, .. } => {
                let result = self.reader.push(bytes).transpose()?;
                self.close(out);
                result.map_err(Error::from)
            }
            Input::Closed { reason: CloseReason::Peer, .. } => {
                self.reader.finish().map_err(Error::from)
            }
            Input::Failed { kind: FailKind::TimedOut, .. }
            | Input::Closed { reason: CloseReason::TimedOut, .. } => Err(Error::TimedOut),
            Input::Failed { .. } | Input::Closed { .. } => Err(Error::Unreachable),
            _ => return None,
        };
        Some(result)
    }

    /// Gives it up.
    pub(super) fn close<Q>(&self, out: &mut Outputs<Event, Q>) {
        out.push(Output::Close { id: self.conn });
    }
}
