//! Dialogs (RFC 3261 §12): a pair of tags and a Call-ID, and what follows from them: sequence
//! numbers, the far side's target and the route there.

use crate::header::{CSeq, NameAddr, Route, name};
use crate::headers::HeaderError;
use crate::message::{Request, Response};
use crate::method::Method;
use crate::uri::{SipUri, Uri};

/// What names a dialog, from our side.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DialogId {
    /// The Call-ID.
    pub call_id: String,
    /// Our tag.
    pub local_tag: String,
    /// The far side's tag; empty for peers of RFC 2543.
    pub remote_tag: String,
}

impl DialogId {
    /// The dialog that a request from the far side belongs to.
    ///
    /// # Errors
    /// If From, To or Call-ID cannot be read.
    pub fn of_request(request: &Request) -> Result<Self, HeaderError> {
        Ok(Self {
            call_id: request.call_id()?.to_owned(),
            local_tag: tag(&request.to()?),
            remote_tag: tag(&request.from()?),
        })
    }

    /// The dialog that a response from the far side belongs to.
    ///
    /// # Errors
    /// If From, To or Call-ID cannot be read.
    pub fn of_response(response: &Response) -> Result<Self, HeaderError> {
        Ok(Self {
            call_id: response.call_id()?.to_owned(),
            local_tag: tag(&response.from()?),
            remote_tag: tag(&response.to()?),
        })
    }
}

fn tag(address: &NameAddr) -> String {
    address.tag().unwrap_or("").to_owned()
}

/// A request that must not be acted upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutOfOrder {
    /// Its CSeq is not above the last one: answer 500 (RFC 3261 §12.2.2).
    #[error("a request out of order")]
    Late,
}

/// A dialog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialog {
    /// What names it.
    pub id: DialogId,
    /// We, with our tag.
    pub local: NameAddr,
    /// They, with their tag.
    pub remote: NameAddr,
    /// Where their Contact says that they are.
    pub target: Uri,
    /// The proxies between us, nearest first.
    pub routes: Vec<Route>,
    /// The number of our last request.
    pub local_number: u32,
    /// The number of their last request, if there was one.
    pub remote_number: Option<u32>,
    /// Whether the INVITE is not answered with a 2xx yet.
    pub early: bool,
}

impl Dialog {
    /// The caller's side, from our request and a response with a tag (RFC 3261 §12.1.2).
    ///
    /// # Errors
    /// If the response has no Contact that can be read, or another field is broken.
    pub fn as_caller(request: &Request, response: &Response) -> Result<Self, HeaderError> {
        //= RFC 3261 §12.1.2: the route set is the list of Record-Route in reverse order.
        let mut routes = response.record_routes()?;
        routes.reverse();
        Ok(Self {
            id: DialogId::of_response(response)?,
            local: request.from()?,
            remote: response.to()?,
            target: response.contact()?.uri().clone(),
            routes,
            local_number: request.cseq()?.number,
            remote_number: None,
            early: response.status.is_provisional(),
        })
    }

    /// The callee's side, from the INVITE and the tag that our responses give To
    /// (RFC 3261 §12.1.1).
    ///
    /// # Errors
    /// If the INVITE has no Contact that can be read, or another field is broken.
    pub fn as_callee(request: &Request, tag: &str) -> Result<Self, HeaderError> {
        let local = request.to()?.with_tag(tag);
        let mut id = DialogId::of_request(request)?;
        tag.clone_into(&mut id.local_tag);
        Ok(Self {
            id,
            local,
            remote: request.from()?,
            target: request.contact()?.uri().clone(),
            //= RFC 3261 §12.1.1: the route set is the list of Record-Route in its order.
            routes: request.record_routes()?,
            local_number: 0,
            remote_number: Some(request.cseq()?.number),
            early: true,
        })
    }

    /// A request of ours within the dialog, with the next sequence number (RFC 3261 §12.2.1.1).
    pub fn request(&mut self, method: Method) -> Request {
        self.local_number = self.local_number.wrapping_add(1);
        self.numbered(method, self.local_number)
    }

    /// The ACK of a 2xx: it has the number of its INVITE (RFC 3261 §13.2.2.4).
    #[must_use]
    pub fn ack(&self, number: u32) -> Request {
        self.numbered(Method::Ack, number)
    }

    fn numbered(&self, method: Method, number: u32) -> Request {
        let (uri, routes) = self.way();
        let (local, remote) = (&self.local, &self.remote);
        let mut request =
            Request::with_essentials(method, uri, local, remote, &self.id.call_id, number);
        for route in routes {
            request.headers.push(name::ROUTE, route);
        }
        request
    }

    /// Request-URI and Route (RFC 3261 §12.2.1.1): a strict router wants to stand in the
    /// Request-URI, and the target after all routes.
    fn way(&self) -> (Uri, Vec<Route>) {
        match self.routes.split_first() {
            Some((first, rest)) if !is_loose(&first.uri) => {
                let uri = match &first.uri {
                    Uri::Sip(uri) => Uri::Sip(uri.clone().without_headers()),
                    other => other.clone(),
                };
                let target = Route::new(self.target.clone());
                (uri, rest.iter().cloned().chain([target]).collect())
            }
            _ => (self.target.clone(), self.routes.clone()),
        }
    }

