//! How many calls there may be: the owner's, and those that somebody brings.

use xmpp::Jid;

use crate::defaults::MAX_CALLS_OF_ONE;
use crate::phone::Phone;
use crate::signalling::jingle::Leg;

impl Phone {
    /// Whether the owner has as many calls as are allowed. What only rings does not count: strangers
    /// bring that, and are not to keep the owner from calling anybody.
    pub(crate) fn is_full(&self) -> bool {
        let taken = self.sessions.values().filter(|session| !session.is_ringing_here()).count();
        let awaited = self.invitations.values().filter(|known| known.is_wanted()).count();
        taken + awaited >= self.config.max_calls
    }

    /// Whether one more call may come, from whomever.
    pub(crate) fn has_room(&self) -> bool {
        self.sessions.len() + self.invitations.len() < self.config.max_calls
    }

    /// Whether one more call may come from somebody, of whose devices and calls all count as one's.
    pub(crate) fn has_room_for(&self, account: usize, who: &Jid) -> bool {
        let person = who.to_bare();
        let came = |leg: &Leg| {
            let device = leg.device().filter(|_| leg.is_called() && leg.account == account);
            device.is_some_and(|device| device.to_bare() == person)
        };
        let invitations = self.invitations.values().filter(|known| {
            let of_account = known.account == account && known.is_open();
            of_account && known.proposal.peer().to_bare() == person
        });
        let of_one = self.calls_whose(came).len() + invitations.count();
        of_one < MAX_CALLS_OF_ONE && self.has_room()
    }
}
