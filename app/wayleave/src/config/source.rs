//! Where a configuration comes from: a file, and what the command line lays over it.

use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::Config;
use crate::failure::Failure;

/// Where the configuration comes from; the command line wins over the file.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Source {
    /// The configuration file; every key has a default that works without one
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The folder that the accounts are kept in
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Any key of the configuration: --set sip.digests='["MD5"]'
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

const REMEDY: &str = "`wayleave config default` shows every key and what it is for";

impl Source {
    /// What the configuration is called in messages.
    pub fn name(&self) -> String {
        self.config.as_deref().map_or("the configuration".to_owned(), |p| p.display().to_string())
    }

    /// Reads it.
    pub fn load(&self) -> Result<Config, Failure> {
        let mut table = match &self.config {
            Some(path) => read(path)?,
            None => Table::new(),
        };
        for setting in &self.set {
            lay(&mut table, setting)?;
            // Everything before was sound: this one is not.
            understand(&table).map_err(|error| {
                Failure::configuration(format!("--set {setting}: {}", described(&error)))
                    .with_remedy(REMEDY)
            })?;
        }
        let mut config = understand(&table)
            .map_err(|error| Failure::configuration(described(&error)).with_remedy(REMEDY))?;
        self.beside(&mut config);
        if let Some(data) = &self.data {
            config.data = Some(data.clone());
        }
        Ok(config)
    }

    /// A relative path in a file means one beside the file, wherever the command is run.
    fn beside(&self, config: &mut Config) {
        let Some(file) = &self.config else { return };
        let folder = file.parent().unwrap_or(Path::new(""));
        let paths = [
            ("data=", &mut config.data),
            ("turn.shared_secret_file=", &mut config.turn.shared_secret_file),
            ("tls.certificate=", &mut config.tls.certificate),
            ("tls.key=", &mut config.tls.key),
        ];
        for (key, path) in paths {
            let from_the_file = !self.set.iter().any(|setting| setting.starts_with(key));
            if let Some(path) = path.as_mut().filter(|path| path.is_relative() && from_the_file) {
                *path = folder.join(&path);
            }
        }
    }
}

/// Reads a file, and checks it while an error can still name its line.
fn read(path: &Path) -> Result<Table, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::configuration(format!("cannot read {}: {error}", path.display()))
            .with_remedy("`wayleave config default` prints a file to begin with")
    })?;
    let broken = |error: &toml::de::Error, why: String| {
        let place = error.span().map_or(String::new(), |span| format!(":{}", line(&text, &span)));
        Failure::configuration(format!("{}{place}: {why}", path.display())).with_remedy(REMEDY)
    };
    let table: Table =
        toml::from_str(&text).map_err(|error| broken(&error, error.message().to_owned()))?;
    toml::from_str::<Config>(&text).map_err(|error| {
        // The text knows the line, and the table the key.
        let why = understand(&table).map_or_else(|error| described(&error), |_| error.to_string());
        broken(&error, why)
    })?;
    Ok(table)
}

fn understand(table: &Table) -> Result<Config, toml::de::Error> {
    table.clone().try_into()
}

/// What is wrong, after the key it is wrong with, where there is one.
fn described(error: &toml::de::Error) -> String {
    let text = error.to_string();
    let key = text.lines().last().and_then(|last| last.strip_prefix("in `")?.strip_suffix('`'));
    match key {
        Some(key) => format!("{key}: {}", error.message()),
        None => error.message().to_owned(),
    }
}

/// The number of the line that `span` begins in, from 1.
fn line(text: &str, span: &Range<usize>) -> usize {
    let before = text.get(..span.start).unwrap_or(text);
    1 + before.matches('\n').count()
}

