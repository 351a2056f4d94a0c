//! Look-ups through hickory-resolver.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use machine::{Endpoint, Record, RecordData, RecordKind, ResolveError};

/// Who answers look-ups.
///
/// Numeric names are answered directly, and the hosts file comes first, whoever is asked then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dns {
    /// The name servers that the system is configured with.
    System,
    /// These name servers, over UDP, and over TCP where an answer is too large.
    Servers(Vec<Endpoint>),
}

/// Looks names up. The resolver is built at the first look-up, so that a machine that asks nothing
/// needs no configuration of the system's.
#[derive(Clone)]
pub(crate) struct Resolver {
    dns: Dns,
    resolver: Arc<OnceLock<Option<TokioResolver>>>,
}

impl Resolver {
    pub(crate) fn new(dns: Dns) -> Self {
        Self { dns, resolver: Arc::new(OnceLock::new()) }
    }

    /// The records of every kind asked for.
    pub(crate) async fn resolve(
        self,
        name: String,
        kinds: Vec<RecordKind>,
    ) -> Result<Vec<Record>, ResolveError> {
        if let Some(ip) = numeric(&name) {
            return address_record(name, ip, &kinds);
        }
        let resolver = self.resolver.get_or_init(|| build(&self.dns)).as_ref();
        let resolver = resolver.ok_or(ResolveError::Failed)?;
        let asked = absolute(&name)?;
        let mut lookups = Vec::new();
        for kind in kinds {
            let (resolver, name) = (resolver.clone(), asked.clone());
            // Each kind in a task of its own: they are asked for at the same time.
            lookups.push(tokio::spawn(async move { lookup(&resolver, name, kind).await }));
        }
        let mut records = Vec::new();
        let mut failure = ResolveError::NoRecords;
        for task in lookups {
            match task.await.unwrap_or(Err(ResolveError::Failed)) {
                Ok(found) => records.extend(found),
                Err(ResolveError::NoRecords) => {}
                Err(error) => failure = error,
            }
        }
        if records.is_empty() { Err(failure) } else { Ok(records) }
    }
}

fn build(dns: &Dns) -> Option<TokioResolver> {
    let builder = match dns {
        Dns::System => TokioResolver::builder_tokio(),
        Dns::Servers(servers) => {
            let servers = servers.iter().map(name_server).collect();
            let config = ResolverConfig::from_name_servers(servers);
            let provider = TokioRuntimeProvider::default();
            Ok(TokioResolver::builder_with_config(config, provider))
        }
    };
    builder
        .and_then(hickory_resolver::ResolverBuilder::build)
        .inspect_err(|error| tracing::warn!(%error, "the system's DNS configuration is unusable"))
        .ok()
}

fn name_server(server: &Endpoint) -> NameServerConfig {
    let at = |mut connection: ConnectionConfig| {
        connection.port = server.port();
        connection
    };
    let connections = vec![at(ConnectionConfig::udp()), at(ConnectionConfig::tcp())];
    NameServerConfig::new(server.ip(), true, connections)
}

/// `192.0.2.1`, `2001:db8::1` and `[2001:db8::1]` need no server.
fn numeric(name: &str) -> Option<IpAddr> {
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    bare.parse().ok()
}

fn address_record(
    name: String,
    ip: IpAddr,
    kinds: &[RecordKind],
) -> Result<Vec<Record>, ResolveError> {
    let kind = if ip.is_ipv4() { RecordKind::A } else { RecordKind::Aaaa };
    if !kinds.contains(&kind) {
        return Err(ResolveError::NoRecords);
    }
    Ok(vec![Record { name, ttl_secs: u32::MAX, data: RecordData::Address(ip) }])
}

/// A name with a dot is complete; one without may be completed by the system's search list.
fn absolute(name: &str) -> Result<Name, ResolveError> {
    let mut parsed = Name::from_utf8(name).map_err(|_| ResolveError::NoSuchName)?;
    if name.contains('.') {
        parsed.set_fqdn(true);
    }
    Ok(parsed)
}

async fn lookup(
    resolver: &TokioResolver,
    name: Name,
    kind: RecordKind,
) -> Result<Vec<Record>, ResolveError> {
    let record_type = match kind {
        RecordKind::A => RecordType::A,
        RecordKind::Aaaa => RecordType::AAAA,
        RecordKind::Srv => RecordType::SRV,
        RecordKind::Naptr => RecordType::NAPTR,
        RecordKind::Txt => RecordType::TXT,
    };
    let found = resolver.lookup(name, record_type).await.map_err(|error| resolve_error(&error))?;
    let records: Vec<_> = found
        .answers()
        .iter()
        .filter(|record| record.record_type() == record_type)
        .filter_map(|record| {
            let data = data(&record.data)?;
            Some(Record { name: text(&record.name), ttl_secs: record.ttl, data })
        })
        .collect();
    if records.is_empty() { Err(ResolveError::NoRecords) } else { Ok(records) }
}

fn resolve_error(error: &NetError) -> ResolveError {
    match error {
        NetError::Timeout => ResolveError::TimedOut,
        NetError::Dns(DnsError::ResponseCode(ResponseCode::NXDomain)) => ResolveError::NoSuchName,
        NetError::Dns(DnsError::NoRecordsFound(none))
            if none.response_code == ResponseCode::NXDomain =>
        {
            ResolveError::NoSuchName
        }
        NetError::Dns(DnsError::NoRecordsFound(none))
            if none.response_code == ResponseCode::NoError =>
        {
            ResolveError::NoRecords
        }
        _ => ResolveError::Failed,
    }
}

fn data(data: &RData) -> Option<RecordData> {
    Some(match data {
        RData::A(a) => RecordData::Address(IpAddr::V4(a.0)),
        RData::AAAA(aaaa) => RecordData::Address(IpAddr::V6(aaaa.0)),
        RData::SRV(srv) => RecordData::Srv {
            priority: srv.priority,
            weight: srv.weight,
            port: srv.port,
            target: text(&srv.target),
        },
        RData::NAPTR(naptr) => RecordData::Naptr {
            order: naptr.order,
            preference: naptr.preference,
            flags: String::from_utf8_lossy(&naptr.flags).into_owned(),
            service: String::from_utf8_lossy(&naptr.services).into_owned(),
            replacement: text(&naptr.replacement),
        },
        RData::TXT(txt) => RecordData::Txt(txt.txt_data.concat()),
        _ => return None,
    })
}

/// A name without its trailing dot.
fn text(name: &Name) -> String {
    let mut text = name.to_utf8();
    if text.len() > 1 && text.ends_with('.') {
        text.pop();
    }
    text
}
