//! What an entity is and can do (XEP-0030), and the hash over it (XEP-0115 §5).

use std::collections::BTreeSet;

use super::defaults::{MAX_DISCO_ITEMS, MAX_DISCO_NAME};
use crate::sasl::base64;
use crate::xml::{attribute, name, set_attribute};
use crate::{Element, ns};

/// What an entity is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// `client`, `server`, …
    pub category: String,
    /// `pc`, `phone`, …
    pub kind: String,
    /// The language of its name; empty where none is said.
    pub lang: String,
    /// Its name; empty where it has none.
    pub name: String,
}

impl Identity {
    /// An identity whose name is of no language.
    #[must_use]
    pub fn new(category: &str, kind: &str, name: &str) -> Self {
        let (category, kind) = (category.to_owned(), kind.to_owned());
        Self { category, kind, lang: String::new(), name: name.to_owned() }
    }
}

/// What an entity tells of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// What it is.
    pub identities: Vec<Identity>,
    /// What it can do: namespaces.
    pub features: Vec<String>,
    /// What it tells beside (XEP-0128).
    pub forms: Vec<Form>,
}

/// A form of data that says by a hidden field what it is (XEP-0128, XEP-0068).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// What it is: the values of its hidden `FORM_TYPE`, of which there should be one.
    pub types: Vec<String>,
    /// Its other fields, with their values.
    pub fields: Vec<(String, Vec<String>)>,
}

/// The hash functions that capabilities are told by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hash {
    /// `sha-1`, which everybody must know (XEP-0115 §5.1).
    Sha1,
    /// `sha-256`.
    Sha256,
}

impl Hash {
    /// The name in IANA's registry.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha-1",
            Self::Sha256 => "sha-256",
        }
    }

    /// The function of a name; nothing for one that is not known.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Sha1, Self::Sha256].into_iter().find(|hash| hash.name() == name)
    }
}

impl Info {
    /// Whether it can do something.
    #[must_use]
    pub fn supports(&self, feature: &str) -> bool {
        self.features.iter().any(|known| known == feature)
    }

    /// Reads the `<query/>` of an answer; nothing for another element, or for one that has more in
    /// it, or longer things, than anybody's.
    #[must_use]
    pub fn parse(query: &Element) -> Option<Self> {
        if !query.is("query", ns::DISCO_INFO) {
            return None;
        }
        let (mut info, mut room) = (Self::default(), MAX_DISCO_ITEMS);
        for child in query.children() {
            room = room.checked_sub(1)?;
            if child.is("identity", ns::DISCO_INFO) {
                let text = |name| attribute(child, name).unwrap_or_default().to_owned();
                info.identities.push(Identity {
                    category: text("category"),
                    kind: text("type"),
                    lang: child.attr_ns(ns::XML, "lang").unwrap_or_default().to_owned(),
                    name: text("name"),
                });
            } else if child.is("feature", ns::DISCO_INFO) {
                info.features.push(attribute(child, "var")?.to_owned());
            } else if child.is("x", ns::DATA_FORM) {
                info.forms.extend(Form::parse(child, &mut room)?);
            }
        }
        let in_bounds = info.names().all(|name| name.len() <= MAX_DISCO_NAME);
        in_bounds.then_some(info)
    }

    fn names(&self) -> impl Iterator<Item = &String> {
        let identities = self.identities.iter();
        let identities = identities.flat_map(|id| [&id.category, &id.kind, &id.lang, &id.name]);
        let fields = self.forms.iter().flat_map(|form| &form.fields);
        let fields = fields.flat_map(|(var, values)| std::iter::once(var).chain(values));
        let types = self.forms.iter().flat_map(|form| &form.types);
        identities.chain(&self.features).chain(types).chain(fields)
    }

    /// The `<query/>` of an answer about `node`.
    #[must_use]
    pub fn element(&self, node: Option<&str>) -> Element {
        let identities = self.identities.iter().map(|identity| {
            let mut element = Element::builder("identity", ns::DISCO_INFO)
                .attr(name("category"), identity.category.as_str())
                .attr(name("type"), identity.kind.as_str())
                .build();
            if !identity.name.is_empty() {
                set_attribute(&mut element, "name", Some(&identity.name));
            }
            if !identity.lang.is_empty() {
                let lang = identity.lang.clone();
                element.attrs_mut().insert(rxml::Namespace::XML, name("lang"), lang);
            }
            element
        });
        let features = self.features.iter().map(|feature| {
            let element = Element::builder("feature", ns::DISCO_INFO);
            element.attr(name("var"), feature.as_str()).build()
        });
        let mut query = Element::builder("query", ns::DISCO_INFO)
            .append_all(identities)
            .append_all(features)
            .append_all(self.forms.iter().map(Form::element))
            .build();
        set_attribute(&mut query, "node", node);
        query
    }

