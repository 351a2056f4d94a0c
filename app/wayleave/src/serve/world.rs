//! The world around the core: its store answers, its owner hears.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;

use anyhow::Context as _;
use crypto::scram::Hash;
use crypto::to_hex;
use machine::{Endpoint, Instant, Machine, Now, Redacted};
use runtime::World;
use server::{Answer, Event, Keys, Question, SavedAddress, ScramKey, ScramKeys};
use store::{Address, Binding, DigestAlgorithm, Store, UserForm};
use tokio::sync::{mpsc, oneshot};
use udp::Plane;

use super::defaults::{EVENTS_MAX, QUESTIONS_MAX};
use super::rosters;

/// Questions that are answered together at most, what there is to keep in one transaction.
const BATCH_MAX: usize = 256;

/// About what a binding takes in the form that it is kept in.
const BINDING_BYTES: usize = 512;

/// Hears the core's events, and has its questions answered out of the store.
pub struct Owner {
    events: mpsc::Sender<Event>,
    questions: mpsc::Sender<Asked>,
    dropped: Arc<Dropped>,
    plane: Option<Plane>,
    /// The number of each relayed address that is somebody's, and since when, while that is logged.
    since: HashMap<Endpoint, (u64, Instant)>,
    /// How many were given out while that was logged.
    given_out: u64,
}

type Asked = (Question, oneshot::Sender<Answer>);

/// What found its queue full.
#[derive(Debug, Default)]
struct Dropped {
    events: AtomicU64,
    questions: AtomicU64,
}

/// Looks at the queues between the core and the world around it; keeps nothing alive.
#[derive(Clone, Debug)]
pub struct Queues {
    events: mpsc::WeakSender<Event>,
    questions: mpsc::WeakSender<Asked>,
    dropped: Arc<Dropped>,
}

/// One queue: its name, how many wait in it, and how many found it full.
pub type Queue = (&'static str, u64, u64);

impl Queues {
    /// Every queue.
    pub fn all(&self) -> [Queue; 2] {
        let Dropped { events, questions } = &*self.dropped;
        [
            ("events", waiting(&self.events), events.load(Relaxed)),
            ("questions", waiting(&self.questions), questions.load(Relaxed)),
        ]
    }
}

fn waiting<T>(sender: &mpsc::WeakSender<T>) -> u64 {
    sender.upgrade().map_or(0, |sender| (sender.max_capacity() - sender.capacity()) as u64)
}

impl Owner {
    /// The owner, and where the events come out. The store has a thread of its own, because it
    /// waits for the disk. What changes in who relays to whom is told to `plane`.
    pub fn new(
        store: Store,
        plane: Option<Plane>,
    ) -> anyhow::Result<(Self, mpsc::Receiver<Event>)> {
        let (events, heard) = mpsc::channel(EVENTS_MAX);
        let (questions, asked) = mpsc::channel(QUESTIONS_MAX);
        let clerk = move || answer_all(&store, asked);
        thread::Builder::new()
            .name("store".to_owned())
            .spawn(clerk)
            .context("cannot start a thread for the store")?;
        let (dropped, since) = (Arc::default(), HashMap::new());
        Ok((Self { events, questions, dropped, plane, since, given_out: 0 }, heard))
    }

    /// Looks at the queues.
    pub fn queues(&self) -> Queues {
        Queues {
            events: self.events.downgrade(),
            questions: self.questions.downgrade(),
            dropped: Arc::clone(&self.dropped),
        }
    }

    /// Logs who relays since when, and for how long. Thousands a second may come and go: nobody is
    /// told of them but the log, and that only where it listens.
    fn log_relaying(&mut self, now: Now, event: &Event) {
        if !tracing::enabled!(tracing::Level::INFO) {
            self.since.clear();
            return;
        }
        match event {
            Event::Allocated { user, transport, client, relayed } => {
                self.given_out += 1;
                let number = self.given_out;
                let user_shown = Redacted(user);
                tracing::info!(number, user = %user_shown, ?transport, "a relayed address is given out");
                tracing::debug!(number, %user, %client, %relayed, "a relayed address is given out");
                self.since.insert(*relayed, (number, now.mono));
            }
            Event::Released { user, client, relayed, cause } => {
                let since = self.since.remove(relayed);
                let number = since.map(|(number, _)| number);
                let secs = since.map(|(_, since)| now.mono.saturating_since(since).as_secs());
                let user_shown = Redacted(user);
                tracing::info!(number, user = %user_shown, ?cause, secs, "a relayed address is given back");
                tracing::debug!(number, %user, %client, %relayed, "a relayed address is given back");
            }
            _ => {}
        }
    }
}

impl<M> World<M> for Owner
where
    M: Machine<Event = Event, Question = Question, Answer = Answer>,
{
    fn event(&mut self, now: Now, event: Event) {
        match event {
            Event::Relay(change) => {
                if let Some(plane) = &self.plane {
                    plane.apply(change);
                }
            }
            Event::Allocated { .. } | Event::Released { .. } => self.log_relaying(now, &event),
            // Nobody listens any more while the core stops.
            event => match self.events.try_send(event) {
                Err(mpsc::error::TrySendError::Full(_)) => {
                    self.dropped.events.fetch_add(1, Relaxed);
                }
                Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => {}
            },
        }
    }

    fn answer(&mut self, question: Question) -> impl Future<Output = Answer> + Send + 'static {
        let otherwise = refusal(&question);
        let (reply, answer) = oneshot::channel();
        // A store that died, or that cannot keep up, answers as one that fails does.
        if let Err(mpsc::error::TrySendError::Full(_)) = self.questions.try_send((question, reply))
        {
            self.dropped.questions.fetch_add(1, Relaxed);
        }
        async move { answer.await.unwrap_or(otherwise) }
    }
}

