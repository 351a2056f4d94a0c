//! Recording a machine's inputs, and replaying them to the same outputs.
//!
//! A journal is a sequence of entries, each a 32-bit big-endian length and a postcard value: the
//! step, and after it what the machine gave for it, payloads included. It holds whatever the
//! machine was told, answers with keys in them too: it is as secret as they are.

use std::fmt::{Debug, Write as _};

use serde::{Deserialize, Serialize};

use crate::{Input, Instant, Machine, Now, Output, Reader};

/// What happened to a machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Step<'a, A> {
    /// `handle_input`.
    Input(#[serde(borrow)] Input<'a, A>),
    /// `handle_timeout`.
    Timeout,
}

#[derive(Serialize, Deserialize)]
struct Entry<'a, A> {
    now: Now,
    #[serde(borrow)]
    step: Step<'a, A>,
}

/// A machine whose inputs and outputs are written down as they happen.
pub struct Recorder<M, S> {
    machine: M,
    sink: S,
    outputs: Vec<u8>,
    open: bool,
}

impl<M, S: FnMut(&[u8])> Recorder<M, S>
where
    M: Machine<Event: Debug, Question: Debug, Answer: Serialize>,
{
    /// Records `machine` into `sink`, which takes the journal's bytes in order.
    pub fn new(machine: M, sink: S) -> Self {
        Self { machine, sink, outputs: Vec::new(), open: false }
    }

    /// The machine, to look at.
    pub const fn get(&self) -> &M {
        &self.machine
    }

    /// The machine, to call verbs of, which are not recorded: a run whose verbs change what the
    /// machine does afterwards does not replay.
    pub const fn get_mut(&mut self) -> &mut M {
        &mut self.machine
    }

    fn record(&mut self, now: Now, step: Step<'_, M::Answer>) {
        self.finish();
        let entry = postcard::to_allocvec(&Entry { now, step }).expect("inputs serialize");
        self.emit(&entry);
        self.open = true;
    }

    fn finish(&mut self) {
        if std::mem::take(&mut self.open) {
            let outputs = std::mem::take(&mut self.outputs);
            self.emit(&outputs);
        }
    }

    fn emit(&mut self, bytes: &[u8]) {
        let len = u32::try_from(bytes.len()).expect("an entry is far below 4 GiB");
        (self.sink)(&len.to_be_bytes());
        (self.sink)(bytes);
    }
}

impl<M, S: FnMut(&[u8])> Machine for Recorder<M, S>
where
    M: Machine<Event: Debug, Question: Debug, Answer: Serialize + Clone>,
{
    type Event = M::Event;
    type Question = M::Question;
    type Answer = M::Answer;

    fn handle_input(&mut self, now: Now, input: Input<'_, Self::Answer>) {
        self.record(now, Step::Input(input.clone()));
        self.machine.handle_input(now, input);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.record(now, Step::Timeout);
        self.machine.handle_timeout(now);
    }

    fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Self::Event, Self::Question>> {
        let start = buf.len();
        let output = self.machine.poll_output(buf);
        match &output {
            Some(output) => write_output(&mut self.outputs, output, &buf[start..]),
            None => self.finish(),
        }
        output
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.machine.poll_timeout()
    }
}

fn write_output<E: Debug, Q: Debug>(to: &mut Vec<u8>, output: &Output<E, Q>, payload: &[u8]) {
    let mut text = String::new();
    write!(text, "{output:?}").expect("a String takes what is written");
    for part in [text.as_bytes(), payload] {
        to.extend_from_slice(&(part.len() as u64).to_be_bytes());
        to.extend_from_slice(part);
    }
}

/// Why a replay stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The journal is cut off or not a journal.
    #[error("entry {entry} is broken")]
    Broken {
        /// Its number, from 0.
        entry: usize,
    },
    /// The machine gave something else than it did when recorded.
    #[error("after entry {entry} ({step}) the outputs differ")]
    Differs {
        /// Its number, from 0.
        entry: usize,
        /// The step, for a person.
        step: String,
    },
}

