//! Connections with peers through the relay (RFC 6062): each is a connection with the server of its
//! own, which becomes the peer's after a ConnectionBind.

use std::collections::BTreeMap;

use machine::{Endpoint, Id, Input, Output, TlsRole, Transport};

use super::requests::Purpose;
use super::{Context, Session, Timer};
use crate::client::defaults::{MAX_CONNECTIONS, OFFER, OPEN};
use crate::client::event::{Cause, Event, SendError};
use crate::defaults::MAX_FRAME_BYTES;
use crate::framing::{Frame, Framer};

/// The connections of a session.
#[derive(Debug, Default)]
pub(super) struct Connections(BTreeMap<Id, Connection>);

#[derive(Debug)]
struct Connection {
    peer: Endpoint,
    connection_id: u32,
    stage: Stage,
    /// Bytes that may be written now.
    room: usize,
}

#[derive(Debug)]
enum Stage {
    /// The server was asked to connect to the peer.
    Asked,
    /// The peer knocks, and the owner has not said what it wants.
    Offered,
    /// A connection with the server is being opened.
    Opening,
    /// It is open, and becomes the peer's.
    Binding(Framer),
    /// It is the peer's.
    Open,
}

impl Connections {
    pub(super) fn owns(&self, id: Id) -> bool {
        self.0.contains_key(&id)
    }

    pub(super) fn peer(&self, conn: Id) -> Option<Endpoint> {
        self.0.get(&conn).map(|connection| connection.peer)
    }

    pub(super) fn connection_id(&self, conn: Id) -> Option<u32> {
        self.0.get(&conn).map(|connection| connection.connection_id)
    }

    /// Writes a request of the client's own, before the connection is the peer's.
    pub(super) fn send(&mut self, context: &mut Context<'_>, conn: Id, request: &[u8]) {
        if let Some(connection) = self.0.get_mut(&conn)
            && request.len() <= connection.room
        {
            connection.room -= request.len();
            context.out.write(conn, request);
        }
    }

    fn insert(&mut self, conn: Id, peer: Endpoint, stage: Stage) -> Result<(), SendError> {
        if self.0.len() >= MAX_CONNECTIONS {
            return Err(SendError::TooManyPeers);
        }
        self.0.insert(conn, Connection { peer, connection_id: 0, stage, room: 0 });
        Ok(())
    }

    /// Closes all of them.
    pub(super) fn close_all(&mut self, context: &mut Context<'_>) {
        for (conn, connection) in std::mem::take(&mut self.0) {
            if !matches!(connection.stage, Stage::Asked | Stage::Offered) {
                context.out.push(Output::Close { id: conn });
            }
            if matches!(connection.stage, Stage::Open) {
                context.out.event(Event::PeerClosed { conn });
            }
        }
    }
}

impl Session {
    /// Asks the server to connect to `peer`.
    pub(in crate::client) fn connect_to(
        &mut self,
        context: &mut Context<'_>,
        peer: Endpoint,
    ) -> Result<Id, SendError> {
        let conn = context.ids.next_id();
        self.connections.insert(conn, peer, Stage::Asked)?;
        self.start(context, Purpose::Connect(conn));
        Ok(conn)
    }

    /// A peer wants to connect (ConnectionAttempt).
    pub(super) fn offered(
        &mut self,
        context: &mut Context<'_>,
        peer: Endpoint,
        connection_id: u32,
    ) {
        let conn = context.ids.next_id();
        if self.connections.insert(conn, peer, Stage::Offered).is_err() {
            // The server closes what nobody takes.
            return;
        }
        if let Some(connection) = self.connections.0.get_mut(&conn) {
            connection.connection_id = connection_id;
        }
        self.timers.set(Timer::Connection(conn), context.now.mono + OFFER);
        context.out.event(Event::PeerConnecting { conn, peer });
    }

    /// The owner takes the connection that a peer offered.
    pub(in crate::client) fn accept(
        &mut self,
        context: &mut Context<'_>,
        conn: Id,
    ) -> Result<(), SendError> {
        match self.connections.0.get_mut(&conn) {
            Some(Connection { stage: Stage::Offered, .. }) => {
                self.open_connection(context, conn);
                Ok(())
            }
            _ => Err(SendError::NoConnection),
        }
    }

    /// The server is connected with the peer, and knows the connection by `connection_id`.
    pub(super) fn connect_succeeded(
        &mut self,
        context: &mut Context<'_>,
        conn: Id,
        connection_id: u32,
    ) {
        if let Some(connection) = self.connections.0.get_mut(&conn) {
            connection.connection_id = connection_id;
            self.open_connection(context, conn);
        }
    }

    fn open_connection(&mut self, context: &mut Context<'_>, conn: Id) {
        let Some(connection) = self.connections.0.get_mut(&conn) else { return };
        connection.stage = Stage::Opening;
        let local = context.config.local.map(|ip| Endpoint::new(ip, 0));
        context.out.push(Output::Connect { id: conn, local, remote: self.server.endpoint });
        self.timers.set(Timer::Connection(conn), context.now.mono + OPEN);
    }

