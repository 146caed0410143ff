//! The line that bash is to complete: its words as the shell would read them, none of them run.

use std::env;
use std::path::{Path, PathBuf};

const LAKE: &str = "--lake";
const CATEGORY: &str = "--category";
const SHORT: &str = "-c";

/// The beginning of a category, and what stands around it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Typed {
    /// The lake that the line names.
    pub lake: Option<PathBuf>,
    /// What was typed of the category, without quotes.
    pub asked: String,
    /// What stands before it in its word, `--category=` or nothing.
    before: &'static str,
    /// How many bytes of both the shell keeps, and does not want again.
    kept: usize,
    /// Whether the shell reads the line, and the quote that is open there.
    quoting: Quoting,
}

/// How what is put into a line has to be quoted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Quoting {
    /// The script's shell does it.
    #[default]
    None,
    Backslash,
    Double,
    Single,
}

/// A word as the shell would read it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Word {
    text: String,
    /// Where in the line each byte of the text ends.
    ends: Vec<usize>,
}

impl Typed {
    /// Returns what was asked in so many words.
    pub fn plain(asked: String) -> Typed {
        Typed { asked, ..Typed::default() }
    }

    /// Reads a line up to the cursor, of which bash replaces `word`, its end; nothing where no
    /// category is being typed.
    pub fn of(line: &str, word: &str) -> Option<Typed> {
        let (words, quoting) = words(line);
        let (last, earlier) = words.split_last()?;
        let with_equals = last.text.strip_prefix(CATEGORY).and_then(|rest| rest.strip_prefix('='));
        let (before, asked) = match with_equals {
            Some(asked) => ("--category=", asked),
            None if [CATEGORY, SHORT].contains(&earlier.last()?.text.as_str()) => ("", last.text.as_str()),
            None => return None,
        };
        let replaced_from = line.len().saturating_sub(word.len());
        let kept = last.ends.iter().take_while(|end| **end <= replaced_from).count();
        Some(Typed { lake: lake(earlier), asked: asked.to_owned(), before, kept, quoting })
    }

    /// Returns what the shell is to put in the place of what was typed.
    pub fn replacing(&self, path: &str) -> String {
        let whole = format!("{}{path}", self.before);
        let wanted = whole.get(self.kept..).unwrap_or(path);
        let must_be_quoted = |c: char| match self.quoting {
            Quoting::None => false,
            Quoting::Backslash => c.is_ascii() && !c.is_ascii_alphanumeric() && !"_./,:=@%+-".contains(c),
            Quoting::Double => "\\\"$`".contains(c),
            Quoting::Single => c == '\'',
        };
        let mut quoted = String::new();
        for c in wanted.chars() {
            match must_be_quoted(c) {
                false => quoted.push(c),
                true if self.quoting == Quoting::Single => quoted.push_str("'\\''"),
                true => quoted.extend(['\\', c]),
            }
        }
        quoted
    }
}

/// Returns the lake that is named last.
fn lake(words: &[Word]) -> Option<PathBuf> {
    let named =
        words.iter().enumerate().rev().find_map(|(at, word)| match word.text.strip_prefix(LAKE)? {
            "" => words.get(at + 1).map(|next| next.text.as_str()),
            joined => joined.strip_prefix('='),
        })?;
    match (named.strip_prefix("~/"), env::var_os("HOME")) {
        (Some(below), Some(home)) => Some(Path::new(&home).join(below)),
        _ => Some(PathBuf::from(named)),
    }
}

