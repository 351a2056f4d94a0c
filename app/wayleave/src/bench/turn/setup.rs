//! Requests of many clients: so many under way at a time, the next client's for each that ends.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use machine::Entropy;
use udp::Batch;

use super::client::{Client, Progress};
use super::wire::Wish;
use crate::bench::load::Outcome;

/// Where nothing happens the load sleeps so long instead of waiting on a socket: a sleeper on the
/// socket would have to be woken, at the server's cost.
pub const PAUSE: Duration = Duration::from_micros(50);

/// Has every client ask for its `wish`.
pub fn run(
    clients: &mut [Client],
    wish: impl Fn(usize) -> Wish,
    window: usize,
    batch: &mut Batch,
    entropy: &mut Entropy,
) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let started = Instant::now();
    let mut active: Vec<usize> = Vec::new();
    let mut next = 0;
    while next < clients.len() || !active.is_empty() {
        let now = Instant::now();
        while active.len() < window && next < clients.len() {
            if let Some(client) = clients.get_mut(next) {
                client.ask(wish(next), now, entropy).context("cannot send")?;
            }
            active.push(next);
            next += 1;
        }
        let before = active.len();
        let mut failure = None;
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
        if let Some(error) = failure {
            return Err(error).context("the server's connection failed");
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
) -> std::io::Result<Progress> {
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
