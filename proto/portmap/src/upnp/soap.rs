//! Calls, answers and faults (UDA 1.1 §3.2): the SOAP 1.1 that UPnP speaks.

use super::http::{Fields, Request, Response, Url};
use super::igd::code;
use super::xml::{self, Element, escape};
use super::{defaults, http};

/// A call of an action, or the answer to one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// The service's type.
    pub service: String,
    /// The action.
    pub action: String,
    /// Its arguments by name, in order.
    pub arguments: Vec<(String, String)>,
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The action's results; `action` is its name without `Response`.
    Answer(Call),
    /// It was refused.
    Fault(Fault),
}

/// An action's error (UDA 1.1 §3.2.5).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code} {description}")]
pub struct Fault {
    /// Its number.
    pub code: u16,
    /// What it means.
    pub description: String,
}

/// Why an envelope was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not XML.
    #[error(transparent)]
    Xml(#[from] xml::Error),
    /// XML, but not such an envelope.
    #[error("not SOAP: {0}")]
    Malformed(&'static str),
    /// More arguments than it may have.
    #[error("more than {} arguments", defaults::SOAP_ARGUMENTS)]
    TooManyArguments,
}

impl Call {
    /// Writes the envelope.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.envelope("")
    }

    /// The request that carries it to `url`.
    #[must_use]
    pub fn to_request(&self, url: &Url) -> Request {
        let fields = Fields::of(&[
            ("Host", &url.endpoint.to_string()),
            ("Content-Type", "text/xml; charset=\"utf-8\""),
            ("SOAPAction", &self.soap_action()),
            ("Connection", "close"),
        ]);
        let (method, target) = ("POST".into(), url.path.clone());
        Request { method, target, fields, body: self.to_bytes() }
    }

    /// Reads an envelope.
    ///
    /// # Errors
    /// [`Error`].
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        Self::of(in_body(&xml::read(bytes)?)?)
    }

    /// The value of the field `SOAPAction`.
    #[must_use]
    pub fn soap_action(&self) -> String {
        format!("\"{}#{}\"", self.service, self.action)
    }

    fn of(element: &Element) -> Result<Self, Error> {
        if element.children.len() > defaults::SOAP_ARGUMENTS {
            return Err(Error::TooManyArguments);
        }
        let arguments = element
            .children
            .iter()
            .map(|argument| (argument.name.clone(), argument.text.trim().to_owned()));
        let (service, action) = (element.namespace.clone(), element.name.clone());
        Ok(Self { service, action, arguments: arguments.collect() })
    }

    /// The envelope with these prefixes: primitive parsers of routers look for them.
    fn envelope(&self, suffix: &str) -> Vec<u8> {
        let name = format!("u:{}{suffix}", self.action);
        let mut body = format!("<{name} xmlns:u=\"");
        escape(&self.service, &mut body);
        body.push_str("\">");
        for (name, value) in &self.arguments {
            body.push_str(&format!("<{name}>"));
            escape(value, &mut body);
            body.push_str(&format!("</{name}>"));
        }
        body.push_str(&format!("</{name}>"));
        enveloped(&body)
    }
}

impl Reply {
    /// Writes the envelope.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let Fault { code, description } = match self {
            Self::Answer(answer) => return answer.envelope("Response"),
            Self::Fault(fault) => fault,
        };
        let mut body = String::from(
            "<s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail>\
             <UPnPError xmlns=\"urn:schemas-upnp-org:control-1-0\">",
        );
        body.push_str(&format!("<errorCode>{code}</errorCode><errorDescription>"));
        escape(description, &mut body);
        body.push_str("</errorDescription></UPnPError></detail></s:Fault>");
        enveloped(&body)
    }

    /// The response that carries it.
    #[must_use]
    pub fn to_response(&self) -> Response {
        let fields = Fields::of(&[
            ("Content-Type", "text/xml; charset=\"utf-8\""),
            ("Connection", "close"),
            ("Ext", ""),
        ]);
        Response::of_status(self.http_status(), fields, self.to_bytes())
    }

    /// Reads an envelope.
    ///
    /// # Errors
    /// [`Error`].
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        let root = xml::read(bytes)?;
        let inner = in_body(&root)?;
        if inner.name == "Fault" {
            return Ok(Self::Fault(Fault::of(inner)));
        }
        let mut answer = Call::of(inner)?;
        let action = answer.action.strip_suffix("Response");
        answer.action = action.ok_or(Error::Malformed("neither an answer nor a fault"))?.into();
        Ok(Self::Answer(answer))
    }

    /// The status of the response that carries it: 200, and 500 for a fault (UDA 1.1 §3.2.5).
    #[must_use]
    pub const fn http_status(&self) -> u16 {
        match self {
            Self::Answer(_) => 200,
            Self::Fault(_) => 500,
        }
    }
}

impl Fault {
    /// The fault of this code, with the words of the services' specifications.
    #[must_use]
    pub fn of_code(code: u16) -> Self {
        Self { code, description: code::name(code).into() }
    }

    /// A fault that UPnP has no number for counts as a failed action.
    fn of(fault: &Element) -> Self {
        let detail = fault.child("detail").and_then(|detail| detail.child("UPnPError"));
        let number = detail.and_then(|error| error.child_text("errorCode")?.parse().ok());
        let text = match detail {
            Some(error) => error.child_text("errorDescription"),
            None => fault.child_text("faultstring"),
        };
        let description = http::shown(text.unwrap_or_default());
        Self { code: number.unwrap_or(code::ACTION_FAILED), description }
    }
}

