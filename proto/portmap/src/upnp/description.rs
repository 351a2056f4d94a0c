//! What a device is and offers (UDA 1.1 §2.3).

use super::xml::{self, Element};

/// The namespace of descriptions.
const NAMESPACE: &str = "urn:schemas-upnp-org:device-1-0";

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
    /// Reads it. What is missing is empty; elements that are not known are skipped (UDA 1.1 §2.7).
    ///
    /// # Errors
    /// [`Error`].
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        let root = xml::read(bytes)?;
        let device = root.child("device").filter(|_| root.name == "root").ok_or(Error::NoDevice)?;
        let base = root.child_text("URLBase").filter(|base| !base.is_empty()).map(String::from);
        Ok(Self { base, device: Device::of(device) })
    }

    /// Writes it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut root = element("root");
        root.children.push(element("specVersion").with("major", "1").with("minor", "1"));
        if let Some(base) = &self.base {
            root = root.with("URLBase", base);
        }
        root.children.push(self.device.to_element());
        xml::write(&root).into_bytes()
    }
}

impl Device {
    /// Every service of the device and of those in it, outer ones first.
    #[must_use]
    pub fn all_services(&self) -> Vec<&Service> {
        let inner = self.devices.iter().flat_map(Self::all_services);
        self.services.iter().chain(inner).collect()
    }

    fn of(element: &Element) -> Self {
        let text = |name| element.child_text(name).unwrap_or_default().to_owned();
        Self {
            kind: text("deviceType"),
            friendly_name: text("friendlyName"),
            manufacturer: text("manufacturer"),
            model: text("modelName"),
            udn: text("UDN"),
            services: list(element, "serviceList", "service").map(Service::of).collect(),
            devices: list(element, "deviceList", "device").map(Self::of).collect(),
        }
    }

    fn to_element(&self) -> Element {
        let mut device = element("device")
            .with("deviceType", &self.kind)
            .with("friendlyName", &self.friendly_name)
            .with("manufacturer", &self.manufacturer)
            .with("modelName", &self.model)
            .with("UDN", &self.udn);
        if !self.services.is_empty() {
            let children = self.services.iter().map(Service::to_element).collect();
            device.children.push(Element { children, ..element("serviceList") });
        }
        if !self.devices.is_empty() {
            let children = self.devices.iter().map(Self::to_element).collect();
            device.children.push(Element { children, ..element("deviceList") });
        }
        device
    }
}

impl Service {
    fn of(element: &Element) -> Self {
        let text = |name| element.child_text(name).unwrap_or_default().to_owned();
        Self {
            kind: text("serviceType"),
            id: text("serviceId"),
            scpd: text("SCPDURL"),
            control: text("controlURL"),
            events: text("eventSubURL"),
        }
    }

    fn to_element(&self) -> Element {
        element("service")
            .with("serviceType", &self.kind)
            .with("serviceId", &self.id)
            .with("SCPDURL", &self.scpd)
            .with("controlURL", &self.control)
            .with("eventSubURL", &self.events)
    }
}

fn element(name: &str) -> Element {
    Element { namespace: NAMESPACE.into(), name: name.into(), ..Element::default() }
}

fn list<'a>(of: &'a Element, list: &str, name: &'a str) -> impl Iterator<Item = &'a Element> {
    let children = of.child(list).map(|list| list.children.as_slice()).unwrap_or_default();
    children.iter().filter(move |child| child.name == name)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    use super::{Description, Device, Error, Service};
    use crate::upnp::igd::kind;
    use crate::upnp::xml;

    #[test]
    fn the_description_of_miniupnpd() {
        let bytes = include_bytes!("testdata/miniupnpd-description.xml");
        let Description { base, device } = Description::read(bytes).unwrap();
        assert_eq!((base, device.kind.as_str()), (None, kind::GATEWAY_2));
        assert_eq!(
            (device.friendly_name.as_str(), device.model.as_str()),
            ("Test IGD", "Debian router")
        );
        assert_eq!(device.udn, "uuid:aa48f0b3-4053-4f27-b522-c033754e35df");
        let services = device.all_services();
        let control = |kind| {
            services
                .iter()
                .find(|service| service.kind == kind)
                .map(|service| service.control.as_str())
        };
        assert_eq!(services.len(), 5);
        assert_eq!(control(kind::WAN_IP_2), Some("/ctl/IPConn"));
        assert_eq!(control(kind::FIREWALL_1), Some("/ctl/IP6FCtl"));
        assert_eq!(control(kind::WAN_PPP_1), None);
    }

    #[test]
    fn what_describes_nothing() {
        for text in ["<root/>", "<device/>", "<html><device/></html>"] {
            assert_eq!(Description::read(text.as_bytes()), Err(Error::NoDevice), "{text}");
        }
        let bomb = b"<!DOCTYPE root [<!ENTITY a \"aaaa\">]><root><device>&a;</device></root>";
        assert_eq!(Description::read(bomb), Err(Error::Xml(xml::Error::Forbidden)));
        assert!(matches!(Description::read(b""), Err(Error::Xml(xml::Error::Truncated))));
        // A device that says nothing is one all the same.
        let bare = Description::read(b"<root><device/></root>").unwrap();
        assert_eq!(bare, Description::default());
    }

    fn text() -> impl Strategy<Value = String> {
        "([!-~\u{e9}]([ -~]{0,9}[!-~])?)?"
    }

    fn device() -> impl Strategy<Value = Device> {
        let service = (text(), text(), text(), text(), text());
        let service = service.prop_map(|(kind, id, scpd, control, events)| Service {
            kind,
            id,
            scpd,
            control,
            events,
        });
        let device = (text(), text(), text(), text(), text(), vec(service, 0..3));
        let device =
            device.prop_map(|(kind, friendly_name, manufacturer, model, udn, services)| Device {
                kind,
                friendly_name,
                manufacturer,
                model,
                udn,
                services,
                devices: vec![],
            });
        device.prop_recursive(3, 6, 2, |inner| {
            (inner.clone(), vec(inner, 0..3))
                .prop_map(|(device, devices)| Device { devices, ..device })
        })
    }

    proptest! {
        #[test]
        fn read_after_write(base in option::of("[!-~]{1,20}"), device in device()) {
            let description = Description { base, device };
            prop_assert_eq!(Description::read(&description.to_bytes()), Ok(description));
        }

        #[test]
        fn no_bytes_panic(text in "(<root>|<device>|</device>|<serviceList>|<service>|[ -~]{0,9}){0,9}") {
            let _ = Description::read(text.as_bytes());
        }
    }
}
