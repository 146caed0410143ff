//! Which categories go on from what was typed.

/// Returns the paths that begin so, cut where their next level ends; where there is only what was
/// typed, the level below it.
///
/// The case of letters counts only where there is a path of that case.
pub fn next(known: &[String], asked: &str) -> Vec<String> {
    let below = below(known, asked);
    let cut_after = |from: usize| {
        let cut = |path: &String| path[..next_slash(path, from)].to_owned();
        let mut paths: Vec<String> = below.iter().map(cut).collect();
        paths.sort_unstable();
        paths.dedup();
        paths
    };
    match cut_after(asked.len()).as_slice() {
        [only] if only.len() == asked.len() && below.len() > 1 => {
            let mut deeper = cut_after(asked.len() + 1);
            deeper.retain(|path| path.len() > asked.len());
            deeper
        }
        paths => paths.to_vec(),
    }
}

/// Returns all paths that begin so.
pub fn below(known: &[String], asked: &str) -> Vec<String> {
    let begins = |path: &&String| path.starts_with(asked);
    let nearly = |path: &&String| {
        path.get(..asked.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(asked))
    };
    let exact: Vec<String> = known.iter().filter(begins).cloned().collect();
    if exact.is_empty() { known.iter().filter(nearly).cloned().collect() } else { exact }
}

fn next_slash(path: &str, from: usize) -> usize {
    path.get(from..).and_then(|rest| rest.find('/')).map_or(path.len(), |at| from + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_level_is_offered_at_a_time() {
        let known =
            ["Book", "Books", "Books/Fiction", "Books/Fiction/Sci-Fi", "Books/Law", "Café", "Café/Thé"];
        let known = known.map(str::to_owned);
        let check = |asked: &str, expected: &[&str]| assert_eq!(next(&known, asked), expected, "{asked}");
        check("", &["Book", "Books", "Café"]);
        check("B", &["Book", "Books"]);
        check("Book", &["Book", "Books"]);
        check("Books", &["Books/Fiction", "Books/Law"]);
        check("Books/", &["Books/Fiction", "Books/Law"]);
        check("Books/F", &["Books/Fiction"]);
        check("Books/Fiction", &["Books/Fiction/Sci-Fi"]);
        check("Books/Fiction/Sci-Fi", &["Books/Fiction/Sci-Fi"]);
        check("books/f", &["Books/Fiction"]);
        check("Caf", &["Café"]);
        check("Café/", &["Café/Thé"]);
        check("Cafè", &[]);
        check("X", &[]);
        assert_eq!(below(&known, "books/fic"), ["Books/Fiction", "Books/Fiction/Sci-Fi"]);
    }
}
