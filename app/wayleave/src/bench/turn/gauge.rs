//! What a piece of work costs the server's process.

use crate::bench::cpu::{self, Usage};
use crate::bench::memory::{self, Memory};

/// Looks at a process, if there is one to look at.
#[derive(Clone, Copy, Debug)]
pub struct Gauge {
    /// The process.
    pub pid: Option<u32>,
}

/// What the process used and held.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    /// The CPU time that it used.
    pub cpu: Option<Usage>,
    /// The memory that it held before and after.
    pub memory: Option<(Memory, Memory)>,
}

impl Gauge {
    /// Does `work`, and says what it cost the process.
    pub fn measure<T>(self, work: impl FnOnce() -> T) -> anyhow::Result<(T, Spent)> {
        let Some(pid) = self.pid else { return Ok((work(), Spent::default())) };
        let (cpu, memory) = (cpu::used(pid)?, memory::held(pid)?);
        let done = work();
        let cpu = cpu::used(pid)?.since(cpu);
        let spent = Spent { cpu: Some(cpu), memory: Some((memory, memory::held(pid)?)) };
        Ok((done, spent))
    }
}
