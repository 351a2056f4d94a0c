//! SDP: RFC 8866 text that survives a rewrite byte for byte, and the offer/answer rules of RFC 3264.
//!
//! [`SessionDescription::parse`] refuses only what passes a limit: every line is kept as it came,
//! unknown ones and odd line endings too, so that what is parsed, edited and written differs from
//! the original in the edited lines alone. Whether a description is *right* is another question,
//! which [`SessionDescription::violations`] answers.
//!
//! | module | what | where |
//! |---|---|---|
//! | [`description`] | [`SessionDescription`]: sections and their lines | RFC 8866 §5 |
//! | [`section`] | [`Section`], one session or media part; look-ups and edits | |
//! | [`line`](mod@line) | [`Line`], kept raw with its [`Ending`] | |
//! | [`fields`] | [`Origin`], [`Connection`], [`MediaLine`] | RFC 8866 §5.2, §5.7, §5.14 |
//! | [`attribute`] | [`Attribute`] and the typed attributes of RTP media | RFC 8866 §6, RFC 3605 |
//! | [`candidate`] | [`Candidate`] and the other attributes of ICE | RFC 8839 §5 |
//! | [`direction`] | [`Direction`] and its algebra | RFC 8866 §6.7, RFC 3264 §6.1 |
//! | [`codec`] | static payload types, comparing and choosing codecs | RFC 3551 §6 |
//! | [`offer_answer`] | what an answer and a later offer must keep to | RFC 3264 |
//! | [`validate`] | what RFC 8866 forbids | RFC 8866 §5, §9 |
//! | [`defaults`] | limits | |
//!
//! What is not here: key management (`a=crypto`, `a=fingerprint`, `a=setup`) and grouping stay raw
//! attributes, read with [`Section::attribute`].
//!
//! ```
//! use sdp::{RtpMap, SessionDescription};
//!
//! let text = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
//!              m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\nx-odd\n";
//! let mut description = SessionDescription::parse(text)?;
//! assert_eq!(description.media[0].first::<RtpMap>().unwrap()?.encoding, "PCMU");
//! assert_eq!(description.to_bytes(), text);
//! # Ok::<(), sdp::Error>(())
//! ```

pub mod attribute;
pub mod candidate;
pub mod codec;
pub mod defaults;
pub mod description;
pub mod direction;
pub mod fields;
pub mod line;
pub mod offer_answer;
pub mod section;
pub mod validate;

pub use attribute::{Attribute, Fmtp, Ptime, Rtcp, RtpMap};
pub use candidate::{Address, Candidate, IceOptions, IcePacing, IcePwd, IceUfrag};
pub use description::SessionDescription;
pub use direction::Direction;
pub use fields::{Connection, MediaLine, Origin};
pub use line::{Ending, Line};
pub use section::Section;
pub use validate::Violation;

/// Why a description or a part of it could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// More bytes than [`defaults::MAX_BYTES`].
    #[error("larger than {} bytes", defaults::MAX_BYTES)]
    TooLarge,
    /// More lines than [`defaults::MAX_LINES`].
    #[error("more than {} lines", defaults::MAX_LINES)]
    TooManyLines,
    /// More media sections than [`defaults::MAX_MEDIA`].
    #[error("more than {} media sections", defaults::MAX_MEDIA)]
    TooManyMedia,
    /// The line or attribute does not follow its grammar.
    #[error("malformed {0}")]
    Malformed(&'static str),
}
