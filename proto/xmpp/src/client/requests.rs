//! Requests that wait for their answers (RFC 6120 §8.2.3).

use std::collections::BTreeMap;

use super::caps::Ver;
use super::defaults::MAX_REQUESTS;
use super::event::RequestId;
use crate::{FullJid, Jid, Stanza};

/// What a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The owner's.
    Owner(RequestId),
    /// The whole roster.
    Roster,
    /// Whether the server is there.
    Ping,
    /// What a resource can do.
    Caps(FullJid, Ver),
}

#[derive(Debug)]
struct Waiting {
    to: Option<Jid>,
    purpose: Purpose,
}

/// All of them, by the id of the stanza.
#[derive(Debug, Default)]
pub(super) struct Requests {
    waiting: BTreeMap<String, Waiting>,
}

impl Requests {
    /// Whether there is room for another.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= MAX_REQUESTS
    }

    pub(super) fn insert(&mut self, id: String, to: Option<Jid>, purpose: Purpose) {
        self.waiting.insert(id, Waiting { to, purpose });
    }

    /// Takes the request that a stanza answers; nothing for one that nobody waits for, or that
    /// somebody else sent than whom it went to.
    ///
    //= RFC 6120 §8.1.3: an id alone does not make an answer, whoever guesses it is not who was asked.
    pub(super) fn answered(&mut self, answer: &Stanza, me: &FullJid) -> Option<(String, Purpose)> {
        let id = answer.id()?;
        let waiting = self.waiting.get(id)?;
        let account = me.to_bare();
        let is_ours = |jid: &Jid| *jid == *me || *jid == account;
        //= RFC 6120 §8.1.2.1: without a `from`, or with our own address, it is from our account.
        let matches = match (&waiting.to, answer.from()) {
            (Some(to), Some(from)) => to == from || (is_ours(to) && is_ours(from)),
            (Some(to), None) => is_ours(to),
            (None, Some(from)) => is_ours(from),
            (None, None) => true,
        };
        if !matches {
            return None;
        }
        let id = id.to_owned();
        let purpose = self.waiting.remove(&id)?.purpose;
        Some((id, purpose))
    }

    /// Takes a request whose time is up.
    pub(super) fn expire(&mut self, id: &str) -> Option<Purpose> {
        self.waiting.remove(id).map(|waiting| waiting.purpose)
    }

    /// Whether one of this purpose waits.
    pub(super) fn any(&self, purpose: impl Fn(&Purpose) -> bool) -> bool {
        self.count(purpose) > 0
    }

    pub(super) fn count(&self, purpose: impl Fn(&Purpose) -> bool) -> usize {
        self.waiting.values().filter(|waiting| purpose(&waiting.purpose)).count()
    }

    /// Takes all of them: the connection is gone.
    pub(super) fn take(&mut self) -> Vec<Purpose> {
        std::mem::take(&mut self.waiting).into_values().map(|waiting| waiting.purpose).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Purpose, Requests};
    use crate::client::defaults::MAX_REQUESTS;
    use crate::{Element, FullJid, Jid, Stanza, ns};

    fn jid(text: &str) -> Jid {
        Jid::new(text).unwrap()
    }

    fn result(from: Option<&str>, id: &str) -> Stanza {
        let ping = Element::bare("ping", ns::PING);
        let mut result = Stanza::iq_get(None, id, ping).result(None);
        result.set_from(from.map(jid));
        result
    }

    #[test]
    fn the_id_and_the_sender_have_to_fit() {
        let me = FullJid::new("me@here.org/desk").unwrap();
        let answers = |to: Option<&str>, from: Option<&str>| {
            let mut requests = Requests::default();
            requests.insert("id".to_owned(), to.map(jid), Purpose::Ping);
            assert_eq!(requests.answered(&result(from, "other"), &me), None);
            requests.answered(&result(from, "id"), &me).is_some()
        };
        let ours = [None, Some("me@here.org"), Some("me@here.org/desk")];
        for to in ours {
            assert!(ours.into_iter().all(|from| answers(to, from)), "{to:?}");
            for stranger in ["here.org", "me@here.org/laptop", "you@here.org"] {
                assert!(!answers(to, Some(stranger)), "{to:?} {stranger}");
            }
        }
        assert!(answers(Some("you@there.org/x"), Some("you@there.org/x")));
        for from in [None, Some("you@there.org"), Some("you@there.org/y"), Some("me@here.org")] {
            assert!(!answers(Some("you@there.org/x"), from), "{from:?}");
        }
    }

    #[test]
    fn an_answer_counts_once_and_there_is_a_limit() {
        let me = FullJid::new("me@here.org/desk").unwrap();
        let mut requests = Requests::default();
        for n in 0..MAX_REQUESTS {
            assert!(!requests.is_full());
            requests.insert(n.to_string(), None, Purpose::Ping);
        }
        assert!(requests.is_full());
        assert!(requests.answered(&result(None, "7"), &me).is_some());
        assert!(requests.answered(&result(None, "7"), &me).is_none());
        assert_eq!(requests.take().len(), MAX_REQUESTS - 1);
    }
}
