//! A whole description: the session's part, then one part per `m=` line.

use std::net::IpAddr;

use crate::{Attribute, Connection, Direction, Ending, Error, Line, Section, defaults};

/// A session description (RFC 8866 §5) as text: what was read is written back byte for byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionDescription {
    /// The lines before the first `m=`.
    pub session: Section,
    /// The media parts in order.
    pub media: Vec<Section>,
}

impl SessionDescription {
    /// Splits `text` into lines and parts. Whatever stands in the lines is kept.
    ///
    /// # Errors
    /// When one of the limits in [`defaults`] is passed.
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        if text.len() > defaults::MAX_BYTES {
            return Err(Error::TooLarge);
        }
        let mut description = Self::default();
        let mut rest = text;
        let mut count = 0;
        while let Some(line) = Line::cut(&mut rest) {
            count += 1;
            if count > defaults::MAX_LINES {
                return Err(Error::TooManyLines);
            }
            if line.kind() == Some(b'm') {
                if description.media.len() == defaults::MAX_MEDIA {
                    return Err(Error::TooManyMedia);
                }
                description.media.push(Section::new());
            }
            description.media.last_mut().unwrap_or(&mut description.session).push(line);
        }
        Ok(description)
    }

    /// The mandatory lines of a new session (RFC 8866 §5): version, origin, name `-`, timing `0 0`,
    /// and the address as connection data.
    #[must_use]
    pub fn new(session_id: u64, version: u64, address: IpAddr) -> Self {
        let connection = Connection::new(address);
        let mut session = Section::new();
        session.push(Line::new(b'v', "0"));
        session.push(Line::new(b'o', &format!("- {session_id} {version} {connection}")));
        session.push(Line::new(b's', "-"));
        session.push(Line::new(b'c', &connection.to_string()));
        session.push(Line::new(b't', "0 0"));
        Self { session, media: Vec::new() }
    }

    /// The text.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let lines = || self.sections().flat_map(Section::lines);
        let mut bytes = Vec::new();
        let mut unended = false;
        for line in lines() {
            if unended {
                bytes.extend_from_slice(Ending::CrLf.as_bytes());
            }
            bytes.extend_from_slice(line.raw());
            bytes.extend_from_slice(line.ending().as_bytes());
            unended = line.ending() == Ending::None;
        }
        bytes
    }

    /// The session's part and the media parts.
    pub fn sections(&self) -> impl Iterator<Item = &Section> {
        std::iter::once(&self.session).chain(&self.media)
    }

    /// The connection data that holds for `media`: its own, or the session's (RFC 8866 §5.7).
    #[must_use]
    pub fn connection(&self, media: &Section) -> Option<Connection> {
        media.connection().or_else(|| self.session.connection())?.ok()
    }

    /// The direction of `media`: its own, the session's, or `sendrecv` (RFC 8866 §6.7).
    #[must_use]
    pub fn direction(&self, media: &Section) -> Direction {
        media.direction().or_else(|| self.session.direction()).unwrap_or_default()
    }

    /// The attribute of type `T` that holds for `media`: its own, or the session's, as `ice-ufrag`
    /// and `ice-pwd` (RFC 8839 §5.4) may stand at either place.
    #[must_use]
    pub fn attribute_of<T: Attribute>(&self, media: &Section) -> Option<T> {
        media.first().or_else(|| self.session.first())?.ok()
    }

    /// Whether the flag `name` stands in `media` or at session level.
    #[must_use]
    pub fn flag_of(&self, media: &Section, name: &str) -> bool {
        media.has(name) || self.session.has(name)
    }
}