/// What is answered when the store fails: nobody is let in, refused or promised anything.
const fn refusal(question: &Question) -> Answer {
    match question {
        Question::Credentials { .. }
        | Question::HashedCredentials { .. }
        | Question::ScramCredentials { .. }
        | Question::Roster { .. } => Answer::Failed,
        Question::LoadBindings => Answer::Bindings(Vec::new()),
        Question::SaveBindings(_)
        | Question::SaveContact { .. }
        | Question::RemoveContact { .. } => Answer::Saved(false),
    }
}

/// Answers until nobody asks any more.
fn answer_all(store: &Store, mut asked: mpsc::Receiver<Asked>) {
    let mut batch = Vec::new();
    while asked.blocking_recv_many(&mut batch, BATCH_MAX) > 0 {
        let (questions, replies): (Vec<_>, Vec<_>) = batch.drain(..).unzip();
        for (answer, reply) in answers(store, &questions).into_iter().zip(replies) {
            // Who asked may have stopped.
            let _ = reply.send(answer);
        }
    }
}

/// The answers to `questions`, in their order. What is to be kept is kept first, all at once, but never
/// before a roster that was asked for is read.
pub fn answers(store: &Store, questions: &[Question]) -> Vec<Answer> {
    let mut answers = Vec::with_capacity(questions.len());
    for run in rosters::runs(questions) {
        answers.extend(answers_at_once(store, run));
    }
    answers
}

fn answers_at_once(store: &Store, questions: &[Question]) -> Vec<Answer> {
    let kept = checked(save(store, questions)).is_some();
    let mut contacts = checked(rosters::save(store, questions)).unwrap_or_default().into_iter();
    let mut answer = |question: &Question| {
        let otherwise = refusal(question);
        let answered = match question {
            Question::SaveBindings(_) => Ok(Answer::Saved(kept)),
            Question::SaveContact { .. } | Question::RemoveContact { .. } => {
                Ok(Answer::Saved(contacts.next().unwrap_or(false)))
            }
            Question::Roster { address } => rosters::load(store, address).map(Answer::Roster),
            Question::ScramCredentials { address } => {
                scram_credentials(store, address).map(Answer::ScramCredentials)
            }
            Question::LoadBindings => load(store).map(Answer::Bindings),
            Question::Credentials { user, realm } => {
                credentials(store, user, realm).map(Answer::Credentials)
            }
            Question::HashedCredentials { hash, realm } => {
                hidden_credentials(store, hash, realm).map(Answer::Credentials)
            }
        };
        checked(answered).unwrap_or(otherwise)
    };
    questions.iter().map(&mut answer).collect()
}

