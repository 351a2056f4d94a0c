//! A machine that does as it is told and tells what it sees.

use std::future::Future;

use machine::{
    BindKind, Checked, Endpoint, FailKind, Id, Ids, Input, Instant, Interface, Machine, Now,
    Output, Outputs, Record, RecordKind, ResolveError,
};
use runtime::{Config, Running, World};
use tokio::sync::mpsc;

/// What the probe saw.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Seen {
    Input(Input<'static, u32>),
    Timeout(Instant),
}

#[derive(Default)]
pub(crate) struct Probe {
    pub(crate) outputs: Outputs<Seen, u32>,
    pub(crate) timeout: Option<Instant>,
    /// Writes zeros of all the room there is until so many bytes are written.
    pub(crate) pour: usize,
}

impl Machine for Probe {
    type Event = Seen;
    type Question = u32;
    type Answer = u32;

    fn handle_input(&mut self, _: Now, input: Input<'_, u32>) {
        if let Input::Connected { conn, room, .. } | Input::Writable { conn, room } = input
            && self.pour > 0
        {
            let len = room.min(self.pour);
            self.pour -= len;
            self.outputs.write(conn, &vec![0; len]);
            if self.pour == 0 {
                self.outputs.push(Output::Close { id: conn });
            }
        }
        self.outputs.event(Seen::Input(forever(input)));
    }

    fn handle_timeout(&mut self, _: Now) {
        if let Some(at) = self.timeout.take() {
            self.outputs.event(Seen::Timeout(at));
        }
    }

    fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Seen, u32>> {
        self.outputs.poll(buf)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.timeout
    }
}

/// The input with its payload leaked, which a test may.
fn forever(input: Input<'_, u32>) -> Input<'static, u32> {
    let leak = |bytes: &[u8]| &*bytes.to_vec().leak();
    match input {
        Input::Datagram { socket, local, remote, ecn, segment_size, bytes } => {
            Input::Datagram { socket, local, remote, ecn, segment_size, bytes: leak(bytes) }
        }
        Input::Data { conn, bytes } => Input::Data { conn, bytes: leak(bytes) },
        Input::Bound { id, local } => Input::Bound { id, local },
        Input::Failed { id, kind } => Input::Failed { id, kind },
        Input::Accepted { listener, conn, local, remote, room } => {
            Input::Accepted { listener, conn, local, remote, room }
        }
        Input::Connected { conn, local, remote, room } => {
            Input::Connected { conn, local, remote, room }
        }
        Input::Secured { conn, peer_certs, alpn, binding, room } => {
            Input::Secured { conn, peer_certs, alpn, binding, room }
        }
        Input::Writable { conn, room } => Input::Writable { conn, room },
        Input::Closed { conn, reason } => Input::Closed { conn, reason },
        Input::Unreachable { socket, remote, icmp } => Input::Unreachable { socket, remote, icmp },
        Input::Resolved { id, records } => Input::Resolved { id, records },
        Input::Interfaces(interfaces) => Input::Interfaces(interfaces),
        Input::Answer { id, answer } => Input::Answer { id, answer },
    }
}

struct Listening(mpsc::UnboundedSender<Seen>);

impl World<Checked<Probe>> for Listening {
    fn event(&mut self, _: Now, event: Seen) {
        // The test may have seen enough.
        let _ = self.0.send(event);
    }

    /// Doubles even numbers and never answers odd ones.
    #[expect(clippy::manual_async_fn, reason = "an async fn would borrow self")]
    fn answer(&mut self, question: u32) -> impl Future<Output = u32> + Send + 'static {
        async move {
            if question % 2 == 1 {
                std::future::pending::<()>().await;
            }
            question * 2
        }
    }
}

/// A probe that runs.
pub(crate) struct Run {
    running: Running<Checked<Probe>>,
    seen: mpsc::UnboundedReceiver<Seen>,
    ids: Ids,
    pub(crate) interfaces: Vec<Interface>,
}

impl Run {
    pub(crate) async fn new() -> Self {
        Self::with(Config::default()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        let (sender, mut seen) = mpsc::unbounded_channel();
        let machine = Checked::new(Probe::default());
        let running = runtime::spawn(machine, Listening(sender), config);
        let Some(Seen::Input(Input::Interfaces(interfaces))) = seen.recv().await else {
            panic!("the first input is the list of interfaces");
        };
        Self { running, seen, ids: Ids::new(7), interfaces }
    }

    pub(crate) async fn verb(&self, verb: impl Fn(&mut Probe) + Send + 'static) {
        let verb = move |machine: &mut Checked<Probe>, now| machine.verb(now, |m, _| verb(m));
        self.running.handle().verb(verb).await.unwrap();
    }

    pub(crate) async fn output(&self, output: Output<Seen, u32>, payload: &[u8]) {
        let payload = payload.to_vec();
        self.verb(move |m| m.outputs.push_with(output.clone(), &payload)).await;
    }

    /// The next thing that the probe saw; changes of the interfaces are not told.
    pub(crate) async fn seen(&mut self) -> Seen {
        loop {
            match self.seen.recv().await.unwrap() {
                Seen::Input(Input::Interfaces(_)) => {}
                seen => return seen,
            }
        }
    }

    pub(crate) async fn input(&mut self) -> Input<'static, u32> {
        match self.seen().await {
            Seen::Input(input) => input,
            other @ Seen::Timeout(_) => panic!("{other:?}"),
        }
    }

    pub(crate) fn id(&mut self) -> Id {
        self.ids.next_id()
    }

    pub(crate) async fn try_bind(
        &mut self,
        kind: BindKind,
        local: &str,
    ) -> Result<(Id, Endpoint), FailKind> {
        let wanted = self.id();
        let local = local.parse().unwrap();
        self.output(Output::Bind { id: wanted, kind, local, interface: None }, &[]).await;
        match self.input().await {
            Input::Bound { id, local } if id == wanted => Ok((id, local)),
            Input::Failed { id, kind } if id == wanted => Err(kind),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn bind(&mut self, kind: BindKind, local: &str) -> (Id, Endpoint) {
        self.try_bind(kind, local).await.unwrap()
    }

    pub(crate) async fn connect(&mut self, remote: Endpoint) -> Id {
        let id = self.id();
        self.output(Output::Connect { id, local: None, remote }, &[]).await;
        id
    }

    pub(crate) async fn send(&self, socket: Id, remote: Endpoint, payload: &[u8]) {
        let output = Output::Datagram {
            socket,
            source: None,
            remote,
            segment_size: None,
            dont_fragment: false,
        };
        self.output(output, payload).await;
    }

    pub(crate) async fn resolve(
        &mut self,
        name: &str,
        kinds: &[RecordKind],
    ) -> Result<Vec<Record>, ResolveError> {
        let wanted = self.id();
        let name = name.to_owned();
        self.output(Output::Resolve { id: wanted, name, kinds: kinds.to_vec() }, &[]).await;
        match self.input().await {
            Input::Resolved { id, records } if id == wanted => records,
            other => panic!("{other:?}"),
        }
    }

    /// Stops the machine; returns what it saw that nobody asked for.
    pub(crate) async fn stop(mut self) -> Vec<Seen> {
        self.running.stop().await.unwrap();
        let mut rest = Vec::new();
        while let Some(seen) = self.seen.recv().await {
            rest.push(seen);
        }
        rest
    }
}
