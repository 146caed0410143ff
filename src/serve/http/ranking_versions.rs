//! Versions of the list of the published ranking: a version for each that is published.
//!
//! The list `ranking/current` has a key for each category, `/` for the whole shop, and as its value what
//! `GET /v1/show?category=…` answers.
//!
//! Invariant: a version has the values of one ranking.

use std::sync::atomic::Ordering;

use crate::config::{LogLevel, LogLine};
use crate::http::state::State;
use topsell_core::model::Timestamp;
use topsell_core::rankings::current_file;
use topsell_lists::{Addition, Change, ListError, ListKind, ListName, ListSettings, OpenList};
use topsell_output::formats::Format;
use topsell_output::show::{self, ShowError, ShowOptions, Sources};
use topsell_output::terminal::TerminalOptions;

/// The name of the ranking that `rank` publishes.
const CURRENT: &str = "current";
/// The key of the whole shop; no path of a category begins with a slash.
const WHOLE_SHOP: &str = "/";
const SETTINGS: ListSettings =
    ListSettings { kind: ListKind::Map, publish_every_ms: 0, keep_seconds: 7 * 86_400, poll_seconds: 60 };

/// Why there is no version of a ranking.
#[derive(Debug, thiserror::Error)]
enum VersionError {
    #[error(transparent)]
    Show(#[from] ShowError),
    #[error(transparent)]
    List(#[from] ListError),
}

/// Follows which ranking is published.
#[derive(Default)]
pub struct RankingVersions {
    /// The file that the newest version was made of.
    known: Option<String>,
    last_failure: String,
}

impl RankingVersions {
    /// Makes a version where another ranking is published than before.
    pub fn look(&mut self, state: &State, log_line: &LogLine) {
        if state.is_stopping.load(Ordering::Relaxed) {
            return;
        }
        let file = current_file(&state.store);
        if file.is_none() || file == self.known {
            return;
        }
        let made = file.as_deref().map_or(Ok(()), |file| make(state, file));
        match made {
            Ok(()) => {
                self.known = file;
                self.last_failure.clear();
            }
            Err(error) if error.to_string() != self.last_failure => {
                self.last_failure = error.to_string();
                log_line(LogLevel::Error, &format!("no version of the ranking was made: {error}"));
            }
            Err(_) => {}
        }
    }
}

fn make(state: &State, file: &str) -> Result<(), VersionError> {
    let (name, now) = (ListName::of_ranking(CURRENT)?, (state.clock)());
    let list = match state.versioned.open_list(&name) {
        Err(ListError::None { .. }) => {
            state.versioned.create(&name, SETTINGS, now)?;
            state.versioned.open_list(&name)?
        }
        list => list?,
    };
    if !list.has_change(file) {
        change(state, &list, file, now)?;
    }
    state.versioned.publish_now(&name, &list, now);
    Ok(())
}

fn change(state: &State, list: &OpenList, file: &str, now: Timestamp) -> Result<(), VersionError> {
    let ranking = state.ranking_cache.current(&state.store, now).map_err(ShowError::from)?;
    let categories = ranking.category_summaries().map_err(ShowError::from)?;
    let mut change = Change { id: Some(file.to_owned()), replace: true, ..Change::default() };
    for summary in categories {
        let key = summary.category.as_deref().unwrap_or(WHOLE_SHOP).to_owned();
        // It would be no line of the list's text.
        if key.chars().any(char::is_control) {
            continue;
        }
        let value = Some(value(state, summary.category, now)?);
        change.add.push(Addition { key, value });
    }
    match list.change(change.clone(), now.micros()) {
        // Another version of the program has made other values of it.
        Err(ListError::OtherChange { .. }) => list.change(Change { id: None, ..change }, now.micros())?,
        done => done?,
    };
    Ok(())
}

/// Returns what is shown of a category, one line of JSON.
fn value(state: &State, category: Option<String>, now: Timestamp) -> Result<String, ShowError> {
    let options = ShowOptions { category, ..ShowOptions::default() };
    let (question, _) = options.question(now).expect("a category is a question");
    let sources = Sources { store: &state.store, uncommitted: &[], held: Some((&state.ranking_cache, now)) };
    let answer = show::answer(&sources, &question)?;
    let mut json = Vec::new();
    answer.write(Format::Json, TerminalOptions::PLAIN, &mut json).expect("memory can be written to");
    Ok(String::from_utf8_lossy(&json).trim_end().to_owned())
}
