//! Texts from outside, made safe to show.

/// Characters of a field that errors repeat.
const SHOWN_CHARS: usize = 60;

/// Returns enough of a field to recognize it by.
pub fn shown(text: &str) -> String {
    let mut short = harmless(&text.chars().take(SHOWN_CHARS).collect::<String>());
    if text.chars().nth(SHOWN_CHARS).is_some() {
        short.push('…');
    }
    short
}

/// Returns a text with the characters that would steer a terminal spelled out.
pub fn harmless(text: &str) -> String {
    let spelled = |c: char| if c.is_control() { c.escape_default().collect() } else { String::from(c) };
    text.chars().map(spelled).collect()
}
