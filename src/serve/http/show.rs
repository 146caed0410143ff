//! `/v1/show`: what `topsell show` prints as JSON.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Response, StatusCode};

use crate::http::answers::{error, error_with_hint, not_done, tagged, unavailable};
use crate::http::parameters::Parameters;
use crate::http::state::State;
use topsell_core::rankings::SnapshotError;
use topsell_output::formats::Format;
use topsell_output::show::{self, Question, ShowError, ShowOptions};
use topsell_output::terminal::TerminalOptions;

const KNOWN: &[&str] = &[
    "category",
    "limit",
    "at",
    "movers",
    "new",
    "dropped",
    "categories",
    "tree",
    "item",
    "explain",
    "history",
    "diff",
    "search",
];
/// A cache may answer from the old one while it asks for the new one.
const CACHE_CONTROL: &str = "max-age=1, stale-while-revalidate=10";

/// An answer, and the headers of what depends on the moment of asking.
type Shown = (Vec<u8>, Vec<(&'static str, String)>);

/// Answers the request.
pub async fn show(state: Arc<State>, query: Option<String>, headers: HeaderMap) -> Response<Body> {
    let question = options_of(query.as_deref());
    let question = question.and_then(|options| options.question((state.clock)()).map_err(|e| e.to_string()));
    let question = match question {
        Ok((question, _)) => question,
        Err(what) => return error(StatusCode::BAD_REQUEST, &what),
    };
    let worker_state = Arc::clone(&state);
    match state.readers.run(move || answer(&worker_state, &question)).await {
        Ok(Some(Ok((body, more)))) => tagged(&headers, body, CACHE_CONTROL, &more),
        Ok(Some(Err(e))) => of_error(&e),
        Ok(None) => unavailable("the server is reading its log"),
        Err(why) => not_done(why),
    }
}

fn answer(state: &State, question: &Question) -> Option<Result<Shown, ShowError>> {
    let live = state.live.get()?;
    let uncommitted = match live.uncommitted.batches() {
        Ok(uncommitted) => uncommitted,
        Err(error) => return Some(Err(ShowError::Rollup(error.into()))),
    };
    Some(show::answer(&state.store, &uncommitted, question).map(|mut answer| {
        let headers = std::mem::take(&mut answer.headers);
        let mut bytes = Vec::new();
        answer.write(Format::Json, TerminalOptions::PLAIN, &mut bytes).expect("memory can be written to");
        (bytes, headers)
    }))
}

fn options_of(query: Option<&str>) -> Result<ShowOptions, String> {
    let parameters = Parameters::of(query, KNOWN)?;
    let limit = parameters
        .one("limit")?
        .map(|text| text.parse::<usize>().map_err(|_| format!("limit=`{text}` is not a number of rows")));
    Ok(ShowOptions {
        prefix: "",
        category: parameters.one("category")?,
        limit: limit.transpose()?,
        at: parameters.one("at")?,
        movers: parameters.flag("movers")?,
        new: parameters.flag("new")?,
        dropped: parameters.flag("dropped")?,
        categories: parameters.flag("categories")?,
        tree: parameters.flag("tree")?,
        item: parameters.one("item")?,
        explain: parameters.flag("explain")?,
        history: parameters.one("history")?,
        diff: parameters.all("diff"),
        search: parameters.one("search")?,
    })
}

fn of_error(e: &ShowError) -> Response<Body> {
    let meant = |names: &[String]| match names.is_empty() {
        true => "there is nothing like it".to_owned(),
        false => format!("did you mean {}?", names.join(", ")),
    };
    let what = e.to_string();
    match e {
        ShowError::UnknownCategory { suggestions, .. } | ShowError::UnknownItem { suggestions, .. } => {
            error_with_hint(StatusCode::NOT_FOUND, &what, &meant(suggestions))
        }
        ShowError::NoneAt { .. } | ShowError::NothingBefore | ShowError::NoMatch { .. } => {
            error(StatusCode::NOT_FOUND, &what)
        }
        ShowError::Snapshot(SnapshotError::None) => {
            error_with_hint(StatusCode::NOT_FOUND, &what, "publish a ranking with `topsell rank`")
        }
        _ => error(StatusCode::INTERNAL_SERVER_ERROR, &what),
    }
}
