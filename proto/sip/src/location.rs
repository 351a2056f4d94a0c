//! Where users can be reached: the location service (RFC 3261 §10, RFC 5626 §6).
//!
//! An address of record is a text that the owner chooses, `alice@example.org` for one; each has a
//! few bindings, which end by themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use machine::{Instant, Now, Timers};
use serde::{Deserialize, Serialize};

use crate::defaults;
use crate::transport::Flow;
use crate::uri::Uri;

/// One way to reach a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The URI of the Contact.
    pub contact: Uri,
    /// Its preference in thousandths.
    pub q_thousandths: u16,
    /// The device, and which of its flows this is (RFC 5626 §4).
    pub device: Option<(String, u32)>,
    /// The Call-ID of the REGISTER that made it.
    pub call_id: String,
    /// The CSeq of that REGISTER.
    pub number: u32,
    /// What that REGISTER came over.
    pub flow: Flow,
    /// When it ends.
    pub expires: Instant,
}

/// A binding as it is kept where it survives a restart: time by the wall clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedBinding {
    /// The URI of the Contact.
    pub contact: String,
    /// Its preference in thousandths.
    pub q_thousandths: u16,
    /// The device, and which of its flows this is.
    pub device: Option<(String, u32)>,
    /// The Call-ID of the REGISTER that made it.
    pub call_id: String,
    /// The CSeq of that REGISTER.
    pub number: u32,
    /// What that REGISTER came over.
    pub flow: Flow,
    /// When it ends, in seconds since 1970.
    pub expires_unix_secs: u64,
}

impl Binding {
    /// For how long it still holds.
    #[must_use]
    pub fn remaining(&self, now: Now) -> Duration {
        self.expires - now.mono
    }

    /// Whether it binds the same device and flow, or the same URI (RFC 3261 §10.3 step 7,
    /// RFC 5626 §6).
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (&self.device, &other.device) {
            (Some(a), Some(b)) => a == b,
            _ => self.contact.is_equivalent(&other.contact),
        }
    }

    /// The form to keep.
    #[must_use]
    pub fn saved(&self, now: Now) -> SavedBinding {
        // Rounded up, so that it is not forgotten before its time.
        let expires = now.unix + self.remaining(now);
        SavedBinding {
            contact: self.contact.to_string(),
            q_thousandths: self.q_thousandths,
            device: self.device.clone(),
            call_id: self.call_id.clone(),
            number: self.number,
            flow: self.flow,
            expires_unix_secs: expires.as_secs() + u64::from(expires.subsec_nanos() > 0),
        }
    }
}

impl SavedBinding {
    /// The binding again, unless it has ended meanwhile.
    #[must_use]
    pub fn restored(&self, now: Now) -> Option<Binding> {
        let remaining = Duration::from_secs(self.expires_unix_secs).checked_sub(now.unix)?;
        Some(Binding {
            contact: self.contact.parse().ok()?,
            q_thousandths: self.q_thousandths,
            device: self.device.clone(),
            call_id: self.call_id.clone(),
            number: self.number,
            flow: self.flow,
            expires: now.mono + remaining,
        })
        .filter(|_| !remaining.is_zero())
    }
}

/// There are as many addresses of record as this service takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many addresses of record")]
pub struct Full;

/// All bindings of all addresses of record.
#[derive(Debug, Default)]
pub struct Location {
    addresses: BTreeMap<String, Vec<Binding>>,
    timers: Timers<String>,
    limit: Option<usize>,
}

impl Location {
    /// No bindings yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With another limit than [`defaults::ADDRESSES`].
    #[must_use]
    pub const fn with_limit(mut self, addresses: usize) -> Self {
        self.limit = Some(addresses);
        self
    }

    /// The bindings of an address, the preferred ones first, of equals the youngest.
    #[must_use]
    pub fn bindings(&self, address: &str) -> &[Binding] {
        self.addresses.get(address).map_or(&[], Vec::as_slice)
    }

    /// The binding that a dialog's target means: the one with this contact; else, since contacts
    /// move when a NAT gives another port, the only one that users of this name have.
    #[must_use]
    pub fn by_contact(&self, contact: &Uri) -> Option<&Binding> {
        let user = contact.as_sip()?.user()?;
        let from = format!("{user}@");
        let theirs: Vec<_> = self
            .addresses
            .range(from.clone()..)
            .take_while(|(address, _)| address.starts_with(&from))
            .flat_map(|(_, bindings)| bindings)
            .collect();
        let exact = theirs.iter().find(|binding| same_place(&binding.contact, contact));
        exact.or(theirs.first().filter(|_| theirs.len() == 1)).copied()
    }

    /// Replaces the bindings of an address.
    ///
    /// # Errors
    /// [`Full`] if it would be one address too many; nothing changes then.
    pub fn set(&mut self, address: &str, mut bindings: Vec<Binding>) -> Result<(), Full> {
        if bindings.is_empty() {
            self.addresses.remove(address);
            self.timers.cancel(&address.to_owned());
            return Ok(());
        }
        let limit = self.limit.unwrap_or(defaults::ADDRESSES);
        if self.addresses.len() >= limit && !self.addresses.contains_key(address) {
            return Err(Full);
        }
        bindings
            .sort_by_key(|b| (std::cmp::Reverse(b.q_thousandths), std::cmp::Reverse(b.expires)));
        if let Some(first) = bindings.iter().map(|binding| binding.expires).min() {
            self.timers.set(address.to_owned(), first);
        }
        self.addresses.insert(address.to_owned(), bindings);
        Ok(())
    }

