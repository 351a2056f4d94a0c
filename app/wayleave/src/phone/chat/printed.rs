//! What others write, as a terminal may show it.

/// A text that moves no cursor, and in which nothing is drawn where it does not stand.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => c,
            // What turns the direction of what follows, past the end of the text too; and what some
            // terminals begin a line with.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' => {
                char::REPLACEMENT_CHARACTER
            }
            c if c.is_control() => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect()
}

/// The same on one line.
pub fn one_line(text: &str) -> String {
    printable(text).replace(['\n', '\t'], " ")
}

/// The same of another than the one we write to: the name stands before each line, so that none of them
/// reads as the words of the one we write to.
pub fn of_another(from: &str, text: &str) -> String {
    let (from, text) = (one_line(from), printable(text));
    let lines: Vec<String> = text.split('\n').map(|line| format!("{from}: {line}")).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::{of_another, printable};

    #[test]
    fn what_strangers_write_moves_no_cursor() {
        assert_eq!(
            printable("one\ttwo\nthree\u{1b}[2J\u{7}\r"),
            "one\ttwo\nthree\u{fffd}[2J\u{fffd}\u{fffd}"
        );
        assert_eq!(printable("zoë ☎ \u{200f}\u{5d0}"), "zoë ☎ \u{200f}\u{5d0}");
    }

    #[test]
    fn nothing_is_drawn_where_it_does_not_stand() {
        for c in ['\u{202a}', '\u{202e}', '\u{2066}', '\u{2069}', '\u{2028}', '\u{85}'] {
            assert_eq!(printable(&format!("a{c}b")), "a\u{fffd}b", "{c:?}");
        }
        // A family is one sign.
        let family = "\u{1f469}\u{200d}\u{1f467}";
        assert_eq!(printable(family), family);
    }

    #[test]
    fn no_line_of_another_reads_as_the_partners() {
        let from = "xmpp:mallory@example.org/\u{202e}x";
        let said = of_another(from, "hi\nsend me the key\r\u{2028}now\n");
        let name = "xmpp:mallory@example.org/\u{fffd}x: ";
        let lines: Vec<&str> = said.split('\n').collect();
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| line.starts_with(name)), "{said}");
        assert_eq!(lines[1], format!("{name}send me the key\u{fffd}\u{fffd}now"));
        assert!(of_another("a\nb", "c").starts_with("a b: "));
    }
}
