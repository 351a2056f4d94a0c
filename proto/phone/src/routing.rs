//! What comes in goes to the part that it is for, by the namespace of its id.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use machine::{Endpoint, Input, Instant, Interface, Machine, Now, Output, Transport};
use xmpp::client::Client;

use crate::account::Line;
use crate::event::Event;
use crate::keepalive::Outcome;
use crate::phone::{CLIENTS, PATHS, Phone, SIGNALLING, Timer};

impl Phone {
    /// Opens a socket for each family that the host has, once.
    fn listen(&mut self, interfaces: &[Interface]) {
        let any = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
        for (any, listening) in any.into_iter().zip(&mut self.listening) {
            let mut addresses = interfaces.iter().flat_map(|interface| &interface.addresses);
            let has = addresses.any(|address| address.ip.is_ipv4() == any.is_ipv4());
            if has && !std::mem::replace(listening, true) {
                self.agent.listen(Transport::Udp, Endpoint::new(any, 0));
            }
        }
    }

    fn route(&mut self, now: Now, input: Input<'_, ()>) {
        match &input {
            Input::Interfaces(interfaces) => {
                self.listen(interfaces);
                self.agent.handle_input(now, &input);
                for client in self.lines.iter_mut().filter_map(Line::client_mut) {
                    client.handle_input(now, Input::Interfaces(interfaces.clone()));
                }
                self.connect.handle_input(now, input);
            }
            Input::Datagram { socket, remote, bytes, .. }
                if socket.namespace() == SIGNALLING && stun::is_stun(bytes) =>
            {
                if let Some(outcome) = self.keepalives.handle_datagram(*remote, bytes) {
                    self.tell_keepalive(now, outcome);
                }
            }
            other if namespace(other) == Some(PATHS) => self.connect.handle_input(now, input),
            other => match self.client_of(namespace(other)) {
                Some(client) => {
                    if let Some(input) = input.map_answer(|()| None) {
                        client.handle_input(now, input);
                    }
                }
                None => self.agent.handle_input(now, other),
            },
        }
    }

    /// The client that names its connections and look-ups in a namespace.
    fn client_of(&mut self, namespace: Option<u16>) -> Option<&mut Client> {
        let place = namespace?.checked_sub(CLIENTS)?;
        self.lines.get_mut(usize::from(place))?.client_mut()
    }

    fn tell_keepalive(&mut self, now: Now, outcome: Outcome) {
        match outcome {
            Outcome::Answered(flow, reflexive) => {
                self.agent.keepalive_answered(now, flow, reflexive);
            }
            Outcome::Failed(flow) => self.agent.keepalive_failed(now, flow),
        }
    }

    pub(crate) fn handle_path(&mut self, now: Now, event: connect::Event) {
        let id = session_of(&event);
        let Some(session) = self.sessions.values_mut().find(|s| s.call.session() == id) else {
            return;
        };
        match &event {
            connect::Event::Candidate { candidate, .. } => {
                let (call, candidate) = (session.id, candidate.clone());
                self.events.push_back(Event::Candidate { call, candidate });
            }
            connect::Event::Pair { pair, .. } => {
                self.events.push_back(Event::Pair { call: session.id, pair: pair.clone() });
            }
            connect::Event::Received { .. } => session.media_came(now),
            _ => {}
        }
        session.call.handle_connect(now, &mut self.connect, event);
    }
}

impl Machine for Phone {
    type Event = Event;
    type Question = Infallible;
    type Answer = ();

    fn handle_input(&mut self, now: Now, input: Input<'_, ()>) {
        self.route(now, input);
        self.run(now);
    }

    fn handle_timeout(&mut self, now: Now) {
        while let Some(timer) = self.timers.expire(now.mono) {
            match timer {
                Timer::Presence(account) => self.tell_registered(account),
                Timer::HangUp => self.hang_up_over(now),
                Timer::Stop => self.stop_over(),
            }
        }
        self.agent.handle_timeout(now);
        self.connect.handle_timeout(now);
        for client in self.lines.iter_mut().filter_map(Line::client_mut) {
            client.handle_timeout(now);
        }
        self.handle_deadlines(now);
        for failed in self.keepalives.handle_timeout(now.mono, &mut self.outputs) {
            self.tell_keepalive(now, failed);
        }
        for session in self.sessions.values_mut() {
            session.call.handle_timeout(now, &mut self.connect);
        }
        self.run(now);
    }

    fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Event, Infallible>> {
        self.outputs.poll(buf)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let calls = self.sessions.values().filter_map(|session| session.call.poll_timeout());
        let clients = self.lines.iter().filter_map(|line| line.client()?.poll_timeout());
        let parts = [
            self.agent.poll_timeout(),
            self.connect.poll_timeout(),
            self.keepalives.poll_timeout(),
            self.timers.next(),
            self.next_deadline(),
        ];
        parts.into_iter().flatten().chain(calls).chain(clients).min()
    }
}

fn namespace(input: &Input<'_, ()>) -> Option<u16> {
    let id = match input {
        Input::Datagram { socket: id, .. }
        | Input::Unreachable { socket: id, .. }
        | Input::Bound { id, .. }
        | Input::Failed { id, .. }
        | Input::Accepted { conn: id, .. }
        | Input::Connected { conn: id, .. }
        | Input::Secured { conn: id, .. }
        | Input::Data { conn: id, .. }
        | Input::Writable { conn: id, .. }
        | Input::Closed { conn: id, .. }
        | Input::Resolved { id, .. }
        | Input::Answer { id, .. } => id,
        Input::Interfaces(_) => return None,
    };
    Some(id.namespace())
}

const fn session_of(event: &connect::Event) -> connect::SessionId {
    use connect::Event as E;
    match event {
        E::Candidate { session, .. }
        | E::Gathered { session }
        | E::Pair { session, .. }
        | E::Writable { session, .. }
        | E::Path { session, .. }
        | E::Received { session, .. }
        | E::Failed { session, .. }
        | E::Closed { session } => *session,
    }
}
