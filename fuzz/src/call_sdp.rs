//! The session description of a call, read from and rendered to SDP.

use call::Description;
use call::map::Loss;
use call::map::sdp::Session;
use machine::Entropy;

/// Reads `bytes` as a body and writes the description that it gave. What is read of that is written
/// and read the same again, but for what cannot be written, which is named.
pub fn run(bytes: &[u8]) {
    let mut theirs = Session::new(&mut Entropy::seeded(1));
    let Ok((foreign, _)) = theirs.read(bytes) else { return };
    let (first, read, _) = rewrite(&foreign);
    let (second, again, losses) = rewrite(&read);
    if losses.is_empty() {
        assert_eq!(again, read, "{first}{second}");
    }
    let _ = theirs.write(&foreign);
    let _ = theirs.write(&read);
}

/// The text that `description` is written as, what is read of it, and what could not be written.
fn rewrite(description: &Description) -> (String, Description, Vec<Loss>) {
    let mut ours = Session::new(&mut Entropy::seeded(2));
    let (body, losses) = ours.write(description);
    let mut theirs = Session::new(&mut Entropy::seeded(3));
    let (read, _) = theirs.read(&body).expect("what was written is read");
    (String::from_utf8_lossy(&body).into_owned(), read, losses)
}
