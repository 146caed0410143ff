//! Options that take a moment, and the notes that repeat what a relative one means.

use crate::failure::Failure;
use topsell_core::model::{Timestamp, Zone, parse_moment};

/// What a value called TIME may be, for the help of commands.
pub const TIME_HELP: &str = "\
TIME is a date (2017-01-10, the start of that day in UTC), RFC 3339 (2017-01-07T13:05:00Z),
an epoch number, `now`, `today`, `yesterday`, or a duration before now (7d).
";

/// A moment that an option names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    pub at: Timestamp,
    /// The moment in full, where it was typed in any other way.
    pub note: Option<String>,
}

/// Reads the value of an option; days begin as they do in `zone`.
///
/// # Errors
/// Names the option and says what to write instead.
pub fn moment(option: &str, text: &str, now: Timestamp, zone: &Zone) -> Result<Moment, Failure> {
    let at = parse_moment(text, now, zone).map_err(|e| Failure::usage(format!("{option} `{text}` {e}")))?;
    let is_full = Timestamp::parse(text) == Ok(at);
    let name = match option {
        "--diff" => "ranking of".to_owned(),
        option => option.trim_start_matches('-').replace('-', " "),
    };
    let note = (!is_full).then(|| format!("note: {name} {at}"));
    Ok(Moment { at, note })
}
