//! Rosters between the core and its store.

use server::{Question, RosterItem};
use store::{Address, Contact, Store};

/// Splits `questions` where what was to be kept has to be kept before a roster is read, or a roster
/// read before more of it is kept: the store keeps all that one run wants before it reads.
pub fn runs(questions: &[Question]) -> impl Iterator<Item = &[Question]> {
    questions.chunk_by(|_, next| !matches!(next, Question::Roster { .. })).flat_map(|run| {
        // A roster begins its run: it is read alone, before what the rest of the run keeps.
        let alone = usize::from(matches!(run.first(), Some(Question::Roster { .. })));
        let (roster, rest) = run.split_at(alone);
        [roster, rest].into_iter().filter(|run| !run.is_empty())
    })
}

/// The roster of an address; `None` if there is no such account.
pub fn load(store: &Store, address: &str) -> anyhow::Result<Option<Vec<RosterItem>>> {
    let Ok(owner) = address.parse::<Address>() else { return Ok(None) };
    let Some(contacts) = store.roster(&owner)? else { return Ok(None) };
    let read = |contact: &Contact| {
        let item = serde_json::from_slice(&contact.state);
        item.inspect_err(|error| tracing::warn!(%error, "a contact that was kept cannot be read"))
            .ok()
    };
    Ok(Some(contacts.iter().filter_map(read).collect()))
}

/// Keeps what `questions` ask to keep, all of it in one transaction: whether each is kept.
pub fn save(store: &Store, questions: &[Question]) -> anyhow::Result<Vec<bool>> {
    let changes: Vec<_> = questions.iter().filter_map(change).collect::<anyhow::Result<_>>()?;
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    let mut kept =
        store.save_contacts(&changes.iter().flatten().cloned().collect::<Vec<_>>())?.into_iter();
    // Whose address is none of an account's has no roster.
    Ok(changes.iter().map(|change| change.is_some() && kept.next().unwrap_or(false)).collect())
}

/// The change that a question asks for; `None` within if nobody has that address.
fn change(question: &Question) -> Option<anyhow::Result<Option<Contact>>> {
    let contact = |address: &str, contact: String, state| {
        address.parse().ok().map(|owner| Contact { owner, address: contact, state })
    };
    match question {
        Question::SaveContact { address, item } => Some(
            serde_json::to_vec(item)
                .map(|state| contact(address, item.contact.to_string(), state))
                .map_err(Into::into),
        ),
        Question::RemoveContact { address, contact: gone } => {
            Some(Ok(contact(address, gone.to_string(), Vec::new())))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use server::{Answer, Question, RosterItem};
    use store::Store;

    use super::super::world::answers;
    use super::{load, runs, save};

    const ALICE: &str = "alice@example.org";

    fn roster() -> Question {
        Question::Roster { address: ALICE.to_owned() }
    }

    fn keep(address: &str, contact: &str, name: &str) -> Question {
        let item =
            RosterItem { name: name.to_owned(), ..RosterItem::new(contact.parse().unwrap()) };
        Question::SaveContact { address: address.to_owned(), item }
    }

    #[test]
    fn what_is_kept_is_read_back() {
        let store = Store::in_memory().unwrap();
        store.add(&ALICE.parse().unwrap(), "secret").unwrap();
        let questions = [
            keep(ALICE, "bob@example.org", "Bob"),
            Question::LoadBindings,
            keep("nobody@example.org", "bob@example.org", "Bob"),
            keep("no address", "bob@example.org", "Bob"),
            keep(ALICE, "carol@example.net", "Carol"),
        ];
        assert_eq!(save(&store, &questions).unwrap(), [true, false, false, true]);
        let names = || {
            let items = load(&store, ALICE).unwrap().unwrap();
            items.into_iter().map(|item| item.name).collect::<Vec<_>>()
        };
        assert_eq!(names(), ["Bob", "Carol"]);
        let gone = Question::RemoveContact {
            address: ALICE.to_owned(),
            contact: "bob@example.org".parse().unwrap(),
        };
        assert_eq!(save(&store, &[gone]).unwrap(), [true]);
        assert_eq!(names(), ["Carol"]);
        assert_eq!(load(&store, "nobody@example.org").unwrap(), None);
    }

    #[test]
    fn a_roster_is_read_between_what_is_kept_before_and_after() {
        let store = Store::in_memory().unwrap();
        store.add(&ALICE.parse().unwrap(), "secret").unwrap();
        let questions = [
            roster(),
            keep(ALICE, "bob@example.org", "Bob"),
            keep(ALICE, "carol@example.org", "Carol"),
            roster(),
            roster(),
            keep(ALICE, "bob@example.org", "Robert"),
        ];
        let lens: Vec<_> = runs(&questions).map(<[_]>::len).collect();
        assert_eq!(lens, [1, 2, 1, 1, 1]);
        let counts: Vec<_> = answers(&store, &questions)
            .iter()
            .map(|answer| match answer {
                Answer::Roster(Some(items)) => items.iter().map(|item| item.name.len()).sum(),
                Answer::Saved(kept) => usize::from(*kept),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(counts, [0, 1, 1, 8, 8, 1]);
    }
}
