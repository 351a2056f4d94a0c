//! Every limit and timeout of this crate, each with its reason.

use std::time::Duration;

use stun::Timing;

/// Calls at a time. A person takes one; the rest is for transfers and for not being blocked by a flood.
/// What only rings does not keep the owner from calling; one more that comes is answered busy.
pub const MAX_CALLS: usize = 16;

/// Calls at a time that one person brings over XMPP, answered or not: one, and another while its end
/// has not come through. Whoever floods us fills no more of the room for others.
pub const MAX_CALLS_OF_ONE: usize = 2;

/// Steps of one call over XMPP that wait for their answers: one for each candidate that is found in the
/// time of a round trip, and a few more. A call with somebody who answers nothing ends there, and
/// leaves the rest of what an account may ask for to others.
pub const MAX_STEPS_OF_ONE: usize = 32;

/// Proposals of ours that are kept in mind, so that a device that goes on with one too late is told
/// (XEP-0353 §3): what a person calls within a round trip, and a few more.
pub const MAX_PROPOSED: usize = 16;

/// Accounts of one phone: a person has a few, and each costs a registration and its keepalives.
pub const MAX_ACCOUNTS: usize = 8;

/// A keepalive over UDP is sent at 0, 0.5, 1.5 and 3.5 s and given up after 8 s.
///
/// RFC 5626 §4.4.2 would have the default of STUN, 39.5 s, in which nobody can call us. A flow that
/// is silent for 8 s is registered anew, which costs two requests if it was alive.
pub const KEEPALIVE_TIMING: Timing = Timing {
    rto: Duration::from_millis(500),
    transmissions: 4,
    last_wait: Duration::from_millis(4500),
};

/// Keepalives without STUN after which a core that does not answer STUN is asked again, some five
/// minutes apart: it may have been away when it was asked first, and then a NAT that has forgotten us
/// would go unnoticed until the registration is refreshed.
pub const ASK_AGAIN_AFTER: u32 = 10;

/// How often a call reports its quality while it lasts.
pub const MEDIA_REPORT: Duration = Duration::from_secs(1);

/// How long calls may take to end before a phone that was told to stop removes its registrations
/// regardless. In peace it takes a round trip.
pub const HANG_UP_LIMIT: Duration = Duration::from_secs(2);

/// How long a phone that was told to stop waits in all for its BYE and its unregistration to be
/// answered: who pressed Ctrl-C is waiting.
pub const STOP_LIMIT: Duration = Duration::from_secs(4);

/// A call that should be heard and is not, neither by RTP nor by RTCP, is ended after this time: the
/// other side is gone and cannot say so. Long enough for whoever sends nothing while nobody speaks:
/// RTCP comes every five seconds or so (RFC 3550 §6.2).
pub const SILENCE_LIMIT: Duration = Duration::from_secs(60);

/// How long a callee of whom we see devices is looked at before they are asked by a message: a device's
/// capabilities are asked for when its presence comes, and that takes a round trip between the devices.
pub const SEEK_LIMIT: Duration = Duration::from_secs(2);

/// How long it may ring over XMPP, there or here, as long as over SIP (RFC 3261 §16.6 step 11 has three
/// minutes): then the call is given up.
pub const RING_LIMIT: Duration = Duration::from_secs(180);

/// How long a proposal waits for a device that says that it rings (XEP-0353 §3). There may be none that
/// knows of calls, and no server tells. Whoever does not know us rings in silence for as long: about
/// what telephone networks give a callee.
pub const PROPOSE_LIMIT: Duration = Duration::from_secs(30);

/// How long the rest takes once a device went on with a proposal (XEP-0353 §3), for whoever waits: a
/// request, some gathering and the answer of a callee who has answered already.
pub const INITIATE_LIMIT: Duration = Duration::from_secs(30);

/// How long we wait for a session when another device of ours went on with the same proposal: it comes
/// within some round trips and some gathering, or it went there.
pub const CONTEST_LIMIT: Duration = Duration::from_secs(5);

/// How long an account that is logged in waits for the sign that its server passes on to it what comes
/// for it, before it counts as registered without: every server sends a resource its own presence
/// (RFC 6121 §4.2.2), and one that does not still serves.
pub const PRESENCE_LIMIT: Duration = Duration::from_secs(2);

/// Contents with candidates that came before the answer to our offer, a call: they are few, and most
/// peers send none.
pub const MAX_EARLY_CONTENTS: usize = 16;
