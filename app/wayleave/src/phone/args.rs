//! The flags that `call` and `answer` share, and what they mean.

use std::net::ToSocketAddrs as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use machine::{Endpoint, Transport};
use phone::{
    Account, Config, IceMode, Relays, Secret, Server, SipUri, Source, Target, TurnServer, Uri,
};

use super::pins::Pins;
use crate::failure::{Exit, Failure};
use crate::ui::Ui;

/// Flags of everything that is a phone.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Who you are: sip:alice@example.org
    #[arg(long = "as", value_name = "ADDRESS")]
    pub address: String,
    /// A file whose first line is the password; asked for when missing
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// The core, if it is not found by the domain of your address
    #[arg(long, value_name = "HOST[:PORT]")]
    pub server: Option<String>,
    /// How to reach the core: over UDP, and over TCP where UDP gets no answer, when missing
    #[arg(long)]
    pub transport: Option<TransportArg>,
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
    /// The name at the TURN servers, if it is not that of the account
    #[arg(long, value_name = "NAME", requires = "turn", requires = "turn_password_file")]
    pub turn_user: Option<String>,
    /// A file whose first line is the password at the TURN servers
    #[arg(long, value_name = "FILE", requires = "turn_user")]
    pub turn_password_file: Option<PathBuf>,
    /// Whom to trust besides the system's authorities: lines of HOST sha256:FINGERPRINT, and
    /// certificates of private authorities in PEM; wayleave/pins in the user's configuration folder
    /// when missing
    #[arg(long, value_name = "FILE")]
    pub pins: Option<PathBuf>,
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

/// Transports of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TransportArg {
    /// Datagrams
    Udp,
    /// A stream
    Tcp,
    /// A stream under TLS (comes with a later version)
    Tls,
    /// A WebSocket (comes with a later version)
    Ws,
    /// A WebSocket under TLS (comes with a later version)
    Wss,
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
}

impl Args {
    /// Reads files and the password, and refuses what this version cannot do.
    pub fn setup(&self, ui: &Ui) -> Result<Setup, Failure> {
        self.refuse_unbuilt()?;
        let address = address(&self.address)?;
        let server = self.server.as_deref().map(server).transpose()?;
        let stun_servers = self.stun.iter().map(|uri| stun(uri)).collect::<Result<Vec<_>, _>>()?;
        let stun_servers = stun_servers.concat();
        let (source, plays) = match &self.play {
            None => (Source::silence(), false),
            Some(path) => {
                let samples = audio::wav::read(path);
                (Source::once(samples.map_err(|e| unusable("play", path, &e))?), true)
            }
        };
        let pins = Pins::load(self.pins.as_deref())?;
        let password = self.password(&address)?;
        let relays = self.relays(&address, &password)?;
        ui.warn("media are not encrypted yet: whoever is on the way can listen");
        if !plays {
            ui.warn("there is no microphone yet: the other side hears silence (--play speaks)");
        }
        let account = Account {
            server,
            transport: self.transport.map(|transport| match transport {
                TransportArg::Tcp => Transport::Tcp,
                _ => Transport::Udp,
            }),
            ..Account::new(address, password)
        };
        let config = Config {
            accounts: vec![account],
            ice: match self.ice {
                IceArg::On => IceMode::On,
                IceArg::Off => IceMode::Off,
                IceArg::RelayOnly => IceMode::RelayOnly,
            },
            stun_servers,
            relays,
            ..Config::default()
        };
        Ok(Setup { config, source, plays, pins })
    }

    fn refuse_unbuilt(&self) -> Result<(), Failure> {
        if let Encrypt::Sdes | Encrypt::Dtls | Encrypt::Zrtp = self.encrypt {
            let message = "encryption was asked for, and this version cannot encrypt media";
            return Err(Failure::new(Exit::Encryption, "encryption", message)
                .with_remedy("--encrypt none calls without encryption"));
        }
        let unbuilt = [
            (self.dtmf.is_some(), "--dtmf"),
            (self.pcap.is_some(), "--pcap"),
            (self.transport == Some(TransportArg::Tls), "--transport tls"),
            (self.transport == Some(TransportArg::Ws), "--transport ws"),
            (self.transport == Some(TransportArg::Wss), "--transport wss"),
        ];
        match unbuilt.iter().find(|(asked, _)| *asked) {
            Some((_, flag)) => Err(Failure::usage(format!("{flag} is not built yet"))),
            None if self.no_turn && self.ice == IceArg::RelayOnly => Err(Failure::usage(
                "--ice relay-only without a relay (--no-turn) leaves no way for media",
            )),
            None => Ok(()),
        }
    }

