//! `wayleave chat`: plain messages with one person.
//!
//! | module | what |
//! |---|---|
//! | `receipts` | which messages the core is known to have |
//! | `printed` | what others write, as a terminal may show it |

mod printed;
mod receipts;

use std::io::BufRead as _;
use std::time::Duration;

use phone::{Config, Event, MessageError, Protocol, Source, Target};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior, interval};

use self::printed::{of_another, printable};
use self::receipts::Receipts;
use super::args::Setup;
use super::line::{Line, Next};
use super::{absent, account};
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

/// How long a line waits for a core that is gone: longer than a core takes to start anew and a phone to
/// notice, and as long as somebody looks at a line that goes nowhere.
const PATIENCE: Duration = Duration::from_secs(60);

/// How soon after a message the core is asked whether it has it: what is sent in between is covered by
/// one question.
const ASK_AFTER: Duration = Duration::from_secs(1);

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
        let mut chat = Chat::new(ui, target);
        let held = chat.hold(&mut line).await;
        let closed = line.close().await;
        held.and(closed)?;
        chat.end()
    })
}

/// How far stdin has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// There may be more.
    Open,
    /// There is no more, and the core has not said yet that it has all.
    Ended,
    /// The phone is being stopped.
    Stopping,
}

/// The conversation.
struct Chat<'a> {
    ui: &'a Ui,
    target: Target,
    stage: Stage,
    online: bool,
    /// A line that nobody could take yet; those after it wait in [`LINES`].
    waiting: Option<String>,
    receipts: Receipts,
    result: Result<(), Failure>,
}

impl<'a> Chat<'a> {
    fn new(ui: &'a Ui, target: Target) -> Self {
        Self {
            ui,
            target,
            stage: Stage::Open,
            online: true,
            waiting: None,
            receipts: Receipts::default(),
            result: Ok(()),
        }
    }
}