fn checked<T>(result: anyhow::Result<T>) -> Option<T> {
    result.inspect_err(|error| tracing::error!(%error, "the store does not answer")).ok()
}

/// The keys of `user`, who gives the local part alone or the whole address as the name. The keys
/// are of that very name: another spelling has none.
fn credentials(store: &Store, user: &str, realm: &str) -> anyhow::Result<Option<Keys>> {
    let (form, address) = if user.contains('@') {
        (UserForm::Address, user.parse())
    } else {
        (UserForm::Local, Address::new(user, realm))
    };
    let Ok(address) = address else { return Ok(None) };
    if form.of(&address) != user || address.domain() != realm {
        return Ok(None);
    }
    keys(store, &address, form)
}

/// The keys of the user whose name and realm have this hash.
fn hidden_credentials(store: &Store, hash: &[u8; 32], realm: &str) -> anyhow::Result<Option<Keys>> {
    match store.by_user_hash(hash)? {
        Some((address, form)) if address.domain() == realm => keys(store, &address, form),
        _ => Ok(None),
    }
}

fn keys(store: &Store, address: &Address, form: UserForm) -> anyhow::Result<Option<Keys>> {
    let digests = store.digests(address, form)?;
    let hex = |wanted| {
        let found = digests.iter().find(|(algorithm, _)| *algorithm == wanted);
        found.map(|(_, key)| to_hex(key.reveal()))
    };
    let keys = DigestAlgorithm::ALL.map(hex);
    let [Some(md5), Some(sha256), Some(sha512_256)] = keys else { return Ok(None) };
    Ok(Some(Keys { account: address.to_string(), md5, sha256, sha512_256 }))
}

/// What SCRAM checks the user of an address with. The address is in the form that the core gives it.
fn scram_credentials(store: &Store, address: &str) -> anyhow::Result<Option<ScramKeys>> {
    let Ok(parsed) = address.parse::<Address>() else { return Ok(None) };
    if parsed.to_string() != address {
        return Ok(None);
    }
    let mut kept = store.scram(&parsed)?;
    let mut key = |wanted: Hash| {
        let at = kept.iter().position(|(hash, _)| *hash == wanted)?;
        let (_, keys) = kept.swap_remove(at);
        Some(ScramKey {
            salt: keys.salt,
            iterations: keys.iterations,
            stored_key: keys.stored_key.reveal().to_vec(),
            server_key: keys.server_key.reveal().to_vec(),
        })
    };
    let (Some(sha1), Some(sha256)) = (key(Hash::Sha1), key(Hash::Sha256)) else { return Ok(None) };
    Ok(Some(ScramKeys { sha1, sha256 }))
}

fn load(store: &Store) -> anyhow::Result<Vec<SavedAddress>> {
    let mut addresses = Vec::new();
    for Binding { aor, state, .. } in store.bindings(runtime::now().unix_secs())? {
        // What another version kept in another form is forgotten: its phone registers again.
        match serde_json::from_slice(&state) {
            Ok(bindings) => addresses.push(SavedAddress { address: aor, bindings }),
            Err(error) => tracing::warn!(%error, "bindings that were kept cannot be read"),
        }
    }
    Ok(addresses)
}

