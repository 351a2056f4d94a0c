//! What is lost between an element and the value that is read of it.

use std::collections::BTreeMap;

use minidom::{Element, Node};

/// What `original` says and `rewritten` does not, a line each: the path, then an attribute's or a
/// text's value.
pub(super) fn missing(original: &Element, rewritten: &Element) -> Vec<String> {
    let mut lines = BTreeMap::new();
    collect(original, "", 1, &mut lines);
    collect(rewritten, "", -1, &mut lines);
    lines.into_iter().filter(|(_, count)| *count > 0).map(|(line, _)| line).collect()
}

fn collect(element: &Element, above: &str, count: i64, lines: &mut BTreeMap<String, i64>) {
    let path = format!("{above}/{}", element.name());
    let mut add = |line: String| *lines.entry(line).or_default() += count;
    add(format!("{path} {}", element.ns()));
    for ((namespace, name), value) in element.attrs() {
        let prefix = if namespace.is_none() { "" } else { namespace.as_str() };
        add(format!("{path}@{prefix}{name}={value}"));
    }
    for node in element.nodes() {
        match node {
            Node::Text(text) if text.trim().is_empty() => {}
            Node::Text(text) => add(format!("{path} {text}")),
            Node::Element(_) => {}
        }
    }
    element.children().for_each(|child| collect(child, &path, count, lines));
}
