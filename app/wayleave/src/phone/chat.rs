//! `wayleave chat`: plain messages with one person.

use std::io::BufRead as _;
use std::time::Duration;

use phone::{Config, Event, MessageId, Protocol, Source, Target};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::account;
use super::args::Setup;
use super::line::{Line, Next};
use crate::failure::{Exit, Failure};
use crate::ui::Ui;
use crate::{events, signal};

/// Write to somebody, and read what they write.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// To whom: xmpp:bob@example.org, or bob@example.org in the protocol of --as
    #[arg(value_name = "TARGET")]
    target: String,
    #[command(flatten)]
    account: account::Args,
    /// Whether messages are encrypted from end to end
    #[arg(long, default_value = "off")]
    otr: Otr,
}

/// Encryption from end to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Otr {
    /// They are not
    Off,
    /// If both sides can (comes with a later version)
    Allow,
    /// Or nothing is said (comes with a later version)
    Require,
}

/// Lines that wait to be sent: the reader of stdin waits for the network.
const LINES: usize = 16;

/// Between two messages: servers allow some tens a second, ours 50.
const PACE: Duration = Duration::from_millis(25);

/// Sends stdin line by line until its end, and prints what comes. At the end all that was sent has been
/// taken by the core, or has come back.
pub fn run(args: Args, ui: &Ui) -> Result<(), Failure> {
    let target = args.account.target(&args.target)?;
    if target.protocol() == Protocol::Sip {
        return Err(Failure::usage("chat over SIP is not built yet")
            .with_remedy("an account of XMPP can: --as xmpp:YOU@DOMAIN"));
    }
    match args.otr {
        Otr::Off => {}
        Otr::Allow => ui.warn("OTR is not built yet: the core can read the messages"),
        Otr::Require => {
            let message = "encryption was asked for, and this version has no OTR yet";
            return Err(Failure::new(Exit::Encryption, "encryption", message));
        }
    }
    let setup = Setup {
        pins: args.account.pins()?,
        config: Config { accounts: vec![args.account.account()?], ..Config::default() },
        source: Source::silence(),
        plays: false,
        quiet: true,
    };
    signal::block_on(async {
        let mut line = Line::open(setup, ui).await?;
        let mut chat = Chat { ui, target, sent: Vec::new(), failed: 0, result: Ok(()) };
        let held = chat.hold(&mut line).await;
        let closed = line.close().await;
        held.and(closed)?;
        chat.end()
    })
}

/// The conversation.
struct Chat<'a> {
    ui: &'a Ui,
    target: Target,
    /// What was sent, by its name.
    sent: Vec<MessageId>,
    /// How many came back.
    failed: usize,
    result: Result<(), Failure>,
}

