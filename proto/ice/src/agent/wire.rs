//! The STUN messages of ICE (RFC 8445 §7.1, §16.1).

use machine::{Endpoint, Entropy};
use stun::{Builder, Integrity, Key, Message, Method, TransactionId};

use crate::explain::Role;
use crate::{CandidateKind, Credentials};

/// What a check says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) role: Role,
    pub(super) tie_breaker: u64,
    pub(super) priority: u32,
    pub(super) use_candidate: bool,
}

/// Writes a check.
///
//= RFC 8445 §7.2.2: USERNAME is theirs, a colon and ours; the password is theirs.
//= RFC 8445 §7.1: PRIORITY, and ICE-CONTROLLED or ICE-CONTROLLING, are in every check, and FINGERPRINT.
pub(super) fn request(
    request: Request,
    ours: &Credentials,
    theirs: &Credentials,
    entropy: &mut Entropy,
) -> Vec<u8> {
    let mut builder = Builder::request(Method::BINDING, TransactionId::random(entropy));
    builder.username(&format!("{}:{}", theirs.ufrag, ours.ufrag)).priority(request.priority);
    match request.role {
        Role::Controlling => builder.ice_controlling(request.tie_breaker),
        Role::Controlled => builder.ice_controlled(request.tie_breaker),
    };
    if request.use_candidate {
        builder.use_candidate();
    }
    builder.integrity(&Key::short_term(&theirs.pwd)).fingerprint().finish()
}

/// Writes the answer to a check that came from `remote`.
pub(super) fn success(
    request: &Message<'_>,
    remote: Endpoint,
    ours: &Credentials,
    integrity: Integrity,
) -> Vec<u8> {
    let key = Key::short_term(&ours.pwd);
    Builder::success(request)
        .xor_mapped_address(remote)
        .integrity_of(integrity, &key)
        .fingerprint()
        .finish()
}

/// Writes a refusal; `ours` is given once the other side has proven that it knows our password.
pub(super) fn refusal(
    request: &Message<'_>,
    code: u16,
    unknown: &[stun::AttributeType],
    ours: Option<(&Credentials, Integrity)>,
) -> Vec<u8> {
    let mut builder = Builder::error(request, code);
    if !unknown.is_empty() {
        builder.unknown_attributes(unknown);
    }
    if let Some((ours, integrity)) = ours {
        builder.integrity_of(integrity, &Key::short_term(&ours.pwd));
    }
    builder.fingerprint().finish()
}

/// Writes a keepalive.
///
//= RFC 8445 §11: a Binding indication without credentials, with FINGERPRINT.
pub(super) fn indication(entropy: &mut Entropy) -> Vec<u8> {
    Builder::indication(Method::BINDING, TransactionId::random(entropy)).fingerprint().finish()
}

/// The priority that a check from a candidate of priority `local` carries: what a peer-reflexive
/// candidate learned from it will have.
///
//= RFC 8445 §7.1.1: as the candidate's, with the type preference of a peer-reflexive one.
pub(super) const fn check_priority(local: u32) -> u32 {
    (local & 0x00ff_ffff) | ((CandidateKind::PeerReflexive.preference() as u32) << 24)
}
