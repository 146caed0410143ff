//! Texts from outside, made safe to print.

/// How many characters of a field an error message quotes.
const SHOWN_CHARS: usize = 60;

/// Returns the beginning of a field, escaped, for error messages.
pub fn shown(text: &str) -> String {
    let mut short = escape_control(&text.chars().take(SHOWN_CHARS).collect::<String>());
    if text.chars().nth(SHOWN_CHARS).is_some() {
        short.push('…');
    }
    short
}

/// Returns a text with control characters, and others that a terminal would obey, escaped.
pub fn escape_control(text: &str) -> String {
    let spelled = |c: char| if is_control(c) { c.escape_default().collect() } else { String::from(c) };
    text.chars().map(spelled).collect()
}

/// Returns lines of text with each of them escaped; line breaks and tabs stay.
pub fn escape_lines(text: &str) -> String {
    let spelled = |c: char| {
        if is_control(c) && !matches!(c, '\n' | '\t') {
            c.escape_default().collect()
        } else {
            String::from(c)
        }
    };
    text.chars().map(spelled).collect()
}

/// Returns whether a character affects how others are displayed: a control character, a line separator, or
/// one that begins or ends a run of text of another direction.
fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(escape_control("a\u{1b}[31m\tb\u{9b}c"), "a\\u{1b}[31m\\tb\\u{9b}c");
        assert_eq!(escape_control("evil\u{202e}txt\u{2069}\u{2028}"), "evil\\u{202e}txt\\u{2069}\\u{2028}");
        assert_eq!(escape_lines("a\tb\u{1b}[2J\r\nc\u{202e}\n"), "a\tb\\u{1b}[2J\\r\nc\\u{202e}\n");
        // Marks that only say which way a neutral character belongs are part of good spelling.
        assert_eq!(escape_control("käse \u{200f}שלום 👩\u{200d}👧"), "käse \u{200f}שלום 👩\u{200d}👧");
    }
}
