//! Names of records: the site, the incarnation of its log, the sequence number.
//!
//! Invariant: each position has one spelling, and names the same record forever.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// As long as a label of a host name may be.
pub(super) const MAX_SITE_BYTES: usize = 63;

/// The name of the place where a server runs: lowercase letters, digits, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Site(Arc<str>);

impl Site {
    /// Takes a name.
    ///
    /// # Errors
    /// Names what is no valid name.
    pub fn new(name: &str) -> Result<Site, PositionError> {
        if is_name(name) { Ok(Site(name.into())) } else { Err(PositionError::Site(name.to_owned())) }
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The position of a record, written `main.3:4711`; those of one site are ordered as their records are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// The site whose log it is.
    pub site: Site,
    /// Which opening of the log, from 1.
    pub incarnation: u32,
    /// The number of the record in the incarnation, from 1; 0 stands for before the first.
    pub sequence: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}:{}", self.site, self.incarnation, self.sequence)
    }
}

impl FromStr for Position {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Position, PositionError> {
        let parsed = || {
            let (rest, sequence) = text.rsplit_once(':')?;
            let (site, incarnation) = rest.rsplit_once('.')?;
            let (incarnation, sequence) = (incarnation.parse().ok()?, sequence.parse().ok()?);
            Some(Position { site: Site::new(site).ok()?, incarnation, sequence })
        };
        // Signs and leading zeros would be further spellings of the same position.
        parsed()
            .filter(|position| position.to_string() == text)
            .ok_or_else(|| PositionError::Position(text.to_owned()))
    }
}

/// A text is not the name of a site or of a position.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PositionError {
    /// Not the name of a site.
    #[error("invalid site name {0:?}: use 1 to {MAX_SITE_BYTES} lowercase letters, digits, `-` and `_`")]
    Site(String),
    /// Not a position.
    #[error("invalid position {0:?}: a position is like `main.3:4711` (site, incarnation, sequence)")]
    Position(String),
}

/// Returns whether a text may name a site or a consumer, and so be part of a file's name.
pub(super) fn is_name(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    (1..=MAX_SITE_BYTES).contains(&text.len()) && text.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_has_one_spelling() {
        let position: Position = "fra-1.3:4711".parse().expect("it is a position");
        assert_eq!(
            position,
            Position { site: Site::new("fra-1").expect("valid"), incarnation: 3, sequence: 4711 }
        );
        assert_eq!(position.to_string(), "fra-1.3:4711");
        for text in [
            "",
            "main",
            "main.3",
            "main:3",
            "main.3:",
            "main.03:1",
            "main.+3:1",
            "Main.3:1",
            "a.b.3:1",
            ".3:1",
        ] {
            assert_eq!(text.parse::<Position>(), Err(PositionError::Position(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn positions_are_ordered_by_incarnation_before_sequence() {
        let parsed = |text: &str| text.parse::<Position>().expect("it is a position");
        assert!(parsed("main.9:20") < parsed("main.10:3"));
        assert!(parsed("main.10:9") < parsed("main.10:10"));
    }
}
