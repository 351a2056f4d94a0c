//! The task that owns a machine: inputs in, outputs carried out, a bounded piece at a time.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::task::Waker;

use machine::{
    BindKind, Endpoint, FailKind, Id, Input, Interface, Machine, Output, Timers, TlsRole,
};
use tokio::sync::mpsc;
use udp::{Batch, Transmit};

use crate::clock::{now, to_tokio};
use crate::connection::Connection;
use crate::defaults::{
    CONNECT_TIMEOUT, HANDSHAKE_TIMEOUT, INTERFACES_INTERVAL, LINGER, PAUSED_INTERVAL, READ_LEN,
    RETRY, ROUND, VERBS_PER_ROUND,
};
use crate::dns::Resolver;
use crate::fail::fail_kind;
use crate::handle::{Command, Config, World};
use crate::inherited::Inherited;
use crate::plane::PlaneSide;
use crate::ready::{Ready, Woken};
use crate::resource::{Resource, Slot, Task};
use crate::tls::Starter;
use crate::udp_port::UdpPort;
use crate::{interfaces, tcp};

/// One machine and what it holds in the world.
pub(crate) struct Driver<M: Machine, W> {
    machine: M,
    world: W,
    commands: mpsc::Receiver<Command<M>>,
    pub(crate) ready: Arc<Ready>,
    pub(crate) slots: HashMap<Id, Slot<M::Answer>>,
    /// Inputs that came about while outputs were carried out.
    pub(crate) inbox: VecDeque<Input<'static, M::Answer>>,
    pub(crate) timers: Timers<Deadline>,
    resolver: Resolver,
    tls: Starter,
    inherited: Inherited,
    pub(crate) plane: Option<PlaneSide>,
    interfaces: Vec<Interface>,
    /// Connections accepted so far, which names the next.
    pub(crate) accepted: u64,
    /// Shared with every accepted connection that is open.
    pub(crate) permits: Arc<()>,
    payload: Vec<u8>,
    pub(crate) batch: Option<Box<Batch>>,
    pub(crate) scratch: Vec<u8>,
    pub(crate) stopping: bool,
}

/// The driver's own deadlines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deadline {
    /// The list of interfaces is read again.
    Interfaces,
    /// A connection attempt or a handshake has taken too long.
    Connect(Id),
    /// A closing connection has taken too long.
    Linger(Id),
    /// A resource that failed for a moment is served again.
    Retry(Id),
    /// Whether a paused connection still stands is looked at again.
    Paused(Id),
}

