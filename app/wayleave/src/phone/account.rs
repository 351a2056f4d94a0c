//! Who we are and how our core is reached: the flags of every command that is a phone or chats.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use machine::{Endpoint, Transport};
use phone::{Account, Address, Protocol, Secret, Server, Target, Uri};

use super::pins::Pins;
use crate::failure::Failure;

/// Flags of everything that has an account.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Who you are: sip:alice@example.org, or xmpp:alice@example.org
    #[arg(long = "as", value_name = "ADDRESS")]
    pub address: String,
    /// A file whose first line is the password; asked for when missing
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// The core, if it is not found by the domain of your address
    #[arg(long, value_name = "HOST[:PORT]")]
    pub server: Option<String>,
    /// How to reach the core. When missing, SIP goes over UDP, and over TCP where UDP gets no answer;
    /// XMPP as the domain's DNS records say, else over TCP
    #[arg(long)]
    pub transport: Option<TransportArg>,
    /// Whom to trust over TLS besides the system's authorities: lines of HOST sha256:HEX, and
    /// certificates of private authorities in PEM; wayleave/pins in the user's configuration folder
    /// when missing
    #[arg(long, value_name = "FILE")]
    pub pins: Option<PathBuf>,
}

/// Transports of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TransportArg {
    /// Datagrams, for SIP
    Udp,
    /// A stream; XMPP begins TLS on it by STARTTLS
    Tcp,
    /// A stream under TLS from its first byte, for XMPP (SIP comes with a later version)
    Tls,
    /// A WebSocket (comes with a later version)
    Ws,
    /// A WebSocket under TLS (comes with a later version)
    Wss,
}

impl Args {
    /// The account, with its password read or asked for.
    pub fn account(&self) -> Result<Account, Failure> {
        let address = self.address()?;
        let transport = self.transport(address.protocol())?;
        let server = self.server.as_deref().map(server).transpose()?;
        let password = self.password(&address)?;
        Ok(Account { server, transport, ..Account::new(address, password) })
    }

    /// Whom the command line means: in the protocol of `--as` where it names none.
    pub fn target(&self, text: &str) -> Result<Target, Failure> {
        let own = self.address()?.protocol();
        let target = target(text, own)?;
        if target.protocol() != own {
            let (own, other) = (own.name(), target.protocol().name());
            return Err(Failure::usage(format!(
                "{target} is reached over {other}, and --as is {own}"
            ))
            .with_remedy(format!("use an account of {other}: --as {other}:YOU@DOMAIN")));
        }
        Ok(target)
    }

    /// Whom connections trust.
    pub fn pins(&self) -> Result<Pins, Failure> {
        Pins::load(self.pins.as_deref())
    }

    /// `sip:alice@example.org`, `xmpp:alice@example.org`; SIP where no scheme says otherwise.
    pub fn address(&self) -> Result<Address, Failure> {
        address(&self.address)
    }

    fn transport(&self, protocol: Protocol) -> Result<Option<Transport>, Failure> {
        let unbuilt =
            |flag: &str| Err(Failure::usage(format!("--transport {flag} is not built yet")));
        match (self.transport, protocol) {
            (None, _) => Ok(None),
            (Some(TransportArg::Udp), Protocol::Sip) => Ok(Some(Transport::Udp)),
            (Some(TransportArg::Udp), Protocol::Xmpp) => {
                Err(Failure::usage("there is no XMPP over UDP")
                    .with_remedy("--transport tcp begins TLS by STARTTLS, --transport tls at once"))
            }
            (Some(TransportArg::Tcp), _) => Ok(Some(Transport::Tcp)),
            (Some(TransportArg::Tls), Protocol::Xmpp) => Ok(Some(Transport::Tls)),
            (Some(TransportArg::Tls), Protocol::Sip) => unbuilt("tls over SIP"),
            (Some(TransportArg::Ws), _) => unbuilt("ws"),
            (Some(TransportArg::Wss), _) => unbuilt("wss"),
        }
    }

