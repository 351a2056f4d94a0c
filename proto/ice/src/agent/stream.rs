//! What is known of one stream.

use std::collections::BTreeSet;
use std::time::Duration;

use machine::Instant;

use crate::explain::Ignored;
use crate::pair::PairId;
use crate::{Candidate, Origin};

/// One stream of a session.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    pub(super) components: u16,
    /// Ours, in the order of discovery; indices are stable.
    pub(super) local: Vec<Candidate>,
    /// Ours that are no more, by index.
    pub(super) withdrawn: BTreeSet<usize>,
    /// Theirs, in the order of arrival; indices are stable until a restart.
    pub(super) remote: Vec<Candidate>,
    /// Theirs that are not used.
    pub(super) ignored: Vec<(Candidate, Ignored)>,
    /// The components, of which the first is number 1.
    states: Vec<Component>,
}

/// How far one component has come.
#[derive(Clone, Debug, Default)]
pub(super) struct Component {
    /// The chosen pair.
    pub(super) selected: Option<PairId>,
    /// Controlling: the pair whose nomination is on its way, and since when.
    pub(super) nominating: Option<(PairId, Instant)>,
    /// The way from before a restart.
    pub(super) previous: Option<Way>,
    /// When the first pair was found to work.
    pub(super) valid_since: Option<Instant>,
    /// Whether the owner knows that there is a way.
    pub(super) writable: bool,
    /// When something was last sent on the way.
    pub(super) last_sent: Instant,
}

/// A way for data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// Our candidate as the other side sees it; packets leave from its base.
    pub local: Candidate,
    /// The other side's candidate.
    pub remote: Candidate,
    /// Whether it was chosen, or just works.
    pub selected: bool,
    /// Round-trip time of the check that proved it.
    pub rtt: Option<Duration>,
}

impl Stream {
    pub(super) fn new(components: u16) -> Self {
        Self {
            components,
            local: Vec::new(),
            withdrawn: BTreeSet::new(),
            remote: Vec::new(),
            ignored: Vec::new(),
            states: vec![Component::default(); usize::from(components)],
        }
    }

    /// The state of component number `component`.
    pub(super) fn component(&self, component: u16) -> Option<&Component> {
        self.states.get(usize::from(component).checked_sub(1)?)
    }

    /// The state of component number `component`, to change.
    pub(super) fn component_mut(&mut self, component: u16) -> Option<&mut Component> {
        self.states.get_mut(usize::from(component).checked_sub(1)?)
    }

    /// The candidates of ours that the other side is told.
    pub(super) fn told(&self) -> impl Iterator<Item = &Candidate> {
        self.local
            .iter()
            .enumerate()
            .filter(|(index, _)| !self.withdrawn.contains(index))
            .map(|(_, candidate)| candidate)
            .filter(|candidate| candidate.component <= self.components)
            .filter(|candidate| candidate.origin != Origin::Check)
    }

    /// Drops the components after the first `components`.
    pub(super) fn keep(&mut self, components: u16) {
        self.components = components;
        self.states.truncate(usize::from(components));
    }

    /// Forgets what the other side told.
    pub(super) fn forget_remote(&mut self) {
        self.remote.clear();
        self.ignored.clear();
        for component in &mut self.states {
            component.selected = None;
            component.nominating = None;
            component.valid_since = None;
        }
    }
}
