//! What is done to rosters: one thing after the other for each account, each kept by the world before
//! anybody is told of it.
//!
//! A task looks at the roster and makes a [`Plan`]; the plan's change is kept; then its effects
//! happen, a task for somebody else's roster among them. The client whose stanza began it all waits
//! until the last of it is done, so that what it sends next does not overtake it.

use jid::{BareJid, Jid, NodePart};
use machine::{Id, Now};

use super::control::Asked;
use super::defaults::TASKS;
use super::roster::{Change, Roster};
use super::subscription::{Half, Verb};
use super::{Answer, Question, Refusal, RosterItem, Server, change, service, subscribe};
use crate::stanza::{Condition, Stanza};
use crate::{Element, ns};

/// Something that needs an account's roster.
#[derive(Debug)]
pub(super) struct Task {
    /// The client whose stanza waits for it.
    origin: Option<Id>,
    work: Work,
    /// What is done when the change is kept.
    plan: Option<Plan>,
}

/// What is to be done.
#[derive(Debug)]
pub(super) enum Work {
    /// A client asks for the roster.
    Roster { iq: Stanza },
    /// A client changes it.
    Change { iq: Stanza, change: Change },
    /// A client has become available.
    Present,
    /// The user's own stanza about a subscription.
    Outbound { verb: Verb, contact: BareJid, stanza: Stanza },
    /// A contact's.
    Inbound { verb: Verb, from: BareJid, stanza: Stanza },
    /// The user asks what another account is. What may be told stands in the user's own roster as in
    /// the other's; that one is not looked at, for it is at hand when somebody is there, and how long
    /// an answer takes would tell so.
    Disco { iq: Stanza },
}

/// What comes of a task.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// What is kept first.
    pub(super) kept: Option<Kept>,
    /// What is done then, in this order.
    pub(super) effects: Vec<Effect>,
    /// Whether nothing is done because the roster is full.
    pub(super) is_full: bool,
}

/// A change of a roster.
#[derive(Debug)]
pub(super) enum Kept {
    Item(Box<RosterItem>),
    Removed(BareJid),
}

/// Something that happens when a change is kept.
#[derive(Debug)]
pub(super) enum Effect {
    /// Clients that have asked for the roster are told of an item (RFC 6121 §2.1.6).
    Push(Element),
    /// The request is answered.
    Answer { iq: Stanza },
    /// The request is answered with an error.
    Refuse { stanza: Box<Stanza>, condition: Condition },
    /// The user's sessions get a stanza.
    Deliver { audience: Audience, stanza: Stanza },
    /// `to` sees that `of` is available.
    Show { of: BareJid, to: BareJid },
    /// `to` sees that `of` is not.
    Hide { of: BareJid, to: BareJid },
    /// Another account has something to do.
    Pass { to: BareJid, work: Box<Work> },
}

/// Which sessions of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    /// Those that are available.
    Available,
    /// Those that have asked for the roster.
    Interested,
}

impl Plan {
    /// Nothing but an error.
    pub(super) fn refuse(stanza: Stanza, condition: Condition) -> Self {
        let stanza = Box::new(stanza);
        Self { effects: vec![Effect::Refuse { stanza, condition }], ..Self::default() }
    }
}

impl Server {
    /// Puts a task at the end of those of an account; `origin` waits until it is done.
    pub(super) fn enqueue(&mut self, user: NodePart, origin: Option<Id>, work: Work) {
        if let Some(origin) = origin {
            self.hold(origin);
        }
        let task = Task { origin, work, plan: None };
        let account = self.accounts.entry(user.clone()).or_default();
        if account.tasks.len() >= TASKS {
            self.stats.refuse(Refusal::Roster);
            return self.fail(&user, task, Condition::ResourceConstraint);
        }
        account.tasks.push_back(task);
        self.ready.push_back(user);
    }

    /// Does the tasks of an account, up to one that waits for the world.
    pub(super) fn work(&mut self, now: Now, user: &NodePart) {
        loop {
            let Some(account) = self.accounts.get_mut(user) else { return };
            if account.asked.is_some() {
                return;
            }
            let Some(task) = account.tasks.pop_front() else { break };
            if account.roster.is_none() {
                account.tasks.push_front(task);
                let question = Question::Roster { user: user.to_string() };
                return self.ask_for(now, user, question);
            }
            self.begin(now, user, task);
        }
        self.drop_if_idle(user);
    }

