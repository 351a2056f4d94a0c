//! What a device is and offers (UDA 1.1 §2.3).

use super::xml;

/// A device's description.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// What relative addresses are relative to, if not the description's own (UDA 1.0 §2.1).
    pub base: Option<String>,
    /// The root device.
    pub device: Device,
}

/// A device with its services and the devices in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// `urn:schemas-upnp-org:device:InternetGatewayDevice:1`.
    pub kind: String,
    /// What people call it.
    pub friendly_name: String,
    /// Who made it.
    pub manufacturer: String,
    /// What model it is.
    pub model: String,
    /// Its unique name, `uuid:…`.
    pub udn: String,
    /// Its services.
    pub services: Vec<Service>,
    /// The devices in it.
    pub devices: Vec<Device>,
}

/// A service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// `urn:schemas-upnp-org:service:WANIPConnection:1`.
    pub kind: String,
    /// `urn:upnp-org:serviceId:WANIPConn1`.
    pub id: String,
    /// Where its actions are listed.
    pub scpd: String,
    /// Where it is called.
    pub control: String,
    /// Where its events are subscribed to.
    pub events: String,
}

/// Why a description was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not XML.
    #[error(transparent)]
    Xml(#[from] xml::Error),
    /// XML, but no device.
    #[error("no device is described")]
    NoDevice,
}

impl Description {
    /// Reads it.
    ///
    /// # Errors
    /// [`Error`].
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        let _ = bytes;
        Err(Error::NoDevice)
    }

    /// Writes it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        Vec::new()
    }
}
