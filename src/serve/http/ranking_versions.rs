//! Versions of the lists of published rankings: a version for each ranking that a name shows.
//!
//! The list `ranking/<name>` has a key for each category, `/` for the whole shop, and as its value what
//! `GET /v1/show?name=…&category=…` answers.
//!
//! Invariant: a version has the values of one ranking.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use crate::config::{LogLevel, LogLine};
use crate::http::state::State;
use topsell_core::model::Timestamp;
use topsell_core::rankings::{RankingName, ranking_names, shown_file};
use topsell_lists::{Addition, Change, ListError, ListKind, ListName, ListSettings, OpenList};
use topsell_output::formats::{Answer, Format};
use topsell_output::show::{self, ShowError, Sources};
use topsell_output::terminal::TerminalOptions;

/// In a bucket, where each look takes requests, one in so many is taken.
const LOOKS_IN_BUCKET: u32 = 12;
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

/// Follows which rankings are published.
#[derive(Default)]
pub struct RankingVersions {
    names: Vec<RankingName>,
    looks: u32,
    /// The file that the newest version of each name was made of.
    known: HashMap<RankingName, String>,
    last_failure: String,
}

impl RankingVersions {
    /// Makes a version where a name shows another ranking than before.
    pub fn look(&mut self, state: &State, log_line: &LogLine) {
        if state.is_stopping.load(Ordering::Relaxed) {
            return;
        }
        let is_due = !state.store.is_bucket() || self.looks.is_multiple_of(LOOKS_IN_BUCKET);
        self.looks = self.looks.wrapping_add(1);
        if !is_due {
            return;
        }
        // Where they cannot be listed, the names are as they were.
        self.names = ranking_names(&state.store).unwrap_or_else(|_| std::mem::take(&mut self.names));
        let mut failure = String::new();
        for name in self.names.clone() {
            let Some(file) = shown_file(&state.store, &name) else { continue };
            if self.known.get(&name) == Some(&file) {
                continue;
            }
            match make(state, &name, &file) {
                Ok(()) => drop(self.known.insert(name, file)),
                Err(error) => failure = format!("no version of the ranking `{name}` was made: {error}"),
            }
        }
        if !failure.is_empty() && failure != self.last_failure {
            log_line(LogLevel::Error, &failure);
        }
        self.last_failure = failure;
    }
}

fn make(state: &State, ranking: &RankingName, file: &str) -> Result<(), VersionError> {
    let (name, now) = (ListName::of_ranking(ranking.as_str())?, (state.clock)());
    let list = match state.versioned.open_list(&name) {
        Err(ListError::None { .. }) => {
            state.versioned.create(&name, SETTINGS, now)?;
            state.versioned.open_list(&name)?
        }
        list => list?,
    };
    if !list.has_change(file) {
        change(state, &list, (ranking, file), now)?;
    }
    state.versioned.publish_now(&name, &list, now);
    Ok(())
}

fn change(
    state: &State,
    list: &OpenList,
    (name, file): (&RankingName, &str),
    now: Timestamp,
) -> Result<(), VersionError> {
    let sources = Sources { store: &state.store, uncommitted: &[], held: Some((&state.ranking_cache, now)) };
    let mut change = Change { id: Some(file.to_owned()), replace: true, ..Change::default() };
    show::each_best_sellers(&sources, name, now, &mut |category, answer| {
        let key = category.unwrap_or(WHOLE_SHOP);
        // It would be no line of the list's text.
        if !key.chars().any(char::is_control) {
            change.add.push(Addition { key: key.to_owned(), value: Some(line_of(answer)) });
        }
    })?;
    match list.change(change.clone(), now.micros()) {
        // Another version of the program has made other values of it.
        Err(ListError::OtherChange { .. }) => list.change(Change { id: None, ..change }, now.micros())?,
        done => done?,
    };
    Ok(())
}

/// Returns an answer as one line of JSON.
fn line_of(answer: Answer<'_>) -> String {
    let mut json = Vec::new();
    answer.write(Format::Json, TerminalOptions::PLAIN, &mut json).expect("memory can be written to");
    String::from_utf8_lossy(&json).trim_end().to_owned()
}
