use super::{Header, HeaderError, Headers};
use crate::header::{Contacts, name};

fn headers(fields: &[(&str, &str)]) -> Headers {
    let mut headers = Headers::new();
    fields.iter().for_each(|(name, value)| headers.push(name, value));
    headers
}

fn wire(headers: &Headers) -> String {
    let mut bytes = Vec::new();
    headers.iter().for_each(|header| header.write_to(&mut bytes));
    String::from_utf8(bytes).unwrap()
}

#[test]
fn several_fields_and_commas_are_one_list() {
    let headers = headers(&[("v", "SIP/2.0/UDP a, SIP/2.0/TCP b"), ("Via", "SIP/2.0/UDP c")]);
    let hosts: Vec<_> = headers.vias().unwrap().iter().map(|via| via.host.to_string()).collect();
    assert_eq!(hosts, ["a", "b", "c"]);
    assert_eq!(headers.via().unwrap().host.as_str(), "a");
    assert_eq!(headers.all("VIA").count(), 2);
}

#[test]
fn the_first_element_comes_off_and_changes_alone() {
    let mut headers = headers(&[("Via", "SIP/2.0/UDP a, SIP/2.0/TCP b"), ("Via", "SIP/2.0/UDP c")]);
    assert_eq!(
        headers.replace_first("Via", "SIP/2.0/UDP a;rport=1").as_deref(),
        Some("SIP/2.0/UDP a")
    );
    assert_eq!(headers.first("Via"), Some("SIP/2.0/UDP a;rport=1, SIP/2.0/TCP b"));
    headers.remove_first("Via");
    headers.remove_first("Via");
    assert_eq!(wire(&headers), "Via: SIP/2.0/UDP c\r\n");
    headers.remove_first("Via");
    assert_eq!(headers.remove_first("Via"), None);
    assert!(headers.is_empty());
}

#[test]
fn fields_that_are_no_lists_are_not_split() {
    let date = "Sat, 13 Nov 2010 23:29:00 GMT";
    let mut headers = headers(&[("Date", date)]);
    assert_eq!(headers.remove_first("Date").as_deref(), Some(date));
}

#[test]
fn order_is_kept() {
    let mut headers = headers(&[("One", "1"), ("Via", "x"), ("Two", "2"), ("one", "3")]);
    headers.push_front("Via", "w");
    headers.push_front("New", "n");
    headers.set("One", "4");
    assert_eq!(wire(&headers), "New: n\r\nOne: 4\r\nVia: w\r\nVia: x\r\nTwo: 2\r\n");
    assert_eq!(headers.remove("VIA"), 2);
}

#[test]
fn a_value_cannot_start_a_field() {
    let headers = headers(&[("Subject", "a\r\nEvil: b")]);
    assert_eq!(wire(&headers), "Subject: a  Evil: b\r\n");
}

#[test]
fn received_text_is_kept() {
    let raw = b"sUBJECT  :  a\r\n b\r\n";
    let header = Header::received("sUBJECT", "a b".to_owned(), raw);
    assert_eq!((header.name(), header.value()), ("Subject", "a b"));
    let mut bytes = Vec::new();
    header.write_to(&mut bytes);
    assert_eq!(bytes, raw);
    assert_eq!(header, Header::new("subject", "a b"));
}

#[test]
fn what_may_stand_once() {
    let twice = headers(&[("CSeq", "1 INVITE"), ("CSeq", "2 INVITE"), ("To", "<sip:a@b>")]);
    assert_eq!(twice.cseq(), Err(HeaderError::Repeated("CSeq")));
    assert_eq!(twice.from(), Err(HeaderError::Missing("From")));
    assert!(twice.to().is_ok());
    let same = headers(&[("l", "3"), ("Content-Length", "3")]);
    assert_eq!(same.content_length(), Ok(Some(3)));
    assert_eq!(
        headers(&[("l", "-3")]).content_length(),
        Err(HeaderError::Malformed(name::CONTENT_LENGTH))
    );
    assert_eq!(headers(&[("Call-ID", "a b")]).call_id(), Err(HeaderError::Malformed("Call-ID")));
}

#[test]
fn contacts() {
    assert_eq!(headers(&[]).contacts(), Ok(Contacts::List(vec![])));
    assert_eq!(headers(&[("m", "*")]).contacts(), Ok(Contacts::Any));
    assert!(headers(&[("m", "*, <sip:a@b>")]).contacts().is_err());
    let two = headers(&[("m", "\"a, b\" <sip:a@b>;q=0.5, <sip:c@d>")]);
    assert_eq!(two.contacts().unwrap().list().len(), 2);
    assert_eq!(two.contact(), Err(HeaderError::Repeated("Contact")));
}

#[test]
fn tokens_have_no_case() {
    let headers = headers(&[("k", "path, Outbound"), ("Supported", "100rel")]);
    assert!(headers.has_token(name::SUPPORTED, "outbound"));
    assert!(!headers.has_token(name::SUPPORTED, "gruu"));
}
