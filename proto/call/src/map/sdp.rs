//! SDP as a rendering: the one place where SDP appears in a call.
//!
//! [`Session`] is one side's view of one offer/answer dialogue. It numbers what it writes (RFC 3264
//! §8) and remembers what it read, because an answer refuses in the offer's own words.

mod read;
mod render;

use std::net::{IpAddr, Ipv4Addr};

use machine::Entropy;
use sdp::{Section, SessionDescription};

use super::Loss;
use crate::Description;

/// The port that stands where there is none yet (RFC 8840 §4.1.1).
const DISCARD_PORT: u16 = 9;

/// The option that says: this agent keeps to RFC 8445 (its §10).
const ICE2: &str = "ice2";

/// The option that says: candidates may follow (RFC 8840 §4.1.1).
const TRICKLE: &str = "trickle";

/// Why a body is not a description.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It passes a limit.
    #[error("not a session description: {0}")]
    Sdp(#[from] sdp::Error),
    /// It does not begin as SDP does.
    #[error("not a session description: no v=0 line")]
    Version,
}

/// One side of an offer/answer dialogue in SDP.
#[derive(Clone, Debug)]
pub struct Session {
    id: u64,
    version: u64,
    written: Option<SessionDescription>,
    read: Option<SessionDescription>,
}

impl Session {
    /// A dialogue that has not begun.
    #[must_use]
    pub fn new(entropy: &mut Entropy) -> Self {
        //= RFC 8866 §5.2: the number is unique; RFC 3264 §5: it and the version fit 63 bits.
        let id = entropy.u64() >> 2;
        Self { id, version: 0, written: None, read: None }
    }

    /// Reads a body, and says what of it could not be understood.
    ///
    /// # Errors
    /// If it is no session description at all.
    pub fn read(&mut self, body: &[u8]) -> Result<(Description, Vec<Loss>), Error> {
        let text = SessionDescription::parse(body)?;
        if text.session.value(b'v') != Some("0") {
            return Err(Error::Version);
        }
        let read = read::description(&text);
        self.read = Some(text);
        Ok(read)
    }

    /// Writes a description, and says what of it could not be written.
    ///
    /// The version grows when the text differs from the last one.
    pub fn write(&mut self, description: &Description) -> (Vec<u8>, Vec<Loss>) {
        let mut losses = Vec::new();
        let address = address_of(description);
        let mut text = SessionDescription::new(self.id, self.version, address);
        //= RFC 3264 §6: the t= line of the answer is the offer's.
        if let Some(timing) = self.read.as_ref().and_then(|read| read.session.value(b't')) {
            text.session.set(b't', timing);
        }
        render::session(description, &mut text.session);
        for (index, content) in description.contents.iter().enumerate() {
            let theirs: Option<&Section> = self.read.as_ref().and_then(|r| r.media.get(index));
            text.media.push(render::content(index, content, theirs, &mut losses));
        }
        losses.extend(lost_defaults(description, &text));
        if self.written.as_ref() != Some(&text) {
            self.version += 1;
            let connection = sdp::Connection::new(address);
            let origin = format!("- {} {} {connection}", self.id, self.version);
            text.session.set(b'o', &origin);
            self.written = Some(text.clone());
        }
        (text.to_bytes(), losses)
    }
}

/// The contents whose default destinations a reader would take for others.
fn lost_defaults(description: &Description, text: &SessionDescription) -> Vec<Loss> {
    let (read, _) = read::description(text);
    let pairs = description.contents.iter().zip(&read.contents).enumerate();
    let lost = pairs.filter(|(_, (written, read))| {
        !written.refused && !read.refused && written.transport.defaults != read.transport.defaults
    });
    lost.map(|(index, _)| Loss::Defaults(index)).collect()
}

/// The address that stands for the session: of the first content that has one.
fn address_of(description: &Description) -> IpAddr {
    let mut defaults = description.contents.iter().filter_map(|c| *c.transport.defaults.first()?);
    defaults.next().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |endpoint| endpoint.ip())
}

#[cfg(test)]
mod tests;
