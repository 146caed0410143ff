//! Texts from outside, made safe to show.

/// Returns a text with the characters that would steer a terminal spelled out.
pub fn harmless(text: &str) -> String {
    let spelled = |c: char| if c.is_control() { c.escape_default().collect() } else { String::from(c) };
    text.chars().map(spelled).collect()
}
