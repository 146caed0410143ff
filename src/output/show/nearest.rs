//! The names that a person may have meant.

/// How many names to offer.
const OFFERED: usize = 3;
/// How alike a name must be, from 0 to 1.
const ALIKE: f64 = 0.7;

/// Returns the known names most like the one asked for, best first.
///
/// A name is as like as its whole or its last level is, whatever the case of letters.
pub fn nearest(asked: &str, known: impl Iterator<Item = String>) -> Vec<String> {
    let asked = asked.to_lowercase();
    let last_level = |name: &str| name.rsplit('/').next().unwrap_or(name).to_owned();
    let asked_last = last_level(&asked);
    let mut scored: Vec<(f64, String)> = known
        .map(|name| {
            let lower = name.to_lowercase();
            let whole = strsim::normalized_damerau_levenshtein(&asked, &lower);
            // A little less, so that a whole name that fits comes first.
            let last = strsim::normalized_damerau_levenshtein(&asked_last, &last_level(&lower)) * 0.95;
            (whole.max(last), name)
        })
        .filter(|(alike, _)| *alike >= ALIKE)
        .collect();
    scored.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    scored.into_iter().take(OFFERED).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_and_bare_last_levels_are_recognized() {
        let known = ["Books", "Books/Fiction", "Books/Fiction/Sci-Fi", "Garden"];
        let check = |asked, expected: &[&str]| {
            assert_eq!(nearest(asked, known.iter().map(|&name| name.to_owned())), expected, "{asked}");
        };
        check("Boks", &["Books"]);
        check("sci-fi", &["Books/Fiction/Sci-Fi"]);
        check("books/fictoin", &["Books/Fiction"]);
        check("zzz", &[]);
    }
}