    /// Takes an input of one of the connections.
    pub(super) fn handle_connection<A>(
        &mut self,
        context: &mut Context<'_>,
        conn: Id,
        input: &Input<'_, A>,
    ) {
        let Some(connection) = self.connections.0.get_mut(&conn) else { return };
        match *input {
            Input::Connected { .. } if self.server.transport == Transport::Tls => {
                let role = TlsRole::Client { name: self.server.name.clone() };
                context.out.push(Output::StartTls { conn, role, alpn: Vec::new() });
            }
            Input::Connected { room, .. } | Input::Secured { room, .. } => {
                connection.room = room;
                connection.stage = Stage::Binding(Framer::new(MAX_FRAME_BYTES));
                self.start(context, Purpose::ConnectionBind(conn));
            }
            Input::Writable { room, .. } => {
                connection.room = room;
                if matches!(connection.stage, Stage::Open) {
                    context.out.event(Event::PeerWritable { conn, room });
                }
            }
            Input::Failed { ref kind, .. } => {
                self.connection_failed(context, conn, Cause::Unreachable(kind.clone()));
            }
            Input::Closed { reason, .. } => {
                if matches!(connection.stage, Stage::Open) {
                    self.forget_connection(conn);
                    context.out.event(Event::PeerClosed { conn });
                } else {
                    self.connection_failed(context, conn, Cause::ConnectionLost(reason));
                }
            }
            Input::Data { bytes, .. } => self.connection_data(context, conn, bytes),
            _ => {}
        }
    }

    fn connection_data(&mut self, context: &mut Context<'_>, conn: Id, bytes: &[u8]) {
        match self.connections.0.get_mut(&conn).map(|connection| &mut connection.stage) {
            Some(Stage::Open) => {
                context.out.push_with(Output::Event(Event::PeerData { conn }), bytes);
            }
            Some(Stage::Binding(framer)) => {
                framer.push(bytes);
                self.read_answers(context, conn);
            }
            _ => {}
        }
    }

    /// Reads what the server says before the connection is the peer's.
    fn read_answers(&mut self, context: &mut Context<'_>, conn: Id) {
        while let Some(Connection { stage: Stage::Binding(framer), .. }) =
            self.connections.0.get_mut(&conn)
        {
            let message = match framer.next_frame() {
                Ok(Some(Frame::Stun(message))) => message.to_vec(),
                Ok(None) => return,
                Ok(Some(Frame::ChannelData(_))) | Err(_) => {
                    context.out.push(Output::Close { id: conn });
                    self.connection_failed(context, conn, Cause::BadAnswer);
                    return;
                }
            };
            self.handle_message(context, &message);
        }
    }

    /// The connection with the server is the peer's now, and so is what follows the response.
    pub(super) fn connection_bound(&mut self, context: &mut Context<'_>, conn: Id) {
        let Some(connection) = self.connections.0.get_mut(&conn) else { return };
        let before = std::mem::replace(&mut connection.stage, Stage::Open);
        self.timers.cancel(&Timer::Connection(conn));
        let (peer, room) = (connection.peer, connection.room);
        context.out.event(Event::PeerConnected { conn, peer, room });
        if let Stage::Binding(framer) = before {
            let rest = framer.into_rest();
            if !rest.is_empty() {
                context.out.push_with(Output::Event(Event::PeerData { conn }), &rest);
            }
        }
    }

    /// There will be no such connection.
    pub(super) fn connection_failed(&mut self, context: &mut Context<'_>, conn: Id, cause: Cause) {
        if let Some(peer) = self.forget_connection(conn) {
            context.out.event(Event::PeerRefused { peer, cause });
        }
    }

    /// The time of an offer or of a connection that is being opened is up.
    pub(super) fn connection_late(&mut self, context: &mut Context<'_>, conn: Id) {
        match self.connections.0.get(&conn).map(|connection| &connection.stage) {
            Some(Stage::Opening | Stage::Binding(_)) => {
                context.out.push(Output::Close { id: conn });
                self.connection_failed(context, conn, Cause::NoAnswer);
            }
            Some(Stage::Offered) => {
                self.forget_connection(conn);
                context.out.event(Event::PeerClosed { conn });
            }
            _ => {}
        }
    }

    fn forget_connection(&mut self, conn: Id) -> Option<Endpoint> {
        self.timers.cancel(&Timer::Connection(conn));
        self.connections.0.remove(&conn).map(|connection| connection.peer)
    }

    /// Writes to the peer; says how much.
    pub(in crate::client) fn write(
        &mut self,
        context: &mut Context<'_>,
        conn: Id,
        bytes: &[u8],
    ) -> Result<usize, SendError> {
        match self.connections.0.get_mut(&conn) {
            Some(connection @ Connection { stage: Stage::Open, .. }) => {
                let written = bytes.get(..connection.room).unwrap_or(bytes);
                connection.room -= written.len();
                context.out.write(conn, written);
                Ok(written.len())
            }
            _ => Err(SendError::NoConnection),
        }
    }

    /// The owner is done with a connection.
    pub(in crate::client) fn close_connection(&mut self, context: &mut Context<'_>, conn: Id) {
        let opened =
            self.connections.0.get(&conn).is_some_and(|connection| {
                !matches!(connection.stage, Stage::Asked | Stage::Offered)
            });
        self.forget_connection(conn);
        if opened {
            context.out.push(Output::Close { id: conn });
        }
    }
}