/// Feeds the recorded inputs to `machine` and compares its outputs to the recorded ones, byte for
/// byte. Returns the number of steps.
///
/// # Errors
/// [`ReplayError`] at the first entry that cannot be read or whose outputs differ.
pub fn replay<M>(journal: &[u8], machine: &mut M) -> Result<usize, ReplayError>
where
    M: Machine<Event: Debug, Question: Debug>,
    M::Answer: for<'de> Deserialize<'de> + Debug,
{
    let mut reader = Reader::new(journal);
    let mut entry = 0;
    let mut buf = Vec::new();
    while !reader.is_empty() {
        let broken = ReplayError::Broken { entry };
        let step = chunk(&mut reader).ok_or_else(|| broken.clone())?;
        let recorded = chunk(&mut reader).ok_or_else(|| broken.clone())?;
        let Entry { now, step } =
            postcard::from_bytes::<Entry<'_, M::Answer>>(step).map_err(|_| broken)?;
        let label = format!("{step:?}");
        match step {
            Step::Input(input) => machine.handle_input(now, input),
            Step::Timeout => machine.handle_timeout(now),
        }
        let mut outputs = Vec::new();
        buf.clear();
        while let Some(output) = machine.poll_output(&mut buf) {
            write_output(&mut outputs, &output, &buf);
            buf.clear();
        }
        if outputs != recorded {
            return Err(ReplayError::Differs { entry, step: label });
        }
        entry += 1;
    }
    Ok(entry)
}

fn chunk<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let len = reader.u32().ok()?;
    reader.take(len as usize).ok()
}

#[cfg(test)]
mod tests {
    use super::{Recorder, ReplayError, replay};
    use crate::{Endpoint, Ids, Input, Instant, Machine, Now, Output, Outputs};

    /// Answers every datagram with its length added to a running sum.
    #[derive(Default)]
    struct Summing {
        sum: usize,
        outputs: Outputs<usize, ()>,
    }

    impl Machine for Summing {
        type Event = usize;
        type Question = ();
        type Answer = ();
        fn handle_input(&mut self, _: Now, input: Input<'_, ()>) {
            if let Input::Datagram { socket, remote, bytes, .. } = input {
                self.sum += bytes.len();
                self.outputs.datagram(socket, remote, &self.sum.to_be_bytes());
                self.outputs.event(self.sum);
            }
        }
        fn handle_timeout(&mut self, _: Now) {
            self.sum = 0;
        }
        fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<usize, ()>> {
            self.outputs.poll(buf)
        }
        fn poll_timeout(&self) -> Option<Instant> {
            None
        }
    }

    fn record() -> Vec<u8> {
        let mut journal = Vec::new();
        let mut recorder = Recorder::new(Summing::default(), |b: &[u8]| journal.extend(b));
        let socket = Ids::new(0).next_id();
        let here = Endpoint::UNSPECIFIED_V4;
        let mut buf = Vec::new();
        for bytes in [&b"abc"[..], b"", b"defg"] {
            let input = Input::Datagram {
                socket,
                local: here,
                remote: here,
                ecn: None,
                segment_size: None,
                bytes,
            };
            recorder.handle_input(Now::default(), input);
            while recorder.poll_output(&mut buf).is_some() {}
        }
        recorder.handle_timeout(Now::default());
        while recorder.poll_output(&mut buf).is_some() {}
        drop(recorder);
        journal
    }

    #[test]
    fn replays_to_the_same_outputs() {
        assert_eq!(replay(&record(), &mut Summing::default()), Ok(4));
    }

    #[test]
    fn a_different_machine_is_noticed() {
        let mut other = Summing { sum: 1, ..Summing::default() };
        assert!(matches!(
            replay(&record(), &mut other),
            Err(ReplayError::Differs { entry: 0, .. })
        ));
    }

    #[test]
    fn a_cut_journal_is_noticed() {
        let journal = record();
        let cut = &journal[..journal.len() - 1];
        assert_eq!(replay(cut, &mut Summing::default()), Err(ReplayError::Broken { entry: 3 }));
    }
}
