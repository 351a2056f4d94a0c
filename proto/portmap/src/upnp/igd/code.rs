//! Error codes of these services (UDA 1.1 §3.2.5, WANIPConnection:2 §2.5, WANIPv6FirewallControl:1
//! §2.5).

/// No such action.
pub const INVALID_ACTION: u16 = 401;
/// Arguments are missing or wrong.
pub const INVALID_ARGS: u16 = 402;
/// It could not be done.
pub const ACTION_FAILED: u16 = 501;
/// An optional action that this device has not.
pub const OPTIONAL_ACTION_NOT_IMPLEMENTED: u16 = 602;
/// Not for this asker.
pub const NOT_AUTHORIZED: u16 = 606;
/// No room for another pinhole.
pub const PINHOLE_SPACE_EXHAUSTED: u16 = 701;
/// The firewall is off: there is nothing to open.
pub const FIREWALL_DISABLED: u16 = 702;
/// Hosts inside may not open pinholes.
pub const INBOUND_PINHOLE_NOT_ALLOWED: u16 = 703;
/// No such pinhole.
pub const NO_SUCH_ENTRY: u16 = 704;
/// No pinholes for this transport.
pub const PROTOCOL_NOT_SUPPORTED: u16 = 705;
/// The end of the list.
pub const ARRAY_INDEX_INVALID: u16 = 713;
/// No such mapping.
pub const NO_SUCH_ENTRY_IN_ARRAY: u16 = 714;
/// The sender must be named.
pub const WILDCARD_NOT_PERMITTED_IN_SOURCE: u16 = 715;
/// The external port must be named.
pub const WILDCARD_NOT_PERMITTED_IN_EXTERNAL_PORT: u16 = 716;
/// The port is taken.
pub const CONFLICT: u16 = 718;
/// The ports inside and outside must be the same.
pub const SAME_PORT_REQUIRED: u16 = 724;
/// Leases must be permanent.
pub const ONLY_PERMANENT_LEASES: u16 = 725;
/// The sender must be a wildcard.
pub const REMOTE_HOST_ONLY_WILDCARD: u16 = 726;
/// The external port must be a wildcard.
pub const EXTERNAL_PORT_ONLY_WILDCARD: u16 = 727;
/// No port is left.
pub const NO_PORT_MAPS_AVAILABLE: u16 = 728;
/// The port is taken by something else on the router.
pub const CONFLICT_WITH_OTHER_MECHANISMS: u16 = 729;
/// The internal port must be named.
pub const WILDCARD_NOT_PERMITTED_IN_INTERNAL_PORT: u16 = 732;

/// The words of the specifications for a code; empty for one that is not theirs.
#[must_use]
pub const fn name(code: u16) -> &'static str {
    match code {
        INVALID_ACTION => "Invalid Action",
        INVALID_ARGS => "Invalid Args",
        ACTION_FAILED => "Action Failed",
        OPTIONAL_ACTION_NOT_IMPLEMENTED => "Optional Action Not Implemented",
        NOT_AUTHORIZED => "Action not authorized",
        PINHOLE_SPACE_EXHAUSTED => "PinholeSpaceExhausted",
        FIREWALL_DISABLED => "FirewallDisabled",
        INBOUND_PINHOLE_NOT_ALLOWED => "InboundPinholeNotAllowed",
        NO_SUCH_ENTRY => "NoSuchEntry",
        PROTOCOL_NOT_SUPPORTED => "ProtocolNotSupported",
        ARRAY_INDEX_INVALID => "SpecifiedArrayIndexInvalid",
        NO_SUCH_ENTRY_IN_ARRAY => "NoSuchEntryInArray",
        WILDCARD_NOT_PERMITTED_IN_SOURCE => "WildCardNotPermittedInSrcIP",
        WILDCARD_NOT_PERMITTED_IN_EXTERNAL_PORT => "WildCardNotPermittedInExtPort",
        CONFLICT => "ConflictInMappingEntry",
        SAME_PORT_REQUIRED => "SamePortValuesRequired",
        ONLY_PERMANENT_LEASES => "OnlyPermanentLeasesSupported",
        REMOTE_HOST_ONLY_WILDCARD => "RemoteHostOnlySupportsWildcard",
        EXTERNAL_PORT_ONLY_WILDCARD => "ExternalPortOnlySupportsWildcard",
        NO_PORT_MAPS_AVAILABLE => "NoPortMapsAvailable",
        CONFLICT_WITH_OTHER_MECHANISMS => "ConflictWithOtherMechanisms",
        WILDCARD_NOT_PERMITTED_IN_INTERNAL_PORT => "WildCardNotPermittedInIntPort",
        _ => "",
    }
}