/// Splits a line at blanks outside of quotes; the last word may be empty, or its quote still open.
fn words(line: &str) -> (Vec<Word>, Quoting) {
    let mut words = vec![Word::default()];
    let mut is_begun = false;
    let mut quote = None;
    let mut chars = line.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let escapes = match quote {
            Some('\'') => false,
            Some(_) => chars.peek().is_some_and(|(_, next)| "\\\"$`".contains(*next)),
            None => true,
        };
        let (at, c) = match c {
            '\\' if escapes => match chars.next() {
                Some(escaped) => escaped,
                // What several words have in common may end here.
                None => break,
            },
            '\'' | '"' if quote.is_none() => {
                (quote, is_begun) = (Some(c), true);
                continue;
            }
            _ if quote == Some(c) => {
                quote = None;
                continue;
            }
            ' ' | '\t' | '\n' if quote.is_none() => {
                if is_begun {
                    words.push(Word::default());
                }
                is_begun = false;
                continue;
            }
            _ => (at, c),
        };
        is_begun = true;
        if let Some(word) = words.last_mut() {
            word.text.push(c);
            word.ends.extend(std::iter::repeat_n(at + c.len_utf8(), c.len_utf8()));
        }
    }
    let quoting = match quote {
        None => Quoting::Backslash,
        Some('\'') => Quoting::Single,
        Some(_) => Quoting::Double,
    };
    (words, quoting)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_read_as_the_shell_reads_them() {
        let check = |line: &str, expected: &[&str]| {
            let texts: Vec<String> = words(line).0.into_iter().map(|word| word.text).collect();
            assert_eq!(texts, expected, "{line}");
        };
        check("", &[""]);
        check("a  b", &["a", "b"]);
        check("a ", &["a", ""]);
        check(r#"a "b c" 'd "e' f\ g"#, &["a", "b c", "d \"e", "f g"]);
        check(r#""a\"b\c\$d" 'e\'f"#, &["a\"b\\c$d", "e\\f"]);
        check("'' \"\" x", &["", "", "x"]);
        check("a 'b c", &["a", "b c"]);
        check("$(reboot) `x`\\", &["$(reboot)", "`x`"]);
        check("é\\é", &["éé"]);
    }

    #[test]
    fn what_is_asked_and_what_is_replaced_are_told_apart() {
        let check = |line: &str, word: &str, asked: &str, path: &str, replacing: &str| {
            let typed = Typed::of(line, word).expect("a category is being typed");
            assert_eq!((typed.asked.as_str(), typed.replacing(path).as_str()), (asked, replacing), "{line}");
        };
        check("topsell show --category Bo", "Bo", "Bo", "Books", "Books");
        check("topsell show -c Bo", "Bo", "Bo", "Books", "Books");
        check("topsell show --category ", "", "", "Books", "Books");
        check("topsell show --category \"A B", "A B", "A B", "A B/C", "A B/C");
        check("topsell show --category A\\ B", "A\\ B", "A B", "A B/C", "A\\ B/C");
        check("topsell show --category=Bo", "Bo", "Bo", "Books", "Books");
        check("topsell show --category=Bo", "--category=Bo", "Bo", "Books", "--category=Books");
        check("topsell show --category=\"Bo", "Bo", "Bo", "Books", "Books");
        check("topsell show --category x", "x", "x", "x$(y) 'z\"", "x\\$\\(y\\)\\ \\'z\\\"");
        check("topsell show --category \"x", "x", "x", "x$(y) 'z\"", "x\\$(y) 'z\\\"");
        check("topsell show --category 'x", "x", "x", "x$(y) 'z\"", "x$(y) '\\''z\"");
        // Bash takes a colon for the end of a word.
        check("topsell show --category a:b", "b", "a:b", "a:bc", "bc");
        check("topsell show --category=a:b", "b", "a:b", "a:bc", "bc");
        check("topsell show --category é:", "", "é:", "é:x", "x");
        for line in
            ["", "topsell", "topsell show --categories x", "topsell show --category x y", "--lake --category"]
        {
            assert_eq!(Typed::of(line, ""), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn what_is_put_into_a_line_is_read_as_it_was_meant(
            path in "[ -~é½\\t]{1,12}",
            begun in prop_oneof![Just("--category "), Just("--category="), Just("--category \""), Just("--category='")],
        ) {
            let line = format!("topsell show {begun}");
            let typed = Typed::of(&line, "").expect("a category is being typed");
            let again = Typed::of(&format!("{line}{}", typed.replacing(&path)), "");
            prop_assert_eq!(again.expect("it still is").asked, path);
        }

        #[test]
        fn any_line_is_answered(line in "(topsell --category[= ])?\\PC{0,20}", word in "\\PC{0,4}", path in "\\PC{0,9}") {
            if let Some(typed) = Typed::of(&line, &word) {
                typed.replacing(&path);
            }
        }
    }

    #[test]
    fn the_lake_of_the_line_is_heard() {
        let lake = |line: &str| Typed::of(line, "").expect("a category is being typed").lake;
        assert_eq!(lake("topsell show --category "), None);
        assert_eq!(lake("topsell --lake 'my lake' show --category "), Some("my lake".into()));
        assert_eq!(lake("topsell --lake=a show --lake b --category "), Some("b".into()));
        assert_eq!(lake("topsell --lake=$(reboot) show --category "), Some("$(reboot)".into()));
    }
}
