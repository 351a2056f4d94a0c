//! Which messages the core is known to have: it takes things in their order, and answers a ping after
//! what came before it (RFC 6120 §10.1, XEP-0199).

use std::collections::VecDeque;

use super::printed::one_line;

/// How many messages are known by name: more than a core may leave without an answer to a ping, as fast
/// as lines are sent.
const REMEMBERED: usize = 4096;

/// How much of a message names it.
const HEAD: usize = 40;

/// How many are named at the end.
const NAMED: usize = 5;

/// What was sent, and what became of it.
#[derive(Debug, Default)]
pub struct Receipts {
    /// The latest.
    sent: VecDeque<Sent>,
    /// How many were sent.
    count: usize,
    /// How many of them the core has, or has not and nobody will know.
    settled: usize,
    /// How many the ping under way will speak for.
    asked: Option<usize>,
    /// Those that came back.
    failed: Named,
    /// Those of which nobody will know.
    lost: Named,
}

#[derive(Debug)]
struct Sent {
    id: String,
    /// From 1.
    number: usize,
    head: String,
    failed: bool,
}

/// Messages, as people are told of them.
#[derive(Debug, Default)]
struct Named {
    count: usize,
    /// The first of them.
    names: Vec<String>,
}

impl Receipts {
    /// A message was sent.
    pub fn sent(&mut self, id: &str, text: &str) {
        self.count += 1;
        if self.sent.len() == REMEMBERED {
            self.sent.pop_front();
        }
        self.sent.push_back(Sent {
            id: id.to_owned(),
            number: self.count,
            head: head(text),
            failed: false,
        });
    }

    /// Whether the core should be asked.
    pub const fn is_due(&self) -> bool {
        self.asked.is_none() && self.settled < self.count
    }

    /// Whether nothing more will be known.
    pub const fn is_settled(&self) -> bool {
        self.settled == self.count
    }

    /// Whether a ping is under way.
    pub const fn is_asked(&self) -> bool {
        self.asked.is_some()
    }

    /// A ping goes out.
    pub const fn ask(&mut self) {
        self.asked = Some(self.count);
    }

    /// It was answered.
    pub const fn answered(&mut self) {
        if let Some(asked) = self.asked.take() {
            self.settled = asked;
        }
    }

    /// The stream is gone, or a ping was not answered: the messages that this leaves in doubt, by name.
    pub fn lose(&mut self) -> Vec<(String, String)> {
        let doubtful = |sent: &&Sent| sent.number > self.settled && !sent.failed;
        let doubtful = self.sent.iter().filter(doubtful);
        let lost: Vec<_> = doubtful.map(|sent| (sent.id.clone(), sent.name())).collect();
        (self.settled, self.asked) = (self.count, None);
        lost.iter().for_each(|(_, name)| self.lost.add(name));
        lost
    }

    /// A message came back; its name, if it is one of ours.
    pub fn fail(&mut self, id: &str) -> Option<String> {
        let sent = self.sent.iter_mut().find(|sent| sent.id == id && !sent.failed)?;
        sent.failed = true;
        let name = sent.name();
        self.failed.add(&name);
        Some(name)
    }

    /// Those that came back: how many of how many, and which.
    pub fn failures(&self) -> Option<String> {
        self.failed.words(self.count)
    }

    /// The same of those that the core may not have.
    pub fn losses(&self) -> Option<String> {
        self.lost.words(self.count)
    }
}

impl Sent {
    fn name(&self) -> String {
        format!("message {} (\u{201c}{}\u{201d})", self.number, self.head)
    }
}

impl Named {
    fn add(&mut self, name: &str) {
        self.count += 1;
        if self.names.len() < NAMED {
            self.names.push(name.to_owned());
        }
    }

    /// In a sentence with one hole: what became of them.
    fn words(&self, of: usize) -> Option<String> {
        let Self { count, names } = self;
        let more = match count - names.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        (*count > 0).then(|| format!("{count} of {of}: {}{more}", names.join(", ")))
    }
}

/// The beginning of a message.
fn head(text: &str) -> String {
    let text = one_line(text);
    if text.chars().count() <= HEAD {
        return text;
    }
    text.chars().take(HEAD - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::{HEAD, NAMED, REMEMBERED, Receipts, head};

    fn ids(n: usize) -> Vec<String> {
        (0..n).map(|n| format!("m{n}")).collect()
    }

    #[test]
    fn what_the_core_has_is_what_it_answered_for() {
        let ids = ids(3);
        let mut receipts = Receipts::default();
        ids[..2].iter().for_each(|id| receipts.sent(id, "hello"));
        assert!(receipts.is_due());
        receipts.ask();
        receipts.sent(&ids[2], "hello");
        assert!(!receipts.is_due() && !receipts.is_settled());
        receipts.answered();
        assert!(receipts.is_due() && !receipts.is_settled());
        // The stream goes.
        receipts.ask();
        let lost = receipts.lose();
        assert_eq!(lost, [(ids[2].clone(), "message 3 (“hello”)".to_owned())]);
        assert!(receipts.is_settled());
        // The answer to a ping of another stream says nothing.
        receipts.answered();
        assert!(receipts.is_settled() && receipts.lose().is_empty());
        assert_eq!(receipts.losses().unwrap(), "1 of 3: message 3 (“hello”)");
        assert_eq!(receipts.failures(), None);
    }

    #[test]
    fn what_came_back_is_named_once_and_is_not_lost() {
        let ids = ids(2);
        let mut receipts = Receipts::default();
        receipts.sent(&ids[0], "one");
        assert_eq!(receipts.fail(&ids[0]).unwrap(), "message 1 (“one”)");
        assert_eq!((receipts.fail(&ids[0]), receipts.fail(&ids[1])), (None, None));
        assert!(receipts.lose().is_empty());
        assert_eq!(receipts.failures().unwrap(), "1 of 1: message 1 (“one”)");
    }

    #[test]
    fn only_the_latest_are_remembered_and_only_the_first_are_named() {
        let ids = ids(REMEMBERED + 1);
        let mut receipts = Receipts::default();
        ids.iter().for_each(|id| receipts.sent(id, "x"));
        assert_eq!(receipts.fail(&ids[0]), None);
        assert!(receipts.fail(&ids[1]).is_some());
        assert_eq!(receipts.lose().len(), REMEMBERED - 1);
        let words = receipts.losses().unwrap();
        assert!(words.ends_with(&format!("and {} more", REMEMBERED - 1 - NAMED)), "{words}");
    }

    #[test]
    fn a_long_message_is_named_by_its_beginning() {
        assert_eq!(head(&"x".repeat(HEAD)), "x".repeat(HEAD));
        assert_eq!(head(&"x".repeat(HEAD + 1)), format!("{}…", "x".repeat(HEAD - 1)));
        assert_eq!(head("a\tb\u{1b}"), "a b\u{fffd}");
    }
}
