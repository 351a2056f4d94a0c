//! The core as it is driven: by itself, or with a journal.

use machine::Machine;
use machine::journal::Recorder;
use server::{Answer, Event, Question, Server};

/// A machine that is the core.
pub trait Core:
    Machine<Event = Event, Question = Question, Answer = Answer> + Send + 'static
{
    /// The core, to look at.
    fn get(&self) -> &Server;
    /// The core, to call verbs of. A journal does not hold them: with one, what is changed while the
    /// core runs cannot be replayed.
    fn get_mut(&mut self) -> &mut Server;
}

impl Core for Server {
    fn get(&self) -> &Server {
        self
    }

    fn get_mut(&mut self) -> &mut Server {
        self
    }
}

impl<S: FnMut(&[u8]) + Send + 'static> Core for Recorder<Server, S> {
    fn get(&self) -> &Server {
        self.get()
    }

    fn get_mut(&mut self) -> &mut Server {
        self.get_mut()
    }
}
