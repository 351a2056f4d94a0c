//! The examples of XEP-0115, and sets of capabilities that are ill-formed.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{Form, Hash, Identity, Info};
use crate::Element;
use crate::client::defaults::{MAX_DISCO_ITEMS, MAX_DISCO_NAME};

/// XEP-0115 §5.2.
fn exodus() -> Info {
    let features = ["disco#info", "disco#items", "muc", "caps"];
    Info {
        identities: vec![Identity::new("client", "pc", "Exodus 0.9.1")],
        features: features.map(|it| format!("http://jabber.org/protocol/{it}")).to_vec(),
        forms: Vec::new(),
    }
}

/// XEP-0115 §5.3.
const PSI: &str = "<query xmlns='http://jabber.org/protocol/disco#info'
    node='http://psi-im.org#q07IKJEyjvHSyhy//CH0CxmKi8w='>
  <identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>
  <identity xml:lang='el' category='client' name='Ψ 0.11' type='pc'/>
  <feature var='http://jabber.org/protocol/caps'/>
  <feature var='http://jabber.org/protocol/disco#info'/>
  <feature var='http://jabber.org/protocol/disco#items'/>
  <feature var='http://jabber.org/protocol/muc'/>
  <x xmlns='jabber:x:data' type='result'>
    <field var='FORM_TYPE' type='hidden'><value>urn:xmpp:dataforms:softwareinfo</value></field>
    <field var='ip_version' type='text-multi'><value>ipv4</value><value>ipv6</value></field>
    <field var='os'><value>Mac</value></field>
    <field var='os_version'><value>10.5.1</value></field>
    <field var='software'><value>Psi</value></field>
    <field var='software_version'><value>0.11</value></field>
  </x>
</query>";

#[test]
fn examples_of_xep_0115() {
    assert_eq!(exodus().ver(Hash::Sha1).as_deref(), Some("QgayPKawpkPSDYmwT/WM94uAlu0="));
    let psi = Info::parse(&PSI.parse().unwrap()).unwrap();
    assert_eq!(psi.ver(Hash::Sha1).as_deref(), Some("q07IKJEyjvHSyhy//CH0CxmKi8w="));
    assert!(psi.supports("http://jabber.org/protocol/muc") && !psi.supports("muc"));
    // Written and read again, it is the same.
    let again = Info::parse(&psi.element(Some("x"))).unwrap();
    assert_eq!(again.ver(Hash::Sha256), psi.ver(Hash::Sha256));
    assert!(psi.ver(Hash::Sha256).is_some());
}

#[test]
fn ill_formed() {
    let changed = |change: fn(&mut Info)| {
        let mut info = Info::parse(&PSI.parse().unwrap()).unwrap();
        change(&mut info);
        info.ver(Hash::Sha1)
    };
    assert_eq!(changed(|info| info.features.push(info.features[0].clone())), None);
    assert_eq!(changed(|info| info.identities.push(info.identities[0].clone())), None);
    assert_eq!(changed(|info| info.forms.push(info.forms[0].clone())), None);
    assert_eq!(changed(|info| info.forms[0].types.push("another".to_owned())), None);
    // What parts the names in what is hashed cannot be in one.
    assert_eq!(changed(|info| info.features.push("a<b".to_owned())), None);
    // A form that does not say what it is does not count.
    let same = changed(|info| info.forms.push(Form::default()));
    assert_eq!(same.as_deref(), Some("q07IKJEyjvHSyhy//CH0CxmKi8w="));
}

#[test]
fn a_form_of_no_hidden_type_is_passed_over() {
    let visible = PSI.replace("type='hidden'", "type='text-single'");
    let info = Info::parse(&visible.parse().unwrap()).unwrap();
    assert!(info.forms.is_empty());
}

#[test]
fn more_than_anybody_has() {
    let features = |n: usize, len: usize| {
        let feature = |n| format!("<feature var='{n}{}'/>", "x".repeat(len));
        let features: String = (0..n).map(feature).collect();
        let query =
            format!("<query xmlns='http://jabber.org/protocol/disco#info'>{features}</query>");
        Info::parse(&query.parse::<Element>().unwrap())
    };
    assert!(features(MAX_DISCO_ITEMS, 1).is_some());
    assert_eq!(features(MAX_DISCO_ITEMS + 1, 1), None);
    assert_eq!(features(1, MAX_DISCO_NAME), None);
    let values = "<value>x</value>".repeat(MAX_DISCO_ITEMS);
    let query = format!(
        "<query xmlns='http://jabber.org/protocol/disco#info'><x xmlns='jabber:x:data'>\
         <field var='FORM_TYPE' type='hidden'><value>f</value></field>\
         <field var='y'>{values}</field></x></query>"
    );
    assert_eq!(Info::parse(&query.parse::<Element>().unwrap()), None);
}

proptest! {
    #[test]
    fn the_order_does_not_count(mut features in vec("[a-z:/#]{1,9}", 0..9), seed in 0..9_usize) {
        features.sort();
        features.dedup();
        let mut info = Info { features, ..exodus() };
        let ver = info.ver(Hash::Sha1);
        let len = info.features.len().max(1);
        info.features.rotate_left(seed % len.max(1) % len);
        prop_assert_eq!(info.ver(Hash::Sha1), ver);
        let again = Info::parse(&info.element(None)).unwrap();
        prop_assert_eq!(again, info);
    }
}
