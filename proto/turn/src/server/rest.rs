//! Time-limited credentials from a shared secret: the convention of browser applications
//! (draft-uberti-behave-turn-rest).
//!
//! The user name is the Unix time at which it ends, alone or followed by `:` and whatever names the
//! user to whoever gave the credentials out. The password is the base64 of the HMAC-SHA1 of the user
//! name under a secret that both servers share.
//!
//! Quotas count for whom the name names, beside the account of a user of ours that has the same
//! name; all whom their names do not name are one account, for each could have many names.

use crypto::Secret;

use super::{Keys, base64};

/// The keys of `user` under each of the secrets; none if the name is no such name, or its time is
/// over.
pub(super) fn keys<'a>(
    secrets: &'a [Secret],
    user: &'a str,
    realm: &'a str,
    unix_secs: u64,
) -> impl Iterator<Item = Keys> + 'a {
    let account = account(user, unix_secs);
    let secrets = if account.is_some() { secrets } else { &[] };
    let account = format!("rest:{}", account.unwrap_or_default());
    secrets.iter().map(move |secret| {
        let password = base64::encode(&crypto::hmac_sha1(secret.reveal(), &[user.as_bytes()]));
        Keys::derive(user, realm, &password).of_account(&account)
    })
}

/// Whom the credentials were given to, while they are good; nothing for who has no name.
fn account(user: &str, unix_secs: u64) -> Option<&str> {
    let (end, account) = user.split_once(':').unwrap_or((user, ""));
    let end: u64 = end.parse().ok()?;
    (end > unix_secs).then_some(account)
}

#[cfg(test)]
mod tests {
    use crypto::Secret;
    use stun::PasswordAlgorithm;

    use super::keys;
    use crate::server::Keys;

    /// The password was computed with
    /// `printf 1433895918:alice | openssl dgst -sha1 -hmac north -binary | base64`.
    #[test]
    fn the_password_is_the_hmac_of_the_name() {
        let secrets = [Secret::new("north"), Secret::new("south")];
        let user = "1433895918:alice";
        let found: Vec<Keys> = keys(&secrets, user, "example.org", 1_433_895_917).collect();
        let expected = Keys::derive(user, "example.org", PASSWORD.as_bytes());
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].key(PasswordAlgorithm::Md5), expected.key(PasswordAlgorithm::Md5));
        assert_ne!(found[1].key(PasswordAlgorithm::Md5), expected.key(PasswordAlgorithm::Md5));
        assert_eq!(found[0].account(), "rest:alice");
    }

    #[test]
    fn who_has_no_name_shares_one_account() {
        let secrets = [Secret::new("north")];
        for user in ["1433895918", "1433895919", "1433895918:"] {
            let found = keys(&secrets, user, "example.org", 0).next().unwrap();
            assert_eq!(found.account(), "rest:", "{user}");
        }
    }

    const PASSWORD: &str = "RqMvcGPYTJMGThVLSi4amT4zFtI=";

    #[test]
    fn names_of_others_and_of_yesterday_have_no_keys() {
        let secrets = [Secret::new("north")];
        let count = |user, now| keys(&secrets, user, "example.org", now).count();
        assert_eq!(count("1433895918:alice", 1_433_895_918), 0);
        assert_eq!(count("1433895918", 1_433_895_917), 1);
        assert_eq!(count("1433895918:", 1_433_895_917), 1);
        assert_eq!(count("alice", 0), 0);
        assert_eq!(count("alice:1433895918", 0), 0);
        assert_eq!(count("99999999999999999999999:alice", 0), 0);
    }
}
