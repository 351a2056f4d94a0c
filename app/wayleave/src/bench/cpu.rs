//! The CPU time that a process has used, every thread of it and of its children counted.

use std::fs;
use std::time::Duration;

use anyhow::{Context, bail};

/// CPU time, in all and the kernel's share of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// User and kernel together, to the nanosecond.
    pub total: Duration,
    /// What the clock's ticks found in the kernel: good for a share, not for small amounts.
    kernel_ticks: u64,
    user_ticks: u64,
}

impl Usage {
    /// What was used since `before`.
    pub const fn since(self, before: Self) -> Self {
        Self {
            total: self.total.saturating_sub(before.total),
            kernel_ticks: self.kernel_ticks.saturating_sub(before.kernel_ticks),
            user_ticks: self.user_ticks.saturating_sub(before.user_ticks),
        }
    }

    /// The kernel's share of it, from 0 to 1, if enough ticks were seen to tell.
    pub fn kernel_share(self) -> Option<f64> {
        let ticks = self.kernel_ticks + self.user_ticks;
        (ticks >= MIN_TICKS).then(|| self.kernel_ticks as f64 / ticks as f64)
    }

    /// Microseconds for each of `operations` in user mode and in the kernel, if there is a share.
    pub fn split_us_per(self, operations: u64) -> Option<(f64, f64)> {
        let (us, share) = (self.us_per(operations)?, self.kernel_share()?);
        Some((us * (1.0 - share), us * share))
    }

    /// Microseconds for each of `operations`.
    pub fn us_per(self, operations: u64) -> Option<f64> {
        (operations > 0).then(|| self.total.as_secs_f64() * 1e6 / operations as f64)
    }
}

/// Fewer ticks than these tell nothing about shares.
const MIN_TICKS: u64 = 20;

/// The CPU time that `pid` and its descendants have used so far.
pub fn used(pid: u32) -> anyhow::Result<Usage> {
    if !cfg!(target_os = "linux") {
        bail!("--pid reads /proc and works on Linux only");
    }
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))
        .with_context(|| format!("there is no process {pid}"))?;
    let mut usage = Usage::default();
    for task in tasks.flatten().map(|task| task.path()) {
        // A thread may end while it is looked at.
        if let Ok(text) = fs::read_to_string(task.join("schedstat")) {
            usage.total += first_number(&text);
        }
        if let Some((user, kernel)) =
            fs::read_to_string(task.join("stat")).ok().as_deref().and_then(ticks)
        {
            usage.user_ticks += user;
            usage.kernel_ticks += kernel;
        }
        if let Ok(children) = fs::read_to_string(task.join("children")) {
            for child in children.split_whitespace().filter_map(|c| c.parse().ok()) {
                let child = used(child).unwrap_or_default();
                usage.total += child.total;
                usage.user_ticks += child.user_ticks;
                usage.kernel_ticks += child.kernel_ticks;
            }
        }
    }
    Ok(usage)
}

/// `schedstat` begins with the nanoseconds that the thread ran.
fn first_number(schedstat: &str) -> Duration {
    let nanos = schedstat.split_whitespace().next().and_then(|n| n.parse().ok());
    Duration::from_nanos(nanos.unwrap_or_default())
}

/// User and kernel ticks of a thread's `stat`, fields 14 and 15. The name in the second field may
/// hold anything, so that counting begins behind its bracket.
fn ticks(stat: &str) -> Option<(u64, u64)> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Usage, first_number, ticks, used};

    #[test]
    #[cfg(target_os = "linux")]
    fn we_have_used_some() {
        let so_far = used(std::process::id()).unwrap();
        assert!(!so_far.total.is_zero());
        assert!(
            used(std::process::id()).unwrap().since(so_far).total < so_far.total + so_far.total
        );
        assert!(used(u32::MAX).is_err());
    }

    #[test]
    fn what_the_kernel_writes() {
        assert_eq!(first_number("1500 3 7\n"), Duration::from_nanos(1500));
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 111 222 13 14";
        assert_eq!(ticks(stat), Some((111, 222)));
        assert_eq!(ticks("7 (a"), None);
    }

    #[test]
    fn shares_want_ticks() {
        let usage = Usage { total: Duration::from_millis(300), kernel_ticks: 20, user_ticks: 10 };
        assert!((usage.kernel_share().unwrap() - 2.0 / 3.0).abs() < 1e-9);
        assert_eq!(Usage { kernel_ticks: 3, ..usage }.kernel_share(), None);
        assert_eq!(usage.us_per(0), None);
        assert_eq!(usage.us_per(100), Some(3000.0));
        let (user, kernel) = usage.split_us_per(100).unwrap();
        assert!((user - 1000.0).abs() < 1e-6 && (kernel - 2000.0).abs() < 1e-6);
    }
}
