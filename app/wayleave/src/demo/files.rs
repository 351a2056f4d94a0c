//! The files of a demo: both sides' sound, the capture, the ladder, all that was said.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use scenarios::{Via, Who};

use super::outcome::{Call, Outcome, via_name};
use crate::failure::Failure;
use crate::ladder::{self, Row};

/// Writes them into `folder`, and says what each is.
pub fn write(folder: &Path, outcome: &Outcome) -> Result<Vec<(PathBuf, String)>, Failure> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let mut files = Vec::new();
    let mut write = |name: &str, what: &str, bytes: Vec<u8>| -> Result<(), Failure> {
        let path = folder.join(name);
        std::fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        files.push((path, what.to_owned()));
        Ok(())
    };
    for (at, call) in outcome.calls.iter().enumerate() {
        // The first call's files have the plain names.
        let (mark, over) = match call.spec.via {
            via if at == 0 => ("", over_what(outcome, via)),
            via @ Via::Sip => ("-sip", over_what(outcome, via)),
            via @ Via::Xmpp => ("-xmpp", over_what(outcome, via)),
        };
        let wav = |who: Who| {
            let sound = audio::wav::encode(&call.report.side(who).heard.samples);
            sound.context("cannot encode what was heard")
        };
        for (name, what, bytes) in [
            ("bob-heard", "what Bob heard of Alice", wav(Who::Bob)?),
            ("alice-heard", "what Alice heard of Bob", wav(Who::Alice)?),
        ] {
            write(&format!("{name}{mark}.wav"), &format!("{what}{over}"), bytes)?;
        }
        let what = format!("every packet at Alice, the core and Bob{over}");
        write(&format!("call{mark}.pcapng"), &what, call.report.pcapng())?;
    }
    write("ladder.txt", "who said what to whom", ladder_text(outcome, false).into_bytes())?;
    let titled: Vec<_> =
        outcome.calls.iter().map(|call| (via_name(call.spec.via), &call.ladder)).collect();
    write("ladder.svg", "the same as a picture", ladder::svg::file(&titled).into_bytes())?;
    let what = "the signalling in full, message by message";
    write("signalling.txt", what, signalling(outcome).into_bytes())?;
    let text = format!("{:#}\n", super::report::json(outcome));
    write("report.json", "what came of it, for programs", text.into_bytes())?;
    let page = super::page::render(outcome);
    write("report.html", "all of it on one page: open it in a browser", page.into_bytes())?;
    Ok(files)
}

/// Of which call a file is, where there are two.
fn over_what(outcome: &Outcome, via: Via) -> String {
    if outcome.calls.len() > 1 { format!(" (over {})", via_name(via)) } else { String::new() }
}

/// The ladder of the one call, or of two calls side by side; `narrow`: for a terminal.
pub fn ladder_text(outcome: &Outcome, narrow: bool) -> String {
    match &outcome.calls[..] {
        [sip, xmpp] => {
            let titled = |call: &'_ Call| format!("Over {}", via_name(call.spec.via));
            let titles = [titled(sip), titled(xmpp)];
            let ladders = [(&*titles[0], &sip.ladder), (&*titles[1], &xmpp.ladder)];
            ladder::text::side_by_side(ladders, narrow)
        }
        _ => ladder::text::draw(&outcome.first().ladder),
    }
}

/// What was said in SIP and XMPP, in full.
fn signalling(outcome: &Outcome) -> String {
    let mut text = String::new();
    for Call { spec, ladder, .. } in &outcome.calls {
        for row in &ladder.rows {
            match row {
                Row::Message { at, from, to, label, text: Some(said), .. } => {
                    let at = at.as_secs_f64();
                    let (from, to) = (&ladder.columns[*from], &ladder.columns[*to]);
                    let _ = writeln!(text, "\n{at:.3}  {from} → {to}: {label}\n");
                    for line in said.trim_end().lines() {
                        let _ = writeln!(text, "{}", format!("    {line}").trim_end());
                    }
                }
                Row::Note { at, text: note } => {
                    let via = via_name(spec.via);
                    let _ = writeln!(text, "\n── {:.3}  {note} (over {via}) ──", at.as_secs_f64());
                }
                Row::Message { .. } | Row::Media { .. } => {}
            }
        }
    }
    text.trim_start().to_owned()
}
