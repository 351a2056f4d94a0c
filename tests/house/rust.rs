//! Rust source without its comments and the insides of its strings, line by line the same.

/// `source` with comments and the contents of strings and character literals blanked out; every
/// line break stays where it was.
pub(crate) fn code_of(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut code = String::with_capacity(source.len());
    let mut i = 0;
    while i < chars.len() {
        let end = match (at(i), at(i + 1)) {
            ('/', '/') => line_comment(&chars, i),
            ('/', '*') => block_comment(&chars, i),
            ('"', _) => string(&chars, i),
            ('r', '"' | '#') if !is_word(at(i.wrapping_sub(1))) => raw_string(&chars, i),
            ('b', 'r') if !is_word(at(i.wrapping_sub(1))) => raw_string(&chars, i + 1),
            ('\'', _) => char_literal(&chars, i),
            _ => i,
        };
        if end == i {
            code.push(at(i));
            i += 1;
        } else {
            let gone = &chars[i..end.min(chars.len())];
            code.extend(gone.iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
            i = end;
        }
    }
    code
}

/// Lines that hold code: neither blank nor comment alone.
pub(crate) fn code_lines(source: &str) -> usize {
    code_of(source).lines().filter(|line| !line.trim().is_empty()).count()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn line_comment(chars: &[char], start: usize) -> usize {
    (start..chars.len()).find(|&i| chars[i] == '\n').unwrap_or(chars.len())
}

fn block_comment(chars: &[char], start: usize) -> usize {
    let (mut depth, mut i) = (0, start);
    while i < chars.len() {
        match (chars[i], chars.get(i + 1)) {
            ('/', Some('*')) => (depth, i) = (depth + 1, i + 2),
            ('*', Some('/')) => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            break;
        }
    }
    i
}

fn string(chars: &[char], start: usize) -> usize {
    let mut i = start + 1;
    while i < chars.len() && chars[i] != '"' {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    i + 1
}

/// The end of the raw string whose `r` stands at `start`, or `start` where there is none.
fn raw_string(chars: &[char], start: usize) -> usize {
    let hashes = chars[start + 1..].iter().take_while(|&&c| c == '#').count();
    let open = start + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return start;
    }
    let closes = |i: usize| {
        chars[i] == '"'
            && chars[i + 1..].iter().take(hashes).filter(|&&c| c == '#').count() == hashes
    };
    (open + 1..chars.len()).find(|&i| closes(i)).map_or(chars.len(), |i| i + 1 + hashes)
}

/// The end of the character literal at `start`, or `start` for a lifetime.
fn char_literal(chars: &[char], start: usize) -> usize {
    match (chars.get(start + 1), chars.get(start + 2)) {
        (Some('\\'), _) => {
            (start + 3..chars.len()).find(|&i| chars[i] == '\'').map_or(chars.len(), |i| i + 1)
        }
        (Some(_), Some('\'')) => start + 3,
        _ => start,
    }
}

#[test]
fn comments_and_strings_are_not_code() {
    for (source, left) in [
        ("a // b", "a"),
        ("a /* b /* c */ d */ e", "a e"),
        (r#"f("x // y", 1)"#, "f( , 1)"),
        (r##"f(r#"x " y"#, 1)"##, "f( , 1)"),
        (r#"f("a\"b", 1)"#, "f( , 1)"),
        ("f('\"', '\\'', 'a')", "f( , , )"),
        ("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)"),
        ("let r = br\"x\"; hr", "let r = ; hr"),
    ] {
        let code = code_of(source);
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(words(&code).replace("( ,", "(,"), words(left).replace("( ,", "(,"), "{source}");
    }
}

#[test]
fn code_lines_are_neither_blank_nor_comments() {
    assert_eq!(
        code_lines("//! Doc.\n\nfn f() {\n    // why\n    g(); // what\n}\n/* a\nb */\n"),
        3
    );
}
