//! Category paths, and the sets of paths that an event has.
//!
//! A path is written as its levels from the top, joined by `/`, with `%25`, `%2F` and `%7C` for
//! `%`, `/` and `|` inside a level. That spelling is the path's name everywhere: in logs, tables,
//! folders, snapshots and on the command line.

use crate::model::MAX_ID_BYTES;

/// Levels that one path may have.
const MAX_LEVELS: usize = 64;
/// Paths that one event may have.
pub(super) const MAX_PATHS: usize = 64;

/// Why a text is not a category path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CategoryError {
    #[error("has an empty level; write levels from the top, as in Books/Fiction")]
    EmptyLevel,
    #[error("has a `%` that is not part of %25, %2F or %7C; write a plain `%` as %25")]
    BadEscape,
    #[error("has a `|` inside one path; write it as %7C")]
    Bar,
    #[error("is longer than {MAX_ID_BYTES} bytes")]
    TooLong,
    #[error("has more than {MAX_LEVELS} levels")]
    TooDeep,
    #[error("names more than {MAX_PATHS} paths")]
    TooMany,
}

/// The distinct paths of one event, in byte order; none for an event without a category.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PathSet {
    paths: Vec<String>,
}

impl PathSet {
    /// Reads paths split by `|`; an empty text is no path.
    ///
    /// # Errors
    /// Says what is wrong with the text, without naming it.
    pub fn parse(text: &str) -> Result<PathSet, CategoryError> {
        if text.is_empty() {
            return Ok(PathSet::default());
        }
        PathSet::of(text.split('|').map(check_path).collect::<Result<_, _>>()?)
    }

    /// Returns the set of checked paths, in whatever order and however often they come.
    ///
    /// # Errors
    /// Refuses more paths than an event may have.
    pub fn of(mut paths: Vec<String>) -> Result<PathSet, CategoryError> {
        paths.sort_unstable();
        paths.dedup();
        if paths.len() > MAX_PATHS { Err(CategoryError::TooMany) } else { Ok(PathSet { paths }) }
    }

    /// Returns the paths in byte order.
    pub fn paths(&self) -> &[String] {
        &self.paths
    }
}

/// Returns the path in its one spelling, if it is one.
///
/// # Errors
/// Says what is wrong with the text, without naming it.
pub fn check_path(text: &str) -> Result<String, CategoryError> {
    if text.len() > MAX_ID_BYTES {
        return Err(CategoryError::TooLong);
    }
    if text.contains('|') {
        return Err(CategoryError::Bar);
    }
    let mut levels = 0;
    for level in text.split('/') {
        levels += 1;
        if level.is_empty() {
            return Err(CategoryError::EmptyLevel);
        }
    }
    if levels > MAX_LEVELS {
        return Err(CategoryError::TooDeep);
    }
    if text.contains('%') { normalize_escapes(text) } else { Ok(text.to_owned()) }
}

/// Returns the path whose levels are the given texts, which need no escapes.
///
/// # Errors
/// Says what is wrong with the levels.
pub fn encode_levels<'a>(levels: impl IntoIterator<Item = &'a str>) -> Result<String, CategoryError> {
    let mut path = String::new();
    for (at, level) in levels.into_iter().enumerate() {
        if at > 0 {
            path.push('/');
        }
        path.push_str(&level.replace('%', "%25").replace('/', "%2F").replace('|', "%7C"));
        if path.len() > MAX_ID_BYTES {
            return Err(CategoryError::TooLong);
        }
    }
    check_path(&path)
}

/// Returns the path's top-level category, then each longer part of it, then the path itself.
pub fn levels_of(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at]).chain(std::iter::once(path))
}

/// Returns a path's first level.
pub(super) fn top_level(path: &str) -> &str {
    path.split('/').next().unwrap_or(path)
}

fn normalize_escapes(text: &str) -> Result<String, CategoryError> {
    let mut normal = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        normal.push_str(&rest[..at]);
        let escape = rest.get(at..at + 3).ok_or(CategoryError::BadEscape)?.to_ascii_uppercase();
        if !["%25", "%2F", "%7C"].contains(&escape.as_str()) {
            return Err(CategoryError::BadEscape);
        }
        normal.push_str(&escape);
        rest = &rest[at + 3..];
    }
    normal.push_str(rest);
    Ok(normal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&[&str], CategoryError>) {
        let got = PathSet::parse(text);
        let got = got.as_ref().map(|set| set.paths().iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(got.map_err(Clone::clone), expected.map(<[&str]>::to_vec), "{text}");
    }

    #[test]
    fn paths_are_sets_in_one_spelling() {
        check("", Ok(&[]));
        check("Books/Fiction/Sci-Fi", Ok(&["Books/Fiction/Sci-Fi"]));
        check("B|A|B", Ok(&["A", "B"]));
        check("A%2fB/50%25", Ok(&["A%2FB/50%25"]));
        check("..", Ok(&[".."]));
        check("Livros/Ficção", Ok(&["Livros/Ficção"]));
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in ["/", "A/", "/A", "A//B", "A|", "|A"] {
            check(text, Err(CategoryError::EmptyLevel));
        }
        for text in ["50%", "100% Cotton", "a%2", "a%é"] {
            check(text, Err(CategoryError::BadEscape));
        }
        check(&"x/".repeat(70), Err(CategoryError::EmptyLevel));
        check(&vec!["x"; 65].join("/"), Err(CategoryError::TooDeep));
        check(&"x".repeat(MAX_ID_BYTES + 1), Err(CategoryError::TooLong));
        check(&(0..65).map(|n| n.to_string()).collect::<Vec<_>>().join("|"), Err(CategoryError::TooMany));
    }

    #[test]
    fn levels_run_from_the_top() {
        assert_eq!(levels_of("A/B/C").collect::<Vec<_>>(), ["A", "A/B", "A/B/C"]);
        assert_eq!(encode_levels(["50%", "a/b|c"]).as_deref(), Ok("50%25/a%2Fb%7Cc"));
    }
}