    /// How many addresses have bindings.
    #[must_use]
    pub fn len(&self) -> usize {
        self.addresses.len()
    }

    /// Whether no address has any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty()
    }

    /// Drops the bindings that have ended; gives the addresses that lost their last one.
    pub fn handle_timeout(&mut self, now: Now) -> Vec<String> {
        let mut gone = Vec::new();
        while let Some(address) = self.timers.expire(now.mono) {
            let bindings = self.addresses.remove(&address).unwrap_or_default();
            let left: Vec<_> = bindings.into_iter().filter(|b| b.expires > now.mono).collect();
            if left.is_empty() {
                gone.push(address);
            } else {
                // There is room: the address was just taken out.
                let _ = self.set(&address, left);
            }
        }
        gone
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }
}

/// Whether two contacts are the same user at the same host and port; `ob` and other parameters
/// differ between what is registered and what stands in a dialog.
fn same_place(a: &Uri, b: &Uri) -> bool {
    match (a.as_sip(), b.as_sip()) {
        (Some(a), Some(b)) => {
            a.user() == b.user()
                && a.host.is_equivalent(&b.host)
                && a.port_or_default() == b.port_or_default()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use machine::{Ids, Instant, Now, Transport};

    use super::{Binding, Full, Location};
    use crate::transport::Flow;

    const SEC: Duration = Duration::from_secs(1);

    fn at(secs: u64) -> Now {
        Now { mono: Instant::ORIGIN + SEC * secs as u32, unix: SEC * (1000 + secs as u32) }
    }

    fn binding(contact: &str, q: u16, expires: u64) -> Binding {
        let flow = Flow {
            transport: Transport::Udp,
            id: Ids::new(0).next_id(),
            local: "192.0.2.1:5060".parse().unwrap(),
            remote: "198.51.100.7:40000".parse().unwrap(),
        };
        Binding {
            contact: contact.parse().unwrap(),
            q_thousandths: q,
            device: None,
            call_id: "c".to_owned(),
            number: 1,
            flow,
            expires: at(expires).mono,
        }
    }

    #[test]
    fn ordered_and_ended() {
        let mut location = Location::new();
        let bindings = vec![binding("sip:a@1.1.1.1", 500, 60), binding("sip:a@2.2.2.2", 1000, 30)];
        location.set("a@test", bindings).unwrap();
        let first = &location.bindings("a@test")[0];
        assert_eq!(first.contact.to_string(), "sip:a@2.2.2.2");
        assert_eq!(location.poll_timeout(), Some(at(30).mono));
        assert!(location.handle_timeout(at(30)).is_empty());
        assert_eq!(location.bindings("a@test").len(), 1);
        assert_eq!(location.handle_timeout(at(60)), ["a@test"]);
        assert!(location.is_empty() && location.poll_timeout().is_none());
    }

    #[test]
    fn found_by_contact() {
        let mut location = Location::new();
        let mut bindings = vec![binding("sip:a@1.1.1.1:5062", 500, 60)];
        location.set("a@test", bindings.clone()).unwrap();
        let find = |location: &Location, uri: &str| {
            let found = location.by_contact(&uri.parse().unwrap());
            found.map(|binding| binding.contact.to_string())
        };
        let first = Some("sip:a@1.1.1.1:5062".to_owned());
        assert_eq!(find(&location, "sip:a@1.1.1.1:5062;ob"), first);
        assert_eq!(find(&location, "sip:a@1.1.1.1:5063"), first);
        assert_eq!(find(&location, "sip:b@1.1.1.1:5062"), None);
        assert_eq!(find(&location, "tel:+1"), None);
        bindings.push(binding("sip:a@1.1.1.1:5064", 500, 60));
        location.set("a@test", bindings).unwrap();
        assert_eq!(find(&location, "sip:a@1.1.1.1:5062"), first);
        assert_eq!(find(&location, "sip:a@1.1.1.1:5063"), None);
    }

    #[test]
    fn limited() {
        let mut location = Location::new().with_limit(1);
        location.set("a@test", vec![binding("sip:a@1.1.1.1", 1, 60)]).unwrap();
        location.set("a@test", vec![binding("sip:a@2.2.2.2", 1, 60)]).unwrap();
        assert_eq!(location.set("b@test", vec![binding("sip:b@1.1.1.1", 1, 60)]), Err(Full));
        location.set("a@test", Vec::new()).unwrap();
        location.set("b@test", vec![binding("sip:b@1.1.1.1", 1, 60)]).unwrap();
    }

    #[test]
    fn saved_and_restored() {
        let binding = binding("sip:a@1.1.1.1", 500, 60);
        let saved = binding.saved(at(10));
        assert_eq!(saved.expires_unix_secs, 1060);
        assert_eq!(saved.restored(at(10)), Some(binding.clone()));
        // Another run: its monotonic clock begins again, the wall clock goes on.
        let later = Now { mono: Instant::ORIGIN, unix: SEC * 1050 };
        assert_eq!(saved.restored(later).unwrap().remaining(later), SEC * 10);
        assert_eq!(saved.restored(at(60)), None);
    }
}