    /// The relays that the flags name, with the account's name and password unless others are given.
    fn relays(&self, address: &SipUri, password: &Secret) -> Result<Relays, Failure> {
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
            _ => (address.user().unwrap_or_default(), password.clone()),
        };
        let named = self.turn.iter().map(|uri| turn(uri, &username, &password));
        Ok(Relays::Given(named.collect::<Result<_, _>>()?))
    }

    fn password(&self, address: &SipUri) -> Result<Secret, Failure> {
        let Some(path) = &self.password_file else {
            return crate::user::ask_password(&address.to_string()).map(Secret::from);
        };
        Ok(Secret::from(password_in(path)?))
    }
}

/// The first line of a file.
pub fn password_in(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| unusable("read the password in", path, &error))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// A file that the command line names and that is of no use.
pub fn unusable(verb: &str, path: &Path, error: &dyn std::error::Error) -> Failure {
    Failure::usage(format!("cannot {verb} {}: {error}", path.display()))
}

/// `sip:alice@example.org`, or the same without `sip:`.
pub fn address(text: &str) -> Result<SipUri, Failure> {
    match uri(text)? {
        Uri::Sip(uri) if uri.user().is_some() => Ok(uri),
        _ => Err(Failure::usage(format!(
            "{text} is no address of a person: sip:alice@example.org is"
        ))),
    }
}

/// Whom to call: an address with or without its scheme.
pub fn target(text: &str) -> Result<Target, Failure> {
    uri(text).map(Target::from)
}

/// An address with or without its scheme.
fn uri(text: &str) -> Result<Uri, Failure> {
    if text.starts_with("xmpp:") {
        return Err(Failure::usage("calls over XMPP are not built yet"));
    }
    let text = match text.split_once(':') {
        Some((scheme, _)) if scheme.chars().all(|c| c.is_ascii_alphabetic()) => text.to_owned(),
        _ => format!("sip:{text}"),
    };
    match text.parse() {
        //= RFC 3261 §26.2.2: what is said to a SIPS address travels under TLS or not at all.
        Ok(Uri::Sip(uri)) if uri.secure => {
            Err(Failure::usage(format!("{text} wants TLS, which is not built yet"))
                .with_remedy("a sip: address calls without it"))
        }
        Ok(uri) => Ok(uri),
        Err(_) => Err(Failure::usage(format!("{text} is no address"))),
    }
}

/// `HOST`, `HOST:PORT`, `ADDRESS`, `[ADDRESS]:PORT`.
fn server(text: &str) -> Result<Server, Failure> {
    let bad = || Failure::usage(format!("{text} is no HOST[:PORT]"));
    if let Ok(ip) = text.trim_matches(['[', ']']).parse::<std::net::IpAddr>() {
        return Ok(Server { host: ip.to_string(), port: None });
    }
    if let Ok(endpoint) = text.parse::<Endpoint>() {
        return Ok(Server { host: endpoint.ip().to_string(), port: Some(endpoint.port()) });
    }
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port.parse().map_err(|_| bad())?)),
        None => (text, None),
    };
    if host.is_empty() { Err(bad()) } else { Ok(Server { host: host.to_owned(), port }) }
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

    use super::{address, duration, server, stun, turn, uri};

    #[test]
    fn times() {
        assert_eq!(duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(duration("3"), Ok(Duration::from_secs(3)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert!(duration("s").is_err() && duration("3x").is_err() && duration("-1s").is_err());
    }

    #[test]
    fn places() {
        assert_eq!(server("[::1]:5070").unwrap().port, Some(5070));
        assert_eq!(server("::1").unwrap().host, "::1");
        assert_eq!(server("core.test:5070").unwrap().host, "core.test");
        assert!(server("core.test:port").is_err() && server(":1").is_err());
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

    #[test]
    fn addresses() {
        assert!(address("alice@example.org").is_ok() && address("sip:alice@[::1]").is_ok());
        assert!(address("sip:example.org").is_err() && uri("xmpp:a@b").is_err());
        assert!(uri("sips:bob@example.org").is_err());
        assert_eq!(uri("bob@example.org").unwrap().to_string(), "sip:bob@example.org");
    }
}
