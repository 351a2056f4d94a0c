//! What a call's session says of its media, and reads: descriptions whole, and what changes of them.

use call::map::jingle as map;
use call::{Call, Description};
use connect::Candidate;
use xmpp::jingle::{self as wire, Condition, Content, State};

use super::{Leg, Stage, without_ice};
use crate::defaults::MAX_EARLY_CONTENTS;
use crate::signalling::Context;

impl Leg {
    /// Carries a description to the other side. Whether that answers the call.
    pub(crate) fn say(
        &mut self,
        context: &mut Context<'_>,
        call: &mut Call,
        description: &Description,
    ) -> bool {
        let Stage::Open(open) = &mut self.stage else {
            // An offer waits for the device that it is for.
            self.initiate(context, call);
            return false;
        };
        if open.session.role() == wire::Creator::Responder && open.session.state() == State::Pending
        {
            let (contents, _) = self.map.write(description);
            let Ok(accept) = open.session.accept(contents, Vec::new()) else { return false };
            self.deadline = None;
            self.send(context, accept);
            return true;
        }
        self.say_change(context, call, description);
        false
    }

    /// Carries a later offer: new transports, or a hold.
    fn say_change(&mut self, context: &mut Context<'_>, call: &mut Call, ours: &Description) {
        let Stage::Open(open) = &mut self.stage else { return };
        if !open.raw && self.map.replaces(ours) {
            let (contents, _) = self.map.write_transports(ours);
            if let Ok(replace) = open.session.replace_transport(contents) {
                self.send(context, replace);
            }
            return;
        }
        let info = map::Session::info(ours);
        let held = info == wire::Info::Hold;
        if std::mem::replace(&mut open.held, held) != held
            && let Ok(step) = open.session.info(Some(info))
        {
            self.send(context, step);
        }
        // Nobody answers a hold; it holds at once.
        if let Some(theirs) = self.map.theirs().cloned() {
            let _ = call.handle_answer(context.now, context.connect, theirs);
        }
    }

    /// Carries candidates of ours that were found later.
    pub(crate) fn say_candidates(
        &mut self,
        context: &mut Context<'_>,
        call: &mut Call,
        index: usize,
        candidates: &[Candidate],
        complete: bool,
    ) {
        let Stage::Open(open) = &self.stage else {
            // What is not begun yet begins with all that is known by then.
            self.initiate(context, call);
            return;
        };
        let (contents, _) = self.map.write_candidates(index, candidates, complete);
        if !contents.is_empty()
            && let Ok(step) = open.session.transport_info(contents)
        {
            self.send(context, step);
        }
    }

    /// Reads the answer to our offer; with what came before it.
    pub(crate) fn read_answer(
        &mut self,
        contents: &[Content],
        groups: &[wire::Group],
    ) -> (Description, Vec<Content>) {
        self.deadline = None;
        let (theirs, _) = self.map.read(contents, groups);
        let early = self.open_mut().map(|open| std::mem::take(&mut open.early));
        (theirs, early.unwrap_or_default())
    }

    /// Reads candidates that came later.
    pub(crate) fn read_candidates(&mut self, contents: Vec<Content>) -> Vec<map::Trickled> {
        if self.map.theirs().is_some() {
            return self.map.read_candidates(&contents).0;
        }
        if let Some(open) = self.open_mut() {
            let room = MAX_EARLY_CONTENTS.saturating_sub(open.early.len());
            open.early.extend(contents.into_iter().take(room));
        }
        Vec::new()
    }

    /// Reads a change: what the other side's description is now; `None` if it says nothing new.
    pub(crate) fn read_change(&mut self, event: &wire::Event) -> Option<Description> {
        match event {
            wire::Event::Info(info) => self.map.read_info(info),
            wire::Event::Modified(contents) => self.map.read_senders(contents),
            wire::Event::Removed(contents) => self.map.read_removed(contents),
            wire::Event::TransportOffered(contents) | wire::Event::TransportAccepted(contents) => {
                self.map.read_transports(contents).map(|(theirs, _)| theirs)
            }
            _ => None,
        }
    }

    /// Answers new transports of the other side's, with ours or not at all.
    pub(crate) fn answer_transports(
        &mut self,
        context: &mut Context<'_>,
        ours: Option<Description>,
        offered: &[Content],
    ) {
        let Stage::Open(open) = &mut self.stage else { return };
        let ours = ours.map(|ours| if open.raw { without_ice(ours) } else { ours });
        if let Some(ours) = ours {
            let accept = open.session.accept_transport(self.map.write_transports(&ours).0);
            if let Ok(accept) = accept {
                self.send(context, accept);
            }
        } else {
            let reason = Condition::FailedTransport.into();
            if let Ok(reject) = open.session.reject_transport(offered, reason) {
                self.tell(context, &reject);
            }
        }
    }
}
