//! What Route says about the next hop (RFC 3261 §16.4, RFC 5626 §5.3).

use crate::header::{Route, name};
use crate::message::Request;
use crate::stack::Stack;
use crate::transport::token::FlowName;
use crate::uri::{SipUri, Uri};

/// What is left of Route after every entry that names us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// How many entries named us.
    pub entries: usize,
    /// Whether one of them carried a token of ours, which only a dialog that we routed has.
    pub ours: bool,
    /// The flow that the last of them names.
    pub flow: Option<FlowName>,
    /// Whether entries of others are left.
    pub more: bool,
}

/// Takes the entries of Route that name us off the front, and undoes what a strict router did.
///
/// `is_domain` says whether a host name is ours; addresses the stack knows itself.
pub fn take(stack: &Stack, request: &mut Request, is_domain: impl Fn(&str) -> bool) -> Taken {
    let is_own = |uri: &Uri| uri.as_sip().is_some_and(|uri| names_us(stack, uri, &is_domain));
    undo_strict(stack, request);
    let mut taken = Taken::default();
    while let Some(route) = first(request).filter(|route| is_own(&route.uri)) {
        request.headers.remove_first(name::ROUTE);
        taken.entries += 1;
        taken.flow = token(stack, request, &route.uri);
        // A request without a tag in To begins a dialog: no token lets it in.
        taken.ours |= taken.flow.is_some() && request.is_in_dialog();
    }
    taken.more = first(request).is_some();
    taken
}

//= RFC 3261 §16.4: a Request-URI that is a Record-Route of ours was put there by a strict router;
//  the last Route is what it should be.
fn undo_strict(stack: &Stack, request: &mut Request) {
    if token(stack, request, &request.uri).is_none() {
        return;
    }
    let mut routes: Vec<String> = request.headers.list(name::ROUTE).map(str::to_owned).collect();
    let Some(last) = routes.pop().and_then(|last| last.parse::<Route>().ok()) else { return };
    let own = std::mem::replace(&mut request.uri, last.uri);
    request.headers.remove(name::ROUTE);
    request.headers.push(name::ROUTE, Route::new(own));
    routes.iter().for_each(|route| request.headers.push(name::ROUTE, route));
}

fn first(request: &Request) -> Option<Route> {
    request.headers.list(name::ROUTE).next()?.parse().ok()
}

/// The flow that a URI of ours names in the call of `request`.
fn token(stack: &Stack, request: &Request, uri: &Uri) -> Option<FlowName> {
    stack.open_token(&uri.as_sip()?.user()?, request.call_id().ok()?)
}

/// Whether a URI points to this element.
pub fn names_us(stack: &Stack, uri: &SipUri, is_domain: impl Fn(&str) -> bool) -> bool {
    match uri.host.ip() {
        Some(ip) => stack.is_local(ip, uri.port_or_default()),
        None => is_domain(&uri.host.canonical()),
    }
}