/// Lays `KEY=VALUE` over the table. The key is one of TOML's, with dots, and quotes around what has
/// dots itself. A value that is none of TOML's is taken as a string, so that `--set
/// domain=example.org` needs no quotes within quotes.
fn lay(table: &mut Table, setting: &str) -> Result<(), Failure> {
    let malformed = || {
        Failure::usage(format!("--set {setting} is not of the form KEY=VALUE"))
            .with_remedy("write --set domain=example.org")
    };
    let (key, value) = setting.split_once('=').ok_or_else(malformed)?;
    let parsed = toml::from_str::<Table>(&format!("{key} = {value}")).or_else(|_| {
        let text = Value::String(value.to_owned());
        toml::from_str(&format!("{key} = {text}"))
    });
    merge(table, parsed.map_err(|_| malformed())?).map_err(|name| {
        Failure::configuration(format!("--set {setting}: {name} has no keys of its own"))
            .with_remedy(REMEDY)
    })
}

/// Lays `over` over the table, key by key; an error names what is no table where one must be.
fn merge(table: &mut Table, over: Table) -> Result<(), String> {
    for (name, value) in over {
        match (table.get_mut(&name), value) {
            (Some(Value::Table(inner)), Value::Table(value)) => merge(inner, value)?,
            (Some(_), Value::Table(_)) => return Err(name),
            (_, value) => drop(table.insert(name, value)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Source;
    use crate::config::Config;
    use crate::config::settings::Digest;
    use crate::config::values::Span;

    fn source(file: &str, set: &[&str]) -> (tempfile::TempDir, Source) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wayleave.toml");
        std::fs::write(&path, file).unwrap();
        let set = set.iter().map(ToString::to_string).collect();
        (folder, Source { config: Some(path), data: None, set })
    }

    #[test]
    fn without_a_file_everything_has_a_default() {
        assert_eq!(Source::default().load().unwrap(), Config::default());
    }

    #[test]
    fn the_command_line_wins() {
        let set = ["sip.digests=[\"SHA-256\", \"MD5\"]", "domain=example.net"];
        let (_folder, source) = source("domain = \"example.org\"\nlisten = [\"127.0.0.1\"]", &set);
        let config = source.load().unwrap();
        assert_eq!(config.domain, "example.net");
        assert_eq!(config.sip.digests, [Digest::Sha256, Digest::Md5]);
        assert_eq!(config.listen, ["127.0.0.1".parse().unwrap()]);
    }

    #[test]
    fn nested_keys_can_be_set() {
        let set = [
            "turn.lifetime=30s",
            "turn.allow_peers=[\"127.0.0.0/8\", \"::1\"]",
            "turn.quotas.user=7",
            "relay.ports=50000-50100",
            "http.listen=127.0.0.1:9464",
            "external_address.\"10.0.0.5\"=203.0.113.7",
        ];
        let (_folder, source) = source("[turn]\nallow_peers = [\"10.0.0.0/8\"]", &set);
        let config = source.load().unwrap();
        assert_eq!(config.turn.lifetime, Some(Span::secs(30)));
        let peers = ["127.0.0.0/8", "::1"].map(|text| text.parse().unwrap());
        assert_eq!(config.turn.allow_peers, peers);
        assert_eq!(config.turn.quotas.user, 7);
        let outside = config.external_address.get(&"10.0.0.5".parse().unwrap());
        assert_eq!(outside, Some(&"203.0.113.7".parse().unwrap()));
        assert_eq!(config.relay.ports.0, 50000..=50100);
        assert_eq!(config.http.listen, Some("127.0.0.1:9464".parse().unwrap()));
    }

    #[test]
    fn secrets_and_certificates_lie_beside_the_file() {
        let file = "[turn]\nshared_secret_file = \"secret\"\n[tls]\nkey = \"/etc/key.pem\"";
        let (folder, source) = source(file, &["tls.certificate=here.pem"]);
        let config = source.load().unwrap();
        assert_eq!(config.turn.shared_secret_file, Some(folder.path().join("secret")));
        assert_eq!(config.tls.key, Some("/etc/key.pem".into()));
        assert_eq!(config.tls.certificate, Some("here.pem".into()));
    }

    #[test]
    fn data_lies_beside_the_file() {
        let (folder, source) = source("data = \"accounts\"", &[]);
        assert_eq!(source.load().unwrap().data, Some(folder.path().join("accounts")));
        let elsewhere = Source { data: Some("elsewhere".into()), ..source };
        assert_eq!(elsewhere.load().unwrap().data, Some("elsewhere".into()));
    }

    #[test]
    fn errors_name_file_line_and_remedy() {
        for (file, place, word) in [
            ("domain = \"a\"\n\ndomian = \"b\"\n", ":3: ", "domian"),
            ("domain = \n", ":1: ", ""),
            ("listen = [\n  \"127.0.0.1\",\n  \"localhost\",\n]\n", ":", "localhost"),
            ("[sip]\ndigests = [\"SHA-1\"]\n", ":2: ", "SHA-1"),
            ("[sip]\ndigest = [\"MD5\"]\n", ":2: ", "digest"),
            ("[turn]\n\nallow_peers = [\"10.0.0.0/40\"]\n", ":3: ", "10.0.0.0/40"),
            ("[turn]\nlifetime = 30\n", ":2: ", "30"),
            ("[turn.quotas]\nusers = 3\n", ":2: ", "users"),
            ("[relay]\nports = \"9-8\"\n", ":2: ", "9-8"),
            ("drain = \"soon\"\n", ":1: ", "soon"),
            ("[xmpp.limits]\n\nstanza = 3\n", ":3: ", "stanza"),
        ] {
            let (_folder, source) = source(file, &[]);
            let failure = source.load().unwrap_err();
            assert!(failure.message.contains("wayleave.toml"), "{failure}");
            assert!(failure.message.contains(place), "{failure}");
            assert!(failure.message.contains(word), "{failure}");
            assert!(failure.remedy.is_some());
        }
    }

    #[test]
    fn errors_name_the_key_and_a_form() {
        for (file, key, form) in [
            ("[http]\nlisten = \"9464\"", "http.listen: ", "127.0.0.1:9464"),
            ("[http]\nlisten = 9464", "http.listen: ", "127.0.0.1:9464"),
            ("[turn]\nalternate_server = \"foo\"", "turn.alternate_server: ", "127.0.0.1:9464"),
            ("[turn]\nallow_peers = \"10.0.0.0/8\"", "turn.allow_peers: ", "brackets"),
            ("[turn]\nports = 3478", "turn.ports: ", "brackets"),
            ("[xmpp]\ntls_ports = 443", "xmpp.tls_ports: ", "brackets"),
            ("[external_address]\n\"10.0.0.5\" = \"x\"", "external_address", "203.0.113.7"),
            ("[external_address]\nx = \"10.0.0.5\"", "external_address", "203.0.113.7"),
            ("[relay]\naddresses = [\"eth0\"]", "relay.addresses: ", "192.0.2.1"),
        ] {
            let (_folder, source) = source(file, &[]);
            let message = source.load().unwrap_err().message;
            assert!(message.contains(key) && message.contains(form), "{message}");
        }
    }

    #[test]
    fn errors_name_the_setting() {
        let set = ["domain=b", "http.listen=9464", "turn.lifetime=10m"];
        let (_folder, source) = source("", &set);
        let message = source.load().unwrap_err().message;
        assert!(message.starts_with("--set http.listen=9464: http.listen: "), "{message}");
    }

    #[test]
    fn settings_that_cannot_be() {
        for setting in [
            "domain",
            "=x",
            "domain.name=x",
            "sip.what=1",
            "listen=[\"here\"]",
            "turn.lifetime=soon",
            "turn.quotas=3",
        ] {
            let (_folder, source) = source("domain = \"a\"", &[setting]);
            assert!(source.load().is_err(), "{setting}");
        }
    }
}
