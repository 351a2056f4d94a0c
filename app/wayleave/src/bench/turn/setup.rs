//! Requests of many clients: so many under way at a time, the next client's for each that ends.

use std::io;
use std::time::{Duration, Instant};

use machine::Entropy;
use udp::Batch;

use super::client::{Client, Progress};
use super::wire::Wish;
use crate::bench::load::Outcome;

/// Where nothing happens the load sleeps so long instead of waiting on a socket: a sleeper on the
/// socket would have to be woken, at the server's cost.
pub const PAUSE: Duration = Duration::from_micros(50);

/// How the requests are made.
pub struct Pace<'a> {
    /// Requests under way at a time.
    pub window: usize,
    /// Says when to end with [`io::ErrorKind::Interrupted`].
    pub stop: &'a dyn Fn() -> bool,
    /// Whether one client's broken connection leaves the others going.
    pub despite_failures: bool,
}

/// Has every client ask for its `wish`.
pub fn run(
    clients: &mut [Client],
    wish: impl Fn(usize) -> Wish,
    pace: &Pace<'_>,
    batch: &mut Batch,
    entropy: &mut Entropy,
) -> io::Result<Outcome> {
    let mut outcome = Outcome::default();
    let started = Instant::now();
    let mut active: Vec<usize> = Vec::new();
    let mut next = 0;
    while next < clients.len() || !active.is_empty() {
        if (pace.stop)() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let now = Instant::now();
        let mut failure = None;
        while active.len() < pace.window && next < clients.len() {
            let asked = clients.get_mut(next).map(|c| c.ask(wish(next), now, entropy));
            match asked {
                Some(Err(error)) => {
                    failure.get_or_insert(error);
                }
                _ => active.push(next),
            }
            next += 1;
        }
        let before = active.len();
        active.retain(|&n| {
            let Some(client) = clients.get_mut(n) else { return false };
            match advance(client, now, batch, entropy, &mut outcome) {
                Ok(progress) => count(progress, &mut outcome),
                Err(error) => {
                    failure.get_or_insert(error);
                    false
                }
            }
        });
        if let Some(error) = failure.filter(|_| !pace.despite_failures) {
            return Err(error);
        }
        if active.len() == before {
            std::thread::sleep(PAUSE);
        }
    }
    outcome.elapsed = started.elapsed();
    Ok(outcome)
}

/// Whether the client's request goes on.
fn count(progress: Progress, outcome: &mut Outcome) -> bool {
    match progress {
        Progress::Waiting => return true,
        Progress::Done => outcome.done += 1,
        Progress::Lost => outcome.lost += 1,
        Progress::Refused(why) => {
            outcome.refused += 1;
            outcome.refusal.get_or_insert(why);
        }
    }
    false
}

fn advance(
    client: &mut Client,
    now: Instant,
    batch: &mut Batch,
    entropy: &mut Entropy,
    outcome: &mut Outcome,
) -> io::Result<Progress> {
    let mut messages = Vec::new();
    client.link.receive(batch, &mut |bytes| messages.push(bytes.to_vec()))?;
    for message in messages {
        let progress = client.handle(&message, now, entropy)?;
        if progress != Progress::Waiting {
            return Ok(progress);
        }
    }
    let (progress, repeated) = client.handle_timeout(now)?;
    outcome.repeated += u64::from(repeated);
    Ok(progress)
}
