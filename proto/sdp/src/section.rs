//! One part of a description: the session's lines, or one media's.

use crate::{Attribute, Connection, Direction, Error, Line, MediaLine, Origin};

/// The order of types in a session part (RFC 8866 §5).
pub(crate) const SESSION_ORDER: &[u8] = b"vosiuepcbtrzka";
/// The order of types in a media part.
pub(crate) const MEDIA_ORDER: &[u8] = b"micbka";

/// The lines of one part. Look-ups take the first match and skip what they do not know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    lines: Vec<Line>,
}

impl Section {
    /// An empty part.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A media part with its `m=` line.
    #[must_use]
    pub fn media(line: &MediaLine) -> Self {
        Self { lines: vec![Line::new(b'm', &line.to_string())] }
    }

    /// Its lines in order.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    pub(crate) fn push(&mut self, line: Line) {
        self.lines.push(line);
    }

    /// The value of the first line of type `kind`.
    #[must_use]
    pub fn value(&self, kind: u8) -> Option<&str> {
        self.lines.iter().find(|line| line.kind() == Some(kind)).map(Line::value)
    }

    /// Replaces the first line of type `kind`, or inserts it where RFC 8866 §5 orders it.
    pub fn set(&mut self, kind: u8, value: &str) {
        let line = Line::new(kind, value);
        match self.lines.iter_mut().find(|line| line.kind() == Some(kind)) {
            Some(old) => *old = line,
            None => self.lines.insert(self.place(kind), line),
        }
    }

    /// Removes every line of type `kind`.
    pub fn remove(&mut self, kind: u8) {
        self.lines.retain(|line| line.kind() != Some(kind));
    }

    /// Where a line of type `kind` goes: after the last line that must not come later.
    fn place(&self, kind: u8) -> usize {
        let media = self.lines.first().is_some_and(|line| line.kind() == Some(b'm'));
        let order = if media { MEDIA_ORDER } else { SESSION_ORDER };
        let rank = |kind: u8| order.iter().position(|&k| k == kind).unwrap_or(order.len());
        let before = |line: &Line| line.kind().is_some_and(|k| rank(k) <= rank(kind));
        self.lines.iter().rposition(before).map_or(0, |at| at + 1)
    }

    /// Every attribute as name and value; the value of a flag is empty.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lines.iter().filter_map(Line::as_attribute)
    }

    /// The value of the first attribute `name`; empty for a flag.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes().find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    /// Whether there is an attribute `name`, as `rtcp-mux` and `ice-lite` are.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.attribute(name).is_some()
    }

    /// The first attribute of type `T`.
    ///
    /// # Errors
    /// [`Error::Malformed`] inside, if it is there and does not follow its grammar.
    #[must_use]
    pub fn first<T: Attribute>(&self) -> Option<Result<T, Error>> {
        self.attribute(T::NAME).map(T::from_str)
    }

    /// Every attribute of type `T` that follows its grammar.
    pub fn all<T: Attribute>(&self) -> impl Iterator<Item = T> {
        self.attributes()
            .filter(|(name, _)| *name == T::NAME)
            .filter_map(|(_, value)| T::from_str(value).ok())
    }

    /// Appends a typed attribute.
    pub fn add<T: Attribute>(&mut self, attribute: &T) {
        self.lines.push(Line::attribute(T::NAME, &attribute.to_string()));
    }

    /// Appends the attribute `name:value`, or the flag `name` if `value` is empty.
    pub fn add_attribute(&mut self, name: &str, value: &str) {
        self.lines.push(Line::attribute(name, value));
    }

    /// Replaces the first attribute `name` where it stands and drops its repetitions, or appends it.
    pub fn set_attribute(&mut self, name: &str, value: &str) {
        let mut new = Some(Line::attribute(name, value));
        self.lines.retain_mut(|line| {
            if line.as_attribute().is_none_or(|(n, _)| n != name) {
                return true;
            }
            new.take().is_some_and(|new| {
                *line = new;
                true
            })
        });
        self.lines.extend(new);
    }

    /// Removes every attribute `name`.
    pub fn remove_attributes(&mut self, name: &str) {
        self.lines.retain(|line| line.as_attribute().is_none_or(|(n, _)| n != name));
    }

    /// The `o=` line.
    ///
    /// # Errors
    /// [`Error::Malformed`] if it is missing or broken.
    pub fn origin(&self) -> Result<Origin, Error> {
        self.value(b'o').unwrap_or("").parse()
    }

    /// The `c=` line of this part alone.
    #[must_use]
    pub fn connection(&self) -> Option<Result<Connection, Error>> {
        self.value(b'c').map(str::parse)
    }

    /// The `m=` line.
    ///
    /// # Errors
    /// [`Error::Malformed`] if it is missing or broken.
    pub fn media_line(&self) -> Result<MediaLine, Error> {
        self.value(b'm').unwrap_or("").parse()
    }

    /// Replaces the `m=` line.
    pub fn set_media_line(&mut self, line: &MediaLine) {
        self.set(b'm', &line.to_string());
    }

    /// The direction attribute of this part alone.
    #[must_use]
    pub fn direction(&self) -> Option<Direction> {
        self.attributes().find_map(|(name, value)| match value {
            "" => name.parse().ok(),
            _ => None,
        })
    }

    /// Sets the direction attribute, where one stands or at the end.
    pub fn set_direction(&mut self, direction: Direction) {
        match self.direction() {
            Some(old) if old == direction => {}
            Some(old) => {
                let new = Line::attribute(direction.as_str(), "");
                let is_old = |line: &&mut Line| line.as_attribute() == Some((old.as_str(), ""));
                if let Some(line) = self.lines.iter_mut().find(is_old) {
                    *line = new;
                }
            }
            None => self.add_attribute(direction.as_str(), ""),
        }
    }
}
