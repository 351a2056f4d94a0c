//! The Simple Service Discovery Protocol (UDA 1.1 §1): a search to all, an answer to the asker.

use machine::Endpoint;

use super::http;

/// Where SSDP listens.
pub const PORT: u16 = 1900;

/// A search: who is a `target`?
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// Whom it is sent to, a group or one device.
    pub host: Endpoint,
    /// Within how many seconds answers are sent; none if it goes to one device.
    pub mx_secs: Option<u8>,
    /// ST: what is looked for.
    pub target: String,
}

/// The answer: this is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// ST: what was looked for.
    pub target: String,
    /// USN: which device, and what of it.
    pub unique_name: String,
    /// LOCATION: where it is described.
    pub location: String,
    /// SERVER: what it is made of.
    pub server: Option<String>,
    /// CACHE-CONTROL's max-age: for how many seconds this holds.
    pub max_age_secs: u32,
    /// BOOTID.UPNP.ORG: another one after each restart (UDA 1.1 §1.2.2).
    pub boot_id: Option<u32>,
}

/// Why a datagram was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not HTTP.
    #[error(transparent)]
    Http(#[from] http::Error),
    /// Not what was expected.
    #[error("not such a message: {0}")]
    Other(&'static str),
}

impl Search {
    /// Writes it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Reads a datagram.
    ///
    /// # Errors
    /// [`Error`].
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        let _ = bytes;
        Err(Error::Other(""))
    }
}

impl Found {
    /// Writes it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Reads a datagram.
    ///
    /// # Errors
    /// [`Error`].
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        let _ = bytes;
        Err(Error::Other(""))
    }
}
