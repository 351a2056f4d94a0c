//! The flags that `call` and `answer` share, and what they mean.

use std::net::ToSocketAddrs as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use machine::{Endpoint, Transport};
use phone::{Address, Config, IceMode, Relays, Secret, Server, Source, TurnServer};

use super::account::{self, password_in, server, unusable};
use super::pins::Pins;
use crate::failure::{Exit, Failure};
use crate::ui::Ui;

/// Flags of everything that is a phone.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    #[command(flatten)]
    pub account: account::Args,
    /// A WAV file to speak with: PCM, 8 to 48 kHz
    #[arg(long, value_name = "FILE")]
    pub play: Option<PathBuf>,
    /// A WAV file for what is heard
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Hang up after so much of conversation: 10s, 2m, 500ms
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub duration: Option<Duration>,
    /// How media are encrypted
    #[arg(long, default_value = "auto")]
    pub encrypt: Encrypt,
    /// How media find their way
    #[arg(long, default_value = "on")]
    pub ice: IceArg,
    /// A STUN server, as stun:HOST:PORT; the core itself when missing
    #[arg(long, value_name = "URI")]
    pub stun: Vec<String>,
    /// A TURN server, as turn:HOST:PORT, turn:HOST?transport=tcp or turns:HOST; the core's own when
    /// missing
    #[arg(long, value_name = "URI")]
    pub turn: Vec<String>,
    /// Without a relay, whatever happens
    #[arg(long, conflicts_with = "turn")]
    pub no_turn: bool,
    /// Ask no router to let the other side in (PCP, NAT-PMP, UPnP)
    #[arg(long)]
    pub no_port_mapping: bool,
    /// The name at the TURN servers, if it is not that of the account
    #[arg(long, value_name = "NAME", requires = "turn", requires = "turn_password_file")]
    pub turn_user: Option<String>,
    /// A file whose first line is the password at the TURN servers
    #[arg(long, value_name = "FILE", requires = "turn_user")]
    pub turn_password_file: Option<PathBuf>,
    /// Digits to send (comes with a later version)
    #[arg(long, value_name = "DIGITS")]
    pub dtmf: Option<String>,
    /// Capture the call (comes with a later version; `demo` captures already)
    #[arg(long, value_name = "FILE")]
    pub pcap: Option<PathBuf>,
    /// Say at the end why the call took the path that it took
    #[arg(long)]
    pub explain: bool,
}

/// How media are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Encrypt {
    /// As well as both sides can: not at all in this version
    Auto,
    /// Not at all
    None,
    /// Keys in the signalling (comes with a later version)
    Sdes,
    /// Keys by DTLS (comes with a later version)
    Dtls,
    /// Keys by ZRTP (comes with a later version)
    Zrtp,
}

/// How media find their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum IceArg {
    /// By ICE
    On,
    /// To the addresses in the descriptions
    Off,
    /// By ICE, through a relay of ours only: the other side learns no address of this host
    RelayOnly,
}

/// What the flags come to.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The phone.
    pub config: Config,
    /// What it says.
    pub source: Source,
    /// Whether it says anything.
    pub plays: bool,
    /// Whom it trusts.
    pub pins: Pins,
    /// Whether people read on stdout what the command itself says, and nothing else.
    pub quiet: bool,
}

impl Args {
    /// Reads files and the password, and refuses what this version cannot do.
    pub fn setup(&self, ui: &Ui) -> Result<Setup, Failure> {
        self.refuse_unbuilt()?;
        let stun_servers = self.stun.iter().map(|uri| stun(uri)).collect::<Result<Vec<_>, _>>()?;
        let stun_servers = stun_servers.concat();
        let (source, plays) = match &self.play {
            None => (Source::silence(), false),
            Some(path) => {
                let samples = audio::wav::read(path);
                (Source::once(samples.map_err(|e| unusable("play", path, &e))?), true)
            }
        };
        let pins = self.account.pins()?;
        let account = self.account.account()?;
        let relays = self.relays(&account.address, &account.password)?;
        ui.warn("media are not encrypted yet: whoever is on the way can listen");
        if !plays {
            ui.warn("there is no microphone yet: the other side hears silence (--play speaks)");
        }
        let config = Config {
            accounts: vec![account],
            ice: match self.ice {
                IceArg::On => IceMode::On,
                IceArg::Off => IceMode::Off,
                IceArg::RelayOnly => IceMode::RelayOnly,
            },
            stun_servers,
            relays,
            connect: connect::Config {
                port_mapping: (!self.no_port_mapping).then(connect::PortMapping::default),
                ..connect::Config::default()
            },
            ..Config::default()
        };
        Ok(Setup { config, source, plays, pins, quiet: false })
    }

    fn refuse_unbuilt(&self) -> Result<(), Failure> {
        if let Encrypt::Sdes | Encrypt::Dtls | Encrypt::Zrtp = self.encrypt {
            let message = "encryption was asked for, and this version cannot encrypt media";
            return Err(Failure::new(Exit::Encryption, "encryption", message)
                .with_remedy("--encrypt none calls without encryption"));
        }
        let unbuilt = [(self.dtmf.is_some(), "--dtmf"), (self.pcap.is_some(), "--pcap")];
        match unbuilt.iter().find(|(asked, _)| *asked) {
            Some((_, flag)) => Err(Failure::usage(format!("{flag} is not built yet"))),
            None if self.no_turn && self.ice == IceArg::RelayOnly => Err(Failure::usage(
                "--ice relay-only without a relay (--no-turn) leaves no way for media",
            )),
            None => Ok(()),
        }
    }

