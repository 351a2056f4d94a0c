//! What a world does for the gateways in it.

use machine::{Id, Now};
use netsim::{Inhabitant, NodeId, World};

use crate::{Answer, Gateway, Question};

/// Does what a gateway in `nat` asks for, and answers it.
pub fn serve<M>(world: &mut World<M>, nat: NodeId, id: Id, question: &Question)
where
    M: Inhabitant<Answer: From<Answer>>,
{
    let answer = match question {
        Question::Open(forward) => Answer(world.forward_port(nat, *forward).is_ok()),
        Question::Close(forward) => Answer(world.unforward_port(nat, forward).is_some()),
    };
    world.answer(nat, id, answer.into());
}

/// Switches a gateway and its NAT off and on: both forget, and its epoch starts again.
pub fn restart<M: Inhabitant>(
    world: &mut World<M>,
    nat: NodeId,
    gateway: impl Fn(&mut M) -> &mut Gateway,
) {
    world.restart_nat(nat);
    world.verb(nat, |machine, now: Now| gateway(machine).restart(now));
}
