//! The flags that `call` and `answer` share, and what they mean.

use std::net::ToSocketAddrs as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use machine::{Endpoint, Transport};
use phone::{Account, Config, IceMode, Secret, Server, SipUri, Source, Uri};

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
    /// How to reach the core
    #[arg(long, default_value = "udp")]
    pub transport: TransportArg,
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
    /// A TURN server (comes with a later version)
    #[arg(long, value_name = "URI")]
    pub turn: Vec<String>,
    /// The name at the TURN server (comes with a later version)
    #[arg(long, value_name = "NAME")]
    pub turn_user: Option<String>,
    /// The password at the TURN server (comes with a later version)
    #[arg(long, value_name = "FILE")]
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
    /// Through a relay only (comes with a later version)
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
        let password = self.password(&address)?;
        ui.warn("media are not encrypted yet: whoever is on the way can listen");
        if !plays {
            ui.warn("there is no microphone yet: the other side hears silence (--play speaks)");
        }
        let account = Account {
            address,
            display_name: String::new(),
            password,
            server,
            transport: match self.transport {
                TransportArg::Tcp => Transport::Tcp,
                _ => Transport::Udp,
            },
        };
        let config = Config {
            accounts: vec![account],
            ice: if self.ice == IceArg::Off { IceMode::Off } else { IceMode::On },
            stun_servers,
            ..Config::default()
        };
        Ok(Setup { config, source, plays })
    }

    fn refuse_unbuilt(&self) -> Result<(), Failure> {
        if let Encrypt::Sdes | Encrypt::Dtls | Encrypt::Zrtp = self.encrypt {
            let message = "encryption was asked for, and this version cannot encrypt media";
            return Err(Failure::new(Exit::Encryption, "encryption", message)
                .with_remedy("--encrypt none calls without encryption"));
        }
        let unbuilt = [
            (!self.turn.is_empty() || self.turn_user.is_some(), "--turn"),
            (self.turn_password_file.is_some(), "--turn-password-file"),
            (self.dtmf.is_some(), "--dtmf"),
            (self.pcap.is_some(), "--pcap"),
            (self.ice == IceArg::RelayOnly, "--ice relay-only"),
            (self.transport == TransportArg::Tls, "--transport tls"),
            (self.transport == TransportArg::Ws, "--transport ws"),
            (self.transport == TransportArg::Wss, "--transport wss"),
        ];
        match unbuilt.iter().find(|(asked, _)| *asked) {
            Some((_, flag)) => Err(Failure::usage(format!("{flag} is not built yet"))),
            None => Ok(()),
        }
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

/// What is called: an address with or without its scheme.
pub fn uri(text: &str) -> Result<Uri, Failure> {
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

    use super::{address, duration, server, stun, uri};

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
    fn addresses() {
        assert!(address("alice@example.org").is_ok() && address("sip:alice@[::1]").is_ok());
        assert!(address("sip:example.org").is_err() && uri("xmpp:a@b").is_err());
        assert!(uri("sips:bob@example.org").is_err());
        assert_eq!(uri("bob@example.org").unwrap().to_string(), "sip:bob@example.org");
    }
}
