//! Certificates that no authority vouches for: refused, pinned, and then accepted.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

use crate::program::{End, Process, Stage, run, stderr};
use crate::relay::certificate;

/// A core that shows a certificate of its own making, for `localhost`.
fn stage() -> (Stage, tempfile::TempDir) {
    let shown = tempfile::tempdir().unwrap();
    certificate(shown.path());
    let [certificate, key] = ["cert.pem", "key.pem"].map(|name| shown.path().join(name));
    let settings = [("certificate", certificate), ("key", key)]
        .map(|(key, path)| format!("tls.{key}={:?}", path.to_str().unwrap()));
    let [certificate, key] = &settings;
    let peers = "turn.allow_peers=[\"127.0.0.0/8\"]";
    (Stage::at("127.0.0.1", &["--set", certificate, "--set", key, "--set", peers]), shown)
}

/// Alice calls Bob with these flags, and the relay of the stage's core over TLS.
fn call(stage: &Stage, flags: &[&str]) -> End {
    let bob = stage.answer("bob", &["--once"]);
    let address = stage.core.address("turn", "tls");
    let (_, port) = address.rsplit_once(':').unwrap();
    let relay = format!("turns:localhost:{port}");
    let flags = [&["--turn", &relay, "--duration", "300ms"], flags].concat();
    let alice: Process = stage.call("sip:bob@localhost", "alice", &flags);
    let end = alice.end();
    drop(bob);
    end
}

#[test]
fn a_refused_relay_is_told_with_the_line_that_accepts_it() {
    let (stage, _shown) = stage();
    let pins = stage.file("pins");
    let named = ["--pins", pins.to_str().unwrap()];
    std::fs::write(&pins, "# nobody yet\n").unwrap();

    // The call stands without the relay, and says what became of it.
    let end = call(&stage, &named);
    assert_eq!(end.code, Some(0), "{end:#?}");
    let said = &end.said;
    assert!(said.contains("the certificate shown for localhost (sha256:"), "{said}");
    assert!(said.contains("no authority that is trusted here vouches for it"), "{said}");
    assert!(said.contains(&format!("add this line in {}", pins.display())), "{said}");
    let line = said.lines().map(str::trim).find(|line| line.starts_with("localhost sha256:"));

    std::fs::write(&pins, line.unwrap()).unwrap();
    let end = call(&stage, &[&named[..], &["--ice", "relay-only"]].concat());
    assert_eq!(end.code, Some(0), "{end:#?}");
    let path = end.event("path");
    assert_eq!((&path["relayed"], &path["transport"]), (&true.into(), &"tls".into()), "{path}");

    // What is pinned is all that will do.
    let (host, digits) = line.unwrap().split_once(" sha256:").unwrap();
    let other = format!("{host} sha256:{}", digits.replace(|c: char| c.is_ascii_digit(), "a"));
    std::fs::write(&pins, other).unwrap();
    let end = call(&stage, &named);
    let said = &end.said;
    assert!(said.contains("another one is pinned for this name"), "{said}");
    assert!(said.contains("in place of the one for it"), "{said}");
}

#[test]
fn the_certificate_itself_can_be_the_authority() {
    let (stage, shown) = stage();
    let pins = shown.path().join("cert.pem");
    let end = call(&stage, &["--pins", pins.to_str().unwrap(), "--ice", "relay-only"]);
    assert_eq!((end.code, &end.event("path")["transport"]), (Some(0), &"tls".into()), "{end:#?}");
}

/// A certificate as `openssl req -x509` makes it, for whom it is an authority's too; its files.
fn authority(folder: &Path) -> [String; 2] {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let made = params.self_signed(&key).unwrap();
    [("ca.pem", made.pem()), ("ca-key.pem", key.serialize_pem())].map(|(name, pem)| {
        std::fs::write(folder.join(name), pem).unwrap();
        folder.join(name).to_str().unwrap().to_owned()
    })
}

#[test]
fn one_that_is_made_as_an_authoritys_will_do_too() {
    let shown = tempfile::tempdir().unwrap();
    let [certificate, key] = authority(shown.path());
    let settings = [format!("tls.certificate={certificate:?}"), format!("tls.key={key:?}")];
    let stage = Stage::at("127.0.0.1", &["--set", &settings[0], "--set", &settings[1]]);
    let stage = stage.by_xmpp("tcp");
    std::fs::copy(&certificate, stage.file("pins")).unwrap();
    let mut chat = stage.phone(&["chat", "bob@localhost"], "alice", &[]);
    chat.fall_silent();
    let accepted = chat.end();
    assert_eq!(accepted.code, Some(0), "{accepted:#?}");
    // Another's is refused, and nothing is to be written into its file.
    let other = tempfile::tempdir().unwrap();
    let [certificate, _] = authority(other.path());
    std::fs::copy(&certificate, stage.file("pins")).unwrap();
    let refused = stage.phone(&["chat", "bob@localhost"], "alice", &[]).end();
    assert_eq!(refused.code, Some(16), "{refused:#?}");
    let remedy = refused.event("error")["remedy"].as_str().unwrap();
    assert!(remedy.contains("in a file of your own"), "{remedy}");
}

#[test]
fn pins_that_cannot_be_read_are_told_with_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let pins = folder.path().join("pins");
    std::fs::write(&pins, "# mine\nlocalhost sha1:00\n").unwrap();
    let call = ["call", "sip:bob@localhost", "--as", "sip:alice@localhost"];
    let named = [&call[..], &["--pins", pins.to_str().unwrap()]].concat();
    let refused = run(&named, folder.path(), "x\n");
    let said = stderr(&refused);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains(&format!("{}:2: the fingerprint", pins.display())), "{said}");
    assert!(said.contains("remedy:"), "{said}");
}
