//! What became of a request (RFC 6887 §7.4).

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResultCode(pub u8);

impl ResultCode {
    /// Success.
    pub const SUCCESS: Self = Self(0);
    /// The server speaks another version.
    pub const UNSUPP_VERSION: Self = Self(1);
    /// The server is told not to.
    pub const NOT_AUTHORIZED: Self = Self(2);
    /// The request cannot be read.
    pub const MALFORMED_REQUEST: Self = Self(3);
    /// The server does not know the opcode.
    pub const UNSUPP_OPCODE: Self = Self(4);
    /// The server does not know an option that it must process.
    pub const UNSUPP_OPTION: Self = Self(5);
    /// An option cannot be read, or is out of place.
    pub const MALFORMED_OPTION: Self = Self(6);
    /// The server or what it controls has no network.
    pub const NETWORK_FAILURE: Self = Self(7);
    /// The server has no room for now.
    pub const NO_RESOURCES: Self = Self(8);
    /// The protocol cannot be mapped.
    pub const UNSUPP_PROTOCOL: Self = Self(9);
    /// The client has too many mappings.
    pub const USER_EX_QUOTA: Self = Self(10);
    /// The port or address outside that was insisted on is not to be had.
    pub const CANNOT_PROVIDE_EXTERNAL: Self = Self(11);
    /// The request came from another address than it says.
    pub const ADDRESS_MISMATCH: Self = Self(12);
    /// The mapping has too many filters.
    pub const EXCESSIVE_REMOTE_PEERS: Self = Self(13);

    /// What it means.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self.0 {
            0 => "success",
            1 => "unsupported version",
            2 => "not authorized",
            3 => "malformed request",
            4 => "unsupported opcode",
            5 => "unsupported option",
            6 => "malformed option",
            7 => "network failure",
            8 => "no resources",
            9 => "unsupported protocol",
            10 => "user exceeds quota",
            11 => "cannot provide that external address",
            12 => "the request's address is not where it came from",
            13 => "too many remote peers",
            _ => "unknown result",
        }
    }
}
