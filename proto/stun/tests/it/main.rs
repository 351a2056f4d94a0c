//! Published vectors, through the public interface.

mod rfc_5769;
mod rfc_8489;
