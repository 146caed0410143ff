//! Names similar to one that is not known.

/// How many names to suggest.
const MOST: usize = 3;
/// How similar a name must be, from 0 to 1.
const SIMILAR: f64 = 0.7;

/// Returns the known names most similar to the one asked for, best first.
///
/// A name or its last level is compared, whatever the case of letters.
pub(super) fn suggestions(asked: &str, known: impl Iterator<Item = String>) -> Vec<String> {
    let asked = asked.to_lowercase();
    let last_level = |name: &str| name.rsplit('/').next().unwrap_or(name).to_owned();
    let asked_last = last_level(&asked);
    let mut scored: Vec<(f64, String)> = known
        .map(|name| {
            let lower = name.to_lowercase();
            let whole = strsim::normalized_damerau_levenshtein(&asked, &lower);
            // A little less, so that a whole name that matches comes first.
            let last = strsim::normalized_damerau_levenshtein(&asked_last, &last_level(&lower)) * 0.95;
            (whole.max(last), name)
        })
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .collect();
    scored.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    scored.into_iter().take(MOST).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_and_bare_last_levels_are_recognized() {
        let known = ["Books", "Books/Fiction", "Books/Fiction/Sci-Fi", "Garden"];
        let check = |asked, expected: &[&str]| {
            assert_eq!(suggestions(asked, known.iter().map(|&name| name.to_owned())), expected, "{asked}");
        };
        check("Boks", &["Books"]);
        check("sci-fi", &["Books/Fiction/Sci-Fi"]);
        check("books/fictoin", &["Books/Fiction"]);
        check("zzz", &[]);
    }
}
