//! What errors of stanzas and errors of streams have in common (RFC 6120 §4.9.2, §8.3.2): a condition
//! first, then a text, then what an application adds.

use crate::Element;

/// Declares the conditions of a kind of errors: their names, and the way back from a name.
macro_rules! conditions {
    ($about:literal; $($(#[doc = $doc:literal])* $name:ident = $wire:literal),* $(,)?) => {
        #[doc = $about]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Condition {
            $($(#[doc = $doc])* $name,)*
        }

        impl Condition {
            /// All of them, in the RFC's order.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name of its element.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $wire,)*
                }
            }

            /// The condition called `name`.
            #[must_use]
            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|condition| condition.name() == name)
            }
        }
    };
}
pub(crate) use conditions;

/// What stands in an error.
#[derive(Default)]
pub(crate) struct Parts {
    /// The name of its condition.
    pub(crate) condition: Option<String>,
    pub(crate) text: Option<String>,
    pub(crate) app: Option<Box<Element>>,
}

impl Parts {
    /// Reads an error whose conditions are of `ns`.
    pub(crate) fn parse(error: &Element, ns: &str) -> Self {
        let mut parts = Self::default();
        for child in error.children() {
            match (child.has_ns(ns), child.name()) {
                (true, "text") => parts.text = Some(child.text()),
                (true, name) => parts.condition = Some(name.to_owned()),
                (false, _) => parts.app = Some(Box::new(child.clone())),
            }
        }
        parts
    }
}

/// The error `name` of one namespace, whose condition and text are of another.
//= RFC 6120 §4.9.2, §8.3.2: the condition first, then a text, then what an application adds
pub(crate) fn element(
    (name, of): (&str, &str),
    (condition, ns): (&str, &str),
    text: Option<&str>,
    app: Option<&Element>,
) -> Element {
    let text = text.map(|text| Element::builder("text", ns).append(text).build());
    Element::builder(name, of)
        .append(Element::bare(condition, ns))
        .append_all(text)
        .append_all(app.cloned())
        .build()
}