impl Chat<'_> {
    /// Writes and reads until stdin ends and the core has all, and then until the phone has stopped.
    async fn hold(&mut self, line: &mut Line<'_>) -> Result<(), Failure> {
        let mut lines = read_stdin()?;
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let reads = self.stage == Stage::Open && self.waiting.is_none();
            tokio::select! {
                next = line.next() => match next? {
                    Next::Event(Event::Stopped) => return Ok(()),
                    Next::Event(event) => self.handle(event, line).await?,
                    Next::Signal => self.stop(line, Err(Failure::interrupted())).await?,
                    Next::Time => self.handle_time(line).await?,
                },
                text = next_line(&mut lines, &mut pace), if reads => match text {
                    // An empty line says nothing.
                    Some(text) if text.is_empty() => {}
                    Some(text) => self.send(line, text).await?,
                    None => self.stage = Stage::Ended,
                },
            }
            self.advance(line).await?;
        }
    }

    /// Does what can be done by now.
    async fn advance(&mut self, line: &mut Line<'_>) -> Result<(), Failure> {
        if self.stage == Stage::Stopping || !self.online {
            return self.end_if_settled(line).await;
        }
        if let Some(text) = self.waiting.take() {
            self.send(line, text).await?;
        }
        if self.stage == Stage::Ended && self.waiting.is_none() && self.receipts.is_due() {
            self.ask(line).await?;
        }
        self.end_if_settled(line).await
    }

    /// Stops the phone when all is said and known.
    async fn end_if_settled(&mut self, line: &mut Line<'_>) -> Result<(), Failure> {
        let settled = self.waiting.is_none() && self.receipts.is_settled();
        if self.stage == Stage::Ended && settled {
            self.stop(line, Ok(())).await?;
        }
        Ok(())
    }

    /// Asks the core whether it has what was sent.
    async fn ask(&mut self, line: &mut Line<'_>) -> Result<(), Failure> {
        if self.receipts.is_due() {
            if line.verb(|phone, now| phone.ping(now, 0)).await?.is_ok() {
                line.clear_deadline();
                self.receipts.ask();
            } else {
                // The stream is gone, which is about to be told; or too much is being asked.
                line.set_deadline(ASK_AFTER);
            }
        }
        Ok(())
    }

    async fn handle_time(&mut self, line: &mut Line<'_>) -> Result<(), Failure> {
        if self.online {
            return self.ask(line).await;
        }
        let Some(text) = &self.waiting else { return Ok(()) };
        let message = format!(
            "not sent, and nothing after it: \u{201c}{}\u{201d}; the core was not there for {} s",
            printed::one_line(text),
            PATIENCE.as_secs()
        );
        let failure = Failure::new(Exit::Unreachable, "unreachable", message)
            .with_remedy("check that the core runs");
        self.stop(line, Err(failure)).await
    }

    async fn stop(
        &mut self,
        line: &mut Line<'_>,
        result: Result<(), Failure>,
    ) -> Result<(), Failure> {
        if self.stage != Stage::Stopping {
            (self.stage, self.result) = (Stage::Stopping, result);
            line.stop().await?;
        }
        Ok(())
    }

    /// Sends a line, or keeps it until somebody takes it.
    async fn send(&mut self, line: &mut Line<'_>, text: String) -> Result<(), Failure> {
        let (to, body) = (self.target.clone(), text.clone());
        let sent = line.verb(move |phone, now| phone.send_message(now, 0, &to, &body)).await?;
        let id = match sent {
            Ok(id) => id,
            Err(MessageError::NotConnected) => {
                (self.waiting, self.online) = (Some(text), false);
                line.set_deadline(PATIENCE);
                return Ok(());
            }
            Err(error) => {
                let message = format!("not sent: {error}");
                return Err(Failure::new(Exit::Unreachable, "unreachable", message));
            }
        };
        let fields = json!({
            "direction": "out",
            "to": self.target.to_string(),
            "text": text,
            "id": id.as_str(),
        });
        self.ui.event("message", fields);
        if self.receipts.is_settled() {
            line.set_deadline(ASK_AFTER);
        }
        self.receipts.sent(id.as_str(), &text);
        Ok(())
    }

    /// Says which messages the core may not have.
    fn lose(&mut self) {
        let why = "the connection went before the core said that it has it";
        for (id, name) in self.receipts.lose() {
            let fields = json!({ "id": id, "reason": why, "certain": false });
            self.ui.event("message_failed", fields);
            self.ui.warn(format!("{name} may be lost: {why}"));
        }
    }

    async fn handle(&mut self, event: Event, line: &mut Line<'_>) -> Result<(), Failure> {
        match event {
            Event::Message { from, text, .. } if !self.ui.is_json() => self.show(&from, &text),
            Event::MessageFailed { message, condition, reason, .. } => {
                if let Some(name) = self.receipts.fail(message.as_str()) {
                    let why = absent::why(condition, &self.target.to_string());
                    let why = why.map_or(reason, |absence| absence.message);
                    self.ui.warn(format!("{name} did not reach {}: {why}", self.target));
                }
            }
            Event::Pinged { answered, .. } if self.receipts.is_asked() => {
                if answered {
                    self.receipts.answered();
                    if self.receipts.is_due() {
                        line.set_deadline(ASK_AFTER);
                    }
                } else {
                    self.lose();
                }
            }
            // Lines wait while there is nobody to take them.
            Event::Registered { .. } => {
                line.clear_deadline();
                if !std::mem::replace(&mut self.online, true) {
                    self.ui.note(events::words(&event).unwrap_or_default());
                }
            }
            Event::RegistrationFailed { retry_in: Some(_), .. } => {
                self.online = false;
                self.ui.warn(events::words(&event).unwrap_or_default());
                self.lose();
            }
            Event::RegistrationFailed { reason, retry_in: None, .. } => {
                self.lose();
                let failure = line.registration_failure(&reason);
                self.stop(line, Err(failure)).await?;
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
        if bare(from) == bare(&self.target.to_string()) {
            self.ui.say(printable(text));
        } else {
            self.ui.say(of_another(from, text));
        }
    }

    fn end(self) -> Result<(), Failure> {
        self.result?;
        let target = &self.target;
        let failure = |message| Failure::new(Exit::Unreachable, "unreachable", message);
        if let Some(which) = self.receipts.failures() {
            let message = format!("messages that did not reach {target}, {which}");
            return Err(failure(message).with_remedy(
                "check the address; a core without an archive keeps nothing for who is offline",
            ));
        }
        if let Some(which) = self.receipts.losses() {
            let message = format!("messages that the core may not have, {which}");
            let remedy = "ask whether they came before you send them again";
            return Err(failure(message).with_remedy(remedy));
        }
        Ok(())
    }
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