    /// The relays that the flags name, with the account's name and password unless others are given.
    fn relays(&self, address: &Address, password: &Secret) -> Result<Relays, Failure> {
        if self.no_turn {
            return Ok(Relays::Off);
        }
        if self.turn.is_empty() {
            return Ok(Relays::OfCore);
        }
        if self.turn.len() > connect::defaults::MAX_TURN_SERVERS {
            let most = connect::defaults::MAX_TURN_SERVERS;
            return Err(Failure::usage(format!("--turn names up to {most} servers")));
        }
        let (username, password) = match (&self.turn_user, &self.turn_password_file) {
            (Some(user), Some(file)) => (user.clone(), Secret::from(password_in(file)?)),
            _ => (address.user(), password.clone()),
        };
        let named = self.turn.iter().map(|uri| turn(uri, &username, &password));
        Ok(Relays::Given(named.collect::<Result<_, _>>()?))
    }
}

/// `stun:HOST[:PORT]`: all its addresses, for each family asks its own.
fn stun(text: &str) -> Result<Vec<Endpoint>, Failure> {
    let Server { host, port } = server(text.strip_prefix("stun:").unwrap_or(text))?;
    let found = (host.as_str(), port.unwrap_or(3478)).to_socket_addrs();
    let found: Vec<Endpoint> = found.into_iter().flatten().map(Endpoint::from).collect();
    match found.is_empty() {
        false => Ok(found),
        true => Err(Failure::new(
            Exit::Unreachable,
            "stun",
            format!("the STUN server {host} is not found"),
        )),
    }
}

/// `turn:HOST[:PORT][?transport=udp|tcp]`, `turns:HOST[:PORT][?transport=tcp]` (RFC 7065); without a
/// scheme it is `turn:`.
fn turn(text: &str, username: &str, password: &Secret) -> Result<TurnServer, Failure> {
    let bad = || {
        Failure::usage(format!("{text} is no TURN server: turn:HOST[:PORT][?transport=udp|tcp] is"))
    };
    let (secure, rest) = match text.split_once(':') {
        Some(("turns", rest)) => (true, rest),
        Some(("turn", rest)) => (false, rest),
        _ => (false, text),
    };
    let (place, query) = rest.split_once('?').map_or((rest, None), |(p, q)| (p, Some(q)));
    let transport = match (query, secure) {
        (None, false) => None,
        (Some("transport=udp"), false) => Some(Transport::Udp),
        (Some("transport=tcp"), false) => Some(Transport::Tcp),
        (None | Some("transport=tcp"), true) => Some(Transport::Tls),
        _ => return Err(bad()),
    };
    let Server { host, port } = server(place).map_err(|_| bad())?;
    let (username, password) = (username.to_owned(), password.clone());
    Ok(TurnServer { host, port, transport, fallback: Vec::new(), username, password })
}

/// `10s`, `2m`, `500ms`, `1h`, or seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| format!("{text} is no time: 10s is"))?;
    match &text[digits.len()..] {
        "ms" => Ok(Duration::from_millis(number)),
        "" | "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number.saturating_mul(60))),
        "h" => Ok(Duration::from_secs(number.saturating_mul(3600))),
        unit => Err(format!("{unit} is no unit of time: ms, s, m and h are")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use machine::Transport;
    use phone::Secret;

    use super::{duration, stun, turn};

    #[test]
    fn times() {
        assert_eq!(duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(duration("3"), Ok(Duration::from_secs(3)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert!(duration("s").is_err() && duration("3x").is_err() && duration("-1s").is_err());
    }

    #[test]
    fn stun_servers() {
        assert_eq!(stun("stun:192.0.2.1").unwrap(), ["192.0.2.1:3478".parse().unwrap()]);
        assert!(stun("stun:").is_err());
    }

    #[test]
    fn relays() {
        let relay = |text: &str| turn(text, "alice", &Secret::from("x"));
        for (text, host, port, transport) in [
            ("turn:relay.test", "relay.test", None, None),
            ("relay.test:3479", "relay.test", Some(3479), None),
            ("turn:192.0.2.1:3478?transport=udp", "192.0.2.1", Some(3478), Some(Transport::Udp)),
            ("turn:[::1]?transport=tcp", "::1", None, Some(Transport::Tcp)),
            ("turns:relay.test", "relay.test", None, Some(Transport::Tls)),
            ("turns:relay.test:443?transport=tcp", "relay.test", Some(443), Some(Transport::Tls)),
        ] {
            let server = relay(text).unwrap();
            assert_eq!(
                (server.host.as_str(), server.port, server.transport),
                (host, port, transport)
            );
            assert_eq!(server.username, "alice");
        }
        for text in ["turn:", "turns:relay.test?transport=udp", "turn:relay.test?transport=sctp"] {
            assert!(relay(text).is_err(), "{text}");
        }
    }
}
