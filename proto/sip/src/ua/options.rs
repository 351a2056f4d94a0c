//! OPTIONS of ours (RFC 3261 §11): what can the far side do, and is it there?

use machine::Now;

use super::request::Purpose;
use super::{AccountId, Event, QueryId, Reason, UserAgent};
use crate::defaults;
use crate::header::{NameAddr, name};
use crate::message::{Request, Response};
use crate::method::Method;
use crate::uri::Uri;

impl UserAgent {
    /// Asks `to` what it can do. [`Event::Capabilities`] follows.
    pub fn options(&mut self, now: Now, account: AccountId, to: Uri) -> QueryId {
        self.next_query += 1;
        let query = QueryId(self.next_query);
        let Some(identity) = self.accounts.get(&account) else {
            let allow = Err(Reason::NoCredentials);
            self.events.push_back(Event::Capabilities { query, allow });
            return query;
        };
        let from = identity.from(&self.entropy.token(defaults::TAG_CHARS));
        let call_id = self.entropy.token(defaults::CALL_ID_CHARS);
        let (target, callee) = (self.target_of(identity), NameAddr::new(to.clone()));
        let request = Request::with_essentials(Method::Options, to, &from, &callee, &call_id, 1)
            .with_header(name::ACCEPT, "application/sdp")
            .with_header(name::USER_AGENT, &self.config.user_agent);
        self.send(now, account, Purpose::Options(query), request, target);
        self.pump(now);
        query
    }

    pub(super) fn capable(&mut self, query: QueryId, response: &Response) {
        let allow = if response.status.is_success() {
            Ok(response.headers.allow().unwrap_or_default())
        } else {
            let (status, phrase) = (response.status, response.reason.clone());
            Err(Reason::Refused { status, phrase })
        };
        self.events.push_back(Event::Capabilities { query, allow });
    }
}