fn enveloped(body: &str) -> Vec<u8> {
    format!(
        "<?xml version=\"1.0\"?>\r\n\
         <s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\">\
         <s:Body>{body}</s:Body></s:Envelope>\r\n"
    )
    .into_bytes()
}

fn in_body(root: &Element) -> Result<&Element, Error> {
    let body = root.child("Body").filter(|_| root.name == "Envelope");
    let body = body.ok_or(Error::Malformed("no envelope with a body"))?;
    body.children.first().ok_or(Error::Malformed("an empty body"))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::{Call, Error, Fault, Reply};
    use crate::upnp::http::{Reader, Response, Url};
    use crate::upnp::{defaults, igd::kind, xml};

    fn in_envelope(body: &str) -> String {
        format!("<s:Envelope xmlns:s='a'><s:Header/><s:Body>{body}</s:Body></s:Envelope>")
    }

    #[test]
    fn answers_and_faults_of_miniupnpd() {
        let response = |bytes| Reader::<Response>::new().push(bytes).unwrap().unwrap();
        let answer = response(include_bytes!("testdata/miniupnpd-external.http"));
        let Ok(Reply::Answer(answer)) = Reply::read(&answer.body) else { panic!("{answer:?}") };
        assert_eq!(
            (answer.service.as_str(), answer.action.as_str()),
            (kind::WAN_IP_2, "GetExternalIPAddress")
        );
        assert_eq!(answer.arguments, [("NewExternalIPAddress".into(), "192.0.1.1".into())]);
        let fault = response(include_bytes!("testdata/miniupnpd-conflict.http"));
        let Ok(Reply::Fault(refused)) = Reply::read(&fault.body) else { panic!("{fault:?}") };
        assert_eq!((fault.status, refused), (500, Fault::of_code(718)));
    }

    #[test]
    fn other_peoples_faults() {
        for (body, code, description) in [
            ("<Fault><faultstring>Oops</faultstring></Fault>", 501, "Oops"),
            (
                "<Fault><detail><UPnPError><errorCode> 725 </errorCode></UPnPError></detail></Fault>",
                725,
                "",
            ),
            (
                "<Fault><detail><UPnPError><errorCode>x</errorCode></UPnPError></detail></Fault>",
                501,
                "",
            ),
            ("<Fault/>", 501, ""),
        ] {
            let fault = Fault { code, description: description.into() };
            assert_eq!(
                Reply::read(in_envelope(body).as_bytes()),
                Ok(Reply::Fault(fault)),
                "{body}"
            );
        }
    }

    #[test]
    fn what_is_no_envelope() {
        for text in ["<a/>", "<Body><a/></Body>", "<Envelope/>", "<Envelope><Body/></Envelope>"] {
            assert!(matches!(Call::read(text.as_bytes()), Err(Error::Malformed(_))), "{text}");
            assert!(matches!(Reply::read(text.as_bytes()), Err(Error::Malformed(_))), "{text}");
        }
        let call = in_envelope("<u:A xmlns:u='b'/>");
        assert!(matches!(Reply::read(call.as_bytes()), Err(Error::Malformed(_))));
        let many = in_envelope(&format!("<A>{}</A>", "<b/>".repeat(defaults::SOAP_ARGUMENTS + 1)));
        assert_eq!(Call::read(many.as_bytes()), Err(Error::TooManyArguments));
        let bomb = format!("<!DOCTYPE a [<!ENTITY b \"c\">]>{}", in_envelope("<A>&b;</A>"));
        assert_eq!(Reply::read(bomb.as_bytes()), Err(Error::Xml(xml::Error::Forbidden)));
    }

    #[test]
    fn a_call_as_it_goes_out() {
        let arguments = vec![("NewProtocol".into(), "a<b".into())];
        let call = Call { service: "urn:x:1".into(), action: "Do".into(), arguments };
        let request = call.to_request(&Url::read("http://192.0.2.1:5000/ctl").unwrap());
        assert_eq!(request.fields.value("SOAPAction"), Some("\"urn:x:1#Do\""));
        assert_eq!(request.fields.value("Host"), Some("192.0.2.1:5000"));
        let body = String::from_utf8(request.body).unwrap();
        assert!(
            body.contains("<u:Do xmlns:u=\"urn:x:1\"><NewProtocol>a&lt;b</NewProtocol></u:Do>")
        );
    }

    fn call() -> impl Strategy<Value = Call> {
        let argument = ("[A-Z][A-Za-z0-9]{0,9}", "([!-~\u{e9}]([ -~\n]{0,20}[!-~])?)?");
        let call = ("[a-z:A-Z0-9<&\"-]{1,30}", "[A-Z][A-Za-z]{0,12}", vec(argument, 0..8));
        call.prop_map(|(service, action, arguments)| Call { service, action, arguments })
    }

    proptest! {
        #[test]
        fn calls_read_after_write(call in call()) {
            prop_assert_eq!(Call::read(&call.to_bytes()), Ok(call));
        }

        #[test]
        fn replies_read_after_write(answer in call(), code: u16, description in "([!-~]([ -~]{0,20}[!-~])?)?") {
            prop_assume!(answer.action != "Fault");
            for reply in [Reply::Answer(answer), Reply::Fault(Fault { code, description })] {
                prop_assert_eq!(Reply::read(&reply.to_bytes()), Ok(reply));
            }
        }

        #[test]
        fn no_bytes_panic(text in "(<Envelope>|<Body>|<Fault>|<detail>|<UPnPError>|<a/>|</[a-zA-Z]{1,9}>|[ -~]{0,9}){0,9}") {
            let _ = (Call::read(text.as_bytes()), Reply::read(text.as_bytes()));
        }
    }
}
