//! The CPU time that a process has used, every thread of it and of its children counted.

use std::fs;
use std::time::Duration;

use anyhow::{Context, bail};

/// The CPU time that `pid` and its descendants have used so far, user and kernel.
pub fn used(pid: u32) -> anyhow::Result<Duration> {
    if !cfg!(target_os = "linux") {
        bail!("--pid reads /proc and works on Linux only");
    }
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))
        .with_context(|| format!("there is no process {pid}"))?;
    let mut total = Duration::ZERO;
    for task in tasks.flatten() {
        // A thread may end while it is looked at.
        if let Ok(text) = fs::read_to_string(task.path().join("schedstat")) {
            total += first_number(&text);
        }
        if let Ok(children) = fs::read_to_string(task.path().join("children")) {
            for child in children.split_whitespace().filter_map(|c| c.parse().ok()) {
                total += used(child).unwrap_or_default();
            }
        }
    }
    Ok(total)
}

/// `schedstat` begins with the nanoseconds that the thread ran.
fn first_number(schedstat: &str) -> Duration {
    let nanos = schedstat.split_whitespace().next().and_then(|n| n.parse().ok());
    Duration::from_nanos(nanos.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #[test]
    #[cfg(target_os = "linux")]
    fn we_have_used_some() {
        assert!(!super::used(std::process::id()).unwrap().is_zero());
        assert!(super::used(u32::MAX).is_err());
    }
}