    fn password(&self, address: &Address) -> Result<Secret, Failure> {
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

/// The address of an account.
fn address(text: &str) -> Result<Address, Failure> {
    let nobody = || {
        Failure::usage(format!(
            "{text} is no address of a person: sip:alice@example.org and xmpp:alice@example.org are"
        ))
    };
    match target(text, Protocol::Sip)? {
        Target::Sip(Uri::Sip(uri)) if uri.user().is_some() => Ok(uri.into()),
        Target::Xmpp(jid) if jid.node().is_some() => Ok(jid.to_bare().into()),
        _ => Err(nobody()),
    }
}

/// An address with its scheme, or in `otherwise` without.
fn target(text: &str, otherwise: Protocol) -> Result<Target, Failure> {
    let text = match text.split_once(':') {
        Some((scheme, _)) if scheme.chars().all(|c| c.is_ascii_alphabetic()) => text.to_owned(),
        _ => format!("{}:{text}", otherwise.name()),
    };
    match text.parse() {
        //= RFC 3261 §26.2.2: what is said to a SIPS address travels under TLS or not at all.
        Ok(Target::Sip(Uri::Sip(uri))) if uri.secure => {
            Err(Failure::usage(format!("{text} wants TLS, which is not built yet"))
                .with_remedy("a sip: address calls without it"))
        }
        Ok(target) => Ok(target),
        Err(error) => Err(Failure::usage(format!("{text} is {error}"))),
    }
}

/// `HOST`, `HOST:PORT`, `ADDRESS`, `[ADDRESS]:PORT`.
pub fn server(text: &str) -> Result<Server, Failure> {
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

#[cfg(test)]
mod tests {
    use machine::Transport;
    use phone::Protocol;

    use super::{Args, TransportArg, address, server, target};

    fn args(address: &str, transport: TransportArg) -> Args {
        let address = address.to_owned();
        let transport = Some(transport);
        Args { address, password_file: None, server: None, transport, pins: None }
    }

    #[test]
    fn places() {
        assert_eq!(server("[::1]:5070").unwrap().port, Some(5070));
        assert_eq!(server("::1").unwrap().host, "::1");
        assert_eq!(server("core.test:5070").unwrap().host, "core.test");
        assert!(server("core.test:port").is_err() && server(":1").is_err());
    }

    #[test]
    fn addresses() {
        for (text, read) in [
            ("alice@example.org", "sip:alice@example.org"),
            ("sip:alice@[::1]", "sip:alice@[::1]"),
            ("xmpp:Alice@example.org/desk", "xmpp:alice@example.org"),
        ] {
            assert_eq!(address(text).unwrap().to_string(), read);
        }
        for text in ["sip:example.org", "xmpp:example.org", "xmpp:a@b@c", "mailto:a@b", "sips:a@b"]
        {
            assert!(address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn targets_take_the_protocol_of_the_account() {
        let bare = |own| target("bob@example.org", own).unwrap().to_string();
        assert_eq!(bare(Protocol::Sip), "sip:bob@example.org");
        assert_eq!(bare(Protocol::Xmpp), "xmpp:bob@example.org");
        let alice = args("xmpp:alice@example.org", TransportArg::Tcp);
        assert!(alice.target("xmpp:bob@example.org/desk").is_ok());
        assert!(alice.target("sip:bob@example.org").is_err(), "there is no bridge");
    }

    #[test]
    fn transports_of_each_protocol() {
        use TransportArg::{Tcp, Tls, Udp, Ws};
        let over = |transport, protocol| args("alice@example.org", transport).transport(protocol);
        assert_eq!(over(Udp, Protocol::Sip).unwrap(), Some(Transport::Udp));
        assert_eq!(over(Tcp, Protocol::Xmpp).unwrap(), Some(Transport::Tcp));
        assert_eq!(over(Tls, Protocol::Xmpp).unwrap(), Some(Transport::Tls));
        for (transport, protocol) in
            [(Udp, Protocol::Xmpp), (Tls, Protocol::Sip), (Ws, Protocol::Sip), (Ws, Protocol::Xmpp)]
        {
            assert!(over(transport, protocol).is_err());
        }
    }
}
