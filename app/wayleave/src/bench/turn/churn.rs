//! Generations of clients that allocate, permit, send, and vanish: what a server that forgets
//! nothing grows by.

use std::time::Duration;

use serde_json::json;

use super::client::Client;
use super::stage::Stage;
use super::{Args, Transport, all_granted};
use crate::bench::memory::{self, Memory};
use crate::failure::Failure;
use crate::ui::Ui;

/// How long after the end of a lifetime a server may take to notice.
const GRACE: Duration = Duration::from_secs(3);

/// Packets of each client.
const PACKETS: u64 = 10;

/// The generation that later ones are compared with: by then a server has what it needs.
const REFERENCE: usize = 3;

/// What a generation leaves.
#[derive(Clone, Copy, Debug)]
struct Generation {
    /// While all allocations of it live.
    loaded: Memory,
    /// When all of them are over.
    idle: Memory,
}

/// Runs `generations` of them against the process `pid`.
pub fn run(
    generations: usize,
    pid: u32,
    args: &Args,
    stage: &mut Stage<'_>,
    ui: &Ui,
) -> Result<(), Failure> {
    let mut seen: Vec<Generation> = Vec::new();
    for n in 1..=generations {
        let generation = live(pid, args, stage)?;
        let Generation { loaded, idle } = generation;
        ui.event("generation", json!({ "n": n, "loaded": loaded.rss, "idle": idle.rss }));
        if !ui.is_json() {
            let (loaded, idle) = (loaded.rss / 1024, idle.rss / 1024);
            ui.say(format!("generation {n}: {loaded} KiB, {idle} KiB when it was over"));
        }
        seen.push(generation);
    }
    let growth = |of: fn(&Generation) -> u64| growth(&seen.iter().map(of).collect::<Vec<_>>());
    let (loaded, idle) = (growth(|g| g.loaded.rss), growth(|g| g.idle.rss));
    ui.event(
        "bench",
        json!({ "what": "turn-churn", "allocations": args.allocations,
                "generations": generations, "loaded_growth": loaded, "idle_growth": idle }),
    );
    if let (false, Some(loaded), Some(idle)) = (ui.is_json(), loaded, idle) {
        let last = generations;
        ui.say(format!(
            "memory of generation {last} over that of generation {REFERENCE}: {loaded:.3}, {idle:.3} \
             when it was over"
        ));
    }
    Ok(())
}

fn live(pid: u32, args: &Args, stage: &mut Stage<'_>) -> Result<Generation, Failure> {
    let mut clients = stage.connect()?;
    let generation = live_and_vanish(pid, args, stage, &mut clients);
    if generation.is_err() {
        stage.release(clients);
    }
    generation
}

fn live_and_vanish(
    pid: u32,
    args: &Args,
    stage: &mut Stage<'_>,
    clients: &mut Vec<Client>,
) -> Result<Generation, Failure> {
    let (outcome, _) = stage.allocate(clients)?;
    all_granted(&outcome, args)?;
    let (outcome, _) = stage.permit(clients)?;
    all_granted(&outcome, args)?;
    let flows = stage.flows(clients);
    let packets = PACKETS * u64::try_from(args.allocations).unwrap_or(1);
    stage.pass(packets, clients, &flows)?;
    let loaded = memory::held(pid)?;
    let lifetime = clients.iter().filter_map(|client| client.lifetime).max().unwrap_or_default();
    // Silent sockets are as good as gone, and can still release what they hold when the wait is
    // interrupted. Connections have to be closed.
    if args.transport != Transport::Udp {
        clients.clear();
    }
    stage.wait(lifetime + GRACE)?;
    Ok(Generation { loaded, idle: memory::held(pid)? })
}

/// The last over the reference, to a thousandth.
fn growth(bytes: &[u64]) -> Option<f64> {
    let (reference, last) = (*bytes.get(REFERENCE - 1)?, *bytes.last()?);
    (reference > 0).then(|| (last as f64 / reference as f64 * 1000.0).round() / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::growth;

    #[test]
    fn the_last_over_the_third() {
        assert_eq!(growth(&[1, 2, 100, 100, 105]), Some(1.05));
        assert_eq!(growth(&[1, 2, 4]), Some(1.0));
        assert_eq!(growth(&[1, 2]), None);
    }
}