/// Keeps what `questions` ask to keep.
fn save(store: &Store, questions: &[Question]) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for question in questions {
        if let Question::SaveBindings(SavedAddress { address, bindings }) = question {
            let mut state = Vec::new();
            if !bindings.is_empty() {
                state.reserve(BINDING_BYTES * bindings.len());
                serde_json::to_writer(&mut state, bindings)?;
            }
            let expires_secs =
                bindings.iter().map(|b| b.expires_unix_secs).max().unwrap_or_default();
            rows.push(Binding { aor: address.clone(), state, expires_secs });
        }
    }
    if !rows.is_empty() {
        store.save_bindings(&rows)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{
        Answer, Arc, Event, Future, HashMap, Keys, Owner, Question, SavedAddress, Store, World,
        answers, credentials, hidden_credentials, mpsc, scram_credentials,
    };

    #[test]
    fn keys_of_both_names() {
        let store = Store::in_memory().unwrap();
        store.add(&"alice@example.org".parse().unwrap(), "secret").unwrap();
        for user in ["alice", "alice@example.org"] {
            let keys = credentials(&store, user, "example.org").unwrap();
            assert_eq!(keys, Some(Keys::derive(user, "example.org", "secret")));
            let hash = server::user_hash(user, "example.org");
            assert_eq!(hidden_credentials(&store, &hash, "example.org").unwrap(), keys);
            assert_eq!(hidden_credentials(&store, &hash, "example.net").unwrap(), None);
        }
        for (user, realm) in [
            ("Alice", "example.org"),
            ("alice", "example.net"),
            ("alice@example.net", "example.org"),
            ("bob", "example.org"),
            ("", "example.org"),
            ("a b", "example.org"),
        ] {
            assert_eq!(credentials(&store, user, realm).unwrap(), None, "{user}");
        }
    }

    #[test]
    fn scram_keys_of_an_address() {
        let store = Store::in_memory().unwrap();
        store.add(&"alice@example.org".parse().unwrap(), "secret").unwrap();
        let keys = scram_credentials(&store, "alice@example.org").unwrap().unwrap();
        assert_eq!(keys.sha1.salt, keys.sha256.salt);
        assert_eq!((keys.sha1.stored_key.len(), keys.sha256.stored_key.len()), (20, 32));
        assert_eq!(keys.sha256.iterations, store::defaults::SCRAM_ITERATIONS);
        for address in ["Alice@example.org", "alice@example.net", "bob@example.org", "", "a b@c"] {
            assert_eq!(scram_credentials(&store, address).unwrap(), None, "{address}");
        }
    }

    #[test]
    fn what_finds_a_queue_full_is_dropped_and_counted() {
        let (events, _heard) = mpsc::channel(2);
        let (questions, _asked) = mpsc::channel(1);
        let mut owner = Owner {
            events,
            questions,
            dropped: Arc::default(),
            plane: None,
            since: HashMap::new(),
            given_out: 0,
        };
        for _ in 0..5 {
            World::<server::Server>::event(&mut owner, runtime::now(), Event::Drained);
        }
        let question =
            Question::Credentials { user: "bob".to_owned(), realm: "localhost".to_owned() };
        let first = World::<server::Server>::answer(&mut owner, question.clone());
        assert_eq!(ready(first), None);
        let second = World::<server::Server>::answer(&mut owner, question);
        assert_eq!(ready(second), Some(Answer::Failed));
        assert_eq!(owner.queues().all(), [("events", 2, 3), ("questions", 1, 1)]);
    }

    /// What a future comes to that waits for nothing.
    fn ready<T>(future: impl Future<Output = T>) -> Option<T> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::pin!(future).poll(&mut context) {
            std::task::Poll::Ready(value) => Some(value),
            std::task::Poll::Pending => None,
        }
    }

    #[test]
    fn questions_are_answered_in_their_order() {
        let store = Store::in_memory().unwrap();
        let saved = SavedAddress { address: "alice@example.org".to_owned(), bindings: Vec::new() };
        let credentials =
            Question::Credentials { user: "bob".to_owned(), realm: "example.org".to_owned() };
        let questions = [Question::SaveBindings(saved), credentials, Question::LoadBindings];
        assert_eq!(
            answers(&store, &questions),
            [Answer::Saved(true), Answer::Credentials(None), Answer::Bindings(Vec::new())]
        );
    }
}
