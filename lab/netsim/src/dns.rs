//! The simulated domain name system: one table for the whole world.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use machine::{Record, RecordData, RecordKind, ResolveError};

use crate::defaults::DNS_LATENCY;

/// All names of a world and how long a look-up takes.
#[derive(Clone, Debug)]
pub struct Dns {
    /// How long every look-up takes.
    pub latency: Duration,
    /// Names that give an error instead of an answer.
    failing: BTreeMap<String, ResolveError>,
    records: BTreeMap<String, Vec<Record>>,
}

impl Default for Dns {
    fn default() -> Self {
        Self { latency: DNS_LATENCY, failing: BTreeMap::new(), records: BTreeMap::new() }
    }
}

impl Dns {
    /// Adds a record that may be kept for an hour.
    pub fn add(&mut self, name: &str, data: RecordData) -> &mut Self {
        let record = Record { name: name.to_owned(), ttl_secs: 3600, data };
        self.records.entry(name.to_ascii_lowercase()).or_default().push(record);
        self
    }

    /// Adds an A or AAAA record.
    pub fn address(&mut self, name: &str, ip: impl Into<IpAddr>) -> &mut Self {
        self.add(name, RecordData::Address(ip.into()))
    }

    /// Adds an SRV record of priority 0 and weight 0.
    pub fn service(&mut self, name: &str, target: &str, port: u16) -> &mut Self {
        let target = target.to_owned();
        self.add(name, RecordData::Srv { priority: 0, weight: 0, port, target })
    }

    /// Makes look-ups of `name` fail.
    pub fn fail(&mut self, name: &str, error: ResolveError) -> &mut Self {
        self.failing.insert(name.to_ascii_lowercase(), error);
        self
    }

    /// Removes a name.
    pub fn remove(&mut self, name: &str) -> &mut Self {
        let name = name.to_ascii_lowercase();
        self.records.remove(&name);
        self.failing.remove(&name);
        self
    }

    /// What a look-up of `name` gives. Case does not count (RFC 4343), and an address is its own
    /// answer.
    ///
    /// # Errors
    /// As real look-ups fail: no such name, no such records, or what [`Dns::fail`] said.
    pub fn resolve(&self, name: &str, kinds: &[RecordKind]) -> Result<Vec<Record>, ResolveError> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        if let Ok(ip) = name.parse() {
            let record = Record { name, ttl_secs: 0, data: RecordData::Address(ip) };
            let wanted = kinds.contains(&kind(&record.data));
            return if wanted { Ok(vec![record]) } else { Err(ResolveError::NoRecords) };
        }
        if let Some(error) = self.failing.get(&name) {
            return Err(*error);
        }
        let records = self.records.get(&name).ok_or(ResolveError::NoSuchName)?;
        let wanted = records.iter().filter(|record| kinds.contains(&kind(&record.data)));
        let found: Vec<Record> = wanted.cloned().collect();
        if found.is_empty() { Err(ResolveError::NoRecords) } else { Ok(found) }
    }
}

const fn kind(data: &RecordData) -> RecordKind {
    match data {
        RecordData::Address(IpAddr::V4(_)) => RecordKind::A,
        RecordData::Address(IpAddr::V6(_)) => RecordKind::Aaaa,
        RecordData::Srv { .. } => RecordKind::Srv,
        RecordData::Naptr { .. } => RecordKind::Naptr,
        RecordData::Txt(_) => RecordKind::Txt,
    }
}