    /// Asks the world for the first task of an account.
    fn ask_for(&mut self, now: Now, user: &NodePart, question: Question) {
        let id = self.ask(now, question, Asked::Task(user.clone()));
        if let Some(account) = self.accounts.get_mut(user) {
            debug_assert!(account.asked.is_none(), "one question at a time");
            account.asked = Some(id);
        }
    }

    /// Makes the plan of a task and has its change kept; carries it out where there is none.
    fn begin(&mut self, now: Now, user: &NodePart, mut task: Task) {
        let plan = match &task.work {
            Work::Present => {
                if let Some(id) = task.origin {
                    self.present(user, id);
                }
                return self.finish(task.origin);
            }
            Work::Roster { iq } => {
                self.send_roster(user, task.origin, iq);
                return self.finish(task.origin);
            }
            work => {
                let Some(roster) = self.accounts.get(user).and_then(|a| a.roster.as_ref()) else {
                    return self.finish(task.origin);
                };
                self.plan(user, roster, work)
            }
        };
        if plan.is_full {
            self.stats.refuse(Refusal::Roster);
        }
        let name = user.to_string();
        let question = match &plan.kept {
            None => return self.carry_out(user, task.origin, plan.effects),
            Some(Kept::Item(item)) => Question::SaveItem { user: name, item: (**item).clone() },
            Some(Kept::Removed(contact)) => {
                Question::RemoveItem { user: name, contact: contact.clone() }
            }
        };
        task.plan = Some(plan);
        if let Some(account) = self.accounts.get_mut(user) {
            account.tasks.push_front(task);
        }
        self.ask_for(now, user, question);
    }

    fn plan(&self, user: &NodePart, roster: &Roster, work: &Work) -> Plan {
        let (user, limits) = (self.address(user), &self.config.limits);
        match work {
            Work::Change { iq, change } => change::change(&user, roster, limits, change, iq),
            Work::Outbound { verb, contact, stanza } => {
                subscribe::outbound(&user, roster, limits, *verb, contact, stanza)
            }
            Work::Inbound { verb, from, stanza } => {
                subscribe::inbound(&user, roster, limits, *verb, from, stanza)
            }
            Work::Disco { iq } => {
                let account = iq.to().map(Jid::to_bare);
                let sees = account.is_some_and(|account| roster.state(&account).to == Half::Yes);
                match service::account_disco(iq) {
                    Ok(_) if sees => {
                        let effects = vec![Effect::Answer { iq: iq.clone() }];
                        Plan { effects, ..Plan::default() }
                    }
                    Err(condition) if sees => Plan::refuse(iq.clone(), condition),
                    _ => Plan::refuse(iq.clone(), Condition::ServiceUnavailable),
                }
            }
            Work::Present | Work::Roster { .. } => Plan::default(),
        }
    }

    /// The world has answered the question of an account's first task.
    pub(super) fn task_answered(&mut self, user: &NodePart, answer: Answer) {
        let Some(account) = self.accounts.get_mut(user) else { return };
        account.asked = None;
        self.ready.push_back(user.clone());
        if let Answer::Roster(Some(items)) = answer {
            account.roster = Some(Roster::new(items));
            return;
        }
        let Some(mut task) = account.tasks.pop_front() else { return };
        match (answer, task.plan.take(), &mut account.roster) {
            (Answer::Saved(true), Some(plan), Some(roster)) => {
                match plan.kept {
                    Some(Kept::Item(item)) => roster.keep(*item),
                    Some(Kept::Removed(contact)) => roster.remove(&contact),
                    None => {}
                }
                self.carry_out(user, task.origin, plan.effects);
            }
            (Answer::Roster(None), ..) => self.fail(user, task, Condition::ItemNotFound),
            _ => {
                self.stats.refuse(Refusal::World);
                self.fail(user, task, Condition::InternalServerError);
            }
        }
    }

    /// A task cannot be done: there is no such account, the world cannot say or keep, or too much
    /// waits.
    fn fail(&mut self, user: &NodePart, task: Task, why: Condition) {
        let Some(id) = task.origin else { return };
        match &task.work {
            Work::Roster { iq: stanza }
            | Work::Change { iq: stanza, .. }
            | Work::Outbound { stanza, .. } => self.answer_error(id, stanza, &why.into()),
            // Without a roster there are still the user's own sessions.
            Work::Present => self.present(user, id),
            //= RFC 6121 §8.5.1: a request for an account that does not exist is
            //= service-unavailable, as for one that does not tell
            Work::Disco { iq } => self.bounce(id, iq, Condition::ServiceUnavailable),
            //= RFC 6121 §8.5.1: presence for it is dropped
            Work::Inbound { .. } if why == Condition::ItemNotFound => {
                self.stats.refuse(Refusal::Undeliverable);
            }
            Work::Inbound { from, stanza, .. } => self.tell_half(id, from, stanza, why),
        }
        self.finish(task.origin);
    }

