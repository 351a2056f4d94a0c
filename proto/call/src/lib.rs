//! A call: one description of it, its negotiation, its media, its state.
//!
//! Nothing here knows a signalling protocol. A call hands out and takes [`Description`]s; the phone
//! renders them ([`map`]) and carries them, in the bodies of SIP or in the stanzas of Jingle.
//!
//! | module | what |
//! |---|---|
//! | [`description`] | [`Description`]: contents, codecs, direction, keying, ICE parameters |
//! | [`map`] | renderings of a description: [`map::sdp`], [`map::jingle`] |
//! | [`negotiate`] | offer and answer on descriptions: [`Capabilities`], [`Agreed`] |
//! | [`media`] | [`Leg`](media::Leg): sound in, RTP out; RTP in, sound out |
//! | [`call`](mod@call) | [`Call`]: the state of one call |
//! | [`defaults`] | limits and times |

pub mod call;
pub mod defaults;
pub mod description;
pub mod map;
pub mod media;
pub mod negotiate;

pub use call::{Call, Config, Event, State};
pub use description::{
    Codec, Content, Creator, Description, Direction, Ice, Keying, MediaKind, Transport,
};
pub use map::Loss;
pub use negotiate::{Agreed, Capabilities};