    /// The `ver` of XEP-0115 for this; nothing for what XEP-0115 §5.4 calls ill-formed.
    #[must_use]
    pub fn ver(&self, hash: Hash) -> Option<String> {
        let text = self.verification()?;
        Some(match hash {
            Hash::Sha1 => base64::encode(&crypto::sha1(&[text.as_bytes()])),
            Hash::Sha256 => base64::encode(&crypto::sha256(&[text.as_bytes()])),
        })
    }

    /// What is hashed: everything in order, a `<` behind each.
    fn verification(&self) -> Option<String> {
        // The `<` that parts the names can be in one, escaped on the wire: two sets of capabilities
        // could have one hash then, so such a set has none.
        if self.names().any(|name| name.contains('<')) {
            return None;
        }
        let mut identities: Vec<&Identity> = self.identities.iter().collect();
        identities.sort();
        //= XEP-0115 §5.4: two identities of one category, type and language are ill-formed, and so is
        //= a feature that stands there twice.
        let same = |a: &&Identity, b: &&Identity| {
            (&a.category, &a.kind, &a.lang) == (&b.category, &b.kind, &b.lang)
        };
        if identities.windows(2).any(|pair| matches!(pair, [a, b] if same(a, b))) {
            return None;
        }
        let features: BTreeSet<&String> = self.features.iter().collect();
        if features.len() != self.features.len() {
            return None;
        }
        let mut text = String::new();
        for Identity { category, kind, lang, name } in identities {
            text += &format!("{category}/{kind}/{lang}/{name}<");
        }
        for feature in features {
            text += &format!("{feature}<");
        }
        //= XEP-0115 §5.4: a form without a hidden FORM_TYPE is passed over; one whose FORM_TYPE has
        //= two values, or that another form has too, is ill-formed.
        let mut forms: Vec<&Form> =
            self.forms.iter().filter(|form| !form.types.is_empty()).collect();
        forms.sort_by(|a, b| a.types.cmp(&b.types));
        let ambiguous = forms.iter().any(|form| form.types.len() > 1);
        if ambiguous || forms.windows(2).any(|two| matches!(two, [a, b] if a.types == b.types)) {
            return None;
        }
        forms.into_iter().for_each(|form| form.write_verification(&mut text));
        Some(text)
    }
}

impl Form {
    /// Reads a form; `Some(None)` for one that does not say what it is, nothing when `room` is used
    /// up.
    fn parse(element: &Element, room: &mut usize) -> Option<Option<Self>> {
        let mut form = Self::default();
        for field in element.children().filter(|child| child.is("field", ns::DATA_FORM)) {
            let values = field.children().filter(|child| child.is("value", ns::DATA_FORM));
            let values: Vec<String> = values.map(Element::text).collect();
            *room = room.checked_sub(1 + values.len())?;
            match attribute(field, "var") {
                Some("FORM_TYPE") if attribute(field, "type") == Some("hidden") => {
                    let distinct: BTreeSet<String> = values.into_iter().collect();
                    form.types.extend(distinct);
                }
                Some("FORM_TYPE") => return Some(None),
                Some(var) => form.fields.push((var.to_owned(), values)),
                None => {}
            }
        }
        Some((!form.types.is_empty()).then_some(form))
    }

    fn element(&self) -> Element {
        let field = |var: &str, values: &[String]| {
            let values = values.iter().map(|value| {
                Element::builder("value", ns::DATA_FORM).append(value.as_str()).build()
            });
            Element::builder("field", ns::DATA_FORM)
                .attr(name("var"), var)
                .append_all(values)
                .build()
        };
        let mut what = field("FORM_TYPE", &self.types);
        set_attribute(&mut what, "type", Some("hidden"));
        Element::builder("x", ns::DATA_FORM)
            .attr(name("type"), "result")
            .append(what)
            .append_all(self.fields.iter().map(|(var, values)| field(var, values)))
            .build()
    }

    fn write_verification(&self, text: &mut String) {
        self.types.iter().for_each(|kind| *text += &format!("{kind}<"));
        let mut fields: Vec<&(String, Vec<String>)> = self.fields.iter().collect();
        fields.sort();
        for (var, values) in fields {
            *text += &format!("{var}<");
            let mut values: Vec<&String> = values.iter().collect();
            values.sort();
            values.into_iter().for_each(|value| *text += &format!("{value}<"));
        }
    }
}

/// The question about `node`.
pub(super) fn question(node: Option<&str>) -> Element {
    let mut query = Element::bare("query", ns::DISCO_INFO);
    set_attribute(&mut query, "node", node);
    query
}

#[cfg(test)]
mod tests;
