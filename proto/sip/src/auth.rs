//! Digest authentication, both sides (RFC 7616, RFC 8760, RFC 3261 §22).
//!
//! | module | what |
//! |---|---|
//! | [`algorithm`] | [`Hash`](enum@Hash) and [`Algorithm`]: MD5, SHA-256, SHA-512-256 and their session variants |
//! | [`digest`] | [`Ha1`], the key that a password becomes, and the formula of the response |
//! | [`client`] | [`answer`] and [`Client`]: challenges answered, nonces counted |
//! | [`server`] | [`Authenticator`]: challenges given, answers checked |
//! | [`nonce`] | nonces that need no memory until somebody has proven a password |
//! | [`replay`] | the bounded memory of who has used a nonce how often |

pub mod algorithm;
pub mod client;
pub mod digest;
pub mod nonce;
pub mod replay;
pub mod server;

pub use algorithm::{Algorithm, Hash};
pub use client::{AnswerError, Client, Covered, Login, answer};
pub use digest::Ha1;
pub use server::{Authenticator, Claim, Config, Examined, Proof};

use crate::header::name;
use crate::status::Status;

/// Who asks for credentials: the server that a request is for, or a proxy on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// A user agent server or registrar: 401, WWW-Authenticate, Authorization.
    Server,
    /// A proxy: 407, Proxy-Authenticate, Proxy-Authorization.
    Proxy,
}

impl Side {
    /// The status of a challenge.
    #[must_use]
    pub const fn status(self) -> Status {
        match self {
            Self::Server => Status::UNAUTHORIZED,
            Self::Proxy => Status::PROXY_AUTHENTICATION_REQUIRED,
        }
    }

    /// The field of a challenge.
    #[must_use]
    pub const fn challenge_field(self) -> &'static str {
        match self {
            Self::Server => name::WWW_AUTHENTICATE,
            Self::Proxy => name::PROXY_AUTHENTICATE,
        }
    }

    /// The field of an answer.
    #[must_use]
    pub const fn credentials_field(self) -> &'static str {
        match self {
            Self::Server => name::AUTHORIZATION,
            Self::Proxy => name::PROXY_AUTHORIZATION,
        }
    }

    /// The field of what follows a success.
    #[must_use]
    pub const fn info_field(self) -> &'static str {
        match self {
            Self::Server => name::AUTHENTICATION_INFO,
            Self::Proxy => name::PROXY_AUTHENTICATION_INFO,
        }
    }
}