impl<M, W> Driver<M, W>
where
    M: Machine<Answer: Send> + Send + 'static,
    W: World<M>,
{
    pub(crate) fn new(
        machine: M,
        world: W,
        config: Config,
        commands: mpsc::Receiver<Command<M>>,
    ) -> Self {
        let ready = Arc::<Ready>::default();
        let plane = config.plane.map(|plane| {
            let waker = Waker::from(ready.token(Woken::Plane));
            PlaneSide::new(plane, waker)
        });
        Self {
            machine,
            world,
            commands,
            ready,
            slots: HashMap::new(),
            inbox: VecDeque::new(),
            timers: Timers::new(),
            resolver: Resolver::new(config.dns),
            tls: Starter::new(config.tls),
            inherited: config.inherited,
            plane,
            interfaces: Vec::new(),
            accepted: 0,
            permits: Arc::default(),
            payload: Vec::new(),
            batch: Some(Box::default()),
            scratch: vec![0; READ_LEN],
            stopping: false,
        }
    }

    /// Runs until stopped; returns the machine.
    pub(crate) async fn run(mut self) -> M {
        tracing::debug!("starts");
        // What a machine wants from birth, before its first input.
        self.drain();
        self.read_interfaces();
        loop {
            let more = self.round();
            if self.stopping && self.slots.is_empty() {
                break;
            }
            if more {
                tokio::task::yield_now().await;
            } else {
                self.wait().await;
            }
        }
        tracing::debug!("has stopped");
        self.machine
    }

    /// Does a bounded amount of work; says whether some may be left.
    fn round(&mut self) -> bool {
        for _ in 0..VERBS_PER_ROUND {
            let Ok(command) = self.commands.try_recv() else { break };
            self.command(Some(command));
        }
        for _ in 0..ROUND {
            self.fire();
            if let Some(input) = self.inbox.pop_front() {
                self.input(input);
            } else if let Some(woken) = self.ready.pop() {
                self.serve_woken(woken);
            } else {
                return false;
            }
        }
        true
    }

    /// Waits for the next thing to do.
    async fn wait(&mut self) {
        let machine = if self.stopping { None } else { self.machine.poll_timeout() };
        let next = [machine, self.timers.next()].into_iter().flatten().min();
        let deadline = async {
            match next {
                Some(at) => tokio::time::sleep_until(to_tokio(at)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.ready.wait() => {}
            command = self.commands.recv(), if !self.stopping => self.command(command),
            () = deadline => {}
        }
    }

    fn command(&mut self, command: Option<Command<M>>) {
        match command {
            Some(Command::Verb(verb)) if !self.stopping => {
                verb(&mut self.machine, now());
                self.drain();
            }
            Some(Command::Verb(_)) => {}
            // Without a handle nobody can ever stop it.
            Some(Command::Stop) | None => self.stop(),
        }
    }

    /// Closes everything; what was written to connections is delivered first.
    fn stop(&mut self) {
        self.stopping = true;
        self.inbox.clear();
        let ids: Vec<Id> = self.slots.keys().copied().collect();
        for id in ids {
            self.close(id);
            // What was closing already may go sooner now.
            self.wake(id);
        }
    }

    /// Fires what is due, the machine's timers and our own.
    fn fire(&mut self) {
        let now = now();
        if !self.stopping && self.machine.poll_timeout().is_some_and(|at| at <= now.mono) {
            self.machine.handle_timeout(now);
            self.drain();
        }
        while let Some(deadline) = self.timers.expire(now.mono) {
            match deadline {
                Deadline::Interfaces => self.read_interfaces(),
                Deadline::Connect(id) => {
                    if self.slots.remove(&id).is_some() {
                        self.inbox.push_back(Input::Failed { id, kind: FailKind::TimedOut });
                    }
                }
                Deadline::Linger(id) => drop(self.slots.remove(&id)),
                Deadline::Retry(id) => self.wake(id),
                Deadline::Paused(id) => self.look_at_paused(id),
            }
        }
    }

    /// Hands `input` to the machine and carries out what it wants.
    pub(crate) fn input(&mut self, input: Input<'_, M::Answer>) {
        if self.stopping {
            return;
        }
        self.machine.handle_input(now(), input);
        self.drain();
    }

    /// Law 1 of [`Machine`]: drained after every input.
    fn drain(&mut self) {
        loop {
            self.payload.clear();
            let Some(output) = self.machine.poll_output(&mut self.payload) else { return };
            self.output(output);
        }
    }

    fn output(&mut self, output: Output<M::Event, M::Question>) {
        match output {
            Output::Bind { id, kind, local, interface } => self.bind(id, kind, local, interface),
            Output::Datagram { socket, source, remote, segment_size, dont_fragment } => {
                // The socket may have closed: the datagram is lost, as the network may lose it.
                let Some(slot) = self.slots.get_mut(&socket) else { return };
                tracing::trace!(?socket, %remote, len = self.payload.len(), "sends");
                let transmit = Transmit { source, remote, segment_size, bytes: &self.payload };
                let waits = match (&mut slot.resource, &self.plane) {
                    (Resource::Udp(port), _) => port.send(transmit, dont_fragment),
                    (Resource::Planed, Some(side)) => {
                        side.send(socket, transmit, dont_fragment);
                        false
                    }
                    _ => false,
                };
                if waits {
                    slot.waker.wake_by_ref();
                }
            }
            Output::Connect { id, local, remote } => {
                self.timers.set(Deadline::Connect(id), now().mono + CONNECT_TIMEOUT);
                let attempt = tcp::connect(local, remote, &self.interfaces);
                self.hold(id, Resource::Connecting(attempt));
            }
            Output::Write { conn } => {
                // It may have ended while the machine wrote.
                let Some(slot) = self.slots.get_mut(&conn) else { return };
                let Resource::Connection(connection) = &mut slot.resource else { return };
                tracing::trace!(?conn, len = self.payload.len(), "writes");
                connection.write(&self.payload);
                slot.waker.wake_by_ref();
            }
            Output::Pause { conn, paused } => self.pause(conn, paused),
            Output::StartTls { conn, role, alpn } => self.start_tls(conn, role, alpn),
            Output::Resolve { id, name, kinds } => {
                let lookup = tokio::spawn(self.resolver.clone().resolve(name, kinds));
                self.hold(id, Resource::Resolving(Task(lookup)));
            }
            Output::Ask { id, question } => {
                let answer = Box::pin(self.world.answer(question));
                self.hold(id, Resource::Asking(answer));
            }
            Output::Close { id } => self.close(id),
            Output::Event(event) => self.world.event(now(), event),
        }
    }

    fn pause(&mut self, conn: Id, paused: bool) {
        let Some(slot) = self.slots.get_mut(&conn) else { return };
        let Resource::Connection(connection) = &mut slot.resource else { return };
        connection.pause(paused);
        if paused {
            self.timers.set(Deadline::Paused(conn), now().mono + PAUSED_INTERVAL);
        } else {
            self.timers.cancel(&Deadline::Paused(conn));
            slot.waker.wake_by_ref();
        }
    }

    fn start_tls(&mut self, conn: Id, role: TlsRole, alpn: Vec<Vec<u8>>) {
        // It may have ended before.
        let Some(slot) = self.slots.get_mut(&conn) else { return };
        if let Resource::Connection(_) = &slot.resource
            && let Some(Slot { resource: Resource::Connection(connection), .. }) =
                self.slots.remove(&conn)
        {
            self.timers.set(Deadline::Connect(conn), now().mono + HANDSHAKE_TIMEOUT);
            let handshake = self.tls.start(connection, role, alpn);
            self.hold(conn, Resource::Securing(handshake));
        }
    }

    fn bind(&mut self, id: Id, kind: BindKind, local: Endpoint, interface: Option<u32>) {
        let bound = match kind {
            BindKind::Udp => self.bind_udp(local, interface),
            BindKind::SharedUdp | BindKind::RelayUdp => match &self.plane {
                Some(side) => side
                    .bind((id, kind), local, interface, &self.inherited)
                    .map(|local| (Resource::Planed, local)),
                None => self.bind_udp(local, interface),
            },
            BindKind::TcpListener => self.listen(local, interface),
        };
        match bound.map_err(|error| tcp::no_port(error, local)) {
            Ok((resource, local)) => {
                self.hold(id, resource);
                self.inbox.push_back(Input::Bound { id, local });
            }
            Err(error) => {
                tracing::debug!(%local, %error, "could not bind");
                self.inbox.push_back(Input::Failed { id, kind: fail_kind(&error) });
            }
        }
    }

    fn bind_udp(
        &self,
        local: Endpoint,
        interface: Option<u32>,
    ) -> io::Result<(Resource<M::Answer>, Endpoint)> {
        let port = match self.inherited.take_socket(local) {
            Some(socket) => UdpPort::inherited(socket)?,
            None => UdpPort::bind(local, interface)?,
        };
        let local = port.local();
        Ok((Resource::Udp(Box::new(port)), local))
    }

    fn listen(
        &self,
        local: Endpoint,
        interface: Option<u32>,
    ) -> io::Result<(Resource<M::Answer>, Endpoint)> {
        let listener = match self.inherited.take_listener(local) {
            Some(listener) => tcp::inherited(listener)?,
            None => tcp::listen(local, interface)?,
        };
        let local = Endpoint::from(listener.local_addr()?);
        Ok((Resource::Listener(listener), local))
    }

    /// Closes what the machine holds by the name `id`.
    fn close(&mut self, id: Id) {
        self.timers.cancel(&Deadline::Connect(id));
        self.timers.cancel(&Deadline::Paused(id));
        let Some(slot) = self.slots.remove(&id) else { return };
        // Of what is closed the machine hears no more, not even what had already happened.
        self.inbox.retain(|input| subject(input) != Some(id));
        match slot.resource {
            Resource::Connection(connection) => self.linger(id, slot.waker, connection),
            Resource::Closing(_) => drop(self.slots.insert(id, slot)),
            Resource::Planed => self.plane.iter().for_each(|side| side.close(id)),
            _ => {}
        }
    }

    /// Delivers what was written to a closed connection, for a while.
    pub(crate) fn linger(&mut self, id: Id, waker: Waker, connection: Connection) {
        waker.wake_by_ref();
        self.timers.set(Deadline::Linger(id), now().mono + LINGER);
        self.slots.insert(id, Slot { waker, resource: Resource::Closing(connection) });
    }

    pub(crate) fn hold(&mut self, id: Id, resource: Resource<M::Answer>) {
        let slot = Slot::new(&self.ready, id, resource);
        let before = self.slots.insert(id, slot);
        assert!(before.is_none(), "a machine uses each name once");
    }

    /// Serves `id` again in its turn.
    pub(crate) fn wake(&self, id: Id) {
        if let Some(slot) = self.slots.get(&id) {
            slot.waker.wake_by_ref();
        }
    }

    /// Serves `id` again after a rest.
    pub(crate) fn retry(&mut self, id: Id, error: &io::Error) {
        tracing::debug!(?id, %error, "rests");
        self.timers.set(Deadline::Retry(id), now().mono + RETRY);
    }

    fn read_interfaces(&mut self) {
        self.timers.set(Deadline::Interfaces, now().mono + INTERFACES_INTERVAL);
        match interfaces() {
            Ok(found) if found != self.interfaces => {
                self.interfaces.clone_from(&found);
                self.input(Input::Interfaces(found));
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "cannot list interfaces"),
        }
    }
}

/// What an input that waits in the inbox is about.
fn subject<A>(input: &Input<'_, A>) -> Option<Id> {
    match input {
        Input::Bound { id, .. } | Input::Failed { id, .. } => Some(*id),
        _ => None,
    }
}
