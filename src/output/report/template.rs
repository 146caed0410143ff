//! The page around the data: markup, style and script, in one file without a link to another.

use std::ops::Range;

use crate::text::escape_html;

/// The page, in which `@NAME@` stands for what differs from one to the next.
const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
/// One script, in the order in which its parts use each other.
const SCRIPT: &[&str] = &[
    include_str!("page/format.js"),
    include_str!("page/data.js"),
    include_str!("page/drawing.js"),
    include_str!("page/search.js"),
    include_str!("page/tree.js"),
    include_str!("page/category.js"),
    include_str!("page/main.js"),
];
/// Hexadecimal digits of the word by which the page's own script and style are known.
const NONCE_DIGITS: usize = 32;

/// What a page is made of.
pub(super) struct Content<'a> {
    pub title: &'a str,
    /// JSON.
    pub facts: &'a str,
    /// Packed, the first category's part first.
    pub parts: &'a [String],
}

/// Returns the page.
pub(super) fn page(content: &Content<'_>) -> String {
    let packed: usize = content.parts.iter().map(String::len).sum();
    let mut page = String::with_capacity(PAGE.len() + content.facts.len() + packed);
    let nonce = nonce(content);
    // Once from end to end: what is put in is not looked through for more.
    let mut words = PAGE.split('@');
    page.push_str(words.next().unwrap_or_default());
    while let Some((word, text)) = words.next().zip(words.next()) {
        match word {
            "NONCE" => page.push_str(&nonce),
            "VERSION" => page.push_str(env!("CARGO_PKG_VERSION")),
            "TITLE" => page.push_str(&escape_html(content.title)),
            "STYLE" => page.push_str(STYLE),
            "SCRIPT" => SCRIPT.iter().for_each(|text| page.push_str(text)),
            "FACTS" => page.push_str(&content.facts.replace('<', "\\u003c")),
            // Before the script, so that it finds what it shows first while the rest is read.
            "FIRST" => push_parts(&mut page, content.parts, 0..1),
            "PARTS" => push_parts(&mut page, content.parts, 1..content.parts.len()),
            other => unreachable!("the page's own text has no {other}"),
        }
        page.push_str(text);
    }
    page
}

fn push_parts(page: &mut String, parts: &[String], numbers: Range<usize>) {
    for (number, packed) in numbers.clone().zip(parts.get(numbers).unwrap_or_default()) {
        page.push_str(&format!("<script type=\"text/plain\" id=\"part-{number}\">{packed}</script>\n"));
    }
}

/// Returns a word that nothing in the data can know: it changes with the data.
fn nonce(content: &Content<'_>) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(content.title.as_bytes()).update(content.facts.as_bytes());
    for part in content.parts {
        hasher.update(part.as_bytes());
    }
    let mut word = hasher.finalize().to_hex().to_string();
    word.truncate(NONCE_DIGITS);
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page_of(title: &str, facts: &str, parts: &[&str]) -> String {
        let parts: Vec<String> = parts.iter().map(|&part| part.to_owned()).collect();
        page(&Content { title, facts, parts: &parts })
    }

    #[test]
    fn nothing_of_the_page_lies_elsewhere() {
        let page = page_of("t", "{}", &["cGFydA=="]);
        // The namespace of SVG, which browsers do not fetch.
        let page = page.replace("http://www.w3.org/2000/svg", "");
        for link in
            ["http:", "https:", "//cdn", "@import", "url(", "src=", "fetch(", "XMLHttpRequest", "import("]
        {
            assert!(!page.contains(link), "{link}");
        }
        let hrefs: Vec<&str> =
            page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert_eq!(hrefs, ["data:,", "#main"]);
    }

    #[test]
    fn script_and_style_end_where_the_page_says_so() {
        for (name, text, end) in
            SCRIPT.iter().map(|&text| ("script", text, "</script")).chain([("style", STYLE, "</style")])
        {
            let lower = text.to_lowercase();
            assert!(!lower.contains(end) && !lower.contains("<!--"), "{name}");
        }
        for evil in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "DOMParser",
            "Function(",
        ] {
            assert!(SCRIPT.iter().all(|text| !text.contains(evil)), "{evil}");
        }
    }

    #[test]
    fn no_two_functions_of_the_script_have_one_name() {
        let lines = SCRIPT.iter().flat_map(|text| text.lines());
        let declared = lines.filter_map(|line| line.trim_start_matches("async ").strip_prefix("function "));
        let mut names: Vec<&str> = declared.filter_map(|rest| rest.split('(').next()).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert!(count > 50);
        assert_eq!(names.len(), count);
    }

    #[test]
    fn no_text_ends_the_place_that_it_stands_in() {
        const EVIL: &str = "</title></script><script>alert(1)</script><!-- @FACTS@ @NONCE@ & \"";
        let facts = serde_json::json!({ "title": EVIL }).to_string();
        let page = page_of(EVIL, &facts, &["cGFydA=="]);
        assert_eq!(
            page.matches("<script").count(),
            page_of("", "{}", &["cGFydA=="]).matches("<script").count()
        );
        assert_eq!(page.matches("</title>").count(), 1);
        assert!(page.contains("<title>&lt;/title&gt;&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;!-- @FACTS@ @NONCE@ &amp; &quot;</title>"));
        let said = page.split("id=\"facts\">").nth(1).and_then(|rest| rest.split("</script>").next());
        let said: serde_json::Value =
            serde_json::from_str(said.expect("there are facts")).expect("they are JSON");
        assert_eq!(said["title"], EVIL);
    }

    #[test]
    fn the_word_that_lets_scripts_run_changes_with_the_data() {
        let nonces: std::collections::BTreeSet<String> =
            [("a", "{}", "x"), ("b", "{}", "x"), ("a", "{ }", "x"), ("a", "{}", "y")]
                .map(|(title, facts, part)| nonce(&Content { title, facts, parts: &[part.to_owned()] }))
                .into();
        assert_eq!(nonces.len(), 4);
        let page = page_of("a", "{}", &["x"]);
        assert_eq!(page.matches("nonce=\"").count(), 2);
        assert!(page.contains("script-src 'nonce-"));
    }
}
