//! Passwords in URLs, kept out of what is printed and recorded.

/// What stands for a secret.
const HIDDEN: &str = "***";

/// Returns a text with the passwords of its URLs, and all that their queries say, hidden.
///
/// A URL ends at white space, a quotation mark or a backquote.
pub fn hide_secrets(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + "://".len());
        safe.push_str(before);
        let ends = |c: char| c.is_whitespace() || "\"'`<>".contains(c);
        let end = after.find(ends).unwrap_or(after.len());
        safe.push_str(&without_secrets(&after[..end]));
        rest = &after[end..];
    }
    safe.push_str(rest);
    safe
}

/// Returns what follows the `://` of a URL.
fn without_secrets(url: &str) -> String {
    let (url, query) = match url.split_once('?') {
        Some((url, _)) => (url, format!("?{HIDDEN}")),
        None => (url, String::new()),
    };
    // A password may have slashes in it, which are an error that is told about.
    let Some((user, host)) = url.rsplit_once('@') else { return format!("{url}{query}") };
    let user = user.split_once(':').map_or(HIDDEN.to_owned(), |(user, _)| format!("{user}:{HIDDEN}"));
    format!("{user}@{host}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_and_queries_of_urls_are_hidden() {
        for (text, expected) in [
            ("redis://host:6379/0", "redis://host:6379/0"),
            ("redis://:secret@host:6379/0", "redis://:***@host:6379/0"),
            ("redis://user:se:cr@et@host", "redis://user:***@host"),
            ("redis://user:se/cret@host/0", "redis://user:***@host/0"),
            ("http://token@host/x", "http://***@host/x"),
            ("http://host/x?key=secret", "http://host/x?***"),
            (
                "step `publish redis://:secret@host` and http://u:p@b: failed",
                "step `publish redis://:***@host` and http://u:***@b: failed",
            ),
            ("a@b.example s3://bucket/prefix", "a@b.example s3://bucket/prefix"),
            ("no URL: // ?x", "no URL: // ?x"),
        ] {
            assert_eq!(hide_secrets(text), expected);
        }
    }
}
