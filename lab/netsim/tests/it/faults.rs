//! Machines that break the laws are noticed.

use machine::{Endpoint, Id, Ids, Input, Instant, Machine, Now, Output, Outputs};
use netsim::{Link, World};

/// Connects, and then writes a byte more than there is room for.
struct Greedy {
    ids: Ids,
    outputs: Outputs<(), ()>,
    remote: Option<Endpoint>,
}

impl Machine for Greedy {
    type Event = ();
    type Question = ();
    type Answer = ();

    fn handle_input(&mut self, _: Now, input: Input<'_, ()>) {
        match input {
            Input::Interfaces(_) => {
                let id: Id = self.ids.next_id();
                match self.remote {
                    Some(remote) => self.outputs.push(Output::Connect { id, local: None, remote }),
                    None => self.outputs.push(Output::Bind {
                        id,
                        kind: machine::BindKind::TcpListener,
                        local: "0.0.0.0:80".parse().unwrap(),
                        interface: None,
                    }),
                }
            }
            Input::Connected { conn, room, .. } => self.outputs.write(conn, &vec![0; room + 1]),
            _ => {}
        }
    }

    fn handle_timeout(&mut self, _: Now) {}

    fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<(), ()>> {
        self.outputs.poll(buf)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}

#[test]
#[should_panic(expected = "a machine writes at most the room announced: 65537 of 65536 bytes")]
fn writing_more_than_the_room() {
    let mut world = World::new(1);
    let machine = |remote: Option<&str>| Greedy {
        ids: Ids::new(0),
        outputs: Outputs::new(),
        remote: remote.map(|remote| remote.parse().unwrap()),
    };
    let a = world.host("a", machine(Some("192.0.2.2:80")), &["192.0.2.1/24"]);
    let b = world.host("b", machine(None), &["192.0.2.2/24"]);
    world.link(a, b, Link::default());
    world.start();
    world.run_for(std::time::Duration::from_secs(1));
}
