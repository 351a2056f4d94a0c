//! Who controls, and what happens when both sides do (RFC 8445 §6.1.1, §7.3.1.1).

use stun::Message;

use super::Agent;
use crate::explain::Role;

impl Role {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Controlling => Self::Controlled,
            Self::Controlled => Self::Controlling,
        }
    }
}

impl Agent {
    /// Sets the role, as signalling says it. A lite remote makes us control whatever it says.
    pub fn set_role(&mut self, role: Role) {
        let lite = self.remote.as_ref().is_some_and(|remote| remote.lite);
        if !lite && role != self.role {
            self.role_switches = self.role_switches.saturating_sub(1);
            self.switch_role(role);
        }
    }

    /// Takes the other role.
    ///
    //= RFC 8445 §7.3.1.1: a switch of roles computes the priorities of all pairs anew.
    pub(super) fn switch_role(&mut self, role: Role) {
        if role == self.role {
            return;
        }
        self.role = role;
        self.role_switches += 1;
        for pair in self.checklists.pairs_mut() {
            pair.nominated = false;
        }
        for stream in &mut self.streams {
            for component in 1..=stream.components {
                if let Some(component) = stream.component_mut(component) {
                    component.nominating = None;
                }
            }
        }
        self.reprice_pairs(|_| true);
    }

    /// Settles a conflict that a check shows. Says whether the check is to be refused with 487.
    ///
    //= RFC 8445 §7.3.1.1: with the same role on both sides, the larger tie-breaker controls.
    pub(super) fn settle_conflict(&mut self, message: &Message<'_>) -> bool {
        let (theirs, tie_breaker) = match (message.ice_controlling(), message.ice_controlled()) {
            (Some(tie_breaker), _) => (Role::Controlling, tie_breaker),
            (None, Some(tie_breaker)) => (Role::Controlled, tie_breaker),
            (None, None) => return false,
        };
        if theirs != self.role {
            return false;
        }
        let larger = self.tie_breaker >= tie_breaker;
        let stays = match self.role {
            Role::Controlling => larger,
            Role::Controlled => !larger,
        };
        if !stays {
            self.switch_role(self.role.other());
        }
        stays
    }
}