impl Chat<'_> {
    /// Writes and reads until stdin ends, and then until the phone has stopped: what comes back of
    /// what was sent comes before that, since a stream keeps its order.
    async fn hold(&mut self, line: &mut Line<'_>) -> Result<(), Failure> {
        let mut lines = read_stdin()?;
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut open, mut online) = (true, true);
        loop {
            tokio::select! {
                next = line.next() => match next? {
                    Next::Event(Event::Stopped) => return Ok(()),
                    // Lines wait while there is nobody to take them.
                    Next::Event(Event::Registered { .. }) => online = true,
                    Next::Event(event @ Event::RegistrationFailed { retry_in: Some(_), .. }) => {
                        online = false;
                        self.ui.warn(events::words(&event).unwrap_or_default());
                    }
                    Next::Event(event) => self.handle(event, line, &mut open).await?,
                    Next::Signal => {
                        open = false;
                        self.result = Err(Failure::interrupted());
                        line.stop().await?;
                    }
                    Next::Time => {}
                },
                text = next_line(&mut lines, &mut pace), if open && online => match text {
                    Some(text) => self.send(line, text).await?,
                    None => {
                        open = false;
                        line.stop().await?;
                    }
                },
            }
        }
    }

    async fn send(&mut self, line: &Line<'_>, text: String) -> Result<(), Failure> {
        // An empty line says nothing.
        if text.is_empty() {
            return Ok(());
        }
        let (to, body) = (self.target.clone(), text.clone());
        let sent = line.verb(move |phone, now| phone.send_message(now, 0, &to, &body)).await?;
        let sent = sent.map_err(|error| {
            Failure::new(Exit::Unreachable, "unreachable", format!("not sent: {error}"))
        })?;
        let fields = json!({
            "direction": "out",
            "to": self.target.to_string(),
            "text": text,
            "id": sent.as_str(),
        });
        self.ui.event("message", fields);
        self.sent.push(sent);
        Ok(())
    }

    async fn handle(
        &mut self,
        event: Event,
        line: &mut Line<'_>,
        open: &mut bool,
    ) -> Result<(), Failure> {
        match event {
            Event::Message { from, text, .. } if !self.ui.is_json() => self.show(&from, &text),
            Event::MessageFailed { message, reason, .. } if self.sent.contains(&message) => {
                self.failed += 1;
                let target = &self.target;
                self.ui.warn(format!("{target} did not get a message: {reason}"));
            }
            Event::RegistrationFailed { reason, retry_in: None, .. } => {
                *open = false;
                self.result = Err(line.registration_failure(&reason));
                line.stop().await?;
            }
            // Who chats takes no calls.
            Event::Incoming { call, .. } => {
                line.verb(move |phone, now| phone.reject(now, call, true)).await?;
            }
            _ => {}
        }
        Ok(())
    }

    /// What somebody writes; only others than the one we write to are named.
    fn show(&self, from: &str, text: &str) {
        let bare = |address: &str| {
            address.parse::<Target>().ok().map(|target| match target {
                Target::Xmpp(jid) => Target::Xmpp(jid.to_bare().into()),
                other => other,
            })
        };
        let text = printable(text);
        if bare(from) == bare(&self.target.to_string()) {
            self.ui.say(text);
        } else {
            // Each line of theirs: no second one may look like the partner's.
            text.split('\n').for_each(|line| self.ui.say(format!("{from}: {line}")));
        }
    }

    fn end(self) -> Result<(), Failure> {
        self.result?;
        let Self { target, sent, failed, .. } = self;
        if failed == 0 {
            return Ok(());
        }
        let message = format!("{failed} of {} messages did not reach {target}", sent.len());
        Err(Failure::new(Exit::Unreachable, "unreachable", message).with_remedy(
            "check the address; a core without an archive keeps nothing for who is offline",
        ))
    }
}

/// A text as a terminal may show it: what strangers write moves no cursor.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => c,
            // What turns the direction of what follows, past the end of the text too.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// The next line to send, in good time.
async fn next_line(lines: &mut mpsc::Receiver<String>, pace: &mut Interval) -> Option<String> {
    pace.tick().await;
    lines.recv().await
}

/// The lines of stdin, from a thread of its own: nothing else can wait for a terminal and for the
/// network at once on every system. It ends with the process.
fn read_stdin() -> Result<mpsc::Receiver<String>, Failure> {
    let (sender, lines) = mpsc::channel(LINES);
    let read = move || {
        for line in std::io::stdin().lock().split(b'\n').map_while(Result::ok) {
            let line =
                String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(&line)).into_owned();
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new()
        .name("stdin".to_owned())
        .spawn(read)
        .map_err(|error| anyhow::Error::new(error).context("cannot read stdin"))?;
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn what_strangers_write_moves_no_cursor() {
        assert_eq!(
            printable("one\ttwo\nthree\u{1b}[2J\u{7}"),
            "one\ttwo\nthree\u{fffd}[2J\u{fffd}"
        );
        assert_eq!(printable("zoë ☎"), "zoë ☎");
    }
}