    /// Takes note of a request of theirs (RFC 3261 §12.2.2): its number, and its Contact if it
    /// refreshes the target.
    ///
    /// # Errors
    /// If its number is not above the last one.
    pub fn accept(&mut self, request: &Request) -> Result<(), OutOfOrder> {
        let number = request.cseq().map_or(0, |CSeq { number, .. }| number);
        if self.remote_number.is_some_and(|last| number <= last) {
            return Err(OutOfOrder::Late);
        }
        self.remote_number = Some(number);
        if request.method == Method::Invite {
            self.retarget(request.contact().ok().map(|contact| contact.uri().clone()));
        }
        Ok(())
    }

    /// Takes note of a 2xx to an INVITE of ours: the dialog is confirmed, the route set of the
    /// response counts if this is the first (RFC 3261 §13.2.2.4), its Contact is the target.
    pub fn confirm(&mut self, response: &Response) {
        if self.early {
            self.early = false;
            if let Ok(mut routes) = response.record_routes() {
                routes.reverse();
                self.routes = routes;
            }
        }
        self.retarget(response.contact().ok().map(|contact| contact.uri().clone()));
    }

    fn retarget(&mut self, target: Option<Uri>) {
        if let Some(target) = target {
            self.target = target;
        }
    }
}

fn is_loose(uri: &Uri) -> bool {
    uri.as_sip().is_some_and(SipUri::is_loose_router)
}

#[cfg(test)]
mod tests {
    use super::{Dialog, OutOfOrder};
    use crate::message::{Request, Response};
    use crate::method::Method;
    use crate::status::Status;

    fn invite(routes: &[&str]) -> Request {
        let from = "Alice <sip:alice@a.test>;tag=a".parse().unwrap();
        let to = "<sip:bob@b.test>".parse().unwrap();
        let uri = "sip:bob@b.test".parse().unwrap();
        let mut request = Request::with_essentials(Method::Invite, uri, &from, &to, "c1", 7)
            .with_header("Contact", "<sip:alice@10.0.0.1:5062>");
        routes.iter().for_each(|route| request.headers.push("Record-Route", route));
        request
    }

    fn answer(request: &Request, status: Status) -> Response {
        let mut response = request.response(status).with_header("Contact", "<sip:bob@10.0.0.2>");
        response.headers.copy_from(&request.headers, "Record-Route");
        response.set_to_tag("b");
        response
    }

    #[test]
    fn both_sides_see_the_same_dialog() {
        let request = invite(&["<sip:p2;lr>", "<sip:p1;lr>"]);
        let mut alice = Dialog::as_caller(&request, &answer(&request, Status::OK)).unwrap();
        let mut bob = Dialog::as_callee(&request, "b").unwrap();
        let bye = alice.request(Method::Bye);
        assert_eq!(bye.uri.to_string(), "sip:bob@10.0.0.2");
        assert_eq!(bye.headers.list("Route").collect::<Vec<_>>(), ["<sip:p1;lr>", "<sip:p2;lr>"]);
        assert_eq!(bye.cseq().unwrap().number, 8);
        assert_eq!(super::DialogId::of_request(&bye).unwrap(), bob.id);
        assert_eq!(bob.accept(&bye), Ok(()));
        assert_eq!(bob.accept(&bye), Err(OutOfOrder::Late));
        let back = bob.request(Method::Bye);
        assert_eq!(back.uri.to_string(), "sip:alice@10.0.0.1:5062");
        assert_eq!(back.headers.list("Route").collect::<Vec<_>>(), ["<sip:p2;lr>", "<sip:p1;lr>"]);
        assert_eq!(back.cseq().unwrap().number, 1);
        assert_eq!(super::DialogId::of_request(&back).unwrap(), alice.id);
    }

    #[test]
    fn a_strict_router_takes_the_request_uri() {
        let request = invite(&["<sip:p2;lr>", "<sip:p1>"]);
        let mut alice = Dialog::as_caller(&request, &answer(&request, Status::OK)).unwrap();
        let bye = alice.request(Method::Bye);
        assert_eq!(bye.uri.to_string(), "sip:p1");
        let routes: Vec<_> = bye.headers.list("Route").collect();
        assert_eq!(routes, ["<sip:p2;lr>", "<sip:bob@10.0.0.2>"]);
    }

    #[test]
    fn a_2xx_brings_its_own_route_and_target() {
        let request = invite(&[]);
        let ringing = answer(&request, Status::RINGING);
        let mut dialog = Dialog::as_caller(&request, &ringing).unwrap();
        assert!(dialog.early);
        let mut ok = answer(&request, Status::OK).with_header("Record-Route", "<sip:p1;lr>");
        ok.headers.set("Contact", "<sip:bob@10.0.0.3>");
        dialog.confirm(&ok);
        let ack = dialog.ack(7);
        assert_eq!(ack.uri.to_string(), "sip:bob@10.0.0.3");
        assert_eq!(ack.headers.first("Route"), Some("<sip:p1;lr>"));
        assert_eq!(ack.cseq().unwrap().to_string(), "7 ACK");
        assert!(!dialog.early);
    }
}
