//! What a server offers on a stream (RFC 6120 §4.3.2).

use crate::sasl::{BindingType, Mechanism};
use crate::xml::attribute;
use crate::{Element, ns};

/// `<stream:features/>`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features {
    /// STARTTLS: `Some(true)` if it is mandatory.
    pub starttls: Option<bool>,
    /// The names of SASL mechanisms, known or not, in the server's order.
    pub mechanisms: Vec<String>,
    /// Which channel bindings the server can do (XEP-0440); `None` where it does not say.
    pub bindings: Option<Vec<BindingType>>,
    /// Whether resources are bound.
    pub bind: bool,
    /// Everything else.
    pub others: Vec<Element>,
}

impl Features {
    /// Whether there is one of this name and namespace among the [`others`](Self::others).
    #[must_use]
    pub fn has(&self, name: &str, ns: &str) -> bool {
        self.others.iter().any(|feature| feature.is(name, ns))
    }

    /// The mechanisms that we know.
    pub fn known_mechanisms(&self) -> impl Iterator<Item = Mechanism> + '_ {
        self.mechanisms.iter().filter_map(|name| Mechanism::from_name(name))
    }

    /// Reads `<stream:features/>`.
    #[must_use]
    pub fn parse(element: &Element) -> Self {
        let mut features = Self::default();
        for child in element.children() {
            if child.is("starttls", ns::TLS) {
                features.starttls = Some(child.has_child("required", ns::TLS));
            } else if child.is("mechanisms", ns::SASL) {
                let names = child.children().filter(|child| child.is("mechanism", ns::SASL));
                features.mechanisms = names.map(Element::text).collect();
            } else if child.is("sasl-channel-binding", ns::SASL_CHANNEL_BINDING) {
                let types = child.children().filter_map(|child| attribute(child, "type"));
                features.bindings = Some(types.filter_map(BindingType::from_name).collect());
            } else if child.is("bind", ns::BIND) {
                features.bind = true;
            } else {
                features.others.push(child.clone());
            }
        }
        features
    }

    /// `<stream:features/>`.
    #[must_use]
    pub fn element(&self) -> Element {
        let mut element = Element::bare("features", ns::STREAMS);
        if let Some(required) = self.starttls {
            let required = required.then(|| Element::bare("required", ns::TLS));
            element
                .append_child(Element::builder("starttls", ns::TLS).append_all(required).build());
        }
        if !self.mechanisms.is_empty() {
            let names = self
                .mechanisms
                .iter()
                .map(|name| Element::builder("mechanism", ns::SASL).append(name.as_str()).build());
            element
                .append_child(Element::builder("mechanisms", ns::SASL).append_all(names).build());
        }
        if let Some(bindings) = &self.bindings {
            let types = bindings.iter().map(|kind| {
                Element::builder("channel-binding", ns::SASL_CHANNEL_BINDING)
                    .attr(crate::xml::name("type"), kind.name())
                    .build()
            });
            let list = Element::builder("sasl-channel-binding", ns::SASL_CHANNEL_BINDING);
            element.append_child(list.append_all(types).build());
        }
        if self.bind {
            element.append_child(Element::bare("bind", ns::BIND));
        }
        for feature in &self.others {
            element.append_child(feature.clone());
        }
        element
    }
}
