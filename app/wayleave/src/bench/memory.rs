//! The memory that a process holds.

use std::fs;

use anyhow::Context as _;

/// Memory in bytes. What the kernel holds for a process's sockets is not in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Resident: every page that is mapped and present.
    pub rss: u64,
    /// Proportional: a page that several processes share counts for its part.
    pub pss: u64,
}

impl Memory {
    /// Bytes of resident memory for each of `things` that came since `before`.
    pub fn rss_per(self, before: Self, things: u64) -> Option<u64> {
        self.rss.saturating_sub(before.rss).checked_div(things)
    }

    /// The same of proportional memory.
    pub fn pss_per(self, before: Self, things: u64) -> Option<u64> {
        self.pss.saturating_sub(before.pss).checked_div(things)
    }
}

/// What `pid` holds now.
pub fn held(pid: u32) -> anyhow::Result<Memory> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    Ok(read(&text))
}

fn read(rollup: &str) -> Memory {
    let bytes = |name: &str| {
        let line = rollup.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kilobytes.unwrap_or_default() * 1024
    };
    Memory { rss: bytes("Rss"), pss: bytes("Pss") }
}

#[cfg(test)]
mod tests {
    use super::{Memory, read};

    #[test]
    #[cfg(target_os = "linux")]
    fn we_hold_some() {
        let memory = super::held(std::process::id()).unwrap();
        assert!(memory.rss >= memory.pss && memory.pss > 0);
        assert!(super::held(u32::MAX).is_err());
    }

    #[test]
    fn what_the_kernel_writes() {
        let text = "55 r-p [rollup]\nRss:    12 kB\nPss:     3 kB\nPss_Dirty:   1 kB\n";
        let memory = read(text);
        assert_eq!(memory, Memory { rss: 12 * 1024, pss: 3 * 1024 });
        assert_eq!(memory.rss_per(Memory { rss: 2048, pss: 0 }, 10), Some(1024));
        assert_eq!(memory.pss_per(Memory::default(), 0), None);
    }
}