    /// Half of a change of two rosters is kept, and the other half cannot be: they do not agree, and
    /// the user who began it is told so, in the contact's name. Doing it again mends it, and so does
    /// the next login ([`revoke`](Self::revoke)); nobody sees more meanwhile, for who sees a presence is
    /// what the roster of its owner says.
    fn tell_half(&mut self, id: Id, from: &BareJid, stanza: &Stanza, why: Condition) {
        let user = self.conns.get(&id).and_then(|conn| conn.jid.as_ref()).map(|jid| jid.to_bare());
        let mut error = stanza.error(&why.into());
        // What the contact's side said in answer is the user's own half.
        if user.as_ref() != Some(from) {
            let (user, contact) = (error.from().cloned(), error.to().cloned());
            user.into_iter().for_each(|user| error.set_to(user));
            contact.into_iter().for_each(|contact| error.set_from(contact));
        }
        self.deliver_all(&[id], error.element());
    }

    /// A task is done.
    fn finish(&mut self, origin: Option<Id>) {
        if let Some(origin) = origin {
            self.release(origin);
        }
    }

    fn carry_out(&mut self, user: &NodePart, origin: Option<Id>, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Push(item) => self.push_item(user, item),
                Effect::Answer { iq } => {
                    let payload = service::is_disco(&iq).then(|| service::account_disco(&iq).ok());
                    if let Some(origin) = origin {
                        self.answer(origin, &iq, Ok(payload.flatten()));
                    }
                }
                Effect::Refuse { stanza, condition } => {
                    if condition == Condition::ResourceConstraint {
                        self.stats.refuse(Refusal::Roster);
                    }
                    if let Some(origin) = origin {
                        self.bounce(origin, &stanza, condition);
                    }
                }
                Effect::Deliver { audience, stanza } => {
                    let Some(account) = self.accounts.get(user) else { continue };
                    let conns = match audience {
                        Audience::Available => account.available_conns(),
                        Audience::Interested => account.interested_conns(),
                    };
                    self.deliver_all(&conns, stanza.element());
                }
                Effect::Show { of, to } => self.show(&of, &to),
                Effect::Hide { of, to } => self.hide(&of, &to),
                Effect::Pass { to, work } => {
                    if let Some(node) = self.local(&to).map(ToOwned::to_owned) {
                        self.enqueue(node, origin, *work);
                    }
                }
            }
        }
        self.finish(origin);
    }

    /// Sends the roster to a session, which is told of its changes from now on.
    fn send_roster(&mut self, user: &NodePart, origin: Option<Id>, iq: &Stanza) {
        let Some(id) = origin else { return };
        let Some(jid) = self.conns.get(&id).and_then(|conn| conn.jid.clone()) else { return };
        let Some(account) = self.accounts.get_mut(user) else { return };
        let Some(roster) = &account.roster else { return };
        let result = iq.result(roster.element());
        if let Some(session) = account.sessions.get_mut(jid.resource()) {
            session.interested = true;
        }
        self.deliver_all(&[id], result.element());
    }

    /// Tells the sessions that have asked for the roster of an item.
    //= RFC 6121 §2.1.6: a push is a request of the server's to each of them, with an id of its own
    fn push_item(&mut self, user: &NodePart, item: Element) {
        let Some(account) = self.accounts.get(user) else { return };
        let me = self.address(user);
        let interested: Vec<(Id, Jid)> = account
            .sessions
            .iter()
            .filter(|(_, session)| session.interested)
            .map(|(resource, session)| (session.conn, me.with_resource(resource).into()))
            .collect();
        if interested.is_empty() {
            return;
        }
        let query = Element::builder("query", ns::ROSTER).append(item).build();
        let id = format!("push-{}", self.entropy.token(8));
        let mut push = Stanza::iq_set(None, &id, query);
        push.set_from(Jid::from(me));
        let mut copies = super::copies::Copies::new(&push);
        for (conn, to) in interested {
            self.deliver(conn, copies.to(&to));
        }
    }
}
