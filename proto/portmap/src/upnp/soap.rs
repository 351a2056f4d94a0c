//! Calls, answers and faults (UDA 1.1 §3.2): the SOAP 1.1 that UPnP speaks.

use super::xml;

/// A call of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The service's type.
    pub service: String,
    /// The action.
    pub action: String,
    /// Its arguments by name, in order.
    pub arguments: Vec<(String, String)>,
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The action's results; `action` is its name without `Response`.
    Answer(Call),
    /// It was refused.
    Fault(Fault),
}

/// An action's error (UDA 1.1 §3.2.5).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code} {description}")]
pub struct Fault {
    /// Its number.
    pub code: u16,
    /// What it means.
    pub description: String,
}

/// Why an envelope was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not XML.
    #[error(transparent)]
    Xml(#[from] xml::Error),
    /// XML, but not such an envelope.
    #[error("not SOAP: {0}")]
    Malformed(&'static str),
}

impl Call {
    /// Writes the envelope.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Reads an envelope.
    ///
    /// # Errors
    /// [`Error`].
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        let _ = bytes;
        Err(Error::Malformed(""))
    }

    /// The value of the field `SOAPAction`.
    #[must_use]
    pub fn soap_action(&self) -> String {
        format!("\"{}#{}\"", self.service, self.action)
    }
}

impl Reply {
    /// Writes the envelope.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Reads an envelope.
    ///
    /// # Errors
    /// [`Error`].
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        let _ = bytes;
        Err(Error::Malformed(""))
    }

    /// The status of the response that carries it: 200, and 500 for a fault (UDA 1.1 §3.2.5).
    #[must_use]
    pub const fn http_status(&self) -> u16 {
        match self {
            Self::Answer(_) => 200,
            Self::Fault(_) => 500,
        }
    }
}
