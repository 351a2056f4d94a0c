//! The files of a demo: both sides' sound, the capture, the ladder.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use machine::Endpoint;
use scenarios::call::owner;
use scenarios::{Report, Who};

use super::Outcome;
use crate::failure::Failure;
use crate::ladder::{self, Ladder};

/// Writes them into `folder`, and says what each is.
pub fn write(
    folder: &Path,
    outcome: &Outcome<'_>,
) -> Result<Vec<(PathBuf, &'static str)>, Failure> {
    let report = outcome.call;
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let mut files = Vec::new();
    let mut write = |name: &str, what, bytes: Vec<u8>| -> Result<(), Failure> {
        let path = folder.join(name);
        std::fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        files.push((path, what));
        Ok(())
    };
    let wav = |who: Who| audio::wav::encode(&report.side(who).heard.samples);
    let encoded = "cannot encode what was heard";
    write("bob-heard.wav", "what Bob heard of Alice", wav(Who::Bob).context(encoded)?)?;
    write("alice-heard.wav", "what Alice heard of Bob", wav(Who::Alice).context(encoded)?)?;
    write("call.pcapng", "every packet at Alice, the core and Bob", report.pcapng())?;
    let text = ladder::text::draw(&ladder(report));
    write("ladder.txt", "who said what to whom", text.into_bytes())?;
    let text = format!("{:#}\n", super::report::json(outcome));
    write("report.json", "what came of it, for programs", text.into_bytes())?;
    Ok(files)
}

const COLUMNS: [Who; 3] = [Who::Alice, Who::Core, Who::Bob];

fn column(who: Who) -> usize {
    COLUMNS.iter().position(|known| *known == who).unwrap_or_default()
}

fn ladder(report: &Report) -> Ladder {
    let start = report.world.captured().next().map(|packet| packet.at).unwrap_or_default();
    let who = |tap| report.topology.taps.iter().find(|(_, known)| *known == tap);
    let sightings = report.world.captured().filter_map(|packet| {
        let (who, _) = who(packet.tap)?;
        Some(ladder::read::Sighting {
            at: packet.at.saturating_sub(start),
            column: column(*who),
            inbound: packet.inbound?,
            bytes: packet.bytes,
        })
    });
    let column_of = |ip: IpAddr| owner(&report.topology, Endpoint::new(ip, 0)).map(column);
    ladder::read::read(&COLUMNS.map(Who::name), sightings, column_of)
}
