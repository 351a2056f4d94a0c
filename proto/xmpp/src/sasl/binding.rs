//! Channel binding: SCRAM signs what is unique to the TLS connection below, so that nobody in the
//! middle can pass an exchange on (RFC 5802 §6, RFC 5056).

use machine::ConnectionBinding;

/// A type of channel binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BindingType {
    /// `tls-server-end-point`: the server's certificate (RFC 5929 §4).
    TlsServerEndPoint,
    /// `tls-exporter`: this very connection (RFC 9266).
    TlsExporter,
}

impl BindingType {
    /// Both, the stronger first.
    pub const ALL: [Self; 2] = [Self::TlsExporter, Self::TlsServerEndPoint];

    /// The name in IANA's registry.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TlsServerEndPoint => "tls-server-end-point",
            Self::TlsExporter => "tls-exporter",
        }
    }

    /// The type of a name; nothing for one that is not known.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The connection's data of this type, where it has any.
    #[must_use]
    pub fn of(self, connection: &ConnectionBinding) -> Option<&[u8]> {
        match self {
            Self::TlsServerEndPoint => connection.server_end_point.as_deref(),
            Self::TlsExporter => connection.exporter.as_deref(),
        }
    }

    /// The types that a connection has data for, the stronger first. What a server offers
    /// (XEP-0440); where there are none, it offers no `-PLUS`.
    pub fn available(connection: &ConnectionBinding) -> impl Iterator<Item = Self> + '_ {
        Self::ALL.into_iter().filter(|kind| kind.of(connection).is_some())
    }
}

/// What a client says of channel binding: the `gs2-cbind-flag` of RFC 5802 §7, and what goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Binding {
    /// `n`: the client has none to use.
    Unsupported,
    /// `y`: the client would, and believes that the server cannot. A server that can knows now that
    /// somebody took its `-PLUS` out of the list.
    NotOffered,
    /// `p`: bound.
    Bound {
        /// How.
        kind: BindingType,
        /// The connection's data.
        data: Vec<u8>,
    },
}
