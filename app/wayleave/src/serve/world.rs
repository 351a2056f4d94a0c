//! The world around the core: its store answers, its owner hears.

use std::future::Future;

use crypto::to_hex;
use machine::{Machine, Now};
use runtime::World;
use server::{Answer, Event, Keys, Question, SavedAddress};
use store::{Address, Binding, DigestAlgorithm, Store, UserForm};
use tokio::sync::mpsc;

/// Hears the core's events, and answers its questions out of the store.
pub struct Owner {
    store: Store,
    events: mpsc::UnboundedSender<Event>,
}

impl Owner {
    /// The owner, and where the events come out.
    pub fn new(store: Store) -> (Self, mpsc::UnboundedReceiver<Event>) {
        let (events, heard) = mpsc::unbounded_channel();
        (Self { store, events }, heard)
    }
}

impl<M> World<M> for Owner
where
    M: Machine<Event = Event, Question = Question, Answer = Answer>,
{
    fn event(&mut self, _: Now, event: Event) {
        // Nobody listens any more while the core stops.
        let _ = self.events.send(event);
    }

    fn answer(&mut self, question: Question) -> impl Future<Output = Answer> + Send + 'static {
        let store = self.store.clone();
        let otherwise = refusal(&question);
        async move {
            // The disk may make it wait.
            let answered = tokio::task::spawn_blocking(move || answer(&store, question)).await;
            match answered {
                Ok(Ok(answer)) => answer,
                Ok(Err(error)) => {
                    tracing::error!(%error, "the store does not answer");
                    otherwise
                }
                // It panicked, and has said so.
                Err(_) => otherwise,
            }
        }
    }
}

/// What is answered when the store fails: nobody is let in and nothing is promised.
const fn refusal(question: &Question) -> Answer {
    match question {
        Question::Credentials { .. } => Answer::Credentials(None),
        Question::LoadBindings => Answer::Bindings(Vec::new()),
        Question::SaveBindings(_) => Answer::Saved(false),
    }
}

fn answer(store: &Store, question: Question) -> anyhow::Result<Answer> {
    Ok(match question {
        Question::Credentials { user, realm } => {
            Answer::Credentials(credentials(store, &user, &realm)?)
        }
        Question::LoadBindings => Answer::Bindings(load(store)?),
        Question::SaveBindings(saved) => {
            save(store, &saved)?;
            Answer::Saved(true)
        }
    })
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
    let Some(keys) = store.keys(&address)? else { return Ok(None) };
    let hex = |algorithm| keys.digest(algorithm, form).map(|key| to_hex(key.reveal()));
    let keys = (
        hex(DigestAlgorithm::Md5),
        hex(DigestAlgorithm::Sha256),
        hex(DigestAlgorithm::Sha512Of256),
    );
    let (Some(md5), Some(sha256), Some(sha512_256)) = keys else { return Ok(None) };
    Ok(Some(Keys { md5, sha256, sha512_256 }))
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

fn save(store: &Store, saved: &SavedAddress) -> anyhow::Result<()> {
    let SavedAddress { address, bindings } = saved;
    let state = if bindings.is_empty() { Vec::new() } else { serde_json::to_vec(bindings)? };
    let expires_secs = bindings.iter().map(|b| b.expires_unix_secs).max().unwrap_or_default();
    Ok(store.save_binding(&Binding { aor: address.clone(), state, expires_secs })?)
}

#[cfg(test)]
mod tests {
    use server::{Answer, Keys, Question, SavedAddress};
    use store::Store;

    use super::{answer, credentials};

    #[test]
    fn keys_of_both_names() {
        let store = Store::in_memory().unwrap();
        store.add(&"alice@example.org".parse().unwrap(), "secret").unwrap();
        for user in ["alice", "alice@example.org"] {
            let keys = credentials(&store, user, "example.org").unwrap();
            assert_eq!(keys, Some(Keys::derive(user, "example.org", "secret")));
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
    fn bindings_are_kept() {
        let store = Store::in_memory().unwrap();
        let ask = |question| answer(&store, question).unwrap();
        assert_eq!(ask(Question::LoadBindings), Answer::Bindings(Vec::new()));
        let saved = SavedAddress { address: "alice@example.org".to_owned(), bindings: Vec::new() };
        assert_eq!(ask(Question::SaveBindings(saved)), Answer::Saved(true));
        assert_eq!(ask(Question::LoadBindings), Answer::Bindings(Vec::new()));
    }
}
